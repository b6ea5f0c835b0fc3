//! SIGTERM and SIGINT: the first lets what runs finish, the second does not.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::ui::Ui;
use crate::shutdown::Shutdown;

/// Listens until the process ends, for a process that runs steps.
pub(super) fn listen(shutdown: Shutdown, ui: &Ui) -> std::io::Result<()> {
    listen_and_say(
        shutdown,
        Some("stopping: running steps may finish; once more to abort them"),
        ui,
    )
}

/// Listens until the process ends, for a process that can end at any moment.
pub(super) fn listen_idle(shutdown: Shutdown, ui: &Ui) -> std::io::Result<()> {
    listen_and_say(shutdown, None, ui)
}

fn listen_and_say(shutdown: Shutdown, said: Option<&'static str>, ui: &Ui) -> std::io::Result<()> {
    let (mut interrupt, mut terminate) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let ui = ui.clone();
    tokio::spawn(async move {
        any(&mut interrupt, &mut terminate).await;
        if let Some(said) = said {
            ui.print_note(said);
        }
        shutdown.drain();
        any(&mut interrupt, &mut terminate).await;
        ui.print_note("stopping at once");
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
