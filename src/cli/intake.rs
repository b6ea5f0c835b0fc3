//! `ferry intake`: requests that other services pushed with apalis-redis, and that are invalid.

use std::collections::BTreeSet;

use clap::{Args, Subcommand};
use serde_json::json;

use super::audited::audited;
use super::error::{CliError, Exit};
use super::target::{CANDIDATES, SHORTEST};
use super::ui::Ui;
use crate::app::App;
use crate::words;
use ferry_store::redis::PushedRequests;

/// Manage dead letters of the intake queue, where other services push with apalis-redis.
///
/// Workers accept the requests in the queue `{NAMESPACE}:intake` (setting `intake_queue`). An
/// invalid request becomes a dead letter with the reason.
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
        /// Their ids, as `list` shows them, or beginnings of these that only one has.
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
    },
    /// Remove requests for good, dead letters or waiting ones.
    Drop {
        /// Their ids, as `list` shows them, or beginnings that only one dead letter has.
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
            .hint("set `store` to a Redis server, which apalis-redis needs: redis://…"));
        };
        match self.action {
            Action::List => list(requests, ui).await,
            Action::Requeue { ids } => {
                for id in whole(ids, requests).await? {
                    let (command, requeue) =
                        (format!("intake requeue {id}"), requests.requeue(&id));
                    let done = audited(&app.audit, &command, None, requeue).await??;
                    response(ui, &id, "requeued", done)?;
                }
                Ok(Exit::Done)
            }
            Action::Drop { ids } => {
                for id in whole(ids, requests).await? {
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

/// The ids of the requests that are meant: a beginning stands for the one dead letter that has it. Other
/// services choose the ids, so that a whole one may be the beginning of another, and is taken first.
async fn whole(ids: Vec<String>, requests: &PushedRequests) -> Result<Vec<String>, CliError> {
    let (mut known, mut cursor) = (BTreeSet::new(), 0);
    loop {
        let (letters, next) = requests.dead_letters(cursor).await?;
        known.extend(letters.into_iter().map(|(id, _)| id));
        cursor = next;
        if cursor == 0 {
            break;
        }
    }
    ids.into_iter().map(|id| one_of(&known, id)).collect()
}

/// The one known id that begins so; the text itself if none does: it may be that of a waiting request.
fn one_of(known: &BTreeSet<String>, text: String) -> Result<String, CliError> {
    let is_whole = known.contains(&text) || text.len() < SHORTEST;
    let candidates: Vec<&String> =
        known.iter().filter(|id| !is_whole && begins(id, &text)).take(CANDIDATES).collect();
    match candidates.as_slice() {
        [] => Ok(text),
        [id] => Ok((*id).clone()),
        several => {
            let named: Vec<&str> = several.iter().map(|id| id.as_str()).collect();
            let what = format!("several ids begin `{text}`: {}", named.join(", "));
            Err(CliError::usage(what).hint("add characters until only one does"))
        }
    }
}

/// True in any letter case.
fn begins(id: &str, text: &str) -> bool {
    id.get(..text.len()).is_some_and(|start| start.eq_ignore_ascii_case(text))
}

async fn list(requests: &PushedRequests, ui: &Ui) -> Result<Exit, CliError> {
    let mut cursor = 0;
    let mut count = 0_u64;
    loop {
        let (letters, next) = requests.dead_letters(cursor).await?;
        for (id, letter) in letters {
            count += 1;
            if ui.json {
                ui.object(&json!({ "id": id, "at": letter.at, "reason": letter.reason }))?;
            } else {
                ui.out(format!("{id}  {}  {}", words::time(letter.at), letter.reason))?;
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
            .hint("list the dead letters: `ferry intake list`"));
    }
    if ui.json {
        ui.object(&json!({ "id": id, "done": what }))?;
    } else {
        ui.out(format!("{id}  {what}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_stands_for_the_one_dead_letter_that_has_it() {
        let known = ["01KDXB8W4S", "01KDXB8WZZ", "01KE", "01KEAA"].map(str::to_owned).into();
        let found = |text: &str| one_of(&known, text.to_owned()).map_err(|error| error.to_string());
        assert_eq!(found("01kdxb8w4"), Ok("01KDXB8W4S".to_owned()));
        assert_eq!(found("01KE"), Ok("01KE".to_owned()), "a whole one");
        for unknown in ["01KF0", "01K", "01KDXB8W4S9", "ä"] {
            assert_eq!(found(unknown), Ok(unknown.to_owned()), "it may wait in the queue");
        }
        let several = "several ids begin `01KDX`: 01KDXB8W4S, 01KDXB8WZZ".to_owned();
        assert_eq!(found("01KDX"), Err(several));
    }
}
