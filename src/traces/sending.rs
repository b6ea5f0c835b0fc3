//! Sends spans to the collector, over the HTTP client that is there anyway.

use std::time::Duration;

use async_trait::async_trait;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use tokio::runtime::Handle;
use tracing::{info, warn};

use ferry_client::http::{self, Authorities, Tls};
use ferry_types::causes::chain;
use ferry_types::recurring::Recurring;

/// For a whole call of the collector.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Sends spans to the collector at this URL, below which they belong to `/v1/traces`.
pub(super) fn exporter(collector: &str) -> Result<SpanExporter, String> {
    let runtime = Handle::try_current().map_err(|error| error.to_string())?;
    let authorities = Authorities::default();
    let is_plain = collector.starts_with("http://");
    let tls = if is_plain { Tls::Unused } else { Tls::Required(&authorities) };
    let client = http::client(tls, |builder| builder.timeout(TIMEOUT));
    let client = client.map_err(|error| chain(&error))?;
    SpanExporter::builder()
        .with_http()
        .with_http_client(Exporter { client, runtime, failures: Recurring::default() })
        .with_endpoint(format!("{}/v1/traces", collector.trim_end_matches('/')))
        .with_timeout(TIMEOUT)
        .build()
        .map_err(|error| chain(&error))
}

/// The exporter has a thread of its own, and the client needs the runtime.
#[derive(Debug)]
struct Exporter {
    client: reqwest::Client,
    runtime: Handle,
    failures: Recurring,
}

#[async_trait]
impl HttpClient for Exporter {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        let sent = self.runtime.spawn(async move { send(&client, request).await }).await?;
        let failure = match &sent {
            Ok(response) if response.status().is_success() => None,
            Ok(response) => Some(format!("it responded {}", response.status())),
            Err(error) => Some(chain(error)),
        };
        match failure {
            Some(what) => {
                self.failures.failed(|| warn!(error = %what, "traces do not reach the collector"));
            }
            None => {
                self.failures
                    .worked(|failures| info!(failures, "traces reach the collector again"));
            }
        }
        Ok(sent?)
    }
}

async fn send(
    client: &reqwest::Client,
    request: Request<Bytes>,
) -> Result<Response<Bytes>, reqwest::Error> {
    let (parts, body) = request.into_parts();
    let request = client.request(parts.method, parts.uri.to_string()).headers(parts.headers);
    // Its response is of no use, and is not read.
    let received = request.body(body).send().await.map_err(reqwest::Error::without_url)?;
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = received.status();
    Ok(response)
}
