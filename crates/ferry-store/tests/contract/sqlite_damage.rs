//! A row that holds what no Ferry wrote affects itself alone, in every operation.

use std::sync::Arc;

use ferry_store::sqlite::SqliteStore;
use ferry_store::{
    Accepted, Claim, ClaimRequest, Commit, Committed, Filter, NewSubmission, Store, StoreError,
};
use ferry_types::domain::SubmissionId;
use ferry_types::domain::submission::{LATE_UPLOAD, Resolution, State, StepKind};
use rusqlite::Connection;

use super::sqlite_file::SqliteFile;
use super::subject::{ACCOUNT, DAY, LEASE, ManualClock, Subject, health_policy, millis, new, on};
use super::transitions as t;

/// Values that fit no column, or few: bytes, a text that is none, and a number.
const DAMAGE: [&str; 3] = ["x'ff00'", "CAST(x'ff' AS TEXT)", "-7"];

/// A file with a submission in some state, and another one of its name.
struct Template {
    file: SqliteFile,
    victim: SubmissionId,
    /// Of the step that runs, if there is one.
    claim: Option<Claim>,
}

impl Template {
    async fn new(state: State) -> Self {
        let file = SqliteFile::new();
        let subject = Subject::at(file.clone()).await;
        let labels = [("k".to_owned(), "v".to_owned())].into();
        let webhook_url = Some("https://receiver.example.com/".to_owned());
        let idempotency_key = Some("key".to_owned());
        let victim = NewSubmission { labels, webhook_url, idempotency_key, ..new("shared") };
        let victim = subject.accept(victim).await;
        let claim = match state {
            State::Uploading => Some(subject.claim_one(StepKind::Upload).await),
            state => {
                subject.bring_to(state).await;
                None
            }
        };
        file.checkpoint();
        Self { file, victim, claim }
    }

    /// A copy in which the first row of `table` is spoiled, if it can be.
    fn spoiled(&self, table: &str, column: &str, value: &str) -> Option<Spoiled> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ferry.db");
        std::fs::copy(self.file.path(), &path).unwrap();
        let connection = Connection::open(&path).unwrap();
        let sql = format!("UPDATE OR IGNORE {table} SET {column} = {value}");
        // Keys accept numbers alone.
        connection.execute(&sql, []).ok()?;
        drop(connection);
        let clock = ManualClock::new();
        let store = SqliteStore::open(&path, clock.clone(), health_policy()).unwrap();
        let what = format!("{table}.{column} = {value}, {:?}", self.claim.is_some());
        Some(Spoiled { store: Arc::new(store), clock, what, _dir: dir })
    }
}

struct Spoiled {
    store: Arc<dyn Store>,
    clock: Arc<ManualClock>,
    what: String,
    _dir: tempfile::TempDir,
}

impl Spoiled {
    #[track_caller]
    fn ok<T>(&self, result: Result<T, StoreError>) -> T {
        result.unwrap_or_else(|error| panic!("{}: {error}", self.what))
    }

    async fn claim(&self, kind: StepKind) -> Vec<Claim> {
        let account_limits = Arc::default();
        let request = ClaimRequest { kind, limit: 100, lease: LEASE, account_limits };
        self.ok(self.store.claim(request).await).claims
    }

    async fn accept(&self, new: NewSubmission) -> SubmissionId {
        let accepted = self.ok(self.store.accept(vec![new]).await);
        let [Accepted::New(id)] = accepted[..] else { panic!("{}: {accepted:?}", self.what) };
        id
    }

    /// Commits what is claimed: the sound ones must be recorded.
    async fn commit(&self, claims: &[Claim], sound: &[SubmissionId]) {
        let commit = |claim: &Claim| Commit {
            lease: claim.lease,
            transition: match claim.kind {
                StepKind::Upload => t::uploaded(millis(0)),
                StepKind::Poll => t::decided(),
                _ => t::completed(),
            },
        };
        let committed = self.ok(self.store.commit(claims.iter().map(commit).collect()).await);
        for (claim, committed) in claims.iter().zip(committed) {
            let is_done = matches!(committed, Committed::Done(..));
            assert!(is_done || !sound.contains(&claim.lease.id), "{}: {committed:?}", self.what);
        }
    }

    /// Runs submissions from their uploads to their ends, beside what is damaged.
    async fn run(&self, sound: &[SubmissionId]) {
        for kind in [StepKind::Upload, StepKind::Poll, StepKind::Collect] {
            let claims = self.claim(kind).await;
            for id in sound {
                let is_claimed = claims.iter().any(|claim| claim.lease.id == *id);
                assert!(is_claimed, "{}: {kind}", self.what);
            }
            self.commit(&claims, sound).await;
        }
        for id in sound {
            let found = self.ok(self.store.get(*id).await).unwrap();
            assert_eq!(found.submission.state, State::Completed, "{}", self.what);
        }
    }

    /// Calls all that only reads.
    async fn reads(&self, sound: SubmissionId) {
        let store = &self.store;
        let page = self.ok(store.list(&Filter::default(), None, 100).await);
        assert!(page.found.iter().any(|found| found.submission.id == sound), "{}", self.what);
        for filter in [
            Filter { states: vec![State::Queued, State::Completed], ..Filter::default() },
            Filter { labels: [("k".to_owned(), "v".to_owned())].into(), ..Filter::default() },
            Filter { name: Some("shared".to_owned()), ..Filter::default() },
            Filter { created_after: Some(ferry_types::domain::timestamp(1)), ..Filter::default() },
        ] {
            self.ok(store.list(&filter, None, 100).await);
        }
        self.ok(store.stats().await);
        let events = self.ok(store.events(0, 100).await);
        assert!(events.events.iter().any(|event| event.submission == sound), "{}", self.what);
        self.ok(store.look().await);
        assert!(self.ok(store.timeline(sound).await).len() > 2, "{}", self.what);
        self.ok(store.payload(sound).await);
        assert!(self.ok(store.content(sound, "tableofresultids").await).is_some());
    }

    /// Operations on a damaged submission may fail, and name it.
    async fn operates(&self, victim: SubmissionId) {
        let store = &self.store;
        let mut errors = Vec::new();
        errors.extend(store.get(victim).await.err());
        errors.extend(store.timeline(victim).await.err());
        errors.extend(store.payload(victim).await.err());
        errors.extend(store.content(victim, "tableofresultids").await.err());
        errors.extend(store.redeliver(victim).await.err());
        errors.extend(store.retry(victim, DAY).await.err());
        errors.extend(store.resolve(victim, Resolution::Fail, DAY).await.err());
        errors.extend(store.cancel(victim).await.err());
        for error in errors {
            let names_it = error.to_string().contains(&victim.to_string());
            let is_rule = matches!(error, StoreError::NotAllowed(_));
            assert!(names_it || is_rule, "{}: {error:?}", self.what);
        }
        self.ok(store.pause(ACCOUNT, "test").await);
        self.ok(store.resume(ACCOUNT).await);
    }
}

fn columns(file: &SqliteFile) -> Vec<(String, String)> {
    let connection = file.connection();
    let sql = "SELECT t.name, c.name FROM sqlite_schema t, pragma_table_info(t.name) c
         WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'";
    let mut statement = connection.prepare(sql).unwrap();
    let columns = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    columns.collect::<Result<_, _>>().unwrap()
}

/// Spoils each column in turn, and calls every operation.
async fn every_column_may_be_spoiled(state: State, tables: impl Fn(&str) -> bool) {
    let template = Template::new(state).await;
    let columns = columns(&template.file);
    assert!(columns.len() > 40, "{columns:?}");
    for (table, column) in columns.iter().filter(|(table, _)| tables(table)) {
        for value in DAMAGE {
            let Some(spoiled) = template.spoiled(table, column, value) else { continue };
            // Beside it, of the same account and of another one.
            let sound = spoiled.accept(new("sound")).await;
            let other = spoiled.accept(on("other", new("sound"))).await;
            let next = spoiled.accept(new("shared")).await;
            if let Some(claim) = &template.claim {
                spoiled.commit(std::slice::from_ref(claim), &[sound]).await;
                let renewed = spoiled.store.renew(vec![claim.lease], LEASE).await;
                spoiled.ok(renewed);
                spoiled.ok(spoiled.store.release(vec![claim.clone()]).await);
            }
            if table == "accounts" {
                // One of which nothing is known any more is paused, and an operator resumes it.
                spoiled.ok(spoiled.store.resume(ACCOUNT).await);
            }
            spoiled.run(&[sound, other]).await;
            spoiled.reads(sound).await;
            spoiled.clock.advance(LEASE + millis(1));
            spoiled.ok(spoiled.store.rescue().await);
            assert_not_blocked(&spoiled, next, template.victim).await;
            spoiled.operates(template.victim).await;
            spoiled.clock.advance(DAY);
            let wait = ferry_testing::Wait::begin("the last sweep");
            while spoiled.ok(spoiled.store.sweep(millis(0)).await) > 0 {
                wait.check();
            }
            assert!(spoiled.ok(spoiled.store.get(sound).await).is_none(), "{}", spoiled.what);
        }
    }
}

/// The next submission of the name runs, unless the one before it can be read and has not ended.
async fn assert_not_blocked(spoiled: &Spoiled, next: SubmissionId, victim: SubmissionId) {
    let first = spoiled.store.get(victim).await;
    let blocks = first.is_ok_and(|found| found.is_some_and(|f| !f.submission.state.is_final()));
    let found = spoiled.ok(spoiled.store.get(next).await).unwrap();
    let has_run = found.submission.state != State::Queued;
    // One claim finds the damage, and what may have been uploaded may still arrive.
    let mut claims = spoiled.claim(StepKind::Upload).await;
    spoiled.clock.advance(LATE_UPLOAD);
    claims.extend(spoiled.claim(StepKind::Upload).await);
    let runs = has_run || claims.iter().any(|claim| claim.lease.id == next);
    assert!(blocks || runs, "{}: {found:?}", spoiled.what);
    let page = spoiled.ok(spoiled.store.list(&Filter::default(), None, 100).await);
    for damaged in &page.damaged {
        // Of an id that is spoiled, what is there is shown.
        let names_it = damaged.id == victim.to_string() || spoiled.what.contains("submissions.id");
        assert!(names_it, "{}: {damaged}", spoiled.what);
    }
}

fn is_submissions(table: &str) -> bool {
    table == "submissions"
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spoiled_column_of_a_queued_submission_affects_it_alone() {
    every_column_may_be_spoiled(State::Queued, is_submissions).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spoiled_column_of_a_running_submission_affects_it_alone() {
    every_column_may_be_spoiled(State::Uploading, is_submissions).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spoiled_column_of_a_submission_at_the_platform_affects_it_alone() {
    every_column_may_be_spoiled(State::Processing, is_submissions).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spoiled_column_of_a_held_submission_affects_it_alone() {
    every_column_may_be_spoiled(State::Held, is_submissions).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spoiled_column_of_any_table_affects_one_submission_alone() {
    every_column_may_be_spoiled(State::Completed, |_| true).await;
}
