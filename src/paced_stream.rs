//! A TCP stream whose other end must read what is sent to it, at a least pace: one that does not must not
//! occupy a connection, and what it was to read, for ever.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::connections::{Place, Waiting};
use crate::pace::Pace;

/// A stream to a client.
#[derive(Debug)]
pub struct PacedStream {
    stream: TcpStream,
    pace: Pace,
    /// The begin and the end of a wait for the client.
    blocked: Option<(Instant, Pin<Box<Sleep>>, Waiting)>,
    // After the stream: its file is free once its place is.
    place: Arc<Place>,
}

impl PacedStream {
    /// A stream whose client may make it wait for `client_timeout`, and longer after it read fast.
    /// Meanwhile its place may be needed for another.
    pub fn new(stream: TcpStream, client_timeout: Duration, place: Arc<Place>) -> Self {
        Self { stream, pace: Pace::new(client_timeout), blocked: None, place }
    }

    /// The result of a write, and an error after a wait that was too long.
    fn written(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let Poll::Ready(result) = written else {
            let (until, place) = (self.pace.until(), &self.place);
            let (_, end, _) = self.blocked.get_or_insert_with(|| {
                (Instant::now(), Box::pin(sleep_until(until)), place.waiting())
            });
            return end.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()));
        };
        if let Some((begin, ..)) = self.blocked.take() {
            self.pace.moved(0, begin.elapsed());
        }
        self.pace.moved(result.as_ref().copied().unwrap_or_default(), Duration::ZERO);
        Poll::Ready(result)
    }
}

impl AsyncRead for PacedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for PacedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.written(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
