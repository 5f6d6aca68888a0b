//! The server around the router: the closed door, the bounds of connections, a log that cannot be written.

use std::time::Duration;

use flexledger_eventstore::memory::Fault;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::world::World;
use crate::{Entrance, Limits, Settings, serve};

struct Server {
    address: std::net::SocketAddr,
    stop: oneshot::Sender<()>,
    running: tokio::task::JoinHandle<()>,
}

async fn start(entrance: Entrance, limits: Limits) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(serve(listener, entrance, limits, async move {
        let _ = stopped.await;
    }));
    Server { address, stop, running }
}

/// Sends bytes and reads until the other side closes.
async fn talk(server: &Server, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    // The server may close before it has read everything.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

fn request(path: &str, more: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{more}\r\n").into_bytes()
}

#[tokio::test]
async fn the_entrance_opens_once_everything_is_ready() {
    let world = World::closed(Settings::default()).await;
    let entrance = Entrance::new();
    let server = start(entrance.clone(), Limits::default()).await;
    assert!(talk(&server, &request("/health", "")).await.starts_with("HTTP/1.1 200"));
    let closed = talk(&server, &request("/api/v1/tags/alice", "")).await;
    assert!(closed.starts_with("HTTP/1.1 503") && closed.contains("retry-after: 1") && closed.contains("x-request-id"));
    entrance.open(world.router.clone());
    assert!(talk(&server, &request("/health", "")).await.starts_with("HTTP/1.1 200"));
    assert!(talk(&server, &request("/ready", "")).await.starts_with("HTTP/1.1 503"));
    let shut = talk(&server, &request("/api/v1/tags/alice", "")).await;
    assert!(
        shut.starts_with("HTTP/1.1 503") && shut.contains("IDAAS-SYS-9003") && shut.contains("retry-after: 1"),
        "{shut}"
    );
    world.app.warm_up().await.unwrap();
    assert!(talk(&server, &request("/ready", "")).await.starts_with("HTTP/1.1 200"));
    assert!(talk(&server, &request("/api/v1/tags/alice", "")).await.starts_with("HTTP/1.1 404"));
    assert!(talk(&server, &request("/api/actuator/health", "")).await.contains("\"status\":\"UP\""));
    server.stop.send(()).unwrap();
    server.running.await.unwrap();
}

#[tokio::test]
async fn heads_are_bounded_in_size_and_time() {
    let world = World::new().await;
    let limits = Limits { head_timeout: Duration::from_millis(300), ..Limits::default() };
    let server = start(Entrance::to(world.router.clone()), limits).await;
    let fits = request("/health", &format!("x: {}\r\n", "a".repeat(60 << 10)));
    assert!(talk(&server, &fits).await.starts_with("HTTP/1.1 200"));
    let big = request("/health", &format!("x: {}\r\n", "a".repeat(70 << 10)));
    let refused = talk(&server, &big).await;
    assert!(refused.starts_with("HTTP/1.1 431"), "{refused}");
    let began = std::time::Instant::now();
    let slow = talk(&server, b"GET /health HTTP/1.1\r\nhost:").await;
    assert!(!slow.contains("200") && began.elapsed() < Duration::from_secs(5), "{slow}");
}

#[tokio::test]
async fn the_end_is_graceful() {
    let world = World::new().await;
    let limits = Limits { grace: Duration::from_millis(500), ..Limits::default() };
    let server = start(Entrance::to(world.router.clone()), limits).await;
    let mut idle = TcpStream::connect(server.address).await.unwrap();
    idle.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut first = [0; 12];
    idle.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    server.stop.send(()).unwrap();
    tokio::time::timeout(Duration::from_secs(5), server.running).await.unwrap().unwrap();
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn a_log_that_cannot_be_written_closes_commands_only() {
    let world = World::new().await;
    let (wallet, _) = world.pair().await;
    (0..3).for_each(|_| world.store.fail_next(Fault::Unavailable));
    let body = r#"{"senderTag":"alice","receiverTag":"bob","amount":1}"#;
    let refused = world.json("POST", "/api/v1/transactions", &wallet.token, body).await;
    assert_eq!(refused.outcome(), (503, "IDAAS-SYS-9003"));
    assert_eq!(refused.headers.get("retry-after").unwrap(), "1");
    assert_eq!(world.get("/ready", "").await.status, 503);
    assert_eq!(world.get("/health", "").await.status, 200);
    assert_eq!(world.get("/api/v1/transactions/sent", &wallet.token).await.data()["totalElements"], 0);
    let mut status = 0;
    for _ in 0..200 {
        status = world.json("POST", "/api/v1/transactions", &wallet.token, body).await.status;
        if status == 201 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(status, 201);
    assert_eq!(world.get("/ready", "").await.status, 200);
}
