//! Accounts: what blocks each, and the acts that end it.

use std::sync::Arc;
use std::time::Duration;

use ferry_store::{ClaimRequest, Commit};
use ferry_types::domain::account::Signal;
use ferry_types::domain::submission::{Next, StepKind, Transition};

use super::harness::Tab;
use crate::api::keys::Keyed;
use crate::support::{World, dataset};

const SECOND: Duration = Duration::from_secs(1);

/// A worker brings this signal about the account `default`.
pub(super) async fn brings(world: &World, signal: Signal) {
    let request = ClaimRequest {
        kind: StepKind::Upload,
        limit: 1,
        lease: 60 * SECOND,
        account_limits: Arc::default(),
    };
    let claims = world.app.store.claim(request).await.unwrap().claims;
    let transition =
        Transition { signal, ..Transition::to(Next::step(StepKind::Upload, 3600 * SECOND)) };
    world.app.store.commit(vec![Commit { lease: claims[0].lease, transition }]).await.unwrap();
}

#[tokio::test]
async fn a_throttled_account_and_one_behind_an_open_breaker_can_be_resumed() {
    let throttled = Signal::Throttled {
        delay: 600 * SECOND,
        is_capped: false,
        is_rate: false,
        response: String::new(),
    };
    for (signal, blocked, does) in [
        (throttled, "throttles account default", "Ferry sends requests at once, although"),
        (
            Signal::Unhealthy("timed out".to_owned()),
            "circuit breaker of account default is open",
            "The next failure opens the circuit breaker again",
        ),
    ] {
        let keyed = Keyed::start_with(&[("BREAKER_FAILURES", "1")]).await;
        let world = &keyed.served.world;
        world.submit(dataset("march")).await;
        brings(world, signal).await;
        let (tab, reader) = (Tab::of(&keyed, "operator").await, Tab::of(&keyed, "reader").await);
        for path in ["/console/accounts/default", "/console/accounts", "/console"] {
            let page = tab.get(path).await;
            assert!(page.says(blocked), "{path}: {}", page.text);
            assert!(
                page.text.contains("/console/accounts/default/resume"),
                "{path}: {}",
                page.text
            );
            assert!(page.says(does), "{path}: {}", page.text);
            assert!(!reader.get(path).await.text.contains("/resume"), "{path}");
        }
        // It can be paused as well.
        let account = tab.get("/console/accounts/default").await;
        assert!(account.text.contains("/console/accounts/default/pause"), "{}", account.text);
        let resumed = tab.post("/console/accounts/default/resume", &[]).await;
        assert_eq!((resumed.status, resumed.header("location")), (303, "/console/accounts"));
        let account = tab.get("/console/accounts/default").await;
        assert!(!account.says(blocked) && !account.text.contains("/resume"), "{}", account.text);
    }
}
