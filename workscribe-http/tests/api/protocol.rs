//! Rules for all operations: the form of refusals, limits of input, CORS, faults of the server. Tests of other origins and of
//! faults are in `protocol/faults.rs`.

mod faults;

use crate::support::*;

const JSON: &str = "application/json";

async fn register_raw(app: &TestApp, body: impl Into<Vec<u8>>) -> Answer {
    app.post("/auth/register").header("content-type", JSON).raw(body).send().await
}

#[track_caller]
fn assert_is_time(value: &Value) {
    let text = value.as_str().unwrap();
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(shape, "0000-00-00T00:00:00.000000Z", "{text}");
}

on_every_storage! {
    async fn every_refusal_is_a_problem_document(on: On) {
        let (app, ada) = on.ada().await;
        let body = json!({"email": "ada@example.com", "password": "a wrong password"});
        let answers = [
            (app.get("/auth/me").send().await, 401, "UNAUTHENTICATED"),
            (app.get("/nothing/here").send().await, 404, "NOT_FOUND"),
            (app.request(Method::GET, "/").send().await, 404, "NOT_FOUND"),
            (app.get("/organizations/none").bearer(&ada).send().await, 404, "ORGANIZATION_NOT_FOUND"),
            (app.post("/auth/me").bearer(&ada).send().await, 405, "METHOD_NOT_ALLOWED"),
            (app.post("/auth/login").json(&body).send().await, 401, "INVALID_CREDENTIALS"),
            (app.post("/auth/login").json(&json!({})).send().await, 422, "VALIDATION_FAILED"),
            (app.post("/auth/login").send().await, 415, "UNSUPPORTED_MEDIA_TYPE"),
        ];
        for (answer, status, code) in answers {
            let answer = answer.refused(status, code);
            let kebab = code.to_lowercase().replace('_', "-");
            assert_eq!(answer.json["type"], format!("urn:workscribe:problem:{kebab}"));
            for text in ["title", "detail", "request_id"] {
                assert!(answer.json[text].as_str().is_some_and(|text| !text.is_empty()), "{text}");
            }
            assert!(answer.json["params"].is_object());
            assert_eq!(answer.json.get("errors").is_some(), status == 422);
            assert_eq!(answer.header("www-authenticate"), (status == 401).then_some("Bearer"));
            assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        }
    }

    async fn a_wrong_method_is_told_the_right_ones(on: On) {
        let app = on.app().await;
        let methods = ["PUT", "TRACE", "CONNECT", "OPTIONS", "PROPFIND", "FROB", "get"];
        for (path, allowed) in [
            ("/api/v1/auth/me", vec!["GET", "HEAD", "PATCH"]),
            ("/api/v1/auth/login", vec!["POST"]),
            ("/api/v1/organizations/engines", vec!["DELETE", "GET", "HEAD", "PATCH"]),
            ("/health", vec!["GET", "HEAD"]),
            ("/openapi.json", vec!["GET", "HEAD"]),
            ("/docs", vec!["GET", "HEAD"]),
        ] {
            for method in methods {
                let method = Method::from_bytes(method.as_bytes()).unwrap();
                let answer = app.request(method, path).send().await.refused(405, "METHOD_NOT_ALLOWED");
                let mut told: Vec<_> = answer.header("allow").unwrap().split(", ").collect();
                told.sort_unstable();
                assert_eq!(told, allowed, "{path}");
            }
        }
    }

    async fn head_is_answered_like_get_without_the_body(on: On) {
        let (app, ada) = on.ada().await;
        for path in ["/health", "/livez", "/readyz", "/openapi.json", "/docs", "/api/v1/auth/me"] {
            let get = app.request(Method::GET, path).bearer(&ada).send().await.expect(StatusCode::OK);
            let head = app.request(Method::HEAD, path).bearer(&ada).send().await.expect(StatusCode::OK);
            assert_eq!(head.text, "", "{path}");
            assert_eq!(head.header("etag"), get.header("etag"), "{path}");
            assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
        }
        app.request(Method::HEAD, "/api/v1/auth/me").send().await.expect(StatusCode::UNAUTHORIZED);
        app.request(Method::HEAD, "/nothing").send().await.expect(StatusCode::NOT_FOUND);
    }

    async fn a_body_is_json_and_says_so(on: On) {
        let (app, ada) = on.ada().await;
        let body = json!({"display_name": "Ada"}).to_string();
        let patch = async |media_type: Option<&str>, body: &str| {
            let call = app.patch("/auth/me").bearer(&ada).raw(body);
            match media_type {
                Some(media_type) => call.header("content-type", media_type).send().await,
                None => call.send().await,
            }
        };
        for wrong in
            [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("json"), Some("")]
        {
            patch(wrong, &body).await.refused(415, "UNSUPPORTED_MEDIA_TYPE");
        }
        for right in [JSON, "application/json; charset=utf-8", "Application/JSON", "application/merge-patch+json"] {
            patch(Some(right), &body).await.expect(StatusCode::OK);
        }
        for malformed in ["", "{", "{\"display_name\": \"Ada\"} {}", "{'display_name': 1}", "\u{feff}{}", "NaN"] {
            patch(Some(JSON), malformed).await.refused(400, "MALFORMED_BODY");
        }
        let not_utf8 = app.patch("/auth/me").bearer(&ada).header("content-type", JSON);
        let answer = not_utf8.raw(b"{\"display_name\": \"\xff\xfe\"}".as_slice()).send().await;
        assert!(matches!(answer.status.as_u16(), 400 | 422), "{}", answer.text);
    }

    async fn a_body_has_at_most_one_mebibyte(on: On) {
        let app = on.app().await;
        let login = async |size: usize| {
            let frame = r#"{"email":"nobody@example.com","password":""}"#;
            let body = frame.replace("\"\"", &format!("\"{}\"", "x".repeat(size - frame.len())));
            assert_eq!(body.len(), size);
            app.post("/auth/login").header("content-type", JSON).raw(body).send().await
        };
        login(1024 * 1024).await.refused(401, "INVALID_CREDENTIALS");
        login(1024 * 1024 + 1).await.refused(413, "BODY_TOO_LARGE");
        login(5 * 1024 * 1024).await.refused(413, "BODY_TOO_LARGE");
    }

    async fn every_fault_of_a_body_has_its_pointer(on: On) {
        let app = on.app().await;
        let nested = |depth: usize| {
            let inner = format!("{}1{}", "[".repeat(depth - 1), "]".repeat(depth - 1));
            format!(r#"{{"display_name": "Ada", "email": "a@example.com", "password": "{PASSWORD}", "more": {inner}}}"#)
        };
        let with = |name: &str| {
            format!(r#"{{"display_name": {name}, "email": "b@example.com", "password": "{PASSWORD}"}}"#)
        };
        for (body, fault) in [
            (nested(101), " TOO_DEEP"),
            (nested(10_000), " TOO_DEEP"),
            (with(r#""\ud800""#), "/display_name INVALID_UNICODE"),
            (with(r#""a\udfffb""#), "/display_name INVALID_UNICODE"),
            (with(r#""\ud83d\u0041""#), "/display_name INVALID_UNICODE"),
            (with(r#""a\u0000b""#), "/display_name CONTROL_CHARACTER"),
            (with(r#""a\nb""#), "/display_name CONTROL_CHARACTER"),
            (with(r#""a\u009fb""#), "/display_name CONTROL_CHARACTER"),
            (with(r#""""#), "/display_name TOO_SHORT"),
            (with(r#""  \u00a0\u2003 ""#), "/display_name TOO_SHORT"),
            (with("null"), "/display_name WRONG_TYPE"),
            (with("7"), "/display_name WRONG_TYPE"),
            (with("true"), "/display_name WRONG_TYPE"),
            (with(r#"["Ada"]"#), "/display_name WRONG_TYPE"),
            (with("{}"), "/display_name WRONG_TYPE"),
            ("[]".into(), " WRONG_TYPE"),
            (format!(r#"["Ada", "a@example.com", "{PASSWORD}"]"#), " WRONG_TYPE"),
            ("7".into(), " WRONG_TYPE"),
            ("null".into(), " WRONG_TYPE"),
            ("{}".into(), "/display_name REQUIRED, /email REQUIRED, /password REQUIRED"),
            (r#"{"display_name": "Ada", "email": "a@example.com"}"#.into(), "/password REQUIRED"),
        ] {
            let refused = register_raw(&app, body.clone()).await.refused(422, "VALIDATION_FAILED");
            assert_eq!(refused.faults().join(", "), fault, "{body:.200}");
        }
        register_raw(&app, nested(64)).await.expect(StatusCode::CREATED);
        register_raw(&app, with(r#""\ud83d\ude00 Ada""#)).await.expect(StatusCode::CREATED);
    }

    async fn a_nul_in_path_query_or_body_is_a_refusal_like_any_other(on: On) {
        let (app, ada) = on.engines().await;
        let id = ada.user_id.clone();
        for (method, path, status) in [
            (Method::GET, "/organizations/%00".to_owned(), 404),
            (Method::GET, "/organizations/engines%00".to_owned(), 404),
            (Method::PATCH, "/organizations/%00".to_owned(), 404),
            (Method::GET, "/organizations/%F0%9F%94%91".to_owned(), 404),
            (Method::GET, "/organizations/..%2F..%2Fetc".to_owned(), 404),
            (Method::GET, "/organizations/'%20OR%201=1--".to_owned(), 404),
            (Method::DELETE, "/auth/sessions/%00".to_owned(), 404),
            (Method::GET, "/auth/invitations/%00".to_owned(), 404),
            (Method::POST, "/auth/invitations/%00/accept".to_owned(), 404),
            (Method::DELETE, format!("/organizations/engines/members/{id}%00"), 404),
            (Method::DELETE, "/organizations/engines/invitations/%00".to_owned(), 404),
            (Method::GET, "/organizations/%FF".to_owned(), 400),
            (Method::GET, "/%00".to_owned(), 404),
            (Method::GET, "/organizations?cursor=%00".to_owned(), 422),
            (Method::GET, "/organizations?limit=%00".to_owned(), 422),
            (Method::GET, "/organizations?count=%00".to_owned(), 422),
            (Method::GET, "/organizations?cursor=%FF".to_owned(), 422),
            (Method::GET, "/organizations?unknown=%00".to_owned(), 200),
        ] {
            let whole = format!("/api/v1{path}");
            let answer = app.request(method, &whole).bearer(&ada).json(&json!({"name": "Ada"})).send().await;
            assert_eq!(answer.status.as_u16(), status, "{path}: {}", answer.text);
            if status != 200 {
                assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{path}");
            }
        }
        let body = json!({"name": "a\u{0}b", "slug": "a\u{0}b"});
        let refused = app.post("/organizations").bearer(&ada).json(&body).send().await;
        assert_eq!(refused.refused(422, "VALIDATION_FAILED").faults().len(), 2);
        let body = json!({"email": "a\u{0}@example.com", "password": "\u{0}"});
        app.post("/auth/login").json(&body).send().await.refused(401, "INVALID_CREDENTIALS");
        let body = json!({"email": "a\u{0}@example.com"});
        app.post("/auth/forgot-password").json(&body).send().await.refused(422, "VALIDATION_FAILED");
    }

    async fn a_page_has_a_limit_and_a_cursor_of_ours(on: On) {
        let (app, ada) = on.engines().await;
        for path in ["/organizations", "/organizations/engines/members", "/organizations/engines/invitations"] {
            for limit in ["0", "101", "-1", "x", "", "1.5", "1e2", "99999999999999999999", "%2B%2B1"] {
                let answer = app.get(&format!("{path}?limit={limit}")).bearer(&ada).send().await;
                let refused = answer.refused(422, "VALIDATION_FAILED");
                assert_eq!(refused.faults(), ["/query/limit OUT_OF_RANGE"], "{path} {limit}");
            }
            let long = "A".repeat(5_000);
            for cursor in ["x", "AAAA", "%00", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", &long] {
                let answer = app.get(&format!("{path}?cursor={cursor}")).bearer(&ada).send().await;
                let refused = answer.refused(422, "VALIDATION_FAILED");
                assert_eq!(refused.faults(), ["/query/cursor INVALID_CURSOR"], "{path} {cursor:.50}");
            }
            let answer = app.get(&format!("{path}?limit=0&cursor=x")).bearer(&ada).send().await;
            assert_eq!(answer.refused(422, "VALIDATION_FAILED").faults().len(), 2, "both at once");
            for fine in ["1", "100"] {
                let answer = app.get(&format!("{path}?limit={fine}")).bearer(&ada).send().await;
                assert!(answer.expect(StatusCode::OK).json["next_cursor"].is_null());
            }
        }
    }

    async fn answers_of_the_api_are_not_stored_and_their_times_have_six_digits(on: On) {
        let (app, ada) = on.ada().await;
        // A time of whole seconds has six digits too.
        let whole = app.app.now() + chrono::TimeDelta::microseconds(876_544);
        app.clock.set(whole);
        let made = app.organization(&ada, "engines").await;
        assert_is_time(&made["created_at"]);
        assert_eq!(made["created_at"], "2033-05-18T03:33:21.000000Z");
        let read = app.get(ORG).bearer(&ada).send().await;
        assert_eq!(read.json["created_at"], made["created_at"]);
        for path in ["/auth/me", "/auth/sessions", "/organizations", "/nothing", "/organizations/none"] {
            let answer = app.get(path).bearer(&ada).send().await;
            assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
        }
        let body = json!({"email": "ada@example.com", "password": PASSWORD});
        let answer = app.post("/auth/login").json(&body).send().await.expect(StatusCode::OK);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let sessions = app.get("/auth/sessions").bearer(&ada).send().await;
        assert_is_time(&sessions.json["sessions"][0]["created_at"]);
        assert_is_time(&sessions.json["sessions"][0]["last_used_at"]);
    }
}
