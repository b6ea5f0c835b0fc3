//! `ferry retry`: goes on with a failed submission where it stopped.

use clap::Args;

use super::failure::{Exit, Failure};
use super::show;
use super::ui::Ui;
use crate::app::App;
use crate::domain::SubmissionId;

/// Go on with failed submissions where they stopped, for another deadline.
#[derive(Debug, Args)]
pub(super) struct Retry {
    /// The submissions.
    #[arg(required = true, value_name = "ID")]
    ids: Vec<SubmissionId>,
}

impl Retry {
    pub(super) async fn run(self, app: App, ui: &Ui) -> Result<Exit, Failure> {
        for id in &self.ids {
            app.store.retry(*id, app.config.policy.deadline).await?;
        }
        show::all(&self.ids, &app, ui).await
    }
}
