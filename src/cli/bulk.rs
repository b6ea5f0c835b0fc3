//! An operator's command on all submissions that match: a plan, a confirmation, batches that can be
//! interrupted, and a receipt.

use std::io::{BufRead, IsTerminal, Read};

use serde_json::json;

use super::audited::audited;
use super::error::{CliError, Exit};
use super::signals;
use super::ui::Ui;
use crate::app::App;
use crate::bulk_actions::{Bulk, BulkReport};
use crate::words;
use ferry_store::selection::Selection;
use ferry_types::domain::submission::OperatorAction;

/// The most submissions that a plan counts.
const MOST: u64 = 10_000;

/// From this number on, the number itself confirms.
const MANY: u64 = 100;

/// Longest input that is read, in bytes.
const LONGEST_ANSWER: u64 = 1024;

/// The selection, and how it is confirmed.
#[derive(Debug)]
pub(super) struct Matching {
    pub(super) selection: Selection,
    pub(super) dry_run: bool,
    pub(super) yes: bool,
}

impl Matching {
    /// Does `action`, which is called `verb`, to all that match at this moment.
    pub(super) async fn act(
        self,
        action: OperatorAction,
        verb: &str,
        app: &App,
        ui: &Ui,
    ) -> Result<Exit, CliError> {
        let bulk = Bulk::new(action, self.selection, app.config.policy.deadline);
        let plan = bulk.plan(app.store.as_ref(), MOST, app.clock.now()).await?;
        if plan.changed == 0 && plan.unchanged().is_empty() && !plan.has_more && !ui.json {
            let location = app.store.location();
            ui.print_note(format!(
                "nothing in the store {location} matches that `{verb}` would change"
            ));
            return Ok(Exit::Done);
        }
        if self.dry_run {
            print(&plan, verb, true, ui)?;
            return Ok(Exit::Done);
        }
        if plan.changed == 0 && !plan.has_more {
            print(&plan, verb, false, ui)?;
            return Ok(if plan.unchanged().is_empty() { Exit::Done } else { Exit::Failed });
        }
        if !self.yes {
            confirm(&plan, verb, ui)?;
        }
        run(&bulk, plan, verb, app, ui).await
    }
}

/// Batch after batch, until nothing is left or the operator interrupts.
async fn run(
    bulk: &Bulk,
    plan: BulkReport,
    verb: &str,
    app: &App,
    ui: &Ui,
) -> Result<Exit, CliError> {
    signals::listen_idle(app.shutdown.clone(), ui)?;
    let store = app.store.as_ref();
    let (mut receipt, mut is_interrupted) = (BulkReport::default(), false);
    receipt.next = plan.next;
    while let Some(pinned) = receipt.next.filter(|_| !is_interrupted) {
        let (ids, mut batch) = bulk.batch(store, pinned, app.clock.now()).await?;
        for id in ids {
            is_interrupted = app.shutdown.is_draining();
            if is_interrupted {
                break;
            }
            let command = format!("{verb} {id}");
            let performed = audited(&app.audit, &command, None, bulk.perform(store, id)).await?;
            if let Err(error) = batch.record(id, performed) {
                receipt.add(batch);
                print(&receipt, verb, false, ui)?;
                return Err(CliError::from(error).hint("run it again for the rest"));
            }
        }
        receipt.add(batch);
    }
    print(&receipt, verb, false, ui)?;
    if is_interrupted {
        ui.warning("interrupted: the rest was left as it is; run it again to continue");
        return Ok(Exit::Failed);
    }
    Ok(if receipt.unchanged().is_empty() { Exit::Done } else { Exit::Failed })
}

/// Asks on the terminal; elsewhere a flag has to confirm.
fn confirm(plan: &BulkReport, verb: &str, ui: &Ui) -> Result<(), CliError> {
    if !std::io::stdin().is_terminal() || !ui.terminal {
        let what = format!("`{verb}` would change {}", counted(plan));
        return Err(CliError::usage(what).hint("add --yes to do it, or --dry-run to see more"));
    }
    print(plan, verb, true, ui)?;
    let expected = if plan.changed < MANY { "y".to_owned() } else { plan.changed.to_string() };
    ui.print_note(format!("type `{expected}` to {verb} {}, anything else to stop:", counted(plan)));
    let mut typed = String::new();
    std::io::stdin().lock().take(LONGEST_ANSWER).read_line(&mut typed)?;
    if typed.trim().eq_ignore_ascii_case(&expected) {
        return Ok(());
    }
    Err(CliError::new(Exit::Failed, anyhow::anyhow!("not confirmed: nothing was changed")))
}

fn counted(plan: &BulkReport) -> String {
    let more = if plan.has_more { "at least " } else { "" };
    format!("{more}{}", words::counted(plan.changed, "submission"))
}

/// Prints a plan or a receipt: counts and examples.
fn print(report: &BulkReport, verb: &str, is_plan: bool, ui: &Ui) -> Result<(), CliError> {
    let unchanged = report.unchanged();
    if ui.json {
        ui.object(&json!({
            "dry_run": is_plan,
            "changed": report.changed,
            "examples": report.examples,
            "unchanged": unchanged,
            "has_more": report.has_more,
        }))?;
        return Ok(());
    }
    let (changes, leaves) = if is_plan {
        ("would change", "would leave unchanged")
    } else {
        ("changed", "left unchanged")
    };
    let examples: Vec<String> = report.examples.iter().map(ToString::to_string).collect();
    let such =
        if examples.is_empty() { String::new() } else { format!(": {}", examples.join(" ")) };
    let more = if report.changed > examples.len() as u64 { " …" } else { "" };
    ui.out(format!("`{verb}` {changes} {}{such}{more}", counted(report)))?;
    for group in unchanged {
        let (count, message) = (group.count, group.message);
        ui.out(format!("{leaves} {}: {message}", words::counted(count, "submission")))?;
    }
    Ok(())
}
