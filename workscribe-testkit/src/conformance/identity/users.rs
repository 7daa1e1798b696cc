//! Users and their credentials.

use super::fixtures::*;
use super::prelude::*;

pub async fn a_user_is_found_as_they_were_stored(storage: Arc<dyn Storage>) {
    let new = NewUser {
        display_name: UNICODE.into(),
        email: Email::parse("jürgen@bücher.example").unwrap(),
        email_verified: true,
        ..new_user("ada")
    };
    let user = commit!(storage, uow => uow.users().insert(&new));
    assert_eq!(
        (user.id, &user.email, &*user.display_name, user.email_verified, user.created_at, user.updated_at),
        (new.id, &new.email, UNICODE, true, at(0), at(0))
    );
    assert_eq!((&user.avatar_url, user.disabled_at), (&None, None));
    assert_eq!(read!(storage, uow => uow.users().find(new.id)), Some(user.clone()));
    let by_id = read!(storage, uow => uow.users().credentials(new.id)).unwrap();
    let by_email = read!(storage, uow => uow.users().credentials_by_email(&new.email)).unwrap();
    assert!(by_id == by_email && by_id.user == user && by_id.password_hash == new.password_hash);
}

pub async fn a_user_without_a_password_has_no_hash(storage: Arc<dyn Storage>) {
    let new = NewUser { password_hash: None, ..new_user("ada") };
    commit!(storage, uow => uow.users().insert(&new));
    let found = read!(storage, uow => uow.users().credentials(new.id)).unwrap();
    assert_eq!(found.password_hash, None);
}

pub async fn nobody_is_found_under_an_unknown_id_or_address(storage: Arc<dyn Storage>) {
    add_user(&storage, "ada").await;
    assert!(read!(storage, uow => uow.users().find(id())).is_none());
    assert!(read!(storage, uow => uow.users().credentials(id())).is_none());
    let address = email("grace");
    assert!(read!(storage, uow => uow.users().credentials_by_email(&address)).is_none());
}

pub async fn changes_of_an_unknown_user_find_nobody(storage: Arc<dyn Storage>) {
    let (nobody, change) = (id(), ProfileChange::default());
    let address = email("grace");
    let found = commit!(storage, uow => uow.users().update_profile(nobody, &change, Some(1), at(1)));
    assert!(found.is_none(), "a missing row is not a stale one");
    assert!(commit!(storage, uow => uow.users().set_password(nobody, "hash", at(1))).is_none());
    assert!(commit!(storage, uow => uow.users().set_disabled(nobody, true, at(1))).is_none());
    assert!(!commit!(storage, uow => uow.users().rehash(nobody, "old", "new")));
    assert!(!commit!(storage, uow => uow.users().set_verified(nobody, &address, at(1))));
}

pub async fn an_address_belongs_to_one_user(storage: Arc<dyn Storage>) {
    add_user(&storage, "ada").await;
    let again = new_user("ada");
    assert_conflict!(attempt!(storage, uow => uow.users().insert(&again)), UserEmail);
    assert!(read!(storage, uow => uow.users().find(again.id)).is_none());
}

pub async fn an_id_belongs_to_one_user(storage: Arc<dyn Storage>) {
    let ada = add_user(&storage, "ada").await;
    let again = NewUser { id: ada.id, ..new_user("grace") };
    assert_conflict!(attempt!(storage, uow => uow.users().insert(&again)), UserId);
}

pub async fn a_profile_change_leaves_alone_what_it_does_not_name(storage: Arc<dyn Storage>) {
    let ada = add_user(&storage, "ada").await;
    let update = async |change: ProfileChange, seconds| {
        commit!(storage, uow => uow.users().update_profile(ada.id, &change, None, at(seconds))).unwrap()
    };
    let name = ProfileChange { display_name: Some(UNICODE.into()), avatar_url: None };
    let named = update(name, 1).await;
    assert_eq!((&*named.display_name, named.avatar_url.as_ref()), (UNICODE, None));
    assert!(named.version > ada.version && named.updated_at == at(1) && named.created_at == at(0));

    let url = "https://example.com/ada.png".to_owned();
    let picture = ProfileChange { display_name: None, avatar_url: Some(Some(url.clone())) };
    let pictured = update(picture, 2).await;
    assert_eq!((&*pictured.display_name, pictured.avatar_url.as_ref()), (UNICODE, Some(&url)));
    let kept = update(ProfileChange { display_name: Some("Ada".into()), avatar_url: None }, 3).await;
    assert_eq!(kept.avatar_url, Some(url));

    let cleared = update(ProfileChange { display_name: None, avatar_url: Some(None) }, 4).await;
    assert_eq!((&*cleared.display_name, cleared.avatar_url.as_ref()), ("Ada", None));
    assert_eq!(read!(storage, uow => uow.users().find(ada.id)), Some(cleared.clone()));
    assert_eq!((cleared.session_epoch, cleared.email), (ada.session_epoch, ada.email));
}

pub async fn a_profile_change_of_another_version_is_stale(storage: Arc<dyn Storage>) {
    let ada = add_user(&storage, "ada").await;
    let change = ProfileChange { display_name: Some("Ada King".into()), avatar_url: None };
    let changed = commit!(
        storage, uow => uow.users().update_profile(ada.id, &change, Some(ada.version), at(1))
    );
    assert_eq!(changed.unwrap().display_name, "Ada King");
    let late = ProfileChange { display_name: Some("Ada Byron".into()), avatar_url: None };
    assert_stale!(attempt!(
        storage, uow => uow.users().update_profile(ada.id, &late, Some(ada.version), at(2))
    ));
    let kept = read!(storage, uow => uow.users().find(ada.id)).unwrap();
    assert_eq!((&*kept.display_name, kept.updated_at), ("Ada King", at(1)));
}

pub async fn a_new_password_begins_a_new_session_epoch(storage: Arc<dyn Storage>) {
    let ada = add_user(&storage, "ada").await;
    let grace = add_user(&storage, "grace").await;
    let changed = commit!(storage, uow => uow.users().set_password(ada.id, "new hash", at(1))).unwrap();
    assert!(changed.session_epoch > ada.session_epoch && changed.version > ada.version);
    assert_eq!(changed.updated_at, at(1));
    let found = read!(storage, uow => uow.users().credentials(ada.id)).unwrap();
    assert!(found.password_hash.as_deref() == Some("new hash") && found.user == changed);
    assert_eq!(read!(storage, uow => uow.users().find(grace.id)), Some(grace));
}

pub async fn a_rehash_keeps_the_epoch_and_needs_the_old_hash(storage: Arc<dyn Storage>) {
    let ada = add_user(&storage, "ada").await;
    let hash_of = async || read!(storage, uow => uow.users().credentials(ada.id)).unwrap();
    assert!(commit!(storage, uow => uow.users().rehash(ada.id, "hash of ada", "better")));
    assert!(!commit!(storage, uow => uow.users().rehash(ada.id, "hash of ada", "worse")));
    let found = hash_of().await;
    assert_eq!(found.password_hash.as_deref(), Some("better"));
    assert_eq!(found.user.session_epoch, ada.session_epoch);
    let none = NewUser { password_hash: None, ..new_user("grace") };
    commit!(storage, uow => uow.users().insert(&none));
    assert!(!commit!(storage, uow => uow.users().rehash(none.id, "", "worse")));
}

pub async fn an_address_is_verified_only_if_it_still_is_the_users(storage: Arc<dyn Storage>) {
    let ada = add_user(&storage, "ada").await;
    let other = email("byron");
    assert!(!commit!(storage, uow => uow.users().set_verified(ada.id, &other, at(1))));
    assert!(!read!(storage, uow => uow.users().find(ada.id)).unwrap().email_verified);
    assert!(commit!(storage, uow => uow.users().set_verified(ada.id, &ada.email, at(2))));
    assert!(read!(storage, uow => uow.users().find(ada.id)).unwrap().email_verified);
    assert!(commit!(storage, uow => uow.users().set_verified(ada.id, &ada.email, at(3))), "again");
    assert!(read!(storage, uow => uow.users().find(ada.id)).unwrap().email_verified);
}

pub async fn disabling_begins_a_new_epoch_and_enabling_does_not_bring_the_old_one_back(
    storage: Arc<dyn Storage>,
) {
    let ada = add_user(&storage, "ada").await;
    let disabled = commit!(storage, uow => uow.users().set_disabled(ada.id, true, at(1))).unwrap();
    assert_eq!(disabled.disabled_at, Some(at(1)));
    assert!(disabled.session_epoch > ada.session_epoch && disabled.version > ada.version);
    assert_eq!(read!(storage, uow => uow.users().find(ada.id)), Some(disabled.clone()));
    let enabled = commit!(storage, uow => uow.users().set_disabled(ada.id, false, at(2))).unwrap();
    assert_eq!(enabled.disabled_at, None);
    assert!(enabled.session_epoch >= disabled.session_epoch && enabled.version > disabled.version);
    assert_eq!(read!(storage, uow => uow.users().find(ada.id)), Some(enabled));
}

pub async fn stored_times_keep_their_microseconds(storage: Arc<dyn Storage>) {
    for (name, micros) in [("ada", 1), ("grace", 876_543), ("edsger", 876_544)] {
        let new = NewUser { created_at: at_micros(micros), ..new_user(name) };
        commit!(storage, uow => uow.users().insert(&new));
        let found = read!(storage, uow => uow.users().find(new.id)).unwrap();
        assert_eq!(found.created_at, at_micros(micros));
        let later = at_micros(micros + 1);
        let found = commit!(storage, uow => uow.users().set_disabled(new.id, true, later)).unwrap();
        assert_eq!((found.disabled_at, found.updated_at), (Some(later), later));
    }
}
