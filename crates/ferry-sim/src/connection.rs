//! Connections that can be broken on purpose, in the middle of anything.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Name of a header that a connection replaces by the raw lines of the dialect.
pub(super) const RAW_LINES: &str = "x-raw-lines";

/// The line that hyper writes for it.
const MARK: &[u8] = b"x-raw-lines: here\r\n";

/// Breaks the connection that a request came by.
#[derive(Debug, Clone, Default)]
pub(super) struct Breaker {
    is_broken: Arc<AtomicBool>,
    peer: Option<SocketAddr>,
}

impl Breaker {
    /// From now on nothing more is read or written.
    pub(super) fn break_off(&self) {
        self.is_broken.store(true, Ordering::SeqCst);
    }

    /// Address of the client.
    pub(super) fn peer(&self) -> String {
        self.peer.map(|peer| peer.to_string()).unwrap_or_default()
    }

    fn check(&self) -> io::Result<()> {
        if self.is_broken.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Ok(())
    }
}

impl Connected<IncomingStream<'_, AbortableConnections>> for Breaker {
    fn connect_info(stream: IncomingStream<'_, AbortableConnections>) -> Self {
        stream.remote_addr().clone()
    }
}

/// Accepts connections, which all break when the sender of `open` sends, or is gone.
pub(super) struct AbortableConnections {
    pub(super) listener: TcpListener,
    pub(super) open: watch::Receiver<()>,
    /// Header lines for each response, written as they are.
    pub(super) raw_lines: Arc<str>,
}

impl Listener for AbortableConnections {
    type Io = AbortableConnection;
    type Addr = Breaker;

    async fn accept(&mut self) -> (AbortableConnection, Breaker) {
        let (stream, peer) = Listener::accept(&mut self.listener).await;
        // Responses are small and awaited: to gather them would only delay them.
        let _ = stream.set_nodelay(true);
        let breaker = Breaker { peer: Some(peer), ..Breaker::default() };
        let mut open = self.open.clone();
        let closed = Box::pin(async move {
            let _ = open.changed().await;
        });
        let (raw_lines, unsent) = (self.raw_lines.clone(), Vec::new());
        let connection =
            AbortableConnection { stream, breaker: breaker.clone(), closed, raw_lines, unsent };
        (connection, breaker)
    }

    fn local_addr(&self) -> io::Result<Breaker> {
        Ok(Breaker::default())
    }
}

/// A connection.
pub(super) struct AbortableConnection {
    stream: TcpStream,
    breaker: Breaker,
    closed: Pin<Box<dyn Future<Output = ()> + Send>>,
    raw_lines: Arc<str>,
    /// A response with its raw lines, not yet written to the stream.
    unsent: Vec<u8>,
}

impl AbortableConnection {
    /// A reset instead of an orderly end.
    fn check(&self) -> io::Result<()> {
        self.breaker.check().inspect_err(|_| {
            // Where that is not possible, the connection just ends.
            let _ = self.stream.set_zero_linger();
        })
    }

    /// Does something with the stream, unless it is broken. While it waits for the peer, it waits
    /// for the end of the simulator, too.
    fn attempt<T>(
        &mut self,
        cx: &mut Context<'_>,
        act: impl FnOnce(Pin<&mut TcpStream>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        self.check()?;
        let acted = act(Pin::new(&mut self.stream), cx);
        if acted.is_pending() && self.closed.as_mut().poll(cx).is_ready() {
            self.breaker.break_off();
            self.check()?;
        }
        acted
    }
}

impl AsyncRead for AbortableConnection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.attempt(cx, |stream, cx| stream.poll_read(cx, buffer))
    }
}

impl AbortableConnection {
    /// Writes what is unsent.
    fn poll_unsent(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.unsent.is_empty() {
            let unsent = std::mem::take(&mut self.unsent);
            let written = self.attempt(cx, |stream, cx| stream.poll_write(cx, &unsent));
            self.unsent = unsent;
            let count = ready!(written)?;
            self.unsent.drain(..count);
        }
        Poll::Ready(Ok(()))
    }

    /// Puts the raw lines where the head of a response has the mark.
    fn with_raw_lines(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        if self.raw_lines.is_empty() {
            return None;
        }
        let at = bytes.windows(MARK.len()).position(|window| window == MARK)?;
        // Of bytes that are no ASCII these lines have the ones of Latin-1.
        let lines = self.raw_lines.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?'));
        Some([&bytes[..at], &lines.collect::<Vec<u8>>(), &bytes[at + MARK.len()..]].concat())
    }
}

impl AsyncWrite for AbortableConnection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_unsent(cx))?;
        if let Some(with_lines) = self.with_raw_lines(bytes) {
            self.unsent = with_lines;
            return Poll::Ready(Ok(bytes.len()));
        }
        self.attempt(cx, |stream, cx| stream.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.attempt(cx, |stream, cx| stream.poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        self.raw_lines.is_empty() && self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_unsent(cx))?;
        self.attempt(cx, AsyncWrite::poll_flush)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_unsent(cx))?;
        self.attempt(cx, AsyncWrite::poll_shutdown)
    }
}
