//! A connection that is closed so that the other side gets to read the last answer.
//!
//! Closing a socket while bytes of the client are unread resets the connection, and the reset may overtake the answer:
//! the client of a request that was refused early (413, 431) would see a failure instead of the reason. So the end is
//! announced first, and what still comes in is dropped for a short while.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

/// How long the other side may take to close.
const PATIENCE: Duration = Duration::from_millis(500);
/// Bytes that are dropped at most.
const MOST_DROPPED: usize = 4 << 20;

/// A TCP stream with a slow goodbye.
pub(crate) struct Lingering {
    stream: TcpStream,
    goodbye: Option<Goodbye>,
}

struct Goodbye {
    timer: Pin<Box<Sleep>>,
    announced: bool,
    dropped: usize,
}

impl Lingering {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Lingering { stream, goodbye: None }
    }
}

impl AsyncRead for Lingering {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Lingering {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Lingering { stream, goodbye } = &mut *self;
        let goodbye =
            goodbye.get_or_insert_with(|| Goodbye { timer: Box::pin(sleep(PATIENCE)), announced: false, dropped: 0 });
        if !goodbye.announced {
            match Pin::new(&mut *stream).poll_shutdown(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Ready(Ok(())) => goodbye.announced = true,
            }
        }
        goodbye.drain(stream, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

impl Goodbye {
    /// Drops what comes in until the other side closes, or enough was waited for or dropped.
    fn drain(&mut self, stream: &mut TcpStream, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut scratch = [0; 8192];
        while self.dropped < MOST_DROPPED {
            let mut buf = ReadBuf::new(&mut scratch);
            match Pin::new(&mut *stream).poll_read(cx, &mut buf) {
                Poll::Ready(Ok(())) if !buf.filled().is_empty() => self.dropped += buf.filled().len(),
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => return self.timer.as_mut().poll(cx).map(Ok),
            }
        }
        Poll::Ready(Ok(()))
    }
}
