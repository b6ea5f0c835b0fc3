//! `ferry top`: the queue on one screen that stays open, with keys to pause, resume and inspect.

mod draw;
mod keys;
mod model;
mod reading;
mod screen;
mod sections;
mod selected;
mod text;

use std::collections::VecDeque;
use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use crossterm::event::{Event, EventStream};
use futures_util::StreamExt;
use parking_lot::Mutex;
use tokio::sync::{mpsc, watch};

use super::error::{CliError, Exit};
use super::global::{Global, open_existing_with};
use super::ui::Ui;
use super::{pause, signals, values};
use crate::app::App;
use crate::telemetry::{LogWriter, Sink};
use crate::words;
use ferry_types::domain::account::BlockReason;
use keys::Action;
use model::Model;
use reading::Reading;
use screen::Screen;
use selected::Selected;

/// Time after which the screen is drawn again although nothing changed: durations on it run.
const TICK: Duration = Duration::from_secs(1);

/// Log lines that are printed after the screen.
const LOGGED: usize = 100;

/// Show the queue on one screen that stays open: states, accounts and what blocks them, newest failures.
///
/// Keys pause and resume accounts and inspect what is selected; `?` lists them.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ferry top
  ferry top --store redis://queue.example.com:6379/0 --interval 5s")]
pub(super) struct Top {
    /// Time between two reads of the store.
    #[arg(short, long, value_name = "DURATION", default_value = "1s", value_parser = values::duration)]
    interval: Duration,
}

/// The newest log lines of the process: they wait for the end of the screen.
type Logged = Arc<Mutex<VecDeque<String>>>;

impl Top {
    pub(super) async fn run(self, global: &Global, ui: &Ui) -> Result<Exit, CliError> {
        if ui.json || !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            let what = "`ferry top` needs a terminal to read keys from and to draw on";
            return Err(CliError::usage(what.to_owned())
                .hint("print the queue once: `ferry stats`, also with --json"));
        }
        let logged = Logged::default();
        let app = Arc::new(open_existing_with(global, log_writer(&logged))?);
        signals::listen_idle(app.shutdown.clone(), ui)?;
        let shown = show(&app, self.interval).await;
        for line in logged.lock().drain(..) {
            ui.print_note(line);
        }
        shown.map(|()| Exit::Done)
    }
}

fn log_writer(logged: &Logged) -> LogWriter {
    let logged = logged.clone();
    let sink: Sink = Arc::new(move |bytes: &[u8]| {
        let mut logged = logged.lock();
        logged.push_back(String::from_utf8_lossy(bytes).trim_end().to_owned());
        if logged.len() > LOGGED {
            logged.pop_front();
        }
        Ok(())
    });
    LogWriter { sink, color: false }
}

/// Draws, and does what the keys want, until one ends it, a signal arrives, or the terminal is gone.
async fn show(app: &Arc<App>, interval: Duration) -> Result<(), CliError> {
    let (inspected, inspecting) = watch::channel(None);
    let (sender, mut readings) = mpsc::channel::<Result<Reading, String>>(1);
    tokio::spawn(reading::read_on(app.clone(), interval, inspecting, sender));
    let (done, mut outcomes) = mpsc::channel(8);
    let mut model = Model::new(app.store.location(), app.clock.now());
    let mut events = EventStream::new();
    let mut screen = Screen::enter(app.shutdown.clone())?;
    while !app.shutdown.is_draining() {
        model.now = app.clock.now();
        screen.draw(|frame| draw::draw(frame, &mut model))?;
        tokio::select! {
            biased;
            () = app.shutdown.draining() => return Ok(()),
            event = events.next() => match event {
                Some(Ok(Event::Key(key))) => match model.key(key) {
                    Some(Action::Quit) => return Ok(()),
                    Some(Action::Operate(act)) => operate(act, app, done.clone()),
                    None => {}
                },
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.into()),
                None => return Ok(()),
            },
            Some(message) = outcomes.recv() => {
                model.message = Some(message);
                inspected.send_modify(|_| {});
            }
            // Last: on a slow machine there always is one.
            Some(reading) = readings.recv() => model.read(reading),
            () = tokio::time::sleep(TICK) => {}
        }
        inspected.send_if_modified(|before: &mut Option<Selected>| {
            let is_new = *before != model.inspected();
            *before = model.inspected();
            is_new
        });
    }
    Ok(())
}

/// Pauses or resumes an account beside the screen, which shows the outcome.
fn operate(act: keys::Operation, app: &Arc<App>, done: mpsc::Sender<String>) {
    let app = app.clone();
    tokio::spawn(async move {
        let message = match act {
            keys::Operation::Pause { account, reason } => {
                let paused = pause::pause(&account, &reason, &app).await;
                paused.map(|reason| words::blocked(&account, &BlockReason::Paused { reason }))
            }
            keys::Operation::Resume(account) => {
                let resumed = pause::resume(&account, &app).await;
                resumed.map(|changed| pause::resumed(&account, changed))
            }
        };
        // After the end of the screen nothing shows it.
        let _ = done.send(message.unwrap_or_else(|error| format!("error: {error}"))).await;
    });
}
