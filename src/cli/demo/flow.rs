//! The demonstration that does not end: datasets follow each other, and situations that need a person
//! are there whenever one comes.

use std::time::Duration;

use super::super::error::CliError;
use super::super::follow::{follow, is_settled, view};
use super::super::progress::Progress;
use super::datasets::{REJECTED, dataset, made_up};
use super::run::DemoRun;
use ferry_sim::Fault;
use ferry_store::Filter;
use ferry_types::contract::SubmissionView;
use ferry_types::domain::SubmissionId;
use ferry_types::domain::submission::State;

/// From one made-up dataset to the next.
const DELAY: Duration = Duration::from_millis(700);

/// Unfinished datasets after which no other follows: an outage of days fills no store.
const MAX_OPEN: usize = 20;

/// A submission that waits for a person.
#[derive(Debug)]
struct Situation {
    /// The state in which it waits.
    state: State,
    /// Beginning of its dataset name.
    prefix: &'static str,
    /// The page that ends it, and the words for that.
    page: &'static str,
    way_out: &'static str,
    number: u64,
    current: Option<SubmissionId>,
    is_announced: bool,
}

impl Situation {
    fn new(state: State, prefix: &'static str, page: &'static str, way_out: &'static str) -> Self {
        Self { state, prefix, page, way_out, number: 0, current: None, is_announced: false }
    }
}

impl DemoRun {
    /// Runs until interrupted.
    pub(super) async fn keep_going(&mut self, url: &str) -> Result<(), CliError> {
        self.ui.print_note("made-up datasets follow each other; Ctrl-C ends");
        self.ui.print_note(format!("outages and other drills: {url}/console/rehearse"));
        let mut situations = [
            Situation::new(State::Rejected, "to-correct", "correct", "correct it"),
            Situation::new(State::Held, "to-decide", "resolve", "decide about it"),
        ];
        let mut progress = Progress::new(&self.ui, self.app.clock.clone(), None);
        let mut flowing: Vec<SubmissionId> = Vec::new();
        let mut number = 0;
        while !self.app.shutdown.is_draining() {
            for situation in &mut situations {
                self.provide(situation, url).await?;
            }
            if flowing.len() < MAX_OPEN {
                number += 1;
                let name = format!("made-up-{number:04}");
                flowing.push(self.submit(dataset(&name, &made_up(number)), None).await?);
            }
            let next = tokio::time::Instant::now() + DELAY;
            let (store, shutdown) = (self.app.store.clone(), self.app.shutdown.clone());
            let moment = async {
                tokio::select! {
                    () = tokio::time::sleep_until(next) => {}
                    () = shutdown.draining() => {}
                }
            };
            tokio::pin!(moment);
            let seen = |view: &SubmissionView| progress.seen(view);
            let views = follow(store.as_ref(), &flowing, seen, &mut moment).await?;
            for view in views.iter().filter(|view| is_settled(view.state)) {
                progress.forget(view.id);
                flowing.retain(|id| *id != view.id);
                self.count(view).await?;
            }
            tokio::time::sleep_until(next).await;
        }
        Ok(())
    }

    /// Submits a dataset for the situation, unless the last one is in it, or on its way.
    async fn provide(&mut self, situation: &mut Situation, url: &str) -> Result<(), CliError> {
        if let Some(id) = situation.current {
            let found = self.app.store.get(id).await?.map(view);
            match found {
                Some(view) if !is_settled(view.state) => return Ok(()),
                Some(view) if view.state == situation.state && self.is_newest(&view).await? => {
                    if !situation.is_announced {
                        situation.is_announced = true;
                        let (name, state) = (&view.name, view.state);
                        let Situation { page, way_out, .. } = situation;
                        self.ui.print_note(format!(
                            "`{name}` is {state}: {way_out} at {url}/console/submissions/{id}/{page}"
                        ));
                    }
                    return Ok(());
                }
                Some(view) => self.count(&view).await?,
                // It was final for longer than the store remembers.
                None => drop(self.open.remove(&id)),
            }
        }
        situation.number += 1;
        situation.is_announced = false;
        let name = format!("{}-{:04}", situation.prefix, situation.number);
        let data = if situation.state == State::Held {
            // It arrives, the response is lost, and the next attempt finds the name taken.
            self.sim.script_name(&name, Fault::ResetAfter);
            made_up(situation.number)
        } else {
            REJECTED.to_owned()
        };
        situation.current = Some(self.submit(dataset(&name, &data), None).await?);
        Ok(())
    }

    /// False if a later submission of the name corrects it.
    async fn is_newest(&self, view: &SubmissionView) -> Result<bool, CliError> {
        let (name, accounts) = (Some(view.name.clone()), vec![view.account.clone()]);
        let filter = Filter { name, accounts, ..Filter::default() };
        let page = self.app.store.list(&filter, None, 1).await?;
        Ok(page.found.first().is_none_or(|newest| newest.submission.id == view.id))
    }
}
