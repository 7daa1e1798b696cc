//! `workscribe jobs`: an operator's view of the queue, and commands for it.

use std::fmt::Write as _;
use std::io::{ErrorKind, Write as _};

use clap::{Args, Subcommand, builder::RangedU64ValueParser};
use serde_json::{Value, json};
use workscribe_core::WorkScribe;
use workscribe_core::clock::Timestamp;
use workscribe_core::id::JobId;
use workscribe_core::outbox::{JobFilter, JobRecord, JobState, KindCounts, NewJob, QueueState};
use workscribe_http::admin::{self, Job, JobDetails, KindStats, Queue};

use crate::AnyError;

/// The maximum length of an error in a table, in characters.
const ERROR_CHARS: usize = 60;

/// The commands of `workscribe jobs`.
#[derive(Debug, Subcommand)]
pub(crate) enum JobsCommand {
    /// List jobs, newest first.
    List(ListArgs),
    /// Show all of a job as JSON, including the input of its handler, which may name people.
    Show {
        /// The job's id.
        id: JobId,
    },
    /// Run jobs again that have ended, or run jobs now that wait for a later time.
    Retry {
        /// The ids of the jobs.
        #[arg(required = true)]
        ids: Vec<JobId>,
    },
    /// Cancel jobs: waiting jobs at once, running jobs within seconds.
    Cancel {
        /// The ids of the jobs.
        #[arg(required = true)]
        ids: Vec<JobId>,
    },
    /// Let no worker on any server claim jobs of a queue; running jobs continue.
    Pause {
        /// The queue's name.
        #[arg(value_parser = name)]
        queue: String,
    },
    /// End the pause of a queue.
    Resume {
        /// The queue's name.
        #[arg(value_parser = name)]
        queue: String,
    },
    /// Count the jobs by queue, kind and state, and show which queues are paused.
    Stats {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

/// The filter of `workscribe jobs list`.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Only jobs in this state: available, running, completed, cancelled or buried.
    #[arg(long, value_parser = state)]
    state: Option<JobState>,
    /// Only jobs of this kind.
    #[arg(long, value_parser = name)]
    kind: Option<String>,
    /// Only jobs of this queue.
    #[arg(long, value_parser = name)]
    queue: Option<String>,
    /// The maximum number of jobs: 1–1000.
    #[arg(long, default_value_t = 25, value_parser = RangedU64ValueParser::<u32>::new().range(1..=1_000))]
    limit: u32,
    /// Only jobs that were enqueued before the job with this id.
    #[arg(long, value_name = "ID")]
    before: Option<JobId>,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

fn state(text: &str) -> Result<JobState, String> {
    let names = JobState::ALL.map(JobState::as_str).join(", ");
    JobState::parse(text).ok_or_else(|| format!("use one of: {names}"))
}

fn name(text: &str) -> Result<String, &'static str> {
    let is_name = (1..=NewJob::LONGEST_NAME).contains(&text.chars().count());
    is_name.then(|| text.to_owned()).ok_or("a name has 1 to 100 characters")
}

/// Runs a command and prints its result.
pub(crate) async fn run(app: &WorkScribe, command: JobsCommand) -> Result<(), AnyError> {
    let jobs = app.jobs();
    match command {
        JobsCommand::List(args) => list(app, args).await,
        JobsCommand::Show { id } => print(&pretty(&admin::json(&JobDetails::from(jobs.find(id).await?)))?),
        JobsCommand::Retry { ids } => {
            each(&ids, async |id| {
                jobs.retry(id).await?;
                Ok("runs again as soon as a worker is free")
            })
            .await
        }
        JobsCommand::Cancel { ids } => {
            each(&ids, async |id| {
                let is_running = jobs.cancel(id).await?.state == JobState::Running;
                Ok(if is_running { "stops within seconds" } else { "is cancelled" })
            })
            .await
        }
        JobsCommand::Pause { queue } => {
            jobs.pause(&queue).await?;
            print(&format!("“{}” is paused: no worker takes anything from it.\n", plain(&queue)))
        }
        JobsCommand::Resume { queue } => {
            jobs.resume(&queue).await?;
            print(&format!("“{}” is not paused: workers take jobs from it.\n", plain(&queue)))
        }
        JobsCommand::Stats { json } => {
            let (kinds, queues) = (jobs.stats().await?, jobs.queues().await?);
            if json {
                let kinds: Vec<Value> =
                    kinds.into_iter().map(|kind| admin::json(&KindStats::from(kind))).collect();
                let queues: Vec<Value> =
                    queues.into_iter().map(|queue| admin::json(&Queue::from(queue))).collect();
                return print(&pretty(&json!({"kinds": kinds, "queues": queues}))?);
            }
            print(&stats_table(&kinds, &queues, app.now()))
        }
    }
}

async fn list(app: &WorkScribe, args: ListArgs) -> Result<(), AnyError> {
    let filter = JobFilter { state: args.state, kind: args.kind, queue: args.queue };
    // One more than is shown, to know whether there are more.
    let mut jobs = app.jobs().list(&filter, args.before, args.limit + 1).await?;
    let has_more = jobs.len() > args.limit as usize;
    jobs.truncate(args.limit as usize);
    if args.json {
        let jobs: Vec<Value> = jobs.into_iter().map(|job| admin::json(&Job::from(job))).collect();
        return print(&pretty(&Value::Array(jobs))?);
    }
    let mut text = job_table(&jobs);
    if let Some(last) = jobs.last().filter(|_| has_more) {
        text.push_str(&format!("There are more: --before {}\n", last.id));
    }
    print(&text)
}

/// Runs an action for every job, also after an error, and fails if any action failed.
async fn each(
    ids: &[JobId],
    act: impl AsyncFn(JobId) -> Result<&'static str, workscribe_core::Error>,
) -> Result<(), AnyError> {
    let mut refusals = Vec::new();
    for id in ids {
        match act(*id).await {
            Ok(outcome) => print(&format!("{id} {outcome}.\n"))?,
            Err(error) => refusals.push((id, error)),
        }
    }
    if ids.len() == 1
        && let Some((_, error)) = refusals.pop()
    {
        return Err(error.into());
    }
    if refusals.is_empty() {
        return Ok(());
    }
    let refusals: Vec<String> = refusals.iter().map(|(id, error)| format!("{id}: {error}")).collect();
    Err(refusals.join("; ").into())
}

fn job_table(jobs: &[JobRecord]) -> String {
    if jobs.is_empty() {
        return "There are no such jobs.\n".to_owned();
    }
    let rows = jobs.iter().map(|job| {
        let error = plain(job.last_error.as_deref().unwrap_or_default());
        let is_long = error.chars().count() > ERROR_CHARS;
        let error = error.chars().take(ERROR_CHARS).chain(is_long.then_some('…')).collect();
        let state = if job.cancel_requested { "to be cancelled" } else { job.state.as_str() };
        let attempts = format!("{}/{}", job.attempt, job.max_attempts);
        [
            job.id.to_string(),
            plain(&job.queue),
            plain(&job.kind),
            state.to_owned(),
            attempts,
            time(job.run_at),
            error,
        ]
    });
    table(["ID", "QUEUE", "KIND", "STATE", "ATTEMPTS", "RUN AT", "LAST ERROR"], rows.collect())
}

fn stats_table(kinds: &[KindCounts], queues: &[QueueState], now: Timestamp) -> String {
    let mut text = if kinds.is_empty() {
        "There are no jobs.\n".to_owned()
    } else {
        let rows = kinds.iter().map(|kind| {
            let mut counts = kind.counts;
            let [available, running, completed, cancelled, buried] =
                JobState::ALL.map(|state| counts.of(state).to_string());
            let oldest =
                kind.oldest_due.map_or_else(|| "-".to_owned(), |due| span((now - due).num_seconds()));
            [plain(&kind.queue), plain(&kind.kind), available, running, completed, cancelled, buried, oldest]
        });
        let heads =
            ["QUEUE", "KIND", "AVAILABLE", "RUNNING", "COMPLETED", "CANCELLED", "BURIED", "OLDEST DUE FOR"];
        table(heads, rows.collect())
    };
    for queue in queues {
        if let Some(since) = queue.paused_at {
            text.push_str(&format!("“{}” is paused since {}.\n", plain(&queue.name), time(since)));
        }
    }
    text
}

/// A table whose columns are as wide as their content; the last one is not padded.
fn table<const N: usize>(heads: [&str; N], rows: Vec<[String; N]>) -> String {
    let rows: Vec<[String; N]> = std::iter::once(heads.map(str::to_owned)).chain(rows).collect();
    let widths: [usize; N] = std::array::from_fn(|column| {
        rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
    });
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            // Writing to a `String` does not fail.
            let _ = write!(line, "{cell:width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A text without control characters, which could change the terminal.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn time(time: Timestamp) -> String {
    time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A number of seconds in its largest whole unit.
fn span(seconds: i64) -> String {
    match seconds.max(0) {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds @ 60..3_600 => format!("{} min", seconds / 60),
        seconds @ 3_600..86_400 => format!("{} h", seconds / 3_600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

fn pretty(value: &Value) -> Result<String, AnyError> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}

/// Prints. The reader may close the pipe before the end, as `head` does.
fn print(text: &str) -> Result<(), AnyError> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use workscribe_core::outbox::JobCounts;

    use super::*;

    #[test]
    fn a_table_lines_up_and_says_which_queues_are_paused() {
        let at = |seconds| Timestamp::from_timestamp(seconds, 0).unwrap();
        let kind = |queue: &str, available, oldest_due| KindCounts {
            queue: queue.to_owned(),
            kind: "report".to_owned(),
            counts: JobCounts { available, ..JobCounts::default() },
            oldest_due,
        };
        let kinds = [kind("default", 1_000, Some(at(0))), kind("re\u{1b}[2Jd", 0, None)];
        let queues = [
            QueueState { name: "default".to_owned(), paused_at: Some(at(60)) },
            QueueState { name: "red".to_owned(), paused_at: None },
        ];
        let text = stats_table(&kinds, &queues, at(150));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines,
            [
                "QUEUE    KIND    AVAILABLE  RUNNING  COMPLETED  CANCELLED  BURIED  OLDEST DUE FOR",
                "default  report  1000       0        0          0          0       2 min",
                "re [2Jd  report  0          0        0          0          0       -",
                "“default” is paused since 1970-01-01T00:01:00Z.",
            ]
        );
        assert_eq!(stats_table(&[], &[], at(0)), "There are no jobs.\n");
    }

    #[test]
    fn a_span_is_in_its_largest_whole_unit() {
        let spans = [-5, 59, 60, 3_600, 90_000].map(span);
        assert_eq!(spans, ["0 s", "59 s", "1 min", "1 h", "1 d"]);
    }
}
