//! A receiver in this process, which answers what a test says.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::{LOCATION, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::serve::Listener;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::secured::certify;

/// A request that arrived.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
    pub(crate) bytes: Bytes,
    pub(crate) at: Instant,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }
}

#[derive(Default)]
struct Shared {
    received: Vec<Received>,
    /// Status and `Retry-After`; 204 when they are used up.
    responses: VecDeque<(u16, Option<&'static str>)>,
}

/// Answers on a port of its own.
pub(crate) struct Receiver {
    pub(crate) url: String,
    shared: Arc<Mutex<Shared>>,
}

impl Receiver {
    /// Answers with these statuses, one after the other, and then with 204.
    pub(crate) async fn start(responses: &[u16]) -> Self {
        let responses: Vec<_> = responses.iter().map(|status| (*status, None)).collect();
        Self::asking(&responses).await
    }

    /// Answers with these statuses and `Retry-After`, one after the other, and then with 204.
    pub(crate) async fn asking(responses: &[(u16, Option<&'static str>)]) -> Self {
        let shared = Shared { responses: responses.iter().copied().collect(), ..Shared::default() };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}/hook?token=in-the-query", listener.local_addr().unwrap());
        Self::on(listener, url, shared)
    }

    /// Speaks TLS with a certificate that only `authority.pem` in this folder has signed.
    pub(super) async fn secured(folder: &Path) -> Self {
        certify(folder);
        let certificate = CertificateDer::from_pem_file(folder.join("server.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_file(folder.join("server.key")).unwrap();
        let provider = rustls::crypto::ring::default_provider().into();
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("https://localhost:{}/hook", listener.local_addr().unwrap().port());
        let tls = TlsAcceptor::from(Arc::new(config));
        Self::on(Secured { listener, tls }, url, Shared::default())
    }

    fn on(listener: impl Listener<Addr = SocketAddr>, url: String, shared: Shared) -> Self {
        let shared = Arc::new(Mutex::new(shared));
        let router = Router::new().fallback(receive).with_state(shared.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, shared }
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.shared.lock().unwrap().received.clone()
    }
}

/// Accepts clients that trust its certificate.
struct Secured {
    listener: TcpListener,
    tls: TlsAcceptor,
}

impl Listener for Secured {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        loop {
            let (stream, from) = self.listener.accept().await.expect("it listens");
            if let Ok(stream) = self.tls.accept(stream).await {
                return (stream, from);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

async fn receive(
    State(shared): State<Arc<Mutex<Shared>>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, HeaderMap, String) {
    let mut shared = shared.lock().unwrap();
    let (bytes, body) = (body.clone(), serde_json::from_slice(&body).unwrap_or_default());
    let at = Instant::now();
    shared.received.push(Received { path: uri.to_string(), headers, body, bytes, at });
    let (status, retry_after) = shared.responses.pop_front().unwrap_or((204, None));
    let mut headers = HeaderMap::new();
    headers.insert(LOCATION, HeaderValue::from_static("/elsewhere"));
    if let Some(retry_after) = retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from_static(retry_after));
    }
    // A receiver may say whatever it likes, at any length.
    let body = if status == 204 { String::new() } else { "x".repeat(10 << 20) };
    (StatusCode::from_u16(status).unwrap(), headers, body)
}
