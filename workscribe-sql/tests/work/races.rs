//! Many operations at the same time, in parallel, on each database.

use std::collections::BTreeSet;
use std::sync::Arc;

use workscribe_core::clock::{Entropy as _, SystemClock, SystemEntropy};
use workscribe_core::id::{LabelId, TaskId, UserId};
use workscribe_core::tenancy::In;
use workscribe_core::work::{
    Destination, Move, NewLabel, NewProject, NewStatus, ProjectType, StatusCategory, Task, TaskChange,
    TaskFilter, TaskQuery, TaskSort,
};
use workscribe_core::{Code, Error};
use workscribe_testkit::databases::{self, TestDatabase};

use crate::support::{Team, join};

async fn team(database: &TestDatabase) -> Arc<Team> {
    Arc::new(Team::new(Arc::clone(&database.storage), SystemClock, SystemEntropy).await)
}

/// Runs `count` jobs at the same time and returns their results.
async fn at_once<T: Send + 'static, F>(count: usize, job: impl Fn(usize) -> F) -> Vec<T>
where
    F: Future<Output = T> + Send + 'static,
{
    let running: Vec<_> = (0..count).map(|index| tokio::spawn(job(index))).collect();
    let mut answers = Vec::new();
    for job in running {
        answers.push(job.await.unwrap());
    }
    answers
}

impl Team {
    async fn create(&self, title: &str) -> Result<Task, Error> {
        let mut uow = self.app.begin().await?;
        let at = In::project(&mut *uow, "engines", "WEB", self.people[0]).await?;
        let new = TaskChange { title: Some(title.into()), ..TaskChange::default() };
        let task = self.app.tasks().create(&mut *uow, &at, &new).await?;
        self.app.commit(uow).await?;
        Ok(task)
    }

    async fn update(&self, who: UserId, task: TaskId, change: &TaskChange) -> Result<Task, Error> {
        let mut uow = self.app.begin().await?;
        let at = In::task(&mut *uow, &task.to_string(), who).await?;
        let task = self.app.tasks().update(&mut *uow, &at, change, None).await?;
        self.app.commit(uow).await?;
        Ok(task)
    }

    async fn delete(&self, task: TaskId) -> Result<(), Error> {
        let mut uow = self.app.begin().await?;
        let at = In::task(&mut *uow, &task.to_string(), self.people[0]).await?;
        self.app.tasks().delete(&mut *uow, &at, None).await?;
        self.app.commit(uow).await
    }

    async fn relocate(&self, task: TaskId, column: usize, to: Destination) -> Result<Task, Error> {
        let mut uow = self.app.begin().await?;
        let at = In::task(&mut *uow, &task.to_string(), self.people[0]).await?;
        let to = Move { status: Some(self.statuses[column]), to };
        let task = self.app.tasks().relocate(&mut *uow, &at, to, None).await?;
        self.app.commit(uow).await?;
        Ok(task)
    }

    /// The whole board in order, read page by page.
    async fn board(&self) -> Vec<Task> {
        let (mut all, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let mut uow = self.app.read().await.unwrap();
            let scope = *In::organization(&mut *uow, "engines", self.people[0]).await.unwrap().scope();
            let filter = TaskFilter { project: Some(self.project), ..TaskFilter::default() };
            let after = cursor.as_deref();
            let query = TaskQuery::new(filter, TaskSort::default(), Some(17), after, false).unwrap();
            let page = self.app.tasks().list(&mut *uow, &scope, &query).await.unwrap();
            all.extend(page.items);
            cursor = page.next_cursor;
            if cursor.is_none() {
                return all;
            }
        }
    }
}

async fn a_hundred_first_tasks_at_once_are_numbered_from_1_to_100(database: TestDatabase) {
    let team = team(&database).await;
    let made = at_once(100, |n| {
        let team = Arc::clone(&team);
        async move { team.create(&format!("Task {n}")).await.unwrap().number }
    })
    .await;
    assert_eq!(made.into_iter().collect::<BTreeSet<_>>(), (1..=100).collect());
    assert_eq!(team.board().await.len(), 100);
}

/// A number below `below`, from the operating system.
fn random(below: usize) -> usize {
    let mut bytes = [0; 8];
    SystemEntropy.fill(&mut bytes);
    usize::try_from(u64::from_le_bytes(bytes) % below as u64).unwrap()
}

async fn sixteen_movers_lose_no_task_and_show_none_twice(database: TestDatabase, moves: usize) {
    let team = team(&database).await;
    let mut tasks = Vec::new();
    for n in 0..40 {
        tasks.push(team.create(&format!("Task {n}")).await.unwrap().id);
    }
    let tasks = Arc::new(tasks);
    let movers = at_once(16, |_| {
        let (team, tasks) = (Arc::clone(&team), Arc::clone(&tasks));
        async move {
            for n in 0..moves {
                let task = tasks[random(tasks.len())];
                // Mostly to the same place, so that the room between positions runs out.
                let to = match random(4) {
                    0 => Destination::End,
                    1 => Destination::Index(i64::try_from(random(30)).unwrap()),
                    _ => Destination::Index(1),
                };
                let moved = team.relocate(task, random(2), to).await.unwrap();
                assert_eq!(moved.id, task);
                if n % 50 == 0 {
                    let seen: Vec<TaskId> = team.board().await.iter().map(|task| task.id).collect();
                    assert!(seen.len() <= 2 * tasks.len());
                }
            }
        }
    });
    movers.await;
    let board = team.board().await;
    let seen: BTreeSet<TaskId> = board.iter().map(|task| task.id).collect();
    assert_eq!((board.len(), seen.len()), (40, 40), "every task is in its column once");
    for column in &team.statuses {
        let places: Vec<i64> =
            board.iter().filter(|task| task.status.id == *column).map(|task| task.position).collect();
        assert!(places.windows(2).all(|pair| pair[0] < pair[1]), "no two share a place: {places:?}");
    }
}

async fn of_twenty_labels_statuses_and_projects_of_one_name_one_is_made(database: TestDatabase) {
    let team = team(&database).await;
    let answers = at_once(60, |n| {
        let team = Arc::clone(&team);
        async move {
            let mut uow = team.app.begin().await?;
            let at = In::project(&mut *uow, "engines", "WEB", team.people[0]).await?;
            let projects = team.app.projects();
            match n % 3 {
                0 => {
                    let new = NewLabel { name: "Urgent".into(), color: "#aabbcc".into() };
                    projects.create_label(&mut *uow, &at, &new).await.map(drop)?;
                }
                1 => {
                    let (name, category) = ("Blocked".into(), StatusCategory::Todo);
                    let new = NewStatus { name, category, position: Some(1), color: None };
                    projects.create_status(&mut *uow, &at, &new).await.map(drop)?;
                }
                _ => {
                    let (name, key, kind) = ("Mobile".into(), "MOB".into(), ProjectType::Scrum);
                    let new = NewProject { name, key, description: None, kind };
                    let at = In::organization(&mut *uow, "engines", team.people[0]).await?;
                    projects.create(&mut *uow, &at, &new).await.map(drop)?;
                }
            }
            team.app.commit(uow).await
        }
    })
    .await;
    let taken = [Code::LabelNameTaken, Code::StatusNameTaken, Code::KeyTaken];
    for (kind, code) in taken.into_iter().enumerate() {
        let own: Vec<&Result<(), Error>> = answers.iter().skip(kind).step_by(3).collect();
        assert_eq!(own.iter().filter(|answer| answer.is_ok()).count(), 1, "{code:?}");
        for refused in own.iter().filter_map(|answer| answer.as_ref().err()) {
            assert_eq!(refused.code(), code, "{refused:?}");
        }
    }
}

async fn a_task_that_is_changed_while_it_is_removed_is_one_or_the_other(database: TestDatabase) {
    let team = team(&database).await;
    for round in 0..30 {
        let task = team.create("Short-lived").await.unwrap().id;
        let answers = at_once(6, |n| {
            let team = Arc::clone(&team);
            async move {
                let title = TaskChange { title: Some(format!("Title {n}")), ..TaskChange::default() };
                match n {
                    0 => team.delete(task).await,
                    1 => team.relocate(task, 1, Destination::Index(0)).await.map(drop),
                    _ => team.update(team.people[n % 4], task, &title).await.map(drop),
                }
            }
        })
        .await;
        assert!(answers[0].is_ok(), "round {round}: {:?}", answers[0]);
        for refused in answers.iter().filter_map(|answer| answer.as_ref().err()) {
            assert_eq!(refused.code(), Code::TaskNotFound, "round {round}: {refused:?}");
        }
    }
    assert!(team.board().await.is_empty());
}

async fn nobody_is_left_with_a_task_of_an_organization_they_left(database: TestDatabase) {
    let team = team(&database).await;
    let leaver = team.people[3];
    for _ in 0..20 {
        let mut tasks = Vec::new();
        for n in 0..4 {
            tasks.push(team.create(&format!("Task {n}")).await.unwrap().id);
        }
        at_once(5, |n| {
            let (team, task) = (Arc::clone(&team), tasks[n % 4]);
            async move {
                if n < 4 {
                    let give = TaskChange { assignee_id: Some(Some(leaver)), ..TaskChange::default() };
                    if let Err(error) = team.update(team.people[1], task, &give).await {
                        assert_eq!(error.code(), Code::ValidationFailed, "{error:?}");
                    }
                    return;
                }
                let mut uow = team.app.begin().await.unwrap();
                let scope = *In::organization(&mut *uow, "engines", team.people[0]).await.unwrap().scope();
                let organizations = team.app.organizations();
                organizations.remove_member(&mut *uow, &scope, leaver.into()).await.unwrap();
                team.app.commit(uow).await.unwrap();
            }
        })
        .await;
        assert!(team.board().await.iter().all(|task| task.assignee.is_none()));
        let mut uow = team.app.begin().await.unwrap();
        let scope = *In::organization(&mut *uow, "engines", team.people[0]).await.unwrap().scope();
        join(&team.app, &mut *uow, &scope, leaver).await;
        team.app.commit(uow).await.unwrap();
    }
}

async fn two_tasks_never_become_each_others_parents(database: TestDatabase) {
    let team = team(&database).await;
    for _ in 0..20 {
        let (one, two) = (team.create("One").await.unwrap().id, team.create("Two").await.unwrap().id);
        let answers = at_once(2, |n| {
            let team = Arc::clone(&team);
            let (task, parent) = if n == 0 { (one, two) } else { (two, one) };
            async move {
                let below = TaskChange { parent_id: Some(Some(parent)), ..TaskChange::default() };
                team.update(team.people[1], task, &below).await
            }
        })
        .await;
        let refused: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().err()).collect();
        assert_eq!(refused.len(), 1, "one of them came second");
        assert_eq!(refused[0].code(), Code::ParentCycle);
    }
}

async fn labels_put_on_one_task_at_once_are_all_on_it(database: TestDatabase) {
    let team = team(&database).await;
    let task = team.create("Labelled").await.unwrap().id;
    let mut labels: Vec<LabelId> = Vec::new();
    for n in 0..12 {
        let mut uow = team.app.begin().await.unwrap();
        let at = In::project(&mut *uow, "engines", "WEB", team.people[0]).await.unwrap();
        let new = NewLabel { name: format!("Label {n}"), color: "#aabbcc".into() };
        let projects = team.app.projects();
        labels.push(projects.create_label(&mut *uow, &at, &new).await.unwrap().id);
        team.app.commit(uow).await.unwrap();
    }
    at_once(12, |n| {
        let (team, label) = (Arc::clone(&team), labels[n]);
        async move {
            let mut uow = team.app.begin().await.unwrap();
            let at = In::task(&mut *uow, &task.to_string(), team.people[1]).await.unwrap();
            team.app.tasks().add_label(&mut *uow, &at, label).await.unwrap();
            team.app.commit(uow).await.unwrap();
        }
    })
    .await;
    assert_eq!(team.board().await[0].labels.len(), 12);
}

macro_rules! on_both {
    ($($name:ident $(($($argument:expr),*))?;)+) => {
        mod sqlite {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $name() {
                super::$name(databases::sqlite().await $(, $($argument),*)?).await;
            })+
        }
        mod postgres {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $name() {
                super::$name(databases::postgres().await $(, $($argument),*)?).await;
            })+
        }
    };
}

on_both! {
    a_hundred_first_tasks_at_once_are_numbered_from_1_to_100;
    sixteen_movers_lose_no_task_and_show_none_twice(1_000);
    of_twenty_labels_statuses_and_projects_of_one_name_one_is_made;
    a_task_that_is_changed_while_it_is_removed_is_one_or_the_other;
    nobody_is_left_with_a_task_of_an_organization_they_left;
    two_tasks_never_become_each_others_parents;
    labels_put_on_one_task_at_once_are_all_on_it;
}
