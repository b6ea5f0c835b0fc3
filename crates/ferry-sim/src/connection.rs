//! Connections that can be broken on purpose, in the middle of anything.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Breaks the connection that a request came by.
#[derive(Debug, Clone, Default)]
pub(super) struct Breaker(Arc<AtomicBool>);

impl Breaker {
    /// From now on nothing more is read or written.
    pub(super) fn break_off(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    fn check(&self) -> io::Result<()> {
        if self.0.load(Ordering::SeqCst) {
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
}

impl Listener for AbortableConnections {
    type Io = AbortableConnection;
    type Addr = Breaker;

    async fn accept(&mut self) -> (AbortableConnection, Breaker) {
        let (stream, _) = Listener::accept(&mut self.listener).await;
        // Answers are small and awaited: to gather them would only delay them.
        let _ = stream.set_nodelay(true);
        let breaker = Breaker::default();
        let mut open = self.open.clone();
        let closed = Box::pin(async move {
            let _ = open.changed().await;
        });
        (AbortableConnection { stream, breaker: breaker.clone(), closed }, breaker)
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
}

impl AbortableConnection {
    /// A reset instead of an orderly end.
    fn check(&self) -> io::Result<()> {
        self.breaker.check().inspect_err(|_| {
            // Where that is not possible, the connection just ends.
            let _ = self.stream.set_zero_linger();
        })
    }

    /// Does something with the stream, unless all is over. While it waits for the peer, it waits for
    /// the end of the simulator, too.
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

impl AsyncWrite for AbortableConnection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
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
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.attempt(cx, AsyncWrite::poll_flush)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.attempt(cx, AsyncWrite::poll_shutdown)
    }
}
