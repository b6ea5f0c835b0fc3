//! Many submissions over a Platform that fails in every way.

use ferry_types::domain::submission::State;

use crate::support::{World, bad_days, overwriting};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_submissions_with_faults_are_all_completed_and_none_is_doubled() {
    let world = World::start(bad_days(1), &[]).await;
    world.submit_all((0..1000).map(|n| overwriting(&format!("d{n:04}")))).await;
    let stats = world.all_settled().await;
    assert_eq!(stats.count(State::Completed), 1000, "{stats:#?}");
    let ledger = world.sim.ledger();
    assert_eq!(ledger.names.len(), 1000);
    assert_eq!(ledger.doubled(), Vec::<&str>::new());
    assert_eq!(ledger.early_requests, 0);
    for kind in ["server_error", "throttled", "reset", "lost_response", "token_revoked"] {
        assert!(ledger.faults.contains_key(kind), "no {kind} in {:?}", ledger.faults);
    }
    println!("{:?} requests {} polls {}", ledger.faults, ledger.requests, ledger.polls());
    world.finish().await;
}
