//! A lean HTTP/1.1 client over one keep-alive connection: it costs little, so that what is measured is the server.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Answers larger than this are an error.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The connection broke.
    #[error("connection: {0}")]
    Connection(#[from] std::io::Error),
    /// The answer is not HTTP/1.1 with a length.
    #[error("the answer cannot be read")]
    Answer,
}

/// One connection.
pub struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
    filled: usize,
}

impl Client {
    /// Connects.
    pub async fn connect(address: SocketAddr) -> Result<Self, ClientError> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Client { stream, buffer: vec![0; 16 << 10], filled: 0 })
    }

    /// Sends a whole request and returns the status and the body of its answer.
    pub async fn call(&mut self, request: &[u8]) -> Result<(u16, &[u8]), ClientError> {
        self.stream.write_all(request).await?;
        self.filled = 0;
        let (status, begin, end) = loop {
            self.fill().await?;
            if let Some((status, begin, end)) = head(self.buffer.get(..self.filled).unwrap_or_default())? {
                break (status, begin, end);
            }
        };
        while self.filled < end {
            self.fill().await?;
        }
        Ok((status, self.buffer.get(begin..end).ok_or(ClientError::Answer)?))
    }

    async fn fill(&mut self) -> Result<(), ClientError> {
        if self.filled == self.buffer.len() {
            if self.filled >= ANSWER_BYTES_MAX {
                return Err(ClientError::Answer);
            }
            self.buffer.resize(self.filled * 2, 0);
        }
        let room = self.buffer.get_mut(self.filled..).ok_or(ClientError::Answer)?;
        let read = self.stream.read(room).await?;
        if read == 0 {
            return Err(ClientError::Connection(std::io::ErrorKind::UnexpectedEof.into()));
        }
        self.filled += read;
        Ok(())
    }
}

/// Status, beginning and end of the body; `None` while the head is not complete.
fn head(bytes: &[u8]) -> Result<Option<(u16, usize, usize)>, ClientError> {
    let Some(end) = find(bytes, b"\r\n\r\n") else { return Ok(None) };
    let head = bytes.get(..end).and_then(|head| std::str::from_utf8(head).ok()).ok_or(ClientError::Answer)?;
    let status = head.get(9..12).and_then(|digits| digits.parse().ok()).ok_or(ClientError::Answer)?;
    let length = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok()).flatten()
    });
    let begin = end + 4;
    let length = length.filter(|length| *length <= ANSWER_BYTES_MAX).ok_or(ClientError::Answer)?;
    Ok(Some((status, begin, begin + length)))
}

/// The text of a JSON member whose value holds no escapes, found without reading the rest.
pub fn text_member<'a>(body: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let label = format!("\"{name}\":\"");
    let begin = find(body, label.as_bytes())? + label.len();
    let rest = body.get(begin..)?;
    rest.get(..rest.iter().position(|byte| *byte == b'"')?)
}

fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_read_once_complete() {
        let answer = b"HTTP/1.1 201 Created\r\nContent-Length: 5\r\n\r\nhello";
        assert_eq!(head(answer).expect("fine"), Some((201, 43, 48)));
        assert_eq!(head(answer.get(..30).expect("long enough")).expect("fine"), None);
        assert!(head(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").is_err());
    }

    #[test]
    fn members_are_found() {
        assert_eq!(text_member(br#"{"data":{"reference":"TXN-1"}}"#, "reference"), Some(b"TXN-1".as_slice()));
        assert_eq!(text_member(b"{}", "reference"), None);
    }
}
