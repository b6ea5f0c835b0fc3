//! Failures of a Redis server and of the network: nothing is lost, and the store recovers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ferry_store::redis::{Durability, RedisAddress, RedisStore};
use ferry_store::{
    Claim, ClaimRequest, Claims, Commit, Committed, Filter, Store, StoreError, UnwritableReason,
};
use ferry_testing::{RedisServer, own_namespace, pause, shared_server};
use ferry_types::domain::submission::{State, StepKind};

use super::redis_place::{store_at, store_on};
use super::subject::{LEASE, health_policy, millis, new};
use super::transitions as t;
use super::waking::{asleep, wakes};

/// Longer than any trouble here lasts.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(30);

/// Tries until the store can be reached, as workers do.
pub(super) async fn patiently<T, F: Future<Output = Result<T, StoreError>>>(
    ask: impl Fn() -> F,
) -> T {
    let started = Instant::now();
    loop {
        match ask().await {
            Ok(response) => return response,
            Err(error) if error.is_temporary() => {}
            Err(other) => panic!("{other}"),
        }
        assert!(started.elapsed() < CLIENT_TIMEOUT, "the store does not come back");
        pause().await;
    }
}

pub(super) async fn claim(store: &RedisStore, kind: StepKind, limit: usize) -> Claims {
    store
        .claim(ClaimRequest { kind, limit, lease: LEASE, account_limits: Arc::default() })
        .await
        .unwrap()
}

pub(super) fn uploaded(claim: &Claim) -> Commit {
    Commit { lease: claim.lease, transition: t::uploaded(millis(0)) }
}

pub(super) fn is_away<T>(response: &Result<T, StoreError>) -> bool {
    matches!(response, Err(StoreError::Unavailable { .. }))
}

fn is_unwritable<T>(response: &Result<T, StoreError>, expected: UnwritableReason) -> bool {
    matches!(response, Err(StoreError::NotWritable { reason, .. }) if *reason == expected)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_and_comes_back_has_lost_nothing() {
    let server = RedisServer::start(&["--appendfsync", "always"]).await;
    let store = store_on(&server, "ferry");
    let batch: Vec<_> = (0..50).map(|n| new(&format!("{n}"))).collect();
    store.accept(batch.clone()).await.unwrap();
    let claims = claim(&store, StepKind::Upload, 20).await.claims;
    server.kill();
    let away = store.commit(claims[..10].iter().map(uploaded).collect()).await;
    assert!(is_away(&away), "{away:?}");
    server.resume().await;
    let commits: Vec<_> = claims.iter().map(uploaded).collect();
    let committed = patiently(|| store.commit(commits.clone())).await;
    let done = Committed::Done(State::Uploading, State::Processing);
    assert!(committed.iter().all(|one| *one == done), "{committed:?}");
    let listed = store.list(&Filter::default(), None, 100).await.unwrap().found;
    assert_eq!(listed.len(), 50);
    assert_eq!(claim(&store, StepKind::Upload, 100).await.claims.len(), 30);
    assert_eq!(claim(&store, StepKind::Poll, 100).await.claims.len(), 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scripts_that_were_flushed_are_loaded_again() {
    let server = RedisServer::start(&[]).await;
    let store = store_on(&server, "ferry");
    for round in 0..3 {
        server.ask::<()>("SCRIPT FLUSH").await;
        let batch = (0..20).map(|n| new(&format!("{round} {n}"))).collect();
        store.accept(batch).await.unwrap();
        server.ask::<()>("SCRIPT FLUSH").await;
        let claims = claim(&store, StepKind::Upload, 20).await.claims;
        server.ask::<()>("SCRIPT FLUSH").await;
        let committed = store.commit(claims.iter().map(uploaded).collect()).await.unwrap();
        let done = Committed::Done(State::Uploading, State::Processing);
        assert_eq!(committed, vec![done; 20]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_stall_is_waited_out() {
    let server = RedisServer::start(&[]).await;
    let store = store_on(&server, "ferry");
    store.accept(vec![new("a")]).await.unwrap();
    server.ask::<()>("CLIENT PAUSE 3000 ALL").await;
    let started = Instant::now();
    let claims = claim(&store, StepKind::Upload, 1).await.claims;
    assert!(started.elapsed() > millis(2000), "the server did not stall");
    store.commit(claims.iter().map(uploaded).collect()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_stall_is_an_outage_that_passes() {
    let server = RedisServer::start(&[]).await;
    let store = store_on(&server, "ferry");
    store.accept(vec![new("a")]).await.unwrap();
    let claims = claim(&store, StepKind::Upload, 1).await.claims;
    server.ask::<()>("CLIENT PAUSE 7000 ALL").await;
    let started = Instant::now();
    let commits: Vec<_> = claims.iter().map(uploaded).collect();
    let away = store.commit(commits.clone()).await;
    assert!(is_away(&away) && started.elapsed() < millis(6500), "{away:?} {:?}", started.elapsed());
    let committed = patiently(|| store.commit(commits.clone())).await;
    assert_eq!(committed, [Committed::Done(State::Uploading, State::Processing)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_became_a_replica_is_an_outage_that_passes() {
    let server = RedisServer::start(&[]).await;
    let store = store_on(&server, "ferry");
    store.accept(vec![new("a")]).await.unwrap();
    server.ask::<()>("REPLICAOF 127.0.0.1 1").await;
    let response = store.accept(vec![new("b")]).await;
    assert!(is_unwritable(&response, UnwritableReason::ReadOnly), "{response:?}");
    let findings = store.check().await.unwrap();
    assert!(findings.iter().any(|found| !found.ok && found.text.contains("slave")), "{findings:?}");
    server.ask::<()>("REPLICAOF NO ONE").await;
    patiently(|| store.accept(vec![new("b")])).await;
    assert_eq!(claim(&store, StepKind::Upload, 10).await.claims.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_memory_is_an_outage_that_passes() {
    let server = RedisServer::start(&[]).await;
    let store = store_on(&server, "ferry");
    store.accept(vec![new("a")]).await.unwrap();
    let claims = claim(&store, StepKind::Upload, 10).await.claims;
    server.ask::<()>("CONFIG SET maxmemory 1").await;
    let good = new("b");
    let response = store.accept(vec![good.clone()]).await;
    assert!(is_unwritable(&response, UnwritableReason::Full), "{response:?}");
    let committed = store.commit(claims.iter().map(uploaded).collect()).await;
    assert!(is_unwritable(&committed, UnwritableReason::Full), "{committed:?}");
    server.ask::<()>("CONFIG SET maxmemory 0").await;
    assert!(store.get(good.id).await.unwrap().is_none(), "nothing was stored by halves");
    store.accept(vec![good]).await.unwrap();
    let committed = store.commit(claims.iter().map(uploaded).collect()).await.unwrap();
    assert_eq!(committed, [Committed::Done(State::Uploading, State::Processing)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_may_commit_what_another_one_claimed() {
    let server = shared_server().await;
    let namespace = own_namespace();
    let (one, other) = (store_on(&server, &namespace), store_on(&server, &namespace));
    one.accept(vec![new("a"), new("b")]).await.unwrap();
    let claims = claim(&one, StepKind::Upload, 2).await.claims;
    let illegal = Commit { lease: claims[1].lease, transition: t::completed() };
    let committed = other.commit(vec![uploaded(&claims[0]), illegal]).await.unwrap();
    assert_eq!(committed[0], Committed::Done(State::Uploading, State::Processing));
    assert!(matches!(committed[1], Committed::Illegal(_)), "{committed:?}");
    let stale = one.commit(vec![uploaded(&claims[0])]).await.unwrap();
    assert_eq!(stale, [Committed::Stale]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_was_cut_off_is_woken_again_by_due_steps() {
    let server = RedisServer::start(&[]).await;
    let store: Arc<dyn Store> = Arc::new(store_on(&server, "ferry"));
    let other = store_on(&server, "ferry");
    for round in 0..3 {
        let sleeper = asleep(&store, StepKind::Upload).await;
        server.ask::<()>("CLIENT KILL TYPE pubsub").await;
        server.ask::<()>("CLIENT KILL TYPE normal").await;
        patiently(|| other.accept(vec![new(&format!("{round}"))])).await;
        wakes(sleeper).await;
        let request = ClaimRequest {
            kind: StepKind::Upload,
            limit: 9,
            lease: LEASE,
            account_limits: Arc::default(),
        };
        let claims = patiently(|| store.claim(request.clone())).await.claims;
        assert_eq!(claims.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_opens_the_store_and_is_never_shown() {
    let server = RedisServer::start(&[]).await;
    server.ask::<()>("ACL SETUSER ferry on >s3cret ~* &* +@all").await;
    server.ask::<()>("ACL SETUSER default resetpass").await;
    let url = |user: &str| format!("redis://{user}@127.0.0.1:{}/0", server.port());
    for user in ["ferry:wr0ng", "ferry", ""] {
        let store = store_at(&url(user), "ferry");
        let error = store.stats().await.unwrap_err();
        let text = format!("{error} {error:?} {store:?} {}", store.location());
        assert!(text.contains("NOAUTH") || text.contains("uthentication"), "{text}");
        assert!(!text.contains("wr0ng") && !text.contains("ferry:"), "{text}");
    }
    store_at(&url("ferry:s3cret"), "ferry").stats().await.unwrap();
    let address = RedisAddress::new(&url("ferry")).unwrap().with_password("s3cret");
    let store = RedisStore::new(&address, Durability::Server, health_policy()).unwrap();
    store.stats().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_that_is_rotated_is_read_again_for_the_next_connection() {
    let server = RedisServer::start(&[]).await;
    server.ask::<()>("ACL SETUSER ferry on >first ~* &* +@all").await;
    let password = Arc::new(std::sync::Mutex::new("first".to_owned()));
    let read = password.clone();
    let address = RedisAddress::new(&format!("redis://ferry@127.0.0.1:{}/0", server.port()))
        .unwrap()
        .with_password("outdated")
        .with_password_from(Arc::new(move || Some(read.lock().unwrap().clone())));
    let store = RedisStore::new(&address, Durability::Server, health_policy()).unwrap();
    store.stats().await.unwrap();
    server.ask::<()>("ACL SETUSER ferry resetpass >second").await;
    server.ask::<i64>("CLIENT KILL USER ferry").await;
    "second".clone_into(&mut password.lock().unwrap());
    ferry_testing::until("the new password", async || store.stats().await.is_ok()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_may_lose_data_is_found_out() {
    let server = RedisServer::start(&["--appendfsync", "always"]).await;
    let store = store_on(&server, "ferry");
    let findings = store.check().await.unwrap();
    assert!(findings.iter().all(|finding| finding.ok && finding.hint.is_none()), "{findings:#?}");
    for (setting, word) in [
        ("maxmemory-policy allkeys-lru", "allkeys-lru"),
        ("appendfsync no", "synced"),
        ("appendonly no", "lost"),
        ("maxmemory 1mb", "% full"),
    ] {
        server.ask::<()>(&format!("CONFIG SET {setting}")).await;
        let findings = store.check().await.unwrap();
        let bad = findings.iter().filter(|finding| !finding.ok && finding.text.contains(word));
        assert!(bad.clone().count() == 1, "{setting}: {findings:#?}");
        assert!(bad.into_iter().all(|finding| finding.hint.is_some()), "{findings:#?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fsynced_writes_fail_if_the_server_cannot_confirm_them() {
    let server = RedisServer::start(&["--appendfsync", "always"]).await;
    let address = RedisAddress::new(&server.url()).unwrap();
    let store = RedisStore::new(&address, Durability::Fsynced, health_policy()).unwrap();
    let submission = new("a");
    let id = submission.id;
    let accepted = store.accept(vec![submission]).await;
    if server.ask::<Vec<redis::Value>>("COMMAND INFO WAITAOF").await == [redis::Value::Nil] {
        assert!(matches!(&accepted, Err(StoreError::Unusable(why)) if why.contains("7.2")));
        assert_eq!(store.stats().await.unwrap().count(State::Queued), 0, "nothing was stored");
        let findings = store.check().await.unwrap();
        let unable = findings.iter().filter(|finding| !finding.ok && finding.text.contains("7.2"));
        assert_eq!(unable.count(), 1, "{findings:#?}");
    } else {
        assert!(accepted.is_ok(), "{accepted:?}");
        // From here on the attempt of an upload cannot be confirmed.
        server.ask::<()>("CONFIG SET appendfsync no").await;
        let account_limits = Arc::default();
        let request =
            ClaimRequest { kind: StepKind::Upload, limit: 1, lease: LEASE, account_limits };
        let response = store.claim(request).await;
        assert!(is_away(&response), "{response:?}");
        let waiting = store.get(id).await.unwrap().unwrap().submission;
        assert_eq!((waiting.state, waiting.upload_attempts), (State::Queued, 0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_namespace_of_another_layout_is_left_alone() {
    let server = shared_server().await;
    for (layout, way_out) in
        [("1", "with the older Ferry"), ("2", "with the older Ferry"), ("99", "the newer Ferry")]
    {
        let namespace = own_namespace();
        server.ask_with::<()>(&["SET", &format!("{{{namespace}}}:layout"), layout]).await;
        let response = store_on(&server, &namespace).accept(vec![new("a")]).await;
        let is_reported =
            matches!(&response, Err(StoreError::Unusable(why)) if why.contains(way_out));
        assert!(is_reported, "{response:?}");
    }
}

#[tokio::test]
async fn the_history_of_events_is_bounded() {
    let server = RedisServer::start(&[]).await;
    let store = store_on(&server, "ferry");
    store.accept(vec![new("a")]).await.unwrap();
    let older = "local e = redis.call('LINDEX', KEYS[1], 0) \
                 for _ = 2, 100999 do redis.call('RPUSH', KEYS[1], e) end";
    server.ask_with::<()>(&["EVAL", older, "1", "{ferry}:events"]).await;
    store.accept(vec![new("b")]).await.unwrap();
    let page = store.events(0, 1).await.unwrap();
    assert_eq!((page.oldest, page.newest, page.events[0].cursor), (1000, 101_000, 1001));
}

#[tokio::test]
async fn a_server_that_does_not_speak_tls_is_reported_as_unavailable() {
    let server = RedisServer::start(&[]).await;
    let store = store_at(&server.url().replace("redis:", "rediss:"), "ferry");
    let error = store.stats().await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_replica_a_replicated_store_takes_nothing_in_and_begins_no_upload() {
    let master = RedisServer::start(&["--repl-diskless-sync-delay", "0"]).await;
    let follow = format!("127.0.0.1 {}", master.port());
    let replica = RedisServer::start(&["--replicaof", &follow]).await;
    let address = RedisAddress::new(&master.url()).unwrap();
    let store = RedisStore::new(&address, Durability::Replicated, health_policy()).unwrap();
    let (first, second) = (new("a"), new("b"));
    patiently(|| store.accept(vec![first.clone()])).await;
    let request = || ClaimRequest {
        kind: StepKind::Upload,
        limit: 10,
        lease: LEASE,
        account_limits: Arc::default(),
    };
    assert_eq!(store.claim(request()).await.unwrap().claims.len(), 1);
    patiently(|| store.accept(vec![second.clone()])).await;
    replica.kill();
    let response = store.accept(vec![new("c")]).await;
    assert!(is_away(&response), "{response:?}");
    let response = store.claim(request()).await;
    assert!(is_away(&response), "{response:?}");
    let waiting = store.get(second.id).await.unwrap().unwrap().submission;
    assert_eq!((waiting.state, waiting.upload_attempts), (State::Queued, 0), "it was given back");
    let third = first.id;
    for _ in 0..2 {
        let cancelled = store.cancel(third).await;
        assert!(is_away(&cancelled), "not confirmed: {cancelled:?}");
    }
    let paused = store.pause("other", "no").await;
    assert!(is_away(&paused), "not confirmed: {paused:?}");
    replica.resume().await;
    assert!(patiently(|| store.cancel(third)).await.submission.cancel_requested);
    // Submissions that were sent and not confirmed may be there too.
    let claims = patiently(|| store.claim(request())).await.claims;
    let started = claims.iter().find(|claim| claim.lease.id == second.id).expect("it is due");
    assert_eq!(started.submission.upload_attempts, 1, "what was given back was no attempt");
}
