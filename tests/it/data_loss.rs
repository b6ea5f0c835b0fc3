//! Data that is lost under running processes: what operators, probes and readers of events see.

use ferry_client::{Client, ClientError, EventQuery, EventStream};
use ferry_testing::{RedisServer, Wait, within};
use ferry_types::contract::ProblemKind;
use ferry_types::domain::submission::State;
use reqwest::Method;
use tokio::runtime::Runtime;

use crate::api::harness::client;
use crate::api::serve::{serve, url};
use crate::cli::harness::{Ferry, GOOD, Platform, eventually};
use crate::cli::running::Running;

/// A server and what its probes say.
struct Watched {
    server: Running,
    url: String,
    runtime: Runtime,
}

impl Watched {
    fn start(ferry: &Ferry, more: &[&str]) -> Self {
        let server = serve(ferry, more);
        let url = url(&server);
        let watched = Self { server, url, runtime: Runtime::new().unwrap() };
        eventually("ready", || watched.get("/readyz").0 == 200);
        watched
    }

    fn get(&self, path: &str) -> (u16, String) {
        self.call(Method::GET, path, "")
    }

    fn call(&self, method: Method, path: &str, body: &str) -> (u16, String) {
        let request = client().request(method, format!("{}{path}", self.url));
        let request = request.header("content-type", "text/csv").body(body.to_owned());
        self.runtime.block_on(async {
            let response = request.send().await.expect("it is answered");
            (response.status().as_u16(), response.text().await.expect("it is whole"))
        })
    }

    fn submit(&self, name: &str) -> u16 {
        self.call(Method::POST, &format!("/v1/submissions?name={name}"), GOOD).0
    }

    /// Waits until the loss is noticed: by the probe, the log, and the metrics.
    fn until_lost(&self) {
        eventually("not ready", || self.get("/readyz").0 == 503);
        eventually("counted", || {
            self.get("/metrics").1.contains("ferry_store_data_loss_total 1\n")
        });
        let (_, why) = self.get("/readyz");
        assert!(why.starts_with("the store lost data: its newest event was `"), "{why}");
        assert_eq!(self.get("/healthz").0, 200);
        let log = self.server.stderr();
        assert_eq!(log.matches("ERROR").count(), 1, "{log}");
        assert!(log.contains("ferry doctor --acknowledge"), "{log}");
    }

    fn until_ready(&self) {
        eventually("ready", || self.get("/readyz") == (200, "ready\n".to_owned()));
        let metrics = self.get("/metrics").1;
        assert!(metrics.contains("ferry_store_data_loss_unacknowledged 0\n"), "{metrics}");
    }

    fn listen(&self) -> EventStream {
        let client = Client::new(&self.url).unwrap();
        self.runtime.block_on(client.events(&EventQuery::default())).unwrap()
    }

    /// The stream ends with `gone`.
    fn is_gone(&self, stream: &mut EventStream) {
        let ended = self.runtime.block_on(async {
            let wait = Wait::begin("the end of the stream");
            loop {
                wait.check();
                if let Err(error) = within("an event, or the end", stream.next()).await {
                    return error;
                }
            }
        });
        let ClientError::Problem(problem) = &ended else { panic!("{ended:?}") };
        assert_eq!(problem.kind(), Some(ProblemKind::Gone), "{ended}");
    }
}

#[test]
fn a_store_that_is_flushed_with_200_in_flight_is_noticed_and_every_stream_is_gone() {
    let runtime = Runtime::new().unwrap();
    let redis = runtime.block_on(RedisServer::start(&[]));
    let platform = Platform::slow();
    let ferry = Ferry::of(&platform).set("FERRY_STORE", redis.url());
    let watched = Watched::start(&ferry, &[]);
    for n in 0..200 {
        assert_eq!(watched.submit(&format!("d{n}")), 201);
    }
    let mut stream = watched.listen();
    let query = EventQuery { after: Some(stream.last()), ..EventQuery::default() };
    runtime.block_on(redis.ask::<()>("FLUSHALL"));
    watched.is_gone(&mut stream);
    // Two, then four: no event of the new store appears to come after the old ones.
    for name in ["a", "b", "c", "d", "e", "f"] {
        assert_eq!(watched.submit(name), 201, "the new store accepts");
    }
    watched.until_lost();
    let reopened = runtime.block_on(Client::new(&watched.url).unwrap().events(&query));
    assert!(reopened.unwrap_err().to_string().contains("410"));
    let doctor = ferry.run(&["doctor", "--offline"]).exits(1);
    assert!(doctor.stdout.contains("FAIL  a process reported: the store lost data"), "{doctor}");
    ferry.run(&["doctor", "--offline", "--acknowledge"]).ok();
    watched.until_ready();
    assert_eq!(watched.server.stderr().matches("ERROR").count(), 1);
}

#[test]
fn a_deleted_file_makes_a_server_serve_nothing_until_it_is_acknowledged() {
    let platform = Platform::slow();
    let ferry = Ferry::of(&platform);
    let watched = Watched::start(&ferry, &[]);
    assert_eq!(watched.submit("a"), 201);
    let mut stream = watched.listen();
    for name in ["ferry.db", "ferry.db-wal", "ferry.db-shm"] {
        std::fs::remove_file(ferry.path(name)).unwrap();
    }
    watched.until_lost();
    assert_eq!(watched.submit("b"), 503);
    assert_eq!(watched.get("/v1/submissions").0, 503);
    assert!(!ferry.path("ferry.db").exists());
    ferry.run(&["doctor", "--offline", "--acknowledge"]).ok();
    watched.until_ready();
    watched.is_gone(&mut stream);
    assert_eq!(watched.submit("c"), 201);
    let list = ferry.run(&["list"]).ok();
    assert!(list.stdout.contains(" c ") && list.ids().len() == 1, "{list}");
}

#[test]
fn a_deleted_log_is_saved_before_its_last_copy_goes_with_the_process() {
    for more in [&["--set", "poll_initial=1h"][..], &["--no-workers"]] {
        let platform = Platform::start();
        let ferry = Ferry::of(&platform);
        let mut watched = Watched::start(&ferry, more);
        for n in 0..40 {
            assert_eq!(watched.submit(&format!("d{n}")), 201);
        }
        std::fs::remove_file(ferry.path("ferry.db-wal")).unwrap();
        watched.until_lost();
        watched.server.signal("TERM");
        watched.server.end();
        let list = ferry.run(&["list", "--limit", "100"]).ok();
        assert_eq!(list.ids().len(), 40, "{more:?}: {}", watched.server.stderr());
    }
}

#[test]
fn an_emptied_file_gets_no_write_that_would_be_lost() {
    let platform = Platform::slow();
    let ferry = Ferry::of(&platform);
    let watched = Watched::start(&ferry, &[]);
    assert_eq!(watched.submit("a"), 201);
    let file = std::fs::File::options().write(true).open(ferry.path("ferry.db")).unwrap();
    file.set_len(0).unwrap();
    watched.until_lost();
    assert_eq!(watched.submit("b"), 503);
}

/// Copies the store of SQLite to `backup.db`.
fn back_up(ferry: &Ferry) {
    let copy = format!("VACUUM INTO '{}'", ferry.path("backup.db").display());
    rusqlite::Connection::open(ferry.path("ferry.db")).unwrap().execute_batch(&copy).unwrap();
}

#[test]
fn a_backup_that_is_copied_over_the_open_file_is_not_mixed_with_it() {
    let platform = Platform::slow();
    let ferry = Ferry::of(&platform);
    let watched = Watched::start(&ferry, &[]);
    assert_eq!(watched.submit("a"), 201);
    back_up(&ferry);
    let backup = std::fs::read(ferry.path("backup.db")).unwrap();
    let file = std::fs::File::options().write(true).open(ferry.path("ferry.db")).unwrap();
    file.set_len(0).unwrap();
    watched.until_lost();
    std::fs::write(ferry.path("ferry.db"), &backup).unwrap();
    for name in ["b", "c", "d"] {
        assert_eq!(watched.submit(name), 503);
    }
    assert_eq!(std::fs::read(ferry.path("ferry.db")).unwrap(), backup, "nothing was written to it");
    let log = watched.server.stderr();
    assert_eq!(log.matches("ERROR").count(), 1, "{log}");
    assert!(log.contains("restart all processes of the store"), "{log}");
}

#[test]
fn a_process_whose_file_was_deleted_can_be_stopped() {
    let platform = Platform::busy();
    let ferry = Ferry::of(&platform);
    let mut watched = Watched::start(&ferry, &["--set", "log=info,ferry::pipeline=debug"]);
    for n in 0..10 {
        assert_eq!(watched.submit(&format!("d{n}")), 201);
    }
    eventually("all are uploaded", || platform.sim.ledger().names.len() == 10);
    std::fs::remove_file(ferry.path("ferry.db")).unwrap();
    watched.until_lost();
    watched.server.await_stderr("cannot commit steps");
    watched.server.signal("TERM");
    watched.server.await_stderr("stopping");
    watched.server.signal("TERM");
    watched.server.end();
    let log = watched.server.stderr();
    assert!(log.contains("ended with outcomes that the store did not commit"), "{log}");
}

#[test]
fn a_backup_that_replaces_the_file_is_not_mixed_with_the_old_one() {
    let platform = Platform::start();
    let ferry = Ferry::of(&platform);
    let watched = Watched::start(&ferry, &["--set", "poll_initial=1h"]);
    assert_eq!(watched.submit("a"), 201);
    back_up(&ferry);
    for n in 0..20 {
        assert_eq!(watched.submit(&format!("later-{n}")), 201);
    }
    eventually("all are uploaded", || platform.sim.ledger().names.len() == 21);
    std::fs::rename(ferry.path("backup.db"), ferry.path("ferry.db")).unwrap();
    watched.until_lost();
    assert_eq!(watched.submit("b"), 503);
    assert_eq!(ferry.run(&["list", "--limit", "50"]).ok().ids().len(), 1, "of the backup alone");
    let doctor = ferry.run(&["doctor", "--offline", "--acknowledge"]).ok();
    assert!(doctor.stdout.contains("the file is whole: ok"), "{doctor}");
    watched.until_ready();
    assert_eq!(watched.submit("b"), 201);
    eventually("it is uploaded", || platform.sim.ledger().names.len() == 22);
    assert_eq!(ferry.run(&["list", "--limit", "50"]).ok().ids().len(), 2);
}

#[test]
fn a_stream_over_a_failover_to_a_lagging_replica_misses_nothing_or_is_gone() {
    let runtime = Runtime::new().unwrap();
    let start = |settings: &[&str]| runtime.block_on(RedisServer::start(settings));
    let master = start(&["--repl-diskless-sync-delay", "0"]);
    let follow = format!("127.0.0.1 {}", master.port());
    let replica = start(&["--replicaof", &follow]);
    let platform = Platform::start();
    let both = format!("redis://127.0.0.1:{},127.0.0.1:{}/0", master.port(), replica.port());
    let ferry = Ferry::of(&platform).set("FERRY_STORE", both);
    let watched = Watched::start(&ferry, &["--no-workers"]);
    assert_eq!(watched.submit("a"), 201);
    let mut stream = watched.listen();
    let events = || runtime.block_on(replica.ask::<u64>("LLEN {ferry}:events"));
    eventually("the replica follows", || events() == 1);
    runtime.block_on(replica.ask::<()>("REPLICAOF NO ONE"));
    assert_eq!(watched.submit("b"), 201);
    assert_eq!(watched.submit("c"), 201);
    runtime.block_on(async {
        for name in ["b", "c"] {
            let event = stream.next().await.unwrap();
            assert_eq!((event.data.name.as_str(), event.data.state), (name, State::Queued));
        }
        master.kill();
        // Another process writes first, and more than was lost.
    });
    let other = Ferry::of(&platform).set("FERRY_STORE", replica.url()).file("x.csv", GOOD);
    for name in ["d", "e", "f"] {
        other.run(&["submit", "x.csv", "--name", name]).ok();
    }
    watched.is_gone(&mut stream);
    watched.until_lost();
}
