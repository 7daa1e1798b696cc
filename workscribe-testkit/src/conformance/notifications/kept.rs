//! Notifications, and which of them a mail contains.

use super::fixtures::*;
use super::prelude::*;

use workscribe_core::notifications::{
    EntityType, NewNotification, Notification, NotificationFilter, NotificationType, Preferences,
};

async fn list(storage: &Arc<dyn Storage>, user: UserId, filter: &NotificationFilter) -> Vec<Notification> {
    read!(storage, uow => uow.notifications().list(user, filter, &PageRequest::largest()))
}

fn everything() -> NotificationFilter {
    NotificationFilter::default()
}

fn from(slug: &str) -> NotificationFilter {
    NotificationFilter { organization: Some(Slug::parse(slug).unwrap()), unread: false }
}

/// Two organizations with one common member, who owns neither.
async fn member_of_two(storage: &Arc<dyn Storage>) -> (OrgScope, OrgScope, UserId) {
    let (engines, compilers) = (tenant(storage, "engines").await, tenant(storage, "compilers").await);
    let grace = add_user(storage, "grace").await;
    for scope in [&engines, &compilers] {
        add_member(storage, scope, &grace, Role::Member, at(1)).await;
    }
    (engines, compilers, grace.id)
}

pub async fn a_notification_is_found_as_it_was_stored_with_who_caused_it(storage: Arc<dyn Storage>) {
    let (scope, _, grace) = member_of_two(&storage).await;
    let full = NewNotification {
        kind: NotificationType::Mention,
        body: Some(UNICODE.into()),
        entity_type: EntityType::Comment,
        mail: false,
        ..new_notification(grace, UNICODE, at_micros(7))
    };
    let bare = new_notification(grace, "Bare", at(-1));
    commit!(storage, uow => uow.notifications().add(&scope, &[full.clone(), bare.clone()]));
    let actor = person(&storage, scope.actor()).await;
    let expected = [full, bare].map(|new| Notification {
        id: new.id,
        org_id: scope.org(),
        org_slug: Slug::parse("engines").unwrap(),
        org_name: "The organization engines".into(),
        user_id: grace,
        kind: new.kind,
        title: new.title,
        body: new.body,
        entity_type: new.entity_type,
        entity_id: new.entity_id,
        actor: Some(actor.clone()),
        is_read: false,
        created_at: new.created_at,
    });
    assert_eq!(list(&storage, grace, &everything()).await, expected);
    assert_eq!(list(&storage, scope.actor(), &everything()).await, []);
}

pub async fn notifications_are_listed_newest_first_page_by_page(storage: Arc<dyn Storage>) {
    let (engines, compilers, grace) = member_of_two(&storage).await;
    let mut all = Vec::new();
    // Three share each time, so that the id determines the order.
    for index in 0..12_i64 {
        let new = new_notification(grace, "To grace", at_micros(index / 3));
        let scope = if index % 4 == 0 { &compilers } else { &engines };
        commit!(storage, uow => uow.notifications().add(scope, std::slice::from_ref(&new)));
        all.push((new, index % 4 == 0));
    }
    let other = new_notification(engines.actor(), "To another", at(9));
    commit!(storage, uow => uow.notifications().add(&engines, &[other]));
    all.sort_by_key(|(new, _)| std::cmp::Reverse((new.created_at, new.id)));
    for (filter, expected) in [
        (everything(), all.iter().collect::<Vec<_>>()),
        (from("compilers"), all.iter().filter(|(_, is_compilers)| *is_compilers).collect()),
        (from("nowhere"), Vec::new()),
    ] {
        let expected: Vec<_> = expected.into_iter().map(|(new, _)| new.id).collect();
        for limit in [1, 2, 3, 12, 100] {
            let seen = all_pages(limit, async |page| {
                let rows = read!(storage, uow => uow.notifications().list(grace, &filter, &page));
                assert!(rows.len() <= page.fetch() as usize, "no more rows than were asked for");
                page.page(rows, None, |row| Cursor { at: row.created_at, id: row.id.into() })
            })
            .await;
            assert_eq!(seen.iter().map(|seen| seen.id).collect::<Vec<_>>(), expected, "pages of {limit}");
        }
        let count = read!(storage, uow => uow.notifications().count(grace, &filter));
        assert_eq!(count, expected.len() as i64);
    }
}

pub async fn a_person_marks_their_own_as_read_and_as_not(storage: Arc<dyn Storage>) {
    let (scope, _, grace) = member_of_two(&storage).await;
    let (one, two) = (new_notification(grace, "One", at(1)), new_notification(grace, "Two", at(2)));
    commit!(storage, uow => uow.notifications().add(&scope, &[one.clone(), two.clone()]));
    let set =
        async |user, id, is_read| commit!(storage, uow => uow.notifications().set_read(user, id, is_read));
    let unread = NotificationFilter { unread: true, ..everything() };
    for is_read in [true, true, false, true] {
        let marked = set(grace, one.id, is_read).await.unwrap();
        assert_eq!(
            (marked.id, marked.is_read, &*marked.org_name),
            (one.id, is_read, "The organization engines")
        );
        let left: Vec<_> = list(&storage, grace, &unread).await.iter().map(|left| left.id).collect();
        assert_eq!(left, if is_read { vec![two.id] } else { vec![two.id, one.id] });
        let count = read!(storage, uow => uow.notifications().count(grace, &unread));
        assert_eq!(count, left.len() as i64);
        assert_eq!(read!(storage, uow => uow.notifications().count(grace, &everything())), 2);
    }
    assert_eq!(set(scope.actor(), two.id, true).await, None, "it is another's");
    assert_eq!(set(grace, id(), true).await, None);
    assert_eq!(read!(storage, uow => uow.notifications().count(grace, &unread)), 1);
}

pub async fn all_that_fit_a_filter_are_marked_as_read(storage: Arc<dyn Storage>) {
    let (engines, compilers, grace) = member_of_two(&storage).await;
    for scope in [&engines, &compilers] {
        let new = [1, 2, 3].map(|seconds| new_notification(grace, "To grace", at(seconds)));
        commit!(storage, uow => uow.notifications().add(scope, &new));
        commit!(storage, uow => uow.notifications().set_read(grace, new[0].id, true));
    }
    let other = new_notification(engines.actor(), "To another", at(9));
    commit!(storage, uow => uow.notifications().add(&engines, &[other]));
    let read_all = async |filter| commit!(storage, uow => uow.notifications().read_all(grace, &filter));
    let unread = async |user| {
        let filter = NotificationFilter { unread: true, ..everything() };
        read!(storage, uow => uow.notifications().count(user, &filter))
    };
    assert_eq!(read_all(from("nowhere")).await, 0);
    assert_eq!(read_all(from("engines")).await, 2, "those that were read do not count");
    assert_eq!(unread(grace).await, 2);
    assert_eq!(read_all(everything()).await, 2);
    assert_eq!(read_all(everything()).await, 0);
    assert_eq!((unread(grace).await, unread(engines.actor()).await), (0, 1));
}

pub async fn a_former_member_has_none_of_the_organization(storage: Arc<dyn Storage>) {
    let (engines, compilers, grace) = member_of_two(&storage).await;
    let (lost, kept) = (new_notification(grace, "Lost", at(1)), new_notification(grace, "Kept", at(2)));
    commit!(storage, uow => uow.notifications().add(&engines, std::slice::from_ref(&lost)));
    commit!(storage, uow => uow.notifications().add(&compilers, std::slice::from_ref(&kept)));
    commit!(storage, uow => uow.members().remove(&engines, grace, None));
    let seen: Vec<_> = list(&storage, grace, &everything()).await.iter().map(|seen| seen.id).collect();
    assert_eq!(seen, [kept.id]);
    assert_eq!(list(&storage, grace, &from("engines")).await, []);
    assert_eq!(read!(storage, uow => uow.notifications().count(grace, &everything())), 1);
    assert_eq!(commit!(storage, uow => uow.notifications().set_read(grace, lost.id, true)), None);
    assert_eq!(commit!(storage, uow => uow.notifications().read_all(grace, &everything())), 1);
    // A member who comes back finds them again, still unread.
    let user = read!(storage, uow => uow.users().find(grace)).unwrap();
    add_member(&storage, &engines, &user, Role::Member, at(3)).await;
    let seen = list(&storage, grace, &from("engines")).await;
    assert_eq!(seen.iter().map(|seen| (seen.id, seen.is_read)).collect::<Vec<_>>(), [(lost.id, false)]);
}

pub async fn a_notification_goes_to_somebody_who_is_there(storage: Arc<dyn Storage>) {
    let scope = tenant(&storage, "engines").await;
    let new = [new_notification(scope.actor(), "Fine", at(1)), new_notification(id(), "Lost", at(1))];
    assert_conflict!(settle!(storage, uow => uow.notifications().add(&scope, &new)), Reference);
    commit!(storage, uow => uow.notifications().add(&scope, &new[..1]));
    commit!(storage, uow => uow.notifications().add(&scope, &[]));
    assert_fault!(settle!(storage, uow => uow.notifications().add(&scope, &new[..1])));
    assert_eq!(read!(storage, uow => uow.notifications().count(scope.actor(), &everything())), 1);
}

pub async fn hundreds_of_notifications_are_added_at_once(storage: Arc<dyn Storage>) {
    let scope = tenant(&storage, "engines").await;
    let new: Vec<NewNotification> =
        (0..600).map(|micros| new_notification(scope.actor(), "One of many", at_micros(micros))).collect();
    commit!(storage, uow => uow.notifications().add(&scope, &new));
    assert_eq!(read!(storage, uow => uow.notifications().count(scope.actor(), &everything())), 600);
}

pub async fn every_kind_comes_by_mail_until_it_is_turned_off(storage: Arc<dyn Storage>) {
    let ada = add_user(&storage, "ada").await.id;
    let grace = add_user(&storage, "grace").await.id;
    let preferences = async |user| read!(storage, uow => uow.notifications().preferences(user));
    assert_eq!(preferences(ada).await, Preferences::default());
    assert_eq!(preferences(id()).await, Preferences::default());
    let mut expected = Preferences::default();
    for kind in NotificationType::ALL {
        for mails in [true, false, false] {
            commit!(storage, uow => uow.notifications().set_preference(ada, *kind, mails));
            expected.set(*kind, mails);
            assert_eq!(preferences(ada).await, expected);
        }
    }
    commit!(storage, uow => uow.notifications().set_preference(ada, NotificationType::Mention, true));
    expected.set(NotificationType::Mention, true);
    let other = Preferences::default();
    let users = [grace, ada, id(), ada];
    let many = read!(storage, uow => uow.notifications().preferences_of(&users));
    assert_eq!(many, [other, expected, other, expected], "in the order of the users");
    assert_eq!(read!(storage, uow => uow.notifications().preferences_of(&[])), []);
    let of_nobody =
        attempt!(storage, uow => uow.notifications().set_preference(id(), NotificationType::Mention, true));
    assert_conflict!(of_nobody, Reference);
}

pub async fn a_sweep_removes_notifications_from_before_a_time(storage: Arc<dyn Storage>) {
    let (engines, compilers, grace) = member_of_two(&storage).await;
    for scope in [&engines, &compilers] {
        let new = [1, 2, 3].map(|seconds| new_notification(grace, "To grace", at(seconds)));
        commit!(storage, uow => uow.notifications().add(scope, &new));
    }
    let sweep = async |seconds| commit!(storage, uow => uow.notifications().sweep(at(seconds), 100));
    assert_eq!(sweep(1).await, 0);
    assert_eq!(sweep(3).await, 4);
    assert_eq!(read!(storage, uow => uow.notifications().count(grace, &everything())), 2);
    assert_eq!(sweep(3).await, 0);
}
