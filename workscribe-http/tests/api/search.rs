//! Search: projects, tasks and comments by their words.

use crate::support::*;
use crate::workshop::{WEB, Workshop, id, path_of, says};

on_every_storage! {
    async fn everything_is_found_by_its_words(on: On) {
        let shop = Workshop::new(on).await;
        let task = shop.task(json!({"title": "Fix the Café", "description_json": says("The roof leaks badly")})).await;
        let comments = format!("{}/comments", path_of(&task));
        let comment = shop.make(&shop.grace, &comments, json!({"body_json": says("Call the roofer")})).await;
        let find = async |query: &str| shop.read(&shop.grace, &format!("{ORG}/search?{query}")).await;
        let found = find("q=cafe").await;
        assert_eq!(found, json!({"q": "cafe", "results": [{
            "type": "task", "id": task["id"], "title": "Fix the Café", "subtitle": "WEB-1",
            "snippet": "The roof leaks badly", "project_key": "WEB", "task_id": task["id"],
            "updated_at": task["updated_at"],
        }]}));
        let found = find("q=roofer").await;
        assert_eq!(found["results"], json!([{
            "type": "comment", "id": comment["id"], "title": "Fix the Café", "subtitle": "WEB-1",
            "snippet": "Call the roofer", "project_key": "WEB", "task_id": task["id"],
            "updated_at": comment["updated_at"],
        }]));
        let found = find("q=web").await;
        assert_eq!(
            (&found["results"][0]["type"], &found["results"][0]["title"], &found["results"][0]["task_id"]),
            (&json!("project"), &json!("The Web"), &Value::Null)
        );
        let ids = |found: &Value| texts(found["results"].as_array().unwrap(), "id");
        assert_eq!(ids(&find("q=web-1").await), [id(&task)], "the key of a task");
        assert_eq!(ids(&find("q=roof").await).len(), 2);
        assert_eq!(ids(&find("q=roof&type=comment").await), [id(&comment)]);
        assert_eq!(ids(&find("q=roof&limit=1").await).len(), 1);
        assert!(ids(&find("q=roof%20cellar").await).is_empty());
        for literal in ["%25", "_", "*", "%22", "roof%20OR%20cellar", "roof)%20(", "NEAR", "title:fix", "-- %3B"] {
            let literal = literal.replace(' ', "%20");
            let found = shop.app.get(&format!("{ORG}/search?q={literal}")).bearer(&shop.grace).send().await;
            found.expect(StatusCode::OK);
        }
        shop.change(&shop.ada, &path_of(&task), json!({"title": "Mend it"})).await;
        assert!(ids(&find("q=cafe").await).is_empty());
        shop.remove(&shop.ada, &path_of(&task)).await.expect(StatusCode::NO_CONTENT);
        assert!(ids(&find("q=roof").await).is_empty());
        assert_eq!(shop.read(&shop.ada, &format!("{WEB}/tasks")).await["tasks"], json!([]));
    }

    async fn a_search_has_its_limits(on: On) {
        let shop = Workshop::new(on).await;
        for (query, fault) in [
            ("".to_owned(), "/query/q REQUIRED"),
            ("q=".to_owned(), "/query/q OUT_OF_RANGE"),
            ("q=%20".to_owned(), "/query/q OUT_OF_RANGE"),
            (format!("q={}", "x".repeat(201)), "/query/q OUT_OF_RANGE"),
            ("q=x&type=label".to_owned(), "/query/type NOT_ONE_OF"),
            ("q=x&limit=101".to_owned(), "/query/limit OUT_OF_RANGE"),
        ] {
            let refused = shop.app.get(&format!("{ORG}/search?{query}")).bearer(&shop.ada).send().await;
            assert_eq!(refused.refused(422, "VALIDATION_FAILED").faults(), [fault], "{query}");
        }
    }
}
