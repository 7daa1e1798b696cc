//! Comments on tasks.

use super::fixtures::*;
use super::prelude::*;

use workscribe_core::Target;
use workscribe_core::work::{Comment, Document, Person};

async fn find(storage: &Arc<dyn Storage>, scope: &OrgScope, comment: &Comment) -> Option<Comment> {
    read!(storage, uow => uow.comments().find(scope, comment.task_id, comment.id))
}

pub async fn a_comment_is_found_as_it_was_stored(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let (one, two) =
        (add_task(&storage, &scope, &board, "One").await, add_task(&storage, &scope, &board, "Two").await);
    let mut comment = new_comment(&storage, &scope, one.id, UNICODE).await;
    comment.created_at = at_micros(7);
    comment.updated_at = at_micros(8);
    commit!(storage, uow => uow.comments().insert(&scope, &comment, i64::MAX));
    assert_eq!(find(&storage, &scope, &comment).await, Some(comment.clone()));
    assert_eq!(read!(storage, uow => uow.comments().find(&scope, two.id, comment.id)), None);
    assert_eq!(read!(storage, uow => uow.comments().find(&scope, one.id, id())), None);
    let change = ProfileChange {
        display_name: Some(UNICODE.into()),
        avatar_url: Some(Some("https://example.com/ada".into())),
    };
    commit!(storage, uow => uow.users().update_profile(scope.actor(), &change, None, at(1)));
    let shown = find(&storage, &scope, &comment).await.unwrap().author;
    assert_eq!((&*shown.display_name, shown.avatar_url), (UNICODE, change.avatar_url.flatten()));
}

pub async fn a_comment_is_on_a_task_and_by_somebody_who_are_there(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let task = add_task(&storage, &scope, &board, "One").await;
    let comment = add_comment(&storage, &scope, task.id, "One").await;
    assert_fault!(attempt!(storage, uow => uow.comments().insert(&scope, &comment, i64::MAX)));
    let lost = new_comment(&storage, &scope, id(), "Lost").await;
    assert_conflict!(attempt!(storage, uow => uow.comments().insert(&scope, &lost, i64::MAX)), Reference);
    let mut by_nobody = new_comment(&storage, &scope, task.id, "Lost").await;
    by_nobody.author = Person { id: id(), ..by_nobody.author };
    assert_conflict!(
        attempt!(storage, uow => uow.comments().insert(&scope, &by_nobody, i64::MAX)),
        Reference
    );
    let one_more = new_comment(&storage, &scope, task.id, "Two").await;
    assert_conflict!(attempt!(storage, uow => uow.comments().insert(&scope, &one_more, 1)), Room);
    assert_conflict!(attempt!(storage, uow => uow.comments().insert(&scope, &lost, 0)), Reference);
    assert_eq!(read!(storage, uow => uow.comments().count(&scope, task.id)), 1);
    commit!(storage, uow => uow.comments().insert(&scope, &one_more, 2));
    assert_eq!(read!(storage, uow => uow.comments().count(&scope, task.id)), 2);
}

pub async fn comments_are_listed_by_age_page_by_page(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let (task, other) =
        (add_task(&storage, &scope, &board, "One").await, add_task(&storage, &scope, &board, "Two").await);
    add_comment(&storage, &scope, other.id, "Elsewhere").await;
    let mut expected = Vec::new();
    // Three share each time, so that the id determines the order.
    for index in 0..9_i64 {
        let mut comment = new_comment(&storage, &scope, task.id, &format!("{index}")).await;
        comment.created_at = at_micros(9 - index / 3);
        commit!(storage, uow => uow.comments().insert(&scope, &comment, i64::MAX));
        expected.push(comment);
    }
    expected.sort_by_key(|comment| (comment.created_at, comment.id));
    for limit in [1, 2, 3, 9, 100] {
        let seen = all_pages(limit, async |page| {
            let rows = read!(storage, uow => uow.comments().list(&scope, task.id, &page));
            assert!(rows.len() <= page.fetch() as usize, "no more rows than were asked for");
            page.page(rows, None, |row| Cursor { at: row.created_at, id: row.id.into() })
        })
        .await;
        assert_eq!(seen, expected, "pages of {limit}");
    }
    assert_eq!(read!(storage, uow => uow.comments().count(&scope, task.id)), 9);
    assert_eq!(read!(storage, uow => uow.comments().count(&scope, id())), 0);
}

pub async fn a_changed_comment_says_so(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let task = add_task(&storage, &scope, &board, "One").await;
    let comment = add_comment(&storage, &scope, task.id, "One").await;
    let other = add_comment(&storage, &scope, task.id, "Two").await;
    let body = Document::of_text(UNICODE);
    assert!(
        commit!(storage, uow => uow.comments().update(&scope, Target::new(comment.id, Some(1)).within(task.id), &body, at(5)))
    );
    let expected = Comment { body, is_edited: true, version: 2, updated_at: at(5), ..comment };
    assert_eq!(find(&storage, &scope, &expected).await, Some(expected));
    assert_eq!(find(&storage, &scope, &other).await, Some(other));
}

pub async fn a_change_or_removal_of_a_comment_of_another_version_is_stale(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let (on, other) =
        (add_task(&storage, &scope, &board, "One").await, add_task(&storage, &scope, &board, "Two").await);
    let comment = add_comment(&storage, &scope, on.id, "One").await;
    let body = Document::of_text("Two");
    let update = async |task, id, expected| attempt!(storage, uow => uow.comments().update(&scope, Target::new(id, expected).within(task), &body, at(5)));
    let delete = async |task, id, expected| attempt!(storage, uow => uow.comments().delete(&scope, Target::new(id, expected).within(task)));
    assert_stale!(update(on.id, comment.id, Some(2)).await);
    assert_stale!(delete(on.id, comment.id, Some(2)).await);
    for (task, id) in [(on.id, id()), (other.id, comment.id)] {
        assert!(!update(task, id, Some(2)).await.unwrap(), "a missing row is not a stale one");
        assert!(!delete(task, id, Some(2)).await.unwrap(), "a missing row is not a stale one");
    }
    assert_eq!(find(&storage, &scope, &comment).await.as_ref(), Some(&comment));
    assert!(delete(on.id, comment.id, Some(1)).await.unwrap());
    assert!(!delete(on.id, comment.id, None).await.unwrap(), "again");
    assert_eq!(find(&storage, &scope, &comment).await, None);
    assert_eq!(task(&storage, &scope, on.id).await.unwrap().comment_count, 0);
}
