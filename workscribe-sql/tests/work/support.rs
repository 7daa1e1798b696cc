//! An organization of four people with one project.

use std::sync::Arc;

use chrono::TimeDelta;
use workscribe_core::clock::{Clock, Entropy};
use workscribe_core::id::{ProjectId, StatusId, UserId};
use workscribe_core::identity::{Actor, SecretKey, SecretRing, TokenHash};
use workscribe_core::ports::Secret;
use workscribe_core::tenancy::{
    In, Invitation, InvitationPass, InvitationStatus, NewOrganization, OrgScope, Role, RoleTable,
    invitation_token,
};
use workscribe_core::work::{NewProject, ProjectType};
use workscribe_core::{Storage, UnitOfWork, WorkScribe};

/// The organization `engines` and its project `WEB`. The first person is the owner.
pub(crate) struct Team {
    pub(crate) app: WorkScribe,
    pub(crate) people: Vec<UserId>,
    pub(crate) project: ProjectId,
    pub(crate) statuses: Vec<StatusId>,
}

impl Team {
    pub(crate) async fn new(
        storage: Arc<dyn Storage>,
        clock: impl Clock + 'static,
        entropy: impl Entropy + 'static,
    ) -> Self {
        let key = SecretKey::new(&Secret::new("a key for tests, which is of no use elsewhere")).unwrap();
        let app = WorkScribe::builder(storage, SecretRing::new(key, Vec::new()))
            .clock(Arc::new(clock))
            .entropy(Arc::new(entropy))
            .build();
        let mut uow = app.begin().await.unwrap();
        let mut people = Vec::new();
        for name in ["Ada Lovelace", "Grace Hopper", "Alan Turing", "Mary Jackson"] {
            let email = format!("{}@example.com", name.split(' ').next().unwrap().to_lowercase());
            let identity = app.identity();
            people.push(identity.create_without_password(&mut *uow, &email, name, true).await.unwrap().id);
        }
        let owner = Actor { user: people[0], session: app.new_id() };
        let new = NewOrganization { name: "Analytical Engines".into(), slug: "engines".into() };
        let at = app.organizations().create(&mut *uow, &owner, &new).await.unwrap();
        for person in &people[1..] {
            join(&app, &mut *uow, at.scope(), *person).await;
        }
        let new = NewProject {
            name: "Website".into(),
            key: "web".into(),
            description: Some("Café".into()),
            kind: ProjectType::Kanban,
        };
        let project = app.projects().create(&mut *uow, &at, &new).await.unwrap().id;
        let at = In::project(&mut *uow, "engines", "web", people[0]).await.unwrap();
        let statuses = app.projects().statuses(&mut *uow, &at).await.unwrap();
        let statuses = statuses.iter().map(|status| status.id).collect();
        app.commit(uow).await.unwrap();
        Self { app, people, project, statuses }
    }
}

/// Invites a user with a known token, and accepts the invitation.
pub(crate) async fn join(app: &WorkScribe, uow: &mut dyn UnitOfWork, scope: &OrgScope, user: UserId) {
    let email = uow.users().find(user).await.unwrap().unwrap().email;
    let token = invitation_token(scope.org(), email.as_str());
    let invitation = Invitation {
        id: app.new_id(),
        org_id: scope.org(),
        email,
        role: Role::Member,
        stored_status: InvitationStatus::Pending,
        token_hash: TokenHash::of(&token),
        invited_by: scope.actor(),
        expires_at: app.now() + TimeDelta::hours(1),
        version: 1,
        created_at: app.now(),
    };
    uow.invitations().put_pending(scope, &invitation).await.unwrap();
    let pass = InvitationPass::redeem(uow, &RoleTable, &token, app.now()).await.unwrap();
    uow.members().join(&pass, user, app.now()).await.unwrap();
}
