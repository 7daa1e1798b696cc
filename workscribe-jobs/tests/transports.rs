//! The mail transports, each against a real HTTP server, SMTP server or folder.

#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use wiremock::matchers::{body_json, header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};
use workscribe_core::ports::{Mail, MailError, Mailer, Secret};
use workscribe_jobs::mail::{FileMailer, LogMailer, ResendMailer, SetupError, SmtpMailer};

const ID: &str = "018f3c6e-7d2a-7b4c-9a1e-2f3b4c5d6e7f";
const FROM: &str = "WorkScribe <no-reply@example.com>";
const KEY: &str = "re_secret_key";

fn mail() -> Mail {
    Mail {
        id: ID.parse().unwrap(),
        to: "ada@example.org".into(),
        subject: "Grüße aus Köln".into(),
        text: "Hallo Ada,\n\nhttps://example.com/verify-email?token=abc\n".into(),
        html: "<p>Grüße, Ada</p>".into(),
        link: Some("https://example.com/verify-email?token=abc".into()),
    }
}

fn temporary(result: Result<(), MailError>) -> (String, Option<Duration>) {
    match result {
        Err(MailError::Temporary { reason, retry_after }) => (quiet(reason), retry_after),
        other => panic!("not temporary: {other:?}"),
    }
}

fn permanent(result: Result<(), MailError>) -> String {
    match result {
        Err(MailError::Permanent { reason }) => quiet(reason),
        other => panic!("not permanent: {other:?}"),
    }
}

fn refused_address(result: Result<(), MailError>) -> String {
    match result {
        Err(MailError::Address { reason }) => quiet(reason),
        other => panic!("not a refused address: {other:?}"),
    }
}

/// A reason is logged and stored, so it must contain no secret.
fn quiet(reason: String) -> String {
    for secret in ["ada@", "@example", KEY, "token=abc", "127.0.0.1"] {
        assert!(!reason.contains(secret), "{reason}");
    }
    reason
}

// Resend

fn resend(url: &str) -> ResendMailer {
    ResendMailer::new(&Secret::new(KEY), url, FROM).unwrap()
}

async fn answering(answer: ResponseTemplate) -> (MockServer, ResendMailer) {
    let server = MockServer::start().await;
    Mock::given(method("POST")).and(path("/emails")).respond_with(answer).mount(&server).await;
    let mailer = resend(&server.uri());
    (server, mailer)
}

fn refusal(status: u16, name: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(serde_json::json!({
        "statusCode": status, "name": name, "message": "ada@example.org is the trouble",
    }))
}

#[tokio::test]
async fn resend_gets_the_mail_with_the_job_id_as_its_key() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/emails"))
        .and(header("authorization", "Bearer re_secret_key"))
        .and(header("idempotency-key", ID))
        .and(header("content-type", "application/json"))
        .and(body_json(serde_json::json!({
            "from": FROM,
            "to": ["ada@example.org"],
            "subject": "Grüße aus Köln",
            "text": mail().text,
            "html": mail().html,
        })))
        .respond_with(ResponseTemplate::new(200).set_body_json(serde_json::json!({ "id": "1" })))
        .expect(2)
        .mount(&server)
        .await;
    resend(&server.uri()).send(&mail()).await.unwrap();
    // The configured URL may have a trailing slash.
    resend(&format!("{}/", server.uri())).send(&mail()).await.unwrap();
}

#[tokio::test]
async fn resend_is_asked_again_when_it_is_busy_or_broken() {
    let limited = refusal(429, "rate_limit_exceeded").insert_header("retry-after", "17");
    let (_server, mailer) = answering(limited).await;
    let (reason, after) = temporary(mailer.send(&mail()).await);
    assert_eq!(reason, "Resend answered 429 rate_limit_exceeded");
    assert_eq!(after, Some(Duration::from_secs(17)));

    let (_server, mailer) = answering(ResponseTemplate::new(500).set_body_string("<html>oops</html>")).await;
    assert_eq!(temporary(mailer.send(&mail()).await), ("Resend answered 500".into(), None));

    let unavailable = ResponseTemplate::new(503).insert_header("retry-after", "120");
    let (_server, mailer) = answering(unavailable).await;
    assert_eq!(temporary(mailer.send(&mail()).await).1, Some(Duration::from_secs(120)));

    for name in ["concurrent_idempotent_requests", "resource_locked"] {
        let (_server, mailer) = answering(refusal(409, name)).await;
        temporary(mailer.send(&mail()).await);
    }
}

#[tokio::test]
async fn a_quota_of_resend_is_not_asked_again_within_the_hour() {
    let hour = Duration::from_secs(3_600);
    for name in ["daily_quota_exceeded", "monthly_quota_exceeded"] {
        for (wish, expected) in [(None, hour), (Some("17"), hour), (Some("7200"), 2 * hour)] {
            let mut answer = refusal(429, name);
            if let Some(wish) = wish {
                answer = answer.insert_header("retry-after", wish);
            }
            let (_server, mailer) = answering(answer).await;
            let (reason, after) = temporary(mailer.send(&mail()).await);
            assert_eq!((reason, after), (format!("Resend answered 429 {name}"), Some(expected)));
        }
    }
}

#[tokio::test]
async fn what_the_operator_has_to_mend_lets_the_mail_wait() {
    for (status, name) in [
        (401, "missing_api_key"),
        (401, "restricted_api_key"),
        (403, "invalid_api_key"),
        (403, "suspended_api_key"),
        (403, "validation_error"),
        (404, "not_found"),
        (405, "method_not_allowed"),
        (422, "invalid_from_address"),
    ] {
        let (_server, mailer) = answering(refusal(status, name)).await;
        let (reason, after) = temporary(mailer.send(&mail()).await);
        assert_eq!((reason, after), (format!("Resend answered {status} {name}"), None));
    }
}

#[tokio::test]
async fn resend_may_refuse_the_address_by_name_and_never_by_its_text() {
    let (_server, mailer) = answering(refusal(422, "invalid_to_address")).await;
    assert_eq!(refused_address(mailer.send(&mail()).await), "Resend answered 422 invalid_to_address");
    let text = serde_json::json!({
        "statusCode": 422, "name": "validation_error", "message": "Invalid `to` field: ada@example.org",
    });
    let (_server, mailer) = answering(ResponseTemplate::new(422).set_body_json(text)).await;
    assert_eq!(permanent(mailer.send(&mail()).await), "Resend answered 422 validation_error");
}

#[tokio::test]
async fn a_refusal_of_resend_is_final() {
    for (status, name) in [
        (400, "validation_error"),
        (400, "invalid_idempotency_key"),
        (422, "validation_error"),
        (422, "invalid_parameter"),
        (422, "missing_required_field"),
        (451, "security_error"),
    ] {
        let (_server, mailer) = answering(refusal(status, name)).await;
        assert_eq!(permanent(mailer.send(&mail()).await), format!("Resend answered {status} {name}"));
    }

    let (_server, mailer) = answering(refusal(409, "invalid_idempotent_request")).await;
    permanent(mailer.send(&mail()).await);

    let (_server, mailer) = answering(refusal(422, "ada@example.org")).await;
    assert_eq!(
        permanent(mailer.send(&mail()).await),
        "Resend answered 422",
        "a name that is none is left out"
    );
}

#[tokio::test]
async fn resend_is_not_followed_elsewhere() {
    let elsewhere = MockServer::start().await;
    let redirect =
        ResponseTemplate::new(307).insert_header("location", format!("{}/emails", elsewhere.uri()));
    let (_server, mailer) = answering(redirect).await;
    assert_eq!(temporary(mailer.send(&mail()).await).0, "Resend answered 307", "the URL is to be mended");
    assert!(elsewhere.received_requests().await.unwrap().is_empty(), "the key must not travel");
}

#[tokio::test]
async fn a_silent_or_absent_resend_is_asked_again() {
    let (_server, mailer) = answering(ResponseTemplate::new(200).set_delay(Duration::from_secs(30))).await;
    let (reason, _) = temporary(mailer.with_timeout(Duration::from_millis(100)).send(&mail()).await);
    assert_eq!(reason, "Resend took too long");

    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    assert_eq!(temporary(resend(&url).send(&mail()).await).0, "no connection to Resend");
}

#[test]
fn resend_is_not_set_up_with_nonsense() {
    let set_up = |key, url, from| ResendMailer::new(&Secret::new(key), url, from).err();
    assert_eq!(set_up(KEY, "https://api.resend.com", "nobody"), Some(SetupError::From));
    assert!(matches!(set_up(KEY, "api.resend.com", FROM), Some(SetupError::Url(_))));
    let error = set_up("bad\nkey", "https://api.resend.com", FROM).unwrap();
    assert!(!error.to_string().contains("bad"), "{error}");
}

// SMTP

/// The recipients and messages that the SMTP server received.
#[derive(Default)]
struct Received {
    recipients: Vec<String>,
    messages: Vec<String>,
}

/// An SMTP server with the few commands that a mail needs. It answers `RCPT` with `refuse`.
async fn smtp_server(refuse: Option<&'static str>) -> (String, Arc<Mutex<Received>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("smtp://{}", listener.local_addr().unwrap());
    let received = Arc::new(Mutex::new(Received::default()));
    let kept = Arc::clone(&received);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, refuse, Arc::clone(&kept)));
        }
    });
    (url, received)
}

async fn serve(mut stream: TcpStream, refuse: Option<&'static str>, received: Arc<Mutex<Received>>) {
    let (reader, mut writer) = stream.split();
    let mut lines = BufReader::new(reader).lines();
    writer.write_all(b"220 test ready\r\n").await.unwrap();
    while let Ok(Some(line)) = lines.next_line().await {
        let answer = match line.to_ascii_uppercase().split([' ', ':']).next().unwrap_or_default() {
            "EHLO" => "250-test\r\n250 8BITMIME".into(),
            "RCPT" => match refuse {
                Some(answer) => answer.to_owned(),
                None => {
                    received.lock().unwrap().recipients.push(line);
                    "250 ok".into()
                }
            },
            "DATA" => {
                writer.write_all(b"354 go on\r\n").await.unwrap();
                let mut message = String::new();
                while let Ok(Some(line)) = lines.next_line().await {
                    if line == "." {
                        break;
                    }
                    message.push_str(&line);
                    message.push_str("\r\n");
                }
                received.lock().unwrap().messages.push(message);
                "250 taken".into()
            }
            "QUIT" => "221 bye".into(),
            _ => "250 ok".to_owned(),
        };
        if writer.write_all(format!("{answer}\r\n").as_bytes()).await.is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn a_mail_goes_over_smtp() {
    let (url, received) = smtp_server(None).await;
    let mailer = SmtpMailer::from_url(&url, FROM).unwrap();
    mailer.check().await.unwrap();
    mailer.send(&mail()).await.unwrap();
    mailer.send(&mail()).await.unwrap();
    let received = received.lock().unwrap();
    assert_eq!(received.recipients[0], "RCPT TO:<ada@example.org>");
    assert_eq!(received.messages.len(), 2);
    assert_eq!(received.messages[0], received.messages[1], "a repeat is the same mail");
    check_message(&received.messages[0]);
}

#[tokio::test]
async fn smtp_tells_what_passes_from_what_stays() {
    let (url, _) = smtp_server(Some("451 4.3.0 ada@example.org: try again later")).await;
    let result = SmtpMailer::from_url(&url, FROM).unwrap().send(&mail()).await;
    assert_eq!(temporary(result).0, "the server answered 451");

    for answer in [
        "550 ada@example.org: no such user",
        "550 5.7.1 ada@example.org: relaying denied",
        "552 5.2.2 ada@example.org: the mailbox is full",
        "553 5.1.8 5.1.1 ada@example.org: not from you",
        "550 5.1.11 ada@example.org",
    ] {
        let (url, _) = smtp_server(Some(answer)).await;
        let result = SmtpMailer::from_url(&url, FROM).unwrap().send(&mail()).await;
        assert_eq!(permanent(result), format!("the server answered {}", &answer[..3]));
    }

    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("smtp://{}", free.local_addr().unwrap());
    drop(free);
    temporary(SmtpMailer::from_url(&url, FROM).unwrap().send(&mail()).await);
}

#[tokio::test]
async fn smtp_tells_an_address_that_takes_no_mail() {
    for (answer, expected) in [
        ("550 5.1.1 ada@example.org: no such user", "the server answered 550 5.1.1"),
        ("550-5.1.1 <ada@example.org>\r\n550 5.1.1 no such user", "the server answered 550 5.1.1"),
        ("550 5.1.2 no such host", "the server answered 550 5.1.2"),
        ("501 5.1.3 no address", "the server answered 501 5.1.3"),
        ("551 5.1.6 ada@example.org has moved", "the server answered 551 5.1.6"),
        ("556 5.1.10 null MX", "the server answered 556 5.1.10"),
        ("550 5.2.1 closed", "the server answered 550 5.2.1"),
    ] {
        let (url, _) = smtp_server(Some(answer)).await;
        let result = SmtpMailer::from_url(&url, FROM).unwrap().send(&mail()).await;
        assert_eq!(refused_address(result), expected, "{answer}");
    }
    let (url, _) = smtp_server(Some("450 5.1.1 ada@example.org: greylisted")).await;
    let result = SmtpMailer::from_url(&url, FROM).unwrap().send(&mail()).await;
    assert_eq!(temporary(result).0, "the server answered 450", "the code alone is for good");
}

#[tokio::test]
async fn smtp_sends_nothing_in_the_clear_when_encryption_is_required() {
    let (url, received) = smtp_server(None).await;
    let mailer = SmtpMailer::from_url(&format!("{url}?tls=required"), FROM).unwrap();
    assert!(mailer.send(&mail()).await.is_err());
    assert!(received.lock().unwrap().recipients.is_empty());
}

#[tokio::test]
async fn smtp_is_not_set_up_with_nonsense() {
    for bad in ["", "mail.example.com", "http://mail.example.com", "smtp://u:secret@h?tls=perhaps"] {
        let error = SmtpMailer::from_url(bad, FROM).err().unwrap();
        assert!(matches!(&error, SetupError::Url(text) if !text.contains("secret")), "{error}");
    }
    assert_eq!(SmtpMailer::from_url("smtp://localhost", "nobody").err(), Some(SetupError::From));
}

// The folder and the log

#[tokio::test]
async fn a_mail_becomes_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let below = folder.path().join("outgoing").join("mail");
    let mailer = FileMailer::new(&below, FROM).unwrap();
    mailer.send(&mail()).await.unwrap();
    let mut again = mail();
    again.text.push_str("again");
    mailer.send(&again).await.unwrap();
    let names: Vec<_> = std::fs::read_dir(&below).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(
        names,
        [format!("{ID}.eml").as_str()],
        "a repeat writes the same file, and nothing is left over"
    );
    let text = std::fs::read_to_string(below.join(format!("{ID}.eml"))).unwrap();
    check_message(&text);
    assert!(text.contains("again"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(below.join(format!("{ID}.eml"))).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "only the owner may read it");
    }
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_tried_again() {
    let file = tempfile::NamedTempFile::new().unwrap();
    temporary(FileMailer::new(file.path(), FROM).unwrap().send(&mail()).await);
}

#[tokio::test]
async fn the_log_takes_every_mail() {
    LogMailer.send(&mail()).await.unwrap();
}

/// Checks what a mail program sees: headers, and a text and an HTML part with one boundary.
fn check_message(text: &str) {
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("From: WorkScribe <no-reply@example.com>"), "{head}");
    assert!(head.contains("To: ada@example.org"), "{head}");
    assert!(head.contains(&format!("Message-ID: <{ID}@example.com>")), "{head}");
    assert!(head.contains("MIME-Version: 1.0"), "{head}");
    let subject = head.lines().find(|line| line.starts_with("Subject: ")).unwrap();
    assert!(subject.is_ascii() && subject.contains("=?utf-8?b?"), "RFC 2047: {subject}");
    assert!(head.is_ascii());
    let content_type = head.lines().skip_while(|line| !line.starts_with("Content-Type: ")).take(2);
    let content_type = content_type.collect::<String>();
    assert!(content_type.contains("multipart/alternative"), "{content_type}");
    let boundary = content_type.split("boundary=\"").nth(1).unwrap().split('"').next().unwrap();
    let parts: Vec<_> = body.split(&format!("--{boundary}")).collect();
    assert_eq!(parts.len(), 4, "before, text, HTML, after: {body}");
    assert!(parts[1].contains("Content-Type: text/plain; charset=utf-8"), "{}", parts[1]);
    assert!(parts[1].contains("https://example.com/verify-email?token"), "{}", parts[1]);
    assert!(parts[2].contains("Content-Type: text/html; charset=utf-8"), "{}", parts[2]);
    assert!(parts[3].starts_with("--"));
}
