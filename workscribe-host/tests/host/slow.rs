//! Clients that are slow, with a purpose or without, do not keep their connections (guarantee 17).

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::program::{PATIENCE, Setup};

/// Sends a beginning, then one byte now and then, or nothing at all; answers what came back until the server closed.
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
        // An error is an end too: what the server had not read by then resets the connection.
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
