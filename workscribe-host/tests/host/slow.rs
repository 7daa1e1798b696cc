//! Clients that are slow, on purpose or not, do not keep their connections (guarantee 17).

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::client::Client;
use crate::load::{Desk, document};
use crate::program::{PATIENCE, Server, Setup, until, until_within};

/// Sends a beginning, and then one byte from time to time or nothing; returns what the server sent until it closed the connection.
async fn drip(address: &str, beginning: &str) -> String {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut read, mut write) = stream.into_split();
    write.write_all(beginning.as_bytes()).await.unwrap();
    let is_silent = beginning.is_empty();
    let dripping = tokio::spawn(async move {
        while is_silent || write.write_all(b"a").await.is_ok() {
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }
    });
    let mut answer = Vec::new();
    let reading = async {
        let mut buffer = [0; 1_024];
        // An error is also an end: bytes that the server had not read reset the connection.
        while let Ok(count) = read.read(&mut buffer).await
            && count > 0
        {
            answer.extend_from_slice(&buffer[..count]);
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.expect("the connection is cut off");
    dripping.abort();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn slow_clients_are_cut_off_and_others_are_served() {
    let server = Setup::new().serve().await;
    let address = server.client.address();
    let body = "POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
                Content-Length: 1000\r\n\r\n{";
    let chunked = "POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
                   Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1;";
    let nobody_reads = "GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{";
    let second_header = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\nGET /livez HTTP/1.1\r\nX:";
    let (nothing, line, header, second, slow_body, slow_chunks, unread) = tokio::join!(
        drip(address, ""),
        drip(address, "GET /liv"),
        drip(address, "GET /livez HTTP/1.1\r\nHost:"),
        drip(address, second_header),
        drip(address, body),
        drip(address, chunked),
        drip(address, nobody_reads),
    );
    assert_eq!((nothing.as_str(), line.as_str(), header.as_str()), ("", "", ""));
    for first in [second, unread] {
        assert_eq!(first.matches("HTTP/1.1 200 OK").count(), 1, "{first}");
    }
    for answer in [slow_body, slow_chunks] {
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert!(answer.contains("\"REQUEST_TIMEOUT\""), "{answer}");
    }
    assert_eq!(server.client.get("/livez").send().await.status, 200);
    server.process.stop().await;
}

/// A client that sends requests and reads almost nothing of the responses.
async fn ask(server: &Server, requests: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut stream = socket.connect(server.client.address().parse().unwrap()).await.unwrap();
    stream.write_all(requests.as_bytes()).await.unwrap();
    stream
}

/// The number of open connections of the server, including its own.
fn connections(server: &Server) -> usize {
    let open = std::fs::read_dir(format!("/proc/{}/fd", server.process.pid())).unwrap();
    let targets = open.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
    targets.filter(|target| target.to_string_lossy().starts_with("socket:")).count()
}

/// The server's memory in MiB: the current size (`VmRSS`) or the maximum so far (`VmHWM`).
fn memory(server: &Server, which: &str) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.process.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with(which)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() >> 10
}

/// The number of users, each of whom has several clients that send requests and read nothing.
const PEOPLE: usize = 10;
const CLIENTS: usize = 3;
/// The number of pages of 1 MiB that each client requests.
const PAGES: usize = 40;

/// Creates a task with this many comments of a quarter of a MiB; returns the path of the comments.
async fn comments(client: &Client, desk: &Desk, count: usize) -> String {
    let task = desk.make_task(client, "Read me", 100).send().await.expect(201);
    let comments = format!("/tasks/{}/comments", task.json["id"].as_str().unwrap());
    for _ in 0..count {
        let body = json!({"body_json": document(262_000)});
        client.post(&comments, &body).bearer(&desk.login).send().await.expect(201);
    }
    format!("/api/v1{comments}?limit=100")
}

#[tokio::test]
async fn clients_that_read_nothing_of_large_answers_cost_little_and_are_cut_off() {
    let server = Setup::new().serve().await;
    let client = &server.client;
    let get = |path: &str, desk: &Desk| {
        let bearer = &desk.login.access;
        format!("GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {bearer}\r\n\r\n")
    };
    let mut requests = Vec::new();
    for number in 0..PEOPLE {
        let desk = Desk::new(client, &format!("idler-{number}")).await;
        let page = comments(client, &desk, 4).await;
        let whole = client.get(&page).bearer(&desk.login).send().await.expect(200).text.len();
        assert!(whole >= 1 << 20, "a page is large: {whole}");
        requests.push(get(&page, &desk).repeat(PAGES));
    }
    let (ada, grace) = (Desk::new(client, "ada").await, Desk::new(client, "grace").await);
    // More than the system buffers for a client.
    comments(client, &ada, 32).await;
    let export = "/api/v1/organizations/ada/export";
    let before = memory(&server, "VmRSS");

    let mut idlers = vec![ask(&server, &get(export, &ada)).await];
    for requests in &requests {
        for _ in 0..CLIENTS {
            idlers.push(ask(&server, requests).await);
        }
    }
    until("all are connected", async || connections(&server) >= idlers.len()).await;
    for number in 0..10 {
        grace.make_task(client, &format!("Task {number}"), 100).send().await.expect(201);
    }
    client.get("/readyz").send().await.expect(200);
    let busy = client.get(export).bearer(&ada.login).send().await.expect(503);
    assert_eq!(busy.json["code"], "OVERLOADED", "the first export is still to be taken");

    let are_cut_off = async || connections(&server) < idlers.len() / 2;
    until_within(2 * PATIENCE, "they are cut off", are_cut_off).await;
    client.get(export).bearer(&ada.login).send().await.expect(200);
    let (more, asked) = (memory(&server, "VmHWM") - before, PEOPLE * CLIENTS * PAGES);
    assert!(more < asked / 4, "{more} MiB are kept for clients that read nothing of {asked} MiB");
    drop(idlers);
    server.process.stop().await;
}
