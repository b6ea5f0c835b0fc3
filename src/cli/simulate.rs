//! `ferry simulate`: the Platform itself, to rehearse with.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use super::error::{CliError, Exit};
use super::global::{Global, configure, start_log};
use super::ui::{Ui, write_bytes};
use super::{signals, values};
use crate::shutdown::Shutdown;
use ferry_sim::{Credentials, Dialect, FaultRates, Processing, Sim, SimConfig};

/// Run a simulated Platform, to rehearse with; it stores nothing.
///
/// Datasets whose references begin with UNKNOWN are rejected, and so are those in which
/// `ferry validate` finds an error.
#[derive(Debug, Args)]
#[command(after_help = "\
Example: in one terminal
  ferry simulate --listen 127.0.0.1:8700 > simulated.env
in another
  set -a; . ./simulated.env; set +a
  ferry submit march.csv --wait
On the same address, `GET /ledger` counts what the simulator did, and
`GET /ledger/requests` lists the newest requests.")]
pub(super) struct Simulate {
    /// Address to listen on; with port 0 on a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8700")]
    listen: SocketAddr,
    /// The same seed gives the same tokens, times and failures.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Processing time of a dataset: `2s`, or `500ms..3s`, or `lognormal:2s` (the median).
    #[arg(long, value_name = "TIME", default_value = "500ms..3s", value_parser = processing)]
    processing: Processing,
    /// Lifetime of an access token.
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = values::duration)]
    token_lifetime: Duration,
    /// Delay of every response.
    #[arg(long, value_name = "DURATION", default_value = "0ms", value_parser = values::duration)]
    latency: Duration,
    /// Share of requests, 0 to 1, that fail: split among 5xx, 429, resets, lost responses and denied
    /// tokens.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    faults: f64,
    /// Requests in a second that are allowed; each one above gets 429 with `Retry-After: 2`.
    #[arg(long, value_name = "RATE", value_parser = rate)]
    requests_per_second: Option<f64>,
    /// Statuses, words and forms of the responses, such as other servers have.
    #[arg(long, value_name = "NAME", default_value = "plain", value_parser = dialects())]
    dialect: Dialect,
    #[command(flatten)]
    credentials: CredentialArgs,
}

#[derive(Debug, Args)]
pub(super) struct CredentialArgs {
    /// Client id that is accepted.
    #[arg(long, default_value = "demo")]
    client_id: String,
    /// Client secret that is accepted.
    #[arg(long, default_value = "demo-secret")]
    client_secret: String,
    /// API key that is accepted.
    #[arg(long, default_value = "demo-key")]
    api_key: String,
}

impl From<CredentialArgs> for Credentials {
    fn from(CredentialArgs { client_id, client_secret, api_key }: CredentialArgs) -> Self {
        Self { client_id, client_secret, api_key }
    }
}

impl Simulate {
    pub(super) async fn run(self, global: &Global, ui: &Ui) -> Result<Exit, CliError> {
        start_log(global, &configure(global)?, ui, "info")?;
        let shutdown = Shutdown::default();
        signals::listen_idle(shutdown.clone(), ui)?;
        let config = SimConfig {
            seed: self.seed,
            credentials: self.credentials.into(),
            token_lifetime: self.token_lifetime,
            processing: self.processing,
            latency: self.latency,
            faults: FaultRates::mixed(self.faults),
            requests_per_second: self.requests_per_second,
            dialect: Some(self.dialect),
            ..SimConfig::default()
        };
        let _sim = serve(config, self.listen, ui).await?;
        shutdown.draining().await;
        Ok(Exit::Done)
    }
}

/// Starts a simulated Platform, and prints the settings that lead to it.
pub(super) async fn serve(config: SimConfig, listen: SocketAddr, ui: &Ui) -> Result<Sim, CliError> {
    let credentials = config.credentials.clone();
    let sim = Sim::start(config, listen).await.map_err(|error| {
        let what = format!("cannot listen on {listen}");
        CliError::new(Exit::Failed, anyhow::Error::new(error).context(what))
            .hint("take a free port: `--listen 127.0.0.1:0`")
    })?;
    let settings = BTreeMap::from([
        ("FERRY_TOKEN_URL", sim.token_url()),
        ("FERRY_API_URL", sim.api_url()),
        ("FERRY_CLIENT_ID", credentials.client_id),
        ("FERRY_CLIENT_SECRET", credentials.client_secret),
        ("FERRY_API_KEY", credentials.api_key),
    ]);
    if ui.json {
        ui.object(&settings)?;
    } else {
        let line = |(name, value): (_, &String)| format!("{name}={}\n", quoted(value));
        let lines: String = settings.iter().map(line).collect();
        write_bytes(lines.as_bytes())?;
    }
    ui.print_note(format!("a simulated Platform listens on http://{}", sim.address()));
    Ok(sim)
}

/// Accepts the name of a dialect; the help lists them all.
fn dialects() -> impl TypedValueParser<Value = Dialect> {
    let known = Dialect::ALL.map(|known| PossibleValue::new(known.name()).help(known.about()));
    PossibleValuesParser::new(known).try_map(|name| Dialect::named(&name).ok_or("unknown dialect"))
}

/// For a shell.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

fn share(text: &str) -> Result<f64, String> {
    let share: Option<f64> = text.parse().ok();
    share
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or("expected a number from 0 to 1".to_owned())
}

fn rate(text: &str) -> Result<f64, String> {
    let rate: Option<f64> = text.parse().ok();
    rate.filter(|rate| (0.001..=1e6).contains(rate))
        .ok_or("expected a number a second, from 0.001 to 1000000".to_owned())
}

fn processing(text: &str) -> Result<Processing, String> {
    if let Some(median) = text.strip_prefix("lognormal:") {
        return Ok(Processing::LogNormal { median: values::duration(median)?, sigma: 1.0 });
    }
    match text.split_once("..") {
        Some((from, to)) => Ok(Processing::Uniform(values::duration(from)?, values::duration(to)?)),
        None => Ok(Processing::Fixed(values::duration(text)?)),
    }
}
