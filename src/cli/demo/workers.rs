//! The workers of the demonstration, which a drill may stop.

use super::super::error::{CliError, Exit};
use crate::app::App;
use crate::pipeline::{Workers, WorkersError};
use crate::shutdown::Shutdown;

impl From<WorkersError> for CliError {
    fn from(error: WorkersError) -> Self {
        Self::new(Exit::Failed, error.into())
    }
}

/// Runs steps until the process stops.
pub(super) async fn run(app: &App) -> Result<(), CliError> {
    tokio::spawn(app.watching_store());
    let Some(rehearsal) = &app.rehearsal else { return Ok(app.workers_of_server()?.run().await?) };
    while !app.shutdown.is_draining() {
        let shutdown = Shutdown::default();
        let workers = Workers { shutdown: shutdown.clone(), ..app.workers_of_server()? };
        let run = workers.run();
        tokio::pin!(run);
        tokio::select! {
            ended = &mut run => return Ok(ended?),
            () = app.shutdown.draining() => {}
            () = rehearsal.workers_stopped() => {}
        }
        shutdown.drain();
        tokio::select! {
            ended = &mut run => ended?,
            () = app.shutdown.aborting() => {
                shutdown.abort();
                run.await?;
            }
        }
        tokio::select! {
            () = app.shutdown.draining() => {}
            () = rehearsal.workers_started() => {}
        }
    }
    Ok(())
}
