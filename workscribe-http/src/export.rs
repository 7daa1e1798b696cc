//! A whole organization over HTTP, as JSON lines.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use poem::Body;
use poem_openapi::param::Path;
use poem_openapi::payload::Binary;
use poem_openapi::{ApiResponse, OpenApi};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::timeout;
use workscribe_core::transfer::Export;
use workscribe_core::{Code, Error, WorkScribe};

use crate::auth::BearerAuth;
use crate::problem::ApiResult;
use crate::tags::Tags;

/// So many exports at once, since each holds a connection to the database.
const AT_ONCE: usize = 2;
/// How long a client may take for the next lines before its connection to the database is taken from it.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long an export may take in all. One that takes longer is a matter for `workscribe export`.
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// Taking organizations out.
pub struct ExportApi {
    app: WorkScribe,
    running: Arc<Semaphore>,
}

/// 200 with a file.
#[derive(ApiResponse)]
pub enum Exported {
    /// Every row, one JSON object a line. The last line is `{"type":"end",…}`; without it the file is not whole.
    #[oai(status = 200, content_type = "application/x-ndjson")]
    Ok(
        Binary<Body>,
        /// Under which name to keep it.
        #[oai(header = "Content-Disposition")]
        String,
    ),
}

impl ExportApi {
    /// The API of an application.
    #[must_use]
    pub fn new(app: &WorkScribe) -> Self {
        Self { app: app.clone(), running: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tags::Organizations")]
impl ExportApi {
    /// Take an organization out
    ///
    /// With all that belongs to it, as it is at this moment: for another server, or to keep. For owners.
    #[oai(path = "/organizations/:slug/export", method = "get", operation_id = "exportOrganization")]
    async fn export(
        &self,
        auth: BearerAuth,
        /// The organization's slug.
        slug: Path<String>,
    ) -> ApiResult<Exported> {
        let permit = Arc::clone(&self.running).try_acquire_owned().map_err(|_| {
            Error::new(Code::Overloaded, "Other organizations are being exported. Try again in a minute.")
                .with_retry_after(Duration::from_secs(60))
        })?;
        let export = self.app.transfer().export(&slug.0, auth.actor().user).await?;
        let name = format!("attachment; filename=\"{}.jsonl\"", export.organization().slug);
        Ok(Exported::Ok(Binary(body(export, permit)), name))
    }
}

/// The lines, read by a task of its own, so that a client that stops reading does not keep the connection to the database.
fn body(export: Export, permit: OwnedSemaphorePermit) -> Body {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        let _permit = permit;
        if timeout(LONGEST, send(export, sender)).await.is_err() {
            tracing::warn!("an export took too long and was broken off");
        }
    });
    let lines = stream::unfold(Some(receiver), |receiver| async {
        let mut receiver = receiver?;
        match receiver.recv().await {
            Some(Some(lines)) => Some((Ok(lines), Some(receiver))),
            Some(None) => None,
            // Breaks the answer off, so that nobody takes it for the whole.
            None => Some((Err(io::Error::other("the export was broken off")), None)),
        }
    });
    Body::from_bytes_stream(lines)
}

/// Sends the lines, and `None` after the last.
async fn send(mut export: Export, sender: mpsc::Sender<Option<Bytes>>) {
    loop {
        let next = match export.next().await {
            Ok(next) => next.map(Bytes::from),
            Err(error) => {
                tracing::error!(?error, "an export was broken off");
                return;
            }
        };
        let is_last = next.is_none();
        match timeout(PATIENCE, sender.send(next)).await {
            Ok(Ok(())) if !is_last => {}
            _ => return,
        }
    }
}
