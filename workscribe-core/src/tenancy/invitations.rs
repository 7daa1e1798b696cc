//! Invitations: creating, sending and accepting them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::{Code, Error, FieldError, Result, Violations};
use crate::events::DomainEvent;
use crate::id::{InvitationId, OneTimeTokenId, OrgId, UserId};
use crate::identity::{Actor, Client, Email, IssuedTokens, PreparedUser, Purpose, Register, TokenHash, User};
use crate::limits::Limit;
use crate::mail_limits;
use crate::outbox::Job;
use crate::page::{Cursor, Page, PageRequest};
use crate::ports::Secret;
use crate::storage::UnitOfWork;
use crate::store_error::{Constraint, StoreError};
use crate::target::Target;

use super::model::{
    Invitation, InvitationPreview, InvitationStatus, ListedInvitation, Member, Organization, Role,
};
use super::organizations::Organizations;
use super::permission::Action;
use super::scope::{In, InvitationPass, OrgScope};

/// Sends the mail of an invitation. The payload does not contain the token; the worker derives it from the token's id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendInvitationMail {
    /// The recipient.
    pub email: Email,
    /// The name of the organization.
    pub org_name: String,
    /// The id of the organization. It is a part of the token, and an embedder may use it to choose the language. `None` in jobs
    /// that an earlier version enqueued, whose tokens are not valid any more.
    #[serde(default)]
    pub org_id: Option<OrgId>,
    /// The name of the inviter.
    pub inviter_name: String,
    /// The id of the inviter; `None` as above.
    #[serde(default)]
    pub inviter_id: Option<UserId>,
    /// The invited role.
    pub role: Role,
    /// The id of the token.
    pub token_id: OneTimeTokenId,
    /// The name of the key that derives it.
    pub key_id: String,
}

impl Job for SendInvitationMail {
    const KIND: &'static str = "mail.invitation";
    const QUEUE: &'static str = crate::outbox::MAIL_QUEUE;

    fn org(&self) -> Option<OrgId> {
        self.org_id
    }
}

impl SendInvitationMail {
    /// The token for the link; `None` when its key is not accepted any more.
    #[must_use]
    pub fn token(&self, app: &crate::WorkScribe) -> Option<String> {
        let secret =
            app.secrets().one_time(Some(&self.key_id), Purpose::Invitation, self.token_id.as_uuid())?;
        Some(invitation_token(self.org_id?, &secret))
    }
}

/// How many characters of a token are the organization's id: base64 without padding.
const ORG_CHARS: usize = 22;

/// The token of an invitation: its organization, in which it is looked up, and its secret.
#[must_use]
pub fn invitation_token(org: OrgId, secret: &str) -> String {
    format!("{}{secret}", URL_SAFE_NO_PAD.encode(org.as_uuid()))
}

/// The organization of a token; `None` when the text is not a token.
pub(super) fn org_of_token(token: &str) -> Option<OrgId> {
    let bytes = URL_SAFE_NO_PAD.decode(token.get(..ORG_CHARS)?).ok()?;
    Some(Uuid::from_slice(&bytes).ok()?.into())
}

/// The input of an invitation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewInvitation {
    /// The address to invite.
    pub email: String,
    /// The role: admin or member.
    pub role: Role,
}

/// The input of a person without an account who accepts an invitation.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// Their name.
    pub display_name: Option<String>,
    /// Their password.
    pub password: Option<Secret>,
}

/// The result of accepting: the person is a member and logged in.
pub type AcceptedInvitation = IssuedTokens;

impl Organizations<'_> {
    /// Invites an address. It replaces a pending invitation to the same address.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE`, `VALIDATION_FAILED`, `ALREADY_MEMBER`; `EMAIL_NOT_VERIFIED` if inviters must be verified
    /// ([`crate::Settings::verified_inviters`]); `RATE_LIMITED` by the number of mails; `LIMIT_REACHED`.
    pub async fn invite(
        &self,
        uow: &mut dyn UnitOfWork,
        at: &In<Organization>,
        new: &NewInvitation,
    ) -> Result<Invitation> {
        let (scope, role) = (at.scope(), new.role);
        scope.require(self.app.authorizer(), Action::ManageInvitations)?;
        let mut violations = Violations::default();
        let email = violations.keep("/email", Email::parse(&new.email));
        if role == Role::Owner {
            violations.add(
                "/role",
                "NOT_ALLOWED",
                "Invite an admin or a member; an owner can make them an owner later.",
            );
        }
        let email = violations.into_values(email)?;
        if uow.members().find_by_email(scope, &email).await?.is_some() {
            return Err(Error::new(
                Code::AlreadyMember,
                "A member of this organization has this e-mail address.",
            ));
        }
        self.require_verified(uow, scope).await?;
        self.count_mail(scope, &email).await?;
        uow.organizations().lock(scope).await?;
        let there = uow.invitations().count_pending(scope, &email).await?;
        self.app.limits().admit(Limit::InvitationsPerOrganization, there)?;
        let (now, token) = (self.app.now(), self.new_token(scope.org())?);
        let invitation = Invitation {
            id: self.app.new_id(),
            org_id: scope.org(),
            email,
            role,
            stored_status: InvitationStatus::Pending,
            token_hash: token.hash,
            invited_by: scope.actor(),
            expires_at: now + self.app.settings().invitation_ttl,
            version: 1,
            created_at: now,
        };
        uow.invitations().put_pending(scope, &invitation).await.map_err(|error| match error {
            // The organization was removed at the same time.
            StoreError::Conflict { constraint: Constraint::Reference, .. } => super::organizations::gone(),
            other => other.into(),
        })?;
        // The invitation locks the organization, so the inviter comes second. A removal of the inviter waits, then revokes it.
        let inviter =
            uow.members().hold(scope, scope.actor()).await?.ok_or_else(super::organizations::gone)?;
        super::scope::require(self.app.authorizer(), inviter.role, Action::ManageInvitations)?;
        self.send(uow, (at, &invitation), &inviter, token.id).await?;
        let event = DomainEvent::InvitationCreated { invitation: invitation.clone() };
        self.app.announce(uow, scope, &event).await?;
        Ok(invitation)
    }

    /// The invitations in every status, newest first, and which of their addresses refuse mail.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE`.
    pub async fn invitations(
        &self,
        uow: &mut dyn UnitOfWork,
        scope: &OrgScope,
        page: &PageRequest,
    ) -> Result<Page<ListedInvitation>> {
        scope.require(self.app.authorizer(), Action::ManageInvitations)?;
        let rows = uow.invitations().list(scope, page).await?;
        let total = if page.wants_count() { Some(uow.invitations().count(scope).await?) } else { None };
        Ok(page
            .page(rows, total, |row| Cursor { at: row.invitation.created_at, id: row.invitation.id.into() }))
    }

    /// Sends an invitation again, with a new token and the full lifetime. The old link stops working.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE`, `INVITATION_NOT_FOUND` (also when revoked), `INVITATION_ACCEPTED`; `EMAIL_NOT_VERIFIED` and
    /// `RATE_LIMITED` as above.
    pub async fn resend_invitation(
        &self,
        uow: &mut dyn UnitOfWork,
        at: &In<Organization>,
        id: InvitationId,
    ) -> Result<()> {
        let scope = at.scope();
        scope.require(self.app.authorizer(), Action::ManageInvitations)?;
        self.require_verified(uow, scope).await?;
        let again =
            "This invitation was sent several times already. Wait until the time in Retry-After has passed.";
        mail_limits::count(self.app, Limit::MailsPerInvitation, &id.to_string(), again).await?;
        let token = self.new_token(scope.org())?;
        let expires_at = self.app.now() + self.app.settings().invitation_ttl;
        match uow.invitations().renew(scope, id, &token.hash, expires_at).await? {
            Some(invitation) => {
                self.count_mail(scope, &invitation.email).await?;
                let inviter = uow.members().find(scope, scope.actor()).await?;
                let inviter = inviter.ok_or_else(super::organizations::gone)?;
                self.send(uow, (at, &invitation), &inviter, token.id).await
            }
            None => Err(self.why_not_pending(uow, scope, id).await?),
        }
    }

    /// Revokes an invitation. If it is already revoked, nothing happens.
    ///
    /// # Errors
    /// `INSUFFICIENT_ROLE`, `INVITATION_NOT_FOUND`, `INVITATION_ACCEPTED`, `STALE_VERSION`.
    pub async fn revoke_invitation(
        &self,
        uow: &mut dyn UnitOfWork,
        scope: &OrgScope,
        invitation: Target<InvitationId>,
    ) -> Result<()> {
        let Target { id, version: expected } = invitation;
        scope.require(self.app.authorizer(), Action::ManageInvitations)?;
        if uow.invitations().revoke(scope, id, expected).await? {
            let event = DomainEvent::InvitationRevoked { org: scope.org(), invitation: id };
            return self.app.announce(uow, scope, &event).await;
        }
        match uow.invitations().find(scope, id).await?.map(|invitation| invitation.stored_status) {
            Some(InvitationStatus::Revoked) => Ok(()),
            _ => Err(self.why_not_pending(uow, scope, id).await?),
        }
    }

    /// What the bearer of a token may see of the invitation.
    ///
    /// # Errors
    /// `INVITATION_NOT_FOUND`, `INVITATION_EXPIRED`.
    pub async fn preview_invitation(
        &self,
        uow: &mut dyn UnitOfWork,
        token: &str,
    ) -> Result<InvitationPreview> {
        Ok(InvitationPass::redeem(uow, self.app.authorizer(), token, self.app.now()).await?.into_preview())
    }

    /// Accepts an invitation and logs in.
    ///
    /// If the caller is logged in with the invited address, that user becomes a member. If nobody is logged in and the address
    /// has no account, name and password create one. Its address counts as verified, since the token was sent there.
    ///
    /// # Errors
    /// `INVITATION_NOT_FOUND`, `INVITATION_EXPIRED`, `EMAIL_MISMATCH`, `LOGIN_REQUIRED` when the address has an account,
    /// `ALREADY_MEMBER`, `LIMIT_REACHED`, `VALIDATION_FAILED`, `OVERLOADED`.
    pub async fn accept_invitation(
        &self,
        token: &str,
        actor: Option<&Actor>,
        account: &NewAccount,
        client: &Client,
    ) -> Result<AcceptedInvitation> {
        // The token is checked before the slow hash, and again in the transaction.
        let email = self.invited_address(token, actor).await?;
        let newcomer = match actor {
            Some(_) => None,
            None => Some(self.prepare_account(&email, account, client).await?),
        };
        let mut uow = self.app.begin().await?;
        let pass = InvitationPass::redeem(&mut *uow, self.app.authorizer(), token, self.app.now()).await?;
        let user = match (actor, newcomer) {
            (Some(actor), _) => self.app.identity().me(&mut *uow, actor).await?,
            (None, Some(prepared)) => {
                let created = self.app.identity().create(&mut *uow, prepared, true).await;
                created.map_err(
                    |error| if error.code() == Code::EmailTaken { login_required() } else { error },
                )?
            }
            (None, None) => return Err(login_required()),
        };
        if user.email != email {
            return Err(Error::new(
                Code::EmailMismatch,
                "This invitation was sent to another e-mail address than that of your account.",
            ));
        }
        let user = self.join(&mut *uow, &pass, user).await?;
        let tokens = self.app.identity().start_session(&mut *uow, user, client).await?;
        self.app.commit(uow).await?;
        Ok(tokens)
    }

    /// The address of a valid invitation, for a caller who is logged in or has no account yet. It returns its connection to the
    /// pool: callers that each hold one and wait for a second one would wait for each other.
    async fn invited_address(&self, token: &str, actor: Option<&Actor>) -> Result<Email> {
        let mut uow = self.app.read().await?;
        let pass = InvitationPass::redeem(&mut *uow, self.app.authorizer(), token, self.app.now()).await?;
        let email = &pass.invitation().email;
        if actor.is_none() && uow.users().credentials_by_email(email).await?.is_some() {
            return Err(login_required());
        }
        Ok(email.clone())
    }

    /// Makes the user a member, and returns their new state, with a verified address.
    async fn join(&self, uow: &mut dyn UnitOfWork, pass: &InvitationPass, mut user: User) -> Result<User> {
        let now = self.app.now();
        if !uow.invitations().accept(pass, now).await? {
            return Err(super::door::ended());
        }
        let invitation = pass.invitation();
        let scope = OrgScope::of_member(invitation.org_id, user.id, invitation.role);
        let there = uow.members().count(&scope).await?;
        self.app.limits().admit(Limit::MembersPerOrganization, there)?;
        uow.members().join(pass, user.id, now).await.map_err(|error| match error {
            StoreError::Conflict { constraint: Constraint::Membership, .. } => {
                Error::new(Code::AlreadyMember, "You are a member of this organization already.")
            }
            // The organization was removed at the same time.
            StoreError::Conflict { constraint: Constraint::Reference, .. } => super::door::ended(),
            other => other.into(),
        })?;
        if !user.email_verified {
            uow.users().set_verified(user.id, &user.email, now).await?;
            user = uow.users().find(user.id).await?.ok_or_else(|| Error::internal("no such user"))?;
        }
        self.app.identity().mail_arrived(uow, &invitation.email).await?;
        let event =
            DomainEvent::MemberJoined { org: invitation.org_id, user: user.id, role: invitation.role };
        self.app.announce(uow, &scope, &event).await?;
        Ok(user)
    }

    async fn prepare_account(
        &self,
        email: &Email,
        account: &NewAccount,
        client: &Client,
    ) -> Result<PreparedUser> {
        let (Some(display_name), Some(password)) = (account.display_name.clone(), account.password.clone())
        else {
            let required = |pointer: &str, missing: bool| {
                missing.then(|| FieldError {
                    pointer: pointer.into(),
                    code: "REQUIRED",
                    message: "Enter a name and a password to make your account.".into(),
                })
            };
            let faults = [
                required("/display_name", account.display_name.is_none()),
                required("/password", account.password.is_none()),
            ];
            return Err(Error::invalid(faults.into_iter().flatten().collect()));
        };
        let register = Register { email: email.to_string(), display_name, password };
        self.app.identity().prepare_for(&register, client).await
    }

    async fn why_not_pending(
        &self,
        uow: &mut dyn UnitOfWork,
        scope: &OrgScope,
        id: InvitationId,
    ) -> Result<Error> {
        let found = uow.invitations().find(scope, id).await?;
        Ok(match found.map(|invitation| invitation.stored_status) {
            Some(InvitationStatus::Accepted) => Error::new(
                Code::InvitationAccepted,
                "This invitation was accepted. Remove the member instead.",
            ),
            _ => Error::new(Code::InvitationNotFound, "This organization has no such invitation."),
        })
    }

    async fn send(
        &self,
        uow: &mut dyn UnitOfWork,
        (organization, invitation): (&Organization, &Invitation),
        inviter: &Member,
        token_id: OneTimeTokenId,
    ) -> Result<()> {
        let mail = SendInvitationMail {
            email: invitation.email.clone(),
            org_name: organization.name.clone(),
            org_id: Some(invitation.org_id),
            inviter_name: inviter.display_name.clone(),
            inviter_id: Some(inviter.user_id),
            role: invitation.role,
            token_id,
            key_id: self.app.secrets().current().id().to_owned(),
        };
        self.app.enqueue(uow, &mail).await?;
        Ok(())
    }

    /// Refuses to send mail for a user who has not verified their own address.
    async fn require_verified(&self, uow: &mut dyn UnitOfWork, scope: &OrgScope) -> Result<()> {
        if !self.app.settings().verified_inviters {
            return Ok(());
        }
        match uow.users().find(scope.actor()).await? {
            Some(user) if user.email_verified => Ok(()),
            _ => Err(Error::new(
                Code::EmailNotVerified,
                "Verify your own e-mail address before you invite others: follow the link in the mail we sent you.",
            )),
        }
    }

    /// Counts a mail to an address, and refuses it over a limit. It counts for the address first, so that a mail that is not sent
    /// does not count for the organization.
    async fn count_mail(&self, scope: &OrgScope, email: &Email) -> Result<()> {
        const TO_ADDRESS: &str = "This address was sent several invitations already. Wait until the time in Retry-After has passed.";
        const OF_ORGANIZATION: &str = "This organization has sent many invitations today. Wait until the time in Retry-After has passed.";
        let (recipient, org) = (mail_limits::key_of(email), scope.org().to_string());
        let both = format!("{org} {recipient}");
        let of_both = Limit::InvitationMailsPerRecipientAndOrganization;
        mail_limits::count(self.app, of_both, &both, TO_ADDRESS).await?;
        mail_limits::count(self.app, Limit::InvitationMailsPerRecipient, &recipient, TO_ADDRESS).await?;
        mail_limits::count(self.app, Limit::InvitationMailsPerOrganization, &org, OF_ORGANIZATION).await
    }

    fn new_token(&self, org: OrgId) -> Result<NewToken> {
        let id: OneTimeTokenId = self.app.new_id();
        let token = self.app.secrets().one_time(None, Purpose::Invitation, id.as_uuid());
        let token = token.ok_or_else(|| Error::internal("the key in use is gone"))?;
        Ok(NewToken { id, hash: TokenHash::of(&invitation_token(org, &token)) })
    }
}

struct NewToken {
    id: OneTimeTokenId,
    hash: TokenHash,
}

fn login_required() -> Error {
    Error::new(
        Code::LoginRequired,
        "There is an account with the invited e-mail address. Log in, then accept the invitation.",
    )
}
