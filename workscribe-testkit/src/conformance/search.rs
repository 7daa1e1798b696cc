//! The search in an organization.

use super::fixtures::*;
use super::prelude::*;

use workscribe_core::search::{SearchDocument, SearchHit};
use workscribe_core::work::{TaskFilter, TaskQuery, TaskSort};

async fn find(storage: &Arc<dyn Storage>, scope: &OrgScope, text: &str) -> Vec<SearchHit> {
    let query = SearchQuery { words: Words::of(text), kind: None, limit: 100 };
    read!(storage, uow => uow.search().find(scope, &query))
}

/// The titles of the results, in order.
async fn titles(storage: &Arc<dyn Storage>, scope: &OrgScope, text: &str) -> Vec<String> {
    find(storage, scope, text).await.into_iter().map(|hit| hit.title).collect()
}

async fn put(storage: &Arc<dyn Storage>, scope: &OrgScope, document: &SearchDocument) {
    commit!(storage, uow => uow.search().put(scope, document));
}

pub async fn projects_tasks_and_comments_are_found_as_what_they_are(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let project = &board.project;
    let task = add_task(&storage, &scope, &board, UNICODE).await;
    let comment = add_comment(&storage, &scope, task.id, "").await;
    let of_project = SearchDocument {
        id: project.id.into(),
        kind: SearchKind::Project,
        task: None,
        title: Words::of("project engine"),
        body: UNICODE.into(),
        updated_at: at_micros(7),
    };
    let of_task = SearchDocument { updated_at: at_micros(8), ..task_document(task.id, "task engine", "") };
    let of_comment = SearchDocument {
        id: comment.id.into(),
        kind: SearchKind::Comment,
        title: Words::default(),
        body: format!("comment engine\n{UNICODE}"),
        updated_at: at_micros(9),
        ..of_task.clone()
    };
    for document in [&of_project, &of_task, &of_comment] {
        put(&storage, &scope, document).await;
    }
    let hit = |document: &SearchDocument, title: &str, task| SearchHit {
        kind: document.kind,
        id: document.id,
        title: title.into(),
        body: document.body.clone(),
        project_id: project.id,
        project_key: project.key.clone(),
        task,
        updated_at: document.updated_at,
    };
    let expected = [
        hit(&of_project, &project.name, None),
        hit(&of_task, UNICODE, Some((task.id, 1))),
        hit(&of_comment, UNICODE, Some((task.id, 1))),
    ];
    for (word, expected) in ["project engine", "task engine", "comment engine"].iter().zip(&expected) {
        assert_eq!(find(&storage, &scope, word).await, std::slice::from_ref(expected));
    }
    for expected in expected {
        let query = SearchQuery { words: Words::of("engine"), kind: Some(expected.kind), limit: 100 };
        assert_eq!(read!(storage, uow => uow.search().find(&scope, &query)), [expected]);
    }
    assert_eq!(find(&storage, &scope, "engine").await.len(), 3);
}

pub async fn what_is_found_has_all_of_the_words_and_the_last_may_go_on(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    add_findable(&storage, &scope, &board, "one", "The login page is slow").await;
    add_findable(&storage, &scope, &board, "two", "The login form").await;
    for (text, expected) in [
        ("login page", 1),
        ("page login", 1),
        ("login", 2),
        ("login pag", 1),
        ("logi", 2),
        ("pag login", 0),
        ("logi page", 0),
        ("login page form", 0),
        ("ogin", 0),
        ("loginpage", 0),
        ("one page", 1),
        ("two page", 0),
        ("login login", 2),
        ("", 0),
        (" ,. ", 0),
    ] {
        assert_eq!(find(&storage, &scope, text).await.len(), expected, "{text:?}");
    }
    let query = SearchQuery { words: Words::of("login"), kind: None, limit: 1 };
    assert_eq!(read!(storage, uow => uow.search().find(&scope, &query)).len(), 1);
}

pub async fn nothing_in_a_query_is_a_sign_of_a_query_language(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let body = "100% of a_b or c:\\d 'quoted' \"double\" NEAR title: o:0000 x*y (z) -- ; <!-- &amp; @ ^ +";
    add_findable(&storage, &scope, &board, "signs", body).await;
    add_findable(&storage, &scope, &board, "other", "100 other things, not near").await;
    for text in [
        "100%",
        "%100%",
        "a_b",
        "a b",
        "c:\\d",
        "'quoted'",
        "\"double\"",
        "\"quoted",
        "o'quoted",
        "100 AND quoted",
        "quoted NOT",
        "NEAR(quoted, double)",
        "title:quoted",
        "title : quoted",
        "quoted -double",
        "quoted & !double",
        "x*",
        "*x",
        "x*y",
        "(z",
        "z)",
        "quoted | nothing",
        "q:*",
        "^quoted",
        "+quoted",
        "signs;--",
        "quoted\u{0}double",
        "o:0000",
        "{quoted double}",
        "quoted <-> double",
        "NULL",
        "\\",
        "%",
        "_",
        "'",
        "\"",
        "*",
        "()",
        "''",
        "OR",
        "AND",
    ] {
        // A storage finds documents with the words, whatever separates the words.
        let words = Words::of(text);
        let in_it = |word: &String, on: bool| {
            let all = Words::of(&format!("signs {body}"));
            all.as_slice()
                .iter()
                .any(|other| if on { other.starts_with(word.as_str()) } else { other == word })
        };
        let last = words.as_slice().len().saturating_sub(1);
        let has_all = words.as_slice().iter().enumerate().all(|(index, word)| in_it(word, index == last));
        let found = titles(&storage, &scope, text).await;
        let expected = !words.is_empty() && has_all;
        assert_eq!(found.iter().any(|title| title == "signs"), expected, "{text:?} found {found:?}");
    }
}

pub async fn case_and_accents_do_not_matter(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    add_findable(&storage, &scope, &board, "Crème Brûlée ÅNGSTRÖM ﬁne Ιώτα", "ΣΊΣΥΦΟΣ Ёлка İstanbul").await;
    for text in [
        "creme",
        "CRÈME",
        "cre\u{301}me",
        "brulee",
        "BRÛLÉE",
        "angstrom",
        "Ångström",
        "fine",
        "ιωτα",
        "ΙΏΤΑ",
        "σίσυφο",
        "ёлка",
        "ЕЛКА",
        "istanbul",
        "creme brul",
    ] {
        assert_eq!(find(&storage, &scope, text).await.len(), 1, "{text}");
    }
}

pub async fn chinese_and_japanese_are_found_by_their_characters(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    add_findable(&storage, &scope, &board, "修复登录页面", "ログインできない bug 東京").await;
    add_findable(&storage, &scope, &board, "修改密码", "").await;
    for (text, expected) in [
        ("登录", 1),
        ("修", 2),
        ("修复", 1),
        ("修改 登录", 0),
        ("ログイン", 1),
        ("东京", 0),
        ("東京 bu", 1),
        ("密码登", 0),
    ] {
        assert_eq!(find(&storage, &scope, text).await.len(), expected, "{text}");
    }
}

pub async fn words_in_the_title_weigh_more_and_then_the_newest_comes_first(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let filler = "some more words that say nothing of the matter and only make the text a bit longer";
    for (name, title, body, seconds) in [
        ("in the text", "nothing", format!("engine {filler}"), 9),
        ("in the title, old", "engine", filler.to_owned(), 1),
        ("in the title, new", "engine", filler.to_owned(), 2),
        ("not at all", "nothing", filler.to_owned(), 3),
    ] {
        let task = add_task(&storage, &scope, &board, name).await;
        let document = SearchDocument { updated_at: at(seconds), ..task_document(task.id, title, &body) };
        put(&storage, &scope, &document).await;
    }
    let expected = ["in the title, new", "in the title, old", "in the text"];
    assert_eq!(titles(&storage, &scope, "engine").await, expected);
    assert_eq!(titles(&storage, &scope, "engi").await, expected);
}

pub async fn a_document_put_again_takes_the_place_of_the_earlier(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let task = add_findable(&storage, &scope, &board, "steam", "coal and water").await;
    let again =
        SearchDocument { updated_at: at(9), ..task_document(task.id, "electric", "copper and water") };
    put(&storage, &scope, &again).await;
    for gone in ["steam", "coal"] {
        assert_eq!(find(&storage, &scope, gone).await, [], "{gone}");
    }
    let [hit] = &find(&storage, &scope, "electric water copper").await[..] else { panic!("one is found") };
    assert_eq!((&*hit.body, hit.updated_at), ("copper and water", at(9)));
}

pub async fn many_documents_are_put_at_once_each_in_place_of_an_earlier(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let (other, _) = project_of(&storage, "looms").await;
    let mut tasks = Vec::new();
    for title in ["First", "Second", "Third"] {
        tasks.push(add_task(&storage, &scope, &board, title).await.id);
    }
    put(&storage, &scope, &task_document(tasks[0], "before", "")).await;
    let documents = [
        task_document(tasks[0], "loom", UNICODE),
        task_document(tasks[1], "loom", ""),
        task_document(tasks[2], "gear", "of a loom"),
    ];
    commit!(storage, uow => uow.search().put_all(&scope, &documents));
    commit!(storage, uow => uow.search().put_all(&scope, &[]));
    let found: BTreeSet<String> = titles(&storage, &scope, "loom").await.into_iter().collect();
    assert_eq!(found, ["First", "Second", "Third"].map(str::to_owned).into());
    assert_eq!(titles(&storage, &scope, "gear").await, ["Third"]);
    assert!(titles(&storage, &scope, "before").await.is_empty(), "the earlier one is gone");
    assert!(titles(&storage, &other, "loom").await.is_empty(), "they are one organization's");
}

pub async fn a_document_that_is_removed_is_not_found(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let (gone, kept) = (
        add_findable(&storage, &scope, &board, "engine", "").await,
        add_findable(&storage, &scope, &board, "engine", "").await,
    );
    for _ in 0..2 {
        commit!(storage, uow => uow.search().remove(&scope, gone.id.into()));
        let found: Vec<_> = find(&storage, &scope, "engine").await.iter().map(|hit| hit.task).collect();
        assert_eq!(found, [Some((kept.id, kept.number))]);
    }
    assert!(commit!(storage, uow => uow.tasks().delete(&scope, kept.id.into())));
    assert_eq!(find(&storage, &scope, "engine").await, []);
    put(&storage, &scope, &task_document(gone.id, "engine", "")).await;
    assert_eq!(find(&storage, &scope, "engine").await.len(), 1, "and may come back");
}

pub async fn a_document_may_be_put_before_its_task_and_not_without_it(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let new = new_task(&scope, &board, "Later");
    let document = task_document(new.id, "engine", "");
    let mut uow = storage.begin().await.unwrap();
    uow.search().put(&scope, &document).await.unwrap();
    uow.tasks().insert(&scope, &new).await.unwrap();
    uow.commit().await.unwrap();
    assert_eq!(titles(&storage, &scope, "engine").await, ["Later"]);
    let lost = task_document(id(), "engine", "");
    assert_conflict!(settle!(storage, uow => uow.search().put(&scope, &lost)), Reference);
    assert_eq!(titles(&storage, &scope, "engine").await, ["Later"]);
}

pub async fn an_organization_finds_its_own_alone(storage: Arc<dyn Storage>) {
    let (mine, board) = project_of(&storage, "engines").await;
    let (theirs, other) = project_of(&storage, "compilers").await;
    add_findable(&storage, &mine, &board, "engine", "of mine").await;
    add_findable(&storage, &theirs, &other, "engine", "of theirs").await;
    for (scope, body) in [(&mine, "of mine"), (&theirs, "of theirs")] {
        let found = find(&storage, scope, "engine").await;
        assert_eq!(found.iter().map(|hit| &*hit.body).collect::<Vec<_>>(), [body]);
        assert_eq!(find(&storage, scope, body).await, found);
    }
    // Not even by the organization's id, whatever a storage uses to mark its documents.
    let org = theirs.org().to_string();
    for text in [org.clone(), format!("o:{org}"), format!("\"{org}\" engine"), org.replace('-', "")] {
        assert_eq!(find(&storage, &mine, &text).await, [], "{text}");
    }
}

pub async fn a_long_text_is_found_by_its_last_word(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let mut body = "stoff ".repeat(SearchDocument::MAX_BODY / 6 - 2);
    body.push_str("letztes");
    add_findable(&storage, &scope, &board, "long", &body).await;
    let [hit] = &find(&storage, &scope, "stoff letzt").await[..] else { panic!("one is found") };
    assert!(hit.body == body, "it comes back whole");
}

pub async fn a_word_that_is_everywhere_is_found_like_another(storage: Arc<dyn Storage>) {
    let (scope, board) = project_of(&storage, "engines").await;
    let (other, other_board) = project_of(&storage, "looms").await;
    add_findable(&storage, &other, &other_board, "theirs", "everywhere").await;
    add_findable(&storage, &scope, &board, "everywhere in the title", "").await;
    for number in 0..40 {
        add_findable(&storage, &scope, &board, &format!("number {number}"), "said everywhere").await;
    }
    for text in ["everywhere", "every", "said everywhere"] {
        let found = titles(&storage, &scope, text).await;
        assert_eq!(found.len(), if text.starts_with("said") { 40 } else { 41 }, "{text}");
        assert!(!found.contains(&"theirs".to_owned()));
        if !text.starts_with("said") {
            assert_eq!(found[0], "everywhere in the title");
        }
    }
    let query = SearchQuery { words: Words::of("everywhere"), kind: Some(SearchKind::Project), limit: 100 };
    assert_eq!(read!(storage, uow => uow.search().find(&scope, &query)), []);
    let filter = |words| TaskFilter {
        project: Some(board.project.id),
        search: Some(Words::of(words)),
        ..TaskFilter::default()
    };
    for (words, expected) in
        [("everywhere", 41), ("everywhere title", 1), ("said everywhere", 40), ("nowhere", 0)]
    {
        let query = TaskQuery::new(filter(words), TaskSort::default(), Some(100), None, true).unwrap();
        assert_eq!(read!(storage, uow => uow.tasks().list(&scope, &query)).len(), expected, "{words}");
        assert_eq!(
            read!(storage, uow => uow.tasks().count(&scope, &query)),
            i64::try_from(expected).unwrap(),
            "{words}"
        );
    }
}
