//! A scope of one organization neither sees nor changes another's rows, in any method that takes a scope.
//!
//! To add a scoped method: a line in `attack`, with the id of the other organization's row.

use super::fixtures::*;
use super::prelude::*;

/// Everything that can be seen of an organization from within.
#[derive(Debug, PartialEq)]
struct View {
    organization: Option<(Organization, Role)>,
    members: Vec<Member>,
    invitations: Vec<Invitation>,
}

async fn view(storage: &Arc<dyn Storage>, slug: &str, owner: UserId) -> View {
    let slug = Slug::parse(slug).unwrap();
    let scope = enter(storage, slug.as_str(), owner).await;
    View {
        organization: read!(storage, uow => uow.organizations().membership(&slug, owner)),
        members: read!(storage, uow => uow.members().list(&scope, &PageRequest::largest())),
        invitations: read!(storage, uow => uow.invitations().list(&scope, &PageRequest::largest())),
    }
}

/// Aims every scoped call at rows of another organization; answers what it could see of them.
async fn attack(
    storage: &Arc<dyn Storage>,
    mine: &OrgScope,
    their_member: &User,
    their_invitation: &Invitation,
) -> Vec<&'static str> {
    let (user, invitation) = (their_member.id, their_invitation.id);
    let mut seen = Vec::new();
    let mut note = |call, is_seen: bool| {
        if is_seen {
            seen.push(call);
        }
    };
    let everything = PageRequest::largest();

    let members = read!(storage, uow => uow.members().list(mine, &everything));
    note("members.list", members.iter().any(|member| member.user_id == user));
    note("members.count", read!(storage, uow => uow.members().count(mine)) != 1);
    note("members.count_owners", read!(storage, uow => uow.members().count_owners(mine)) != 1);
    note("members.find", read!(storage, uow => uow.members().find(mine, user)).is_some());
    let found = read!(storage, uow => uow.members().find_by_email(mine, &their_member.email));
    note("members.find_by_email", found.is_some());
    for expected in [None, Some(1), Some(2)] {
        let set = commit!(storage, uow => uow.members().set_role(mine, user, Role::Owner, expected));
        note("members.set_role", set.is_some());
        note("members.remove", commit!(storage, uow => uow.members().remove(mine, user, expected)));
        let revoked = commit!(storage, uow => uow.invitations().revoke(mine, invitation, expected));
        note("invitations.revoke", revoked);
    }

    let listed = read!(storage, uow => uow.invitations().list(mine, &everything));
    note("invitations.list", !listed.is_empty());
    note("invitations.count", read!(storage, uow => uow.invitations().count(mine)) != 0);
    let found = read!(storage, uow => uow.invitations().find(mine, invitation));
    note("invitations.find", found.is_some());
    let renewed = commit!(storage, uow => uow.invitations().renew(mine, invitation, &hash(), at(9_999)));
    note("invitations.renew", renewed.is_some());

    commit!(storage, uow => uow.organizations().lock(mine));
    let change = OrganizationChange { name: Some("Taken over".into()), slug: None };
    let updated = commit!(storage, uow => uow.organizations().update(mine, &change, None, at(5)));
    note("organizations.update", updated.is_none_or(|organization| organization.id != mine.org()));
    seen
}

pub async fn a_scope_neither_sees_nor_changes_another_organizations_rows(storage: Arc<dyn Storage>) {
    let mine = tenant(&storage, "engines").await;
    let theirs = tenant(&storage, "compilers").await;
    let grace = add_user(&storage, "grace").await;
    add_member(&storage, &theirs, &grace, Role::Admin, at(1)).await;
    let (invitation, _) = add_invitation(&storage, &theirs, "edsger").await;
    let before = view(&storage, "compilers", theirs.actor()).await;
    assert_eq!((before.members.len(), before.invitations.len()), (2, 2));

    let seen = attack(&storage, &mine, &grace, &invitation).await;
    assert!(seen.is_empty(), "{seen:?} reached another organization's rows");
    assert_eq!(view(&storage, "compilers", theirs.actor()).await, before);
    // The calls do reach something: aimed at one's own rows, they do.
    let seen = attack(&storage, &theirs, &grace, &invitation).await;
    assert!(seen.contains(&"members.set_role") && seen.contains(&"invitations.revoke"), "{seen:?}");
}

pub async fn an_invitation_that_names_another_organization_does_not_reach_it(storage: Arc<dyn Storage>) {
    let mine = tenant(&storage, "engines").await;
    let theirs = tenant(&storage, "compilers").await;
    let (pending, _) = add_invitation(&storage, &theirs, "grace").await;
    let before = view(&storage, "compilers", theirs.actor()).await;
    let (new, token) = new_invitation(&mine, "grace");
    let forged = Invitation { org_id: theirs.org(), ..new };
    // Refused, or stored in the scope's own organization.
    let result = attempt!(storage, uow => uow.invitations().put_pending(&mine, &forged));
    assert_eq!(view(&storage, "compilers", theirs.actor()).await, before);
    if result.is_ok() {
        assert_eq!(redeem(&storage, &token).await.invitation().org_id, mine.org());
    }
    assert_eq!(read!(storage, uow => uow.invitations().find(&theirs, pending.id)), Some(pending));
}

pub async fn a_removal_leaves_the_other_organization_whole(storage: Arc<dyn Storage>) {
    let mine = tenant(&storage, "engines").await;
    let theirs = tenant(&storage, "compilers").await;
    let grace = add_user(&storage, "grace").await;
    add_member(&storage, &theirs, &grace, Role::Member, at(1)).await;
    add_member(&storage, &mine, &grace, Role::Owner, at(1)).await;
    add_invitation(&storage, &theirs, "edsger").await;
    let before = view(&storage, "compilers", theirs.actor()).await;
    assert!(commit!(storage, uow => uow.members().remove(&mine, grace.id, None)));
    assert!(commit!(storage, uow => uow.organizations().delete(&mine, None)));
    assert_eq!(view(&storage, "compilers", theirs.actor()).await, before);
}

pub async fn a_pass_leads_into_its_own_organization_only(storage: Arc<dyn Storage>) {
    let mine = tenant(&storage, "engines").await;
    let theirs = tenant(&storage, "compilers").await;
    let grace = add_user(&storage, "grace").await;
    let (_, token) = add_invitation(&storage, &mine, "grace").await;
    let (pending, _) = add_invitation(&storage, &theirs, "grace").await;
    let pass = redeem(&storage, &token).await;
    assert!(commit!(storage, uow => uow.invitations().accept(&pass, at(1))));
    commit!(storage, uow => uow.members().join(&pass, grace.id, at(1)));
    assert!(read!(storage, uow => uow.members().find(&mine, grace.id)).is_some());
    assert_eq!(read!(storage, uow => uow.members().find(&theirs, grace.id)), None);
    assert_eq!(read!(storage, uow => uow.invitations().find(&theirs, pending.id)), Some(pending));
}
