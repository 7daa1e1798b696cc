//! Many tasks at the same time. Each opens one unit, works, and commits, so a few connections serve many tasks.

use super::fixtures::*;
use super::prelude::*;

use workscribe_core::tenancy::In;
use workscribe_core::{Code, Constraint, Error};

pub async fn of_fifty_users_with_one_address_one_is_added(storage: Arc<dyn Storage>) {
    let results = all_at_once(50, |_| {
        let storage = Arc::clone(&storage);
        async move {
            let new = new_user("ada");
            attempt!(storage, uow => uow.users().insert(&new)).map(drop)
        }
    })
    .await;
    assert_one_winner(&results, Constraint::UserEmail);
}

pub async fn of_fifty_organizations_with_one_slug_one_is_added(storage: Arc<dyn Storage>) {
    let ada = add_user(&storage, "ada").await;
    let results = all_at_once(50, |_| {
        let (storage, owner) = (Arc::clone(&storage), ada.id);
        async move {
            let organization = new_organization("engines");
            attempt!(storage, uow => uow.organizations().insert(&organization, owner))
        }
    })
    .await;
    assert_one_winner(&results, Constraint::OrganizationSlug);
    assert_eq!(read!(storage, uow => uow.organizations().count_of(ada.id)), 1);
}

pub async fn of_twenty_renamings_to_one_slug_one_succeeds(storage: Arc<dyn Storage>) {
    let ada = add_user(&storage, "ada").await;
    let mut scopes = Vec::new();
    for index in 0..20 {
        add_organization(&storage, &format!("org-{index}"), ada.id).await;
        scopes.push(enter(&storage, &format!("org-{index}"), ada.id).await);
    }
    let results = all_at_once(20, |index| {
        let (storage, scope) = (Arc::clone(&storage), scopes[index]);
        async move {
            let change = OrganizationChange { name: None, slug: Some(Slug::parse("engines").unwrap()) };
            attempt!(storage, uow => uow.organizations().update(&scope, &change, None, at(1))).map(drop)
        }
    })
    .await;
    assert_one_winner(&results, Constraint::OrganizationSlug);
}

pub async fn of_twenty_changes_of_one_version_one_succeeds(storage: Arc<dyn Storage>) {
    let scope = tenant(&storage, "engines").await;
    let results = all_at_once(20, |index| {
        let storage = Arc::clone(&storage);
        async move {
            let change = OrganizationChange { name: Some(format!("Name {index}")), slug: None };
            attempt!(storage, uow => uow.organizations().update(&scope, &change, Some(1), at(1)))
        }
    })
    .await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    for result in results.into_iter().filter(Result::is_err) {
        assert_stale!(result);
    }
}

pub async fn every_failure_of_many_at_once_is_counted(storage: Arc<dyn Storage>) {
    let account = hash();
    let mut counts = all_at_once(30, |_| {
        let storage = Arc::clone(&storage);
        async move { commit!(storage, uow => uow.attempts().record_failure(&account, at(0), at(-60))) }
    })
    .await;
    counts.sort_unstable();
    assert_eq!(counts, (1..=30).collect::<Vec<u32>>());
}

pub async fn of_twenty_joins_of_one_user_one_succeeds(storage: Arc<dyn Storage>) {
    let scope = tenant(&storage, "engines").await;
    let grace = add_user(&storage, "grace").await;
    let (_, token) = add_invitation(&storage, &scope, "grace").await;
    let pass = redeem(&storage, &token).await;
    let results = all_at_once(20, |_| {
        let (storage, pass, user) = (Arc::clone(&storage), pass.clone(), grace.id);
        async move { attempt!(storage, uow => uow.members().join(&pass, user, at(1))) }
    })
    .await;
    assert_one_winner(&results, Constraint::Membership);
    assert_eq!(read!(storage, uow => uow.members().count(&scope)), 2);
}

pub async fn an_invitation_accepted_by_twenty_at_once_lets_one_in(storage: Arc<dyn Storage>) {
    let scope = tenant(&storage, "engines").await;
    let (_, token) = add_invitation(&storage, &scope, "grace").await;
    let mut users = Vec::new();
    for index in 0..20 {
        users.push(add_user(&storage, &format!("user-{index}")).await.id);
    }
    let joined = all_at_once(20, |index| {
        let (storage, token, user) = (Arc::clone(&storage), token.clone(), users[index]);
        async move {
            let mut uow = storage.begin().await.unwrap();
            let pass = match InvitationPass::redeem(&mut *uow, &RoleTable, &token, at(0)).await {
                Ok(pass) => pass,
                Err(error) if error.code() == Code::InvitationNotFound => return false,
                Err(error) => panic!("{error:?}"),
            };
            if !uow.invitations().accept(&pass, at(1)).await.unwrap() {
                return false;
            }
            uow.members().join(&pass, user, at(1)).await.unwrap();
            uow.commit().await.unwrap();
            true
        }
    })
    .await;
    assert_eq!(joined.iter().filter(|joined| **joined).count(), 1);
    assert_eq!(read!(storage, uow => uow.members().count(&scope)), 2);
}

pub async fn thirty_invitations_of_one_address_at_once_leave_one_pending(storage: Arc<dyn Storage>) {
    let scope = tenant(&storage, "engines").await;
    let put = all_at_once(30, |_| {
        let storage = Arc::clone(&storage);
        async move {
            let (invitation, _) = new_invitation(&scope, "grace");
            commit!(storage, uow => uow.invitations().put_pending(&scope, &invitation));
            invitation
        }
    })
    .await;
    let listed = read!(storage, uow => uow.invitations().list(&scope, &PageRequest::largest()));
    let [pending] = &listed[..] else { panic!("{} are there", listed.len()) };
    assert!(put.contains(&pending.invitation), "it is one of those that were put, unmixed");
}

/// What the owners of an organization do to themselves or to each other.
#[derive(Clone, Copy)]
enum Deed {
    StepDown,
    Leave,
    DemoteTheOther,
    RemoveTheOther,
}

async fn carry_out(
    app: WorkScribe,
    slug: String,
    actor: UserId,
    other: UserId,
    deed: Deed,
) -> Result<(), Error> {
    let mut uow = app.begin().await?;
    let scope = *In::organization(&mut *uow, &slug, actor).await?.scope();
    let organizations = app.organizations();
    match deed {
        Deed::StepDown => {
            organizations.set_role(&mut *uow, &scope, actor.into(), Some(Role::Member)).await?;
        }
        Deed::DemoteTheOther => {
            organizations.set_role(&mut *uow, &scope, other.into(), Some(Role::Member)).await?;
        }
        Deed::Leave => organizations.remove_member(&mut *uow, &scope, actor.into()).await?,
        Deed::RemoveTheOther => organizations.remove_member(&mut *uow, &scope, other.into()).await?,
    }
    app.commit(uow).await
}

pub async fn the_last_owner_stays_whatever_two_owners_do_at_once(storage: Arc<dyn Storage>) {
    let clock = FrozenClock::default();
    let app = app(&storage, &clock);
    let (ada, grace) = (add_user(&storage, "ada").await, add_user(&storage, "grace").await);
    let deeds = [Deed::StepDown, Deed::Leave, Deed::DemoteTheOther, Deed::RemoveTheOther];
    for round in 0..20_usize {
        let slug = format!("org-{round}");
        add_organization(&storage, &slug, ada.id).await;
        let scope = enter(&storage, &slug, ada.id).await;
        add_member(&storage, &scope, &grace, Role::Owner, at(1)).await;
        let results = all_at_once(2, |index| {
            let (actor, other) = if index == 0 { (ada.id, grace.id) } else { (grace.id, ada.id) };
            // Over sixteen rounds each action of one owner meets each action of the other.
            let deed = deeds[if index == 0 { round % 4 } else { round / 4 % 4 }];
            carry_out(app.clone(), slug.clone(), actor, other, deed)
        })
        .await;
        let owners = read!(storage, uow => uow.members().count_owners(&scope));
        assert_eq!(owners, 1, "round {round}: {results:?}");
        for error in results.into_iter().filter_map(Result::err) {
            let lost =
                [Code::LastOwner, Code::InsufficientRole, Code::MemberNotFound, Code::OrganizationNotFound];
            assert!(lost.contains(&error.code()), "round {round}: {error:?}");
        }
    }
}
