//! Random operations on the work of an organization, which the property test runs on two databases and on a model.

use proptest::prelude::*;

/// Texts for titles and descriptions of tasks, names of labels and statuses, and searches.
pub(crate) const TITLES: [&str; 5] =
    ["Fix the login page", "100% done_now", "Café menu", "Übersicht 42", "fix 'quotes\""];

/// One operation. Numbers mean rows in the order of their creation; a number beyond the last row starts again at the first.
#[derive(Debug, Clone)]
pub(crate) enum Operation {
    CreateTask(usize, Change),
    UpdateTask(usize, usize, Change),
    DeleteTask(usize, usize),
    MoveTask(usize, usize, Option<usize>, Place),
    Arrange(Vec<(usize, i64)>),
    UpdateMany(usize, Vec<usize>, Change),
    Label(usize, usize, usize, bool),
    Comment(usize, usize, usize),
    EditComment(usize, usize, usize),
    DeleteComment(usize, usize),
    CreateLabel(usize),
    DeleteLabel(usize),
    CreateStatus(usize, Option<i64>),
    UpdateStatus(usize, usize, i64),
    DeleteStatus(usize, Option<usize>),
    Archive(bool),
    List(Filter, usize, i64),
    Find(usize),
    Activity(Option<usize>),
    Search(usize),
    Notifications(usize, bool),
    ReadAll(usize),
    RemoveMember(usize),
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Change {
    pub(crate) title: Option<usize>,
    pub(crate) status: Option<usize>,
    pub(crate) assignee: Option<Option<usize>>,
    pub(crate) priority: Option<usize>,
    pub(crate) parent: Option<Option<usize>>,
    pub(crate) due: Option<Option<u32>>,
    pub(crate) labels: Option<Vec<usize>>,
}

#[derive(Debug, Clone)]
pub(crate) enum Place {
    End,
    Index(i64),
    Before(usize),
    After(usize),
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    pub(crate) status: Option<usize>,
    pub(crate) assignee: Option<Option<usize>>,
    pub(crate) priority: Option<usize>,
    pub(crate) label: Option<usize>,
    pub(crate) parent: Option<Option<usize>>,
    pub(crate) search: Option<usize>,
    pub(crate) due_before: Option<u32>,
}

fn change() -> impl Strategy<Value = Change> {
    let some = |n: usize| proptest::option::weighted(0.3, 0..n);
    let maybe = |n: usize| proptest::option::weighted(0.3, proptest::option::weighted(0.7, 0..n));
    (
        some(5),
        some(6),
        maybe(4),
        some(5),
        maybe(12),
        proptest::option::weighted(0.3, proptest::option::weighted(0.7, 1_u32..6)),
        proptest::option::weighted(0.3, proptest::collection::vec(0_usize..4, 0..3)),
    )
        .prop_map(|(title, status, assignee, priority, parent, due, labels)| Change {
            title,
            status,
            assignee,
            priority,
            parent,
            due,
            labels,
        })
}

fn filter() -> impl Strategy<Value = Filter> {
    let some = |n: usize| proptest::option::weighted(0.15, 0..n);
    let maybe = |n: usize| proptest::option::weighted(0.15, proptest::option::weighted(0.7, 0..n));
    (some(6), maybe(4), some(5), some(4), maybe(12), some(5), proptest::option::weighted(0.15, 1_u32..7))
        .prop_map(|(status, assignee, priority, label, parent, search, due_before)| Filter {
            status,
            assignee,
            priority,
            label,
            parent,
            search,
            due_before,
        })
}

pub(crate) fn operation() -> impl Strategy<Value = Operation> {
    let (who, task, status, label) = (0_usize..4, 0_usize..12, 0_usize..6, 0_usize..4);
    let place = prop_oneof![
        Just(Place::End),
        (-1_i64..8).prop_map(Place::Index),
        task.clone().prop_map(Place::Before),
        task.clone().prop_map(Place::After),
    ];
    prop_oneof![
        8 => (who.clone(), change()).prop_map(|(who, change)| Operation::CreateTask(who, change)),
        8 => (who.clone(), task.clone(), change()).prop_map(|(w, t, c)| Operation::UpdateTask(w, t, c)),
        2 => (who.clone(), task.clone()).prop_map(|(w, t)| Operation::DeleteTask(w, t)),
        8 => (who.clone(), task.clone(), proptest::option::of(status.clone()), place)
            .prop_map(|(w, t, s, p)| Operation::MoveTask(w, t, s, p)),
        2 => proptest::collection::vec((task.clone(), 0_i64..6), 1..5).prop_map(Operation::Arrange),
        2 => (who.clone(), proptest::collection::vec(task.clone(), 1..5), change())
            .prop_map(|(w, t, c)| Operation::UpdateMany(w, t, c)),
        3 => (who.clone(), task.clone(), label.clone(), any::<bool>())
            .prop_map(|(w, t, l, on)| Operation::Label(w, t, l, on)),
        3 => (who.clone(), task.clone(), who.clone()).prop_map(|(w, t, m)| Operation::Comment(w, t, m)),
        1 => (who.clone(), task.clone(), who.clone()).prop_map(|(w, c, m)| Operation::EditComment(w, c, m)),
        1 => (who.clone(), task.clone()).prop_map(|(w, c)| Operation::DeleteComment(w, c)),
        2 => (0_usize..5).prop_map(Operation::CreateLabel),
        1 => label.prop_map(Operation::DeleteLabel),
        1 => (0_usize..5, proptest::option::of(0_i64..6)).prop_map(|(n, p)| Operation::CreateStatus(n, p)),
        1 => (status.clone(), 0_usize..5, 0_i64..6).prop_map(|(s, n, p)| Operation::UpdateStatus(s, n, p)),
        1 => (status.clone(), proptest::option::of(status)).prop_map(|(s, to)| Operation::DeleteStatus(s, to)),
        1 => any::<bool>().prop_map(Operation::Archive),
        6 => (filter(), 0_usize..9, 1_i64..6).prop_map(|(f, s, l)| Operation::List(f, s, l)),
        2 => task.clone().prop_map(Operation::Find),
        2 => proptest::option::of(task).prop_map(Operation::Activity),
        2 => (0_usize..5).prop_map(Operation::Search),
        2 => (who.clone(), any::<bool>()).prop_map(|(w, unread)| Operation::Notifications(w, unread)),
        1 => who.clone().prop_map(Operation::ReadAll),
        1 => who.prop_map(Operation::RemoveMember),
    ]
}
