//! `ferry webhooks test`: sends a signed example to a receiver.

use clap::Args;
use serde_json::json;

use super::secrets::keys_of;
use crate::cli::complete;
use crate::cli::error::{CliError, Exit};
use crate::cli::global::{Global, configure};
use crate::cli::ui::Ui;
use crate::metrics::Metrics;
use crate::webhook::{Message, Webhooks};
use ferry_types::clock::{Clock, SystemClock};
use ferry_types::contract::{EventEnvelope, SubmissionView};
use ferry_types::domain::SubmissionId;
use ferry_types::domain::submission::{DeliveryResult, State, SubmissionParts, shown_origin};

/// Send a signed example to a receiver, under the rules of real deliveries.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ferry webhooks test https://hooks.example.com/ferry

A receiver on this machine needs the settings that `ferry webhooks listen` prints.")]
pub(super) struct Test {
    /// URL of the receiver.
    url: String,
    /// Account whose secret signs it [default: the only one that has a secret].
    #[arg(long, add = complete::accounts())]
    account: Option<String>,
}

impl Test {
    pub(super) async fn run(self, global: &Global, ui: &Ui) -> Result<Exit, CliError> {
        let Some((account, _)) = keys_of(self.account.as_deref(), global)? else {
            return Err(CliError::usage("no account has a `webhook_secret`".to_owned())
                .hint("set FERRY_WEBHOOK_SECRET to the secret that the receiver knows"));
        };
        let config = configure(global)?;
        config.webhook_rules.check(&self.url).map_err(|what| {
            CliError::usage(format!("the URL: {what}")).hint(
                "allow addresses of a private network with `webhook_allow`, and http:// with `webhook_allow_http`",
            )
        })?;
        let metrics = Metrics::default();
        let webhooks = Webhooks::new(
            config.webhook_rules,
            config.targets,
            &config.webhook_authorities,
            config.webhook_timeout,
            &metrics,
        );
        let webhooks = webhooks.map_err(|error| CliError::new(Exit::Failed, error.into()))?;
        let now = SystemClock.now();
        let id = SubmissionId::new(now, 0);
        let parts = SubmissionParts {
            state: State::Completed,
            finished_at: Some(now),
            ..SubmissionParts::accepted(id, &account, "webhook-test", now)
        };
        let view = SubmissionView::new(parts.into(), None);
        let envelope = EventEnvelope::of(State::Completed, now, view);
        let body = serde_json::to_string(&envelope).map_err(anyhow::Error::new)?;
        let (url, message_id) = (self.url.as_str(), format!("test-{id}"));
        let message = Message { account: &account, url, id: &message_id, now, body };
        let attempt = webhooks.send(message).await;
        let result = attempt.result;
        if ui.json {
            let (status, cause) = (attempt.status, attempt.cause);
            let result = result.as_str();
            ui.object(
                &json!({ "id": message_id, "result": result, "status": status, "cause": cause }),
            )?;
        } else {
            ui.out(format!("{}: {attempt}", shown_origin(url)))?;
        }
        Ok(if result == DeliveryResult::Delivered { Exit::Done } else { Exit::Failed })
    }
}
