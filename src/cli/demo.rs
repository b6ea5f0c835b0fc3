//! `ferry demo`: a simulated Platform, and datasets that are uploaded to it, everything in this process.

mod datasets;
mod flow;
mod once;
mod run;
mod workers;

use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::error::{CliError, Exit};
use super::global::{Global, start_log};
use super::signals;
use super::ui::Ui;
use crate::api::{Api, ConsoleMode, Server};
use crate::app::App;
use crate::config::{Config, Sources};
use crate::rehearsal::Rehearsal;
use ferry_sim::{Credentials, Processing, Sim, SimConfig};
use ferry_types::domain::ProcessRole;
use run::DemoRun;

/// Age at which the store forgets what is final, so that a demonstration may run for weeks.
const RETENTION: &str = "15m";

/// Run datasets against a simulated Platform, and serve the console; nothing else is needed.
///
/// Until Ctrl-C, made-up datasets follow each other. At any time one is rejected and can be
/// corrected in the console, and one is held and can be decided about; drills such as an outage are
/// begun and ended there. With --once, the example datasets are uploaded, one is corrected, and the
/// command ends without a console.
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Exit with a summary when the example datasets are final.
    #[arg(long)]
    once: bool,
}

impl Demo {
    pub(super) async fn run(self, global: &Global, ui: &Ui) -> Result<Exit, CliError> {
        let folder = tempfile::tempdir()?;
        let sim = Arc::new(Sim::start(world(), (Ipv4Addr::LOCALHOST, 0).into()).await?);
        let config = configuration(&sim, global, &folder.path().join("ferry.db"))?;
        start_log(global, &config, ui, "error")?;
        let mut app = App::open(config)?;
        app.rehearsal = (!self.once).then(|| Rehearsal::new(sim.clone()));
        let app = Arc::new(app);
        ui.print_note(format!(
            "store {}, simulated Platform http://{}, workers in this process",
            app.store.location(),
            sim.address()
        ));
        signals::listen(app.shutdown.clone(), ui)?;
        let shutdown = app.shutdown.clone();
        let served = if self.once { None } else { Some(serve(&app, ui).await?) };
        let url = served.as_ref().map(|(server, _)| server.url());
        let mut demo = DemoRun::new(app.clone(), sim, ui.clone());
        let play = async {
            let played = match &url {
                Some(url) => demo.keep_going(url).await,
                None => demo.play_once().await,
            };
            shutdown.drain();
            played
        };
        let serving = async {
            if let Some((server, api)) = served {
                server.serve(api).await;
            }
        };
        let heartbeats = app.reporting(&[ProcessRole::Server, ProcessRole::Worker]);
        let (ended, played, ()) = tokio::join!(workers::run(&app), play, serving);
        heartbeats.end().await;
        ended?;
        played?;
        demo.summarize(self.once).await
    }
}

/// Serves the console, on another port if that of `listen` is taken.
async fn serve(app: &App, ui: &Ui) -> Result<(Server, Api), CliError> {
    let server = match Server::bind(app.config.listen).await {
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            Server::bind((Ipv4Addr::LOCALHOST, 0).into()).await?
        }
        bound => bound?,
    };
    if app.config.console != ConsoleMode::No {
        ui.print_note(format!("console {}/console", server.url()));
    }
    // The console shows the pace.
    tokio::spawn(app.exporting());
    Ok((server.with_connections(app.client_connections(true)), app.api()?))
}

/// A Platform that takes a moment for each dataset.
fn world() -> SimConfig {
    SimConfig {
        seed: 7,
        processing: Processing::Uniform(Duration::from_millis(300), Duration::from_millis(1500)),
        retry_after: Duration::from_secs(1),
        ..SimConfig::default()
    }
}

/// The embedded defaults, more impatient; the environment is left alone, for it may speak of the
/// real Platform.
fn configuration(sim: &Sim, global: &Global, path: &std::path::Path) -> Result<Config, CliError> {
    let credentials = Credentials::default();
    let mut settings = vec![
        ("FERRY_STORE", format!("sqlite:{}", path.display())),
        ("FERRY_TOKEN_URL", sim.token_url()),
        ("FERRY_API_URL", sim.api_url()),
        ("FERRY_CLIENT_ID", credentials.client_id),
        ("FERRY_CLIENT_SECRET", credentials.client_secret),
        ("FERRY_API_KEY", credentials.api_key),
        ("FERRY_POLL_INITIAL", "300ms".to_owned()),
        ("FERRY_POLL_MAX", "3s".to_owned()),
        ("FERRY_RETRY_INITIAL", "200ms".to_owned()),
        ("FERRY_RETRY_MAX", "5s".to_owned()),
        ("FERRY_BREAKER_OPEN_MAX", "5s".to_owned()),
    ];
    let store = global.store.iter().map(|location| format!("store={location}"));
    let flags: Vec<String> = store.chain(global.set.iter().cloned()).collect();
    // A store that was there before keeps what is in it.
    let is_store =
        |flag: &String| flag.split('=').next().is_some_and(|name| name.trim() == "store");
    if !flags.iter().any(is_store) {
        settings.push(("FERRY_RETENTION", RETENTION.to_owned()));
    }
    let env = settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Ok(Config::load(&Sources { file: None, env, flags })?)
}
