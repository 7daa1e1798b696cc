//! The mail transport for a folder: [`FileMailer`] writes each mail to a file.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use lettre::message::Mailbox;
use tokio::fs;
use tokio::io::AsyncWriteExt;
use workscribe_core::ports::{Mail, MailError, Mailer};

use super::{SetupError, message};

/// Writes each mail to the file `<job id>.eml` in a folder, where a mail program can open it. A repeated mail writes the same
/// file.
///
/// The files contain working links, so on Unix only their owner may read them. A file with this name is complete. A crash may
/// leave a hidden `.tmp` file.
#[derive(Debug)]
pub struct FileMailer {
    folder: PathBuf,
    from: Mailbox,
}

impl FileMailer {
    /// A mailer with a sender such as `WorkScribe <no-reply@example.com>`. The first mail creates the folder.
    ///
    /// # Errors
    /// [`SetupError::From`].
    pub fn new(folder: impl Into<PathBuf>, from: &str) -> Result<Self, SetupError> {
        Ok(Self { folder: folder.into(), from: message::sender(from)? })
    }

    async fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        // Two attempts at one mail may run at the same time, so each has its own temporary file.
        static NEXT: AtomicU64 = AtomicU64::new(0);
        fs::create_dir_all(&self.folder).await?;
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let temporary = self.folder.join(format!(".{name}.{}-{next}.tmp", std::process::id()));
        let written = write_new(&temporary, bytes).await;
        let done = match written {
            Ok(()) => fs::rename(&temporary, self.folder.join(name)).await,
            Err(error) => Err(error),
        };
        if done.is_err() {
            drop(fs::remove_file(&temporary).await);
        }
        done
    }
}

async fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    options.mode(0o600);
    let mut file = options.open(path).await?;
    file.write_all(bytes).await?;
    file.sync_all().await
}

#[async_trait]
impl Mailer for FileMailer {
    async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        let message = message::build(mail, &self.from)?;
        self.write(&format!("{}.eml", mail.id), &message.formatted()).await.map_err(|error| {
            MailError::Temporary { reason: format!("the file cannot be written: {error}"), retry_after: None }
        })
    }
}
