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
use poem_openapi::param::Path;
use poem_openapi::payload::PlainText;
use poem_openapi::registry::MetaSchema;
use poem_openapi::{ApiResponse, OpenApi, OpenApiService, Tags as OpenApiTags};
use serde_json::{Value, json as value};
use tokio::time::timeout;
use workscribe_core::Code::{JobFinished, JobNotFound, JobRunning, ValidationFailed};
use workscribe_core::error::Fault;
use workscribe_core::id::JobId;
use workscribe_core::outbox::{self, JobFilter, NewJob};
use workscribe_core::page::Cursor;
use workscribe_core::{Error, VERSION, WorkScribe};

use crate::mount::{HttpOptions, around, methods};
use crate::openapi;
use crate::problem::{ApiResult, codes};
use crate::query::{Asked, Id, PageCursor, PageLimit, Parameter, fault, page, read};
use crate::reply::{NoContent, Reply};
use crate::wire::QueueRef;

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
    let allowed = methods(&document);
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

fn is_name(text: &str) -> bool {
    (1..=NewJob::LONGEST_NAME).contains(&text.chars().count()) && !text.contains('\0')
}

/// The name of a kind or a queue.
struct Called(String);

impl Parameter for Called {
    fn schema() -> MetaSchema {
        MetaSchema::new("string")
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        let fault = Fault::new("OUT_OF_RANGE", "A name has 1 to 100 characters.");
        if is_name(text) { Ok(Self(text.to_owned())) } else { Err(fault) }
    }
}

fn queue_name(text: &str) -> Result<&str, Error> {
    let refusal = || fault("/path/name", "OUT_OF_RANGE", "A name has 1 to 100 characters.");
    if is_name(text) { Ok(text) } else { Err(refusal()) }
}

impl AdminApi {
    /// What the storage tells of the jobs, if it does in time.
    async fn count(&self) -> Option<metrics::Stats> {
        let jobs = self.app.jobs();
        let counted = async {
            Ok::<_, Error>((
                jobs.stats().await?,
                jobs.queues().await?,
                jobs.backlogs(metrics::LARGEST).await?,
            ))
        };
        match timeout(STATS_TIMEOUT, counted).await {
            Ok(Ok(stats)) => Some(stats),
            Ok(Err(error)) => {
                tracing::warn!(?error, "the jobs could not be counted");
                None
            }
            Err(_) => {
                tracing::warn!("the jobs could not be counted in time");
                None
            }
        }
    }
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
        state: Asked<outbox::JobState>,
        /// Only those of this kind.
        kind: Asked<Called>,
        /// Only those of this queue.
        queue: Asked<Called>,
        limit: Asked<PageLimit>,
        cursor: Asked<PageCursor>,
    ) -> ApiResult<Reply<JobList>> {
        let (filter, request) = read(|faults| {
            let state = state.read(faults);
            let (kind, queue) = (kind.read(faults), queue.read(faults));
            let filter = JobFilter { state, kind: kind.map(|name| name.0), queue: queue.map(|name| name.0) };
            (filter, page((limit, cursor, Asked::none()), faults))
        })?;
        let before = request.after().map(|cursor| cursor.id.into());
        let jobs = self.app.jobs().list(&filter, before, request.limit() + 1).await?;
        let page = request.page(jobs, None, |job| Cursor { at: job.created_at, id: job.id.into() });
        Ok(Reply::new(page))
    }

    /// Get a job
    #[oai(path = "/admin/jobs/:job_id", method = "get", operation_id = "getJob", tag = "Tags::Jobs")]
    async fn find(&self, job_id: Path<Id<JobId>>) -> ApiResult<Reply<JobDetails>, { codes(&[JobNotFound]) }> {
        Ok(Reply::new(self.app.jobs().find(job_id.read()?).await?))
    }

    /// Run a job again
    ///
    /// One that has ended, or that waits for a later time, is due now, with at least one attempt more.
    #[oai(path = "/admin/jobs/:job_id/retry", method = "post", operation_id = "retryJob", tag = "Tags::Jobs")]
    async fn retry(
        &self,
        job_id: Path<Id<JobId>>,
    ) -> ApiResult<Reply<JobDetails>, { codes(&[JobNotFound, JobRunning]) }> {
        Ok(Reply::new(self.app.jobs().retry(job_id.read()?).await?))
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
        job_id: Path<Id<JobId>>,
    ) -> ApiResult<Reply<JobDetails>, { codes(&[JobNotFound, JobFinished]) }> {
        Ok(Reply::new(self.app.jobs().cancel(job_id.read()?).await?))
    }

    /// Count the jobs
    ///
    /// By queue, kind and state.
    #[oai(path = "/admin/job-stats", method = "get", operation_id = "getJobStats", tag = "Tags::Jobs")]
    async fn stats(&self) -> ApiResult<Reply<JobStats>> {
        let stats = self.app.jobs().stats().await?;
        Ok(Reply::new(stats))
    }

    /// List the queues
    ///
    /// Those in which there is a job, and those that are paused.
    #[oai(path = "/admin/queues", method = "get", operation_id = "listQueues", tag = "Tags::Jobs")]
    async fn queues(&self) -> ApiResult<Reply<QueueList>> {
        let queues = self.app.jobs().queues().await?;
        Ok(Reply::new(queues))
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
    async fn pause(&self, name: Path<QueueRef>) -> ApiResult<NoContent, { codes(&[ValidationFailed]) }> {
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
    async fn resume(&self, name: Path<QueueRef>) -> ApiResult<NoContent, { codes(&[ValidationFailed]) }> {
        self.app.jobs().resume(queue_name(&name)?).await?;
        Ok(NoContent::Done)
    }

    /// Get the metrics
    ///
    /// Of this process, and of the queue that it shares with others.
    #[oai(path = "/metrics", method = "get", operation_id = "getMetrics", tag = "Tags::Metrics")]
    async fn metrics(&self) -> ApiResult<Metrics> {
        let stats = self.count().await;
        let recorded = self.recorded.as_ref().map(|recorded| recorded()).unwrap_or_default();
        Ok(Metrics::Ok(PlainText(recorded + &metrics::gauges(stats, self.app.now()))))
    }
}
