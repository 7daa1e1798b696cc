//! Members of an organization.

use super::fixtures::*;
use super::prelude::*;

async fn find(storage: &Arc<dyn Storage>, scope: &OrgScope, user: UserId) -> Option<Member> {
    read!(storage, uow => uow.members().find(scope, user))
}

pub async fn a_member_joins_as_what_the_invitation_says(storage: Arc<dyn Storage>) {
    let scope = tenant(&storage, "engines").await;
    for (name, role) in [("grace", Role::Member), ("edsger", Role::Admin)] {
        let new = NewUser { display_name: UNICODE.into(), ..new_user(name) };
        let user = commit!(storage, uow => uow.users().insert(&new));
        let (mut invitation, token) = new_invitation(&scope, name);
        invitation.role = role;
        commit!(storage, uow => uow.invitations().put_pending(&scope, &invitation));
        let pass = redeem(&storage, &token).await;
        commit!(storage, uow => uow.members().join(&pass, user.id, at_micros(7)));
        let member = find(&storage, &scope, user.id).await.unwrap();
        let version = member.version;
        let expected = Member {
            user_id: user.id,
            email: user.email.clone(),
            display_name: UNICODE.into(),
            avatar_url: None,
            role,
            version,
            joined_at: at_micros(7),
        };
        assert_eq!(member, expected);
        let by_email = read!(storage, uow => uow.members().find_by_email(&scope, &user.email));
        assert_eq!(by_email, Some(expected));
        assert_eq!(enter(&storage, "engines", user.id).await.role(), role);
    }
}

pub async fn a_member_shows_the_users_profile_as_it_is_now(storage: Arc<dyn Storage>) {
    let scope = tenant(&storage, "engines").await;
    let url = "https://example.com/ada.png".to_owned();
    let change = ProfileChange { display_name: Some(UNICODE.into()), avatar_url: Some(Some(url.clone())) };
    commit!(storage, uow => uow.users().update_profile(scope.actor(), &change, None, at(1)));
    let member = find(&storage, &scope, scope.actor()).await.unwrap();
    assert_eq!((&*member.display_name, member.avatar_url), (UNICODE, Some(url)));
    let listed = read!(storage, uow => uow.members().list(&scope, &PageRequest::first()));
    assert_eq!(listed[0].display_name, UNICODE);
}

pub async fn an_outsider_is_no_member(storage: Arc<dyn Storage>) {
    let scope = tenant(&storage, "engines").await;
    let grace = add_user(&storage, "grace").await;
    assert_eq!(find(&storage, &scope, grace.id).await, None);
    assert_eq!(find(&storage, &scope, id()).await, None);
    assert_eq!(read!(storage, uow => uow.members().find_by_email(&scope, &grace.email)), None);
    let set = commit!(storage, uow => uow.members().set_role(&scope, grace.id, Role::Admin, Some(1)));
    assert_eq!(set, None, "a missing row is not a stale one");
    assert!(!commit!(storage, uow => uow.members().remove(&scope, grace.id, Some(1))));
}

pub async fn a_user_joins_an_organization_once(storage: Arc<dyn Storage>) {
    let scope = tenant(&storage, "engines").await;
    let grace = add_user(&storage, "grace").await;
    let (_, token) = add_invitation(&storage, &scope, "grace").await;
    let pass = redeem(&storage, &token).await;
    commit!(storage, uow => uow.members().join(&pass, grace.id, at(1)));
    assert_conflict!(attempt!(storage, uow => uow.members().join(&pass, grace.id, at(2))), Membership);
    assert_conflict!(attempt!(storage, uow => uow.members().join(&pass, scope.actor(), at(2))), Membership);
    assert_eq!(find(&storage, &scope, grace.id).await.unwrap().joined_at, at(1));
    assert_eq!(find(&storage, &scope, scope.actor()).await.unwrap().role, Role::Owner);
}

pub async fn nobody_cannot_join(storage: Arc<dyn Storage>) {
    let scope = tenant(&storage, "engines").await;
    let (_, token) = add_invitation(&storage, &scope, "grace").await;
    let pass = redeem(&storage, &token).await;
    assert_conflict!(attempt!(storage, uow => uow.members().join(&pass, id(), at(1))), Reference);
}

pub async fn members_are_listed_by_time_of_joining_page_by_page(storage: Arc<dyn Storage>) {
    let scope = tenant(&storage, "engines").await;
    let other = tenant(&storage, "compilers").await;
    for index in 0..9_i64 {
        let user = add_user(&storage, &format!("user-{index}")).await;
        add_member(&storage, &scope, &user, Role::Member, at_micros(9 - index / 3)).await;
        add_member(&storage, &other, &user, Role::Member, at_micros(index)).await;
    }
    let mut expected = Vec::new();
    for user in read!(storage, uow => uow.members().list(&scope, &PageRequest::largest())) {
        expected.push((user.joined_at, user.user_id));
    }
    expected.sort_unstable();
    assert_eq!(expected.len(), 10);
    for limit in [1, 2, 3, 4, 10, 11, 100] {
        let seen = all_pages(limit, async |page| {
            let rows = read!(storage, uow => uow.members().list(&scope, &page));
            assert!(rows.len() <= page.fetch() as usize, "no more rows than were asked for");
            page.page(rows, None, |row| Cursor { at: row.joined_at, id: row.user_id.into() })
        })
        .await;
        let seen: Vec<_> = seen.iter().map(|member| (member.joined_at, member.user_id)).collect();
        assert_eq!(seen, expected, "pages of {limit}");
    }
    assert_eq!(read!(storage, uow => uow.members().count(&scope)), 10);
}

pub async fn those_who_join_and_leave_between_pages_shift_nobody(storage: Arc<dyn Storage>) {
    let scope = tenant(&storage, "engines").await;
    let mut users = Vec::new();
    for index in 0..4_i64 {
        let user = add_user(&storage, &format!("user-{index}")).await;
        add_member(&storage, &scope, &user, Role::Member, at_micros(10 * (index + 1))).await;
        users.push(user);
    }
    let next = async |cursor: Option<String>| {
        let page = page(2, cursor.as_deref());
        let rows = read!(storage, uow => uow.members().list(&scope, &page));
        page.page(rows, None, |row| Cursor { at: row.joined_at, id: row.user_id.into() })
    };
    let first = next(None).await;
    let early = add_user(&storage, "early").await;
    add_member(&storage, &scope, &early, Role::Member, at_micros(5)).await;
    commit!(storage, uow => uow.members().remove(&scope, users[0].id, None));
    let late = add_user(&storage, "late").await;
    add_member(&storage, &scope, &late, Role::Member, at_micros(35)).await;
    let second = next(first.next_cursor.clone()).await;
    let third = next(second.next_cursor.clone()).await;
    assert_eq!(third.next_cursor, None);
    let seen: Vec<UserId> =
        [first, second, third].iter().flat_map(|page| &page.items).map(|member| member.user_id).collect();
    assert_eq!(
        seen,
        [scope.actor(), users[0].id, users[1].id, users[2].id, late.id, users[3].id],
        "the one before the cursor is not seen, and nobody twice"
    );
}

pub async fn a_role_changes_with_its_version(storage: Arc<dyn Storage>) {
    let scope = tenant(&storage, "engines").await;
    let grace = add_user(&storage, "grace").await;
    add_member(&storage, &scope, &grace, Role::Member, at(1)).await;
    let before = find(&storage, &scope, grace.id).await.unwrap();
    let set = async |role, expected| attempt!(storage, uow => uow.members().set_role(&scope, grace.id, role, expected));
    let admin = set(Role::Admin, Some(before.version)).await.unwrap().unwrap();
    assert!(admin.version > before.version);
    let version = admin.version;
    assert_eq!(admin, Member { role: Role::Admin, version, ..before.clone() });
    assert_stale!(set(Role::Owner, Some(before.version)).await);
    assert_eq!(find(&storage, &scope, grace.id).await, Some(admin));
    assert_eq!(set(Role::Owner, None).await.unwrap().unwrap().role, Role::Owner);
    assert_eq!(enter(&storage, "engines", grace.id).await.role(), Role::Owner);
}

pub async fn a_member_is_removed_with_the_expected_version(storage: Arc<dyn Storage>) {
    let scope = tenant(&storage, "engines").await;
    let grace = add_user(&storage, "grace").await;
    add_member(&storage, &scope, &grace, Role::Member, at(1)).await;
    let version = find(&storage, &scope, grace.id).await.unwrap().version;
    assert_stale!(attempt!(storage, uow => uow.members().remove(&scope, grace.id, Some(version + 1))));
    assert!(find(&storage, &scope, grace.id).await.is_some());
    assert!(commit!(storage, uow => uow.members().remove(&scope, grace.id, Some(version))));
    assert!(!commit!(storage, uow => uow.members().remove(&scope, grace.id, Some(version))), "again");
    assert_eq!(read!(storage, uow => uow.members().count(&scope)), 1);
    assert!(read!(storage, uow => uow.users().find(grace.id)).is_some(), "the user stays");
    add_member(&storage, &scope, &grace, Role::Member, at(2)).await;
    assert_eq!(find(&storage, &scope, grace.id).await.unwrap().joined_at, at(2));
}

pub async fn owners_are_counted_apart(storage: Arc<dyn Storage>) {
    let scope = tenant(&storage, "engines").await;
    let owners = async || read!(storage, uow => uow.members().count_owners(&scope));
    for (name, role) in [("grace", Role::Member), ("edsger", Role::Admin), ("barbara", Role::Owner)] {
        let user = add_user(&storage, name).await;
        add_member(&storage, &scope, &user, role, at(1)).await;
    }
    assert_eq!(owners().await, 2);
    commit!(storage, uow => uow.members().set_role(&scope, scope.actor(), Role::Admin, None));
    assert_eq!(owners().await, 1);
    assert_eq!(read!(storage, uow => uow.members().count(&scope)), 4);
}

pub async fn those_of_many_users_who_are_members_are_told_apart(storage: Arc<dyn Storage>) {
    let (scope, other) = (tenant(&storage, "engines").await, tenant(&storage, "looms").await);
    let mut expected = vec![scope.actor()];
    for name in ["grace", "alan"] {
        let user = add_user(&storage, name).await;
        add_member(&storage, &scope, &user, Role::Member, at(1)).await;
        expected.push(user.id);
    }
    expected.sort();
    let asked: Vec<UserId> = expected.iter().rev().copied().chain([other.actor(), id()]).collect();
    assert_eq!(read!(storage, uow => uow.members().among(&scope, &asked)), expected);
    assert_eq!(read!(storage, uow => uow.members().among(&scope, &asked[..1])), expected[2..]);
    assert!(read!(storage, uow => uow.members().among(&scope, &[])).is_empty());
}

pub async fn a_member_who_is_held_stays_until_the_end_of_the_transaction(storage: Arc<dyn Storage>) {
    let scope = tenant(&storage, "engines").await;
    let grace = add_user(&storage, "grace").await;
    add_member(&storage, &scope, &grace, Role::Member, at(1)).await;
    let expected = find(&storage, &scope, grace.id).await;
    let mut first = storage.begin().await.unwrap();
    assert_eq!(first.members().hold(&scope, id()).await.unwrap(), None);
    assert_eq!(first.members().hold(&scope, grace.id).await.unwrap(), expected);
    let (others, user) = (Arc::clone(&storage), grace.id);
    let mut second = tokio::spawn(async move {
        let mut uow = others.begin().await.unwrap();
        let removed = uow.members().remove(&scope, user, None).await.unwrap();
        uow.commit().await.unwrap();
        removed
    });
    let early = tokio::time::timeout(Duration::from_millis(200), &mut second).await;
    assert!(early.is_err(), "who removes them must wait");
    first.commit().await.unwrap();
    let removed = tokio::time::timeout(Duration::from_secs(10), second).await.expect("it goes on").unwrap();
    assert!(removed);
    let gone = commit!(storage, uow => uow.members().hold(&scope, grace.id));
    assert_eq!(gone, None);
}
