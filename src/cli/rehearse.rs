//! `ferry rehearse`: a simulated Platform on a bad day, for drills against a running installation.

use std::net::SocketAddr;

use clap::Args;

use super::error::{CliError, Exit};
use super::global::{Global, configure, start_log};
use super::signals;
use super::simulate::{CredentialArgs, serve};
use super::ui::Ui;
use crate::shutdown::Shutdown;
use ferry_sim::{Behavior, Ledger, SimConfig};

/// Run a simulated Platform with the errors of a seed, for a drill against a running installation.
///
/// A seed draws which errors there are, how many, how long verdicts take, and how long clients are
/// asked to wait. Reports of failed histories name such seeds.
#[derive(Debug, Args)]
#[command(after_help = "\
Example: in one terminal
  ferry rehearse --seed 3 --listen 127.0.0.1:8700 > simulated.env
and with these settings in the installation under test
  ferry submit march.csv --wait
At the end, on Ctrl-C, it prints what happened.")]
pub(super) struct Rehearse {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8700")]
    listen: SocketAddr,
    /// The same seed gives the same behavior.
    #[arg(long)]
    seed: u64,
    #[command(flatten)]
    credentials: CredentialArgs,
}

impl Rehearse {
    pub(super) async fn run(self, global: &Global, ui: &Ui) -> Result<Exit, CliError> {
        start_log(global, &configure(global)?, ui, "info")?;
        let shutdown = Shutdown::default();
        signals::listen_idle(shutdown.clone(), ui)?;
        let behavior = Behavior::of_seed(self.seed);
        let config = SimConfig { credentials: self.credentials.into(), ..behavior.config() };
        let sim = serve(config, self.listen, ui).await?;
        ui.print_note(behavior.to_string());
        shutdown.draining().await;
        ui.print_note(summary(&sim.ledger()));
        Ok(Exit::Done)
    }
}

/// One line about all that happened.
fn summary(ledger: &Ledger) -> String {
    let failed: u64 = ledger.faults.values().sum();
    format!(
        "{} requests, {failed} of them failed; {} uploads stored, {} rejected; {} requests came \
         too early; names stored again although a response had reported them: {}",
        ledger.requests,
        ledger.accepted(),
        ledger.uploads_rejected,
        ledger.early_requests,
        ledger.doubled().len()
    )
}
