//! `ferry serve`: the HTTP API, metrics and workers in one process.

use clap::Args;
use tracing::{info, warn};

use super::error::{CliError, Exit};
use super::signals;
use super::ui::Ui;
use super::wait::require_account;
use crate::admin::Admin;
use crate::api::{ConsoleMode, Server, TlsError};
use crate::app::App;
use crate::pipeline::{Workers, WorkersError};
use ferry_types::domain::ProcessRole;

/// Serve the HTTP API and run steps until stopped.
///
/// SIGTERM or Ctrl-C lets running requests and steps finish; a second one aborts them, and
/// another process rescues the steps. Any number of servers and workers may share a store.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ferry serve                                            on 127.0.0.1:8600
  ferry serve --set listen=127.0.0.1:9000
  ferry serve --no-workers                               `ferry worker` runs the steps, elsewhere")]
pub(super) struct Serve {
    /// Run no steps: accept submissions and show them.
    #[arg(long)]
    no_workers: bool,
}

impl Serve {
    pub(super) async fn run(self, app: App, ui: &Ui) -> Result<Exit, CliError> {
        if !self.no_workers {
            require_account(&app)?;
        }
        let workers = if self.no_workers { None } else { Some(app.workers_of_server()?) };
        signals::listen(app.shutdown.clone(), ui)?;
        let connections = app.client_connections(workers.is_some());
        let listen = app.config.listen;
        let api = app.api()?;
        require_keys(&app)?;
        let tls = app.tls()?;
        app.audit.check()?;
        let server = Server::bind(listen)
            .await
            .map_err(|error| CliError::cannot_listen(listen, "listen", error))?;
        let server = server.with_tls(tls).with_connections(connections);
        serve_metrics(&app).await?;
        for warning in &app.config.warnings {
            warn!("{warning}");
        }
        let url = server.url();
        info!(store = app.store.location(), "the HTTP API is at {url}");
        if app.config.console != ConsoleMode::No {
            info!("the console is at {url}/console");
        }
        if app.config.api_keys.is_none() {
            warn!("no API keys configured (`api_keys`): every local process has full access");
        }
        if ui.json {
            ui.object(&serde_json::json!({ "url": url }))?;
        }
        watch(&app);
        let roles = [ProcessRole::Server, ProcessRole::Worker];
        let heartbeats = app.reporting(if workers.is_some() { &roles } else { &roles[..1] });
        let ((), ended) = tokio::join!(server.serve(api), run_steps(&app, workers));
        heartbeats.end().await;
        app.traces.finish().await;
        match ended {
            Ok(true) => {
                info!("stopped");
                Ok(Exit::Done)
            }
            Ok(false) => {
                Err(CliError::new(Exit::Failed, anyhow::anyhow!("the workers ended by themselves")))
            }
            Err(error) => Err(CliError::new(Exit::Failed, error.into())),
        }
    }
}

/// Without keys, only this machine has access.
fn require_keys(app: &App) -> Result<(), CliError> {
    let listen = app.config.listen;
    if app.config.api_keys.is_some() || listen.ip().is_loopback() {
        return Ok(());
    }
    let what = format!("{listen} (`listen`) is not a loopback address, and there are no keys");
    Err(CliError::usage(what).hint("create the first key: `ferry keys create --set api_keys=FILE`"))
}

async fn serve_metrics(app: &App) -> Result<(), CliError> {
    let Some(address) = app.config.metrics_listen else { return Ok(()) };
    let admin = Admin::bind(address).await;
    let admin = admin.map_err(|error| CliError::cannot_listen(address, "metrics_listen", error))?;
    tokio::spawn(admin.serve(app.metrics.clone(), app.readiness.clone()));
    Ok(())
}

/// Starts what a server does beside requests and steps.
fn watch(app: &App) {
    tokio::spawn(app.exporting());
    tokio::spawn(app.watching_durability());
    tokio::spawn(app.watching_store());
    tokio::spawn(app.watching_accounts());
    tokio::spawn(app.watching_certificate());
    tokio::spawn(app.shutdown.clone().abort_late(app.config.policy.shutdown_timeout));
}

/// Runs steps, if the server does, until it stops. Returns true if that was expected.
async fn run_steps(app: &App, workers: Option<Workers>) -> Result<bool, WorkersError> {
    let ended = if let Some(workers) = workers {
        workers.run().await
    } else {
        app.shutdown.draining().await;
        Ok(())
    };
    let is_expected = app.shutdown.is_draining();
    // Without workers the server would accept submissions whose steps never run.
    app.shutdown.drain();
    ended.map(|()| is_expected)
}

impl From<TlsError> for CliError {
    fn from(error: TlsError) -> Self {
        Self::new(Exit::Usage, error.into())
    }
}
