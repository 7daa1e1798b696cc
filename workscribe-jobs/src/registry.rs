//! [`Registry`]: the handlers by kind of job.

use std::collections::{BTreeMap, BTreeSet};
use std::marker::PhantomData;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use workscribe_core::outbox::Job;

use crate::handler::{Handler, JobContext, JobError};

/// The handlers by kind of job. A worker claims the kinds of its registry only, so workers with different registries can share
/// a queue.
#[derive(Clone, Default)]
pub struct Registry {
    handlers: BTreeMap<&'static str, Arc<dyn AnyHandler>>,
    /// The names in `handlers` that are aliases of a kind.
    aliases: BTreeSet<&'static str>,
}

impl Registry {
    /// An empty registry. [`crate::mail::workscribe_jobs`] returns one with WorkScribe's own jobs.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the handler of a kind and its aliases. It replaces a previous handler, so an embedder can replace one of
    /// WorkScribe's.
    ///
    /// A job whose payload does not fit `J` is buried without a call of the handler.
    #[must_use]
    pub fn register<J: Job + 'static>(mut self, handler: impl Handler<J>) -> Self {
        let handler: Arc<dyn AnyHandler> = Arc::new(Typed { handler, job: PhantomData });
        for alias in J::ALIASES {
            self.handlers.insert(alias, Arc::clone(&handler));
            self.aliases.insert(alias);
        }
        self.handlers.insert(J::KIND, handler);
        self.aliases.remove(J::KIND);
        self
    }

    /// Adds all handlers of another registry. They replace handlers of the same kinds.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.aliases.retain(|alias| !other.handlers.contains_key(alias));
        self.handlers.extend(other.handlers);
        self.aliases.extend(other.aliases);
        self
    }

    /// The kinds with a handler, sorted, without aliases.
    pub fn kinds(&self) -> impl Iterator<Item = &'static str> {
        self.handlers.keys().copied().filter(|name| !self.aliases.contains(name))
    }

    /// The kinds with a handler and their aliases, sorted.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.handlers.keys().copied().collect()
    }

    pub(crate) fn get(&self, kind: &str) -> Option<Arc<dyn AnyHandler>> {
        self.handlers.get(kind).cloned()
    }
}

/// A handler of an unparsed payload.
#[async_trait]
pub(crate) trait AnyHandler: Send + Sync {
    async fn handle(&self, context: JobContext, payload: Value) -> Result<(), JobError>;
}

struct Typed<J, H> {
    handler: H,
    job: PhantomData<fn(J)>,
}

#[async_trait]
impl<J: Job + 'static, H: Handler<J>> AnyHandler for Typed<J, H> {
    async fn handle(&self, context: JobContext, payload: Value) -> Result<(), JobError> {
        let job = serde_json::from_value::<J>(payload).map_err(|error| JobError::bury(misfit(&error)))?;
        self.handler.handle(context, job).await
    }
}

/// Why a payload does not fit. The text of serde may quote the payload, so only a text that names a field of the type is kept.
fn misfit(error: &serde_json::Error) -> String {
    let text = error.to_string();
    if text.starts_with("missing field") {
        format!("the payload does not fit: {text}")
    } else {
        "the payload does not fit its kind".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;
    use workscribe_core::webhooks::{DeliverWebhook, WebhookNetworks};

    #[derive(Debug, Serialize, Deserialize)]
    struct Count {
        number: u32,
    }

    impl Job for Count {
        const KIND: &'static str = "test.count";
    }

    #[test]
    fn why_a_payload_does_not_fit_never_quotes_it() {
        let fault = |payload| misfit(&serde_json::from_value::<Count>(payload).unwrap_err());
        assert!(fault(serde_json::json!({})).contains("number"));
        assert!(!fault(serde_json::json!({ "number": "ada@example.com" })).contains("ada"));
    }

    #[test]
    fn a_later_handler_replaces_an_earlier_one() {
        async fn first(_: JobContext, _: Count) -> Result<(), JobError> {
            Ok(())
        }
        let registry = Registry::new().register::<Count>(first);
        let before = registry.get(Count::KIND).unwrap();
        let registry = registry.merge(Registry::new().register::<Count>(first));
        assert_eq!(registry.kinds().count(), 1);
        assert!(!Arc::ptr_eq(&before, &registry.get(Count::KIND).unwrap()));
        assert!(registry.get("test.unknown").is_none());
    }

    /// The kinds of jobs of the core, from its sources.
    fn kinds_of_the_core(folder: &std::path::Path, kinds: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                kinds_of_the_core(&path, kinds);
                continue;
            }
            let source = std::fs::read_to_string(path).unwrap_or_default();
            let code = source.split("#[cfg(test)]").next().unwrap_or_default();
            for job in code.split("\nimpl Job for ").skip(1) {
                let kind = job.split_once("const KIND: &'static str = \"").unwrap().1;
                kinds.insert(kind.split_once('"').unwrap().0.to_owned());
            }
        }
    }

    #[test]
    fn every_kind_of_job_of_the_core_has_a_handler() {
        let mut kinds = BTreeSet::new();
        kinds_of_the_core(
            concat!(env!("CARGO_MANIFEST_DIR"), "/../workscribe-core/src").as_ref(),
            &mut kinds,
        );
        assert!(kinds.len() > 6, "the sources are read");
        let templates = Arc::new(crate::mail::DefaultTemplates::new("WorkScribe"));
        let links = crate::mail::Links::new("https://example.com").unwrap();
        let sender = crate::webhooks::WebhookSender::new(WebhookNetworks::default()).unwrap();
        let registry = crate::mail::workscribe_jobs(Arc::new(crate::mail::LogMailer), templates, links);
        let registry = registry.register::<DeliverWebhook>(sender);
        let handled: BTreeSet<String> = registry.kinds().map(str::to_owned).collect();
        assert_eq!(kinds.difference(&handled).collect::<Vec<_>>(), Vec::<&String>::new(), "who runs them?");
    }
}
