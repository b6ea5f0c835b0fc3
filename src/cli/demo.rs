//! `ferry demo`: datasets travel to a simulated Platform and back, everything in this process.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::time::Duration;

use clap::Args;

use super::error::{CliError, Exit};
use super::follow::{follow, is_settled};
use super::global::{Global, start_log};
use super::progress::Progress;
use super::signals;
use super::simulate::rates;
use super::ui::Ui;
use crate::api::{Api, Server};
use crate::app::App;
use crate::charset::text;
use crate::config::{Config, Sources};
use crate::pipeline::{DEFAULT_RESULT_KEY, Intake, SourceLabels};
use crate::words;
use ferry_sim::{
    Credentials, Endpoint, Fault, Processing, RetryAfter, Sim, SimConfig, expected_results,
};
use ferry_store::Accepted;
use ferry_types::contract::{SubmissionRequest, SubmissionView};
use ferry_types::domain::SubmissionId;
use ferry_types::domain::feedback::{locate, read};
use ferry_types::domain::submission::{FEEDBACK_KEY, State};

const GOOD: &str = include_str!("../../examples/good.csv");
const WITH_EVENTS: &str = include_str!("../../examples/with-events.csv");
const EVENTS: &str = include_str!("../../examples/with-events.events.csv");
const REJECTED: &str = include_str!("../../examples/rejected.csv");
const CORRECTED: &str = include_str!("../../examples/rejected.corrected.csv");

/// From one made-up dataset to the next.
const DELAY: Duration = Duration::from_millis(700);

/// Run datasets against a simulated Platform; nothing else is needed.
///
/// A dataset with an error is rejected with feedback, corrected and resubmitted. Without
/// --once, made-up datasets follow, over a Platform that is sometimes out of order, until Ctrl-C.
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// End with a summary when the example datasets are there and back.
    #[arg(long)]
    once: bool,
}

/// The parts of the demonstration.
struct DemoRun {
    app: App,
    intake: Intake,
    sim: Sim,
    /// Everything submitted, with the dataset, to check the results against.
    sent: BTreeMap<SubmissionId, (String, String)>,
}

impl Demo {
    pub(super) async fn run(self, global: &Global, ui: &Ui) -> Result<Exit, CliError> {
        let folder = tempfile::tempdir()?;
        let sim = Sim::start(world(self.once), (Ipv4Addr::LOCALHOST, 0).into()).await?;
        let config = configuration(&sim, global, &folder.path().join("ferry.db"))?;
        start_log(global, &config, ui, "error")?;
        let app = App::open(config)?;
        ui.print_note(format!(
            "store {}, simulated Platform http://{}, workers in this process",
            app.store.location(),
            sim.address()
        ));
        signals::listen(app.shutdown.clone(), ui)?;
        let workers = app.workers_of_server()?;
        let shutdown = app.shutdown.clone();
        let served = if self.once { None } else { Some(serve(&app, ui).await?) };
        let mut demo = DemoRun { intake: app.intake(), app, sim, sent: BTreeMap::new() };
        let play = async {
            let mut played = demo.play_once(ui).await;
            if played.is_ok() && !self.once {
                played = demo.play_on(ui).await;
            }
            shutdown.drain();
            played
        };
        let serving = async {
            if let Some((server, api)) = served {
                server.serve(api).await;
            }
        };
        let (ended, played, ()) = tokio::join!(workers.run(), play, serving);
        ended.map_err(|error| CliError::new(Exit::Failed, error.into()))?;
        played?;
        demo.summarize(ui).await
    }
}

/// Serves the console, on another port if that of `listen` is taken.
async fn serve(app: &App, ui: &Ui) -> Result<(Server, Api), CliError> {
    let server = match Server::bind(app.config.listen).await {
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            Server::bind((Ipv4Addr::LOCALHOST, 0).into()).await?
        }
        bound => bound?,
    };
    ui.print_note(format!("console {}/console", server.url()));
    Ok((server.with_connections(app.client_connections(true)), app.api()?))
}

/// A Platform that takes a moment for each dataset, and in the long run has its bad days.
fn world(once: bool) -> SimConfig {
    SimConfig {
        seed: 7,
        processing: Processing::Uniform(Duration::from_millis(300), Duration::from_millis(1500)),
        faults: rates(if once { 0.0 } else { 0.15 }),
        retry_after: Duration::from_secs(1),
        ..SimConfig::default()
    }
}

/// The embedded defaults, more impatient; the environment is left alone, for it may speak of the
/// real Platform.
fn configuration(sim: &Sim, global: &Global, path: &std::path::Path) -> Result<Config, CliError> {
    let credentials = Credentials::default();
    let settings = [
        ("FERRY_STORE", format!("sqlite:{}", path.display())),
        ("FERRY_TOKEN_URL", sim.token_url()),
        ("FERRY_API_URL", sim.api_url()),
        ("FERRY_CLIENT_ID", credentials.client_id),
        ("FERRY_CLIENT_SECRET", credentials.client_secret),
        ("FERRY_API_KEY", credentials.api_key),
        ("FERRY_POLL_INITIAL", "300ms".to_owned()),
        ("FERRY_POLL_MAX", "3s".to_owned()),
        ("FERRY_RETRY_INITIAL", "200ms".to_owned()),
    ];
    let env = settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let store = global.store.iter().map(|location| format!("store={location}"));
    let flags = store.chain(global.set.iter().cloned()).collect();
    Ok(Config::load(&Sources { file: None, env, flags })?)
}

impl DemoRun {
    /// The examples: there, back, corrected, and there again.
    async fn play_once(&mut self, ui: &Ui) -> Result<(), CliError> {
        // One bad moment each, to see that it costs a moment and nothing else.
        self.sim.script(Endpoint::Status, Fault::SlowDown(RetryAfter::Seconds(1.0)));
        self.sim.script(Endpoint::Results, Fault::ResetBefore);
        let ids = [
            self.send(example("good", GOOD, None)).await?,
            self.send(example("with-events", WITH_EVENTS, Some(EVENTS))).await?,
            self.send(example("faulty", REJECTED, None)).await?,
        ];
        let views = self.run_until_settled(&ids, ui).await?;
        for view in views.iter().filter(|view| view.state == State::Rejected) {
            self.show_feedback(view, ui).await?;
            ui.print_note(format!("corrected and resubmitted as `{}` with overwrite:", view.name));
            let corrected = self.correct(view, CORRECTED).await?;
            self.run_until_settled(&[corrected], ui).await?;
        }
        Ok(())
    }

    /// Made-up datasets, until interrupted.
    async fn play_on(&mut self, ui: &Ui) -> Result<(), CliError> {
        ui.print_note("made-up datasets follow, and errors of the Platform; Ctrl-C ends");
        let mut progress = Progress::new(ui, self.app.clock.clone(), None);
        let mut open: Vec<SubmissionId> = Vec::new();
        for number in 1_u64.. {
            if self.app.shutdown.is_draining() {
                break;
            }
            let name = format!("made-up-{number:04}");
            open.push(self.send(example(&name, &made_up(number), None)).await?);
            let moment = tokio::time::sleep(DELAY);
            let store = self.app.store.clone();
            let views = follow(store.as_ref(), &open, |view| progress.seen(view), moment).await?;
            open =
                views.iter().filter(|view| !is_settled(view.state)).map(|view| view.id).collect();
            for view in views.iter().filter(|view| view.state == State::Rejected) {
                let dataset = self.sent.get(&view.id).map(|(_, data)| data.replace("UNKNOWN", "A"));
                open.push(self.correct(view, &dataset.unwrap_or_default()).await?);
            }
            if open.is_empty() {
                tokio::time::sleep(DELAY).await;
            }
        }
        Ok(())
    }

    async fn run_until_settled(
        &self,
        ids: &[SubmissionId],
        ui: &Ui,
    ) -> Result<Vec<SubmissionView>, CliError> {
        let mut progress = Progress::new(ui, self.app.clock.clone(), Some(ids.len() as u64));
        let seen = |view: &SubmissionView| progress.seen(view);
        let stop = self.app.shutdown.draining();
        Ok(follow(self.app.store.as_ref(), ids, seen, stop).await?)
    }

    async fn send(&mut self, request: SubmissionRequest) -> Result<SubmissionId, CliError> {
        self.send_as(request, None).await
    }

    async fn correct(
        &mut self,
        view: &SubmissionView,
        data: &str,
    ) -> Result<SubmissionId, CliError> {
        let request = SubmissionRequest { overwrite: true, ..example(&view.name, data, None) };
        self.send_as(request, Some(view.id)).await
    }

    async fn send_as(
        &mut self,
        request: SubmissionRequest,
        revision_of: Option<SubmissionId>,
    ) -> Result<SubmissionId, CliError> {
        let sent = (request.name.clone(), request.data.clone());
        let mut prepared = self
            .intake
            .prepare(request, &SourceLabels::default())
            .map_err(|error| CliError::new(Exit::Failed, error.into()))?;
        prepared.new.revision_of = revision_of;
        let accepted = self.intake.accept(vec![prepared.new]).await?;
        let Some(Accepted::New(id)) = accepted.first() else {
            return Err(anyhow::anyhow!("the store did not take `{}`", sent.0).into());
        };
        self.sent.insert(*id, sent);
        Ok(*id)
    }

    async fn show_feedback(&self, view: &SubmissionView, ui: &Ui) -> Result<(), CliError> {
        let content = self.app.store.content(view.id, FEEDBACK_KEY).await?;
        let body = content.map(|content| content.bytes).unwrap_or_default();
        let data = self.sent.get(&view.id).map(|(_, data)| data.as_str());
        ui.print_note(format!("the Platform's feedback for `{}`:", view.name));
        for item in locate(&read(&text(None, &body)), data, None) {
            for line in item.to_string().lines() {
                ui.print_note(format!("    {line}"));
            }
        }
        Ok(())
    }

    /// Prints what became of everything, and checks the results against what was sent.
    async fn summarize(&self, ui: &Ui) -> Result<Exit, CliError> {
        let mut counts: BTreeMap<State, u64> = BTreeMap::new();
        let mut damaged = 0_u64;
        for (id, (name, data)) in &self.sent {
            let Some(found) = self.app.store.get(*id).await? else { continue };
            let state = found.submission.state;
            *counts.entry(state).or_default() += 1;
            if state == State::Completed {
                let content = self.app.store.content(*id, DEFAULT_RESULT_KEY).await?;
                let intact = content.is_some_and(|content| {
                    content.bytes == expected_results(name, data).as_bytes()
                });
                damaged += u64::from(!intact);
            }
            if ui.json {
                ui.object(&super::follow::view(found))?;
            }
        }
        if !ui.json {
            for line in self.summary(&counts, damaged) {
                ui.out(line)?;
            }
        }
        let failed = counts.contains_key(&State::Failed) || counts.contains_key(&State::Held);
        Ok(if failed || damaged > 0 { Exit::Failed } else { Exit::Done })
    }

    fn summary(&self, counts: &BTreeMap<State, u64>, damaged: u64) -> Vec<String> {
        let ledger = self.sim.ledger();
        let states: Vec<String> =
            counts.iter().map(|(state, count)| format!("{count} {state}")).collect();
        let results = if damaged == 0 {
            "all results match".to_owned()
        } else {
            format!("{damaged} results are damaged")
        };
        vec![
            format!("{}: {}", words::counted(self.sent.len() as u64, "submission"), states.join(", ")),
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

fn example(name: &str, data: &str, event_data: Option<&str>) -> SubmissionRequest {
    SubmissionRequest {
        name: name.to_owned(),
        data: data.to_owned(),
        event_data: event_data.map(str::to_owned),
        ..SubmissionRequest::default()
    }
}

/// A few rows; every fifth dataset has a reference that the Platform does not know.
fn made_up(number: u64) -> String {
    let mut data = "Reference,StartDate,StartTime,EndDate,EndTime\n".to_owned();
    for row in 1..=3 + number % 5 {
        let reference = if number.is_multiple_of(5) && row == 2 { "UNKNOWN" } else { "A" };
        let (day, hour) = (1 + (number + row) % 28, row % 24);
        data += &format!(
            "{reference}{number:04}-{row},{day:02}/03/2026,{hour:02}:00,{day:02}/03/2026,{hour:02}:45\n"
        );
    }
    data
}
