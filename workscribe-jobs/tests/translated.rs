//! An embedder's templates replace the default ones. They are German for readers of German; the embedder's tables have the
//! languages.

#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::TimeDelta;
use tokio::sync::RwLock;
use workscribe_core::id::TaskId;
use workscribe_core::identity::{Actor, Client, Register};
use workscribe_core::notifications::{Digest, EntityType, NewNotification, NotificationType, SendDigest};
use workscribe_core::ports::{Mail, Secret};
use workscribe_core::tenancy::{In, NewInvitation, NewOrganization, OrgScope, Organization, Role};
use workscribe_core::webhooks::{DisabledReason, SendWebhookMail};
use workscribe_core::{RegistrationPolicy, Settings, WorkScribe};
use workscribe_jobs::mail::{
    AccountNotice, Content, DefaultTemplates, DigestNotice, InvitationNotice, Links, MailTemplates, Reader,
    WebhookNotice, escape_html, workscribe_jobs,
};
use workscribe_jobs::{JobError, Worker};
use workscribe_testkit::clock::FrozenClock;
use workscribe_testkit::mail::MailCapture;

use common::{app, app_with, counts, worker};

const ADA: &str = "ada@example.com";
const GRACE: &str = "grace@example.com";

/// The embedder's own table: the language of users and of organizations, by their ids.
type Languages = Arc<RwLock<Option<BTreeMap<String, &'static str>>>>;

struct Templates {
    languages: Languages,
    english: DefaultTemplates,
}

fn german(subject: String, words: &str, link: &str) -> Content {
    let text = format!("{words}\n\n{link}\n");
    let html =
        format!("<html lang=\"de\"><p>{}</p><a href=\"{}\">Los</a>", escape_html(words), escape_html(link));
    Content { subject, text, html }
}

#[async_trait]
impl MailTemplates for Templates {
    async fn language(&self, reader: &Reader<'_>) -> Result<Option<String>, JobError> {
        let languages = self.languages.read().await;
        let table = languages.as_ref().ok_or_else(|| JobError::retry("the languages are out of reach"))?;
        let ids = [reader.user.map(|id| id.to_string()), reader.organization.map(|id| id.to_string())];
        Ok(ids.iter().flatten().find_map(|id| table.get(id)).map(ToString::to_string))
    }

    fn verify_email(&self, notice: &AccountNotice<'_>) -> Content {
        match notice.language {
            Some("de") => german("Adresse bestätigen".into(), &notice.user.display_name, notice.link),
            _ => self.english.verify_email(notice),
        }
    }

    fn reset_password(&self, notice: &AccountNotice<'_>) -> Content {
        match notice.language {
            Some("de") => german("Neues Passwort".into(), &notice.user.display_name, notice.link),
            _ => self.english.reset_password(notice),
        }
    }

    fn already_registered(&self, notice: &AccountNotice<'_>) -> Content {
        match notice.language {
            Some("de") => german("Schon ein Konto".into(), &notice.user.display_name, notice.link),
            _ => self.english.already_registered(notice),
        }
    }

    fn invitation(&self, notice: &InvitationNotice<'_>) -> Content {
        match notice.language {
            Some("de") => {
                german(format!("Einladung zu {}", notice.org_name), notice.inviter_name, notice.link)
            }
            _ => self.english.invitation(notice),
        }
    }

    fn digest(&self, notice: &DigestNotice<'_>) -> Content {
        if notice.language != Some("de") {
            return self.english.digest(notice);
        }
        let line = |notification: &workscribe_core::notifications::Notification| {
            let who = notification.actor.as_ref().map_or("Jemand", |actor| &actor.display_name);
            let what = notification.body.as_deref().unwrap_or_default();
            match notification.kind {
                NotificationType::TaskAssigned => format!("{who} hat dir „{what}“ gegeben."),
                NotificationType::Mention => format!("{who} hat dich erwähnt: {what}"),
                NotificationType::TaskDone => format!("{who} hat „{what}“ erledigt."),
            }
        };
        let lines: Vec<String> = notice.notifications.iter().map(line).collect();
        german(format!("{} Neuigkeiten", lines.len()), &lines.join("\n"), notice.link)
    }

    fn webhook_disabled(&self, notice: &WebhookNotice<'_>) -> Content {
        match notice.language {
            Some("de") => german(format!("Webhook zu {} ist aus", notice.host), notice.org_name, notice.link),
            _ => self.english.webhook_disabled(notice),
        }
    }
}

struct House {
    app: WorkScribe,
    clock: FrozenClock,
    languages: Languages,
    capture: MailCapture,
    worker: Worker,
}

impl House {
    fn of((app, clock): (WorkScribe, FrozenClock)) -> Self {
        let (languages, capture) = (Languages::default(), MailCapture::new());
        let templates = Templates { languages: languages.clone(), english: DefaultTemplates::default() };
        let links = Links::new("https://app.example.com").unwrap();
        let worker = worker(&app, workscribe_jobs(Arc::new(capture.clone()), Arc::new(templates), links));
        Self { app, clock, languages, capture, worker }
    }

    async fn speaks(&self, id: impl ToString, language: &'static str) {
        self.languages.write().await.get_or_insert_default().insert(id.to_string(), language);
    }

    async fn register(&self, email: &str) {
        let password = Secret::new("correct horse battery staple");
        let input = Register { email: email.into(), display_name: "Ada Lovelace".into(), password };
        self.app.identity().register(&input, &Client::default()).await.unwrap();
    }

    /// The caller with a registered address.
    async fn actor(&self, email: &str) -> Actor {
        let mut uow = self.app.begin().await.unwrap();
        let user = self.app.identity().find_by_email(&mut *uow, email).await.unwrap().unwrap();
        let tokens = self.app.identity().start_session(&mut *uow, user, &Client::default()).await.unwrap();
        self.app.commit(uow).await.unwrap();
        self.app.identity().authenticate(tokens.access_token.expose()).await.unwrap()
    }

    async fn organization(&self, owner: &Actor) -> In<Organization> {
        let mut uow = self.app.begin().await.unwrap();
        let new = NewOrganization { name: "Engines".into(), slug: "engines".into() };
        let made = self.app.organizations().create(&mut *uow, owner, &new).await.unwrap();
        self.app.commit(uow).await.unwrap();
        made
    }

    async fn invite(&self, at: &In<Organization>, email: &str) {
        let mut uow = self.app.begin().await.unwrap();
        let new = NewInvitation { email: email.to_owned(), role: Role::Member };
        self.app.organizations().invite(&mut *uow, at, &new).await.unwrap();
        self.app.commit(uow).await.unwrap();
    }

    /// Adds a notification of each kind for a member, to be sent by mail.
    async fn tell(&self, scope: &OrgScope) {
        let kinds = [NotificationType::TaskAssigned, NotificationType::Mention, NotificationType::TaskDone];
        let new = kinds.map(|kind| NewNotification {
            id: self.app.new_id(),
            user_id: scope.actor(),
            kind,
            title: "An English title".into(),
            body: Some("Weben".into()),
            entity_type: EntityType::Task,
            entity_id: self.app.new_id::<TaskId>().into(),
            mail: true,
            created_at: self.app.now(),
        });
        let job = self.app.jobs().prepare(&SendDigest { user: scope.actor() }).unwrap();
        let mut uow = self.app.begin().await.unwrap();
        uow.notifications().add(scope, &new).await.unwrap();
        let digest = Digest { user: scope.actor(), job: job.id };
        assert!(uow.notifications().open_digest(&digest).await.unwrap());
        uow.outbox().enqueue(&[job]).await.unwrap();
        self.app.commit(uow).await.unwrap();
    }

    async fn mail(&self) -> Mail {
        self.worker.drain().await.unwrap();
        let mut mails = self.capture.take();
        assert_eq!(mails.len(), 1);
        mails.remove(0)
    }
}

#[tokio::test]
async fn every_mail_is_in_the_language_of_its_reader() {
    let settings = Settings { registration: RegistrationPolicy::VerifyFirst, ..Settings::default() };
    let house = House::of(app_with(settings).await);
    house.speaks("somebody else", "de").await;
    house.register(ADA).await;
    let english = house.mail().await;
    assert!(english.subject.starts_with("Verify your e-mail address"), "nobody's language is English");
    let ada = house.actor(ADA).await;
    house.speaks(ada.user, "de").await;

    let mut said = Vec::new();
    let mut uow = house.app.begin().await.unwrap();
    house.app.identity().resend_verification(&mut *uow, &ada).await.unwrap();
    house.app.commit(uow).await.unwrap();
    said.push(house.mail().await);
    house.register(ADA).await;
    said.push(house.mail().await);
    let mut uow = house.app.begin().await.unwrap();
    house.app.identity().forgot_password(&mut *uow, ADA).await.unwrap();
    house.app.commit(uow).await.unwrap();
    said.push(house.mail().await);
    let engines = house.organization(&ada).await;
    house.tell(engines.scope()).await;
    said.push(house.mail().await);
    house.invite(&engines, GRACE).await;
    let english = house.mail().await;
    assert_eq!(english.subject, "You are invited to an organization on WorkScribe");
    house.speaks(engines.id, "de").await;
    house.invite(&engines, GRACE).await;
    said.push(house.mail().await);
    let webhook = SendWebhookMail {
        user: ada.user,
        org_name: "Engines".into(),
        org_slug: engines.slug.clone(),
        host: "hooks.example.com".into(),
        reason: DisabledReason::Gone,
    };
    let job = house.app.jobs().prepare(&webhook).unwrap();
    house.app.jobs().enqueue(&[job]).await.unwrap();
    said.push(house.mail().await);

    let subjects: Vec<&str> = said.iter().map(|mail| &*mail.subject).collect();
    assert_eq!(
        subjects,
        [
            "Adresse bestätigen",
            "Schon ein Konto",
            "Neues Passwort",
            "3 Neuigkeiten",
            "Einladung zu Engines",
            "Webhook zu hooks.example.com ist aus"
        ]
    );
    for mail in &said {
        assert!(mail.html.contains("lang=\"de\"") && mail.text.contains(mail.link.as_deref().unwrap()));
    }
    let digest = &said[3].text;
    let lines = [
        "Ada Lovelace hat dir „Weben“ gegeben.",
        "Ada Lovelace hat dich erwähnt: Weben",
        "Ada Lovelace hat „Weben“ erledigt.",
    ];
    assert!(lines.iter().all(|line| digest.contains(line)) && !digest.contains("English"), "{digest}");
}

#[tokio::test]
async fn a_mail_whose_language_cannot_be_found_out_now_goes_later() {
    let house = House::of(app().await);
    house.register(ADA).await;
    house.worker.drain().await.unwrap();
    assert!(house.capture.all().is_empty());
    assert_eq!(counts(&house.app).await.available, 1);
    *house.languages.write().await = Some(BTreeMap::new());
    house.clock.advance(TimeDelta::seconds(2));
    assert_eq!(house.mail().await.to, ADA);
}
