//! Invitations into an organization.

use super::fixtures::*;
use super::prelude::*;

async fn find(storage: &Arc<dyn Storage>, scope: &OrgScope, id: InvitationId) -> Option<Invitation> {
    read!(storage, uow => uow.invitations().find(scope, id))
}

async fn accept(storage: &Arc<dyn Storage>, pass: &InvitationPass) -> bool {
    commit!(storage, uow => uow.invitations().accept(pass, at(1)))
}

pub async fn an_invitation_is_found_as_it_was_stored(storage: Arc<dyn Storage>) {
    let scope = tenant(&storage, "engines").await;
    for (name, role) in [("grace", Role::Member), ("edsger", Role::Admin)] {
        let (new, _) = new_invitation(&scope, name);
        let invitation = Invitation {
            email: Email::parse(&format!("{name}@bücher.example")).unwrap(),
            role,
            expires_at: at_micros(5_000_001),
            created_at: at_micros(1),
            ..new
        };
        commit!(storage, uow => uow.invitations().put_pending(&scope, &invitation));
        assert_eq!(find(&storage, &scope, invitation.id).await, Some(invitation));
    }
    assert_eq!(find(&storage, &scope, id()).await, None);
    assert_eq!(read!(storage, uow => uow.invitations().count(&scope)), 2);
}

pub async fn the_bearer_of_a_token_sees_the_organization_and_the_inviter(storage: Arc<dyn Storage>) {
    let scope = tenant(&storage, "engines").await;
    let (invitation, token) = add_invitation(&storage, &scope, "grace").await;
    let preview = redeem(&storage, &token).await.into_preview();
    assert_eq!(preview.invitation, invitation);
    assert_eq!(preview.org_name, "The organization engines");
    assert_eq!(preview.org_slug.as_str(), "engines");
    assert_eq!(preview.inviter_name, "The user engines");
    assert!(read!(storage, uow => uow.invitations().find_by_token(scope.org(), &hash())).is_none());
}

pub async fn an_invitation_ends_with_the_right_of_its_maker(storage: Arc<dyn Storage>) {
    let scope = tenant(&storage, "engines").await;
    let refused = async |token: &str| {
        let mut uow = storage.read().await.unwrap();
        let refused = InvitationPass::redeem(&mut *uow, &RoleTable, token, at(0)).await.unwrap_err();
        assert_eq!(refused.code(), workscribe_core::Code::InvitationNotFound);
    };
    for (name, ends) in [("grace", "demoted"), ("mary", "removed"), ("joan", "disabled")] {
        let maker = add_user(&storage, name).await;
        add_member(&storage, &scope, &maker, Role::Admin, at(1)).await;
        let by_maker = enter(&storage, "engines", maker.id).await;
        let (invitation, token) = add_invitation(&storage, &by_maker, &format!("guest-of-{name}")).await;
        let pass = redeem(&storage, &token).await;
        assert_eq!(pass.inviter_role(), Some(Role::Admin));
        match ends {
            "demoted" => drop(commit!(
                storage, uow => uow.members().set_role(&scope, maker.id, Role::Member, None)
            )),
            "removed" => assert!(commit!(storage, uow => uow.members().remove(&scope, maker.id, None))),
            _ => drop(commit!(storage, uow => uow.users().set_disabled(maker.id, true, at(2)))),
        }
        refused(&token).await;
        if ends != "disabled" {
            assert!(!accept(&storage, &pass).await, "{ends} after the look-up");
        }
        let found = find(&storage, &scope, invitation.id).await.unwrap();
        assert_eq!(found.stored_status, InvitationStatus::Pending, "who ends the right revokes it");
        let revoked = commit!(storage, uow => uow.invitations().revoke_of(&scope, maker.id));
        assert_eq!(revoked, 1);
        assert_eq!(commit!(storage, uow => uow.invitations().revoke_of(&scope, maker.id)), 0);
        let found = find(&storage, &scope, invitation.id).await.unwrap();
        assert!(found.stored_status == InvitationStatus::Revoked && found.version > invitation.version);
    }
    let (other, _) = add_invitation(&storage, &scope, "edsger").await;
    assert_eq!(find(&storage, &scope, other.id).await, Some(other), "another's stays");
}

pub async fn a_second_invitation_to_an_address_takes_the_place_of_the_pending_one(storage: Arc<dyn Storage>) {
    let scope = tenant(&storage, "engines").await;
    let (first, _) = add_invitation(&storage, &scope, "grace").await;
    let (other, _) = add_invitation(&storage, &scope, "edsger").await;
    let (second, _) = new_invitation(&scope, "grace");
    let second = Invitation { role: Role::Admin, created_at: at(5), expires_at: at(2_000), ..second };
    commit!(storage, uow => uow.invitations().put_pending(&scope, &second));
    assert_eq!(find(&storage, &scope, first.id).await, None, "the old id is gone");
    assert!(read!(storage, uow => uow.invitations().find_by_token(scope.org(), &first.token_hash)).is_none());
    assert_eq!(find(&storage, &scope, second.id).await, Some(second));
    let pending = read!(storage, uow => uow.invitations().count_pending(&scope, &other.email));
    assert_eq!(pending, 1, "the one to the address itself makes room for another");
    let nobody = Email::parse("nobody@example.com").unwrap();
    assert_eq!(read!(storage, uow => uow.invitations().count_pending(&scope, &nobody)), 2);
    assert!(commit!(storage, uow => uow.invitations().revoke(&scope, other.id, None)));
    assert_eq!(read!(storage, uow => uow.invitations().count_pending(&scope, &nobody)), 1);
    assert_eq!(read!(storage, uow => uow.invitations().count(&scope)), 2);
}

pub async fn accepted_and_revoked_invitations_stay_beside_a_new_one(storage: Arc<dyn Storage>) {
    let scope = tenant(&storage, "engines").await;
    let (accepted, token) = add_invitation(&storage, &scope, "grace").await;
    assert!(accept(&storage, &redeem(&storage, &token).await).await);
    let (revoked, _) = add_invitation(&storage, &scope, "grace").await;
    assert!(commit!(storage, uow => uow.invitations().revoke(&scope, revoked.id, None)));
    let (pending, _) = add_invitation(&storage, &scope, "grace").await;
    for (invitation, status) in [
        (accepted, InvitationStatus::Accepted),
        (revoked, InvitationStatus::Revoked),
        (pending, InvitationStatus::Pending),
    ] {
        let found = find(&storage, &scope, invitation.id).await.unwrap();
        assert_eq!(found.stored_status, status);
    }
}

pub async fn two_organizations_invite_one_address_independently(storage: Arc<dyn Storage>) {
    let (one, other) = (tenant(&storage, "engines").await, tenant(&storage, "compilers").await);
    let (first, _) = add_invitation(&storage, &one, "grace").await;
    let (second, _) = add_invitation(&storage, &other, "grace").await;
    assert_eq!(find(&storage, &one, first.id).await, Some(first));
    assert_eq!(find(&storage, &other, second.id).await, Some(second));
}

pub async fn invitations_are_listed_newest_first_page_by_page(storage: Arc<dyn Storage>) {
    let scope = tenant(&storage, "engines").await;
    let other = tenant(&storage, "compilers").await;
    let mut expected = Vec::new();
    for index in 0..9_i64 {
        let (new, _) = new_invitation(&scope, &format!("user-{index}"));
        let invitation = Invitation { created_at: at_micros(index / 3), ..new };
        commit!(storage, uow => uow.invitations().put_pending(&scope, &invitation));
        add_invitation(&storage, &other, &format!("user-{index}")).await;
        expected.push(invitation);
    }
    expected.sort_by_key(|invitation| std::cmp::Reverse((invitation.created_at, invitation.id)));
    for limit in [1, 2, 3, 4, 9, 10, 100] {
        let seen = all_pages(limit, async |page| {
            let rows = read!(storage, uow => uow.invitations().list(&scope, &page));
            assert!(rows.len() <= page.fetch() as usize, "no more rows than were asked for");
            let rows = rows.into_iter().map(|row| row.invitation).collect();
            page.page(rows, None, |row: &Invitation| Cursor { at: row.created_at, id: row.id.into() })
        })
        .await;
        assert_eq!(seen, expected, "pages of {limit}");
    }
    assert_eq!(read!(storage, uow => uow.invitations().count(&scope)), 9);
}

pub async fn newer_invitations_between_pages_shift_none(storage: Arc<dyn Storage>) {
    let scope = tenant(&storage, "engines").await;
    let add = async |name: &str, micros| {
        let (new, _) = new_invitation(&scope, name);
        let invitation = Invitation { created_at: at_micros(micros), ..new };
        commit!(storage, uow => uow.invitations().put_pending(&scope, &invitation));
        invitation.id
    };
    let mut expected = Vec::new();
    for micros in [40, 30, 20, 10] {
        expected.push(add(&format!("user-{micros}"), micros).await);
    }
    let mut added = false;
    let seen = all_pages(2, async |page| {
        if page.after().is_some() && !std::mem::replace(&mut added, true) {
            add("newer", 50).await;
        }
        let rows = read!(storage, uow => uow.invitations().list(&scope, &page));
        let rows = rows.into_iter().map(|row| row.invitation).collect();
        page.page(rows, None, |row: &Invitation| Cursor { at: row.created_at, id: row.id.into() })
    })
    .await;
    assert!(added);
    assert_eq!(seen.iter().map(|invitation| invitation.id).collect::<Vec<_>>(), expected);
}

pub async fn a_renewed_invitation_has_a_new_token_and_time(storage: Arc<dyn Storage>) {
    let scope = tenant(&storage, "engines").await;
    let (invitation, token) = add_invitation(&storage, &scope, "grace").await;
    let old_pass = redeem(&storage, &token).await;
    let (token_hash, expires_at) = (hash(), at_micros(9_000_000_001));
    let renewed = commit!(
        storage, uow => uow.invitations().renew(&scope, invitation.id, &token_hash, expires_at)
    )
    .unwrap();
    assert!(renewed.version > invitation.version);
    let version = renewed.version;
    assert_eq!(renewed, Invitation { token_hash, expires_at, version, ..invitation.clone() });
    assert_eq!(find(&storage, &scope, invitation.id).await, Some(renewed.clone()));
    assert!(
        read!(storage, uow => uow.invitations().find_by_token(scope.org(), &invitation.token_hash)).is_none()
    );
    let found = read!(storage, uow => uow.invitations().find_by_token(scope.org(), &token_hash)).unwrap();
    assert_eq!(found.invitation, renewed);
    assert!(!accept(&storage, &old_pass).await, "the old token's pass has ended");
}

pub async fn an_expired_invitation_can_be_renewed_and_replaced(storage: Arc<dyn Storage>) {
    let scope = tenant(&storage, "engines").await;
    let (new, token) = new_invitation(&scope, "grace");
    let invitation = Invitation { expires_at: at(0), ..new };
    commit!(storage, uow => uow.invitations().put_pending(&scope, &invitation));
    let mut uow = storage.read().await.unwrap();
    let refused = InvitationPass::redeem(&mut *uow, &RoleTable, &token, at(0)).await.unwrap_err();
    assert_eq!(refused.code(), workscribe_core::Code::InvitationExpired);
    drop(uow);
    let renewed = commit!(
        storage, uow => uow.invitations().renew(&scope, invitation.id, &invitation.token_hash, at(10))
    );
    assert_eq!(renewed.unwrap().status(at(0)), InvitationStatus::Pending);
    add_invitation(&storage, &scope, "grace").await;
    assert_eq!(find(&storage, &scope, invitation.id).await, None);
}

pub async fn a_revoked_invitation_is_not_pending_any_more(storage: Arc<dyn Storage>) {
    let scope = tenant(&storage, "engines").await;
    let (invitation, token) = add_invitation(&storage, &scope, "grace").await;
    let pass = redeem(&storage, &token).await;
    let revoke =
        async |expected| attempt!(storage, uow => uow.invitations().revoke(&scope, invitation.id, expected));
    assert_stale!(revoke(Some(invitation.version + 1)).await);
    assert_eq!(find(&storage, &scope, invitation.id).await, Some(invitation.clone()));
    assert!(revoke(Some(invitation.version)).await.unwrap());
    let found = find(&storage, &scope, invitation.id).await.unwrap();
    assert!(found.stored_status == InvitationStatus::Revoked && found.version > invitation.version);
    assert!(!revoke(None).await.unwrap(), "again");
    assert!(!accept(&storage, &pass).await);
    let renewed = commit!(
        storage, uow => uow.invitations().renew(&scope, invitation.id, &hash(), at(10))
    );
    assert_eq!(renewed, None);
    let by_token =
        read!(storage, uow => uow.invitations().find_by_token(scope.org(), &invitation.token_hash)).unwrap();
    assert_eq!(by_token.invitation.stored_status, InvitationStatus::Revoked, "found, whatever its status");
    assert!(!commit!(storage, uow => uow.invitations().revoke(&scope, id(), Some(1))));
    assert_eq!(commit!(storage, uow => uow.invitations().renew(&scope, id(), &hash(), at(10))), None);
}

pub async fn an_invitation_is_accepted_once(storage: Arc<dyn Storage>) {
    let scope = tenant(&storage, "engines").await;
    let (invitation, token) = add_invitation(&storage, &scope, "grace").await;
    let pass = redeem(&storage, &token).await;
    assert!(accept(&storage, &pass).await);
    assert!(!accept(&storage, &pass).await);
    let found = find(&storage, &scope, invitation.id).await.unwrap();
    assert!(found.stored_status == InvitationStatus::Accepted && found.version > invitation.version);
    assert!(!commit!(storage, uow => uow.invitations().revoke(&scope, invitation.id, None)));
    let renewed = commit!(storage, uow => uow.invitations().renew(&scope, invitation.id, &hash(), at(9)));
    assert_eq!(renewed, None);
}

pub async fn the_pass_of_a_replaced_invitation_has_ended(storage: Arc<dyn Storage>) {
    let scope = tenant(&storage, "engines").await;
    let (_, token) = add_invitation(&storage, &scope, "grace").await;
    let pass = redeem(&storage, &token).await;
    let (second, _) = add_invitation(&storage, &scope, "grace").await;
    assert!(!accept(&storage, &pass).await);
    assert_eq!(find(&storage, &scope, second.id).await, Some(second));
}

pub async fn an_invitation_comes_from_somebody_who_is_there(storage: Arc<dyn Storage>) {
    let scope = tenant(&storage, "engines").await;
    let (new, _) = new_invitation(&scope, "grace");
    let invitation = Invitation { invited_by: id(), ..new };
    assert_conflict!(attempt!(storage, uow => uow.invitations().put_pending(&scope, &invitation)), Reference);
}

pub async fn what_came_to_nothing_is_swept_some_time_after_its_end(storage: Arc<dyn Storage>) {
    let (scope, other) = (tenant(&storage, "engines").await, tenant(&storage, "looms").await);
    let put = async |scope: &OrgScope, name: &str, seconds| {
        let (mut invitation, token) = new_invitation(scope, name);
        invitation.expires_at = at(seconds);
        commit!(storage, uow => uow.invitations().put_pending(scope, &invitation));
        (invitation, token)
    };
    let (expired, _) = put(&scope, "expired", 10).await;
    let (revoked, _) = put(&other, "revoked", 20).await;
    assert!(commit!(storage, uow => uow.invitations().revoke(&other, revoked.id, None)));
    let (accepted, token) = put(&scope, "accepted", 15).await;
    let pass = redeem(&storage, &token).await;
    assert!(commit!(storage, uow => uow.invitations().accept(&pass, at(0))));
    let (open, _) = put(&scope, "open", 30).await;
    assert_eq!(commit!(storage, uow => uow.invitations().sweep(at(30), 1)), 1, "the oldest, up to the limit");
    assert_eq!(read!(storage, uow => uow.invitations().find(&scope, expired.id)), None);
    assert_eq!(commit!(storage, uow => uow.invitations().sweep(at(30), 10)), 1);
    assert_eq!(read!(storage, uow => uow.invitations().find(&other, revoked.id)), None);
    for kept in [accepted, open] {
        assert!(read!(storage, uow => uow.invitations().find(&scope, kept.id)).is_some());
    }
}
