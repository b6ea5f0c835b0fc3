//! A run of the demonstration: what it submitted, and what became of that.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::error::{CliError, Exit};
use super::super::follow::view;
use super::super::ui::Ui;
use crate::app::App;
use crate::pipeline::{DEFAULT_RESULT_KEY, Intake, SourceLabels};
use crate::words;
use ferry_sim::{Sim, expected_results};
use ferry_store::Accepted;
use ferry_types::contract::{SubmissionRequest, SubmissionView};
use ferry_types::domain::SubmissionId;
use ferry_types::domain::submission::State;

/// The parts of the demonstration.
pub(super) struct DemoRun {
    pub(super) app: Arc<App>,
    pub(super) sim: Arc<Sim>,
    pub(super) ui: Ui,
    intake: Intake,
    /// Submissions that are not counted yet, with name and dataset, to check the results against.
    pub(super) open: BTreeMap<SubmissionId, (String, String)>,
    submitted: u64,
    counts: BTreeMap<State, u64>,
    damaged: u64,
}

impl DemoRun {
    pub(super) fn new(app: Arc<App>, sim: Arc<Sim>, ui: Ui) -> Self {
        let intake = app.intake();
        let (open, counts) = (BTreeMap::new(), BTreeMap::new());
        Self { app, sim, ui, intake, open, submitted: 0, counts, damaged: 0 }
    }

    /// Submits a dataset, maybe as a revision.
    pub(super) async fn submit(
        &mut self,
        request: SubmissionRequest,
        revision_of: Option<SubmissionId>,
    ) -> Result<SubmissionId, CliError> {
        let submitted = (request.name.clone(), request.data.clone());
        let mut prepared = self
            .intake
            .prepare(request, &SourceLabels::default())
            .map_err(|error| CliError::new(Exit::Failed, error.into()))?;
        prepared.new.revision_of = revision_of;
        let accepted = self.intake.accept(vec![prepared.new]).await?;
        let Some(Accepted::New(id)) = accepted.first() else {
            return Err(anyhow::anyhow!("the store did not accept `{}`", submitted.0).into());
        };
        self.open.insert(*id, submitted);
        self.submitted += 1;
        Ok(*id)
    }

    /// Counts a submission by its state, and compares its results with its dataset.
    pub(super) async fn count(&mut self, view: &SubmissionView) -> Result<(), CliError> {
        let Some((name, data)) = self.open.remove(&view.id) else { return Ok(()) };
        *self.counts.entry(view.state).or_default() += 1;
        if view.state == State::Completed {
            let content = self.app.store.content(view.id, DEFAULT_RESULT_KEY).await?;
            let expected = expected_results(&name, &data);
            let is_intact = content.is_some_and(|content| content.bytes == expected.as_bytes());
            self.damaged += u64::from(!is_intact);
        }
        if self.ui.json {
            self.ui.object(view)?;
        }
        Ok(())
    }

    /// Prints what became of everything. Held and failed submissions are expected unless the run is
    /// of the examples alone.
    pub(super) async fn summarize(&mut self, once: bool) -> Result<Exit, CliError> {
        let open: Vec<SubmissionId> = self.open.keys().copied().collect();
        for id in open {
            if let Some(found) = self.app.store.get(id).await? {
                self.count(&view(found)).await?;
            }
        }
        if !self.ui.json {
            for line in self.summary() {
                self.ui.out(line)?;
            }
        }
        let has = |state| self.counts.contains_key(&state);
        let is_bad = self.damaged > 0 || (once && (has(State::Failed) || has(State::Held)));
        Ok(if is_bad { Exit::Failed } else { Exit::Done })
    }

    fn summary(&self) -> Vec<String> {
        let ledger = self.sim.ledger();
        let states: Vec<String> =
            self.counts.iter().map(|(state, count)| format!("{count} {state}")).collect();
        let results = match self.damaged {
            0 => "all results match".to_owned(),
            damaged => format!("{damaged} results are damaged"),
        };
        vec![
            format!("{}: {}", words::counted(self.submitted, "submission"), states.join(", ")),
            format!(
                "the Platform saw {}, {}, {}; {results} what was sent",
                words::counted(ledger.accepted(), "upload"),
                words::counted(ledger.polls(), "poll"),
                words::counted(ledger.tokens_issued, "token"),
            ),
            "next: `ferry validate FILE`, `ferry submit FILE --wait` (see the README for the credentials)".to_owned(),
        ]
    }
}
