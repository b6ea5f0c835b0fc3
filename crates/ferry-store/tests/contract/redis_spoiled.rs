//! Spoils one key of a namespace after the other, in several ways: whatever does not belong to it goes
//! all the way.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ferry_store::redis::RedisStore;
use ferry_store::{
    Claim, ClaimRequest, Commit, Committed, Filter, NewSubmission, Store, StoreError,
};
use ferry_testing::{RedisServer, own_namespace, shared_server};
use ferry_types::domain::SubmissionId;
use ferry_types::domain::limits::AccountLimits;
use ferry_types::domain::submission::{State, StepKind, Transition};

use super::redis_place::store_on;
use super::subject::{LEASE, millis, new, on};
use super::transitions as t;

/// Kinds of damage.
#[derive(Debug, Clone, Copy)]
enum Damage {
    OtherType,
    Garbage,
    Truncated,
    Empty,
}

const DAMAGE: [Damage; 4] = [Damage::OtherType, Damage::Garbage, Damage::Truncated, Damage::Empty];

struct Spoiled {
    server: Arc<RedisServer>,
    store: RedisStore,
    base: String,
    victim: SubmissionId,
    sound: SubmissionId,
}

impl Spoiled {
    /// A namespace with a submission of account `main` in each of some states, and one of `other`.
    async fn new() -> Self {
        let (server, namespace) = (shared_server().await, own_namespace());
        let store = store_on(&server, &namespace);
        let base = format!("{{{namespace}}}:");
        let victim = NewSubmission {
            idempotency_key: Some("k".to_owned()),
            labels: BTreeMap::from([("team".to_owned(), "north".to_owned())]),
            ..new("victim")
        };
        let sound = on("other", new("sound"));
        let ids = (victim.id, sound.id);
        let spoiled = Self { server, store, base, victim: ids.0, sound: ids.1 };
        let done = [new("done")];
        spoiled.store.accept(done.to_vec()).await.unwrap();
        spoiled.go_all_the_way(done[0].id).await;
        spoiled.store.accept(vec![victim, new("next")]).await.unwrap();
        spoiled.claim(StepKind::Upload, 1).await;
        spoiled.store.accept(vec![sound, new("victim")]).await.unwrap();
        for name in ["forgotten", "lost"] {
            spoiled.server.ask_with::<()>(&["SET", &spoiled.key(name), "0"]).await;
        }
        spoiled
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.base)
    }

    async fn keys(&self) -> Vec<String> {
        let pattern = self.key("*").replace('[', "?");
        let mut keys: Vec<String> = self.server.ask_with(&["KEYS", &pattern]).await;
        keys.sort();
        keys
    }

    async fn claim(&self, kind: StepKind, limit: usize) -> Vec<Claim> {
        let limits = AccountLimits { requests_per_second: Some(1e5), ..AccountLimits::default() };
        let account_limits = ["main", "other"].map(|account| (account.to_owned(), limits));
        let account_limits = Arc::new(account_limits.into());
        let request = ClaimRequest { kind, limit, lease: LEASE, account_limits };
        self.store.claim(request).await.unwrap().claims
    }

    async fn step(&self, id: SubmissionId, kind: StepKind, transition: Transition) {
        let claims = self.claim(kind, 10).await;
        let mut others = claims.clone();
        others.retain(|claim| claim.lease.id != id);
        self.store.release(others).await.unwrap();
        let claim = claims.into_iter().find(|claim| claim.lease.id == id);
        let lease = claim.unwrap_or_else(|| panic!("no `{kind}` of {id} is due")).lease;
        assert_eq!(self.store.renew(vec![lease], LEASE).await.unwrap(), [true]);
        let committed = self.store.commit(vec![Commit { lease, transition }]).await.unwrap();
        assert!(matches!(committed[..], [Committed::Done(..)]), "{committed:?}");
    }

    async fn go_all_the_way(&self, id: SubmissionId) {
        self.step(id, StepKind::Upload, t::uploaded(millis(0))).await;
        self.step(id, StepKind::Poll, t::decided()).await;
        self.step(id, StepKind::Collect, t::completed()).await;
        assert!(self.store.content(id, "tableofresultids").await.unwrap().is_some());
    }

    /// Runs every operation: none fails, but for those on the victim itself.
    async fn run_everything(&self) {
        let later = on("other", new("later"));
        self.store.accept(vec![later.clone()]).await.unwrap();
        let found = self.store.get(self.sound).await.unwrap().unwrap();
        assert_eq!(found.submission.state, State::Queued);
        assert!(self.store.payload(self.sound).await.unwrap().bytes() > 0);
        self.go_all_the_way(self.sound).await;
        assert!(self.store.timeline(self.sound).await.unwrap().len() >= 4);
        self.list_all().await;
        for state in State::ALL {
            let filter = Filter { states: vec![state], ..Filter::default() };
            self.store.list(&filter, None, 10).await.unwrap();
        }
        let labels = BTreeMap::from([("team".to_owned(), "north".to_owned())]);
        self.store.list(&Filter { labels, ..Filter::default() }, None, 10).await.unwrap();
        let name = Some("victim".to_owned());
        self.store.list(&Filter { name, ..Filter::default() }, None, 10).await.unwrap();
        self.store.stats().await.unwrap();
        self.store.events(0, 100).await.unwrap();
        self.store.look().await.unwrap();
        self.store.rescue().await.unwrap();
        self.store.pause("other", "a test").await.unwrap();
        assert!(self.claim(StepKind::Upload, 10).await.iter().all(|c| c.lease.id != later.id));
        assert!(self.store.resume("other").await.unwrap());
        let cancelled = self.store.cancel(later.id).await.unwrap();
        assert_eq!(cancelled.submission.state, State::Cancelled);
        self.operate_on_the_victim().await;
        self.store.sweep(Duration::ZERO).await.unwrap();
        self.store.stats().await.unwrap();
        self.list_all().await;
    }

    /// Lists all submissions: an index of another type is named, and not taken for an empty one.
    async fn list_all(&self) {
        let key = self.key("all");
        let listed = self.store.list(&Filter::default(), None, 10).await;
        let kind: String = self.server.ask_with(&["TYPE", &key]).await;
        match listed {
            Ok(_) => assert!(matches!(kind.as_str(), "zset" | "none"), "{kind}"),
            Err(error) => {
                let expected = format!("the key `{key}` is a {kind} instead of a zset");
                assert!(error.to_string().ends_with(&expected), "{error}");
            }
        }
    }

    async fn operate_on_the_victim(&self) {
        let results = [
            self.store.get(self.victim).await.map(drop),
            self.store.timeline(self.victim).await.map(drop),
            self.store.payload(self.victim).await.map(drop),
            self.store.content(self.victim, "tableofresultids").await.map(drop),
            self.store.cancel(self.victim).await.map(drop),
        ];
        for result in results {
            let Err(error) = result else { continue };
            let is_of_it = match &error {
                StoreError::Damaged { id, .. } | StoreError::NotFound(id) => *id == self.victim,
                StoreError::NotAllowed(_) => true,
                _ => false,
            };
            assert!(is_of_it, "{error:?}");
        }
    }

    async fn spoil(&self, key: &str, damage: Damage) {
        let server = &self.server;
        let kind: String = server.ask_with(&["TYPE", key]).await;
        match (kind.as_str(), damage) {
            ("string", Damage::OtherType) => {
                server.ask_with::<()>(&["DEL", key]).await;
                server.ask_with::<()>(&["HSET", key, "none", "of ours"]).await;
            }
            (_, Damage::OtherType) | ("string", Damage::Garbage) => {
                server.ask_with::<()>(&["SET", key, "none of ours"]).await;
            }
            ("string", Damage::Truncated) => {
                let length: usize = server.ask_with(&["STRLEN", key]).await;
                let end = (length / 2).to_string();
                let script =
                    "redis.call('SET', KEYS[1], redis.call('GETRANGE', KEYS[1], 0, ARGV[1]))";
                server.ask_with::<()>(&["EVAL", script, "1", key, &end]).await;
            }
            ("string", Damage::Empty) => server.ask_with::<()>(&["SET", key, ""]).await,
            ("hash", damage) => self.spoil_fields(key, damage).await,
            ("zset", Damage::Garbage) => {
                server.ask_with::<()>(&["ZADD", key, "1", "none of ours"]).await;
            }
            ("zset", Damage::Truncated) => {
                server.ask_with::<()>(&["ZREMRANGEBYRANK", key, "0", "0"]).await;
            }
            ("list", Damage::Garbage) => {
                server.ask_with::<()>(&["LSET", key, "0", "none of ours"]).await;
            }
            ("list", Damage::Truncated) => {
                server.ask_with::<()>(&["LTRIM", key, "1", "-1"]).await;
            }
            _ => server.ask_with::<()>(&["DEL", key]).await,
        }
    }

    /// Only the fields of account `main`, or of results, are spoiled.
    async fn spoil_fields(&self, key: &str, damage: Damage) {
        let fields: Vec<String> = self.server.ask_with(&["HKEYS", key]).await;
        for field in fields.iter().filter(|field| !field.ends_with("other")) {
            let value: Vec<u8> = self.server.ask_with(&["HGET", key, field]).await;
            let value = match damage {
                Damage::Truncated => &value[..value.len() / 2],
                Damage::Empty => b"",
                _ => b"none of ours",
            };
            let value = String::from_utf8_lossy(value);
            self.server.ask_with::<()>(&["HSET", key, field, &value]).await;
        }
    }
}

/// Index of the accounts that have steps: without it nothing is claimed.
fn stops_all(key: &str) -> bool {
    key.contains(":waiting:")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_spoiled_all_else_goes_all_the_way() {
    let count = Spoiled::new().await.keys().await.len();
    assert!(count > 30, "{count} keys");
    for n in 0..count {
        for damage in DAMAGE {
            let spoiled = Spoiled::new().await;
            let keys = spoiled.keys().await;
            let key = &keys[n];
            let of_sound = key.ends_with("other") || key.contains(&spoiled.sound.to_string());
            if of_sound || key.ends_with(":sound") || stops_all(key) {
                continue;
            }
            spoiled.spoil(key, damage).await;
            spoiled.run_everything().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_record_is_listed_by_its_id_beside_the_others() {
    for damage in DAMAGE {
        let spoiled = Spoiled::new().await;
        spoiled.spoil(&spoiled.key(&format!("s:{}", spoiled.victim)), damage).await;
        let page = spoiled.store.list(&Filter::default(), None, 10).await.unwrap();
        assert_eq!(page.found.len(), 4, "{damage:?}");
        let damaged: Vec<_> = page.damaged.iter().map(|record| record.id.clone()).collect();
        assert_eq!(damaged, [spoiled.victim.to_string()], "{damage:?}");
        let found = spoiled.store.get(spoiled.victim).await;
        assert!(
            matches!(found, Err(StoreError::Damaged { id, .. }) if id == spoiled.victim),
            "{damage:?}: {found:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_names_a_shared_key_that_is_damaged() {
    let spoiled = Spoiled::new().await;
    let names = |findings: Vec<ferry_store::CheckResult>| {
        let about =
            findings.into_iter().filter(|found| !found.ok && found.text.contains("damaged"));
        about.map(|found| found.text).collect::<Vec<_>>()
    };
    assert_eq!(names(spoiled.store.check().await.unwrap()), Vec::<String>::new());
    for name in ["all", "leases", "health", "events"] {
        let key = spoiled.key(name);
        spoiled.spoil(&key, Damage::OtherType).await;
        let named = names(spoiled.store.check().await.unwrap());
        assert!(named.iter().any(|text| text.contains(&key)), "{name}: {named:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_health_pauses_its_account_until_it_is_resumed() {
    let spoiled = Spoiled::new().await;
    let health = spoiled.key("health");
    spoiled.server.ask_with::<()>(&["HSET", &health, "main", "none of ours"]).await;
    let claims = spoiled.claim(StepKind::Upload, 10).await;
    assert!(claims.iter().all(|claim| claim.submission.account == "other"), "{claims:?}");
    assert_eq!(claims.len(), 1);
    let stats = spoiled.store.stats().await.unwrap();
    let main = stats.accounts.iter().find(|account| account.account == "main").unwrap();
    assert!(main.health.pause_reason.as_ref().unwrap().contains("damaged"));
    assert!(spoiled.store.resume("main").await.unwrap());
    assert_eq!(spoiled.claim(StepKind::Upload, 10).await.len(), 1);
}
