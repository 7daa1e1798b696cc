//! Notifications, the counts of unread ones, preferences, and digests.

use std::collections::BTreeMap;

use async_trait::async_trait;
use sqlx::types::{Json, Uuid};
use sqlx::{FromRow, query, query_as};
use workscribe_core::StoreResult;
use workscribe_core::clock::Timestamp;
use workscribe_core::id::{NotificationId, UserId};
use workscribe_core::notifications::{
    Digest, NewNotification, Notification, NotificationFilter, NotificationStore, NotificationType,
    Preferences,
};
use workscribe_core::page::PageRequest;
use workscribe_core::tenancy::{OrgScope, Slug};
use workscribe_core::transfer::NotificationRow;
use workscribe_core::work::Person;

use super::bind::BindAll as _;
use super::pending::{self, Statement, Write, push_rows};
use super::table::{Stored, insertion};
use super::{Unit, before, dialect, named, storable};

/// A notification with its organization and its actor; see `notification_select!`.
#[derive(FromRow)]
struct ShownRow {
    org_id: Uuid,
    org_slug: String,
    org_name: String,
    #[sqlx(flatten)]
    row: Stored<NotificationRow>,
    display_name: Option<String>,
    avatar_url: Option<String>,
}

impl From<ShownRow> for Notification {
    fn from(shown: ShownRow) -> Self {
        let row = shown.row.0;
        let actor = row.actor_id.zip(shown.display_name);
        Self {
            id: row.id,
            org_id: shown.org_id.into(),
            org_slug: Slug::from_stored(shown.org_slug),
            org_name: shown.org_name,
            user_id: row.user_id,
            kind: row.kind,
            title: row.title,
            body: row.body,
            entity_type: row.entity_type,
            entity_id: row.entity_id,
            actor: actor.map(|(id, display_name)| Person { id, display_name, avatar_url: shown.avatar_url }),
            is_read: row.is_read,
            created_at: row.created_at,
        }
    }
}

/// The notifications before a cursor, of one organization or of all, newest first. The statement walks those of the person in order, so
/// its cost does not depend on their number, and skips organizations that the person left; `IS TRUE` prevents a plan that begins there.
macro_rules! page_of_notifications {
    ($condition:expr) => {
        concat!(
            "WITH mine AS MATERIALIZED (
                 SELECT m.org_id, o.slug, o.name FROM ws_members m JOIN ws_organizations o ON o.id = m.org_id
                  WHERE m.user_id = $1 AND ($4 IS NULL OR o.slug = $4)
             ), page AS MATERIALIZED (
                 SELECT * FROM (
                     SELECT * FROM ws_notifications n
                      WHERE n.user_id = $1 AND ",
            $condition,
            " AND (n.created_at, n.id) < ($2, $3) AND (n.org_id ",
            any_of!("(SELECT org_id FROM mine)"),
            ") IS TRUE
                      ORDER BY n.created_at DESC, n.id DESC LIMIT 101
                 ) AS n ORDER BY n.created_at DESC, n.id DESC LIMIT $5
             ), actors AS MATERIALIZED (",
            users_by_id!(
                "id, display_name, avatar_url",
                "(SELECT actor_id FROM page WHERE actor_id IS NOT NULL)"
            ),
            ") SELECT n.org_id, o.slug AS org_slug, o.name AS org_name, ",
            notification_columns!(),
            ", u.display_name, u.avatar_url
                 FROM page n JOIN mine o ON o.org_id = n.org_id LEFT JOIN actors u ON u.id = n.actor_id
                ORDER BY n.created_at DESC, n.id DESC"
        )
    };
}

/// The oldest notifications from before a time, up to a number of them.
macro_rules! old {
    () => {
        "(SELECT org_id, id FROM ws_notifications WHERE created_at < $1 ORDER BY created_at, org_id, id LIMIT $2)"
    };
}

#[async_trait]
impl NotificationStore for Unit {
    async fn add(&mut self, scope: &OrgScope, new: &[NewNotification]) -> StoreResult<()> {
        let org = scope.org().as_uuid();
        for new in new.chunks(pending::ROWS_AT_ONCE) {
            let rows = new.iter().map(|new| NotificationRow {
                id: new.id,
                user_id: new.user_id,
                kind: new.kind,
                title: storable(&new.title),
                body: new.body.as_deref().map(storable),
                entity_type: new.entity_type,
                entity_id: new.entity_id,
                actor_id: Some(scope.actor()),
                is_read: false,
                is_mailed: new.mail,
                created_at: new.created_at,
            });
            self.write_later(insertion("ws_notifications: add", org, rows.collect(), "")).await?;
        }
        let mut unread = BTreeMap::<Uuid, i64>::new();
        new.iter().for_each(|new| *unread.entry(new.user_id.as_uuid()).or_default() += 1);
        self.count_unread(org, unread).await
    }

    async fn list(
        &mut self,
        user: UserId,
        filter: &NotificationFilter,
        page: &PageRequest,
    ) -> StoreResult<Vec<Notification>> {
        let (at, id) = before(page);
        // Two statements, because unread notifications have their own index.
        let list = if filter.unread {
            query_as::<_, ShownRow>(page_of_notifications!(unread!()))
        } else {
            query_as::<_, ShownRow>(page_of_notifications!("TRUE"))
        }
        .bind_all((user, at, id, filter.organization.as_ref().map(Slug::as_str), page.fetch()));
        Ok(self.all("ws_notifications: list", list).await?.into_iter().map(Notification::from).collect())
    }

    async fn count(&mut self, user: UserId, filter: &NotificationFilter) -> StoreResult<i64> {
        let count = if filter.unread {
            query_as::<_, (i64,)>(
                "SELECT CAST(COALESCE(sum(c.unread), 0) AS bigint)
                   FROM ws_members m JOIN ws_unread c ON c.org_id = m.org_id AND c.user_id = $1
                   JOIN ws_organizations o ON o.id = m.org_id
                  WHERE m.user_id = $1 AND ($2 IS NULL OR o.slug = $2)",
            )
        } else {
            query_as(
                "SELECT count(*) FROM ws_notifications n JOIN ws_members m ON m.org_id = n.org_id AND m.user_id = n.user_id
                   JOIN ws_organizations o ON o.id = n.org_id
                  WHERE n.user_id = $1 AND ($2 IS NULL OR o.slug = $2)",
            )
        }
        .bind_all((user, filter.organization.as_ref().map(Slug::as_str)));
        Ok(self.one("ws_notifications: count", count).await?.0)
    }

    async fn set_read(
        &mut self,
        user: UserId,
        id: NotificationId,
        is_read: bool,
    ) -> StoreResult<Option<Notification>> {
        // By the primary key, which begins with the organization.
        let update = query_as::<_, (Uuid,)>(
            "UPDATE ws_notifications SET is_read = $3
              WHERE org_id IN (SELECT org_id FROM ws_members WHERE user_id = $1) AND id = $2 AND user_id = $1 AND is_read <> $3
             RETURNING org_id",
        )
        .bind_all((user, id, is_read));
        if let Some((org,)) = self.optional("ws_notifications: set read", update).await? {
            let by = if is_read { -1 } else { 1 };
            self.count_unread(org, BTreeMap::from([(user.as_uuid(), by)])).await?;
        }
        let find = query_as::<_, ShownRow>(concat!(
            notification_select!(),
            "WHERE m.user_id = $1 AND n.user_id = $1 AND n.id = $2"
        ))
        .bind_all((user, id));
        Ok(self.optional("ws_notifications: find", find).await?.map(Notification::from))
    }

    async fn read_all(&mut self, user: UserId, filter: &NotificationFilter) -> StoreResult<u64> {
        macro_rules! unread_of {
            () => {
                concat!(
                    "WHERE n.user_id = $1 AND ",
                    unread!(),
                    " AND n.org_id IN (SELECT m.org_id FROM ws_members m JOIN ws_organizations o ON o.id = m.org_id
                                        WHERE m.user_id = $1 AND ($2 IS NULL OR o.slug = $2))"
                )
            };
        }
        let count =
            concat!("SELECT n.org_id, count(*) FROM ws_notifications n ", unread_of!(), " GROUP BY n.org_id");
        let update = concat!("UPDATE ws_notifications AS n SET is_read = TRUE ", unread_of!());
        let both = concat!(
            "WITH done AS (UPDATE ws_notifications AS n SET is_read = TRUE ",
            unread_of!(),
            " RETURNING n.org_id) SELECT org_id, count(*) FROM done GROUP BY org_id ORDER BY org_id"
        );
        let slug = filter.organization.as_ref().map(Slug::as_str);
        let first = if dialect::WRITES_TOGETHER { both } else { count };
        let counts = query_as::<_, (Uuid, i64)>(first).bind_all((user, slug));
        let counts = self.all("ws_notifications: read all", counts).await?;
        if !dialect::WRITES_TOGETHER {
            let update = query(update).bind_all((user, slug));
            self.execute("ws_notifications: read all", update).await?;
        }
        let mut read = 0;
        for (org, number) in counts {
            self.count_unread(org, BTreeMap::from([(user.as_uuid(), -number)])).await?;
            read += number.unsigned_abs();
        }
        Ok(read)
    }

    async fn preferences(&mut self, user: UserId) -> StoreResult<Preferences> {
        Ok(self.preferences_of(&[user]).await?.pop().unwrap_or_default())
    }

    async fn preferences_of(&mut self, users: &[UserId]) -> StoreResult<Vec<Preferences>> {
        let mut preferences = vec![Preferences::default(); users.len()];
        if users.is_empty() {
            return Ok(preferences);
        }
        let list = query_as::<_, (Uuid, String, bool)>(concat!(
            "SELECT user_id, type, email FROM ws_notification_preferences WHERE user_id ",
            in_ids!("$1")
        ))
        .bind(Json(users));
        for (user, kind, mails) in self.all("ws_notification_preferences: list", list).await? {
            let kind = named("ws_notification_preferences", "type", &kind, NotificationType::parse)?;
            let theirs = users.iter().zip(&mut preferences).filter(|(id, _)| id.as_uuid() == user);
            theirs.for_each(|(_, preferences)| preferences.set(kind, mails));
        }
        Ok(preferences)
    }

    async fn set_preference(&mut self, user: UserId, kind: NotificationType, mails: bool) -> StoreResult<()> {
        let upsert = query(
            "INSERT INTO ws_notification_preferences (user_id, type, email) VALUES ($1, $2, $3)
             ON CONFLICT (user_id, type) DO UPDATE SET email = excluded.email",
        )
        .bind_all((user, kind.as_str(), mails));
        self.execute("ws_notification_preferences: set", upsert).await?;
        Ok(())
    }

    async fn open_digest(&mut self, digest: &Digest) -> StoreResult<bool> {
        // An open digest is also written, without a change, for its lock: until the commit no other transaction closes it without
        // the notifications that this transaction adds.
        let open = query_as::<_, (Uuid,)>(
            "INSERT INTO ws_digests (user_id, job_id) VALUES ($1, $2)
             ON CONFLICT (user_id) DO UPDATE SET job_id = ws_digests.job_id
             RETURNING job_id",
        )
        .bind_all((digest.user, digest.job));
        Ok(self.one("ws_digests: open", open).await?.0 == digest.job.as_uuid())
    }

    async fn close_digest(&mut self, digest: &Digest) -> StoreResult<()> {
        let close = query("DELETE FROM ws_digests WHERE user_id = $1 AND job_id = $2")
            .bind_all((digest.user, digest.job));
        if self.execute("ws_digests: close", close).await? == 0 {
            return Ok(());
        }
        // Here and below, the condition of `ws_notifications_mail_idx` is repeated beside the stricter one: SQLite does not see
        // that one implies the other.
        let take = query(
            "UPDATE ws_notifications SET mail = 'taken', digest_id = $2
              WHERE user_id = $1 AND mail = 'waiting' AND mail IN ('waiting', 'taken') AND is_read = FALSE
                AND org_id IN (SELECT org_id FROM ws_members WHERE user_id = $1)",
        )
        .bind_all((digest.user, digest.job));
        self.execute("ws_notifications: take for digest", take).await?;
        let drop = query(
            "UPDATE ws_notifications SET mail = 'none'
              WHERE user_id = $1 AND mail = 'waiting' AND mail IN ('waiting', 'taken')",
        )
        .bind(digest.user.as_uuid());
        self.execute("ws_notifications: drop from digest", drop).await?;
        Ok(())
    }

    async fn digest(&mut self, digest: &Digest, limit: u32) -> StoreResult<Vec<Notification>> {
        let list = query_as::<_, ShownRow>(concat!(
            notification_select!(),
            "WHERE n.user_id = $1 AND n.digest_id = $2 AND n.mail IN ('taken', 'sent')
             ORDER BY n.created_at, n.id LIMIT $3"
        ))
        .bind_all((digest.user, digest.job, limit));
        Ok(self.all("ws_notifications: digest", list).await?.into_iter().map(Notification::from).collect())
    }

    async fn digest_sent(&mut self, digest: &Digest) -> StoreResult<()> {
        let update = query(
            "UPDATE ws_notifications SET mail = 'sent'
              WHERE user_id = $1 AND digest_id = $2 AND mail = 'taken' AND mail IN ('waiting', 'taken')",
        )
        .bind_all((digest.user, digest.job));
        self.execute("ws_notifications: digest sent", update).await?;
        Ok(())
    }

    async fn sweep(&mut self, before: Timestamp, limit: u32) -> StoreResult<u64> {
        let counts = if dialect::WRITES_TOGETHER {
            concat!(
                "WITH gone AS (DELETE FROM ws_notifications WHERE (org_id, id) IN ",
                old!(),
                " RETURNING org_id, user_id, is_read)
             SELECT org_id, user_id, count(*), sum(CASE WHEN is_read THEN 0 ELSE 1 END)
               FROM gone GROUP BY org_id, user_id ORDER BY org_id, user_id"
            )
        } else {
            concat!(
                "SELECT org_id, user_id, count(*), sum(CASE WHEN is_read THEN 0 ELSE 1 END)
                   FROM ws_notifications WHERE (org_id, id) IN ",
                old!(),
                " GROUP BY org_id, user_id"
            )
        };
        let counts = query_as::<_, (Uuid, Uuid, i64, i64)>(counts).bind_all((before, limit));
        let counts = self.all("ws_notifications: sweep", counts).await?;
        if !dialect::WRITES_TOGETHER {
            let delete = query(concat!("DELETE FROM ws_notifications WHERE (org_id, id) IN ", old!()));
            let delete = delete.bind_all((before, limit));
            self.execute("ws_notifications: sweep", delete).await?;
        }
        let mut removed = 0;
        for (org, user, number, unread) in counts {
            if unread > 0 {
                self.count_unread(org, BTreeMap::from([(user, -unread)])).await?;
            }
            removed += number.unsigned_abs();
        }
        Ok(removed)
    }
}

impl Unit {
    /// Adds to the counts of an organization's unread notifications, in the order of user ids, as the digests that may follow.
    pub(super) async fn count_unread(&mut self, org: Uuid, unread: BTreeMap<Uuid, i64>) -> StoreResult<()> {
        if unread.is_empty() {
            return Ok(());
        }
        let (name, rows) = ("ws_unread: count", unread.len());
        let updates = unread.keys().map(|user| ("ws_unread", *user)).collect();
        let push = move |upsert: &mut Statement| {
            upsert.push("INSERT INTO ws_unread (org_id, user_id, unread) ");
            push_rows(upsert, unread, |row, (user, by)| {
                row.push_bind(org).push_bind(user).push_bind(by);
            });
            upsert.push(
                " ON CONFLICT (org_id, user_id) DO UPDATE SET unread = ws_unread.unread + excluded.unread",
            );
        };
        self.write_later(Write { name, rows, updates, push: Box::new(push) }).await
    }
}
