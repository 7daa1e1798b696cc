//! Lists of tasks: filters, sorts and pages; the caller's own tasks, and the backlog.

use std::collections::BTreeSet;

use workscribe_testkit::databases;
use workscribe_testkit::proxy::Proxy;

use crate::support::*;
use crate::workshop::{NOTHING, WEB, Workshop, id, says};

const SORTS: [&str; 9] = [
    "position",
    "created_at",
    "-created_at",
    "updated_at",
    "-updated_at",
    "due_date",
    "-due_date",
    "priority",
    "-priority",
];

/// Two dozen tasks with different fields, some of them created at the same time.
async fn filled(shop: &Workshop) -> Vec<Value> {
    let statuses = shop.statuses().await;
    let mut tasks = Vec::new();
    for number in 0..24_usize {
        let due = (number % 4 > 0).then(|| format!("2026-12-{:02}", number % 5 + 1));
        let priority = ["urgent", "high", "medium", "low", "none"][number % 5];
        tasks.push(
            shop.task(json!({
                "title": format!("Task {number:02}"), "status_id": statuses[number % 4], "due_date": due,
                "priority": priority, "assignee_id": if number % 2 == 0 { Some(&shop.grace.user_id) } else { None },
            }))
            .await,
        );
        if number % 3 == 0 {
            shop.app.clock.advance(TimeDelta::microseconds(1));
        }
    }
    tasks
}

/// The key by which a sort compares.
fn key(sort: &str, task: &Value) -> (i64, i64, String) {
    let text = |name: &str| task[name].as_str().map(str::to_owned);
    match sort.trim_start_matches('-') {
        "position" => {
            let column = task["status"]["position"].as_i64().unwrap();
            (column, task["position"].as_i64().unwrap(), String::new())
        }
        "due_date" => (0, 0, text("due_date").unwrap_or_else(|| "9999".to_owned())),
        "priority" => {
            let names = ["urgent", "high", "medium", "low", "none"];
            let rank = names.iter().position(|name| task["priority"] == *name).unwrap();
            (i64::try_from(rank).unwrap(), 0, String::new())
        }
        name => (0, 0, text(name).unwrap()),
    }
}

on_every_storage! {
    async fn every_sort_visits_every_task_once_in_its_order(on: On) {
        let shop = Workshop::new(on).await;
        let tasks = filled(&shop).await;
        let all: BTreeSet<String> = tasks.iter().map(id).collect();
        for sort in SORTS {
            for limit in [1, 5, 24, 100] {
                let path = format!("{WEB}/tasks?sort={sort}");
                let listed = walk_of(&shop.app, &shop.grace, &path, "tasks", limit).await;
                assert_eq!(listed.len(), all.len(), "{sort}, {limit} on a page");
                assert_eq!(listed.iter().map(id).collect::<BTreeSet<_>>(), all, "{sort}, {limit} on a page");
                let mut keys: Vec<_> = listed.iter().map(|task| key(sort, task)).collect();
                if sort.starts_with('-') {
                    keys.reverse();
                }
                assert!(keys.is_sorted(), "{sort}: {keys:?}");
            }
        }
        let page = shop.read(&shop.ada, &format!("{WEB}/tasks?limit=5&count=true")).await;
        assert_eq!(page["total"], 24);
        let cursor = page["next_cursor"].as_str().unwrap();
        let other = shop.app.get(&format!("{WEB}/tasks?sort=priority&cursor={cursor}")).bearer(&shop.ada);
        assert_eq!(
            other.send().await.refused(422, "VALIDATION_FAILED").faults(),
            ["/query/cursor INVALID_CURSOR"],
            "a cursor of another sort"
        );
    }

    async fn filters_show_what_fits_all_of_them(on: On) {
        let shop = Workshop::new(on).await;
        let tasks = filled(&shop).await;
        let statuses = shop.statuses().await;
        let label = shop.label("late").await;
        shop.app.clock.advance(TimeDelta::seconds(1));
        let moment = tasks[23]["updated_at"].as_str().unwrap();
        let special = shop.task(json!({
            "title": "Crème brûlée (100%)", "type": "bug", "label_ids": [label], "parent_task_id": tasks[0]["id"],
            "description_json": says("Burn the sugar"), "due_date": "2026-11-30",
        })).await;
        let count = async |query: &str| {
            let found = shop.read(&shop.grace, &format!("{WEB}/tasks?limit=100&count=true&{query}")).await;
            assert_eq!(found["total"], found["tasks"].as_array().unwrap().len(), "{query}");
            texts(found["tasks"].as_array().unwrap(), "id")
        };
        let only = vec![id(&special)];
        for query in [
            "type=bug".to_owned(),
            format!("label_id={label}"),
            format!("parent_task_id={}", id(&tasks[0])),
            "due_before=2026-12-01".to_owned(),
            format!("updated_after={moment}"),
            "search=creme".to_owned(),
            "search=BR%C3%9BL%C3%89E%20100".to_owned(),
            "search=sugar%20bu".to_owned(),
            format!("type=bug&assignee_id=none&priority=none&status_id={}", statuses[0]),
        ] {
            assert_eq!(count(&query).await, only, "{query}");
        }
        assert_eq!(count(&format!("assignee_id={}", shop.grace.user_id)).await.len(), 12);
        assert_eq!(count("assignee_id=none").await.len(), 13);
        assert_eq!(count("parent_task_id=none").await.len(), 24);
        assert_eq!(count(&format!("status_id={}", statuses[1])).await.len(), 6);
        assert_eq!(count("priority=urgent").await.len(), 5);
        assert_eq!(count("search=%20").await.len(), 25, "a search for nothing filters nothing");
        for query in [
            format!("status_id={NOTHING}"),
            format!("assignee_id={NOTHING}"),
            format!("label_id={NOTHING}"),
            format!("parent_task_id={NOTHING}"),
            "search=sugarless".to_owned(),
            "type=story".to_owned(),
        ] {
            assert!(count(&query).await.is_empty(), "{query}");
        }
    }

    async fn a_malformed_parameter_is_a_fault_of_its_own(on: On) {
        let shop = Workshop::new(on).await;
        for (query, fault) in [
            ("status_id=x", "/query/status_id NOT_AN_ID"),
            ("assignee_id=nobody", "/query/assignee_id NOT_AN_ID"),
            ("label_id=", "/query/label_id NOT_AN_ID"),
            ("parent_task_id=WEB-1", "/query/parent_task_id NOT_AN_ID"),
            ("priority=0", "/query/priority NOT_ONE_OF"),
            ("type=epic", "/query/type NOT_ONE_OF"),
            ("sort=title", "/query/sort NOT_ONE_OF"),
            ("sort=-position", "/query/sort NOT_ONE_OF"),
            ("due_before=2026-13-01", "/query/due_before NOT_A_DATE"),
            ("updated_after=yesterday", "/query/updated_after NOT_A_TIME"),
            ("limit=0", "/query/limit OUT_OF_RANGE"),
            ("cursor=x", "/query/cursor INVALID_CURSOR"),
            ("count=1", "/query/count NOT_A_BOOLEAN"),
            ("priority=0&limit=0&cursor=x", "/query/priority NOT_ONE_OF, /query/limit OUT_OF_RANGE, /query/cursor INVALID_CURSOR"),
        ] {
            let refused = shop.app.get(&format!("{WEB}/tasks?{query}")).bearer(&shop.ada).send().await;
            assert_eq!(refused.refused(422, "VALIDATION_FAILED").faults().join(", "), fault, "{query}");
        }
        for (path, fault) in [
            (format!("{ORG}/my-tasks?sort=position"), "/query/sort NOT_ONE_OF"),
            (format!("{ORG}/my-tasks?status_category=open"), "/query/status_category NOT_ONE_OF"),
            (format!("{WEB}/backlog?priority=x"), "/query/priority NOT_ONE_OF"),
        ] {
            let refused = shop.app.get(&path).bearer(&shop.ada).send().await;
            assert_eq!(refused.refused(422, "VALIDATION_FAILED").faults(), [fault], "{path}");
        }
    }

    async fn ones_own_tasks_are_of_every_project_and_due_first(on: On) {
        let shop = Workshop::new(on).await;
        shop.make(&shop.ada, &format!("{ORG}/projects"), json!({"name": "Looms", "key": "LM"})).await;
        let done = shop.statuses().await.remove(3);
        for (project, title, due, status) in [
            ("WEB", "Later", Some("2026-12-24"), None),
            ("LM", "Sooner", Some("2026-12-01"), None),
            ("WEB", "Some day", None, None),
            ("WEB", "Done", Some("2026-11-01"), Some(&done)),
        ] {
            let mut body = json!({"title": title, "due_date": due, "assignee_id": shop.grace.user_id});
            if let Some(status) = status {
                body["status_id"] = json!(status);
            }
            shop.make(&shop.ada, &format!("{ORG}/projects/{project}/tasks"), body).await;
        }
        shop.task(json!({"title": "Of nobody"})).await;
        shop.task(json!({"title": "Of Ada", "assignee_id": shop.ada.user_id})).await;
        for limit in [1, 2, 100] {
            let mine = walk_of(&shop.app, &shop.grace, &format!("{ORG}/my-tasks"), "tasks", limit).await;
            assert_eq!(texts(&mine, "title"), ["Done", "Sooner", "Later", "Some day"]);
        }
        let open = shop.read(&shop.grace, &format!("{ORG}/my-tasks?status_category=todo&sort=-due_date")).await;
        assert_eq!(texts(open["tasks"].as_array().unwrap(), "title"), ["Some day", "Later", "Sooner"]);
    }

    async fn the_backlog_is_what_is_not_done_in_board_order(on: On) {
        let shop = Workshop::new(on).await;
        let statuses = shop.statuses().await;
        for (title, status, priority) in
            [("A", 3, "low"), ("B", 2, "low"), ("C", 0, "high"), ("D", 1, "low"), ("E", 0, "low")]
        {
            shop.task(json!({"title": title, "status_id": statuses[status], "priority": priority})).await;
        }
        let titles = async |query: &str| {
            let found = shop.app.get(&format!("{WEB}/backlog{query}")).bearer(&shop.grace).send().await;
            texts(found.expect(StatusCode::OK).json["tasks"].as_array().unwrap(), "title")
        };
        assert_eq!(titles("").await, ["C", "E", "D", "B"]);
        assert_eq!(titles("?status_category=in_progress").await, ["D", "B"]);
        assert_eq!(titles("?status_category=done").await, ["A"]);
        assert_eq!(titles("?priority=low").await, ["E", "D", "B"]);
        assert_eq!(titles("?sort=-created_at&limit=1").await.len(), 1);
    }
}

#[tokio::test]
async fn a_page_of_tasks_takes_at_most_three_round_trips_to_postgres_whatever_it_holds() {
    let database = databases::postgres().await;
    let proxy = Proxy::before(&database.url).await.unwrap();
    let through = workscribe_sql::connect(&proxy.url, &databases::options()).await.unwrap();
    let shop = Workshop::of(TestApp::new(through.storage())).await;
    for task in filled(&shop).await.iter().step_by(3) {
        let comments = format!("/tasks/{}/comments", id(task));
        shop.make(&shop.ada, &comments, json!({"body_json": says("Well")})).await;
    }
    let pages = [
        format!("{WEB}/tasks?limit=25"),
        format!("{ORG}/my-tasks?limit=25"),
        format!("{WEB}/backlog?limit=25"),
    ];
    for page in &pages {
        // A connection prepares statements at their first uses, and plans them again.
        for _ in 0..20 {
            shop.read(&shop.grace, page).await;
        }
        let before = proxy.traffic();
        let all = shop.read(&shop.grace, page).await;
        let traffic = proxy.traffic() - before;
        assert!(!all["tasks"].as_array().unwrap().is_empty());
        assert!((1..=3).contains(&traffic.round_trips), "{page}: {traffic:?}");
    }
}
