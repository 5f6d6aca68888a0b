//! A blocking HTTP client that hides nothing.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    /// The body as it came.
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub fn data(&self) -> Value {
        self.json()["data"].clone()
    }

    pub fn code(&self) -> String {
        self.json()["errorCode"].as_str().unwrap_or_default().to_owned()
    }

    /// The digits of a member, as they were printed. The first one of this name.
    pub fn digits(&self, name: &str) -> &str {
        let label = format!("\"{name}\":");
        let begin = self.text.find(&label).unwrap_or_else(|| panic!("no {name}: {}", self.text)) + label.len();
        let rest = &self.text[begin..];
        &rest[..rest.find([',', '}', ']']).unwrap()]
    }

    /// Fails with the whole answer unless it has this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Answer {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }
}

/// A request.
#[derive(Clone, Default)]
pub struct Request<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub token: Option<&'a str>,
    pub headers: &'a [(&'a str, &'a str)],
    pub body: Option<&'a str>,
}

/// Makes one call on a connection of its own.
pub fn call(address: SocketAddr, request: &Request<'_>) -> std::io::Result<Answer> {
    call_within(address, request, PATIENCE)
}

/// The same, with less patience.
pub fn call_within(address: SocketAddr, request: &Request<'_>, patience: Duration) -> std::io::Result<Answer> {
    let mut head = format!("{} {} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n", request.method, request.path);
    if let Some(token) = request.token {
        head += &format!("Authorization: Bearer {token}\r\n");
    }
    if let Some(body) = request.body {
        if !request.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
            head += "Content-Type: application/json\r\n";
        }
        head += &format!("Content-Length: {}\r\n", body.len());
    }
    for (name, value) in request.headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += "\r\n";
    head += request.body.unwrap_or_default();
    raw_within(address, head.as_bytes(), patience)
}

/// Sends these bytes and reads one answer to its end.
pub fn raw(address: SocketAddr, bytes: &[u8]) -> std::io::Result<Answer> {
    raw_within(address, bytes, PATIENCE)
}

fn raw_within(address: SocketAddr, bytes: &[u8], patience: Duration) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&address, patience)?;
    stream.set_read_timeout(Some(patience))?;
    stream.write_all(bytes)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    parse(&answer).ok_or_else(|| std::io::Error::from(std::io::ErrorKind::UnexpectedEof))
}

fn parse(bytes: &[u8]) -> Option<Answer> {
    let text = String::from_utf8(bytes.to_vec()).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length: usize = headers.get("content-length")?.parse().ok()?;
    // A cut-off body is no answer.
    (body.len() == length).then(|| Answer { status, headers, text: body.to_owned() })
}
