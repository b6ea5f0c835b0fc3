//! A server over a simulated Platform, and what a client sees of it.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use ferry::api::Server;
use ferry_sim::SimConfig;
use ferry_types::contract::{Problem, ProblemKind};
use reqwest::header::HeaderMap;
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::support::{World, prompt};

/// Ten valid rows.
pub(crate) const GOOD: &str = include_str!("../../../examples/good.csv");

/// A server in this process.
pub(crate) struct Served {
    pub(crate) world: World,
    pub(crate) address: SocketAddr,
    pub(crate) client: Client,
    pub(crate) serving: JoinHandle<()>,
}

/// A response, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Served {
    /// Submissions are carried.
    pub(crate) async fn start(changes: &[(&str, &str)]) -> Self {
        Self::with(prompt(), changes).await
    }

    pub(crate) async fn with(sim: SimConfig, changes: &[(&str, &str)]) -> Self {
        Self::over(World::start(sim, changes).await).await
    }

    /// Nothing is carried.
    pub(crate) async fn idle(changes: &[(&str, &str)]) -> Self {
        Self::over(World::idle(prompt(), changes).await).await
    }

    pub(crate) async fn over(world: World) -> Self {
        let server = Server::bind((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
        let address = server.address();
        let serving = tokio::spawn(server.serve(world.app.api().unwrap()));
        Self { world, address, client: client(), serving }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.address))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        let request = self.request(Method::POST, path).header("content-type", "application/json");
        Answer::of(request.body(body.to_string())).await
    }

    /// Hands a dataset over, and gives its id.
    pub(crate) async fn submit(&self, body: &Value) -> String {
        let response = self.post("/v1/submissions", body).await;
        assert_eq!(response.status, 201, "{}", response.text());
        response.id()
    }
}

impl Answer {
    pub(crate) async fn of(request: RequestBuilder) -> Self {
        let response = request.send().await.expect("it is answered");
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await.expect("the response is whole").to_vec();
        let response = Self { status: status.as_u16(), headers, body };
        response.check(status);
        response
    }

    /// Asserts what holds for every response.
    fn check(&self, status: StatusCode) {
        assert!(self.headers.contains_key("x-request-id"), "{self:?}");
        assert_eq!(self.header("x-content-type-options"), "nosniff");
        if status.is_client_error() || status.is_server_error() {
            let problem = self.problem();
            assert_eq!(problem.status, self.status);
            assert_eq!(problem.instance.as_deref(), Some(self.header("x-request-id")));
            assert!(problem.kind().is_some(), "{problem:?}");
        }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    #[track_caller]
    pub(crate) fn id(&self) -> String {
        self.json()["id"].as_str().unwrap_or_else(|| panic!("{}", self.text())).to_owned()
    }

    #[track_caller]
    pub(crate) fn problem(&self) -> Problem {
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.text());
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    /// It is this problem, and says so.
    #[track_caller]
    pub(crate) fn is(&self, kind: ProblemKind) -> Problem {
        let problem = self.problem();
        assert_eq!(problem.kind(), Some(kind), "{}", self.text());
        problem
    }
}

/// Longest time without a byte of a response; a test that waits so long has failed.
const SILENCE: Duration = Duration::from_mins(2);

/// A plain client.
pub(crate) fn client() -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder().no_proxy().tls_certs_only([]).read_timeout(SILENCE);
    client.build().expect("a plain client")
}
