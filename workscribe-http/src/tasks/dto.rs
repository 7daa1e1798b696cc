//! Tasks, comments and what happened, on the wire.

use serde_json::Value;
use uuid::Uuid;
use workscribe_core::error::Violations;
use workscribe_core::work::{self, BulkChange, Destination, Move, Placement, TaskChange};

use crate::body::{Input as _, nested};
use crate::dto::{answers, inputs, lists};
pub use crate::events::ActivityAction;
use crate::field::{Clearable, Nullable, Patch, Required};
use crate::projects::{Label, Status};
use crate::time::{Date, Time};
use crate::wire::{PersonName, PictureUrl, RichText, TaskKey, named};

named! {
    /// How much a task presses.
    Priority = work::Priority;

    /// What sort of work a task is.
    TaskType = work::TaskType;
}

answers! {
    /// A user as others see them beside what they did.
    Person of person: work::Person {
        /// Their id.
        id: Uuid,
        /// Their name.
        display_name: PersonName,
        /// Where their picture is.
        avatar_url: Nullable<PictureUrl>,
    }
}

/// Makes what is shown of a task: in full, and in lists, which leave something out.
macro_rules! tasks {
    ($($(#[$doc:meta])* $name:ident of $task:ident { $($own:tt)* })+) => {
        answers! {$(
            $(#[$doc])*
            $name of $task: work::Task {
                /// Its id.
                id: Uuid,
                /// Of which organization.
                org_id: Uuid,
                /// Of which project.
                project_id: Uuid,
                /// Its number in the project, from 1.
                number: i64,
                /// Its name for people.
                task_id: TaskKey = $task.key(),
                /// What is to be done.
                title: String,
                $($own)*
                /// The id of its status.
                status_id: Uuid = $task.status.id,
                /// Where it stands.
                status: Status,
                /// The user who does it.
                assignee_id: Nullable<Uuid> = $task.assignee.as_ref().map(|person| person.id),
                /// Who does it.
                assignee: Nullable<Person>,
                /// The user who made it.
                reporter_id: Uuid = $task.reporter.id,
                /// Who made it.
                reporter: Person,
                /// How much it presses.
                priority: Priority,
                /// What sort of work it is.
                kind as "type": TaskType,
                /// The task of which it is a part.
                parent_task_id: Nullable<Uuid> = $task.parent_id,
                /// Its labels, by name.
                labels: Vec<Label> = $task.labels.into_iter().map(Label::from).collect::<Vec<_>>(),
                /// Its place in the column: lower is higher up. It may change when other tasks are moved.
                position: i64,
                /// By which day it is to be done.
                due_date: Nullable<Date>,
                /// How many tasks are a part of it.
                subtask_count: i64,
                /// How many comments it has.
                comment_count: i64,
                /// When it was made.
                created_at: Time,
                /// When one of its fields was last changed.
                updated_at: Time,
            }
        )+}
    };
}

tasks! {
    /// A task.
    Task of task {
        /// In full.
        description_json: Nullable<RichText> = task.description,
    }
    /// A task as lists show it: without its description.
    TaskSummary of task {}
}

lists! {
    /// A page of tasks.
    TaskList {
        /// The tasks.
        tasks: TaskSummary
    }
}

answers! {
    /// Tasks that were changed together, in the order of the request.
    ChangedTasks of tasks: Vec<work::Task> {
        /// The tasks as they are now.
        tasks: Vec<TaskSummary> = tasks.into_iter().map(TaskSummary::from).collect::<Vec<_>>(),
    }
}

inputs! {
    /// A new task.
    CreateTaskRequest {
        /// 1–500 characters, not all of them spaces.
        #[oai(validator(min_length = 1, max_length = 500))]
        title: Required<String>,
        /// A ProseMirror document, or any other JSON object, of at most 256 KiB and nested at most 64 deep.
        description as "description_json": Clearable<RichText>,
        /// A status of the project; its first unless given.
        status_id: Patch<Uuid>,
        /// A member of the organization.
        assignee_id: Clearable<Uuid>,
        /// How much it presses: `none` unless given.
        priority: Patch<Priority>,
        /// What sort of work it is: `task` unless given.
        kind as "type": Patch<TaskType>,
        /// A task of the project, of which this is a part.
        parent_id as "parent_task_id": Clearable<Uuid>,
        /// By which day it is to be done.
        due_date: Clearable<Date>,
        /// Labels of the project: 50 at the most.
        #[oai(validator(max_items = 50))]
        label_ids: Patch<Vec<Uuid>>,
    } => TaskChange = {
        let (title, label_ids) = (Some(title), label_ids.map(ids));
        TaskChange { title, description, status_id, assignee_id, priority, kind, parent_id, due_date, label_ids }
    };

    /// A change of a task. What is left out stays as it is.
    UpdateTaskRequest {
        /// 1–500 characters, not all of them spaces.
        #[oai(validator(min_length = 1, max_length = 500))]
        title: Patch<String>,
        /// As for a new task, or null for none.
        description as "description_json": Clearable<RichText>,
        /// A status of the project; the task goes to the end of its column.
        status_id: Patch<Uuid>,
        /// A member of the organization, or null for nobody.
        assignee_id: Clearable<Uuid>,
        /// How much it presses.
        priority: Patch<Priority>,
        /// What sort of work it is.
        kind as "type": Patch<TaskType>,
        /// A task of the project that is not below this one, or null for none.
        parent_id as "parent_task_id": Clearable<Uuid>,
        /// By which day it is to be done, or null for none.
        due_date: Clearable<Date>,
        /// All of its labels, of the project: 50 at the most.
        #[oai(validator(max_items = 50))]
        label_ids: Patch<Vec<Uuid>>,
    } => TaskChange = {
        let label_ids = label_ids.map(ids);
        TaskChange { title, description, status_id, assignee_id, priority, kind, parent_id, due_date, label_ids }
    };

    /// Where a task goes: into a column, and to a place in it. Of the three that name a place at most one is given; without one
    /// the task goes to the end.
    MoveTaskRequest(faults) {
        /// A status of the project; the one it has unless given.
        status_id: Patch<Uuid>,
        /// How many tasks of the column are before it.
        #[oai(validator(minimum(value = "0")))]
        position: Patch<i64>,
        /// The task of the column that comes right after it.
        before_id: Patch<Uuid>,
        /// The task of the column that comes right before it.
        after_id: Patch<Uuid>,
    } => Move = {
        let position = position.map(Destination::Index);
        let before = before_id.map(|id: Uuid| Destination::Before(id.into()));
        let after = after_id.map(|id: Uuid| Destination::After(id.into()));
        let to = one_of([("/position", position), ("/before_id", before), ("/after_id", after)], faults);
        Move { status: status_id, to }
    };

    /// The place of a task in its column.
    TaskPlace {
        /// The task's id.
        task_id: Required<Uuid>,
        /// How many tasks of the column are before it.
        #[oai(validator(minimum(value = "0")))]
        position: Required<i64>,
    } => Placement = Placement { task_id, index: position };

    /// Places of tasks of one project.
    MoveTasksRequest(faults) {
        /// 1–100 tasks, each once. The first server's name for it, `positions`, is taken too.
        #[oai(validator(min_items = 1, max_items = 100))]
        updates also "positions": Required<Vec<TaskPlace>>,
    } => Vec<Placement> = placements(updates, faults);

    /// One change of many tasks. What is left out stays as it is.
    UpdateTasksRequest {
        /// 1–100 tasks, each once.
        #[oai(validator(min_items = 1, max_items = 100))]
        task_ids: Required<Vec<Uuid>>,
        /// A status of the project that all of them are in; they go to the end of its column.
        status_id: Patch<Uuid>,
        /// A member of the organization, or null for nobody.
        assignee_id: Clearable<Uuid>,
        /// How much they press.
        priority: Patch<Priority>,
        /// By which day they are to be done, or null for none.
        due_date: Clearable<Date>,
        /// All of their labels, of the project that all of them are in.
        #[oai(validator(max_items = 50))]
        label_ids: Patch<Vec<Uuid>>,
        /// Labels to put on them beside those that they have.
        #[oai(validator(max_items = 50))]
        add_label_ids: Patch<Vec<Uuid>>,
        /// Labels to take off them.
        #[oai(validator(max_items = 50))]
        remove_label_ids: Patch<Vec<Uuid>>,
    } => BulkChange = BulkChange {
        task_ids: ids(task_ids),
        status_id,
        assignee_id,
        priority,
        due_date,
        label_ids: label_ids.map(ids),
        add_label_ids: add_label_ids.map(ids).unwrap_or_default(),
        remove_label_ids: remove_label_ids.map(ids).unwrap_or_default(),
    };
}

nested!(TaskPlace);

fn ids<T: From<Uuid>>(ids: Vec<Uuid>) -> Vec<T> {
    ids.into_iter().map(T::from).collect()
}

/// The one place that is named, or the end.
fn one_of(places: [(&str, Option<Destination>); 3], faults: &mut Violations) -> Destination {
    let mut given = places.into_iter().filter_map(|(pointer, to)| Some((pointer, to?)));
    let first = given.next().map_or(Destination::End, |(_, to)| to);
    for (pointer, _) in given {
        faults.add(pointer, "TOO_MANY", "Give at most one of position, before_id and after_id.");
    }
    first
}

fn placements(updates: Vec<TaskPlace>, faults: &mut Violations) -> Vec<Placement> {
    let updates = updates.into_iter().enumerate();
    updates.map(|(index, place)| place.read(&format!("/updates/{index}"), faults)).collect()
}

answers! {
    /// A comment on a task.
    Comment of comment: work::Comment {
        /// Its id.
        id: Uuid,
        /// On which task.
        task_id: Uuid,
        /// The user who wrote it.
        author_id: Uuid = comment.author.id,
        /// Who wrote it.
        author: Person,
        /// What it says.
        body_json: RichText = comment.body,
        /// Whether it was changed after it was made.
        is_edited: bool,
        /// When it was made.
        created_at: Time,
        /// When it was last changed.
        updated_at: Time,
    }
}

lists! {
    /// A page of comments, the oldest first.
    CommentList {
        /// The comments.
        comments: Comment
    }
}

inputs! {
    /// A new comment.
    CreateCommentRequest {
        /// A ProseMirror document, or any other JSON object, of at most 256 KiB and nested at most 64 deep. A node of the type
        /// `mention` whose `attrs.id` is a member's user id tells that member.
        body_json: Required<RichText>,
    } => Value = body_json;

    /// A change of a comment.
    UpdateCommentRequest {
        /// As for a new comment.
        body_json: Patch<RichText>,
    } => Option<Value> = body_json;
}

answers! {
    /// One line of the history. Values are as a person reads them: names, not ids.
    Activity of line: work::Activity {
        /// Its id.
        id: Uuid,
        /// On which task, if on one. It may be gone.
        task_id: Nullable<Uuid>,
        /// The user who did it.
        actor_id: Uuid = line.actor.id,
        /// Who did it.
        actor: Person,
        /// What was done.
        action: ActivityAction,
        /// Which field, for a change of one.
        field_name: Nullable<String>,
        /// What it was; at most 1,000 characters of it.
        old_value: Nullable<String>,
        /// What it is now; at most 1,000 characters of it.
        new_value: Nullable<String>,
        /// When.
        created_at: Time,
    }
}

lists! {
    /// A page of the history, the newest first.
    ActivityList {
        /// The lines.
        activity: Activity
    }
}
