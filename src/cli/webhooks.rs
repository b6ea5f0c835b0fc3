//! `ferry webhooks`: lists the deliveries of webhooks, repeats them, receives them, and sends an example.

mod listen;
mod secrets;
mod test;

use clap::{Args, Subcommand};

use super::audited::audited;
use super::error::{CliError, Exit};
use super::global::{Global, open_existing};
use super::selected::{Found, Selected};
use super::target::Targets;
use super::ui::Ui;
use crate::app::App;
use crate::words;
use ferry_store::StoreError;
use ferry_types::contract::WebhookView;
use ferry_types::domain::SubmissionId;
use ferry_types::domain::submission::OperatorAction;

/// List and repeat webhook deliveries; receive webhooks here, or send an example.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ferry webhooks list 01KDXB8W4S9ZT2M3Q5R7V1C6HY
  ferry webhooks redeliver 01KDXB8W4S9ZT2M3Q5R7V1C6HY        a worker sends it, now
  ferry webhooks redeliver --webhook failed --dry-run          how many were not delivered
  ferry webhooks listen                                        receives them here
  ferry webhooks test https://hooks.example.com/ferry          sends an example")]
pub(super) struct Webhooks {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List webhook deliveries.
    List(Targets),
    /// Receive webhooks on this machine, and show each with its verification.
    Listen(listen::Listen),
    /// Send a signed example to a receiver.
    Test(test::Test),
    /// Redeliver the webhook, also to a receiver that responded 410.
    Redeliver(Selected),
}

impl Webhooks {
    pub(super) async fn run(self, global: &Global, ui: &Ui) -> Result<Exit, CliError> {
        match self.action {
            Action::Listen(listen) => listen.run(global, ui).await,
            Action::Test(test) => test.run(global, ui).await,
            Action::List(targets) => {
                let app = open_existing(global, ui)?;
                let ids = targets.find(app.store.as_ref()).await?;
                deliveries(ids, false, &app, ui).await
            }
            Action::Redeliver(selected) => {
                let app = open_existing(global, ui)?;
                match selected.find(app.store.as_ref()).await? {
                    Found::Some(ids) => deliveries(ids, true, &app, ui).await,
                    Found::Matching(matching) => {
                        let (action, verb) = (OperatorAction::Redeliver, "webhooks redeliver");
                        matching.act(action, verb, &app, ui).await
                    }
                }
            }
        }
    }
}

/// Shows the deliveries of submissions, after one more of each if `again`.
async fn deliveries(
    ids: Vec<SubmissionId>,
    again: bool,
    app: &App,
    ui: &Ui,
) -> Result<Exit, CliError> {
    for id in ids {
        let found = if again {
            let command = format!("webhooks redeliver {id}");
            audited(&app.audit, &command, None, app.store.redeliver(id)).await??
        } else {
            app.store.get(id).await?.ok_or(StoreError::NotFound(id))?
        };
        let view = WebhookView::new(&found.submission);
        if ui.json {
            ui.object(&view)?;
            continue;
        }
        for line in lines(&view) {
            ui.out(line)?;
        }
    }
    Ok(Exit::Done)
}

fn lines(view: &WebhookView) -> Vec<String> {
    let none = "no webhook is configured: use --webhook-url or the account's `webhook_url`";
    let url = view.webhook_url.as_deref().unwrap_or(none);
    let mut lines = vec![format!("{}  {url}", view.id)];
    lines.extend(view.deliveries.iter().map(|delivery| {
        let status = delivery.status.map(|status| format!(" ({status})")).unwrap_or_default();
        let (at, result) = (words::time(delivery.at), delivery.result.as_str());
        format!("  {at}  attempt {}  {result}{status}", delivery.attempt)
    }));
    lines.extend(view.next_at.map(|at| format!("  {}  next", words::time(at))));
    lines
}
