//! Imports an organization, in portions.

use std::collections::{BTreeMap, HashMap};

use crate::app::WorkScribe;
use crate::error::{Code, Error, FieldError, Result, Violations};
use crate::events::DomainEvent;
use crate::id::UserId;
use crate::identity::{Email, NewUser, Person, ProfileChange, User, display_name};
use crate::search::SearchDocument;
use crate::storage::UnitOfWork;
use crate::store_error::{Constraint, StoreError};
use crate::tenancy::{OrgScope, Organization, Role, Slug};
use crate::work::{Comment, Project, TaskFields, comment_document, project_document, task_document};

use super::bundle::Bundle;
use super::record::Record;
use super::remap::{Remap, renewed};
use super::rows::{CommentRow, MemberRow, OrganizationRow, ProjectRow, TaskRow, UserRow};

/// How many rows are given to the storage at once.
const BATCH: usize = 500;

/// Export and import of whole organizations. [`WorkScribe::transfer`] returns it.
#[derive(Clone, Copy)]
pub struct Transfer<'a> {
    pub(super) app: &'a WorkScribe,
}

/// What happens to the ids in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ids {
    /// They stay the same, so that links and references from outside stay valid. The organization must not exist here.
    #[default]
    Keep,
    /// Every row gets a new id, so that the same file can be imported more than once.
    Remap,
}

/// The options of an import.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportOptions {
    /// What happens to the ids.
    pub ids: Ids,
    /// The slug, instead of the file's.
    pub slug: Option<String>,
    /// The name, instead of the file's.
    pub name: Option<String>,
    /// Whether a person in the file may become an existing account that has a password and whose address was never verified.
    /// Anybody can register with another person's address.
    pub trust_unverified: bool,
}

/// The progress of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The rows written so far.
    pub done: u64,
    /// All rows.
    pub all: u64,
}

/// The result of an import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The organization.
    pub organization: Organization,
    /// Its first owner.
    pub owner: User,
    /// Accounts that were created without a password: their owners request a new password by mail.
    pub made: Vec<Email>,
    /// Accounts that existed before, by their address.
    pub known: Vec<Email>,
    /// The number of rows of each kind.
    pub counts: BTreeMap<&'static str, u64>,
}

impl WorkScribe {
    /// Export and import of whole organizations.
    #[must_use]
    pub const fn transfer(&self) -> Transfer<'_> {
        Transfer { app: self }
    }
}

impl Transfer<'_> {
    /// Imports an organization, completely or not at all. It is for the operator of the server: the people in the file become
    /// members without being asked. Hooks get the events of the accounts, the organization and its members, but not of each task.
    ///
    /// # Errors
    /// `SLUG_TAKEN`, `VALIDATION_FAILED` for an id that is taken, or for an account that is not trusted.
    pub async fn import(
        &self,
        uow: &mut dyn UnitOfWork,
        bundle: &Bundle,
        options: &ImportOptions,
    ) -> Result<Imported> {
        self.import_with(uow, bundle, options, &mut |_| {}).await
    }

    /// The same, and reports the progress after every few hundred rows.
    ///
    /// # Errors
    /// As [`Transfer::import`].
    pub async fn import_with(
        &self,
        uow: &mut dyn UnitOfWork,
        bundle: &Bundle,
        options: &ImportOptions,
        progress: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<Imported> {
        let (mut made, mut known) = (Vec::new(), Vec::new());
        let users = self.people(uow, bundle.head(), options, &mut made, &mut known).await?;
        let key = (options.ids == Ids::Remap).then(|| {
            let mut key = [0; 32];
            self.app.entropy().fill(&mut key);
            key
        });
        let remap = Remap { users, key, now: self.app.now() };
        let head: Vec<Record> = bundle.head().iter().map(|record| record.clone().renewed(&remap)).collect();
        let owner = first_owner(&head).ok_or_else(|| {
            let message = "The file has no owner of the organization.";
            Error::invalid(vec![FieldError {
                pointer: "/owner".into(),
                code: "NO_OWNER",
                message: message.into(),
            }])
        })?;
        let organization = organization(&head, options)?;
        uow.organizations()
            .insert(&organization, owner)
            .await
            .map_err(|error| taken(error, &organization))?;
        let scope = OrgScope::of_member(organization.id, owner, Role::Owner);
        let mut counts = BTreeMap::new();
        let mut so_far = Progress { done: 0, all: bundle.len() };
        for batch in head.chunks(BATCH) {
            self.restore(uow, &scope, batch, &mut counts).await?;
        }
        so_far.done = head.len() as u64;
        let mut rest = bundle.rest()?;
        loop {
            progress(so_far);
            let batch = rest.next(BATCH)?;
            if batch.is_empty() {
                break;
            }
            so_far.done += batch.len() as u64;
            let batch: Vec<Record> =
                batch.into_iter().map(|record| counted(bundle, record).renewed(&remap)).collect();
            self.restore(uow, &scope, &batch, &mut counts).await?;
        }
        for batch in bundle.parents().chunks(BATCH) {
            let parents: Vec<_> =
                batch.iter().map(|(task, parent)| (remap.id(*task), remap.id(*parent))).collect();
            uow.transfer().adopt(&scope, &parents).await?;
        }
        self.tell(uow, &organization, owner, &head).await?;
        let owner = uow.users().find(owner).await?;
        let owner = owner.ok_or_else(|| Error::internal("the owner is gone"))?;
        Ok(Imported { organization, owner, made, known, counts })
    }

    /// Writes rows and their search documents.
    async fn restore(
        &self,
        uow: &mut dyn UnitOfWork,
        scope: &OrgScope,
        rows: &[Record],
        counts: &mut BTreeMap<&'static str, u64>,
    ) -> Result<()> {
        uow.transfer().restore(scope, rows).await?;
        let documents: Vec<SearchDocument> =
            rows.iter().filter_map(|record| document(scope, record)).collect();
        uow.search().put_all(scope, &documents).await?;
        rows.iter().filter_map(Record::counted_as).for_each(|kind| *counts.entry(kind).or_default() += 1);
        Ok(())
    }

    /// Finds or creates the accounts.
    async fn people(
        &self,
        uow: &mut dyn UnitOfWork,
        records: &[Record],
        options: &ImportOptions,
        made: &mut Vec<Email>,
        known: &mut Vec<Email>,
    ) -> Result<HashMap<UserId, UserId>> {
        let mut ids = HashMap::new();
        let mut violations = Violations::default();
        for record in records {
            let Record::User(row) = record else { continue };
            let found = uow.users().credentials_by_email(&row.email).await?;
            let Some(found) = found else {
                ids.insert(row.id, self.make(uow, row, options.ids).await?);
                made.push(row.email.clone());
                continue;
            };
            // Users of an account without a password must prove that the address is theirs before they can log in.
            let is_theirs = found.user.email_verified || found.password_hash.is_none();
            if !is_theirs && !options.trust_unverified {
                let message = format!(
                    "There is an account for {} whose address is not verified. Ask its owner to verify the address, or \
                     trust unverified accounts.",
                    row.email
                );
                violations.add(format!("/users/{}", row.id), "NOT_VERIFIED", message);
            }
            ids.insert(row.id, found.user.id);
            known.push(row.email.clone());
        }
        violations.into_result()?;
        Ok(ids)
    }

    async fn make(&self, uow: &mut dyn UnitOfWork, row: &UserRow, ids: Ids) -> Result<UserId> {
        let id = match ids {
            Ids::Keep => row.id,
            Ids::Remap => renewed(self.app, row.id.into()).into(),
        };
        let taken = |other: &str| {
            let message = format!(
                "The id of {} is that of another account here{other}. Import with new ids.",
                row.email
            );
            Error::invalid(vec![FieldError { pointer: format!("/users/{id}"), code: "ID_TAKEN", message }])
        };
        if let Some(other) = uow.users().find(id).await? {
            return Err(taken(&format!(", {}", other.email)));
        }
        let now = self.app.now();
        let new = NewUser {
            id,
            email: row.email.clone(),
            display_name: row.display_name.clone(),
            password_hash: None,
            email_verified: false,
            created_at: now,
        };
        uow.users().insert(&new).await.map_err(|error| match error {
            StoreError::Conflict { constraint: Constraint::UserId, .. } => taken(""),
            other => other.into(),
        })?;
        if row.avatar_url.is_some() {
            let change =
                ProfileChange { avatar_url: Some(row.avatar_url.clone()), ..ProfileChange::default() };
            uow.users().update_profile(id, &change, None, now).await?;
        }
        self.app.emit(uow, &DomainEvent::UserRegistered { user: id }).await?;
        Ok(id)
    }

    async fn tell(
        &self,
        uow: &mut dyn UnitOfWork,
        organization: &Organization,
        owner: UserId,
        records: &[Record],
    ) -> Result<()> {
        let event = DomainEvent::OrganizationCreated { organization: organization.clone(), owner };
        self.app.emit(uow, &event).await?;
        for record in records {
            if let Record::Member(MemberRow { user_id, role, .. }) = record
                && *user_id != owner
            {
                let event = DomainEvent::MemberJoined { org: organization.id, user: *user_id, role: *role };
                self.app.emit(uow, &event).await?;
            }
        }
        Ok(())
    }
}

/// The owner who has been a member for the longest time.
fn first_owner(records: &[Record]) -> Option<UserId> {
    let owners = records.iter().filter_map(|record| match record {
        Record::Member(row) if row.role == Role::Owner => Some((row.joined_at, row.user_id)),
        _ => None,
    });
    owners.min().map(|(_, user)| user)
}

fn organization(records: &[Record], options: &ImportOptions) -> Result<Organization> {
    let row = records.iter().find_map(|record| match record {
        Record::Organization(row) => Some(row.clone()),
        _ => None,
    });
    let OrganizationRow { id, name, slug, version, created_at, updated_at } =
        row.ok_or_else(|| Error::internal("a bundle has an organization"))?;
    let mut violations = Violations::default();
    let other_slug = options.slug.as_deref().and_then(|slug| violations.keep("/slug", Slug::parse(slug)));
    let other_name = options.name.as_deref().and_then(|name| violations.keep("/name", display_name(name)));
    violations.into_result()?;
    let (name, slug) = (other_name.unwrap_or(name), other_slug.unwrap_or(slug));
    Ok(Organization { id, name, slug, version, created_at, updated_at })
}

fn taken(error: StoreError, organization: &Organization) -> Error {
    match error {
        StoreError::Conflict { constraint: Constraint::OrganizationSlug, .. } => Error::new(
            Code::SlugTaken,
            format!("There is an organization “{}” here already. Choose another slug.", organization.slug),
        ),
        StoreError::Conflict { constraint: Constraint::OrganizationId, .. } => {
            let message =
                "This organization is here already, under its id. Import with new ids, and another slug.";
            Error::invalid(vec![FieldError {
                pointer: "/organization/id".into(),
                code: "ID_TAKEN",
                message: message.into(),
            }])
        }
        other => other.into(),
    }
}

/// A task with its counts and without its parent, which may come later.
fn counted(bundle: &Bundle, mut record: Record) -> Record {
    if let Record::Task(row) = &mut record {
        let hanging = bundle.hanging_on(row.id);
        (row.subtask_count, row.comment_count) = (hanging.subtasks.into(), hanging.comments.into());
        row.parent_id = None;
    }
    record
}

/// The search document of a row.
fn document(scope: &OrgScope, record: &Record) -> Option<SearchDocument> {
    match record {
        Record::Project(row) => Some(project_document(&project(scope, row))),
        Record::Task(row) => Some(task_document(row.id, &fields(row), row.updated_at)),
        Record::Comment(row) => Some(comment_document(&comment(row))),
        _ => None,
    }
}

fn project(scope: &OrgScope, row: &ProjectRow) -> Project {
    Project {
        id: row.id,
        org_id: scope.org(),
        name: row.name.clone(),
        key: row.key.clone(),
        description: row.description.clone(),
        kind: row.kind,
        is_archived: row.is_archived,
        created_by: row.created_by,
        version: row.version,
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}

fn fields(row: &TaskRow) -> TaskFields {
    TaskFields {
        title: row.title.clone(),
        description: row.description.clone(),
        status_id: row.status_id,
        assignee_id: row.assignee_id,
        priority: row.priority,
        kind: row.kind,
        parent_id: row.parent_id,
        due_date: row.due_date,
    }
}

/// The author's name is empty, since it is not searched.
fn comment(row: &CommentRow) -> Comment {
    Comment {
        id: row.id,
        task_id: row.task_id,
        author: Person { id: row.author_id, display_name: String::new(), avatar_url: None },
        body: row.body.clone(),
        is_edited: row.is_edited,
        version: row.version,
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}
