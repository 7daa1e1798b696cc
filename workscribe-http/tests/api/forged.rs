//! Invented cursors, days and times: each is refused or answered, and none causes a fault of the server.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, NaiveDate, Utc};

use crate::support::*;
use crate::workshop::{WEB, Workshop, id, path_of, says};

/// The first midnight of a year, in µs since 1970.
fn year(year: i32) -> i64 {
    let day = NaiveDate::from_ymd_opt(year, 1, 1).unwrap();
    day.and_hms_opt(0, 0, 0).unwrap().and_utc().timestamp_micros()
}

/// The limits of times and numbers: for `chrono`, Postgres, RFC 3339 and 64 bits, with the values on both sides of each.
fn extremes() -> Vec<i64> {
    let mut ends = vec![i64::MIN, 0, i64::MAX];
    let chrono = [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC].map(|end| end.timestamp_micros());
    ends.extend(chrono);
    // Postgres counts from 2000, and its days begin with the Julian period.
    ends.push(i64::MAX - year(2000));
    ends.extend([-4713, -4712, 0, 1, 10_000].map(year));
    // The limits of days since the year 1, and of ranks.
    ends.extend([1, 5, 3_652_059, 3_652_060, i64::from(i32::MIN), i64::from(i32::MAX)]);
    let mut around: Vec<_> =
        ends.iter().flat_map(|end| [end.saturating_sub(1), *end, end.saturating_add(1)]).collect();
    around.sort_unstable();
    around.dedup();
    around
}

fn cursor(parts: &[&[u8]]) -> String {
    URL_SAFE_NO_PAD.encode(parts.concat())
}

on_every_storage! {
    async fn a_cursor_of_any_moment_is_refused_or_answered(on: On) {
        let shop = Workshop::new(on).await;
        let task = shop.task(json!({"title": "Weave", "assignee_id": shop.grace.user_id})).await;
        let comments = format!("{}/comments", path_of(&task));
        shop.make(&shop.ada, &comments, json!({"body_json": says("Well")})).await;
        shop.label("late").await;
        let hook = json!({"url": "https://hooks.example/engines", "events": ["task.created"]});
        let hook = id(&shop.make(&shop.ada, &format!("{ORG}/webhooks"), hook).await);
        let lists = [
            "/organizations".to_owned(),
            "/notifications".to_owned(),
            format!("{ORG}/members"),
            format!("{ORG}/invitations"),
            format!("{ORG}/projects"),
            format!("{ORG}/activity"),
            format!("{ORG}/webhooks"),
            format!("{ORG}/webhooks/{hook}/deliveries"),
            format!("{WEB}/labels"),
            format!("{}/activity", path_of(&task)),
            comments,
        ];
        for list in &lists {
            for micros in extremes() {
                for id in [[0; 16], [0xff; 16]] {
                    let cursor = cursor(&[&micros.to_be_bytes(), &id]);
                    let answer = shop.app.get(&format!("{list}?count=true&cursor={cursor}")).bearer(&shop.ada).send().await;
                    if (year(1)..year(10_000)).contains(&micros) {
                        assert_eq!(answer.status, 200, "{list} from {micros}: {}", answer.text);
                    } else {
                        let refused = answer.refused(422, "VALIDATION_FAILED");
                        assert_eq!(refused.faults(), ["/query/cursor INVALID_CURSOR"], "{list} from {micros}");
                    }
                }
            }
        }
    }

    async fn a_cursor_of_any_place_among_tasks_is_refused_or_answered(on: On) {
        let shop = Workshop::new(on).await;
        shop.task(json!({"title": "Weave", "assignee_id": shop.ada.user_id, "due_date": "2026-12-01"})).await;
        // In the order of their tags. `position` has no descending sort.
        let sorts = [
            "position", "", "created_at", "-created_at", "updated_at", "-updated_at", "due_date", "-due_date",
            "priority", "-priority",
        ];
        let mut answered = 0;
        for (tag, sort) in sorts.iter().enumerate().filter(|(_, sort)| !sort.is_empty()) {
            for first in extremes() {
                for second in [i64::MIN, -1, 0, 1, i64::MAX] {
                    let tag = [u8::try_from(tag).unwrap()];
                    let cursor = cursor(&[&tag, &first.to_be_bytes(), &second.to_be_bytes(), &[0x7f; 16]]);
                    for list in [format!("{WEB}/tasks"), format!("{WEB}/backlog"), format!("{ORG}/my-tasks")] {
                        if *sort == "position" && list.ends_with("my-tasks") {
                            continue;
                        }
                        let path = format!("{list}?sort={sort}&count=true&cursor={cursor}");
                        let answer = shop.app.get(&path).bearer(&shop.ada).send().await;
                        if answer.status == 200 {
                            answered += 1;
                            continue;
                        }
                        let refused = answer.refused(422, "VALIDATION_FAILED");
                        assert_eq!(refused.faults(), ["/query/cursor INVALID_CURSOR"], "{path}: {first}, {second}");
                    }
                }
            }
        }
        // Two boards with all places, and three lists in eight sorts with the places that a task can have.
        let count = |range: std::ops::Range<i64>| extremes().iter().filter(|end| range.contains(end)).count();
        let (times, days, ranks) = (count(year(1)..year(10_000)), count(1..3_652_060), count(0..5));
        assert_eq!(answered, 2 * extremes().len() * 5 + 3 * 2 * (2 * times + days + ranks));
    }

    async fn days_and_moments_are_of_the_years_1_to_9999(on: On) {
        let shop = Workshop::new(on).await;
        let task = shop.task(json!({"title": "Weave", "due_date": "9999-12-31"})).await;
        let days = ["0000-12-31", "-0001-01-01", "-4713-01-01", "%2B10000-01-01", "10000-01-01", "%2B262142-12-31"];
        for day in days {
            let read = shop.app.get(&format!("{WEB}/tasks?due_before={day}")).bearer(&shop.ada).send().await;
            assert_eq!(read.refused(422, "VALIDATION_FAILED").faults(), ["/query/due_before NOT_A_DATE"], "{day}");
            let path = format!("{WEB}/tasks?updated_after={day}T00:00:00Z");
            let read = shop.app.get(&path).bearer(&shop.ada).send().await;
            assert_eq!(read.refused(422, "VALIDATION_FAILED").faults(), ["/query/updated_after NOT_A_TIME"], "{day}");
            let day = day.replace("%2B", "+");
            for (method, path, body, pointer) in [
                ("POST", format!("{WEB}/tasks"), json!({"title": "Weave", "due_date": day}), "/due_date"),
                ("PATCH", path_of(&task), json!({"due_date": day}), "/due_date"),
            ] {
                let answer = shop.send(&shop.ada, method.parse().unwrap(), &path, body).await;
                let faults = answer.refused(422, "VALIDATION_FAILED").faults();
                assert!(faults[0].starts_with(pointer), "{day}: {faults:?}");
            }
        }
        for fine in [
            "due_before=0001-01-01",
            "due_before=9999-12-31",
            "updated_after=0001-01-01T00:00:00Z",
            "updated_after=9999-12-31T23:59:59.999999999Z",
            "updated_after=2016-12-31T23:59:60Z",
        ] {
            shop.read(&shop.ada, &format!("{WEB}/tasks?{fine}")).await;
        }
        for moment in ["0001-01-01T00:00:00%2B00:01", "9999-12-31T23:59:59-00:01"] {
            let path = format!("{WEB}/tasks?updated_after={moment}");
            let read = shop.app.get(&path).bearer(&shop.ada).send().await;
            assert_eq!(read.refused(422, "VALIDATION_FAILED").faults(), ["/query/updated_after NOT_A_TIME"], "{moment}");
        }
    }
}
