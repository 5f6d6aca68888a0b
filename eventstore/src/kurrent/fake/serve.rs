//! The protocol: gRPC over HTTP/2, by hand.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{BufMut, Bytes, BytesMut};
use futures::{StreamExt, stream};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

use super::wire::{
    AppendContent, AppendReq, AppendResp, AppendResult, ClusterInfo, Empty, EndPoint, Expected, Member, Proposed,
    ReadContent, ReadEvent, ReadFrom, ReadReq, ReadResp, Success, SuccessPosition, SuccessRevision, SupportedMethods,
    Target, TombstoneReq, Uuid, UuidValue, WrongCurrent, WrongExpected, WrongVersion,
};
use super::world::Outcome;
use super::{Call, Fault, Shared};

const LEADER: i32 = 8;
const FOLLOWER: i32 = 6;

/// A connection that acknowledges at once what comes in. The client leaves Nagle's algorithm on and writes the head of
/// a call apart from its body, so a system that delays acknowledgements makes every call wait 40 ms, and the contract
/// makes thousands.
struct Prompt(TcpStream);

impl AsyncRead for Prompt {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        #[cfg(target_os = "linux")]
        self.0.set_quickack(true)?;
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Prompt {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// A status of gRPC other than OK.
struct Status {
    code: i32,
    message: &'static str,
    details: Vec<(&'static str, String)>,
}

/// Messages, and how the call ends after them.
struct Reply {
    messages: Vec<Bytes>,
    end: End,
}

enum End {
    Ok,
    Status(Status),
    Cut,
}

pub(super) async fn accept(listener: TcpListener, node: Arc<Shared>) {
    while let Ok((socket, _)) = listener.accept().await {
        socket.set_nodelay(true).unwrap();
        let served = node.clone();
        let service = service_fn(move |request| answer(served.clone(), request));
        let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .max_concurrent_streams(1000)
            .serve_connection(TokioIo::new(Prompt(socket)), service);
        let task = tokio::spawn(async move {
            // A cut connection is what the tests are about.
            let _ = connection.await;
        });
        node.connections.lock().unwrap().push(task.abort_handle());
    }
}

async fn answer(
    node: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<BoxBody<Bytes, Infallible>>, Infallible> {
    let path = request.uri().path().to_owned();
    let Ok(body) = request.into_body().collect().await else {
        // The client went away.
        return std::future::pending().await;
    };
    let messages = frames(body.to_bytes());
    let reply = match path.as_str() {
        "/event_store.client.server_features.ServerFeatures/GetSupportedMethods" => {
            one(&SupportedMethods { version: "0.0.0".to_owned() })
        }
        "/event_store.client.gossip.Gossip/Read" => gossip(&node),
        "/event_store.client.streams.Streams/Append" => write(&node, Call::Append, &messages, append).await,
        "/event_store.client.streams.Streams/Tombstone" => write(&node, Call::Tombstone, &messages, tombstone).await,
        "/event_store.client.streams.Streams/Read" => read(&node, &messages).await,
        _ => failed(12, "no such method"),
    };
    Ok(response(node, reply))
}

fn gossip(node: &Shared) -> Reply {
    let leader = node.world.lock().unwrap().leader.unwrap_or(node.port);
    let member = |port: u16, state| Member {
        state,
        alive: true,
        endpoint: Some(EndPoint { address: "127.0.0.1".to_owned(), port: port.into() }),
    };
    let mut members = vec![member(leader, LEADER)];
    if leader != node.port {
        members.push(member(node.port, FOLLOWER));
    }
    one(&ClusterInfo { members })
}

/// An append or a tombstone, with the fault that it meets.
async fn write(node: &Shared, call: Call, messages: &[Bytes], work: fn(&Shared, &[Bytes], bool) -> Reply) -> Reply {
    let fault = node.meet(call);
    match fault {
        Fault::CutBefore => return cut(),
        Fault::Unavailable => return failed(14, "not ready"),
        Fault::Silent => return std::future::pending().await,
        _ => {}
    }
    if let Some(redirection) = redirection(node) {
        return redirection;
    }
    let reply = work(node, messages, fault == Fault::Overtaken);
    match fault {
        Fault::CutAfter => cut(),
        Fault::Garbled => one(&Empty {}),
        _ => reply,
    }
}

/// What a node that does not lead answers.
fn redirection(node: &Shared) -> Option<Reply> {
    let leader = node.world.lock().unwrap().leader.filter(|leader| *leader != node.port)?;
    let host = ("leader-endpoint-host", "127.0.0.1".to_owned());
    let port = ("leader-endpoint-port", leader.to_string());
    Some(refused(5, "not the leader", vec![("exception", "not-leader".to_owned()), host, port]))
}

fn append(node: &Shared, messages: &[Bytes], overtaken: bool) -> Reply {
    let (mut target, mut events) = (None, Vec::new());
    for message in messages {
        match AppendReq::decode(message.clone()).unwrap().content.unwrap() {
            AppendContent::Options(options) => target = Some(named(options)),
            AppendContent::Proposed(event) => events.push(event),
        }
    }
    let (name, expected) = target.unwrap();
    let mut world = node.world.lock().unwrap();
    if overtaken {
        world.append(&name, Expected::Any(()), vec![foreign()]);
    }
    let result = match world.append(&name, expected, events) {
        Outcome::Stored(newest) => AppendResult::Success(Success {
            revision: Some(newest.map_or(SuccessRevision::NoStream(()), SuccessRevision::Current)),
            position: Some(SuccessPosition::None(())),
        }),
        Outcome::Wrong(newest) => AppendResult::WrongVersion(WrongVersion {
            current: Some(newest.map_or(WrongCurrent::NoStream(()), WrongCurrent::Revision)),
            expected: Some(WrongExpected::Any(())),
        }),
        Outcome::Deleted => return deleted(),
        Outcome::TooLarge => {
            let exception = ("exception", "maximum-append-size-exceeded".to_owned());
            return refused(3, "Maximum Append Size of 1048576 Exceeded.", vec![exception]);
        }
    };
    one(&AppendResp { result: Some(result) })
}

/// Another writer's event.
fn foreign() -> Proposed {
    let id = Uuid { value: Some(UuidValue::Text("00000000-0000-0000-0000-000000000001".to_owned())) };
    Proposed { id: Some(id), data: b"{}".to_vec(), ..Proposed::default() }
}

fn tombstone(node: &Shared, messages: &[Bytes], _: bool) -> Reply {
    let options = TombstoneReq::decode(messages.first().unwrap().clone()).unwrap().options.unwrap();
    match node.world.lock().unwrap().tombstone(&named(options).0) {
        Outcome::Stored(_) => one(&Empty {}),
        Outcome::Deleted => deleted(),
        Outcome::Wrong(_) | Outcome::TooLarge => {
            refused(9, "wrong version", vec![("exception", "wrong-expected-version".to_owned())])
        }
    }
}

async fn read(node: &Shared, messages: &[Bytes]) -> Reply {
    let (limit, end) = match node.meet(Call::Read) {
        Fault::CutBefore => return cut(),
        Fault::Unavailable => return failed(14, "not ready"),
        Fault::Silent => return std::future::pending().await,
        Fault::EndsAfter(events) => (Some(events), End::Ok),
        Fault::CutAfterEvents(events) => (Some(events), End::Cut),
        Fault::Fine | Fault::CutAfter | Fault::Garbled | Fault::Overtaken => (None, End::Ok),
    };
    if let Some(redirection) = redirection(node) {
        return redirection;
    }
    let options = ReadReq::decode(messages.first().unwrap().clone()).unwrap().options.unwrap();
    let place = options.place.unwrap();
    let name = String::from_utf8(place.stream.unwrap().name).unwrap();
    let world = node.world.lock().unwrap();
    let Some(stream) = world.streams.get(&name) else {
        return one(&content(ReadContent::StreamNotFound(Empty {})));
    };
    if stream.tombstone {
        return deleted();
    }
    let count = stream.events.len() as u64;
    let from = match place.from.unwrap() {
        ReadFrom::Revision(revision) => revision,
        ReadFrom::Start(()) => 0,
        ReadFrom::End(()) => count - 1,
    };
    let events = if options.direction == 0 { from..count } else { from..from + 1 };
    let events = events.take(options.count as usize).take(limit.unwrap_or(usize::MAX));
    let event = |revision| ReadEvent { event: world.recorded(&name, revision) };
    let mut messages: Vec<Bytes> = events.map(|at| frame(&content(ReadContent::Event(event(at))))).collect();
    if limit.is_none() && *node.tells_end.lock().unwrap() {
        messages.push(frame(&content(ReadContent::LastStreamPosition(count - 1))));
    }
    Reply { messages, end }
}

fn content(content: ReadContent) -> ReadResp {
    ReadResp { content: Some(content) }
}

fn named(target: Target) -> (String, Expected) {
    (String::from_utf8(target.stream.unwrap().name).unwrap(), target.expected.unwrap())
}

fn one(message: &impl Message) -> Reply {
    Reply { messages: vec![frame(message)], end: End::Ok }
}

fn cut() -> Reply {
    Reply { messages: Vec::new(), end: End::Cut }
}

fn failed(code: i32, message: &'static str) -> Reply {
    refused(code, message, Vec::new())
}

fn deleted() -> Reply {
    refused(9, "the stream is deleted", vec![("exception", "stream-deleted".to_owned())])
}

fn refused(code: i32, message: &'static str, details: Vec<(&'static str, String)>) -> Reply {
    Reply { messages: Vec::new(), end: End::Status(Status { code, message, details }) }
}

/// A message with its length before it.
fn frame(message: &impl Message) -> Bytes {
    let mut out = BytesMut::new();
    out.put_u8(0);
    out.put_u32(u32::try_from(message.encoded_len()).unwrap());
    message.encode(&mut out).unwrap();
    out.freeze()
}

fn frames(mut body: Bytes) -> Vec<Bytes> {
    let mut messages = Vec::new();
    while body.len() >= 5 {
        let head = body.split_to(5);
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
        messages.push(body.split_to(length as usize));
    }
    messages
}

fn response(node: Arc<Shared>, reply: Reply) -> Response<BoxBody<Bytes, Infallible>> {
    let cutting = matches!(reply.end, End::Cut);
    let mut ending = HeaderMap::new();
    match reply.end {
        End::Ok => set(&mut ending, "grpc-status", "0"),
        End::Status(status) => {
            set(&mut ending, "grpc-status", &status.code.to_string());
            set(&mut ending, "grpc-message", status.message);
            status.details.iter().for_each(|(name, value)| set(&mut ending, name, value));
        }
        End::Cut => {}
    }
    let messages = stream::iter(reply.messages.into_iter().map(|message| Ok(Frame::data(message))));
    let last = stream::once(async move {
        if cutting {
            // Lets what was written before go out.
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            node.cut();
            std::future::pending::<()>().await;
        }
        Ok(Frame::trailers(ending))
    });
    let mut response = Response::new(BodyExt::boxed(StreamBody::new(messages.chain(last))));
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    response
}

fn set(headers: &mut HeaderMap, name: &'static str, value: &str) {
    headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
}
