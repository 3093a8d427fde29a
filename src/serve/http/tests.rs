use std::sync::atomic::AtomicUsize;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

/// Answers at once, or never.
#[derive(Default)]
struct Fixed {
    asked: AtomicUsize,
    is_dead: bool,
}

impl Answers for Fixed {
    fn answer(&self, view: View) -> Pin<Box<dyn Future<Output = Option<Bytes>> + Send + '_>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move {
            if self.is_dead {
                return None;
            }
            Some(match view {
                View::Flows => Bytes::from_static(b"[\n{\"n\":1},\n{\"n\":2},\n{\"n\":3}\n]\n"),
                _ => Bytes::from(format!("{view:?}")),
            })
        })
    }

    fn readiness(&self) -> Result<String, String> {
        if self.is_dead { Err("starting".to_owned()) } else { Ok("capturing".to_owned()) }
    }
}

async fn start(answers: Fixed, limits: Limits) -> (Arc<Server>, std::net::SocketAddr, Arc<Fixed>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answers = Arc::new(answers);
    let server = Server::new(Arc::clone(&answers) as Arc<dyn Answers>, limits);
    tokio::spawn(Arc::clone(&server).serve(listener));
    (server, address, answers)
}

async fn send(address: std::net::SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await.unwrap();
    String::from_utf8(answer).unwrap()
}

async fn get(address: std::net::SocketAddr, path: &str) -> String {
    send(address, &format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")).await
}

#[tokio::test]
async fn answers_what_there_is_and_nothing_else() {
    let (_, address, _) = start(Fixed::default(), Limits::default()).await;
    for (path, status, body) in [
        ("/", "200", "Page"),
        ("/metrics", "200", "Metrics"),
        ("/healthz", "200", "Alive"),
        ("/readyz", "200", "capturing"),
        ("/api/v1/summary", "200", "Summary"),
        ("/api/v1/violations", "200", "Violations"),
        ("/api/v1/flows?limit=2", "200", "[\n{\"n\":1},\n{\"n\":2}\n]\n"),
        ("/api/v1/flows?limit=3", "200", "[\n{\"n\":1},\n{\"n\":2},\n{\"n\":3}\n]\n"),
        ("/api/v1/flows?limit=4", "200", "[\n{\"n\":1},\n{\"n\":2},\n{\"n\":3}\n]\n"),
        ("/api/v1/flows?limit=5", "200", "[\n{\"n\":1},\n{\"n\":2},\n{\"n\":3}\n]\n"),
        ("/api/v1/flows?limit=0", "200", "[\n]\n"),
        ("/api/v1/flows?limit=99999999999", "200", "{\"n\":3}\n]\n"),
        ("/api/v1/flows?limit=-1", "400", "whole number"),
        ("/etc/passwd", "404", "nothing here"),
        ("/..%2f..%2fetc/passwd", "404", "nothing here"),
    ] {
        let answer = get(address, path).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{path}: {answer}");
        assert!(answer.contains(body) && !answer.ends_with("]\n]\n"), "{path}: {answer}");
        for header in ["content-security-policy: default-src 'none';", "x-content-type-options: nosniff"] {
            assert!(answer.contains(header), "{path}: {answer}");
        }
    }
}

#[tokio::test]
async fn takes_get_and_head_only() {
    let (_, address, _) = start(Fixed::default(), Limits::default()).await;
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW"] {
        let request = format!("{method} / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let answer = send(address, &request).await;
        assert!(answer.starts_with("HTTP/1.1 405") && answer.contains("allow: GET, HEAD"), "{answer}");
    }
    let answer =
        send(address, "HEAD /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("content-length: 7"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n"), "a head only");
}

#[tokio::test]
async fn is_not_read_through_a_foreign_name() {
    let (_, address, _) = start(Fixed::default(), Limits::default()).await;
    for (host, status) in [
        ("localhost:9477", "200"),
        ("127.0.0.1", "200"),
        ("[::1]:9477", "200"),
        ("rebound.example", "421"),
        ("127.0.0.1.rebound.example:9477", "421"),
        ("[rebound]", "421"),
    ] {
        let answer =
            send(address, &format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{host}: {answer}");
    }
    let twice = "GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
    for request in [twice, "GET / HTTP/1.1\r\nConnection: close\r\n\r\n"] {
        assert!(send(address, request).await.starts_with("HTTP/1.1 400"), "{request}");
    }
    assert!(send(address, "GET / HTTP/1.0\r\n\r\n").await.starts_with("HTTP/1.0 200"));
}

#[tokio::test]
async fn says_that_the_engine_does_not_answer() {
    let (_, address, _) = start(Fixed { is_dead: true, ..Fixed::default() }, Limits::default()).await;
    for path in ["/metrics", "/healthz", "/readyz", "/"] {
        assert!(get(address, path).await.starts_with("HTTP/1.1 503"), "{path}");
    }
}

#[tokio::test]
async fn asks_the_engine_once_for_many_who_ask_together() {
    let (_, address, answers) = start(Fixed::default(), Limits::default()).await;
    let begin = Instant::now();
    let all: Vec<_> = (0..50).map(|_| tokio::spawn(async move { get(address, "/metrics").await })).collect();
    for one in all {
        assert!(one.await.unwrap().starts_with("HTTP/1.1 200"));
    }
    let most = 2 + begin.elapsed().as_millis() / FRESH.as_millis();
    assert!(answers.asked.load(Ordering::Relaxed) as u128 <= most);
}

#[tokio::test]
async fn closes_who_says_nothing_and_who_says_it_slowly() {
    let limits = Limits { head: Duration::from_millis(200), ..Limits::default() };
    let (server, address, _) = start(Fixed::default(), limits).await;
    let mut silent = TcpStream::connect(address).await.unwrap();
    let mut slow = TcpStream::connect(address).await.unwrap();
    let begin = Instant::now();
    let drip = async {
        for byte in b"GET / HTTP/1.1\r\nHost: localhost\r\n".iter().cycle() {
            if slow.write_all(&[*byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), drip).await.expect("the slow one is closed");
    let mut rest = Vec::new();
    tokio::time::timeout(Duration::from_secs(5), silent.read_to_end(&mut rest)).await.unwrap().unwrap();
    assert!(begin.elapsed() < Duration::from_secs(4));
    assert_eq!(server.open_connections(), 0);
}

#[tokio::test]
async fn ends_a_connection_that_is_used_for_ever() {
    let limits = Limits { lifetime: Duration::from_millis(300), ..Limits::default() };
    let (server, address, _) = start(Fixed::default(), limits).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let begin = Instant::now();
    let mut buffer = [0; 4096];
    while stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n").await.is_ok()
        && stream.read(&mut buffer).await.is_ok_and(|read| read > 0)
    {
        assert!(begin.elapsed() < Duration::from_secs(3));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(server.open_connections(), 0);
}

#[tokio::test]
async fn lets_the_newest_in_when_the_silent_have_taken_all_places() {
    let limits = Limits { connections: 8, ..Limits::default() };
    let (server, address, _) = start(Fixed::default(), limits).await;
    let mut silent = Vec::new();
    for _ in 0..200 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    assert!(get(address, "/metrics").await.starts_with("HTTP/1.1 200"));
    assert!(server.open_connections() <= 8);
}

#[tokio::test]
async fn refuses_heads_that_are_too_large() {
    let (_, address, _) = start(Fixed::default(), Limits::default()).await;
    let many: String = (0..100).map(|number| format!("X-{number}: y\r\n")).collect();
    let answer = send(address, &format!("GET / HTTP/1.1\r\nHost: localhost\r\n{many}\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    let long = "x".repeat(MAX_HEAD_BYTES + 10);
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The server may close before all of it is sent.
    let _ = stream.write_all(format!("GET /{long} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP/1.1 200"));
}
