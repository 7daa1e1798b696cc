use std::collections::{BTreeMap, HashMap};

use crate::app::WorkScribe;
use crate::error::{Code, Error, FieldError, Violations};
use crate::events::DomainEvent;
use crate::id::UserId;
use crate::identity::{Email, NewUser, ProfileChange, User, display_name};
use crate::storage::{Constraint, StoreError, UnitOfWork};
use crate::tenancy::{OrgScope, Organization, Role, Slug};
use crate::work::{Comment, Person, Project, TaskFields, index_comment, index_project, index_task};

use super::bundle::Bundle;
use super::record::{CommentRow, MemberRow, OrganizationRow, ProjectRow, Record, TaskRow, UserRow};
use super::remap::{Remap, renewed};

/// So many rows are given to the storage at once.
const BATCH: usize = 500;

/// Whole organizations, out and in. Had from [`WorkScribe::transfer`].
#[derive(Clone, Copy)]
pub struct Transfer<'a> {
    pub(super) app: &'a WorkScribe,
}

/// What becomes of the ids of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ids {
    /// They stay, so that links and references from elsewhere stay good. The organization must not be here already.
    #[default]
    Keep,
    /// Every row gets a new one, so that the same file can come in more than once.
    Remap,
}

/// How an organization is to come in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportOptions {
    /// What becomes of the ids.
    pub ids: Ids,
    /// Another slug than the file's.
    pub slug: Option<String>,
    /// Another name than the file's.
    pub name: Option<String>,
    /// Whether somebody of the file may be an account here that has a password and was never shown to be of the owner of its
    /// address. Anybody can register with the address of another.
    pub trust_unverified: bool,
}

/// What came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The organization.
    pub organization: Organization,
    /// Its first owner.
    pub owner: User,
    /// Accounts that were made, without a password: their owners ask for a new one by mail.
    pub made: Vec<Email>,
    /// Accounts that were here, by their address.
    pub known: Vec<Email>,
    /// How many rows of each kind there were.
    pub counts: BTreeMap<&'static str, u64>,
}

impl<'a> Transfer<'a> {
    pub(crate) const fn new(app: &'a WorkScribe) -> Self {
        Self { app }
    }

    /// Brings an organization in, wholly or not at all. For the operator of the server: the people of the file become members,
    /// asked or not. Hooks are told of the accounts, the organization and its members, and not of each task.
    ///
    /// # Errors
    /// `SLUG_TAKEN`, `VALIDATION_FAILED` for an id that is taken, or for an account that is not to be trusted.
    pub async fn import(
        &self,
        uow: &mut dyn UnitOfWork,
        bundle: &Bundle,
        options: &ImportOptions,
    ) -> Result<Imported, Error> {
        let records = bundle.records();
        let (mut made, mut known) = (Vec::new(), Vec::new());
        let users = self.people(uow, records, options, &mut made, &mut known).await?;
        let others = match options.ids {
            Ids::Keep => None,
            Ids::Remap => Some(Remap::fresh(self.app, records)),
        };
        let remap = Remap { users, others };
        let records: Vec<Record> = records.iter().map(|record| remap.apply(record)).collect();
        let owner = first_owner(&records).ok_or_else(|| {
            let message = "The file has no owner of the organization.";
            Error::invalid(vec![FieldError {
                pointer: "/owner".into(),
                code: "NO_OWNER",
                message: message.into(),
            }])
        })?;
        let organization = organization(&records, options)?;
        uow.organizations()
            .insert(&organization, owner)
            .await
            .map_err(|error| taken(error, &organization))?;
        let scope = OrgScope::of_new_member(organization.id, owner, Role::Owner);
        for batch in records.chunks(BATCH) {
            uow.transfer().restore(&scope, batch).await?;
        }
        for record in &records {
            index(uow, &scope, record).await?;
        }
        self.tell(uow, &organization, owner, &records).await?;
        let owner = uow.users().find(owner).await?;
        let owner = owner.ok_or_else(|| Error::internal("the owner is gone"))?;
        Ok(Imported { organization, owner, made, known, counts: counts(&records) })
    }

    /// Finds or makes the accounts.
    async fn people(
        &self,
        uow: &mut dyn UnitOfWork,
        records: &[Record],
        options: &ImportOptions,
        made: &mut Vec<Email>,
        known: &mut Vec<Email>,
    ) -> Result<HashMap<UserId, UserId>, Error> {
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
            // Without a password, whoever gets in has shown that the address is theirs.
            let is_theirs = found.user.email_verified || found.password_hash.is_none();
            if !is_theirs && !options.trust_unverified {
                let message = format!(
                    "There is an account for {} whose owner has not shown that the address is theirs. Ask them to, or say \
                     that such accounts are to be trusted.",
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

    async fn make(&self, uow: &mut dyn UnitOfWork, row: &UserRow, ids: Ids) -> Result<UserId, Error> {
        let id = match ids {
            Ids::Keep => row.id,
            Ids::Remap => renewed(self.app, row.id.into()).into(),
        };
        if let Some(other) = uow.users().find(id).await? {
            let message = format!(
                "The id of {} is that of another account here, {}. Import with new ids.",
                row.email, other.email
            );
            return Err(Error::invalid(vec![FieldError {
                pointer: format!("/users/{id}"),
                code: "ID_TAKEN",
                message,
            }]));
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
        uow.users().insert(&new).await?;
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
    ) -> Result<(), Error> {
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

/// The owner who has been one of the members for longest.
fn first_owner(records: &[Record]) -> Option<UserId> {
    let owners = records.iter().filter_map(|record| match record {
        Record::Member(row) if row.role == Role::Owner => Some((row.joined_at, row.user_id)),
        _ => None,
    });
    owners.min().map(|(_, user)| user)
}

fn organization(records: &[Record], options: &ImportOptions) -> Result<Organization, Error> {
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
        StoreError::Conflict { constraint: Constraint::OrganizationSlug } => Error::new(
            Code::SlugTaken,
            format!("There is an organization “{}” here already. Choose another slug.", organization.slug),
        ),
        StoreError::Conflict { constraint: Constraint::Other } => {
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

/// Makes a row findable.
async fn index(uow: &mut dyn UnitOfWork, scope: &OrgScope, record: &Record) -> Result<(), Error> {
    match record {
        Record::Project(row) => index_project(uow, scope, &project(scope, row)).await,
        Record::Task(row) => index_task(uow, scope, row.id, &fields(row), row.updated_at).await,
        Record::Comment(row) => index_comment(uow, scope, &comment(row)).await,
        _ => Ok(()),
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

/// The name of its author is not searched.
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

fn counts(records: &[Record]) -> BTreeMap<&'static str, u64> {
    let mut counts = BTreeMap::new();
    for record in records {
        let kind = match record {
            Record::Member(_) => "members",
            Record::Project(_) => "projects",
            Record::Label(_) => "labels",
            Record::Task(_) => "tasks",
            Record::Comment(_) => "comments",
            Record::Activity(_) => "lines of the history",
            Record::Notification(_) => "notifications",
            _ => continue,
        };
        *counts.entry(kind).or_default() += 1;
    }
    counts
}
