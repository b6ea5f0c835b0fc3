//! Responses of a server that are lost on their way: what they were about happens once.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ferry_store::redis::RedisStore;
use ferry_store::{Accepted, ClaimRequest, Commit, Committed, NewSubmission, Store, StoreError};
use ferry_testing::{RedisServer, Wait, own_namespace, shared_server};
use ferry_types::domain::submission::{State, StepKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::redis_outage::{claim, is_away, uploaded};
use super::redis_place::{store_at, store_on};
use super::subject::{LEASE, new};
use super::transitions as t;

/// A way to the server that can swallow answers.
struct Wire {
    port: u16,
    cut: Arc<AtomicBool>,
}

impl Wire {
    async fn to(server: &RedisServer) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let cut = Arc::<AtomicBool>::default();
        let (target, cutting) = (server.port(), cut.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(forward(client, target, cutting.clone()));
            }
        });
        Self { port, cut }
    }

    /// The next answer is lost, and the connection with it.
    fn lose_an_answer(&self) {
        self.cut.store(true, Ordering::SeqCst);
    }

    fn store(&self, namespace: &str) -> RedisStore {
        store_at(&format!("redis://127.0.0.1:{}/0", self.port), namespace)
    }
}

async fn forward(client: TcpStream, port: u16, cut: Arc<AtomicBool>) {
    let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await else { return };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let there =
        tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
    let mut buffer = vec![0; 64 << 10];
    let wait = Wait::begin("the end of the server, or of the test");
    while let Ok(count @ 1..) = from_server.read(&mut buffer).await {
        wait.check();
        let response = &buffer[..count];
        let is_message = response.starts_with(b"*3\r\n$7\r\nmessage");
        let cut = !is_message && cut.swap(false, Ordering::SeqCst);
        if cut || to_client.write_all(response).await.is_err() {
            break;
        }
    }
    there.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_accepted_although_the_answer_got_lost_is_accepted_once() {
    let server = shared_server().await;
    let wire = Wire::to(&server).await;
    let store = wire.store(&own_namespace());
    // From the first one on, the server knows the script.
    store.accept(vec![new("first")]).await.unwrap();
    let keyed = NewSubmission { idempotency_key: Some("k".to_owned()), ..new("keyed") };
    let batch = vec![new("a"), keyed, new("b")];
    wire.lose_an_answer();
    assert!(is_away(&store.accept(batch.clone()).await));
    let accepted = store.accept(batch.clone()).await.unwrap();
    let expected: Vec<_> = batch.iter().map(|new| Accepted::New(new.id)).collect();
    assert_eq!(accepted, expected);
    assert_eq!(store.stats().await.unwrap().count(State::Queued), 4);
    let other = NewSubmission { name: "other".to_owned(), ..batch[0].clone() };
    let response = store.accept(vec![other]).await;
    assert!(matches!(response, Err(StoreError::Taken(_))), "{response:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_committed_although_the_answer_got_lost_is_committed_once() {
    let server = shared_server().await;
    let wire = Wire::to(&server).await;
    let namespace = own_namespace();
    let store = wire.store(&namespace);
    store.accept((0..6).map(|n| new(&format!("{n}"))).collect()).await.unwrap();
    // From the first commit on, the server knows the script.
    let claims = claim(&store, StepKind::Upload, 1).await.claims;
    store.commit(vec![Commit { transition: t::held(), ..uploaded(&claims[0]) }]).await.unwrap();
    let claims = claim(&store, StepKind::Upload, 5).await.claims;
    let commits: Vec<_> = claims.iter().map(uploaded).collect();
    wire.lose_an_answer();
    assert!(is_away(&store.commit(commits.clone()).await));
    // Another process continues meanwhile.
    let other = store_on(&server, &namespace);
    assert_eq!(claim(&other, StepKind::Poll, 10).await.claims.len(), 5);
    let committed = store.commit(commits.clone()).await.unwrap();
    assert_eq!(committed, vec![Committed::Done(State::Uploading, State::Processing); 5]);
    assert_eq!(store.commit(commits).await.unwrap(), vec![Committed::Stale; 5]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_is_spoiled_before_its_commit_is_repeated_keeps_no_other_from_its_own() {
    let server = shared_server().await;
    let wire = Wire::to(&server).await;
    let namespace = own_namespace();
    let store = wire.store(&namespace);
    store.accept((0..3).map(|n| new(&format!("{n}"))).collect()).await.unwrap();
    // From the first commit on, the server knows the script.
    let claims = claim(&store, StepKind::Upload, 1).await.claims;
    store.commit(vec![uploaded(&claims[0])]).await.unwrap();
    let claims = claim(&store, StepKind::Upload, 2).await.claims;
    let commits: Vec<_> = claims.iter().map(uploaded).collect();
    wire.lose_an_answer();
    assert!(is_away(&store.commit(commits.clone()).await));
    let record = format!("{{{namespace}}}:s:{}", claims[0].lease.id);
    // The end of the text that it begins is missing.
    server.ask_with::<()>(&["SET", &record, "é"]).await;
    let committed = store.commit(commits).await.unwrap();
    let done = Committed::Done(State::Uploading, State::Processing);
    assert_eq!(committed, [Committed::Stale, done]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_leased_although_the_answer_got_lost_is_handed_out_again() {
    let server = shared_server().await;
    let wire = Wire::to(&server).await;
    let namespace = own_namespace();
    let (store, other) = (wire.store(&namespace), store_on(&server, &namespace));
    store.accept((0..10).map(|n| new(&format!("{n}"))).collect()).await.unwrap();
    let mine = claim(&store, StepKind::Upload, 1).await.claims;
    let others = claim(&other, StepKind::Upload, 2).await.claims;
    for _ in 0..2 {
        wire.lose_an_answer();
        let request = ClaimRequest {
            kind: StepKind::Upload,
            limit: 4,
            lease: LEASE,
            account_limits: Arc::default(),
        };
        assert!(is_away(&store.claim(request).await));
    }
    assert!(claim(&store, StepKind::Poll, 10).await.claims.is_empty());
    let claims = claim(&store, StepKind::Upload, 10).await.claims;
    assert_eq!(claims.len(), 7, "all that is left, and nothing that is held already");
    let held = mine.iter().chain(&others);
    assert!(held.clone().all(|held| claims.iter().all(|claim| claim.lease != held.lease)));
    for claim in &claims {
        assert_eq!(claim.submission.upload_attempts, 1, "a claim without a response is no attempt");
        assert!(!claim.submission.upload_ambiguous);
    }
    let committed = store.commit(claims.iter().map(uploaded).collect()).await.unwrap();
    assert_eq!(committed, vec![Committed::Done(State::Uploading, State::Processing); 7]);
    assert!(claim(&store, StepKind::Upload, 10).await.claims.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_leased_without_an_answer_is_given_back_if_its_account_was_blocked_since() {
    let server = shared_server().await;
    let wire = Wire::to(&server).await;
    let namespace = own_namespace();
    let (store, other) = (wire.store(&namespace), store_on(&server, &namespace));
    store.accept((0..4).map(|n| new(&format!("{n}"))).collect()).await.unwrap();
    // From the first one on, the server knows the script.
    claim(&store, StepKind::Upload, 1).await;
    let request = || ClaimRequest {
        kind: StepKind::Upload,
        limit: 3,
        lease: LEASE,
        account_limits: Arc::default(),
    };
    wire.lose_an_answer();
    assert!(is_away(&store.claim(request()).await));
    other.pause("main", "a test").await.unwrap();
    assert!(store.claim(request()).await.unwrap().claims.is_empty());
    let uploads = other.stats().await.unwrap().steps;
    let uploads = uploads.iter().find(|steps| steps.kind == StepKind::Upload).unwrap();
    assert_eq!((uploads.ready, uploads.running), (3, 1), "they were given back");
    other.resume("main").await.unwrap();
    let claims = store.claim(request()).await.unwrap().claims;
    assert_eq!(claims.len(), 3);
    assert!(
        claims.iter().all(
            |claim| !claim.submission.upload_ambiguous && claim.submission.upload_attempts == 1
        )
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_leased_without_an_answer_is_found_among_any_number_of_leases() {
    let server = shared_server().await;
    let wire = Wire::to(&server).await;
    let namespace = own_namespace();
    let (store, other) = (wire.store(&namespace), store_on(&server, &namespace));
    store.accept((0..2203).map(|n| new(&format!("{n}"))).collect()).await.unwrap();
    claim(&store, StepKind::Upload, 1).await;
    let mut leased = 1;
    let wait = Wait::begin("2,200 leases");
    while leased < 2200 {
        wait.check();
        leased += claim(&other, StepKind::Upload, (2200 - leased).min(1000)).await.claims.len();
    }
    wire.lose_an_answer();
    let account_limits = Arc::default();
    let request = ClaimRequest { kind: StepKind::Upload, limit: 3, lease: LEASE, account_limits };
    assert!(is_away(&store.claim(request.clone()).await));
    assert_eq!(store.claim(request).await.unwrap().claims.len(), 3);
}
