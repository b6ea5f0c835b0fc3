//! `ferry notify`: whether outcomes were told by webhooks, and telling them again.

use clap::Args;

use super::audit::told;
use super::failure::{Exit, Failure};
use super::show;
use super::ui::Ui;
use crate::app::App;
use ferry_store::StoreError;
use ferry_types::contract::WebhookView;
use ferry_types::domain::SubmissionId;

/// Show how outcomes were told by webhooks, or tell them again.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ferry notify 01KDXB8W4S9ZT2M3Q5R7V1C6HY
  ferry notify --again 01KDXB8W4S9ZT2M3Q5R7V1C6HY        a worker sends it, now")]
pub(super) struct Notify {
    /// The submissions.
    #[arg(required = true, value_name = "ID")]
    ids: Vec<SubmissionId>,
    /// Tell the outcome again, also to a receiver that wanted to hear no more.
    #[arg(long)]
    again: bool,
}

impl Notify {
    pub(super) async fn run(self, app: App, ui: &Ui) -> Result<Exit, Failure> {
        if self.again {
            app.audit.check()?;
        }
        for id in self.ids {
            let found = if self.again {
                told(&app.audit, &format!("notify {id}"), app.store.notify(id).await)?
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
}

fn lines(view: &WebhookView) -> Vec<String> {
    let url = view.webhook_url.as_deref().unwrap_or("nobody wants to hear of it");
    let mut lines = vec![format!("{}  {url}", view.id)];
    lines.extend(view.deliveries.iter().map(|delivery| {
        let status = delivery.status.map(|status| format!(" ({status})")).unwrap_or_default();
        let (at, result) = (show::time(delivery.at), delivery.result.as_str());
        format!("  {at}  try {}  {result}{status}", delivery.attempt)
    }));
    lines.extend(view.next_at.map(|at| format!("  {}  next", show::time(at))));
    lines
}
