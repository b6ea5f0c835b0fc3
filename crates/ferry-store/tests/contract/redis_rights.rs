//! A Redis user who lacks rights: what a script would not finish it does not begin, and the error names the
//! missing rights.

use std::sync::Arc;
use std::time::Duration;

use ferry_store::redis::{PushedRequests, RedisAddress, RedisStore};
use ferry_store::{
    Claim, ClaimRequest, Commit, Committed, NewSubmission, Store, StoreError, UnwritableReason,
};
use ferry_testing::{RedisServer, Wait, own_namespace, shared_server};
use ferry_types::domain::submission::{State, StepKind};

use super::redis_place::store_at;
use super::subject::{LEASE, millis, new};
use super::transitions as t;
use super::waking::{asleep, wakes};

/// Longer than a test takes.
const RETENTION: Duration = Duration::from_hours(1);

/// A namespace and a user who has the rights of the documentation to it.
struct Restricted {
    server: Arc<RedisServer>,
    base: String,
    user: String,
    store: RedisStore,
}

impl Restricted {
    async fn new() -> Self {
        Self::on(shared_server().await).await
    }

    async fn on(server: Arc<RedisServer>) -> Self {
        let namespace = own_namespace().replace(' ', "-");
        let user = format!("user-{namespace}");
        let url = server.url().replace("//", &format!("//{user}:secret@"));
        let base = format!("{{{namespace}}}:");
        let restricted = Self { server, base, user, store: store_at(&url, &namespace) };
        let (keys, channels) = (format!("~{}*", restricted.base), format!("&{}*", restricted.base));
        restricted
            .set(&["reset", "on", ">secret", &keys, &channels, "+@all", "-@dangerous", "+info"])
            .await;
        restricted
    }

    async fn set(&self, rules: &[&str]) {
        self.server.ask_with::<()>(&[&["ACL", "SETUSER", &self.user], rules].concat()).await;
    }

    /// All keys with what they hold.
    async fn dump(&self) -> Vec<(String, Vec<u8>)> {
        let mut keys: Vec<String> =
            self.server.ask_with(&["KEYS", &format!("{}*", self.base)]).await;
        keys.sort();
        let mut dump = Vec::new();
        for key in keys {
            dump.push((key.clone(), self.server.ask_with(&["DUMP", &key]).await));
        }
        dump
    }

    async fn claim(&self) -> Result<Vec<Claim>, StoreError> {
        let account_limits = Arc::default();
        let request =
            ClaimRequest { kind: StepKind::Upload, limit: 1, lease: LEASE, account_limits };
        Ok(self.store.claim(request).await?.claims)
    }
}

fn cause<T: std::fmt::Debug>(response: Result<T, StoreError>) -> String {
    match response {
        Err(StoreError::NotWritable { reason: UnwritableReason::MissingRights, cause, .. }) => {
            cause
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_submission_is_accepted_without_the_right_to_wake_workers() {
    for rules in [&["-publish"][..], &["resetchannels"]] {
        let restricted = Restricted::new().await;
        restricted.set(rules).await;
        let submission = new("a");
        let id = submission.id;
        restricted.store.accept(vec![submission]).await.unwrap();
        let claims = restricted.claim().await.unwrap();
        assert_eq!(claims.iter().map(|claim| claim.lease.id).collect::<Vec<_>>(), [id]);
        restricted.store.cancel(id).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_may_not_listen_looks_for_steps_again_and_again() {
    let restricted = Restricted::new().await;
    restricted.set(&["resetchannels"]).await;
    let url = restricted.server.url().replace("//", &format!("//{}:secret@", restricted.user));
    let namespace = restricted.base.trim_matches(['{', '}', ':']);
    let store: Arc<dyn Store> = Arc::new(store_at(&url, namespace));
    let sleeper = asleep(&store, StepKind::Upload).await;
    restricted.store.accept(vec![new("a")]).await.unwrap();
    wakes(sleeper).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_script_that_lacks_a_right_changes_nothing_and_names_it() {
    for command in [
        "zadd", "zrem", "mset", "set", "rpush", "del", "hset", "hincrby", "zrange", "hget", "ltrim",
    ] {
        let restricted = Restricted::new().await;
        let first = new("a");
        let id = first.id;
        restricted.store.accept(vec![first]).await.unwrap();
        let claims = restricted.claim().await.unwrap();
        let before = restricted.dump().await;
        restricted.set(&[&format!("-{command}")]).await;
        let commit = Commit { lease: claims[0].lease, transition: t::uploaded(millis(0)) };
        let causes = [
            cause(restricted.store.accept(vec![new("b")]).await),
            cause(restricted.claim().await),
            cause(restricted.store.commit(vec![commit.clone()]).await),
            cause(restricted.store.renew(vec![claims[0].lease], LEASE).await),
            cause(restricted.store.sweep(LEASE).await),
            cause(restricted.store.resume("main").await),
        ];
        let clause = format!("`ACL SETUSER {} +{command}`", restricted.user);
        assert!(causes.iter().all(|cause| cause.contains(&clause)), "{clause}: {causes:#?}");
        assert_eq!(restricted.dump().await, before, "without {command}");
        restricted.set(&[&format!("+{command}")]).await;
        let committed = restricted.store.commit(vec![commit]).await.unwrap();
        assert_eq!(committed, [Committed::Done(State::Uploading, State::Processing)]);
        assert_eq!(
            restricted.store.get(id).await.unwrap().unwrap().submission.state,
            State::Processing
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_without_rights_to_some_keys_changes_none() {
    let restricted = Restricted::new().await;
    let base = restricted.base.clone();
    restricted.store.accept(vec![new("a")]).await.unwrap();
    let before = restricted.dump().await;
    for keys in [format!("%R~{base}*"), format!("~{base}s:*"), "~other:*".to_owned()] {
        restricted.set(&["resetkeys", &keys]).await;
        let denied = cause(restricted.store.accept(vec![new("b")]).await);
        assert!(denied.contains("key"), "{denied}");
        assert_eq!(restricted.dump().await, before, "{keys}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_that_lacks_a_right_is_no_damage() {
    let restricted = Restricted::new().await;
    restricted.store.accept(vec![new("a")]).await.unwrap();
    restricted.set(&["-zcount"]).await;
    let error = restricted.store.stats().await.unwrap_err();
    assert!(matches!(&error, StoreError::NotWritable { .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_lists_each_missing_right_with_its_rule() {
    let restricted = Restricted::new().await;
    restricted.store.accept(vec![new("a")]).await.unwrap();
    assert!(restricted.store.check().await.unwrap().len() > 3);
    let base = &restricted.base;
    for (rules, expected) in [
        (
            vec!["-publish".to_owned(), "-zadd".into(), "-time".into()],
            vec!["+time".to_owned(), "+zadd".into(), "+publish".into()],
        ),
        (vec!["resetchannels".into()], vec![format!("&{base}*")]),
        (vec!["resetkeys".into(), format!("%R~{base}*")], vec![format!("~{base}*")]),
        (vec!["-info".into(), "-subscribe".into()], vec!["+info".into(), "+subscribe".into()]),
    ] {
        restricted.set(&rules.iter().map(String::as_str).collect::<Vec<_>>()).await;
        let findings = restricted.store.check().await.unwrap();
        let mut hints = findings.iter().map(|found| found.hint.clone().unwrap_or_default());
        for rule in &expected {
            let clause = format!("`ACL SETUSER {} {rule}`", restricted.user);
            assert!(
                hints.next().is_some_and(|hint| hint.contains(&clause)),
                "{clause}: {findings:#?}"
            );
        }
        assert_eq!(hints.next(), None, "{rules:?}");
        let (keys, channels) = (format!("~{base}*"), format!("&{base}*"));
        restricted
            .set(&["resetkeys", "resetchannels", &keys, &channels, "+@all", "-@dangerous", "+info"])
            .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_of_requests_checks_rights_too() {
    let restricted = Restricted::new().await;
    let queue = "ferry-requests";
    let url = restricted.server.url().replace("//", &format!("//{}:secret@", restricted.user));
    let address = RedisAddress::new(&url).unwrap();
    let requests = PushedRequests::new(&address, queue, "test".to_owned()).unwrap();
    cause(requests.remove(&["a".to_owned()]).await);
    restricted.set(&["allkeys", "-hdel"]).await;
    let failed = cause(requests.remove(&["a".to_owned()]).await);
    assert!(failed.contains(" +hdel`"), "{failed}");
    restricted.set(&["+hdel"]).await;
    assert_eq!(requests.remove(&["a".to_owned()]).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_puts_a_submission_back_into_indexes_that_lack_it() {
    // A sweep looks at some keys of the server, and another test has a hundred thousand on the shared one.
    let restricted = Restricted::on(Arc::new(RedisServer::start(&[]).await)).await;
    let labels = [("team".to_owned(), "north".to_owned())].into();
    let submission = NewSubmission { labels, ..new("a") };
    let later = new("a");
    let ids = [submission.id, later.id];
    restricted.store.accept(vec![submission, later]).await.unwrap();
    let before = restricted.dump().await;
    let remove = async |key: &str| {
        let key = format!("{}{key}", restricted.base);
        assert_eq!(restricted.server.ask_with::<u32>(&["DEL", &key]).await, 1, "{key}");
    };
    for key in [
        "all",
        "in:queued:main",
        "n:4:main:a",
        "due:upload:normal:main",
        "has_predecessor:upload:main",
    ] {
        remove(key).await;
        restricted.store.sweep(RETENTION).await.unwrap();
        assert_eq!(restricted.dump().await, before, "{key}");
    }
    for id in ids {
        let claims = restricted.claim().await.unwrap();
        assert_eq!(claims.iter().map(|claim| claim.lease.id).collect::<Vec<_>>(), [id]);
        restricted.store.release(claims).await.unwrap();
        restricted.store.cancel(id).await.unwrap();
        remove("finished").await;
        restricted.store.sweep(RETENTION).await.unwrap();
    }
    let mut removed = 0;
    let wait = Wait::begin("both are swept");
    while removed < 2 {
        removed += restricted.store.sweep(Duration::ZERO).await.unwrap();
        wait.pause().await;
    }
}
