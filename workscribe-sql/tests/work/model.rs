//! The expected state of an organization's work after a sequence of operations, calculated without a database. It is an independent
//! check on the databases.
//!
//! It implements the rules of the domain in their simplest form, on sets and lists. It shares only names with the services and the
//! stores. As in operations, tasks, labels, statuses, comments and people have numbers in the order of their creation, from 0. A
//! time is the number of the operation, from 1.

use std::collections::{BTreeMap, BTreeSet};

use workscribe_core::Code;
use workscribe_core::work::{Priority, StatusCategory, TaskSort, TaskType};

use crate::operations::{Change, Filter, Operation, Place, TITLES};

/// The current rows, as lists show them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) is_archived: bool,
    pub(crate) members: BTreeSet<usize>,
    /// In board order.
    pub(crate) columns: Vec<Column>,
    /// The names of the labels.
    pub(crate) labels: BTreeMap<usize, String>,
    pub(crate) tasks: BTreeMap<usize, Card>,
}

/// A status, with its tasks in board order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) status: usize,
    pub(crate) name: String,
    pub(crate) category: StatusCategory,
    pub(crate) tasks: Vec<usize>,
}

/// A task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Card {
    pub(crate) number: i64,
    pub(crate) title: String,
    pub(crate) reporter: usize,
    pub(crate) assignee: Option<usize>,
    pub(crate) priority: Priority,
    pub(crate) kind: TaskType,
    pub(crate) parent: Option<usize>,
    pub(crate) due: Option<u32>,
    pub(crate) labels: BTreeSet<usize>,
    pub(crate) parts: usize,
    pub(crate) comments: usize,
    pub(crate) version: i64,
    pub(crate) made: i64,
    pub(crate) changed: i64,
}

/// A comment, and whether it still exists.
struct Remark {
    task: usize,
    author: usize,
    is_there: bool,
}

/// Values for the fields of a task; `None` leaves a field unchanged.
#[derive(Default)]
struct Given {
    title: Option<&'static str>,
    status: Option<usize>,
    assignee: Option<Option<usize>>,
    priority: Option<Priority>,
    kind: Option<TaskType>,
    parent: Option<Option<usize>>,
    due: Option<Option<u32>>,
    labels: Option<BTreeSet<usize>>,
}

/// The owner, whom nobody can remove. The other people are members.
const OWNER: usize = 0;

/// The state, and the numbers of everything that was ever created.
pub(crate) struct Model {
    /// The counts of subtasks and comments in it are not maintained.
    state: State,
    remarks: Vec<Remark>,
    tasks_made: usize,
    labels_made: usize,
    statuses_made: usize,
    last_number: i64,
    now: i64,
}

impl Model {
    /// An organization before the first operation.
    pub(crate) fn new(state: State) -> Self {
        assert!(state.tasks.is_empty() && state.labels.is_empty(), "{state:?}");
        let statuses_made = state.columns.len();
        let (remarks, tasks_made, labels_made, last_number, now) = (Vec::new(), 0, 0, 0, 0);
        Self { state, remarks, tasks_made, labels_made, statuses_made, last_number, now }
    }

    /// The state that lists must show.
    pub(crate) fn state(&self) -> State {
        let mut state = self.state.clone();
        for (task, card) in &mut state.tasks {
            card.parts = self.state.tasks.values().filter(|other| other.parent == Some(*task)).count();
            card.comments =
                self.remarks.iter().filter(|remark| remark.is_there && remark.task == *task).count();
        }
        state
    }

    /// Applies an operation, or returns the code of its error. If it lists tasks, it returns them in order.
    pub(crate) fn apply(&mut self, operation: &Operation) -> Result<Option<Vec<usize>>, Code> {
        self.now += 1;
        match operation {
            Operation::CreateTask(who, change) => self.create(*who, change)?,
            Operation::UpdateTask(who, task, change) => self.update(*who, *task, change)?,
            Operation::DeleteTask(who, task) => self.delete(*who, *task)?,
            Operation::MoveTask(who, task, status, place) => self.relocate(*who, *task, *status, place)?,
            Operation::Arrange(list) => self.arrange(list)?,
            Operation::UpdateMany(who, list, change) => self.update_many(*who, list, change)?,
            Operation::Label(who, task, label, is_on) => self.label(*who, *task, *label, *is_on)?,
            Operation::Comment(who, task, _) => {
                if let Some(task) = self.enter(*who, *task)? {
                    self.writable()?;
                    self.remarks.push(Remark { task, author: *who, is_there: true });
                }
            }
            Operation::EditComment(who, remark, _) => {
                if let Some(remark) = self.remark(*who, *remark)? {
                    self.permit(remark.author == *who)?;
                    self.writable()?;
                }
            }
            Operation::DeleteComment(who, at) => {
                if let Some(remark) = self.remark(*who, *at)? {
                    self.permit(remark.author == *who || *who == OWNER)?;
                    self.writable()?;
                    let at = at % self.remarks.len();
                    self.remarks[at].is_there = false;
                }
            }
            Operation::CreateLabel(name) => {
                self.writable()?;
                let name = TITLES[*name];
                refuse(self.state.labels.values().any(|other| other == name), Code::LabelNameTaken)?;
                self.state.labels.insert(self.labels_made, name.to_owned());
                self.labels_made += 1;
            }
            Operation::DeleteLabel(label) => {
                if let Some(label) = label.checked_rem(self.labels_made) {
                    self.writable()?;
                    self.state.labels.remove(&label).ok_or(Code::LabelNotFound)?;
                    // This does not count as a change of the tasks.
                    for card in self.state.tasks.values_mut() {
                        card.labels.remove(&label);
                    }
                }
            }
            Operation::CreateStatus(name, position) => self.create_status(*name, *position)?,
            Operation::UpdateStatus(status, name, position) => {
                self.update_status(*status, *name, *position)?;
            }
            Operation::DeleteStatus(status, to) => self.delete_status(*status, *to)?,
            Operation::Archive(is_archived) => self.state.is_archived = *is_archived,
            Operation::RemoveMember(who) => self.remove_member(*who)?,
            Operation::List(filter, sort, _) => return Ok(Some(self.list(filter, TaskSort::NAMES[*sort]))),
            Operation::Search(words) => {
                let found = self.state.tasks.iter().filter(|(_, card)| card.title == TITLES[*words]);
                return Ok(Some(found.map(|(task, _)| *task).collect()));
            }
            Operation::Find(task) => return Ok(self.enter(OWNER, *task)?.map(|task| vec![task])),
            Operation::Activity(_) | Operation::Notifications(..) | Operation::ReadAll(_) => {}
        }
        Ok(None)
    }

    fn create(&mut self, who: usize, change: &Change) -> Result<(), Code> {
        refuse(!self.state.members.contains(&who), Code::OrganizationNotFound)?;
        self.writable()?;
        let given = self.given(change)?;
        let (task, first) = (self.tasks_made, self.state.columns[0].status);
        self.tasks_made += 1;
        self.last_number += 1;
        self.column(given.status.unwrap_or(first)).push(task);
        let card = Card {
            number: self.last_number,
            title: given.title.unwrap_or("Untitled").to_owned(),
            reporter: who,
            assignee: given.assignee.flatten(),
            priority: given.priority.unwrap_or(Priority::None),
            kind: given.kind.unwrap_or(TaskType::Task),
            parent: given.parent.flatten(),
            due: given.due.flatten(),
            labels: given.labels.unwrap_or_default(),
            parts: 0,
            comments: 0,
            version: 1,
            made: self.now,
            changed: self.now,
        };
        self.state.tasks.insert(task, card);
        Ok(())
    }

    fn update(&mut self, who: usize, task: usize, change: &Change) -> Result<(), Code> {
        let Some(task) = self.enter(who, task)? else { return Ok(()) };
        self.writable()?;
        let given = self.given(change)?;
        if let Some(parent) = given.parent.filter(|parent| *parent != self.state.tasks[&task].parent) {
            let mut above = parent;
            while let Some(one) = above {
                refuse(one == task, Code::ParentCycle)?;
                above = self.state.tasks[&one].parent;
            }
        }
        self.put(task, &given);
        Ok(())
    }

    fn delete(&mut self, who: usize, task: usize) -> Result<(), Code> {
        let Some(task) = self.enter(who, task)? else { return Ok(()) };
        self.permit(who == OWNER || self.state.tasks[&task].reporter == who)?;
        self.writable()?;
        self.lift(task);
        self.state.tasks.remove(&task);
        self.remarks
            .iter_mut()
            .filter(|remark| remark.task == task)
            .for_each(|remark| remark.is_there = false);
        let parts: Vec<usize> = self.those(|card| card.parent == Some(task));
        parts.into_iter().for_each(|part| self.amend(part, false, |card| card.parent = None));
        Ok(())
    }

    fn relocate(&mut self, who: usize, task: usize, status: Option<usize>, to: &Place) -> Result<(), Code> {
        let Some(task) = self.enter(who, task)? else { return Ok(()) };
        self.writable()?;
        let from = self.status_of(task);
        let status = status.map_or(from, |status| status % self.statuses_made);
        refuse(!self.has_status(status), Code::ValidationFailed)?;
        let mut column = self.column(status).clone();
        column.retain(|other| *other != task);
        let place_of = |other: &usize| {
            let other = other % self.tasks_made;
            column.iter().position(|one| *one == other).ok_or(Code::ValidationFailed)
        };
        let at = match to {
            Place::End => column.len(),
            Place::Index(index) => {
                usize::try_from(*index).map_err(|_| Code::ValidationFailed)?.min(column.len())
            }
            Place::Before(other) => place_of(other)?,
            Place::After(other) => place_of(other)? + 1,
        };
        column.insert(at, task);
        self.lift(task);
        *self.column(status) = column;
        self.amend(task, status != from, |_| ());
        Ok(())
    }

    fn arrange(&mut self, list: &[(usize, i64)]) -> Result<(), Code> {
        let Some(_) = self.enter(OWNER, list[0].0)? else { return Ok(()) };
        let tasks = self.all_of(list.iter().map(|(task, _)| *task))?;
        self.writable()?;
        let columns: Vec<usize> = tasks.iter().map(|task| self.status_of(*task)).collect();
        tasks.iter().for_each(|task| self.lift(*task));
        let mut placements: Vec<(usize, usize, usize)> = Vec::new();
        for ((task, status), (_, index)) in tasks.into_iter().zip(columns).zip(list) {
            placements.push((status, usize::try_from(*index).unwrap(), task));
        }
        // Of placements with the same index the first one given comes first, and the others follow it.
        placements.sort_by_key(|(status, index, _)| (*status, *index));
        let mut last: Option<(usize, usize)> = None;
        for (status, index, task) in placements {
            let least = last.filter(|(other, _)| *other == status).map_or(0, |(_, at)| at + 1);
            let column = self.column(status);
            let at = index.max(least).min(column.len());
            column.insert(at, task);
            last = Some((status, at));
        }
        Ok(())
    }

    fn update_many(&mut self, who: usize, list: &[usize], change: &Change) -> Result<(), Code> {
        let Some(_) = self.enter(who, list[0])? else { return Ok(()) };
        // A bulk change has no titles, parents or types, and the tasks keep their labels.
        let given = self.given(&Change { title: None, parent: None, ..change.clone() })?;
        let mut given = Given { kind: None, ..given };
        let added = given.labels.take().unwrap_or_default();
        let tasks = self.all_of(list.iter().copied())?;
        self.writable()?;
        for task in tasks {
            given.labels = Some(&self.state.tasks[&task].labels | &added);
            self.put(task, &given);
        }
        Ok(())
    }

    fn label(&mut self, who: usize, task: usize, label: usize, is_on: bool) -> Result<(), Code> {
        let Some(task) = self.enter(who, task)? else { return Ok(()) };
        let Some(label) = label.checked_rem(self.labels_made) else { return Ok(()) };
        self.writable()?;
        refuse(!self.state.labels.contains_key(&label), Code::LabelNotFound)?;
        self.amend(task, false, |card| {
            if is_on {
                card.labels.insert(label)
            } else {
                card.labels.remove(&label)
            };
        });
        Ok(())
    }

    fn create_status(&mut self, name: usize, position: Option<i64>) -> Result<(), Code> {
        self.writable()?;
        let category = StatusCategory::ALL[name % 3];
        let name = TITLES[name].to_owned();
        let columns = &mut self.state.columns;
        refuse(columns.iter().any(|column| column.name == name), Code::StatusNameTaken)?;
        let at = position.map_or(columns.len(), |at| usize::try_from(at).unwrap().min(columns.len()));
        let status = self.statuses_made;
        columns.insert(at, Column { status, name, category, tasks: Vec::new() });
        self.statuses_made += 1;
        Ok(())
    }

    fn update_status(&mut self, status: usize, name: usize, position: i64) -> Result<(), Code> {
        let status = status % self.statuses_made;
        self.writable()?;
        let columns = &mut self.state.columns;
        let at = columns.iter().position(|column| column.status == status).ok_or(Code::StatusNotFound)?;
        let is_taken = columns.iter().any(|other| other.name == TITLES[name] && other.status != status);
        refuse(is_taken, Code::StatusNameTaken)?;
        let mut column = columns.remove(at);
        column.name = TITLES[name].to_owned();
        columns.insert(usize::try_from(position).unwrap().min(columns.len()), column);
        Ok(())
    }

    fn delete_status(&mut self, status: usize, to: Option<usize>) -> Result<(), Code> {
        let (status, to) = (status % self.statuses_made, to.map(|to| to % self.statuses_made));
        self.writable()?;
        refuse(!self.has_status(status), Code::StatusNotFound)?;
        refuse(self.state.columns.len() == 1, Code::LastStatus)?;
        refuse(to.is_some_and(|to| to == status || !self.has_status(to)), Code::ValidationFailed)?;
        let moving = self.column(status).clone();
        refuse(to.is_none() && !moving.is_empty(), Code::StatusInUse)?;
        for task in moving {
            self.put(task, &Given { status: to, ..Given::default() });
        }
        self.state.columns.retain(|column| column.status != status);
        Ok(())
    }

    fn remove_member(&mut self, who: usize) -> Result<(), Code> {
        refuse(who == OWNER, Code::LastOwner)?;
        refuse(!self.state.members.remove(&who), Code::MemberNotFound)?;
        let theirs = self.those(|card| card.assignee == Some(who));
        let done = self.state.columns.iter().filter(|column| column.category == StatusCategory::Done);
        let done: BTreeSet<usize> = done.flat_map(|column| column.tasks.iter().copied()).collect();
        for task in theirs.into_iter().filter(|task| !done.contains(task)) {
            self.amend(task, false, |card| card.assignee = None);
        }
        Ok(())
    }

    fn list(&self, filter: &Filter, sort: &str) -> Vec<usize> {
        let status = filter.status.map(|status| status % self.statuses_made);
        let label = filter.label.and_then(|label| label.checked_rem(self.labels_made));
        let parent = filter.parent.map(|task| task.and_then(|task| task.checked_rem(self.tasks_made)));
        let in_status =
            self.state.columns.iter().filter(|column| status.is_none_or(|it| it == column.status));
        let board = in_status.flat_map(|column| &column.tasks).map(|task| (*task, &self.state.tasks[task]));
        let mut found: Vec<(usize, &Card)> = board
            .filter(|(_, card)| {
                filter.assignee.is_none_or(|assignee| card.assignee == assignee)
                    && filter.priority.is_none_or(|at| card.priority == Priority::ALL[at])
                    && label.is_none_or(|label| card.labels.contains(&label))
                    && parent.is_none_or(|parent| card.parent == parent)
                    && filter.search.is_none_or(|words| card.title == TITLES[words])
                    && filter.due_before.is_none_or(|day| card.due.is_some_and(|due| due < day))
            })
            .collect();
        let field = sort.trim_start_matches('-');
        found.sort_by_key(|(task, card)| match field {
            "position" => (0, 0),
            "created_at" => (card.made, *task),
            "updated_at" => (card.changed, *task),
            "due_date" => (card.due.map_or(i64::MAX, i64::from), *task),
            _ => (card.priority.rank(), *task),
        });
        if field != sort {
            found.reverse();
        }
        found.into_iter().map(|(task, _)| task).collect()
    }

    /// The task of an operation, if any was created yet, or the error if the person cannot find it.
    fn enter(&self, who: usize, task: usize) -> Result<Option<usize>, Code> {
        let Some(task) = task.checked_rem(self.tasks_made) else { return Ok(None) };
        let is_found = self.state.members.contains(&who) && self.state.tasks.contains_key(&task);
        if is_found { Ok(Some(task)) } else { Err(Code::TaskNotFound) }
    }

    fn remark(&self, who: usize, remark: usize) -> Result<Option<&Remark>, Code> {
        let Some(at) = remark.checked_rem(self.remarks.len()) else { return Ok(None) };
        let remark = &self.remarks[at];
        let is_found = self.state.members.contains(&who) && self.state.tasks.contains_key(&remark.task);
        refuse(!is_found, Code::TaskNotFound)?;
        if remark.is_there { Ok(Some(remark)) } else { Err(Code::CommentNotFound) }
    }

    /// The tasks of a list, which must all exist and be different.
    fn all_of(&self, list: impl Iterator<Item = usize>) -> Result<Vec<usize>, Code> {
        let tasks: Vec<usize> = list.map(|task| task % self.tasks_made).collect();
        let is_there = tasks.iter().all(|task| self.state.tasks.contains_key(task));
        let is_once = tasks.iter().collect::<BTreeSet<_>>().len() == tasks.len();
        if is_there && is_once { Ok(tasks) } else { Err(Code::ValidationFailed) }
    }

    /// The values of a change, if all rows that it names exist.
    fn given(&self, change: &Change) -> Result<Given, Code> {
        let label = |label: &usize| label.checked_rem(self.labels_made);
        let given = Given {
            title: change.title.map(|title| TITLES[title]),
            status: change.status.map(|status| status % self.statuses_made),
            assignee: change.assignee,
            priority: change.priority.map(|at| Priority::ALL[at]),
            kind: change.priority.map(|at| TaskType::ALL[at % 4]),
            parent: change.parent.map(|task| task.and_then(|task| task.checked_rem(self.tasks_made))),
            due: change.due,
            labels: change.labels.as_ref().map(|list| list.iter().filter_map(label).collect()),
        };
        let is_there = given.status.is_none_or(|status| self.has_status(status))
            && given.assignee.flatten().is_none_or(|who| self.state.members.contains(&who))
            && given.parent.flatten().is_none_or(|task| self.state.tasks.contains_key(&task))
            && given.labels.iter().flatten().all(|label| self.state.labels.contains_key(label));
        if is_there { Ok(given) } else { Err(Code::ValidationFailed) }
    }

    /// Sets these values of a task. A new status moves it to the end of that column.
    fn put(&mut self, task: usize, given: &Given) {
        let to = given.status.filter(|to| *to != self.status_of(task));
        if let Some(to) = to {
            self.lift(task);
            self.column(to).push(task);
        }
        self.amend(task, to.is_some(), |card| {
            card.title = given.title.map_or_else(|| card.title.clone(), str::to_owned);
            card.assignee = given.assignee.unwrap_or(card.assignee);
            card.priority = given.priority.unwrap_or(card.priority);
            card.kind = given.kind.unwrap_or(card.kind);
            card.parent = given.parent.unwrap_or(card.parent);
            card.due = given.due.unwrap_or(card.due);
            card.labels = given.labels.clone().unwrap_or_else(|| card.labels.clone());
        });
    }

    /// Changes a card. It gets a new version if it is different afterwards, or if it was moved to another column.
    fn amend(&mut self, task: usize, is_moved: bool, change: impl FnOnce(&mut Card)) {
        let card = self.state.tasks.get_mut(&task).unwrap();
        let before = card.clone();
        change(card);
        if is_moved || *card != before {
            card.version += 1;
            card.changed = self.now;
        }
    }

    /// Removes a task from its column.
    fn lift(&mut self, task: usize) {
        self.state.columns.iter_mut().for_each(|column| column.tasks.retain(|other| *other != task));
    }

    fn column(&mut self, status: usize) -> &mut Vec<usize> {
        &mut self.state.columns.iter_mut().find(|column| column.status == status).unwrap().tasks
    }

    fn status_of(&self, task: usize) -> usize {
        self.state.columns.iter().find(|column| column.tasks.contains(&task)).unwrap().status
    }

    fn has_status(&self, status: usize) -> bool {
        self.state.columns.iter().any(|column| column.status == status)
    }

    fn those(&self, is_one: impl Fn(&Card) -> bool) -> Vec<usize> {
        self.state.tasks.iter().filter(|(_, card)| is_one(card)).map(|(task, _)| *task).collect()
    }

    fn writable(&self) -> Result<(), Code> {
        refuse(self.state.is_archived, Code::ProjectArchived)
    }

    fn permit(&self, may: bool) -> Result<(), Code> {
        refuse(!may, Code::InsufficientRole)
    }
}

fn refuse(is_so: bool, code: Code) -> Result<(), Code> {
    if is_so { Err(code) } else { Ok(()) }
}
