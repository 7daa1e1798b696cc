//! An organization for demonstration: the work of five people on three projects, the same for the same seed and day.
//!
//! Four hundred tasks are the work of four months. More tasks are the work of more time, up to five years, and all belong to the
//! first project: so there is one large board beside two of ordinary size.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use crate::clock::Timestamp;
use crate::error::{Result, Violations};
use crate::identity::{Asker, Email};
use crate::ports::Secret;

use super::bundle::Bundle;
use super::demo_story::{Colleague, Dice, Story};
use super::demo_texts::{PEOPLE, THEMES};
use super::draft::Draft;
use super::foreign::Settings;
use super::import::{Ids, ImportOptions, Imported, Progress, Transfer};

/// The address of the demo's owner.
pub const DEMO_OWNER: &str = PEOPLE[0].1;
/// The default number of tasks in the demo.
pub const DEMO_TASKS: u32 = 400;
/// The number of days in which that many tasks are done, and the maximum number of days.
const DAYS: (i64, i64) = (120, 5 * 365);
/// The options of the demo.
#[derive(Debug, Clone)]
pub struct DemoOptions {
    /// The organization's slug.
    pub slug: String,
    /// The number of tasks, such as [`DEMO_TASKS`].
    pub tasks: u32,
    /// The owner's password, if the account is created.
    pub password: Secret,
    /// The seed of the random content.
    pub seed: u64,
}

/// The result of the demo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demonstrated {
    /// What was imported.
    pub imported: Imported,
    /// Whether the owner has the password of the options. An existing account keeps its password.
    pub has_password: bool,
}

impl Transfer<'_> {
    /// Fills the storage with the demo. It opens its own unit of work, since hashing takes long.
    ///
    /// # Errors
    /// `VALIDATION_FAILED` for an invalid slug or password, `SLUG_TAKEN`.
    pub async fn demo(&self, options: &DemoOptions) -> Result<Demonstrated> {
        self.demo_with(options, &mut |_| {}).await
    }

    /// The same, and reports the progress after every few hundred rows.
    ///
    /// # Errors
    /// As [`Transfer::demo`].
    pub async fn demo_with(
        &self,
        options: &DemoOptions,
        progress: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<Demonstrated> {
        let mut violations = Violations::default();
        violations.keep("/password", self.app.settings().password.check(&options.password));
        violations.into_result()?;
        let bundle = demo(&options.slug, options.tasks, options.seed, self.app.now())?;
        let hash = self.app.hasher().hash(Asker::Unknown, &options.password).await?;
        let mut uow = self.app.begin().await?;
        let fresh = ImportOptions { ids: Ids::Remap, ..ImportOptions::default() };
        let imported = self.import_with(&mut *uow, &bundle, &fresh, progress).await?;
        let has_password = imported.made.contains(&imported.owner.email);
        if has_password {
            let (owner, now) = (&imported.owner, self.app.now());
            uow.users().set_password(owner.id, &hash, now).await?;
            uow.users().set_verified(owner.id, &owner.email, now).await?;
        }
        self.app.commit(uow).await?;
        Ok(Demonstrated { imported, has_password })
    }
}

/// The organization of the demo at a given time.
///
/// # Errors
/// `VALIDATION_FAILED` for an invalid slug.
pub fn demo(slug: &str, tasks: u32, seed: u64, end: Timestamp) -> Result<Bundle> {
    let (name, email) = PEOPLE[0];
    let draft = Draft::new(&Settings {
        name: "Analytical Engines".to_owned(),
        slug: slug.to_owned(),
        owner: email.to_owned(),
        owner_name: Some(name.to_owned()),
        people: BTreeMap::new(),
        project_key: None,
        now: end,
    })?;
    let days = (i64::from(tasks) * DAYS.0 / i64::from(DEMO_TASKS)).clamp(DAYS.0, DAYS.1);
    let span = TimeDelta::days(days);
    let mut story = Story { draft, dice: Dice(seed), people: Vec::new(), span, end };
    for (name, email) in PEOPLE {
        let id = story.draft.user(&Email::from_stored(email.to_owned()), name);
        story.people.push(Colleague { id, name });
    }
    for (theme, tasks) in THEMES.iter().zip(shares(tasks)) {
        story.project(theme, tasks);
    }
    Ok(story.draft.finish()?.bundle)
}

/// The number of tasks of each project: as in the ordinary demo, and all further tasks in the first project.
fn shares(tasks: u32) -> [u32; THEMES.len()] {
    let ordinary = tasks.min(DEMO_TASKS);
    let mut shares = [0; THEMES.len()];
    for (share, theme) in shares.iter_mut().zip(&THEMES).skip(1) {
        *share = theme.tasks * ordinary / DEMO_TASKS;
    }
    shares[0] = tasks - shares.iter().sum::<u32>();
    shares
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::id::StatusId;
    use crate::transfer::foreign::tests::counts;
    use crate::transfer::record::Record;
    use crate::work::StatusCategory;

    fn end() -> Timestamp {
        Timestamp::from_timestamp(1_795_426_200, 0).unwrap()
    }

    #[test]
    fn five_people_have_worked_on_four_hundred_tasks_for_four_months() {
        let bundle = demo("demo", DEMO_TASKS, 1, end()).unwrap();
        let [users, projects, statuses, labels, tasks, comments] = counts(&bundle);
        assert_eq!((users, projects, statuses, labels, tasks), (5, 3, 12, 12, 400));
        assert!((300..700).contains(&comments), "{comments}");
        let mut done = 0;
        let categories: BTreeMap<StatusId, StatusCategory> = bundle
            .records()
            .unwrap()
            .iter()
            .filter_map(|record| match record {
                Record::Status(row) => Some((row.id, row.category)),
                _ => None,
            })
            .collect();
        let mut mentions = 0;
        for record in bundle.records().unwrap() {
            match record {
                Record::Task(row) => {
                    assert!(
                        row.created_at >= end() - TimeDelta::days(DAYS.0) && row.updated_at <= end(),
                        "{row:?}"
                    );
                    done += usize::from(categories[&row.status_id] == StatusCategory::Done);
                }
                Record::Comment(row) => {
                    assert!(row.created_at <= end());
                    mentions += row.body.mentions().len();
                }
                _ => {}
            }
        }
        assert!((220..340).contains(&done), "{done}");
        assert!(mentions > 20, "{mentions}");
    }

    #[test]
    fn more_tasks_are_of_the_first_project_and_seldom_say_the_same() {
        assert_eq!(shares(400), [150, 140, 110]);
        assert_eq!(shares(100_000), [99_750, 140, 110]);
        assert_eq!(shares(10), [5, 3, 2]);
        assert_eq!(shares(0), [0, 0, 0]);
        let bundle = demo("demo", 2_000, 1, end()).unwrap();
        let [users, projects, statuses, labels, tasks, _] = counts(&bundle);
        assert_eq!((users, projects, statuses, labels, tasks), (5, 3, 12, 12, 2_000));
        let (mut titles, mut positions) = (BTreeSet::new(), BTreeSet::new());
        for record in bundle.records().unwrap() {
            if let Record::Task(row) = record {
                titles.insert(row.title);
                positions.insert((row.project_id, row.position));
            }
        }
        assert!(titles.len() > 1_900, "{}", titles.len());
        assert_eq!(positions.len(), 2_000);
    }

    #[test]
    fn the_same_seed_gives_the_same_and_another_does_not() {
        let made = |seed| demo("demo", 50, seed, end()).unwrap().records().unwrap();
        let one = made(1);
        assert_eq!(one, made(1));
        assert_ne!(one, made(2));
        assert_eq!(demo("x", 50, 1, end()).unwrap_err().fields()[0].code, "INVALID_SLUG");
    }
}
