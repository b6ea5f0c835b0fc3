//! The example datasets: there, back, corrected, and there again.

use super::super::error::CliError;
use super::super::follow::follow;
use super::super::progress::Progress;
use super::datasets::{CORRECTED, dataset, examples};
use super::run::DemoRun;
use crate::charset::text;
use ferry_sim::{Endpoint, Fault, RetryAfter};
use ferry_types::contract::{SubmissionRequest, SubmissionView};
use ferry_types::domain::SubmissionId;
use ferry_types::domain::feedback::{locate, read};
use ferry_types::domain::submission::{FEEDBACK_KEY, State};

impl DemoRun {
    /// Runs the examples until all are settled.
    pub(super) async fn play_once(&mut self) -> Result<(), CliError> {
        // One bad moment each, to see that it costs a moment and nothing else.
        self.sim.script(Endpoint::Status, Fault::Throttle(RetryAfter::Seconds(1.0)));
        self.sim.script(Endpoint::Results, Fault::ResetBefore);
        let mut ids = Vec::new();
        for example in examples() {
            ids.push(self.submit(example, None).await?);
        }
        for view in self.run_until_settled(&ids).await? {
            if view.state == State::Rejected {
                self.show_feedback(&view).await?;
                let name = &view.name;
                self.ui
                    .print_note(format!("corrected and resubmitted as `{name}` with overwrite:"));
                let request = SubmissionRequest { overwrite: true, ..dataset(name, CORRECTED) };
                let corrected = self.submit(request, Some(view.id)).await?;
                self.run_until_settled(&[corrected]).await?;
            }
        }
        Ok(())
    }

    async fn run_until_settled(
        &self,
        ids: &[SubmissionId],
    ) -> Result<Vec<SubmissionView>, CliError> {
        let mut progress = Progress::new(&self.ui, self.app.clock.clone(), Some(ids.len() as u64));
        let seen = |view: &SubmissionView| progress.seen(view);
        let stop = self.app.shutdown.draining();
        Ok(follow(self.app.store.as_ref(), ids, seen, stop).await?)
    }

    async fn show_feedback(&self, view: &SubmissionView) -> Result<(), CliError> {
        let content = self.app.store.content(view.id, FEEDBACK_KEY).await?;
        let body = content.map(|content| content.bytes).unwrap_or_default();
        let data = self.open.get(&view.id).map(|(_, data)| data.as_str());
        self.ui.print_note(format!("the Platform's feedback for `{}`:", view.name));
        for item in locate(&read(&text(None, &body)), data, None) {
            for line in item.to_string().lines() {
                self.ui.print_note(format!("    {line}"));
            }
        }
        Ok(())
    }
}
