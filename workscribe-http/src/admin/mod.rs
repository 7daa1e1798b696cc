//! The operators' API: jobs, queues and metrics. It belongs to the installation and knows no tenants. So it is not part of
//! [`all`](crate::all()) and its document, but has its own endpoint, for a listener of its own, behind a token.
//!
//! | file | what |
//! |---|---|
//! | `mod.rs` | [`mount_admin`], the operations, and the responses with jobs, queues and counts |
//! | `gate.rs` | [`AdminToken`], which gives access to everything here |
//! | `metrics.rs` | the metrics of the queues in the text format of Prometheus |

mod gate;
mod metrics;

use std::sync::Arc;
use std::time::Duration;

use poem::endpoint::{BoxEndpoint, make_sync};
use poem::{EndpointExt as _, IntoEndpoint as _, Response, Route, get};
use poem_openapi::param::Path;
use poem_openapi::payload::PlainText;
use poem_openapi::registry::MetaSchema;
use poem_openapi::{ApiResponse, Object, OpenApi, OpenApiService, Tags as OpenApiTags};
use serde::Serialize;
use serde_json::{Value, json as value};
use tokio::time::timeout;
use uuid::Uuid;
use workscribe_core::Code::{JobFinished, JobNotFound, JobRunning, ValidationFailed};
use workscribe_core::error::Fault;
use workscribe_core::id::JobId;
use workscribe_core::outbox::{self, JobFilter, JobRecord, KindCounts, NewJob, QueueState};
use workscribe_core::page::{Cursor, Page, PageRequest};
use workscribe_core::{Error, VERSION, WorkScribe};

use crate::dto::{answers, params};
use crate::field::Nullable;
use crate::mount::{HttpOptions, around, methods};
use crate::openapi;
use crate::paging::{PageCursor, PageLimit, page};
use crate::problem::{ApiResult, codes};
use crate::query::{Asked, Id, Parameter, fault};
use crate::reply::{NoContent, Reply};
use crate::time::Time;
use crate::wire::{QueueName, QueueRef, named};

pub use gate::AdminToken;
use gate::Gate;

/// If the storage needs longer than this, the response has no numbers of jobs. Prometheus waits 10 s.
const STATS_TIMEOUT: Duration = Duration::from_secs(5);

const DESCRIPTION: &str = "Jobs, queues and metrics, for the operators of a WorkScribe server. Every refusal is a problem document \
     (RFC 9457) with a stable `code`.";

/// Returns what the process's metrics recorder has recorded, in the text format of Prometheus.
pub type Recorded = Arc<dyn Fn() -> String + Send + Sync>;

/// Makes the operators' API: `/admin/…` with its document at `/admin/openapi.json`, and `/metrics`.
///
/// Every request needs `Authorization: Bearer <token>`; any other request, to any path, gets a 401. Serve it where only operators
/// have access: payloads of jobs may name people, and no rate limits apply. `/metrics` returns the result of `recorded` and gauges
/// of the queues, for which it counts all jobs: scrape it every 15 s rather than every second.
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

/// The gate checks the token before any operation, so the operations do not declare it. This adds it to each in the document.
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
    /// The metrics of this process and of the queues.
    Metrics,
}

/// 200 with metrics.
#[derive(ApiResponse)]
enum Metrics {
    /// The metrics, in the text format of Prometheus.
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

/// The name of a kind or of a queue.
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
    /// The numbers of jobs; `None` when the storage does not return them in time.
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
    /// Returns jobs, newest first. Completed and cancelled jobs are kept for one day, buried jobs for seven days.
    #[oai(path = "/admin/jobs", method = "get", operation_id = "listJobs", tag = "Tags::Jobs")]
    async fn list(&self, asked: Asked<JobQuery>) -> ApiResult<Reply<JobList>> {
        let (filter, request) = asked.0;
        let before = request.after().map(|cursor| cursor.id.into());
        let jobs = self.app.jobs().list(&filter, before, request.limit() + 1).await?;
        let page = request.page(jobs, None, |job| Cursor { at: job.created_at, id: job.id.into() });
        Ok(Reply::new(page))
    }

    /// Get a job
    ///
    /// Returns the job with its payload and its last error.
    #[oai(path = "/admin/jobs/:job_id", method = "get", operation_id = "getJob", tag = "Tags::Jobs")]
    async fn find(&self, job_id: Path<Id<JobId>>) -> ApiResult<Reply<JobDetails>, { codes(&[JobNotFound]) }> {
        Ok(Reply::new(self.app.jobs().find(job_id.read()?).await?))
    }

    /// Retry a job
    ///
    /// Makes a job that has ended, or that waits for a later time, due now. It gets at least one more attempt.
    #[oai(path = "/admin/jobs/:job_id/retry", method = "post", operation_id = "retryJob", tag = "Tags::Jobs")]
    async fn retry(
        &self,
        job_id: Path<Id<JobId>>,
    ) -> ApiResult<Reply<JobDetails>, { codes(&[JobNotFound, JobRunning]) }> {
        Ok(Reply::new(self.app.jobs().retry(job_id.read()?).await?))
    }

    /// Cancel a job
    ///
    /// A waiting job is cancelled at once. A running job is asked to stop, and its worker stops it within seconds.
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
    /// Returns the number of jobs by queue, kind and state. Use it to find a queue that falls behind, or jobs that were buried.
    #[oai(path = "/admin/job-stats", method = "get", operation_id = "getJobStats", tag = "Tags::Jobs")]
    async fn stats(&self) -> ApiResult<Reply<JobStats>> {
        let stats = self.app.jobs().stats().await?;
        Ok(Reply::new(stats))
    }

    /// List the queues
    ///
    /// Returns the queues that have a job, and the queues that are paused.
    #[oai(path = "/admin/queues", method = "get", operation_id = "listQueues", tag = "Tags::Jobs")]
    async fn queues(&self) -> ApiResult<Reply<QueueList>> {
        let queues = self.app.jobs().queues().await?;
        Ok(Reply::new(queues))
    }

    /// Pause a queue
    ///
    /// No worker on any server claims jobs from a paused queue. Running jobs continue, and new jobs can be enqueued.
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
    /// Workers claim jobs from the queue again. It is no error when the queue is not paused.
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
    /// Returns the metrics of this process, and gauges of the queues that it shares with other processes.
    #[oai(path = "/metrics", method = "get", operation_id = "getMetrics", tag = "Tags::Metrics")]
    async fn metrics(&self) -> ApiResult<Metrics> {
        let stats = self.count().await;
        let recorded = self.recorded.as_ref().map(|recorded| recorded()).unwrap_or_default();
        Ok(Metrics::Ok(PlainText(recorded + &metrics::gauges(stats, self.app.now()))))
    }
}

params! {
    /// Which jobs to list.
    JobQuery(faults) {
        /// Only jobs in this state.
        state: outbox::JobState,
        /// Only jobs of this kind.
        kind: Called,
        /// Only jobs in this queue.
        queue: Called,
        limit: PageLimit,
        cursor: PageCursor,
    } => (JobFilter, PageRequest) = {
        let filter = JobFilter { state, kind: kind.map(|name| name.0), queue: queue.map(|name| name.0) };
        (filter, page(limit, cursor, None, faults))
    };
}

named! {
    /// The state of a job.
    JobState = outbox::JobState;
}

answers! {
    /// A job.
    Job of job: JobRecord {
        /// The id of the job.
        id: Uuid,
        /// The name of its kind.
        kind: String,
        /// The name of its queue.
        queue: String,
        /// The priority in its queue, from 1 (first) to 4 (last).
        priority: i64 = job.priority.number(),
        /// The state of the job.
        state: JobState,
        /// How many attempts have begun.
        attempt: i64,
        /// The job is buried when this many attempts have failed.
        max_attempts: i64,
        /// How long one attempt may take, in milliseconds; null for no limit.
        timeout_ms: Nullable<i64> =
            job.timeout.map(|timeout| i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX)),
        /// The unique key that the job holds now. No other job can have it meanwhile.
        unique_key: Nullable<String>,
        /// Whether an operator asks to cancel the job while it runs.
        cancel_requested: bool,
        /// The job is not due before this time.
        run_at: Time,
        /// The worker that claimed the job last.
        worker: Nullable<String>,
        /// When its last attempt began.
        claimed_at: Nullable<Time>,
        /// When the lease expires, unless the worker extends it.
        lease_until: Nullable<Time>,
        /// Why its last failed attempt failed.
        last_error: Nullable<String>,
        /// When the job was enqueued.
        created_at: Time,
        /// When the job was completed, cancelled or buried.
        finished_at: Nullable<Time>,
    }
}

/// A job with the input of its handler.
#[derive(Object, Serialize)]
pub struct JobDetails {
    /// The job.
    #[oai(flatten)]
    #[serde(flatten)]
    pub job: Job,
    /// The input of the handler. It may name people.
    pub payload: Value,
}

impl From<JobRecord> for JobDetails {
    fn from(mut job: JobRecord) -> Self {
        let payload = job.payload.take();
        Self { job: job.into(), payload }
    }
}

answers! {
    /// A page of jobs, newest first.
    JobList of page: Page<JobRecord> {
        /// The jobs, without their payloads.
        jobs: Vec<Job> = page.items.into_iter().map(Job::from).collect::<Vec<_>>(),
        /// The `cursor` for the next page; null on the last page.
        next_cursor: Nullable<String>,
    }
}

answers! {
    /// The counts of one kind of job in one queue.
    KindStats of counts: KindCounts {
        /// The queue.
        queue: String,
        /// The kind.
        kind: String,
        /// Waiting, for a worker or for a later time.
        available: i64 = counts.counts.available,
        /// Claimed by a worker.
        running: i64 = counts.counts.running,
        /// Completed, within the last day.
        completed: i64 = counts.counts.completed,
        /// Cancelled by an operator, within the last day.
        cancelled: i64 = counts.counts.cancelled,
        /// Failed for good, within the last seven days.
        buried: i64 = counts.counts.buried,
        /// When the oldest of the due jobs became due; null when no job is due.
        oldest_due: Nullable<Time>,
    }
}

answers! {
    /// The number of jobs.
    JobStats of kinds: Vec<KindCounts> {
        /// The counts, by queue and kind.
        kinds: Vec<KindStats> = kinds.into_iter().map(KindStats::from).collect::<Vec<_>>(),
    }
}

answers! {
    /// A queue.
    Queue of queue: QueueState {
        /// The name of the queue.
        name: QueueName,
        /// When the queue was paused; null while workers claim from it.
        paused_at: Nullable<Time>,
    }
}

answers! {
    /// The queues that have a job, and the queues that are paused.
    QueueList of queues: Vec<QueueState> {
        /// The queues, by name.
        queues: Vec<Queue> = queues.into_iter().map(Queue::from).collect::<Vec<_>>(),
    }
}

/// Turns a type of this API into the JSON of its responses, for programs that show it elsewhere.
#[must_use]
pub fn json(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}
