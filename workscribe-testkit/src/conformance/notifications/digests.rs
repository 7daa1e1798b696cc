//! The mails that bundle a person's notifications.

use super::fixtures::*;
use super::prelude::*;

use workscribe_core::notifications::{Digest, NewNotification, Notification, NotificationFilter};

async fn open(storage: &Arc<dyn Storage>, digest: &Digest) -> bool {
    commit!(storage, uow => uow.notifications().open_digest(digest))
}

/// Closes a digest and reads the notifications in it.
async fn close(storage: &Arc<dyn Storage>, digest: &Digest) -> Vec<Notification> {
    commit!(storage, uow => uow.notifications().close_digest(digest));
    read!(storage, uow => uow.notifications().digest(digest, 100))
}

fn titles(notifications: &[Notification]) -> Vec<&str> {
    notifications.iter().map(|notification| &*notification.title).collect()
}

fn digest(user: UserId) -> Digest {
    Digest { user, job: id() }
}

async fn add(storage: &Arc<dyn Storage>, scope: &OrgScope, title: &str, seconds: i64) -> NewNotification {
    let new = new_notification(scope.actor(), title, at(seconds));
    commit!(storage, uow => uow.notifications().add(scope, std::slice::from_ref(&new)));
    new
}

pub async fn a_person_has_one_open_digest(storage: Arc<dyn Storage>) {
    let (ada, grace) = (add_user(&storage, "ada").await.id, add_user(&storage, "grace").await.id);
    let (first, second) = (digest(ada), digest(ada));
    assert!(open(&storage, &first).await);
    assert!(!open(&storage, &second).await);
    assert!(open(&storage, &digest(grace)).await, "another's is another's");
    assert_eq!(close(&storage, &second).await, [], "one that was never opened says nothing");
    assert!(!open(&storage, &second).await, "and closes none");
    assert_eq!(close(&storage, &first).await, []);
    assert!(open(&storage, &second).await);
}

pub async fn a_digest_that_is_rolled_back_is_not_open(storage: Arc<dyn Storage>) {
    let ada = add_user(&storage, "ada").await.id;
    let mut uow = storage.begin().await.unwrap();
    assert!(uow.notifications().open_digest(&digest(ada)).await.unwrap());
    drop(uow);
    assert!(open(&storage, &digest(ada)).await);
}

pub async fn of_twenty_digests_opened_at_once_one_is(storage: Arc<dyn Storage>) {
    let ada = add_user(&storage, "ada").await.id;
    let opened = all_at_once(20, |_| {
        let storage = Arc::clone(&storage);
        async move { open(&storage, &digest(ada)).await }
    })
    .await;
    assert_eq!(opened.iter().filter(|opened| **opened).count(), 1);
}

pub async fn what_is_added_under_an_open_digest_is_in_it_whoever_closes_it_meanwhile(
    storage: Arc<dyn Storage>,
) {
    let scope = tenant(&storage, "engines").await;
    let (first, second) = (digest(scope.actor()), digest(scope.actor()));
    assert!(open(&storage, &first).await);
    let mut adding = storage.begin().await.unwrap();
    let new = new_notification(scope.actor(), "One", at(1));
    adding.notifications().add(&scope, &[new]).await.unwrap();
    assert!(!adding.notifications().open_digest(&second).await.unwrap());
    let others = Arc::clone(&storage);
    let mut closing = tokio::spawn(async move { close(&others, &first).await });
    let early = tokio::time::timeout(Duration::from_millis(200), &mut closing).await;
    assert!(early.is_err(), "who closes it must wait");
    adding.commit().await.unwrap();
    let said = tokio::time::timeout(Duration::from_secs(10), closing).await.expect("it goes on").unwrap();
    assert_eq!(titles(&said), ["One"]);
}

pub async fn a_digest_says_what_waits_for_a_mail_oldest_first(storage: Arc<dyn Storage>) {
    let (scope, other) = (tenant(&storage, "engines").await, tenant(&storage, "compilers").await);
    let ada = scope.actor();
    let digest = digest(ada);
    assert!(open(&storage, &digest).await);
    for (title, seconds) in [("c", 3), ("a", 1), ("b", 2)] {
        add(&storage, &scope, title, seconds).await;
    }
    let silent = NewNotification { mail: false, ..new_notification(ada, "No mail", at(1)) };
    let others = new_notification(other.actor(), "Another's", at(1));
    commit!(storage, uow => uow.notifications().add(&scope, &[silent, others]));
    assert_eq!(read!(storage, uow => uow.notifications().digest(&digest, 100)), [], "it is open still");
    let said = close(&storage, &digest).await;
    assert_eq!(titles(&said), ["a", "b", "c"]);
    let shown = read!(storage, uow => uow.notifications().list(ada, &NotificationFilter::default(), &PageRequest::largest()));
    assert!(shown.contains(&said[0]), "it says them as they are shown");
    assert_eq!(titles(&read!(storage, uow => uow.notifications().digest(&digest, 2))), ["a", "b"]);
}

pub async fn a_closed_digest_says_the_same_again_and_leaves_the_rest_to_the_next(storage: Arc<dyn Storage>) {
    let scope = tenant(&storage, "engines").await;
    let (first, second) = (digest(scope.actor()), digest(scope.actor()));
    let one = add(&storage, &scope, "One", 1).await;
    assert!(open(&storage, &first).await);
    assert_eq!(titles(&close(&storage, &first).await), ["One"]);
    add(&storage, &scope, "Two", 2).await;
    assert!(open(&storage, &second).await);
    assert_eq!(titles(&close(&storage, &first).await), ["One"]);
    commit!(storage, uow => uow.notifications().set_read(scope.actor(), one.id, true));
    assert_eq!(titles(&close(&storage, &first).await), ["One"], "it was in it when it was closed");
    assert_eq!(titles(&close(&storage, &second).await), ["Two"]);
}

pub async fn what_was_read_before_a_digest_closed_is_not_in_it_or_any_later_one(storage: Arc<dyn Storage>) {
    let scope = tenant(&storage, "engines").await;
    let (first, second) = (digest(scope.actor()), digest(scope.actor()));
    assert!(open(&storage, &first).await);
    let read = add(&storage, &scope, "Read", 1).await;
    add(&storage, &scope, "Unread", 2).await;
    commit!(storage, uow => uow.notifications().set_read(scope.actor(), read.id, true));
    assert_eq!(titles(&close(&storage, &first).await), ["Unread"]);
    commit!(storage, uow => uow.notifications().set_read(scope.actor(), read.id, false));
    assert!(open(&storage, &second).await);
    assert_eq!(close(&storage, &second).await, []);
}

pub async fn a_digest_says_nothing_of_organizations_that_its_reader_left(storage: Arc<dyn Storage>) {
    let (engines, compilers) = (tenant(&storage, "engines").await, tenant(&storage, "compilers").await);
    let grace = add_user(&storage, "grace").await;
    let (first, second) = (digest(grace.id), digest(grace.id));
    for (scope, title) in [(&engines, "Engines"), (&compilers, "Compilers")] {
        add_member(&storage, scope, &grace, Role::Member, at(1)).await;
        let new = new_notification(grace.id, title, at(1));
        commit!(storage, uow => uow.notifications().add(scope, &[new]));
    }
    assert!(open(&storage, &first).await);
    commit!(storage, uow => uow.members().remove(&engines, grace.id, None));
    assert_eq!(titles(&close(&storage, &first).await), ["Compilers"]);
    // Dropped notifications do not wait for the next digest, even if the member comes back.
    add_member(&storage, &engines, &grace, Role::Member, at(2)).await;
    assert!(open(&storage, &second).await);
    assert_eq!(close(&storage, &second).await, []);
    commit!(storage, uow => uow.members().remove(&compilers, grace.id, None));
    let left = read!(storage, uow => uow.notifications().digest(&first, 100));
    assert_eq!(left, [], "nor of one that was left after it closed");
}

pub async fn a_digest_that_was_sent_says_the_same_again_and_the_next_nothing_of_it(
    storage: Arc<dyn Storage>,
) {
    let scope = tenant(&storage, "engines").await;
    let (first, second) = (digest(scope.actor()), digest(scope.actor()));
    assert!(open(&storage, &first).await);
    add(&storage, &scope, "One", 1).await;
    assert_eq!(titles(&close(&storage, &first).await), ["One"]);
    commit!(storage, uow => uow.notifications().digest_sent(&first));
    assert_eq!(titles(&close(&storage, &first).await), ["One"], "a job that runs twice sends the same");
    assert!(open(&storage, &second).await);
    assert_eq!(close(&storage, &second).await, []);
    let shown =
        read!(storage, uow => uow.notifications().count(scope.actor(), &NotificationFilter::default()));
    assert_eq!(shown, 1, "it is shown as before");
}

pub async fn a_digest_is_somebodys_who_is_there(storage: Arc<dyn Storage>) {
    let digest = digest(id());
    assert_conflict!(attempt!(storage, uow => uow.notifications().open_digest(&digest)), Reference);
    assert_eq!(close(&storage, &digest).await, []);
}
