//! Starts, watches and stops the program.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::client::Client;

/// The maximum wait. Nothing takes this long unless it hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Settings, and the directory in which the program runs. Clones share the directory.
#[derive(Clone)]
pub(crate) struct Setup {
    directory: Arc<TempDir>,
    variables: BTreeMap<String, String>,
    ignored: Option<&'static str>,
}

impl Setup {
    /// The defaults, except for a free port, a cheap hash, and no limits on requests.
    pub(crate) fn new() -> Self {
        let directory = Arc::new(tempfile::tempdir().unwrap());
        Self { directory, variables: BTreeMap::new(), ignored: None }
            .env("WORKSCRIBE_LISTEN", "127.0.0.1:0")
            .env("WORKSCRIBE_BCRYPT_COST", "4")
            .env("WORKSCRIBE_RATE_LIMITS", "off")
    }

    pub(crate) fn env(mut self, variable: &str, value: impl Into<String>) -> Self {
        self.variables.insert(variable.to_owned(), value.into());
        self
    }

    pub(crate) fn without(mut self, variable: &str) -> Self {
        self.variables.remove(variable);
        self
    }

    /// Makes the program ignore a signal, such as `XFSZ`.
    pub(crate) fn ignoring(self, signal: &'static str) -> Self {
        Self { ignored: Some(signal), ..self }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The SQLite file of the defaults.
    pub(crate) fn sqlite_url(&self) -> String {
        format!("sqlite://{}", self.path().join("workscribe.db").display())
    }

    /// Sends mails to a folder.
    pub(crate) fn mails_to_folder(self) -> Self {
        let folder = format!("file:{}", self.path().join("mails").display());
        self.env("WORKSCRIBE_MAIL", folder)
    }

    /// Waits for a mail to an address with a link that contains this text; returns the link.
    pub(crate) async fn mailed_link(&self, to: &str, text: &str) -> String {
        let mut link = None;
        until("a mail has come", async || {
            let files = std::fs::read_dir(self.path().join("mails")).into_iter().flatten();
            let mails = files
                .map(|file| file.unwrap().path())
                .filter(|path| path.extension().is_some_and(|extension| extension == "eml"))
                // Decodes quoted-printable as far as links need it.
                .map(|path| std::fs::read_to_string(path).unwrap().replace("=\r\n", "").replace("=3D", "="))
                .filter(|mail| mail.contains(&format!("To: {to}\r\n")));
            link = mails
                .flat_map(|mail| mail.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
                .find(|word| word.starts_with("http") && word.contains(text));
            link.is_some()
        })
        .await;
        link.unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let program = env!("CARGO_BIN_EXE_workscribe");
        let mut command = match self.ignored {
            None => Command::new(program),
            Some(signal) => {
                // The program that replaces the shell also ignores the signal.
                let mut shell = Command::new("/bin/sh");
                shell.args(["-c", &format!("trap '' {signal}; exec \"$0\" \"$@\""), program]);
                shell
            }
        };
        // Nothing of the caller's environment has an effect, such as proxies for HTTP.
        command.env_clear().envs(&self.variables).args(arguments).current_dir(self.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    /// Runs a command until it ends.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Ended {
        let running = self.command(arguments).output();
        let output = tokio::time::timeout(PATIENCE, running).await.expect("it ends").unwrap();
        Ended {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Starts a command and returns while it runs.
    pub(crate) fn start(&self, arguments: &[&str]) -> Process {
        let mut child = self.command(arguments).spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        // Both streams: secrets must not be printed either.
        let (err, out) = (child.stderr.take().unwrap(), child.stdout.take().unwrap());
        let mut lines = BufReader::new(err).lines();
        let into = Arc::clone(&log);
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                *into.lock().unwrap() += &(line + "\n");
            }
        });
        let mut lines = BufReader::new(out).lines();
        let into = Arc::clone(&log);
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                *into.lock().unwrap() += &(line + "\n");
            }
        });
        Process { child, log, _directory: Arc::clone(&self.directory) }
    }

    /// Starts a server and waits until it is ready.
    pub(crate) async fn serve(&self) -> Server {
        self.serve_with(&["serve"]).await
    }

    pub(crate) async fn serve_with(&self, arguments: &[&str]) -> Server {
        let server = self.listening(arguments).await;
        until("the server is ready", async || server.client.get("/readyz").send().await.status == 200).await;
        server
    }

    async fn listening(&self, arguments: &[&str]) -> Server {
        let mut process = self.start(arguments);
        let line = process.line("listening").await;
        Server { client: Client::new(line["at"].as_str().unwrap()), process }
    }
}

/// A command that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A running command. Dropping this kills it.
pub(crate) struct Process {
    child: Child,
    log: Arc<Mutex<String>>,
    _directory: Arc<TempDir>,
}

impl Process {
    /// Everything that it has written so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits for a log entry with this message.
    pub(crate) async fn line(&mut self, message: &str) -> Value {
        let found = |log: String| {
            log.lines()
                .filter_map(|line| serde_json::from_str::<Value>(line).ok())
                .find(|line| line["message"].as_str().is_some_and(|text| text.starts_with(message)))
        };
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let has_ended = self.child.try_wait().unwrap();
            if let Some(line) = found(self.log()) {
                return line;
            }
            assert!(has_ended.is_none(), "it ended before it wrote {message:?}: {}", self.log());
            assert!(tokio::time::Instant::now() < deadline, "no {message:?} in {}", self.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// Sends a signal, such as `TERM`.
    pub(crate) async fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), &pid]).status().await.unwrap();
        assert!(sent.success());
    }

    /// Waits for its end; returns the exit code.
    pub(crate) async fn ended(&mut self) -> Option<i32> {
        let waiting = self.child.wait();
        let status = tokio::time::timeout(PATIENCE, waiting).await;
        status.unwrap_or_else(|_| panic!("it does not end: {}", self.log())).unwrap().code()
    }

    /// Stops it in order and asserts success.
    pub(crate) async fn stop(mut self) -> String {
        self.signal("TERM").await;
        assert_eq!(self.ended().await, Some(0), "{}", self.log());
        // Its last output may still be in the pipe.
        until("it says that it stopped", async || self.log().contains("\"stopped\"")).await;
        self.log()
    }

    /// Kills it, which has the effect of a power failure.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }
}

/// A server that listens.
pub(crate) struct Server {
    pub(crate) client: Client,
    pub(crate) process: Process,
}

/// Waits until a condition is true.
pub(crate) async fn until(what: &str, holds: impl AsyncFnMut() -> bool) {
    until_within(PATIENCE, what, holds).await;
}

/// As [`until`], with another maximum wait.
pub(crate) async fn until_within(patience: Duration, what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + patience;
    while !holds().await {
        assert!(tokio::time::Instant::now() < deadline, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
