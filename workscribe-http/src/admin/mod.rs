//! The operators' API: jobs, queues and metrics. It belongs to the installation and knows no tenants, so it is no part of
//! [`all`](crate::all()) and its document, but an endpoint of its own, for a listener of its own, behind a token.
//!
//! | file | what |
//! |---|---|
//! | `mod.rs` | [`mount_admin`] and the operations |
//! | `dto.rs` | jobs, queues and counts as they are answered |
//! | `gate.rs` | [`AdminToken`]: whoever has it may do everything here |
//! | `metrics.rs` | the queue in the text format of Prometheus |

mod dto;
mod gate;
mod metrics;

use std::sync::Arc;
use std::time::Duration;

use poem::endpoint::{BoxEndpoint, make_sync};
use poem::{EndpointExt as _, IntoEndpoint as _, Response, Route, get};
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::PlainText;
use poem_openapi::{ApiResponse, OpenApi, OpenApiService, Tags as OpenApiTags};
use serde_json::{Value, json as value};
use tokio::time::timeout;
use workscribe_core::id::JobId;
use workscribe_core::outbox::{self, JobFilter, NewJob};
use workscribe_core::page::Cursor;
use workscribe_core::{Code, Error, VERSION, WorkScribe};

use crate::mount::{HttpOptions, around};
use crate::openapi;
use crate::problem::ApiResult;
use crate::query::{Text, choice, fault, page, read};
use crate::reply::{NoContent, Reply};

pub use dto::*;
pub use gate::AdminToken;
use gate::Gate;

/// A scrape that takes longer than this goes without the numbers of the storage. Prometheus waits 10 s.
const STATS_TIMEOUT: Duration = Duration::from_secs(5);

const DESCRIPTION: &str = "For the operators of a WorkScribe server: its jobs and queues, and its metrics. Every refusal is a problem \
     document (RFC 9457) with a stable `code`.";

/// What the process's metrics recorder has recorded, in the text format of Prometheus.
pub type Recorded = Arc<dyn Fn() -> String + Send + Sync>;

/// Makes the operators' API: `/admin/…`, with its document at `/admin/openapi.json`, and `/metrics`.
///
/// Every request needs `Authorization: Bearer <token>`; any other, whatever its path, is answered with 401. Serve it where only
/// operators come: payloads of jobs may name people, and nothing is limited. `/metrics` answers what `recorded` gives, and
/// gauges of the queue, for which it counts all jobs: scrape it every 15 s rather than every second.
pub fn mount_admin(
    app: &WorkScribe,
    token: AdminToken,
    recorded: Option<Recorded>,
) -> BoxEndpoint<'static, Response> {
    let service = OpenApiService::new(AdminApi { app: app.clone(), recorded }, "WorkScribe admin", VERSION);
    let document = document(app, &service.spec());
    let allowed = openapi::methods(&document);
    let json: Arc<str> = document.to_string().into();
    let answer = move |_| Response::builder().content_type("application/json").body(json.to_string());
    let next =
        Route::new().at("/admin/openapi.json", get(make_sync(answer))).nest("/", service.into_endpoint());
    around(app, Gate { token, next }.boxed(), allowed, &HttpOptions::default())
}

/// The gate asks for the token before any operation is reached; here it is told of each.
fn document(app: &WorkScribe, derived: &str) -> Value {
    let mut document: Value = serde_json::from_str(derived).unwrap_or_default();
    for path in document["paths"].as_object_mut().into_iter().flat_map(|paths| paths.values_mut()) {
        for operation in path.as_object_mut().into_iter().flat_map(|methods| methods.values_mut()) {
            operation["security"] = value!([{"bearer": []}]);
        }
    }
    let mut document = openapi::finish(document, app.settings().registration);
    document["info"]["description"] = value!(DESCRIPTION);
    document["components"]["securitySchemes"]["bearer"] =
        value!({"type": "http", "scheme": "bearer", "description": "The operator's token."});
    document
}

/// The sections of the document.
#[derive(OpenApiTags)]
enum Tags {
    /// Jobs and their queues.
    Jobs,
    /// What can be measured.
    Metrics,
}

/// 200 with metrics.
#[derive(ApiResponse)]
enum Metrics {
    /// In the text format of Prometheus.
    #[oai(status = 200, content_type = "text/plain; version=0.0.4; charset=utf-8")]
    Ok(PlainText<String>),
}

struct AdminApi {
    app: WorkScribe,
    recorded: Option<Recorded>,
}

/// A text that is no id is the id of no job.
fn job_id(text: &str) -> Result<JobId, Error> {
    text.parse().map_err(|_| Error::new(Code::JobNotFound, "There is no job with this id."))
}

fn is_name(text: &str) -> bool {
    (1..=NewJob::LONGEST_NAME).contains(&text.chars().count()) && !text.contains('\0')
}

/// The name of a kind or a queue.
fn name(parameter: &str, text: Text) -> Result<Option<String>, Error> {
    let message = "A name has 1 to 100 characters.";
    read(parameter, text, "OUT_OF_RANGE", message, |text| is_name(text).then(|| text.to_owned()))
}

fn queue_name(text: &str) -> Result<&str, Error> {
    let refusal = || fault("/path/name", "OUT_OF_RANGE", "A name has 1 to 100 characters.");
    if is_name(text) { Ok(text) } else { Err(refusal()) }
}

#[OpenApi]
impl AdminApi {
    /// List jobs
    ///
    /// The newest first. Those that are done are kept for a day, those that are buried for seven.
    #[oai(path = "/admin/jobs", method = "get", operation_id = "listJobs", tag = "Tags::Jobs")]
    async fn list(
        &self,
        /// Only those in this state.
        state: Query<Option<String>>,
        /// Only those of this kind.
        kind: Query<Option<String>>,
        /// Only those of this queue.
        queue: Query<Option<String>>,
        /// Items on a page: 1–100, 25 unless given.
        limit: Query<Option<String>>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> ApiResult<Reply<JobList>> {
        let names = outbox::JobState::ALL.map(outbox::JobState::as_str);
        let filter = JobFilter {
            state: choice("state", state, &names, outbox::JobState::parse)?,
            kind: name("kind", kind)?,
            queue: name("queue", queue)?,
        };
        let request = page(limit, cursor, Query(None))?;
        let before = request.after().map(|cursor| cursor.id.into());
        let jobs = self.app.jobs().list(&filter, before, request.limit() + 1).await?;
        let page = request.page(jobs, None, |job| Cursor { at: job.created_at, id: job.id.into() });
        let jobs = page.items.into_iter().map(Job::from).collect();
        Ok(Reply::new(JobList { jobs, next_cursor: page.next_cursor }))
    }

    /// Get a job
    #[oai(path = "/admin/jobs/:job_id", method = "get", operation_id = "getJob", tag = "Tags::Jobs")]
    async fn find(
        &self,
        /// The job's id.
        job_id: Path<String>,
    ) -> ApiResult<Reply<JobDetails>> {
        Ok(Reply::new(self.app.jobs().find(self::job_id(&job_id)?).await?.into()))
    }

    /// Run a job again
    ///
    /// One that has ended, or that waits for a later time, is due now, with at least one attempt more.
    #[oai(path = "/admin/jobs/:job_id/retry", method = "post", operation_id = "retryJob", tag = "Tags::Jobs")]
    async fn retry(
        &self,
        /// The job's id.
        job_id: Path<String>,
    ) -> ApiResult<Reply<JobDetails>> {
        Ok(Reply::new(self.app.jobs().retry(self::job_id(&job_id)?).await?.into()))
    }

    /// Cancel a job
    ///
    /// One that waits ends at once. Of one that runs it is asked, and its worker stops it within seconds.
    #[oai(
        path = "/admin/jobs/:job_id/cancel",
        method = "post",
        operation_id = "cancelJob",
        tag = "Tags::Jobs"
    )]
    async fn cancel(
        &self,
        /// The job's id.
        job_id: Path<String>,
    ) -> ApiResult<Reply<JobDetails>> {
        Ok(Reply::new(self.app.jobs().cancel(self::job_id(&job_id)?).await?.into()))
    }

    /// Count the jobs
    ///
    /// By queue, kind and state.
    #[oai(path = "/admin/job-stats", method = "get", operation_id = "getJobStats", tag = "Tags::Jobs")]
    async fn stats(&self) -> ApiResult<Reply<JobStats>> {
        let stats = self.app.jobs().stats().await?;
        Ok(Reply::new(JobStats { kinds: stats.into_iter().map(KindStats::from).collect() }))
    }

    /// List the queues
    ///
    /// Those in which there is a job, and those that are paused.
    #[oai(path = "/admin/queues", method = "get", operation_id = "listQueues", tag = "Tags::Jobs")]
    async fn queues(&self) -> ApiResult<Reply<QueueList>> {
        let queues = self.app.jobs().queues().await?;
        Ok(Reply::new(QueueList { queues: queues.into_iter().map(Queue::from).collect() }))
    }

    /// Pause a queue
    ///
    /// No worker takes anything from it, on any server; what runs goes on. Jobs may be added still.
    #[oai(
        path = "/admin/queues/:name/pause",
        method = "post",
        operation_id = "pauseQueue",
        tag = "Tags::Jobs"
    )]
    async fn pause(
        &self,
        /// The queue's name.
        name: Path<String>,
    ) -> ApiResult<NoContent> {
        self.app.jobs().pause(queue_name(&name)?).await?;
        Ok(NoContent::Done)
    }

    /// Resume a queue
    ///
    /// One that is not paused stays as it is.
    #[oai(
        path = "/admin/queues/:name/resume",
        method = "post",
        operation_id = "resumeQueue",
        tag = "Tags::Jobs"
    )]
    async fn resume(
        &self,
        /// The queue's name.
        name: Path<String>,
    ) -> ApiResult<NoContent> {
        self.app.jobs().resume(queue_name(&name)?).await?;
        Ok(NoContent::Done)
    }

    /// Get the metrics
    ///
    /// Of this process, and of the queue that it shares with others.
    #[oai(path = "/metrics", method = "get", operation_id = "getMetrics", tag = "Tags::Metrics")]
    async fn metrics(&self) -> Metrics {
        let jobs = self.app.jobs();
        let counted = async {
            Ok::<_, Error>((
                jobs.stats().await?,
                jobs.queues().await?,
                jobs.backlogs(metrics::LARGEST).await?,
            ))
        };
        let stats = match timeout(STATS_TIMEOUT, counted).await {
            Ok(Ok(stats)) => Some(stats),
            Ok(Err(error)) => {
                tracing::warn!(?error, "the jobs could not be counted");
                None
            }
            Err(_) => {
                tracing::warn!("the jobs could not be counted in time");
                None
            }
        };
        let recorded = self.recorded.as_ref().map(|recorded| recorded()).unwrap_or_default();
        Metrics::Ok(PlainText(recorded + &metrics::gauges(stats, self.app.now())))
    }
}
