//! Addresses that refused a mail.

use super::fixtures::*;
use super::prelude::*;

use workscribe_core::identity::{Account, Bounce};

fn bounce(name: &str, seconds: i64) -> Bounce {
    Bounce {
        email: email(name),
        reason: "the server answered 550 5.1.1".into(),
        job: Some(id()),
        bounced_at: at(seconds),
    }
}

async fn note(storage: &Arc<dyn Storage>, bounce: &Bounce) {
    commit!(storage, uow => uow.bounces().note(bounce));
}

pub async fn a_bounce_is_found_as_it_was_noted(storage: Arc<dyn Storage>) {
    let (ada, grace) = (bounce("ada", 1), Bounce { job: None, ..bounce("grace", 2) });
    assert_eq!(read!(storage, uow => uow.bounces().find(&ada.email)), None);
    note(&storage, &ada).await;
    note(&storage, &grace).await;
    for noted in [ada, grace] {
        assert_eq!(read!(storage, uow => uow.bounces().find(&noted.email)), Some(noted));
    }
}

pub async fn a_later_bounce_takes_the_place_of_the_earlier(storage: Arc<dyn Storage>) {
    note(&storage, &bounce("ada", 1)).await;
    let later = Bounce { reason: "another".into(), job: None, ..bounce("ada", 2) };
    note(&storage, &later).await;
    assert_eq!(read!(storage, uow => uow.bounces().find(&later.email)), Some(later));
}

pub async fn an_address_is_forgotten_and_no_other(storage: Arc<dyn Storage>) {
    let (ada, grace) = (bounce("ada", 1), bounce("grace", 1));
    note(&storage, &ada).await;
    note(&storage, &grace).await;
    assert!(commit!(storage, uow => uow.bounces().clear(&ada.email)));
    assert!(!commit!(storage, uow => uow.bounces().clear(&ada.email)), "again");
    assert_eq!(read!(storage, uow => uow.bounces().find(&ada.email)), None);
    assert_eq!(read!(storage, uow => uow.bounces().find(&grace.email)), Some(grace));
}

pub async fn a_sweep_forgets_what_was_noted_before_a_time(storage: Arc<dyn Storage>) {
    for (name, seconds) in [("ada", 1), ("grace", 2), ("edsger", 3)] {
        note(&storage, &bounce(name, seconds)).await;
    }
    assert_eq!(commit!(storage, uow => uow.bounces().sweep(at(2), 100)), 1);
    assert_eq!(read!(storage, uow => uow.bounces().find(&email("ada"))), None);
    assert!(
        read!(storage, uow => uow.bounces().find(&email("grace"))).is_some(),
        "at that time is not before it"
    );
    assert_eq!(commit!(storage, uow => uow.bounces().sweep(at(2), 100)), 0, "again");
    assert_eq!(commit!(storage, uow => uow.bounces().sweep(at(9), 100)), 2);
}

pub async fn of_twenty_bounces_noted_at_once_one_stays(storage: Arc<dyn Storage>) {
    let bounces: Vec<Bounce> = (0..20).map(|seconds| bounce("ada", seconds)).collect();
    let noted = bounces.clone();
    all_at_once(20, |n| {
        let (storage, bounce) = (Arc::clone(&storage), noted[n].clone());
        async move { note(&storage, &bounce).await }
    })
    .await;
    let found = read!(storage, uow => uow.bounces().find(&email("ada"))).unwrap();
    assert!(bounces.contains(&found), "one of them, whole");
}

pub async fn an_account_shows_whether_its_address_refuses_mail(storage: Arc<dyn Storage>) {
    let (ada, grace) = (add_user(&storage, "ada").await, add_user(&storage, "grace").await);
    note(&storage, &bounce("ada", 1)).await;
    for (user, email_bouncing) in [(ada.clone(), true), (grace, false)] {
        let id = user.id;
        assert_eq!(read!(storage, uow => uow.users().account(id)), Some(Account { user, email_bouncing }));
    }
    commit!(storage, uow => uow.bounces().clear(&ada.email));
    assert!(!read!(storage, uow => uow.users().account(ada.id)).unwrap().email_bouncing);
    assert_eq!(read!(storage, uow => uow.users().account(id())), None);
}

pub async fn the_list_of_invitations_shows_whose_address_refuses_mail(storage: Arc<dyn Storage>) {
    let (engines, compilers) = (tenant(&storage, "engines").await, tenant(&storage, "compilers").await);
    for name in ["grace", "edsger"] {
        add_invitation(&storage, &engines, name).await;
    }
    add_invitation(&storage, &compilers, "grace").await;
    note(&storage, &bounce("grace", 1)).await;
    for (scope, expected) in [(&engines, 2), (&compilers, 1)] {
        let listed = read!(storage, uow => uow.invitations().list(scope, &PageRequest::first()));
        assert_eq!(listed.len(), expected);
        for row in listed {
            assert_eq!(row.email_bouncing, row.invitation.email == email("grace"));
        }
    }
}
