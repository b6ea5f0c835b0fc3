//! The whole path of a response, from bytes to decisions and texts, for the fuzz targets in `fuzz/`.

use std::sync::{Arc, LazyLock};

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::account::{AccountConfig, OverwriteFormat};
use super::http;
use super::response::{Pages, PlatformResponse};
use super::scrub::Scrubber;
use super::shape::{object, status_word};
use super::status_map::StatusMap;
use super::token_endpoint::seconds;
use super::wire::WireResponse;
use crate::charset::text;
use ferry_types::domain::limits::AccountLimits;
use ferry_types::domain::{feedback, timestamp};

const SECRET: &str = "s3cret/+=& %x";
const LIMIT: u64 = 1 << 16;

static ACCOUNT: LazyLock<AccountConfig> = LazyLock::new(|| AccountConfig {
    name: "fuzzed".to_owned(),
    token_url: String::new(),
    api_url: String::new(),
    client_id: "client".to_owned(),
    client_secret: SECRET.into(),
    api_key: "k3y-7f3a".into(),
    overwrite_format: OverwriteFormat::Strings,
    status_map: StatusMap::default(),
    account_limits: AccountLimits::default(),
});
static SCRUBBER: LazyLock<Arc<Scrubber>> = LazyLock::new(|| Arc::new(Scrubber::new(&ACCOUNT)));

/// Reads a response as each call of the client would. Panics if a bound or a rule is broken.
pub async fn read_response(status: u16, headers: &[(&[u8], &[u8])], body: &[u8]) {
    let Ok(status) = StatusCode::from_u16(status) else { return };
    let mut map = HeaderMap::new();
    for (name, value) in headers.iter().take(100) {
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name), HeaderValue::from_bytes(value))
        {
            map.append(name, value);
        }
    }
    let response = WireResponse { status, headers: map.clone(), body: body.to_vec() };
    let Ok(decoded) = http::decoded(response, LIMIT).await else { return };
    assert!(decoded.body.len() as u64 <= LIMIT.max(body.len() as u64));
    let body = decoded.body;
    let response = || PlatformResponse {
        endpoint: "fuzzed",
        status,
        headers: map.clone(),
        body: body.clone(),
    };
    let now = timestamp(1_700_000_000_000);
    let mut told = vec![response().described("api_url"), response().shown(&SCRUBBER, &[])];
    let rows = ["SITE-001,03/03/2025,08:00,03/03/2025,16:30\n"];
    let troubles = [
        response().into_processing_token(&SCRUBBER, &rows, now).err(),
        response().into_found(Pages::Never, &SCRUBBER, now).err(),
        response().into_found(Pages::IfDeclaredOtherwise, &SCRUBBER, now).err(),
        response().throttled(now),
    ];
    told.extend(troubles.into_iter().flatten().map(|error| error.to_string()));
    for text in told {
        assert!(!text.contains(SECRET) && text.chars().count() < 1000, "{text}");
        assert!(!text.chars().any(char::is_control), "{text:?}");
    }
    let _ = response().denies_credentials();
    let text = text(response().into_content().content_type.as_deref(), &body);
    if let Some(word) = status_word(&text, &ACCOUNT.status_map) {
        let _ = ACCOUNT.status_map.classify(&word);
    }
    let _ = object(&text).and_then(|said| said.get("expires_in").and_then(seconds));
    for item in feedback::locate(&feedback::read(&text), Some(rows[0]), None) {
        assert!(!item.to_string().is_empty());
    }
}
