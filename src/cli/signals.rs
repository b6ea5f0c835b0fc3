//! SIGTERM and SIGINT: the first lets running steps finish, the second does not.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::ui::Ui;
use crate::shutdown::Shutdown;

/// Listens until the process ends.
pub(super) fn listen(shutdown: Shutdown, ui: &Ui) -> std::io::Result<()> {
    let (mut interrupt, mut terminate) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let ui = ui.clone();
    tokio::spawn(async move {
        any(&mut interrupt, &mut terminate).await;
        ui.note("stopping: running steps may finish; once more to leave them");
        shutdown.drain();
        any(&mut interrupt, &mut terminate).await;
        ui.note("stopping at once");
        shutdown.abort();
    });
    Ok(())
}

async fn any(one: &mut Signal, other: &mut Signal) {
    tokio::select! {
        _ = one.recv() => {}
        _ = other.recv() => {}
    }
}
