//! A mailer that keeps its mails.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use workscribe_core::ports::{Mail, MailError, Mailer};

/// Keeps mails instead of sending them, and fails on request. Clones share their mails.
#[derive(Debug, Clone, Default)]
pub struct MailCapture {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    mails: Vec<Mail>,
    failures: VecDeque<MailError>,
}

impl MailCapture {
    /// A mailer without mails.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Every mail, oldest first. A mail that was sent twice appears twice.
    #[must_use]
    pub fn all(&self) -> Vec<Mail> {
        self.state().mails.clone()
    }

    /// Returns and removes every mail.
    #[must_use]
    pub fn take(&self) -> Vec<Mail> {
        std::mem::take(&mut self.state().mails)
    }

    /// The last mail to an address.
    #[must_use]
    pub fn last_to(&self, email: &str) -> Option<Mail> {
        self.state().mails.iter().rfind(|mail| mail.to == email).cloned()
    }

    /// The last mail to an address whose subject contains a text.
    #[must_use]
    pub fn find(&self, email: &str, subject_contains: &str) -> Option<Mail> {
        let is_it = |mail: &&Mail| mail.to == email && mail.subject.contains(subject_contains);
        self.state().mails.iter().rfind(is_it).cloned()
    }

    /// Fails the next sends with a temporary error, without a `retry_after`.
    pub fn fail_temporarily(&self, sends: usize, reason: &str) {
        self.fail(sends, || MailError::Temporary { reason: reason.to_owned(), retry_after: None });
    }

    /// Fails the next sends with a permanent error.
    pub fn fail_permanently(&self, sends: usize, reason: &str) {
        self.fail(sends, || MailError::Permanent { reason: reason.to_owned() });
    }

    /// Refuses the addresses of the next sends.
    pub fn refuse_addresses(&self, sends: usize, reason: &str) {
        self.fail(sends, || MailError::Address { reason: reason.to_owned() });
    }

    /// Fails the next sends, each with the next result of `error`.
    pub fn fail(&self, sends: usize, error: impl FnMut() -> MailError) {
        self.state().failures.extend(std::iter::repeat_with(error).take(sends));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Mailer for MailCapture {
    async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        let mut state = self.state();
        if let Some(error) = state.failures.pop_front() {
            return Err(error);
        }
        state.mails.push(mail.clone());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use workscribe_core::id::JobId;

    fn mail(to: &str, subject: &str) -> Mail {
        Mail {
            id: JobId::from(uuid::Uuid::nil()),
            to: to.into(),
            subject: subject.into(),
            text: String::new(),
            html: String::new(),
            link: None,
        }
    }

    #[tokio::test]
    async fn mails_are_kept_in_order_and_found_by_address_and_subject() {
        let mailer = MailCapture::new();
        for subject in ["Welcome", "Reset your password", "Welcome back"] {
            mailer.clone().send(&mail("ada@example.com", subject)).await.unwrap();
        }
        assert_eq!(mailer.last_to("ada@example.com").unwrap().subject, "Welcome back");
        assert_eq!(mailer.find("ada@example.com", "password").unwrap().subject, "Reset your password");
        assert!(mailer.last_to("grace@example.com").is_none());
        assert_eq!(mailer.all().len(), 3);
        assert_eq!(mailer.take().len(), 3);
        assert!(mailer.all().is_empty());
    }

    #[tokio::test]
    async fn the_next_sends_fail_as_told_and_the_one_after_goes() {
        let mailer = MailCapture::new();
        mailer.fail_temporarily(1, "busy");
        mailer.fail_permanently(1, "no such mailbox");
        let mail = mail("ada@example.com", "Welcome");
        assert!(matches!(mailer.send(&mail).await, Err(MailError::Temporary { .. })));
        assert!(matches!(mailer.send(&mail).await, Err(MailError::Permanent { .. })));
        assert!(mailer.send(&mail).await.is_ok());
        assert_eq!(mailer.all().len(), 1);
    }
}
