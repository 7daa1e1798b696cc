//! Boards: tasks moved within and between columns.

use std::collections::BTreeSet;

use workscribe_core::clock::Entropy as _;
use workscribe_testkit::clock::SeededEntropy;

use crate::support::*;
use crate::workshop::{NOTHING, WEB, Workshop, id, path_of};

/// The project WEB with the tasks A to E in its first column.
async fn filled(on: On) -> (Workshop, Vec<Value>) {
    let shop = Workshop::new(on).await;
    let mut tasks = Vec::new();
    for title in ["A", "B", "C", "D", "E"] {
        tasks.push(shop.task(json!({"title": title})).await);
    }
    (shop, tasks)
}

async fn column(shop: &Workshop, status: &str) -> String {
    let found = shop.read(&shop.ada, &format!("{WEB}/tasks?limit=100&status_id={status}")).await;
    texts(found["tasks"].as_array().unwrap(), "title").concat()
}

on_every_storage! {
    async fn a_task_is_moved_to_an_index_or_beside_another(on: On) {
        let (shop, tasks) = filled(on).await;
        let statuses = shop.statuses().await;
        let [a, b, c, _, e] = [0, 1, 2, 3, 4].map(|index| id(&tasks[index]));
        for (task, body, expected) in [
            (&e, json!({"position": 0}), "EABCD"),
            (&e, json!({"position": 2}), "ABECD"),
            (&e, json!({"position": 99}), "ABCDE"),
            (&c, json!({"before_id": a}), "CABDE"),
            (&c, json!({"after_id": b}), "ABCDE"),
            (&a, json!({"after_id": e}), "BCDEA"),
            (&a, json!({"status_id": statuses[0], "before_id": b}), "ABCDE"),
            (&b, json!({}), "ACDEB"),
        ] {
            shop.change(&shop.grace, &format!("/tasks/{task}/move"), body.clone()).await;
            assert_eq!(column(&shop, &statuses[0]).await, expected, "{body}");
        }
        let moved = shop.patch(&shop.grace, &format!("/tasks/{c}/move"), json!({"status_id": statuses[3]})).await;
        assert_eq!(moved.expect(StatusCode::OK).json["status"]["category"], "done");
        shop.change(&shop.grace, &format!("/tasks/{a}/move"), json!({"status_id": statuses[3], "before_id": c})).await;
        assert_eq!((column(&shop, &statuses[0]).await, column(&shop, &statuses[3]).await),
            ("DEB".to_owned(), "AC".to_owned()));
    }

    async fn a_move_that_cannot_be_is_refused_with_a_pointer(on: On) {
        let (shop, tasks) = filled(on).await;
        let statuses = shop.statuses().await;
        let path = format!("{}/move", path_of(&tasks[0]));
        let (own, other) = (id(&tasks[0]), id(&tasks[1]));
        for (body, fault) in [
            (json!({"position": 0, "before_id": other}), "/before_id TOO_MANY"),
            (json!({"before_id": other, "after_id": other}), "/after_id TOO_MANY"),
            (json!({"position": -1}), "/position OUT_OF_RANGE"),
            (json!({"position": "first"}), "/position WRONG_TYPE"),
            (json!({"position": null}), "/position NOT_NULLABLE"),
            (json!({"before_id": own}), "/before_id NOT_FOUND"),
            (json!({"after_id": NOTHING}), "/after_id NOT_FOUND"),
            (json!({"status_id": statuses[1], "after_id": other}), "/after_id NOT_FOUND"),
            (json!({"status_id": NOTHING}), "/status_id NOT_FOUND"),
        ] {
            let refused = shop.patch(&shop.ada, &path, body.clone()).await.refused(422, "VALIDATION_FAILED");
            assert_eq!(refused.faults(), [fault], "{body}");
        }
        assert_eq!(column(&shop, &statuses[0]).await, "ABCDE");
        let etag = shop.app.get(&path_of(&tasks[0])).bearer(&shop.ada).send().await.etag();
        shop.change(&shop.ada, &path_of(&tasks[0]), json!({"priority": "low"})).await;
        let stale = shop.app.patch(&path).bearer(&shop.ada).header("if-match", &etag);
        stale.json(&json!({"status_id": statuses[1]})).send().await.refused(412, "STALE_VERSION");
        assert_eq!(column(&shop, &statuses[0]).await, "ABCDE");
    }

    async fn many_are_moved_together_or_none(on: On) {
        let (shop, tasks) = filled(on).await;
        let status = shop.statuses().await.remove(0);
        let at = |index: usize, position: i64| json!({"task_id": tasks[index]["id"], "position": position});
        let send = async |body: Value| shop.patch(&shop.grace, "/tasks/bulk-positions", body).await;
        send(json!({"updates": [at(0, 4), at(1, 3), at(2, 2), at(3, 1), at(4, 0)]})).await
            .expect(StatusCode::NO_CONTENT);
        assert_eq!(column(&shop, &status).await, "EDCBA");
        send(json!({"positions": [at(0, 0), at(1, 1)]})).await.expect(StatusCode::NO_CONTENT);
        let both = json!({"updates": [at(0, 0)], "positions": [at(1, 1)]});
        assert_eq!(send(both).await.refused(422, "VALIDATION_FAILED").faults(), [" WRONG_TYPE"]);
        let wrong = send(json!({"updates": vec![json!({}); 50_000]})).await.refused(422, "VALIDATION_FAILED");
        assert_eq!(wrong.faults().len(), 100, "an answer is not many times what was sent");
        assert_eq!(column(&shop, &status).await, "ABEDC", "under the first server's name");
        shop.make(&shop.ada, &format!("{ORG}/projects"), json!({"name": "Looms", "key": "LM"})).await;
        let path = format!("{ORG}/projects/LM/tasks");
        let other = shop.make(&shop.ada, &path, json!({"title": "Elsewhere"})).await;
        let nothing = json!({"task_id": NOTHING, "position": 0});
        let elsewhere = json!({"task_id": other["id"], "position": 0});
        let many: Vec<Value> = (0..101).map(|_| at(0, 0)).collect();
        for (body, fault) in [
            (json!({}), "/updates REQUIRED"),
            (json!({"updates": []}), "/updates OUT_OF_RANGE"),
            (json!({"updates": [nothing]}), "/updates/0/task_id NOT_FOUND"),
            (json!({"updates": [at(4, 0), nothing]}), "/updates/1/task_id NOT_FOUND"),
            (json!({"updates": [at(4, 0), elsewhere]}), "/updates/1/task_id NOT_FOUND"),
            (json!({"updates": [at(4, 0), at(4, 1)]}), "/updates/1/task_id DUPLICATE"),
            (json!({"updates": [at(4, 0), at(3, -1)]}), "/updates/1/position OUT_OF_RANGE"),
            (json!({"updates": [at(4, 0), {"task_id": "x", "position": 0}]}), "/updates/1/task_id WRONG_TYPE"),
            (json!({"updates": [[nothing["task_id"], 0]]}), "/updates/0 WRONG_TYPE"),
        ] {
            let refused = send(body.clone()).await.refused(422, "VALIDATION_FAILED");
            assert_eq!(refused.faults(), [fault], "{body}");
        }
        let refused = send(json!({"updates": many})).await.refused(422, "VALIDATION_FAILED");
        assert!(refused.faults().contains(&"/updates OUT_OF_RANGE".to_owned()));
        assert_eq!(column(&shop, &status).await, "ABEDC");
        let wrong = shop.app.get("/tasks/bulk-positions").bearer(&shop.ada).send().await;
        assert_eq!(wrong.refused(405, "METHOD_NOT_ALLOWED").header("allow"), Some("PATCH"));
    }

    async fn moves_by_sixteen_at_once_leave_every_task_in_its_column_once(on: On) {
        let shop = Arc::new(Workshop::new(on).await);
        let statuses = shop.statuses().await;
        let mut tasks = Vec::new();
        for number in 0..20 {
            tasks.push(id(&shop.task(json!({"title": format!("{number:02}")})).await));
        }
        let (tasks, statuses) = (Arc::new(tasks), Arc::new(statuses));
        let workers = (0..16_u64).map(|worker| {
            let (shop, tasks, statuses) = (shop.clone(), tasks.clone(), statuses.clone());
            async move {
                let chance = SeededEntropy::new(worker);
                for _ in 0..12 {
                    let mut dice = [0; 4];
                    chance.fill(&mut dice);
                    let task = &tasks[usize::from(dice[0]) % tasks.len()];
                    let status = &statuses[usize::from(dice[1]) % 2];
                    let other = &tasks[usize::from(dice[2]) % tasks.len()];
                    let body = match dice[3] % 3 {
                        0 => json!({"status_id": status, "position": dice[2] % 8}),
                        1 => json!({"status_id": status, "before_id": other}),
                        _ => json!({"status_id": status, "after_id": other}),
                    };
                    let answer = shop.patch(&shop.ada, &format!("/tasks/{task}/move"), body).await;
                    // The other task may be in the other column by then, or be the same task.
                    assert!([200, 422].contains(&answer.status.as_u16()), "{}", answer.text);
                }
            }
        });
        let mut all = workers.map(tokio::spawn).collect::<Vec<_>>();
        while let Some(worker) = all.pop() {
            // A reader never sees a task twice.
            let page = shop.read(&shop.grace, &format!("{WEB}/tasks?limit=100")).await;
            let seen = texts(page["tasks"].as_array().unwrap(), "id");
            assert_eq!((seen.len(), seen.iter().collect::<BTreeSet<_>>().len()), (20, 20));
            worker.await.unwrap();
        }
        let listed = walk(&shop.app, &shop.ada, &format!("{WEB}/tasks"), 7).await;
        let ids: BTreeSet<String> = listed.iter().map(id).collect();
        assert_eq!((listed.len(), ids), (20, tasks.iter().cloned().collect()));
        let places: BTreeSet<_> =
            listed.iter().map(|task| (task["status_id"].to_string(), task["position"].as_i64())).collect();
        assert_eq!(places.len(), 20, "no two of a column have one position");
    }

    async fn of_many_that_are_moved_to_one_place_at_once_each_gets_one(on: On) {
        let (shop, tasks) = filled(on).await;
        let shop = Arc::new(shop);
        let target = id(&tasks[0]);
        let answers = at_once((0..32).map(|round| {
            let (shop, target, task) = (shop.clone(), target.clone(), id(&tasks[1 + round % 4]));
            async move { shop.patch(&shop.ada, &format!("/tasks/{task}/move"), json!({"before_id": target})).await }
        })).await;
        for answer in answers {
            answer.expect(StatusCode::OK);
        }
        let status = shop.statuses().await.remove(0);
        let order = column(&shop, &status).await;
        assert!(order.ends_with('A') && order.len() == 5, "{order}");
    }
}
