//! Organizations, and the look-up of the door.

use super::fixtures::*;
use super::prelude::*;

use workscribe_core::sweep::Portion;
use workscribe_core::tenancy::VacatedOrg;

async fn membership(storage: &Arc<dyn Storage>, slug: &Slug, user: UserId) -> Option<(Organization, Role)> {
    read!(storage, uow => uow.organizations().membership(slug, user))
}

fn rename(name: &str) -> OrganizationChange {
    OrganizationChange { name: Some(name.into()), slug: None }
}

pub async fn an_organization_is_found_by_its_first_owner_as_it_was_stored(storage: Arc<dyn Storage>) {
    let ada = add_user(&storage, "ada").await;
    let organization = Organization {
        name: UNICODE.into(),
        created_at: at_micros(1),
        updated_at: at_micros(1),
        ..new_organization("engines")
    };
    commit!(storage, uow => uow.organizations().insert(&organization, ada.id));
    let found = membership(&storage, &organization.slug, ada.id).await;
    assert_eq!(found, Some((organization.clone(), Role::Owner)));
    let scope = enter(&storage, "engines", ada.id).await;
    assert_eq!((scope.org(), scope.actor(), scope.role()), (organization.id, ada.id, Role::Owner));
    let owner = read!(storage, uow => uow.members().find(&scope, ada.id)).unwrap();
    assert_eq!((owner.role, owner.joined_at), (Role::Owner, organization.created_at));
}

pub async fn the_door_is_shut_to_outsiders_and_former_members(storage: Arc<dyn Storage>) {
    let scope = tenant(&storage, "engines").await;
    let grace = add_user(&storage, "grace").await;
    let slug = Slug::parse("engines").unwrap();
    assert_eq!(membership(&storage, &slug, grace.id).await, None);
    assert_eq!(membership(&storage, &slug, id()).await, None);
    assert_eq!(membership(&storage, &Slug::parse("compilers").unwrap(), scope.actor()).await, None);
    add_member(&storage, &scope, &grace, Role::Admin, at(1)).await;
    assert_eq!(membership(&storage, &slug, grace.id).await.map(|(_, role)| role), Some(Role::Admin));
    let owned = |user| {
        let storage = storage.clone();
        async move { commit!(storage, uow => uow.organizations().count_owned(user)) }
    };
    assert_eq!((owned(scope.actor()).await, owned(grace.id).await), (1, 0), "owners alone are counted");
    commit!(storage, uow => uow.members().remove(&scope, grace.id, None));
    assert_eq!(membership(&storage, &slug, grace.id).await, None);
}

pub async fn a_slug_belongs_to_one_organization(storage: Arc<dyn Storage>) {
    let scope = tenant(&storage, "engines").await;
    let again = new_organization("engines");
    assert_conflict!(
        attempt!(storage, uow => uow.organizations().insert(&again, scope.actor())),
        OrganizationSlug
    );
    assert_eq!(read!(storage, uow => uow.organizations().count_of(scope.actor())), 1);
    add_organization(&storage, "compilers", scope.actor()).await;
    let other = enter(&storage, "compilers", scope.actor()).await;
    let same = Organization { id: scope.org(), ..new_organization("looms") };
    assert_conflict!(
        attempt!(storage, uow => uow.organizations().insert(&same, scope.actor())),
        OrganizationId
    );
    let change = OrganizationChange { name: None, slug: Some(Slug::parse("engines").unwrap()) };
    assert_conflict!(
        attempt!(storage, uow => uow.organizations().update(&other, &change, None, at(1))),
        OrganizationSlug
    );
    let own = commit!(storage, uow => uow.organizations().update(&scope, &change, None, at(1)));
    assert!(own.is_some(), "its own slug is not taken");
}

pub async fn an_organization_needs_an_owner_who_is_there(storage: Arc<dyn Storage>) {
    let organization = new_organization("engines");
    assert_conflict!(attempt!(storage, uow => uow.organizations().insert(&organization, id())), Reference);
    let ada = add_user(&storage, "ada").await;
    assert_eq!(membership(&storage, &organization.slug, ada.id).await, None);
    commit!(storage, uow => uow.organizations().insert(&organization, ada.id));
}

pub async fn organizations_are_listed_by_age_page_by_page(storage: Arc<dyn Storage>) {
    let ada = add_user(&storage, "ada").await;
    let outsider = tenant(&storage, "compilers").await;
    let mut expected = Vec::new();
    // Three share each time, so that the id determines the order.
    for index in 0..9_i64 {
        let created_at = at_micros(9 - index / 3);
        let organization =
            Organization { created_at, updated_at: created_at, ..new_organization(&format!("org-{index}")) };
        commit!(storage, uow => uow.organizations().insert(&organization, ada.id));
        expected.push(organization);
    }
    expected.sort_by_key(|organization| (organization.created_at, organization.id));
    for limit in [1, 2, 3, 4, 9, 10, 100] {
        let seen = all_pages(limit, async |page| {
            let rows = read!(storage, uow => uow.organizations().list_of(ada.id, &page));
            assert!(rows.len() <= page.fetch() as usize, "no more rows than were asked for");
            page.page(rows, None, |(row, _)| Cursor { at: row.created_at, id: row.id.into() })
        })
        .await;
        let expected = expected.iter().map(|organization| (organization.clone(), Role::Owner));
        assert_eq!(seen, expected.collect::<Vec<_>>(), "pages of {limit}");
    }
    assert_eq!(read!(storage, uow => uow.organizations().count_of(ada.id)), 9);
    assert_eq!(read!(storage, uow => uow.organizations().count_of(outsider.actor())), 1);
    assert_eq!(read!(storage, uow => uow.organizations().count_of(id())), 0);
}

pub async fn the_list_shows_ones_role_in_each_organization(storage: Arc<dyn Storage>) {
    let scope = tenant(&storage, "engines").await;
    let grace = add_user(&storage, "grace").await;
    add_organization(&storage, "compilers", grace.id).await;
    add_member(&storage, &scope, &grace, Role::Admin, at(1)).await;
    let listed = read!(storage, uow => uow.organizations().list_of(grace.id, &PageRequest::first()));
    let mut roles: Vec<_> = listed.iter().map(|(row, role)| (row.slug.as_str(), *role)).collect();
    roles.sort_unstable();
    assert_eq!(roles, [("compilers", Role::Owner), ("engines", Role::Admin)]);
}

pub async fn an_organization_changes_in_what_is_named_only(storage: Arc<dyn Storage>) {
    let scope = tenant(&storage, "engines").await;
    let update = async |change: OrganizationChange, seconds| {
        commit!(storage, uow => uow.organizations().update(&scope, &change, None, at(seconds))).unwrap()
    };
    let named = update(rename(UNICODE), 1).await;
    assert_eq!((&*named.name, named.slug.as_str()), (UNICODE, "engines"));
    assert!(named.version > 1 && named.updated_at == at(1) && named.created_at == at(0));
    let slug = Slug::parse("difference-engines").unwrap();
    let moved = update(OrganizationChange { name: None, slug: Some(slug.clone()) }, 2).await;
    assert_eq!((&*moved.name, &moved.slug), (UNICODE, &slug));
    assert!(moved.version > named.version && moved.updated_at == at(2));
    assert_eq!(membership(&storage, &slug, scope.actor()).await, Some((moved, Role::Owner)));
    assert_eq!(membership(&storage, &Slug::parse("engines").unwrap(), scope.actor()).await, None);
}

pub async fn a_change_or_removal_of_another_version_is_stale(storage: Arc<dyn Storage>) {
    let scope = tenant(&storage, "engines").await;
    let (first, second) = (rename("First"), rename("Second"));
    let changed = commit!(storage, uow => uow.organizations().update(&scope, &first, Some(1), at(1)));
    let changed = changed.unwrap();
    assert_stale!(attempt!(storage, uow => uow.organizations().update(&scope, &second, Some(1), at(2))));
    assert_stale!(attempt!(storage, uow => uow.organizations().delete(&scope, Some(1))));
    let found = membership(&storage, &changed.slug, scope.actor()).await.unwrap().0;
    assert_eq!(found, changed);
    assert!(commit!(storage, uow => uow.organizations().delete(&scope, Some(changed.version))));
}

pub async fn an_organization_goes_with_all_that_belongs_to_it(storage: Arc<dyn Storage>) {
    let scope = tenant(&storage, "engines").await;
    let other = tenant(&storage, "compilers").await;
    let grace = add_user(&storage, "grace").await;
    add_member(&storage, &scope, &grace, Role::Member, at(1)).await;
    add_member(&storage, &other, &grace, Role::Member, at(1)).await;
    let (invitation, token) = add_invitation(&storage, &scope, "edsger").await;
    let (kept, _) = add_invitation(&storage, &other, "edsger").await;
    let pass = redeem(&storage, &token).await;
    assert!(commit!(storage, uow => uow.organizations().delete(&scope, None)));

    assert_eq!(membership(&storage, &Slug::parse("engines").unwrap(), scope.actor()).await, None);
    assert_eq!(read!(storage, uow => uow.organizations().count_of(scope.actor())), 0);
    assert_eq!(read!(storage, uow => uow.organizations().count_of(grace.id)), 1);
    assert_eq!(read!(storage, uow => uow.members().count(&scope)), 0);
    assert_eq!(read!(storage, uow => uow.invitations().count(&scope)), 0);
    assert!(
        read!(storage, uow => uow.invitations().find_by_token(scope.org(), &invitation.token_hash)).is_none()
    );
    assert!(!commit!(storage, uow => uow.invitations().accept(&pass, at(2))));
    assert_conflict!(attempt!(storage, uow => uow.members().join(&pass, grace.id, at(2))), Reference);
    let (late, _) = new_invitation(&scope, "barbara");
    assert_conflict!(attempt!(storage, uow => uow.invitations().put_pending(&scope, &late)), Reference);

    assert_eq!(read!(storage, uow => uow.members().count(&other)), 2);
    assert_eq!(read!(storage, uow => uow.invitations().find(&other, kept.id)), Some(kept));
    assert!(read!(storage, uow => uow.users().find(scope.actor())).is_some(), "users stay");
}

pub async fn what_is_gone_is_neither_changed_nor_removed_nor_stale(storage: Arc<dyn Storage>) {
    let scope = tenant(&storage, "engines").await;
    assert!(commit!(storage, uow => uow.organizations().delete(&scope, None)));
    let change = rename("Too late");
    assert!(commit!(storage, uow => uow.organizations().update(&scope, &change, Some(1), at(1))).is_none());
    assert!(!commit!(storage, uow => uow.organizations().delete(&scope, Some(1))));
    commit!(storage, uow => uow.organizations().lock(&scope));
    let ada = scope.actor();
    add_organization(&storage, "engines", ada).await;
    assert_eq!(
        read!(storage, uow => uow.members().count(&scope)),
        0,
        "the slug is free, the id is not reused"
    );
}

pub async fn the_lock_is_held_until_the_end_of_the_transaction(storage: Arc<dyn Storage>) {
    let scope = tenant(&storage, "engines").await;
    for commits in [true, false] {
        let mut first = storage.begin().await.unwrap();
        first.organizations().lock(&scope).await.unwrap();
        let others = Arc::clone(&storage);
        let mut second = tokio::spawn(async move {
            let mut uow = others.begin().await.unwrap();
            uow.organizations().lock(&scope).await.unwrap();
            uow.commit().await.unwrap();
        });
        let early = tokio::time::timeout(Duration::from_millis(200), &mut second).await;
        assert!(early.is_err(), "the second must wait");
        if commits {
            first.commit().await.unwrap();
        } else {
            drop(first);
        }
        tokio::time::timeout(Duration::from_secs(10), second).await.expect("it goes on").unwrap();
    }
}

pub async fn a_vacated_organization_is_nobodys_and_goes_in_portions(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let (other, others) = project_of(&storage, "compilers").await;
    let enter = async |org| {
        let mut uow = storage.read().await.unwrap();
        VacatedOrg::enter(&mut *uow, org).await.unwrap()
    };
    let parent = add_task(&storage, &scope, &board, "Parent").await;
    for index in 0..5 {
        let task = add_part(&storage, &scope, &board, parent.id, &format!("Task {index}")).await;
        add_comment(&storage, &scope, task.id, "A comment").await;
    }
    let kept = add_task(&storage, &other, &others, "Kept").await;
    let (invitation, _) = add_invitation(&storage, &scope, "edsger").await;
    for (rows, is_larger) in [(10, true), (11, false)] {
        assert_eq!(
            read!(storage, uow => uow.organizations().is_larger_than(&scope, Portion::of(rows))),
            is_larger,
            "{rows}"
        );
    }
    assert_eq!(enter(scope.org()).await, None, "people are in it");

    let slug = VacatedOrg::slug(scope.org());
    assert_stale!(attempt!(storage, uow => uow.organizations().vacate(&scope, Some(7), &slug, 2)));
    assert!(commit!(storage, uow => uow.organizations().vacate(&scope, Some(1), &slug, 2)));
    assert!(!commit!(storage, uow => uow.organizations().vacate(&scope, None, &slug, 2)), "it is vacated");
    assert_eq!(membership(&storage, &Slug::parse("engines").unwrap(), scope.actor()).await, None);
    assert_eq!(membership(&storage, &slug, scope.actor()).await, None);
    assert!(
        read!(storage, uow => uow.invitations().find_by_token(scope.org(), &invitation.token_hash)).is_none()
    );
    let again = add_organization(&storage, "engines", scope.actor()).await;
    assert_ne!(again.id, scope.org(), "its slug is free");

    let vacated = enter(scope.org()).await.unwrap();
    let mut portions = 0;
    while commit!(storage, uow => uow.organizations().clear(&vacated, Portion::of(2))) > 0 {
        portions += 1;
        assert!(portions < 100, "it comes to an end");
    }
    assert!(portions > 0);
    assert_eq!(enter(scope.org()).await, None, "it is gone");
    assert_eq!(task(&storage, &scope, parent.id).await, None);
    assert_eq!(read!(storage, uow => uow.projects().find(&scope, board.project.id)), None);
    assert_eq!(
        commit!(storage, uow => uow.organizations().clear(&vacated, Portion::of(2))),
        0,
        "once more does no harm"
    );
    assert!(task(&storage, &other, kept.id).await.is_some());
    assert!(membership(&storage, &Slug::parse("compilers").unwrap(), other.actor()).await.is_some());
}

pub async fn an_organization_is_large_by_the_bytes_of_its_texts_too(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let is_larger = async |bytes| {
        let portion = Portion { rows: 100, bytes };
        read!(storage, uow => uow.organizations().is_larger_than(&scope, portion))
    };
    assert!(!is_larger(0).await, "it is empty");
    let task = add_task(&storage, &scope, &board, "A task").await;
    for _ in 0..3 {
        add_comment(&storage, &scope, task.id, &"x".repeat(500)).await;
    }
    assert!(is_larger(1_500).await && !is_larger(3_000).await);
}
