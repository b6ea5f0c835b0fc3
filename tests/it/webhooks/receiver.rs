//! A receiver in this process, which answers what a test says.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use serde_json::Value;

/// What was received.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }
}

#[derive(Default)]
struct Shared {
    received: Vec<Received>,
    /// 204 when they are used up.
    answers: VecDeque<u16>,
}

/// Answers on a port of its own.
pub(crate) struct Receiver {
    pub(crate) url: String,
    shared: Arc<Mutex<Shared>>,
}

impl Receiver {
    /// Answers with these statuses, one after the other, and then with 204.
    pub(crate) async fn start(answers: &[u16]) -> Self {
        let shared = Shared { answers: answers.iter().copied().collect(), ..Shared::default() };
        let shared = Arc::new(Mutex::new(shared));
        let router = Router::new().fallback(receive).with_state(shared.clone());
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}/hook?token=in-the-query", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, shared }
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.shared.lock().unwrap().received.clone()
    }
}

async fn receive(
    State(shared): State<Arc<Mutex<Shared>>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, [(HeaderName, HeaderValue); 1], String) {
    let mut shared = shared.lock().unwrap();
    let body = serde_json::from_slice(&body).unwrap_or_default();
    shared.received.push(Received { path: uri.to_string(), headers, body });
    let status = shared.answers.pop_front().unwrap_or(204);
    let elsewhere = (HeaderName::from_static("location"), HeaderValue::from_static("/elsewhere"));
    // A receiver may say whatever it likes, at any length.
    let body = if status == 204 { String::new() } else { "x".repeat(10 << 20) };
    (StatusCode::from_u16(status).unwrap(), [elsewhere], body)
}
