//! `ferry webhooks listen`: receives webhooks on this machine, and shows them verified.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use clap::Args;
use parking_lot::Mutex;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::secrets::keys_of;
use crate::cli::complete;
use crate::cli::error::{CliError, Exit};
use crate::cli::global::Global;
use crate::cli::signals;
use crate::cli::ui::Ui;
use crate::listener::BoundedListener;
use crate::shutdown::Shutdown;
use crate::webhook::SigningKey;
use crate::words;
use ferry_types::causes::chain;
use ferry_types::clock::{Clock, SystemClock};

/// Longest difference between the time in a webhook and the clock, in seconds.
const TOLERANCE: u64 = 300;

/// Time for a client to send or read.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(10);

/// The most connections at once.
const CONNECTIONS: usize = 32;

/// The largest body, far beyond those of Ferry's webhooks.
const LARGEST: usize = 256 << 10;

/// The longest id, beyond those of Ferry's webhooks.
const LONGEST_ID: usize = 128;

/// Receive webhooks on this machine, and show each with its verification, until interrupted.
///
/// Verified are those that the account's `webhook_secret` signed. If none is configured, a secret is
/// drawn, and printed with the settings that make a worker deliver here.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ferry webhooks listen
  ferry webhooks listen --json | jq .body.data.state")]
pub(super) struct Listen {
    /// Address to listen on; with port 0 on a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8710")]
    listen: SocketAddr,
    /// Account whose secrets verify them [default: the only one that has a secret].
    #[arg(long, add = complete::accounts())]
    account: Option<String>,
}

#[derive(Debug)]
struct Receiver {
    keys: Vec<SigningKey>,
    /// Ids of verified ones.
    seen: Mutex<BTreeSet<String>>,
    ui: Ui,
}

impl Listen {
    pub(super) async fn run(self, global: &Global, ui: &Ui) -> Result<Exit, CliError> {
        let configured = keys_of(self.account.as_deref(), global)?;
        let listener = TcpListener::bind(self.listen).await.map_err(|error| {
            let what = format!("cannot listen on {}", self.listen);
            CliError::new(Exit::Failed, anyhow::Error::new(error).context(what))
                .hint("take a free port: `--listen 127.0.0.1:0`")
        })?;
        let address = listener.local_addr()?;
        let keys = match configured {
            Some((account, keys)) => {
                ui.print_note(format!("verifying with the secret of account `{account}`"));
                keys
            }
            None => vec![drawn(address, ui)?],
        };
        ui.print_note(format!("listening on http://{address}"));
        let shutdown = Shutdown::default();
        signals::listen_idle(shutdown.clone(), ui)?;
        let receiver = Arc::new(Receiver { keys, seen: Mutex::default(), ui: ui.clone() });
        let router = Router::new().fallback(receive).with_state(receiver);
        let listener = BoundedListener::new(listener, CONNECTIONS, CLIENT_TIMEOUT);
        // A webhook whose connection breaks is delivered again.
        tokio::select! {
            () = listener.serve_one_each(router) => {}
            () = shutdown.draining() => {}
        }
        Ok(Exit::Done)
    }
}

/// A key that was drawn now, with the settings of those who sign with it.
fn drawn(address: SocketAddr, ui: &Ui) -> Result<SigningKey, CliError> {
    let random = SigningKey::random();
    let (key, text) =
        random.map_err(|_| anyhow::anyhow!("the operating system gave no random bytes"))?;
    let text = text.expose_secret();
    for line in [
        "no `webhook_secret` is configured; start workers with these settings:",
        &format!("FERRY_WEBHOOK_SECRET={text}"),
        &format!("FERRY_WEBHOOK_URL=http://{address}"),
        "FERRY_WEBHOOK_ALLOW=127.0.0.1",
        "FERRY_WEBHOOK_ALLOW_HTTP=yes",
    ] {
        ui.print_note(line);
    }
    Ok(key)
}

async fn receive(
    State(receiver): State<Arc<Receiver>>,
    headers: HeaderMap,
    body: Body,
) -> StatusCode {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
    let id = header("webhook-id");
    let signed = Signed {
        id,
        seconds: header("webhook-timestamp"),
        signatures: header("webhook-signature"),
    };
    match receiver.verified(signed, body).await {
        Ok(value) => {
            let is_repeated = !receiver.seen.lock().insert(id.to_owned());
            receiver.show(id, is_repeated, &value);
            StatusCode::NO_CONTENT
        }
        Err(what) => {
            let id: String = id.chars().take(LONGEST_ID).collect();
            receiver.ui.warning(&format!("rejected `{id}`: {what}"));
            StatusCode::BAD_REQUEST
        }
    }
}

/// The headers of a webhook.
#[derive(Debug, Clone, Copy)]
struct Signed<'a> {
    id: &'a str,
    seconds: &'a str,
    signatures: &'a str,
}

impl Signed<'_> {
    /// Its time, if the headers can be those of a webhook that was sent a moment ago.
    fn time(self) -> Result<i64, String> {
        if self.id.is_empty() || self.id.len() > LONGEST_ID {
            return Err(format!("it has no `webhook-id` of at most {LONGEST_ID} bytes"));
        }
        if self.signatures.is_empty() {
            return Err("it has no `webhook-signature`".to_owned());
        }
        let seconds: i64 = self.seconds.parse().map_err(|_| "it has no `webhook-timestamp`")?;
        if SystemClock.now().timestamp().abs_diff(seconds) > TOLERANCE {
            return Err("its `webhook-timestamp` is more than five minutes off".to_owned());
        }
        Ok(seconds)
    }
}

impl Receiver {
    /// The body, if one of the keys signed it a moment ago. Where the headers are wrong, it is not read.
    async fn verified(&self, signed: Signed<'_>, body: Body) -> Result<Value, String> {
        let seconds = signed.time()?;
        let whole = timeout(CLIENT_TIMEOUT, to_bytes(body, LARGEST)).await;
        let whole = whole.map_err(|_| "its body took too long to arrive")?;
        let body = whole.map_err(|error| {
            format!("its body broke off, or is larger than {LARGEST} bytes: {}", chain(&error))
        })?;
        let body = std::str::from_utf8(&body).map_err(|_| "its body is not UTF-8")?;
        if !self.keys.iter().any(|key| key.verifies(signed.id, seconds, body, signed.signatures)) {
            return Err("no signature matches this secret".to_owned());
        }
        serde_json::from_str(body).map_err(|error| format!("its body is not JSON: {error}"))
    }

    fn show(&self, id: &str, is_repeated: bool, body: &Value) {
        let shown = if self.ui.json {
            self.ui.object(&json!({ "id": id, "repeated": is_repeated, "body": body }))
        } else {
            let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
            let (time, data) = (words::time(SystemClock.now()), &body["data"]);
            let (kind, name) = (text(&body["type"]), text(&data["name"]));
            let again = if is_repeated { ", again" } else { "" };
            let submission = text(&data["id"]);
            self.ui.out(format!("{time}  {kind}  {submission}  {name}  (verified{again})"))
        };
        // Without a reader of stdout there is no one to show it to.
        let _ = shown;
    }
}
