//! Takes bytes apart into a response: one for its request, two for the status, then
//! headers up to an empty line, then the body. The client of the Platform reads it without a connection.

use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use ferry::metrics::Metrics;
use ferry::platform::{
    AccountConfig, ApiCheck, Limits, OverwriteFormat, Platform, PlatformParts, StatusMap,
    TransportError, Unguarded, Upload, Wire, WireRequest, WireResponse, Wires, decoded,
};
use ferry_types::clock::{MonotonicClock, MonotonicTime, Sleep, SystemClock};
use ferry_types::domain::feedback;
use ferry_types::domain::limits::AccountLimits;
use ferry_types::domain::outcome::{AcceptedUpload, Content, PlatformError, Status};
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

const SECRET: &str = "s3cret/+=& %x";
const LIMIT: u64 = 1 << 16;
const ROW: &str = "SITE-001,03/03/2025,08:00,03/03/2025,16:30\n";

static METRICS: LazyLock<Arc<Metrics>> = LazyLock::new(Arc::default);

/// Responds to each request alike.
#[derive(Debug)]
struct FixedWire(WireResponse);

#[async_trait]
impl Wire for FixedWire {
    async fn send(&self, request: WireRequest) -> Result<WireResponse, TransportError> {
        decoded(self.0.clone(), request.max_response_bytes).await
    }
}

/// A clock that stands still.
#[derive(Debug)]
struct StoppedClock;

impl MonotonicClock for StoppedClock {
    fn now(&self) -> MonotonicTime {
        MonotonicTime::default()
    }

    fn sleep(&self, _: std::time::Duration) -> Sleep {
        Box::pin(std::future::ready(()))
    }
}

/// Reads `data` as a response to one of the client's six requests. Panics if a rule is broken: a text has
/// a secret, is long or has control characters, or a response that is no success is taken for one.
pub fn read(data: &[u8]) {
    super::block_on(read_one(data));
}

async fn read_one(data: &[u8]) {
    let Some(([request, low, high], rest)) = data.split_first_chunk::<3>() else { return };
    let status = 100 + u16::from_le_bytes([*low, *high]) % 500;
    let response = response(status, rest);
    let is_success = response.status.is_success();
    let token = response_of(r#"{"access_token":"t0ken","expires_in":3600}"#);
    let shown = match request % 6 {
        0 => upload(&platform(token, response), is_success).await,
        1 => status_of(&platform(token, response), is_success).await,
        2 => content(
            platform(token, response).feedback("token", &Unguarded).await.map_err(Into::into),
        ),
        3 => content(
            platform(token, response)
                .result("token", "key", false, &Unguarded)
                .await
                .map_err(Into::into),
        ),
        4 => error_of(platform(response.clone(), response).check_credentials().await),
        _ => match platform(token, response).check_api().await {
            ApiCheck::Responded(text) => text,
            ApiCheck::Failed { what, .. } => Some(what),
        },
    };
    if let Some(text) = shown {
        assert!(!text.contains(SECRET) && text.chars().count() < 1000, "{text}");
        assert!(!text.chars().any(char::is_control), "{text:?}");
    }
}

fn response(status: u16, data: &[u8]) -> WireResponse {
    let (head, body) = match data.windows(2).position(|two| two == b"\n\n") {
        Some(end) => (&data[..end], &data[end + 2..]),
        None => (&data[..0], data),
    };
    let mut headers = HeaderMap::new();
    for line in head.split(|byte| *byte == b'\n').take(100) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let name = HeaderName::from_bytes(&line[..colon]);
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(&line[colon + 1..])) {
            headers.append(name, value);
        }
    }
    let status = StatusCode::from_u16(status).expect("it is from 100 to 599");
    WireResponse { status, headers, body: body.to_vec() }
}

fn response_of(body: &str) -> WireResponse {
    WireResponse { status: StatusCode::OK, headers: HeaderMap::new(), body: body.into() }
}

fn platform(token: WireResponse, api: WireResponse) -> Platform {
    let account = AccountConfig {
        name: "fuzzed".to_owned(),
        token_url: "http://127.0.0.1:9/token".to_owned(),
        api_url: "http://127.0.0.1:9/".to_owned(),
        client_id: "client".to_owned(),
        client_secret: SECRET.into(),
        api_key: "k3y-7f3a".into(),
        overwrite_format: OverwriteFormat::Strings,
        status_map: StatusMap::default(),
        account_limits: AccountLimits::default(),
    };
    let parts = PlatformParts {
        account,
        limits: Limits { max_response_bytes: LIMIT, ..Limits::default() },
        wires: Wires { tokens: Arc::new(FixedWire(token)), api: Arc::new(FixedWire(api)) },
        clock: Arc::new(SystemClock),
        monotonic: Arc::new(StoppedClock),
        metrics: METRICS.clone(),
    };
    Platform::new(parts).expect("the account can be used")
}

async fn upload(platform: &Platform, is_success: bool) -> Option<String> {
    let upload = Upload { name: "march", data: ROW, event_data: None, overwrite: false };
    match platform.upload(upload, &Unguarded).await {
        Ok(AcceptedUpload { processing_token: token, .. }) => {
            assert!(is_success && !token.is_empty() && token.len() < 1000, "{token}");
            None
        }
        Err(error) => Some(PlatformError::from(error).to_string()),
    }
}

async fn status_of(platform: &Platform, is_success: bool) -> Option<String> {
    match platform.status("token", &Unguarded).await {
        Ok(Status::Pending { status, .. } | Status::Failed { status }) => Some(status),
        Ok(Status::Done) => {
            assert!(is_success, "only a success has a status");
            None
        }
        Err(error) => Some(PlatformError::from(error).to_string()),
    }
}

fn content(fetched: Result<Content, PlatformError>) -> Option<String> {
    let Content { content_type, bytes } = match fetched {
        Ok(content) => content,
        Err(error) => return Some(error.to_string()),
    };
    assert!(bytes.len() as u64 <= LIMIT.max(4096));
    let text = ferry::charset::text(content_type.as_deref(), &bytes);
    for item in feedback::locate(&feedback::read(&text), Some(ROW), None) {
        assert!(!item.to_string().is_empty());
    }
    None
}

fn error_of(checked: Result<(), PlatformError>) -> Option<String> {
    checked.err().map(|error| error.to_string())
}
