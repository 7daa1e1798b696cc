//! Exports an organization, row by row.

use std::collections::BTreeSet;

use uuid::Uuid;

use crate::app::WorkScribe;
use crate::error::{Code, Error, Result};
use crate::id::UserId;
use crate::storage::UnitOfWork;
use crate::tenancy::{Action, In, OrgScope, Organization, Slug};

use super::Transfer;
use super::record::{End, FORMAT, Header, Kind, Record, VERSION};
use super::rows::OrganizationRow;

/// How many rows are read in one statement.
const PAGE: u32 = 100;

/// An export of an organization: everything as it was at one moment, however long the export takes.
///
/// It holds a reading transaction until it is dropped.
pub struct Export {
    uow: Box<dyn UnitOfWork>,
    scope: OrgScope,
    organization: Organization,
    stage: Stage,
    /// The people that were already written.
    known: BTreeSet<UserId>,
    records: u64,
}

/// The next part of an export.
enum Stage {
    Begin(Header),
    /// The rows of `Kind::ALL` from this index on, after an id.
    Rows(usize, Option<Uuid>),
    Ended,
}

impl Transfer<'_> {
    /// Begins an export, for a member who may export.
    ///
    /// # Errors
    /// `ORGANIZATION_NOT_FOUND`, `INSUFFICIENT_ROLE`.
    pub async fn export(&self, slug: &str, actor: UserId) -> Result<Export> {
        self.begin_export(self.app.storage().snapshot().await?, slug, actor).await
    }

    /// The same for the operator of the server, who needs no membership: the export runs as the first owner.
    ///
    /// # Errors
    /// `ORGANIZATION_NOT_FOUND`.
    pub async fn export_as_operator(&self, slug: &str) -> Result<Export> {
        let mut uow = self.app.storage().snapshot().await?;
        let owner = match Slug::existing(slug) {
            Some(slug) => uow.transfer().first_owner(&slug).await?,
            None => None,
        };
        let gone =
            || Error::new(Code::OrganizationNotFound, format!("There is no organization “{slug}” here."));
        self.begin_export(uow, slug, owner.ok_or_else(gone)?).await
    }

    async fn begin_export(&self, mut uow: Box<dyn UnitOfWork>, slug: &str, actor: UserId) -> Result<Export> {
        let at = In::organization(&mut *uow, slug, actor).await?;
        let scope = *at.scope();
        scope.require(self.app.authorizer(), Action::ExportOrganization)?;
        let header = header(self.app);
        let (stage, known) = (Stage::Begin(header), BTreeSet::new());
        Ok(Export { uow, scope, organization: at.into_it(), stage, known, records: 0 })
    }
}

/// The first line of an export that is made now.
pub(super) fn header(app: &WorkScribe) -> Header {
    Header { format: FORMAT.to_owned(), version: VERSION, exported_at: app.now() }
}

impl Export {
    /// The organization.
    #[must_use]
    pub const fn organization(&self) -> &Organization {
        &self.organization
    }

    /// The number of lines so far.
    #[must_use]
    pub const fn records(&self) -> u64 {
        self.records
    }

    /// The next complete lines; `None` after the last ones. Without the line of type `end`, an export is incomplete.
    ///
    /// # Errors
    /// When the storage does not answer.
    pub async fn next(&mut self) -> Result<Option<String>> {
        let records = match std::mem::replace(&mut self.stage, Stage::Ended) {
            Stage::Ended => return Ok(None),
            Stage::Begin(header) => {
                self.stage = Stage::Rows(0, None);
                let Organization { id, name, slug, version, created_at, updated_at } =
                    self.organization.clone();
                let row = OrganizationRow { id, name, slug, version, created_at, updated_at };
                vec![Record::Header(header), Record::Organization(row)]
            }
            Stage::Rows(stage, after) => self.rows(stage, after).await?,
        };
        let mut lines = String::new();
        for record in records {
            lines.push_str(&record.to_line().map_err(Error::internal)?);
            self.records += 1;
        }
        Ok(Some(lines))
    }

    async fn rows(&mut self, mut stage: usize, mut after: Option<Uuid>) -> Result<Vec<Record>> {
        while let Some(kind) = Kind::ALL.get(stage) {
            let rows = self.uow.transfer().page(&self.scope, *kind, after, PAGE).await?;
            let is_last = rows.len() < PAGE as usize;
            after = rows.last().map(Record::id).filter(|_| !is_last);
            stage += usize::from(is_last);
            if !rows.is_empty() {
                self.stage = Stage::Rows(stage, after);
                return self.introduced(rows).await;
            }
        }
        Ok(vec![Record::End(End { records: self.records + 1 })])
    }

    /// The rows, after the people whom they name for the first time.
    async fn introduced(&mut self, rows: Vec<Record>) -> Result<Vec<Record>> {
        let named: BTreeSet<UserId> = rows.iter().flat_map(Record::people).collect();
        let new: Vec<UserId> = named.difference(&self.known).copied().collect();
        if new.is_empty() {
            return Ok(rows);
        }
        let people = self.uow.transfer().people(&new).await?;
        self.known.extend(new);
        Ok(people.into_iter().map(Record::User).chain(rows).collect())
    }
}
