//! The simulator by itself, asked with a plain HTTP client: what it lets in, what it does, what it
//! breaks, and what it says that it saw.

mod connections;
mod datasets;
mod dialects;
mod faults;
mod requests;
mod world;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};

use chrono::{DateTime, Utc};
use data_encoding::BASE64;
use ferry_sim::{
    Credentials, Dialect, Endpoint, Fault, FaultRates, Processing, RetryAfter, Sim, SimConfig,
    expected_results,
};
use ferry_testing::{Wait, until};
use futures_util::future::join_all;
use reqwest::header::HeaderMap;
use reqwest::{Client, Method};
use serde_json::{Value, json};

const DATA: &str = "Reference,StartDate,StartTime,EndDate,EndTime\n\
                    R1,01/02/2026,08:00,01/02/2026,09:30\n\
                    R2,02/02/2026,23:59,03/02/2026,00:00\n";

const FORM: &str = "application/x-www-form-urlencoded";
const GRANT: &str = "grant_type=client_credentials&scope=platform_upload_api";

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: String,
}

struct Caller {
    sim: Sim,
    http: Client,
}

fn localhost() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

/// Ready at once, unless a test says otherwise.
fn quick() -> SimConfig {
    SimConfig { processing: Processing::Fixed(Duration::ZERO), ..SimConfig::default() }
}

async fn start(config: SimConfig) -> Caller {
    let sim = Sim::start(config, localhost()).await.expect("a port is free");
    Caller { sim, http: client() }
}

fn client() -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().no_proxy().tls_certs_only([]).build().expect("a plain client")
}

fn upload_body(name: &str, data: &str) -> Value {
    json!({ "Name": name, "Data": data, "Username": "demo", "Key": "demo-key", "Overwrite": "false" })
}

impl Caller {
    async fn send(
        &self,
        method: Method,
        url: &str,
        headers: &[(&'static str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> reqwest::Result<Answer> {
        let mut request = self.http.request(method, url).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Answer { status, headers, body: response.text().await? })
    }

    async fn ask_token(&self, basic: &str, content_type: &str, form: &str) -> Answer {
        let basic = format!("Basic {}", BASE64.encode(basic.as_bytes()));
        let headers = [("authorization", basic.as_str()), ("content-type", content_type)];
        self.send(Method::POST, &self.sim.token_url(), &headers, form.to_owned())
            .await
            .expect("a response")
    }

    async fn token(&self) -> String {
        let response = self.ask_token("demo:demo-secret", FORM, GRANT).await;
        let response: Value = serde_json::from_str(&response.body).expect("a JSON answer");
        format!("Bearer {}", response["access_token"].as_str().expect("an access token"))
    }

    async fn try_upload(&self, bearer: &str, body: &Value) -> reqwest::Result<Answer> {
        let headers = [("authorization", bearer), ("content-type", "application/json")];
        let url = format!("{}/UploadData", self.sim.api_url());
        self.send(Method::POST, &url, &headers, body.to_string()).await
    }

    async fn upload(&self, bearer: &str, body: &Value) -> Answer {
        self.try_upload(bearer, body).await.expect("a response")
    }

    async fn try_query(&self, bearer: &str, query: &str) -> reqwest::Result<Answer> {
        let url = format!("{}/GetResults?{query}", self.sim.api_url());
        self.send(Method::GET, &url, &[("authorization", bearer)], "").await
    }

    async fn get(&self, bearer: &str, token: &str, data_key: &str) -> Answer {
        let query = format!("token={token}&dataKey={data_key}&key=demo-key");
        self.try_query(bearer, &query).await.expect("a response")
    }
}
