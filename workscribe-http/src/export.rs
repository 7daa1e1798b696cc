//! The export of an organization over HTTP, as JSON lines.
//!
//! The rows go from the database into a temporary file as fast as the database returns them, and from there to the client as fast
//! as it reads them: a slow client uses a file and no connection.

use std::collections::HashMap;
use std::io::{self, SeekFrom};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use poem::Body;
use poem_openapi::param::Path;
use poem_openapi::payload::Binary;
use poem_openapi::{ApiResponse, OpenApi};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, timeout, timeout_at};
use workscribe_core::Code::Overloaded;
use workscribe_core::limits::Limit;
use workscribe_core::storage::Party;
use workscribe_core::tenancy::OrgScope;
use workscribe_core::transfer::Export;
use workscribe_core::{Code, Error, WorkScribe};

use crate::auth::BearerAuth;
use crate::problem::refuses::IN_ORGANIZATION;
use crate::problem::{ApiResult, codes};
use crate::tags::Tags;
use crate::wire::Slug;

/// The maximum time that an export waits until it may read the database.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many bytes of a file are read at once.
const PART: usize = 64 << 10;

/// The export of organizations.
pub struct ExportApi {
    app: WorkScribe,
    reading: Arc<Semaphore>,
    files: Arc<Files>,
}

/// 200 with a file.
#[derive(ApiResponse)]
pub enum Exported {
    /// Every row, as one JSON object per line. The last line is `{"type":"end",…}`; without it the file is incomplete.
    #[oai(status = 200, content_type = "application/x-ndjson")]
    Ok(
        Binary<Body>,
        /// The name under which to save the file.
        #[oai(header = "Content-Disposition")]
        String,
    ),
}

impl ExportApi {
    /// The API of an application.
    #[must_use]
    pub fn new(app: &WorkScribe) -> Self {
        let reading = app.settings().limits.count_of(Limit::ExportsReading).min(Semaphore::MAX_PERMITS);
        Self { app: app.clone(), reading: Arc::new(Semaphore::new(reading)), files: Arc::default() }
    }
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tags::Organizations")]
impl ExportApi {
    /// Export an organization
    ///
    /// Returns everything that belongs to the organization, as it is at this moment. Use it to move the organization to another
    /// server, or to keep a copy. Requires an owner.
    #[oai(path = "/organizations/:slug/export", method = "get", operation_id = "exportOrganization")]
    async fn export(
        &self,
        auth: BearerAuth,
        slug: Path<Slug>,
    ) -> ApiResult<Exported, { IN_ORGANIZATION | codes(&[Overloaded]) }> {
        let mut uow = auth.read(&self.app).await?;
        let at = auth.enter(&mut *uow, &slug).await?;
        drop(uow);
        let place = self.place(at.scope())?;
        let turn = timeout(PATIENCE, Arc::clone(&self.reading).acquire_owned()).await;
        let turn =
            turn.ok().and_then(Result::ok).ok_or_else(|| busy("Other organizations are being exported."))?;
        let export = self.app.transfer().export(&slug, auth.actor().user).await?;
        let name = format!("attachment; filename=\"{}.jsonl\"", export.organization().slug);
        let longest = Duration::from_secs(self.app.settings().limits.of(Limit::ExportSeconds).into());
        Ok(Exported::Ok(Binary(body(export, turn, place, longest)?), name))
    }
}

impl ExportApi {
    /// Reserves a place for one more file.
    fn place(&self, scope: &OrgScope) -> Result<FilePlace, Error> {
        let limits = &self.app.settings().limits;
        let parties = [
            (Party::Organization(scope.org()), limits.count_of(Limit::ExportsPerOrganization)),
            (Party::User(scope.actor()), limits.count_of(Limit::ExportsPerUser)),
        ];
        self.files.take(limits.count_of(Limit::ExportsAtOnce), &parties)
    }
}

fn busy(why: &str) -> Error {
    Error::new(Code::Overloaded, format!("{why} Try again in a minute."))
        .with_retry_after(Duration::from_secs(60))
}

/// How many files exist, for each organization and each user.
#[derive(Debug, Default)]
struct Files(Mutex<HashMap<Party, usize>>);

impl Files {
    /// Reserves a place: `most` is the maximum of all files, and each party has its own maximum.
    fn take(self: &Arc<Self>, most: usize, parties: &[(Party, usize)]) -> Result<FilePlace, Error> {
        let mut files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let has = |party: &Party| files.get(party).copied().unwrap_or_default();
        if parties.iter().any(|(party, its_most)| has(party) >= *its_most) {
            return Err(busy("An export of yours is still being taken."));
        }
        // Each file counts once for its organization.
        let of_organizations = files.iter().filter(|(party, _)| matches!(party, Party::Organization(_)));
        if of_organizations.map(|(_, number)| number).sum::<usize>() >= most {
            return Err(busy("Other organizations are being exported."));
        }
        for (party, _) in parties {
            *files.entry(*party).or_default() += 1;
        }
        drop(files);
        Ok(FilePlace { files: Arc::clone(self), parties: parties.iter().map(|(party, _)| *party).collect() })
    }
}

/// The place of one file. Dropping it frees the place.
struct FilePlace {
    files: Arc<Files>,
    parties: Vec<Party>,
}

impl Drop for FilePlace {
    fn drop(&mut self) {
        let mut files = self.files.0.lock().unwrap_or_else(PoisonError::into_inner);
        for party in &self.parties {
            if let Some(number) = files.get_mut(party) {
                *number -= 1;
                if *number == 0 {
                    files.remove(party);
                }
            }
        }
    }
}

/// How much of a file is written.
#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    bytes: u64,
    is_whole: bool,
}

/// The body of the response. It is read from a file without a name, which is deleted with the response.
fn body(
    export: Export,
    turn: OwnedSemaphorePermit,
    place: FilePlace,
    longest: Duration,
) -> Result<Body, Error> {
    let named = tempfile::NamedTempFile::new().map_err(Error::internal)?;
    let reader = File::from_std(named.reopen().map_err(Error::internal)?);
    let writer = File::from_std(named.into_file());
    let deadline = Instant::now() + longest;
    let (told, progress) = watch::channel(Progress::default());
    tokio::spawn(async move {
        let _turn = turn;
        match timeout_at(deadline, write(export, writer, &told)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::error!(error = &error as &dyn std::error::Error, "an export was broken off");
            }
            Err(_) => tracing::warn!("an export took too long and was broken off"),
        }
    });
    let taking = Taking { reader, taken: 0, progress, deadline, _place: place };
    Ok(Body::from_bytes_stream(stream::unfold(Some(taking), |taking| async {
        let mut taking = taking?;
        match taking.next().await {
            Ok(Some(part)) => Some((Ok(part), Some(taking))),
            Ok(None) => None,
            // Aborts the response, so that nobody takes it for a complete file.
            Err(error) => Some((Err(error), None)),
        }
    })))
}

/// Writes the lines into a file, until the last line or until the client has gone.
async fn write(mut export: Export, mut file: File, told: &watch::Sender<Progress>) -> Result<(), Error> {
    while let Some(lines) = export.next().await? {
        file.write_all(lines.as_bytes()).await.map_err(Error::internal)?;
        file.flush().await.map_err(Error::internal)?;
        if told.is_closed() {
            return Ok(());
        }
        told.send_modify(|progress| progress.bytes += lines.len() as u64);
    }
    told.send_modify(|progress| progress.is_whole = true);
    Ok(())
}

/// The position of a client in the file.
struct Taking {
    reader: File,
    taken: u64,
    progress: watch::Receiver<Progress>,
    deadline: Instant,
    _place: FilePlace,
}

impl Taking {
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        let broken_off = || io::Error::other("the export was broken off");
        loop {
            if Instant::now() >= self.deadline {
                return Err(broken_off());
            }
            let Progress { bytes, is_whole } = *self.progress.borrow_and_update();
            let there = usize::try_from(bytes - self.taken).unwrap_or(PART).min(PART);
            if there > 0 {
                let mut part = vec![0; there];
                self.reader.seek(SeekFrom::Start(self.taken)).await?;
                self.reader.read_exact(&mut part).await?;
                self.taken += there as u64;
                return Ok(Some(part.into()));
            }
            if is_whole {
                return Ok(None);
            }
            timeout_at(self.deadline, self.progress.changed())
                .await
                .map_err(|_| broken_off())?
                .map_err(|_| broken_off())?;
        }
    }
}
