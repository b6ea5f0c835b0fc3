//! Whatever goes wrong, no secret, no token, no query and no row is shown.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use data_encoding::BASE64;
use ferry_sim::{Credentials, Endpoint, Fault, RetryAfter};
use ferry_testing::Wait;
use tracing_subscriber::fmt::MakeWriter;

use super::*;

const SECRET: &str = "SeCr3t+/=%:& \u{fc}\"\\<x>";
const KEY: &str = "kEy+/=%:& \u{e9}\"\\<y>";
const BEARER: &str = "eyJhbGciOi.BEARER~token-_.c2ln";

const ENDPOINTS: [Endpoint; 5] =
    [Endpoint::Token, Endpoint::Upload, Endpoint::Status, Endpoint::Feedback, Endpoint::Results];

/// Everything that is shown, be it in the log or in an error.
#[derive(Debug, Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    fn note(&self, what: impl AsRef<[u8]>) {
        let mut bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        bytes.extend_from_slice(what.as_ref());
        bytes.push(b'\n');
    }

    fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8(bytes.clone()).expect("texts")
    }
}

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Captured {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

fn credentials() -> Credentials {
    Credentials { client_id: "id".into(), client_secret: SECRET.into(), api_key: KEY.into() }
}

fn form(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// Every spelling in which something confidential travels, or might be echoed.
fn spellings() -> Vec<String> {
    let basic = BASE64.encode(format!("id:{}", form(SECRET)).as_bytes());
    let mut spellings = vec![basic, BEARER.to_owned()];
    for secret in [SECRET, KEY] {
        let units = secret.encode_utf16();
        spellings.extend([
            secret.to_owned(),
            form(secret),
            form(secret).replace('+', "%20"),
            form(&form(secret)),
            json(secret),
            json(&json(secret)),
            secret.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;"),
            units.map(|unit| format!("\\u{unit:04x}")).collect::<Vec<String>>().concat(),
        ]);
    }
    for row in DATA.lines().skip(1) {
        spellings.extend([row.to_owned(), json(row)]);
    }
    spellings
}

fn assert_nothing_leaks(text: &str) {
    let parts = ["SeCr3t", "secr3t", "kEy+", "kEy%", "key+", "?token=", "dataKey=", "&key="];
    for part in parts.into_iter().map(str::to_owned).chain(spellings()) {
        let found = text.find(&part).map(|at| text[at..].chars().take(200).collect::<String>());
        assert_eq!(found, None, "`{part}` is shown");
    }
}

async fn ask_everything(platform: &Client, captured: &Captured) {
    let responses = [
        platform.upload(upload("n")).await.err(),
        platform.status("t").await.err(),
        platform.feedback("t").await.err(),
        platform.result("t", "k").await.err(),
        platform.check_credentials().await.err(),
    ];
    for error in responses.into_iter().flatten() {
        captured.note(format!("{error} {error:#} {error:?} {error:#?}"));
    }
    captured.note(format!("{platform:?} {platform:#?}"));
}

fn listen() -> (Captured, tracing::subscriber::DefaultGuard) {
    let captured = Captured::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(captured.clone())
        .finish();
    (captured, tracing::subscriber::set_default(subscriber))
}

#[tokio::test]
async fn no_failure_shows_a_secret() {
    let (captured, _guard) = listen();
    let config = SimConfig { credentials: credentials(), ..quick() };
    let sim = Sim::start(crate::dialect::drawn(config), localhost()).await.expect("a port is free");
    let account = account_of(&credentials());
    let at = |token_url: String, api_url: String| {
        let account = AccountConfig { token_url, api_url, ..account.clone() };
        client(account, Limits { request_timeout: Duration::from_millis(200), ..limits() }, 0)
    };
    let faults = [
        Fault::ResetBefore,
        Fault::ResetAfter,
        Fault::CutBody,
        Fault::Enormous(1 << 20),
        Fault::RevokeToken,
        Fault::Throttle(seconds(1.0)),
        Fault::Throttle(RetryAfter::Missing),
        says(401, ""),
        says(403, ""),
        says(404, ""),
        says(500, ""),
        says_with(302, ("location", "/upload/elsewhere?key=1"), ""),
        says_with(200, ("x", "y"), "<html>"),
    ];
    for fault in faults {
        for endpoint in ENDPOINTS {
            let platform = client_of(&sim, account.clone());
            sim.script(endpoint, fault.clone());
            ask_everything(&platform, &captured).await;
            assert!(sim.is_script_done());
        }
    }
    for endpoint in ENDPOINTS {
        let impatient = at(sim.token_url(), sim.api_url());
        sim.script(endpoint, Fault::Stall(Duration::from_secs(2)));
        ask_everything(&impatient, &captured).await;
        assert!(sim.is_script_done());
    }
    let https = |url: String| url.replace("http:", "https:");
    ask_everything(&at(sim.token_url(), https(sim.api_url())), &captured).await;
    ask_everything(&at(https(sim.token_url()), sim.api_url()), &captured).await;
    let nowhere = "http://nonexistent.invalid/upload";
    ask_everything(&at(sim.token_url(), nowhere.into()), &captured).await;
    let (token_url, api_url) = (sim.token_url(), sim.api_url());
    sim.stop().await;
    ask_everything(&at(token_url, api_url), &captured).await;
    captured.note(format!("{account:?} {account:#?} {:?}", limits()));

    let text = captured.text();
    assert_nothing_leaks(&text);
    assert!(!text.contains(&issued_first()), "an access token is shown");
    // It is not for want of words.
    for words in ["throttled", "connection broke", "no response in time", "TRACE", "denied (401)"] {
        assert!(text.contains(words), "`{words}` is not shown");
    }
}

#[tokio::test]
async fn secrets_that_would_travel_unencrypted_are_warned_of() {
    let (captured, _guard) = listen();
    for (url, warned) in [
        ("https://example.com/x", false),
        ("http://127.0.0.1:1/x", false),
        ("http://[::1]:1/x", false),
        ("http://localhost/x", false),
        ("http://example.com/x", true),
    ] {
        let account = account_of(&credentials());
        client(
            AccountConfig { token_url: url.into(), api_url: url.into(), ..account },
            limits(),
            0,
        );
        assert_eq!(
            captured.text().matches("secrets travel unencrypted").count(),
            2 * usize::from(warned)
        );
    }
}

/// The access token that a simulator of the default seed hands out first.
fn issued_first() -> String {
    format!("{:032x}", fastrand::Rng::with_seed(0).u128(..))
}

#[tokio::test]
async fn the_access_token_that_is_looked_for_is_the_one_that_is_issued() {
    let (sim, platform) = start(quick()).await;
    let token = platform.upload(upload("n")).await.expect("it is accepted");
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http =
        reqwest::Client::builder().no_proxy().tls_certs_only([]).build().expect("a plain client");
    let url = format!("{}/GetResults?token={token}&dataKey=status&key=demo-key", sim.api_url());
    let response = http.get(url).bearer_auth(issued_first()).send().await.expect("a response");
    assert_eq!(response.status().as_u16(), 200);
}

#[tokio::test]
async fn no_echo_of_a_secret_is_shown() {
    let (captured, _guard) = listen();
    let (sim, _) = start(quick()).await;
    for spelling in spellings() {
        let account = account_of(&credentials());
        let platform = client_of(&sim, account);
        let token = format!(r#"{{"access_token":"{BEARER}","expires_in":3600}}"#);
        sim.script(Endpoint::Token, says(200, token));
        platform.check_credentials().await.expect("a token");
        for status in [200, 400, 403, 409, 422, 500] {
            let echo = format!("you sent `{spelling}` and that is wrong");
            for endpoint in &ENDPOINTS[1..3] {
                sim.script(*endpoint, says(status, echo.clone()));
            }
            let failed = platform.upload(upload("n")).await;
            if [400, 409, 422].contains(&status) {
                let words = failed.clone().expect_err("a rejection").to_string();
                assert!(words.contains("[redacted]` and that is wrong"), "{spelling}: {words}");
            }
            captured.note(format!("{failed:?}"));
            captured.note(format!("{:?}", platform.status("t").await));
        }
        // A word that holds no blank is shorter, and may pass for a status or a token.
        sim.script(Endpoint::Status, says(200, spelling.clone()));
        captured.note(format!("{:?}", platform.status("t").await));

        let platform = client_of(&sim, account_of(&credentials()));
        for status in [200, 400, 401, 500] {
            let description = json(&format!("you sent {spelling}"));
            let error = format!(r#"{{"error":"invalid","error_description":"{description}"}}"#);
            sim.script(Endpoint::Token, says(status, error));
            // Of a bearer token the token endpoint knows nothing, nor of rows.
            if spelling != BEARER && !spelling.contains("/02/2026") {
                captured.note(format!("{:?}", platform.check_credentials().await));
            }
        }
        let wait = Wait::begin("the end of the script");
        while !sim.is_script_done() {
            let _ = platform.check_credentials().await;
            wait.check();
        }
    }
    assert_nothing_leaks(&captured.text());
}

#[tokio::test]
async fn secrets_in_results_and_feedback_are_redacted_and_nothing_else_is() {
    let (sim, _) = start(quick()).await;
    let platform = client_of(&sim, account_of(&credentials()));
    let basic = BASE64.encode(format!("id:{}", form(SECRET)).as_bytes());
    let token = format!(r#"{{"access_token":"{BEARER}","expires_in":3600}}"#);
    sim.script(Endpoint::Token, says(200, token));
    for secret in [SECRET, KEY, BEARER, &form(SECRET), &form(KEY), &json(SECRET), &basic] {
        let with =
            |secret: &str| format!("\u{feff}2|{secret}|wrong\r\n 3|x|{secret}{secret} \u{202e}");
        let expected = with("[redacted]");
        sim.script(Endpoint::Feedback, says(200, with(secret)));
        let feedback = platform.feedback("t").await.expect("feedback");
        assert_eq!(String::from_utf8_lossy(&feedback.bytes), expected);
        sim.script(Endpoint::Results, says(200, with(secret)));
        let result = platform.result("t", "k").await.expect("a result");
        assert_eq!(String::from_utf8_lossy(&result.bytes), expected);
    }
}

#[tokio::test]
async fn no_echo_of_a_request_is_shown() {
    let (captured, _guard) = listen();
    let (sim, _) = start(quick()).await;
    let platform = client_of(&sim, account_of(&credentials()));
    let body = serde_json::json!({
        "Name": "n", "Data": DATA, "Username": "id", "Key": KEY, "Overwrite": "false",
    });
    let basic = BASE64.encode(format!("id:{}", form(SECRET)).as_bytes());
    let url = format!("/upload/GetResults?token=t&dataKey=status&key={}", form(KEY));
    for echo in [
        body.to_string(),
        serde_json::to_string_pretty(&body).expect("JSON"),
        serde_json::json!({ "title": "Bad Request", "detail": body.to_string() }).to_string(),
        format!("<pre>{}</pre>", body.to_string().replace('"', "&quot;")),
        format!("Authorization: Basic {basic}\r\nAuthorization: Bearer {BEARER}\r\n\r\n{body}"),
        format!("Data was:\n{DATA}"),
        url,
    ] {
        sim.script(Endpoint::Token, says(200, format!(r#"{{"access_token":"{BEARER}"}}"#)));
        platform.check_credentials().await.expect("a token");
        sim.script(Endpoint::Upload, says(400, echo.clone()));
        let error = platform.upload(upload("n")).await.expect_err("a rejection").to_string();
        assert!(error.contains("[redacted]"), "{error}");
        captured.note(error.replace("dataKey=", "").replace("?token=", "").replace("&key=", ""));
        let wait = Wait::begin("the end of the script");
        while !sim.is_script_done() {
            wait.check();
            let fresh = client_of(&sim, account_of(&credentials()));
            let _ = fresh.check_credentials().await;
        }
    }
    assert_nothing_leaks(&captured.text());
}
