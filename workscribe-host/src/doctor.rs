//! `workscribe doctor`: reports what is wrong, part by part, and how to correct it.

use std::path::Path;
use std::time::Duration;

use crate::config::{Config, Mail, TokenStoreKind};
use crate::wiring;

/// A part that does not respond for this long is wrong. Container health checks wait 10 s in all.
const PATIENCE: Duration = Duration::from_secs(5);

/// Checks every part and prints a line for each. Returns whether all parts are right. `deep` also compares stored counts with the
/// rows that they count, for which it reads whole tables.
pub(crate) async fn examine(config: &Config, deep: bool) -> bool {
    let configuration = Ok(environment(config));
    let (database, jobs, redis, mail) = tokio::join!(
        patiently(database(config)),
        patiently(jobs(config)),
        patiently(redis(config)),
        patiently(mail(config))
    );
    let mut parts =
        vec![("configuration", configuration), ("database", database), ("redis", redis), ("mail", mail)];
    // If the jobs cannot be read, the part of the database reports why.
    if let Ok(jobs) = jobs {
        parts.push(("jobs", Ok(jobs)));
    }
    if deep {
        parts.push(("stored counts", counts(config).await));
    }
    for (part, found) in &parts {
        say(part, found);
    }
    parts.iter().all(|(_, found)| found.is_ok())
}

async fn patiently(looking: impl Future<Output = Result<String, String>>) -> Result<String, String> {
    let late = || Err(format!("does not answer within {} s", PATIENCE.as_secs()));
    tokio::time::timeout(PATIENCE, looking).await.unwrap_or_else(|_| late())
}

/// Prints the result of a part.
#[expect(clippy::print_stdout, reason = "the report is what the command is for")]
pub(crate) fn say(part: &str, found: &Result<String, String>) {
    match found {
        Ok(text) => println!("ok    {part}: {text}"),
        Err(text) => println!("WRONG {part}: {text}"),
    }
}

fn environment(config: &Config) -> String {
    let mut notes = vec![if config.production { "production" } else { "development" }.to_owned()];
    if config.production && config.public_url.starts_with("http://") {
        notes.push(
            "links in mails begin with http://, set WORKSCRIBE_PUBLIC_URL to an https:// address".into(),
        );
    }
    if config.limits.are_lifted() {
        notes
            .push("requests are not limited, remove WORKSCRIBE_RATE_LIMITS=off except for load tests".into());
    }
    notes.join("; ")
}

async fn database(config: &Config) -> Result<String, String> {
    if let Some(file) = config.sqlite_file()
        && !file.exists()
    {
        return Ok(format!("{} is missing; `workscribe serve` or `migrate` creates it", file.display()));
    }
    let connecting = workscribe_sql::connect(config.database_url.expose(), &config.database);
    let database = connecting.await.map_err(|error| format!("cannot be reached: {}", chain(&error)))?;
    let pending =
        database.pending_migrations().await.map_err(|error| format!("cannot be read: {}", chain(&error)))?;
    if !pending.is_empty() {
        return Err(format!("migrations are pending ({}); run `workscribe migrate`", pending.join(", ")));
    }
    Ok("reached, and its schema is up to date".into())
}

/// The organizations with many waiting jobs. This is no fault of the installation, so it is only reported.
async fn jobs(config: &Config) -> Result<String, String> {
    const MANY: i64 = 100;
    if config.sqlite_file().is_some_and(|file| !file.exists()) {
        return Err("there are none yet".into());
    }
    let connecting = workscribe_sql::connect(config.database_url.expose(), &config.database);
    let database = connecting.await.map_err(|error| chain(&error))?;
    let mut uow = database.storage().read().await.map_err(|error| chain(&error))?;
    let mut backlogs = uow.jobs().backlogs(10).await.map_err(|error| chain(&error))?;
    backlogs.retain(|of| of.waiting >= MANY);
    let told: Vec<String> = backlogs
        .iter()
        .map(|of| {
            format!(
                "organization {} has {} waiting in {}, {} snoozed",
                of.org, of.waiting, of.queue, of.snoozed
            )
        })
        .collect();
    Ok(if told.is_empty() { format!("no organization has {MANY} waiting") } else { told.join("; ") })
}

/// The time depends on the size of the tables.
async fn counts(config: &Config) -> Result<String, String> {
    if config.sqlite_file().is_some_and(|file| !file.exists()) {
        return Ok("there are none yet".into());
    }
    let connecting = workscribe_sql::connect(config.database_url.expose(), &config.database);
    let database = connecting.await.map_err(|error| format!("cannot be compared: {}", chain(&error)))?;
    let found = database.differences().await;
    match found.map_err(|error| format!("cannot be compared: {}", chain(&error)))?.as_slice() {
        [] => Ok("all match the rows".into()),
        found => Err(format!(
            "{}: a fault of the program, please report it; an export and an import correct it",
            found.join(", ")
        )),
    }
}

async fn redis(config: &Config) -> Result<String, String> {
    let Some(redis) = wiring::redis(config).map_err(|error| error.to_string())? else {
        return Ok("not used".into());
    };
    redis.ping().await.map_err(|error| format!("does not answer: {}", chain(&error)))?;
    Ok(match config.token_store {
        TokenStoreKind::Database => "answers; it counts the limits and wakes the workers",
        TokenStoreKind::Redis => "answers; it also keeps the sessions and mailed tokens",
    }
    .into())
}

async fn mail(config: &Config) -> Result<String, String> {
    wiring::registry(config).map_err(|error| error.to_string())?;
    match &config.mail {
        Mail::Log => Ok("goes to the log".into()),
        Mail::Folder(folder) => {
            writable(folder).map_err(|error| format!("{} cannot be used: {error}", folder.display()))?;
            Ok(format!("goes to the folder {}", folder.display()))
        }
        Mail::Smtp(url) => {
            let mailer = workscribe_jobs::mail::SmtpMailer::from_url(url.expose(), &config.mail_from);
            let mailer = mailer.map_err(|error| error.to_string())?;
            mailer.check().await.map_err(|error| format!("the SMTP server does not take mail: {error}"))?;
            Ok("the SMTP server answers".into())
        }
        Mail::Resend { url, .. } => {
            let client = reqwest::Client::builder().timeout(Duration::from_secs(5)).build();
            let client = client.map_err(|error| error.to_string())?;
            client
                .head(url)
                .send()
                .await
                .map_err(|error| format!("Resend cannot be reached: {}", error.without_url()))?;
            Ok("Resend can be reached; the first mail shows whether it accepts the key".into())
        }
    }
}

/// Creates the folder, and a file in it that is removed again.
fn writable(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let file = folder.join(format!(".doctor-{}.tmp", std::process::id()));
    std::fs::write(&file, "")?;
    std::fs::remove_file(&file)
}

/// An error and its causes in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
