//! Three workers in a storm: kills, suspensions, restarts and stalls of Redis, and a Platform that
//! fails in every way. Afterwards the ledger judges every outcome.
//!
//! `STORM_SUBMISSIONS=5000 STORM_KILL_EVERY_MS=1000 STORM_SEED=7 SIM_DIALECT=german
//! cargo test --test it storm -- --nocapture` is a long run.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use ferry_sim::{
    Endpoint, FaultRates, Ledger, LoggedRequest, NameLedger, SimConfig, expected_results,
};
use ferry_testing::{RedisServer, Wait};
use ferry_types::contract::{SubmissionRequest, SubmissionView, WaitingFor};
use ferry_types::domain::SubmissionId;
use ferry_types::domain::submission::{ReasonCode, Resolution, State};

use crate::support::{World, bad_days, dataset, of_environment};
use crate::worker::Worker;

/// Settings of workers that notice a death soon.
const IMPATIENT: [(&str, &str); 2] = [("LEASE", "1s"), ("CONCURRENCY", "8")];

/// Longer than a lease.
const SUSPENDED: Duration = Duration::from_millis(2500);

/// A submission, and what it asks for.
struct Sent {
    id: SubmissionId,
    request: SubmissionRequest,
    valid: bool,
    foreign: bool,
}

/// Of ten datasets one is invalid, two have names of others, and two share a name; six may not
/// overwrite.
fn requests(total: u64) -> Vec<(SubmissionRequest, bool, bool)> {
    let request = |n: u64| {
        let kind = n % 10;
        let name = format!("s{:05}", if kind == 9 { n - 1 } else { n });
        let mut request = dataset(&name);
        request.overwrite = [0, 2, 3, 4].contains(&kind);
        if kind == 0 {
            request.data = request.data.replace(&format!("{name}-1"), "UNKNOWN-1");
        }
        if kind == 9 {
            request.data += &format!("{name}-2,02/03/2026,08:00,02/03/2026,09:00\n");
        }
        (request, kind != 0, [1, 2].contains(&kind))
    };
    (0..total).map(request).collect()
}

fn platform(total: u64) -> SimConfig {
    let foreign = requests(total).into_iter().filter(|(_, _, foreign)| *foreign);
    SimConfig {
        latency: Duration::from_millis(10),
        retry_after: Duration::from_millis(300),
        foreign_names: foreign.map(|(request, ..)| request.name).collect(),
        faults: FaultRates {
            server_error: 0.05,
            throttled: 0.005,
            lost_response: 0.04,
            done_otherwise: 0.03,
            done_throttled: 0.02,
            unknown_token: 0.02,
            name_rejected: 0.01,
            odd_word: 0.03,
            not_yet: 0.03,
            ..bad_days(0).faults
        },
        ..bad_days(of_environment("STORM_SEED", 5))
    }
}

async fn submit(world: &World, total: u64) -> Vec<Sent> {
    let mut sent = Vec::new();
    for batch in requests(total).chunks(500) {
        let ids = world.submit_all(batch.iter().map(|(request, ..)| request.clone())).await;
        let of_id = |(id, (request, valid, foreign)): (_, &(SubmissionRequest, bool, bool))| Sent {
            id,
            request: request.clone(),
            valid: *valid,
            foreign: *foreign,
        };
        sent.extend(ids.into_iter().zip(batch).map(of_id));
    }
    sent
}

/// Kills, suspends and starts workers, and restarts and stalls Redis, until everything is final or
/// held.
async fn rage(server: &RedisServer, world: &World, sent: &[Sent]) {
    let total = sent.len() as u64;
    let every = Duration::from_millis(of_environment("STORM_KILL_EVERY_MS", 400));
    let stall = of_environment("STORM_STALL_MS", 1500);
    let minutes = Duration::from_mins(of_environment("STORM_MINUTES", 4));
    let mut workers: Vec<Worker> = (0..3).map(|_| Worker::start(world, &IMPATIENT)).collect();
    let mut rng = fastrand::Rng::with_seed(of_environment("STORM_SEED", 5));
    let (mut kills, mut suspensions, mut restarts, mut stalls) = (0, 0, 0, 0);
    let (mut last, mut suspended) = (Instant::now(), None::<Instant>);
    let wait = Wait::begin("the end of a storm").at_most(minutes);
    loop {
        let unfinished = world.stats().await.unfinished();
        if unfinished <= total / 10 && is_over(world, sent).await {
            break;
        }
        let done = total - unfinished;
        // The first one is suspended from time to time, the others are killed.
        match suspended {
            None if kills % 4 == 2 => {
                workers[0].suspend();
                (suspensions, suspended) = (suspensions + 1, Some(Instant::now()));
            }
            Some(since) if since.elapsed() > SUSPENDED => {
                workers[0].resume();
                (kills, suspended) = (kills + 1, None);
            }
            _ => {}
        }
        if last.elapsed() > every && suspended.is_none() {
            workers.swap_remove(rng.usize(1..3)).kill();
            workers.push(Worker::start(world, &IMPATIENT));
            (kills, last) = (kills + 1, Instant::now());
        }
        if restarts < 2 && done > total * (1 + 2 * restarts) / 5 {
            restarts += 1;
            server.kill();
            server.resume().await;
        }
        if stalls < 1 && done > total * 2 / 5 {
            stalls += 1;
            server.ask::<()>("SCRIPT FLUSH").await;
            server.ask::<()>(&format!("CLIENT PAUSE {stall} ALL")).await;
        }
        wait.pause().await;
    }
    println!(
        "{total} submissions, {kills} kills, {suspensions} suspensions, {restarts} restarts, \
         {stalls} stalls"
    );
    assert_eq!((restarts, stalls), (2, 1));
    assert!(suspensions > 0);
    workers[0].resume();
    for worker in workers {
        assert!(worker.terminate().success(), "{}", world.log());
    }
}

/// True if each submission is final, held, or behind a held one of its name.
async fn is_over(world: &World, sent: &[Sent]) -> bool {
    let views = views(world, sent).await;
    let held: Vec<SubmissionId> =
        views.iter().filter(|view| view.state == State::Held).map(|view| view.id).collect();
    views.iter().all(|view| {
        let waits_for_held = matches!(
            view.waiting_for,
            Some(WaitingFor::Predecessor { submission }) if held.contains(&submission)
        );
        view.state.is_final() || view.state == State::Held || waits_for_held
    })
}

/// The views of all submissions, in their order.
async fn views(world: &World, sent: &[Sent]) -> Vec<SubmissionView> {
    let mut views = Vec::new();
    for one in sent {
        views.push(world.look(one.id).await);
    }
    views
}

/// Judges each outcome by what the Platform did.
async fn judge(world: &World, sent: &[Sent]) {
    let (ledger, log) = (world.sim.ledger(), world.sim.requests());
    let mut of_name: BTreeMap<&str, Vec<&LoggedRequest>> = BTreeMap::new();
    for request in &log {
        if let Some(name) = &request.name {
            of_name.entry(name).or_default().push(request);
        }
    }
    let views = views(world, sent).await;
    let seen = |name: &str| {
        views.iter().any(|view| {
            let is_verdict = view.reason_code == Some(ReasonCode::DataRejected);
            view.name == name && (view.state == State::Completed || is_verdict)
        })
    };
    let mut states: BTreeMap<State, usize> = BTreeMap::new();
    for (one, view) in sent.iter().zip(&views) {
        *states.entry(view.state).or_default() += 1;
        let name = &one.request.name;
        let requests = of_name.get(name.as_str()).cloned().unwrap_or_default();
        let nothing = NameLedger::default();
        let entry = ledger.names.get(name).unwrap_or(&nothing);
        let story = async || {
            let timeline = world.app.store.timeline(one.id).await;
            format!("{view:#?}\n{timeline:#?}\n{entry:#?}\n{requests:#?}")
        };
        let is_right = match view.state {
            State::Completed => {
                let content = world.app.store.content(one.id, "tableofresultids").await.unwrap();
                let content = content.expect("it has results").bytes;
                let is_allowed = one.request.overwrite || entry.foreign_replaced == 0;
                content == expected_results(name, &one.request.data).as_bytes() && is_allowed
            }
            State::Rejected if view.reason_code == Some(ReasonCode::DataRejected) => {
                !one.valid && entry.accepted.iter().any(|upload| !upload.valid)
            }
            // The Platform rejected, and nothing lay there that no submission knows of.
            State::Rejected => {
                let is_rejection = |request: &&LoggedRequest| {
                    request.endpoint == Endpoint::Upload
                        && request.status.is_some_and(|status| (400..500).contains(&status))
                };
                let mut before =
                    entry.accepted.iter().filter(|upload| Some(upload.at) < view.finished_at);
                requests.iter().any(is_rejection) && (before.next().is_none() || seen(name))
            }
            // A held one of the same name comes first.
            State::Queued => matches!(view.waiting_for, Some(WaitingFor::Predecessor { .. })),
            State::Held => true,
            State::Failed => view.reason_code == Some(ReasonCode::Operator),
            _ => false,
        };
        let story = if is_right { String::new() } else { story().await };
        assert!(is_right, "misjudged: {story}");
    }
    println!("{states:?}, {} early requests, {:?}", ledger.early_requests, ledger.faults);
    only_ambiguous_ones_are_doubled(world, &ledger).await;
}

async fn only_ambiguous_ones_are_doubled(world: &World, ledger: &Ledger) {
    let ambiguous = world.ambiguous_names().await;
    println!("{} ambiguous uploads, {} doubled", ambiguous.len(), ledger.doubled().len());
    for name in ledger.doubled() {
        assert!(ambiguous.contains(name), "`{name}` was doubled and never ambiguous");
    }
}

/// Decides what is held as an operator would, and sees everything end.
async fn resolve(world: &World, sent: &[Sent]) {
    let worker = Worker::start(world, &IMPATIENT);
    let wait = Wait::begin("the end of what was held").at_most(Duration::from_mins(4));
    loop {
        let views = views(world, sent).await;
        if views.iter().all(|view| view.state.is_final()) {
            break;
        }
        for (one, view) in sent.iter().zip(&views).filter(|(_, view)| view.state == State::Held) {
            let is_ours = !one.foreign || one.request.overwrite;
            let resolution = if is_ours { Resolution::Overwrite } else { Resolution::Fail };
            // It may be another process that resolved it, or a commit that came first.
            let _ = world.app.store.resolve(view.id, resolution, Duration::from_hours(1)).await;
        }
        wait.pause().await;
    }
    assert!(worker.terminate().success(), "{}", world.log());
    let views = views(world, sent).await;
    for (one, view) in sent.iter().zip(&views) {
        let is_ours = one.valid && (!one.foreign || one.request.overwrite);
        assert!(!is_ours || view.state != State::Failed, "{view:#?}");
    }
}

/// The users file that the compose files ship, with a further user for the test; and the password of
/// the store.
fn shipped_users(folder: &Path) -> (String, String) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let script = folder.join("deploy/compose/prepare.sh");
    std::fs::create_dir_all(script.parent().unwrap()).unwrap();
    for inner in ["dashboards", "redis"] {
        std::fs::create_dir(folder.join(inner)).unwrap();
    }
    std::fs::copy(root.join("deploy/compose/prepare.sh"), &script).unwrap();
    let made = Command::new("bash").arg(&script).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    let secrets = folder.join("deploy/compose/secrets");
    let users = std::fs::read_to_string(secrets.join("redis-users")).unwrap();
    let file = folder.join("users");
    std::fs::write(&file, format!("{users}{}\n", RedisServer::OPERATOR)).unwrap();
    let password = std::fs::read_to_string(secrets.join("store-password")).unwrap();
    (file.display().to_string(), password.trim().to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_loses_nothing_and_misjudges_nothing() {
    let total = of_environment("STORM_SUBMISSIONS", 200);
    let server = RedisServer::start(&["--appendfsync", "always"]).await;
    let world = World::idle(platform(total), &[("STORE", &server.url())]).await;
    weather(&server, world, total).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_with_the_shipped_users_loses_nothing_and_misjudges_nothing() {
    let total = of_environment("STORM_SUBMISSIONS", 200);
    let folder = tempfile::tempdir().unwrap();
    let (file, password) = shipped_users(folder.path());
    let server = RedisServer::start(&["--appendfsync", "always", "--aclfile", &file]).await;
    let url = server.url().replace("//", "//ferry@");
    let store = [("STORE", url.as_str()), ("STORE_PASSWORD", &password)];
    let world = World::idle(platform(total), &store).await;
    weather(&server, world, total).await;
}

async fn weather(server: &RedisServer, world: World, total: u64) {
    let sent = submit(&world, total).await;
    rage(server, &world, &sent).await;
    judge(&world, &sent).await;
    resolve(&world, &sent).await;
    judge(&world, &sent).await;
    world.finish().await;
}
