use poem_openapi::Object;
use poem_openapi::types::MaybeUndefined;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use workscribe_core::work;

use crate::body::objects;
use crate::projects::{Label, Status};
use crate::time::{Date, Time};
use crate::wire::{RichText, wire_names};

wire_names! {
    /// How much a task presses.
    Priority = work::Priority {
        /// Now.
        Urgent = "urgent",
        /// Soon.
        High = "high",
        /// In its turn.
        Medium = "medium",
        /// When there is time.
        Low = "low",
        /// Not said.
        None = "none",
    }

    /// What sort of work a task is.
    TaskType = work::TaskType {
        /// Something a user wants.
        Story = "story",
        /// Something that is broken.
        Bug = "bug",
        /// Anything else.
        Task = "task",
        /// A part of another task.
        Subtask = "subtask",
    }

    /// What was done.
    ActivityAction = work::ActivityAction {
        /// A project was made.
        ProjectCreated = "project.created",
        /// A field of a project was changed.
        ProjectUpdated = "project.updated",
        /// A status was made.
        StatusCreated = "status.created",
        /// A field of a status was changed.
        StatusUpdated = "status.updated",
        /// A status was removed.
        StatusDeleted = "status.deleted",
        /// A label was made.
        LabelCreated = "label.created",
        /// A field of a label was changed.
        LabelUpdated = "label.updated",
        /// A label was removed, from all tasks too.
        LabelDeleted = "label.deleted",
        /// A task was made.
        TaskCreated = "task.created",
        /// A field of a task was changed.
        TaskUpdated = "task.updated",
        /// A task was removed.
        TaskDeleted = "task.deleted",
        /// A comment was made.
        CommentCreated = "comment.created",
        /// A comment was changed.
        CommentUpdated = "comment.updated",
        /// A comment was removed.
        CommentDeleted = "comment.deleted",
    }
}

/// A user as others see them beside what they did.
#[derive(Object, Serialize)]
pub struct Person {
    /// Their id.
    pub id: Uuid,
    /// Their name.
    pub display_name: String,
    /// Where their picture is.
    pub avatar_url: Option<String>,
}

impl From<work::Person> for Person {
    fn from(person: work::Person) -> Self {
        Self { id: person.id.into(), display_name: person.display_name, avatar_url: person.avatar_url }
    }
}

/// Makes what is shown of a task: in full, and in lists, which leave something out.
macro_rules! shown {
    ($($(#[$doc:meta])* $name:ident { $($(#[$own_doc:meta])* $own:ident: $own_type:ty = $value:expr)? })+) => {$(
        $(#[$doc])*
        #[derive(Object, Serialize)]
        pub struct $name {
            /// Its id.
            pub id: Uuid,
            /// Of which organization.
            pub org_id: Uuid,
            /// Of which project.
            pub project_id: Uuid,
            /// Its number in the project, from 1.
            pub number: i64,
            /// Its name for people.
            pub task_id: String,
            /// What is to be done.
            pub title: String,
            $($(#[$own_doc])* pub $own: $own_type,)?
            /// The id of its status.
            pub status_id: Uuid,
            /// Where it stands.
            pub status: Status,
            /// The user who does it.
            pub assignee_id: Option<Uuid>,
            /// Who does it.
            pub assignee: Option<Person>,
            /// The user who made it.
            pub reporter_id: Uuid,
            /// Who made it.
            pub reporter: Person,
            /// How much it presses.
            pub priority: Priority,
            /// What sort of work it is.
            #[oai(rename = "type")]
            #[serde(rename = "type")]
            pub kind: TaskType,
            /// The task of which it is a part.
            pub parent_task_id: Option<Uuid>,
            /// Its labels, by name.
            pub labels: Vec<Label>,
            /// Its place in the column: lower is higher up. It may change when other tasks are moved.
            pub position: i64,
            /// By which day it is to be done.
            pub due_date: Option<Date>,
            /// How many tasks are a part of it.
            pub subtask_count: i64,
            /// How many comments it has.
            pub comment_count: i64,
            /// When it was made.
            pub created_at: Time,
            /// When one of its fields was last changed.
            pub updated_at: Time,
        }

        impl From<work::Task> for $name {
            fn from(task: work::Task) -> Self {
                Self {
                    id: task.id.into(),
                    org_id: task.org_id.into(),
                    project_id: task.project_id.into(),
                    number: task.number,
                    task_id: task.key().to_string(),
                    $($own: $value(&task),)?
                    title: task.title,
                    status_id: task.status.id.into(),
                    status: task.status.into(),
                    assignee_id: task.assignee.as_ref().map(|person| person.id.into()),
                    assignee: task.assignee.map(Person::from),
                    reporter_id: task.reporter.id.into(),
                    reporter: task.reporter.into(),
                    priority: task.priority.into(),
                    kind: task.kind.into(),
                    parent_task_id: task.parent_id.map(Uuid::from),
                    labels: task.labels.into_iter().map(Label::from).collect(),
                    position: task.position,
                    due_date: task.due_date.map(Date::from),
                    subtask_count: task.subtask_count,
                    comment_count: task.comment_count,
                    created_at: task.created_at.into(),
                    updated_at: task.updated_at.into(),
                }
            }
        }
    )+};
}

shown! {
    /// A task.
    Task {
        /// In full.
        description_json: Option<RichText> = |task: &work::Task| task.description.clone().map(RichText::from)
    }
    /// A task as lists show it: without its description.
    TaskSummary {}
}

/// A page of tasks.
#[derive(Object, Serialize)]
pub struct TaskList {
    /// The tasks.
    pub tasks: Vec<TaskSummary>,
    /// What to ask for the next page with; null on the last.
    pub next_cursor: Option<String>,
    /// How many there are in all, when asked with `count=true`.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<i64>,
}

/// Tasks that were changed together, in the order of the request.
#[derive(Object, Serialize)]
pub struct ChangedTasks {
    /// The tasks as they are now.
    pub tasks: Vec<TaskSummary>,
}

/// A new task.
#[derive(Object, Deserialize)]
pub struct CreateTaskRequest {
    /// 1–500 characters, not all of them spaces.
    #[oai(validator(min_length = 1, max_length = 500))]
    pub title: String,
    /// A ProseMirror document, or any other JSON object, of at most 256 KiB and nested at most 64 deep.
    #[serde(default)]
    pub description_json: MaybeUndefined<RichText>,
    /// A status of the project; its first unless given.
    #[serde(default)]
    pub status_id: MaybeUndefined<Uuid>,
    /// A member of the organization.
    #[serde(default)]
    pub assignee_id: MaybeUndefined<Uuid>,
    /// How much it presses: `none` unless given.
    #[serde(default)]
    pub priority: MaybeUndefined<Priority>,
    /// What sort of work it is: `task` unless given.
    #[serde(default, rename = "type")]
    #[oai(rename = "type")]
    pub kind: MaybeUndefined<TaskType>,
    /// A task of the project, of which this is a part.
    #[serde(default)]
    pub parent_task_id: MaybeUndefined<Uuid>,
    /// By which day it is to be done.
    #[serde(default)]
    pub due_date: MaybeUndefined<Date>,
    /// Labels of the project: 50 at the most.
    #[serde(default)]
    #[oai(validator(max_items = 50))]
    pub label_ids: MaybeUndefined<Vec<Uuid>>,
}

/// A change of a task. What is left out stays as it is.
#[derive(Object, Deserialize)]
pub struct UpdateTaskRequest {
    /// 1–500 characters, not all of them spaces.
    #[serde(default)]
    #[oai(validator(min_length = 1, max_length = 500))]
    pub title: MaybeUndefined<String>,
    /// As for a new task, or null for none.
    #[serde(default)]
    pub description_json: MaybeUndefined<RichText>,
    /// A status of the project; the task goes to the end of its column.
    #[serde(default)]
    pub status_id: MaybeUndefined<Uuid>,
    /// A member of the organization, or null for nobody.
    #[serde(default)]
    pub assignee_id: MaybeUndefined<Uuid>,
    /// How much it presses.
    #[serde(default)]
    pub priority: MaybeUndefined<Priority>,
    /// What sort of work it is.
    #[serde(default, rename = "type")]
    #[oai(rename = "type")]
    pub kind: MaybeUndefined<TaskType>,
    /// A task of the project that is not below this one, or null for none.
    #[serde(default)]
    pub parent_task_id: MaybeUndefined<Uuid>,
    /// By which day it is to be done, or null for none.
    #[serde(default)]
    pub due_date: MaybeUndefined<Date>,
    /// All of its labels, of the project: 50 at the most.
    #[serde(default)]
    #[oai(validator(max_items = 50))]
    pub label_ids: MaybeUndefined<Vec<Uuid>>,
}

/// Where a task goes: into a column, and to a place in it. Of the three that name a place at most one is given; without one
/// the task goes to the end.
#[derive(Object, Deserialize)]
pub struct MoveTaskRequest {
    /// A status of the project; the one it has unless given.
    #[serde(default)]
    pub status_id: MaybeUndefined<Uuid>,
    /// How many tasks of the column are before it.
    #[serde(default)]
    #[oai(validator(minimum(value = "0")))]
    pub position: MaybeUndefined<i64>,
    /// The task of the column that comes right after it.
    #[serde(default)]
    pub before_id: MaybeUndefined<Uuid>,
    /// The task of the column that comes right before it.
    #[serde(default)]
    pub after_id: MaybeUndefined<Uuid>,
}

/// The place of a task in its column.
#[derive(Object, Deserialize)]
pub struct TaskPlace {
    /// The task's id.
    pub task_id: Uuid,
    /// How many tasks of the column are before it.
    #[oai(validator(minimum(value = "0")))]
    pub position: i64,
}

/// Places of tasks of one project.
#[derive(Object, Deserialize)]
pub struct MoveTasksRequest {
    /// 1–100 tasks, each once. The first server's name for it, `positions`, is taken too.
    #[serde(alias = "positions", deserialize_with = "objects")]
    #[oai(validator(min_items = 1, max_items = 100))]
    pub updates: Vec<TaskPlace>,
}

/// One change of many tasks. What is left out stays as it is.
#[derive(Object, Deserialize)]
pub struct UpdateTasksRequest {
    /// 1–100 tasks, each once.
    #[oai(validator(min_items = 1, max_items = 100))]
    pub task_ids: Vec<Uuid>,
    /// A status of the project that all of them are in; they go to the end of its column.
    #[serde(default)]
    pub status_id: MaybeUndefined<Uuid>,
    /// A member of the organization, or null for nobody.
    #[serde(default)]
    pub assignee_id: MaybeUndefined<Uuid>,
    /// How much they press.
    #[serde(default)]
    pub priority: MaybeUndefined<Priority>,
    /// By which day they are to be done, or null for none.
    #[serde(default)]
    pub due_date: MaybeUndefined<Date>,
    /// All of their labels, of the project that all of them are in.
    #[serde(default)]
    #[oai(validator(max_items = 50))]
    pub label_ids: MaybeUndefined<Vec<Uuid>>,
    /// Labels to put on them beside those that they have.
    #[serde(default)]
    #[oai(validator(max_items = 50))]
    pub add_label_ids: MaybeUndefined<Vec<Uuid>>,
    /// Labels to take off them.
    #[serde(default)]
    #[oai(validator(max_items = 50))]
    pub remove_label_ids: MaybeUndefined<Vec<Uuid>>,
}

/// A comment on a task.
#[derive(Object, Serialize)]
pub struct Comment {
    /// Its id.
    pub id: Uuid,
    /// On which task.
    pub task_id: Uuid,
    /// The user who wrote it.
    pub author_id: Uuid,
    /// Who wrote it.
    pub author: Person,
    /// What it says.
    pub body_json: RichText,
    /// Whether it was changed after it was made.
    pub is_edited: bool,
    /// When it was made.
    pub created_at: Time,
    /// When it was last changed.
    pub updated_at: Time,
}

impl From<work::Comment> for Comment {
    fn from(comment: work::Comment) -> Self {
        Self {
            id: comment.id.into(),
            task_id: comment.task_id.into(),
            author_id: comment.author.id.into(),
            author: comment.author.into(),
            body_json: comment.body.into(),
            is_edited: comment.is_edited,
            created_at: comment.created_at.into(),
            updated_at: comment.updated_at.into(),
        }
    }
}

/// A page of comments, the oldest first.
#[derive(Object, Serialize)]
pub struct CommentList {
    /// The comments.
    pub comments: Vec<Comment>,
    /// What to ask for the next page with; null on the last.
    pub next_cursor: Option<String>,
    /// How many there are in all, when asked with `count=true`.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<i64>,
}

/// A new comment.
#[derive(Object, Deserialize)]
pub struct CreateCommentRequest {
    /// A ProseMirror document, or any other JSON object, of at most 256 KiB and nested at most 64 deep. A node of the type
    /// `mention` whose `attrs.id` is a member's user id tells that member.
    pub body_json: RichText,
}

/// A change of a comment.
#[derive(Object, Deserialize)]
pub struct UpdateCommentRequest {
    /// As for a new comment.
    #[serde(default)]
    pub body_json: MaybeUndefined<RichText>,
}

/// One line of the history. Values are as a person reads them: names, not ids.
#[derive(Object, Serialize)]
pub struct Activity {
    /// Its id.
    pub id: Uuid,
    /// On which task, if on one. It may be gone.
    pub task_id: Option<Uuid>,
    /// The user who did it.
    pub actor_id: Uuid,
    /// Who did it.
    pub actor: Person,
    /// What was done.
    pub action: ActivityAction,
    /// Which field, for a change of one.
    pub field_name: Option<String>,
    /// What it was; at most 1,000 characters of it.
    pub old_value: Option<String>,
    /// What it is now; at most 1,000 characters of it.
    pub new_value: Option<String>,
    /// When.
    pub created_at: Time,
}

impl From<work::Activity> for Activity {
    fn from(line: work::Activity) -> Self {
        Self {
            id: line.id.into(),
            task_id: line.task_id.map(Uuid::from),
            actor_id: line.actor.id.into(),
            actor: line.actor.into(),
            action: line.action.into(),
            field_name: line.field_name,
            old_value: line.old_value,
            new_value: line.new_value,
            created_at: line.created_at.into(),
        }
    }
}

/// A page of the history, the newest first.
#[derive(Object, Serialize)]
pub struct ActivityList {
    /// The lines.
    pub activity: Vec<Activity>,
    /// What to ask for the next page with; null on the last.
    pub next_cursor: Option<String>,
    /// How many there are in all, when asked with `count=true`.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<i64>,
}
