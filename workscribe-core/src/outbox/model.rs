use std::time::Duration;

use serde_json::Value;

use crate::clock::Timestamp;
use crate::id::{JobId, OrgId};

use super::job::JobPriority;

/// What became of a job that was to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Enqueued {
    /// The job: this one, or that which has its unique key.
    pub id: JobId,
    /// Whether it was written.
    pub is_new: bool,
}

/// A job that a worker has claimed.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimedJob {
    /// Its id.
    pub id: JobId,
    /// The name of its kind.
    pub kind: String,
    /// Of which organization it is.
    pub org: Option<OrgId>,
    /// What the handler gets.
    pub payload: Value,
    /// How often it was claimed, this time included: the fencing number.
    pub attempt: u32,
    /// How many of the claims before ended in its being put off, which counts as no attempt.
    pub put_off: u32,
    /// After this many that count it is buried.
    pub max_attempts: u32,
    /// How long this attempt may take.
    pub timeout: Option<Duration>,
    /// When it was due.
    pub run_at: Timestamp,
    /// When it was written.
    pub created_at: Timestamp,
}

impl ClaimedJob {
    /// Which attempt this is, from 1, of those that count: for waits, and for the end of them.
    #[must_use]
    pub const fn tries(&self) -> u32 {
        self.attempt.saturating_sub(self.put_off)
    }
}

/// An attempt that a worker believes to be its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Held {
    /// The job.
    pub id: JobId,
    /// The attempt.
    pub attempt: u32,
}

/// A job whose lease was extended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct HeldJob {
    /// The job.
    pub id: JobId,
    /// Whether somebody asked for its end.
    pub cancel_requested: bool,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The job is done.
    Completed,
    /// It failed, and is tried again.
    Retry {
        /// Not before this time.
        run_at: Timestamp,
        /// Why.
        error: String,
    },
    /// It did not fail, and is tried again: the attempt does not count.
    Snoozed {
        /// Not before this time.
        run_at: Timestamp,
    },
    /// It is given up, for a person to look at.
    Buried {
        /// Why.
        error: String,
    },
    /// Somebody asked for its end.
    Cancelled,
}

/// The last word about an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// Which attempt.
    pub held: Held,
    /// How it ended.
    pub ending: Ending,
    /// When.
    pub at: Timestamp,
}

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum JobState {
    /// Waiting, now or for a later time.
    Available,
    /// Claimed by a worker.
    Running,
    /// Done, and kept for a day.
    Completed,
    /// Ended by a person, and kept for a day.
    Cancelled,
    /// Given up, and kept for seven days.
    Buried,
}

impl JobState {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Available, Self::Running, Self::Completed, Self::Cancelled, Self::Buried];

    /// The name that is stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
            Self::Buried => "buried",
        }
    }

    /// The state of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// A job as an operator sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct JobRecord {
    /// Its id.
    pub id: JobId,
    /// The name of its kind.
    pub kind: String,
    /// Of which organization it is.
    pub org: Option<OrgId>,
    /// What the handler gets. It may name people: show it to operators alone.
    pub payload: Value,
    /// Where it waits, or waited.
    pub queue: String,
    /// Who goes first.
    pub priority: JobPriority,
    /// Where it stands.
    pub state: JobState,
    /// How many attempts were begun, without those that ended in its being put off.
    pub attempt: u32,
    /// How often it was put off.
    pub put_off: u32,
    /// After this many attempts it is buried.
    pub max_attempts: u32,
    /// How long one attempt may take.
    pub timeout: Option<Duration>,
    /// What keeps others like it out, while it does.
    pub unique_key: Option<String>,
    /// Whether somebody asked for its end while it runs.
    pub cancel_requested: bool,
    /// Not before this time.
    pub run_at: Timestamp,
    /// Who had it last.
    pub worker: Option<String>,
    /// When its last attempt began.
    pub claimed_at: Option<Timestamp>,
    /// Until when its worker has it, unless it says more.
    pub lease_until: Option<Timestamp>,
    /// Why its last failed attempt failed.
    pub last_error: Option<String>,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

/// Which jobs an operator asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobFilter {
    /// Only in this state.
    pub state: Option<JobState>,
    /// Only of this kind.
    pub kind: Option<String>,
    /// Only in this queue.
    pub queue: Option<String>,
}

/// How many jobs are in which state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JobCounts {
    /// Waiting, now or for a later time.
    pub available: i64,
    /// Claimed by a worker.
    pub running: i64,
    /// Done, and kept for a while.
    pub completed: i64,
    /// Ended by a person.
    pub cancelled: i64,
    /// Given up.
    pub buried: i64,
}

impl JobCounts {
    /// The number of a state.
    pub const fn of(&mut self, state: JobState) -> &mut i64 {
        match state {
            JobState::Available => &mut self.available,
            JobState::Running => &mut self.running,
            JobState::Completed => &mut self.completed,
            JobState::Cancelled => &mut self.cancelled,
            JobState::Buried => &mut self.buried,
        }
    }
}

/// The jobs of one kind in one queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KindCounts {
    /// The queue.
    pub queue: String,
    /// The kind.
    pub kind: String,
    /// How many are in which state.
    pub counts: JobCounts,
    /// Since when the oldest of those that are due waits.
    pub oldest_due: Option<Timestamp>,
}

/// What waits in a queue for one organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backlog {
    /// The queue.
    pub queue: String,
    /// Whose.
    pub org: OrgId,
    /// How many jobs wait, now or for a later time.
    pub waiting: i64,
    /// How many of them were put off.
    pub put_off: i64,
}

/// A queue in which there is a job, or that was paused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueState {
    /// Its name.
    pub name: String,
    /// Since when no worker takes anything from it.
    pub paused_at: Option<Timestamp>,
}
