//! Opens connections, directly or through the proxy of the environment, with TLS where the URL says so.
//! What a server sends in HTTP/1 is repaired on the way to hyper.

use std::error::Error;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::Uri;
use hyper::header::{HeaderMap, HeaderValue, USER_AGENT as AGENT};
use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;
use tower_service::Service;

use super::repair::Repair;
use crate::boot_clock::BootClock;
use ferry_types::clock::MonotonicClock;

/// Name of Ferry in its requests.
pub(super) const USER_AGENT: &str = concat!("ferry/", env!("CARGO_PKG_VERSION"));

/// Interval of probes of an idle connection; one whose peer responds to none of several is closed.
const PROBES: Duration = Duration::from_secs(15);

/// Bytes that are read at once.
const PIECE: usize = 16 << 10;

type BoxError = Box<dyn Error + Send + Sync>;

type Opening<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;

trait Io: Read + Write + Send + Unpin {}

impl<T: Read + Write + Send + Unpin> Io for T {}

type Stream = Box<dyn Io>;

/// Opens connections to one server.
#[derive(Debug, Clone)]
pub(super) struct Connector {
    direct: Direct,
    /// The same without the protocols that only the server behind a proxy speaks.
    to_proxy: Direct,
    proxies: Option<Arc<Matcher>>,
    timeout: Duration,
}

impl Connector {
    /// Each connection takes `timeout` at most; `proxies` are those on the way.
    pub(super) fn new(
        tls: Option<ClientConfig>,
        proxies: Option<Arc<Matcher>>,
        timeout: Duration,
    ) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(timeout));
        tcp.set_keepalive(Some(PROBES));
        tcp.set_keepalive_interval(Some(PROBES));
        tcp.set_keepalive_retries(Some(3));
        let to_proxy = Direct { tcp: tcp.clone(), tls: tls.clone().map(Arc::new) };
        let with_protocols = |mut tls: ClientConfig| {
            tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
            Arc::new(tls)
        };
        Self { direct: Direct { tcp, tls: tls.map(with_protocols) }, to_proxy, proxies, timeout }
    }

    async fn open(self, uri: Uri) -> Result<Repaired, BoxError> {
        let proxy = self.proxies.as_ref().and_then(|proxies| proxies.intercept(&uri));
        let is_secure = is_secure(&uri);
        let Some(proxy) = proxy else {
            let (stream, is_h2) = self.direct.open(uri).await?;
            return Ok(Repaired::new(stream, is_h2));
        };
        if !is_secure {
            let (stream, _) = self.to_proxy.open(proxy.uri().clone()).await?;
            return Ok(Repaired { is_of_proxy: true, ..Repaired::new(stream, false) });
        }
        let agent = HeaderValue::from_static(USER_AGENT);
        let tunnel = Tunnel::new(proxy.uri().clone(), self.to_proxy);
        let mut tunnel = tunnel.with_headers(HeaderMap::from_iter([(AGENT, agent)]));
        if let Some(credentials) = proxy.basic_auth() {
            tunnel = tunnel.with_auth(credentials.clone());
        }
        let stream = tunnel.call(uri.clone()).await?;
        let (stream, is_h2) = self.direct.secured(stream, &uri).await?;
        Ok(Repaired::new(stream, is_h2))
    }
}

impl Service<Uri> for Connector {
    type Response = Repaired;
    type Error = BoxError;
    type Future = Opening<Repaired>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let (connector, end) = (self.clone(), BootClock.sleep(self.timeout));
        Box::pin(async move {
            tokio::select! {
                opened = connector.open(uri) => opened,
                () = end => Err("the connection took too long".into()),
            }
        })
    }
}

/// Opens connections to the host of a URL.
#[derive(Clone)]
struct Direct {
    tcp: HttpConnector,
    tls: Option<Arc<ClientConfig>>,
}

impl fmt::Debug for Direct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Direct").finish_non_exhaustive()
    }
}

impl Direct {
    /// The connection, and whether both sides agreed on HTTP/2.
    async fn open(mut self, uri: Uri) -> Result<(Stream, bool), BoxError> {
        let stream = self.tcp.call(uri.clone()).await?;
        if is_secure(&uri) {
            self.secured(stream, &uri).await
        } else {
            Ok((Box::new(stream), false))
        }
    }

    async fn secured(
        &self,
        stream: impl Io + 'static,
        uri: &Uri,
    ) -> Result<(Stream, bool), BoxError> {
        let tls = self.tls.clone().ok_or("TLS is not set up")?;
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let name = ServerName::try_from(host.to_owned())?;
        let stream = TlsConnector::from(tls).connect(name, TokioIo::new(stream)).await?;
        let is_h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        Ok((Box::new(TokioIo::new(stream)), is_h2))
    }
}

impl Service<Uri> for Direct {
    type Response = Stream;
    type Error = BoxError;
    type Future = Opening<Stream>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let opening = self.clone().open(uri);
        Box::pin(async { Ok(opening.await?.0) })
    }
}

fn is_secure(uri: &Uri) -> bool {
    uri.scheme_str() == Some("https")
}

/// A connection whose responses are repaired, unless they are in HTTP/2.
pub(super) struct Repaired {
    stream: Stream,
    is_of_proxy: bool,
    repair: Option<Repair>,
    /// Bytes that hyper has not read, from `read_to` on.
    pending: Vec<u8>,
    read_to: usize,
}

impl Repaired {
    fn new(stream: Stream, is_h2: bool) -> Self {
        let repair = (!is_h2).then(Repair::default);
        Self { stream, is_of_proxy: false, repair, pending: Vec::new(), read_to: 0 }
    }
}

impl Connection for Repaired {
    fn connected(&self) -> Connected {
        let connected = Connected::new().proxy(self.is_of_proxy);
        if self.repair.is_none() { connected.negotiated_h2() } else { connected }
    }
}

impl Read for Repaired {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { stream, repair, pending, read_to, .. } = &mut *self;
        let Some(repair) = repair else { return Pin::new(stream).poll_read(cx, buffer) };
        while *read_to == pending.len() {
            if let Some(what) = repair.broken() {
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, what)));
            }
            pending.clear();
            *read_to = 0;
            let mut bytes = [0; PIECE];
            let mut bytes = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut *stream).poll_read(cx, bytes.unfilled()))?;
            if bytes.filled().is_empty() {
                repair.end(pending);
                if pending.is_empty() {
                    return Poll::Ready(Ok(()));
                }
            }
            repair.read(bytes.filled(), pending);
        }
        let unread = &pending[*read_to..];
        let length = unread.len().min(buffer.remaining());
        buffer.put_slice(&unread[..length]);
        *read_to += length;
        Poll::Ready(Ok(()))
    }
}

impl Write for Repaired {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }
}
