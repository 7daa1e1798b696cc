//! The effect of signals.

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::client::PASSWORD;
use crate::program::{Setup, until};

#[tokio::test]
async fn a_running_request_is_finished_and_new_connections_are_refused() {
    for signal in ["TERM", "INT"] {
        let server = Setup::new().serve().await;
        let (client, mut process) = (server.client, server.process);
        let body =
            json!({"display_name": "Ada", "email": "ada@example.com", "password": PASSWORD}).to_string();
        let head = format!(
            "POST /api/v1/auth/register HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nExpect: 100-continue\r\n\r\n",
            body.len()
        );
        let mut running = TcpStream::connect(client.address()).await.unwrap();
        running.write_all(head.as_bytes()).await.unwrap();
        let mut go_on = [0; 25];
        running.read_exact(&mut go_on).await.unwrap();
        assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n", "the handler runs, and waits for the body");
        let mut idle = TcpStream::connect(client.address()).await.unwrap();
        idle.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        idle.read_u8().await.unwrap();

        process.signal(signal).await;
        process.line("stopping").await;
        until("connections are refused", async || TcpStream::connect(client.address()).await.is_err()).await;
        let mut rest = Vec::new();
        idle.read_to_end(&mut rest).await.unwrap();
        running.write_all(body.as_bytes()).await.unwrap();
        let mut answer = String::new();
        running.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 201 Created\r\n"), "{answer}");
        assert!(answer.contains("\"access_token\""), "{answer}");
        assert_eq!(process.ended().await, Some(0), "{}", process.log());
        assert!(!process.log().contains("broken off"), "{}", process.log());
    }
}

#[tokio::test]
async fn a_request_whose_body_never_comes_does_not_keep_it_from_stopping() {
    let server = Setup::new().serve().await;
    let mut stuck = TcpStream::connect(server.client.address()).await.unwrap();
    stuck
        .write_all(
            b"POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
              Content-Length: 9\r\nExpect: 100-continue\r\n\r\n",
        )
        .await
        .unwrap();
    stuck.read_u8().await.unwrap();
    server.process.stop().await;
}

#[tokio::test]
async fn a_worker_stops_too() {
    let mut worker = Setup::new().start(&["worker"]);
    worker.line("working").await;
    worker.stop().await;
}
