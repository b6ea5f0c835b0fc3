//! `ferry intake`: requests that other services pushed with apalis-redis, and that were refused.

use clap::{Args, Subcommand};
use serde_json::json;

use super::audited::audited;
use super::error::{CliError, Exit};
use super::ui::Ui;
use crate::app::App;
use crate::words;
use ferry_store::redis::PushedRequests;

/// Manage dead letters of the intake queue, where other services push with apalis-redis.
///
/// Workers take in what is pushed into the queue `{NAMESPACE}:intake` (setting `intake_queue`). A
/// request that is invalid becomes a dead letter with the reason.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ferry intake list
  ferry intake requeue 01KDXB8W4S9ZT2M3Q5R7V1C6HY     after its account was configured, for one
  ferry intake drop 01KDXB8W4S9ZT2M3Q5R7V1C6HY")]
pub(super) struct Intake {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List dead letters with their reasons.
    List,
    /// Put dead letters back into the queue.
    Requeue {
        /// Their ids, as `list` shows them.
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
    },
    /// Remove requests for good, dead letters or waiting ones.
    Drop {
        /// Their ids, as `list` shows them.
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
    },
}

impl Intake {
    pub(super) async fn run(self, app: App, ui: &Ui) -> Result<Exit, CliError> {
        let Some(requests) = &app.pushed else {
            return Err(CliError::usage(format!(
                "nothing can be pushed into the store {}",
                app.store.location()
            ))
            .hint("apalis-redis needs a Redis server: set `store` to redis://…"));
        };
        match self.action {
            Action::List => list(requests, ui).await,
            Action::Requeue { ids } => {
                for id in ids {
                    let (command, requeue) =
                        (format!("intake requeue {id}"), requests.requeue(&id));
                    let done = audited(&app.audit, &command, None, requeue).await??;
                    response(ui, &id, "requeued", done)?;
                }
                Ok(Exit::Done)
            }
            Action::Drop { ids } => {
                for id in ids {
                    let command = format!("intake drop {id}");
                    let remove = requests.remove(std::slice::from_ref(&id));
                    let done = audited(&app.audit, &command, None, remove).await?? > 0;
                    response(ui, &id, "dropped", done)?;
                }
                Ok(Exit::Done)
            }
        }
    }
}

async fn list(requests: &PushedRequests, ui: &Ui) -> Result<Exit, CliError> {
    let mut cursor = 0;
    let mut count = 0_u64;
    loop {
        let (refused, next) = requests.dead_letters(cursor).await?;
        for (id, refused) in refused {
            count += 1;
            if ui.json {
                ui.object(&json!({ "id": id, "at": refused.at, "reason": refused.reason }))?;
            } else {
                ui.out(format!("{id}  {}  {}", words::time(refused.at), refused.reason))?;
            }
        }
        cursor = next;
        if cursor == 0 {
            break;
        }
    }
    let waiting = requests.waiting().await?;
    ui.print_note(format!(
        "{}, {waiting} waiting in the queue `{}`",
        words::counted(count, "dead letter"),
        requests.queue()
    ));
    Ok(Exit::Done)
}

fn response(ui: &Ui, id: &str, what: &str, done: bool) -> Result<(), CliError> {
    if !done {
        return Err(CliError::usage(format!("no such request: `{id}`"))
            .hint("`ferry intake list` shows the dead letters"));
    }
    if ui.json {
        ui.object(&json!({ "id": id, "done": what }))?;
    } else {
        ui.out(format!("{id}  {what}"))?;
    }
    Ok(())
}
