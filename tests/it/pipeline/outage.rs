//! Submissions while the Platform, or the way to it, fails.

use std::time::{Duration, Instant};

use ferry::pipeline::{Intake, IntakeParts, SourceLabels};
use ferry_sim::{Credentials, Endpoint, Fault, RetryAfter, SimConfig};
use ferry_types::contract::{SubmissionView, WaitingFor};
use ferry_types::domain::account::BlockReason;
use ferry_types::domain::submission::{ReasonCode, State, StepKind};

use crate::support::{World, dataset, overwriting, prompt};
use ferry_testing::until;

fn response(status: u16, body: &str) -> Fault {
    Fault::Respond { status, headers: Vec::new(), body: body.to_owned() }
}

#[tokio::test]
async fn an_outage_costs_time_and_nothing_else() {
    let world = World::start(prompt(), &[("BREAKER_FAILURES", "5")]).await;
    world.sim.set_outage(true);
    let ids = world.submit_all((0..50).map(|n| overwriting(&format!("o{n}")))).await;
    let blocked_by = |waiting: &Option<WaitingFor>| {
        matches!(waiting, Some(WaitingFor::Account(BlockReason::BreakerOpen { .. })))
    };
    world.until(ids[0], |view| blocked_by(&view.waiting_for)).await;
    let before = world.sim.ledger().requests;
    let started = Instant::now();
    world.until(ids[0], |_| started.elapsed() > Duration::from_secs(1)).await;
    let during = world.sim.ledger().requests - before;
    // One probe at a time, at most 200 ms apart: 5 a second, and those in flight.
    assert!((2..=15).contains(&during), "{during} requests in a second of outage");
    world.sim.set_outage(false);
    let stats = world.all_settled().await;
    assert_eq!(stats.count(State::Completed), 50, "{stats:?}");
    world.finish().await;
}

#[tokio::test]
async fn denied_credentials_pause_the_account_and_fail_nothing() {
    let credentials = Credentials { client_secret: "another".into(), ..Credentials::default() };
    let sim = SimConfig { credentials, ..prompt() };
    let world = World::start(sim, &[]).await;
    let id = world.submit(dataset("patient")).await;
    let paused = |waiting: &Option<WaitingFor>| {
        matches!(waiting, Some(WaitingFor::Account(BlockReason::Paused { .. })))
    };
    let view = world.until(id, |view| paused(&view.waiting_for)).await;
    assert_eq!((view.state, view.reason_code), (State::Queued, Some(ReasonCode::Credentials)));
    assert_eq!(view.upload_attempts, 0, "no attempt is spent");
    let tokens = world.sim.ledger().requests;
    assert!(tokens <= 3, "{tokens} requests");
    world.finish().await;
}

#[tokio::test]
async fn a_resumed_account_continues_where_it_was() {
    let world = World::start(prompt(), &[]).await;
    world.sim.script(Endpoint::Token, response(400, r#"{"error":"invalid_client"}"#));
    let id = world.submit(dataset("patient")).await;
    world.until(id, |view| view.reason_code == Some(ReasonCode::Credentials)).await;
    assert!(world.app.store.resume("default").await.unwrap());
    assert_eq!(world.settled(id).await.state, State::Completed);
    world.finish().await;
}

#[tokio::test]
async fn retry_after_throttles_the_whole_account() {
    // Nothing else is on its way, so that the next request of any dataset would be early.
    let world = World::start(SimConfig { notice: Duration::ZERO, ..prompt() }, &[]).await;
    world.sim.script(Endpoint::Status, Fault::Throttle(RetryAfter::Seconds(1.0)));
    let first = world.submit(dataset("first")).await;
    world.until(first, |view| view.reason_code == Some(ReasonCode::Throttled)).await;
    let requested = Instant::now();
    let second = world.submit(dataset("second")).await;
    let view = world.look(second).await;
    let throttled = Some(WaitingFor::Account(BlockReason::Throttled { until: view.updated_at }));
    assert!(
        matches!(view.waiting_for, Some(WaitingFor::Account(BlockReason::Throttled { .. }))),
        "{throttled:?}"
    );
    assert_eq!(world.settled(second).await.state, State::Completed);
    assert!(requested.elapsed() > Duration::from_millis(900), "{:?}", requested.elapsed());
    let view = world.settled(first).await;
    assert_eq!((view.state, view.upload_attempts), (State::Completed, 1));
    assert_eq!(world.sim.ledger().early_requests, 0);
    world.finish().await;
}

#[tokio::test]
async fn one_probe_asks_again_after_a_retry_after_that_is_trusted_in_part() {
    // Long enough for the script below to be ready before the probe.
    let world = World::start(prompt(), &[("RETRY_AFTER_MAX", "5s")]).await;
    let first = world.submit(overwriting("first")).await;
    world.settled(first).await;
    world.sim.script(Endpoint::Upload, Fault::Throttle(RetryAfter::Seconds(86_400.0)));
    world.submit_all((0..30).map(|n| overwriting(&format!("p{n}")))).await;
    let is_throttled = async || world.sim.is_script_done() && world.running().await == 0;
    until("a throttled account", is_throttled).await;
    // Long enough for a ramp to let several in.
    let answered_after = Duration::from_secs(2);
    // What was accepted before the throttling may be what asks first.
    for endpoint in [Endpoint::Upload, Endpoint::Status] {
        world.sim.script(endpoint, Fault::Stall(answered_after));
    }
    let before = world.sim.requests().len();
    let stats = world.all_settled().await;
    assert_eq!(stats.count(State::Completed), 31, "{stats:?}");
    // The times of the Platform's own log, so that a slow machine changes nothing.
    let requests = world.sim.requests();
    let (probe, next) = (&requests[before], &requests[before + 1]);
    assert_eq!(probe.fault, Some("stall"), "{probe:#?}");
    let between = (next.at - probe.at).to_std().unwrap();
    assert!(between >= answered_after, "more than one asked again: {next:#?} after {probe:#?}");
    world.finish().await;
}

#[tokio::test]
async fn an_upload_is_rejected_in_the_platforms_words() {
    let world = World::start(prompt(), &[]).await;
    world.sim.script(Endpoint::Upload, response(422, "column 3 is odd"));
    let id = world.submit(dataset("odd")).await;
    let view = world.settled(id).await;
    assert_eq!((view.state, view.reason_code), (State::Rejected, Some(ReasonCode::UploadRejected)));
    assert!(view.reason.unwrap().contains("column 3 is odd"));
    world.finish().await;
}

#[tokio::test]
async fn a_processing_token_that_stays_unknown_fails_the_submission() {
    let world = World::start(prompt(), &[("UNKNOWN_TOKEN_TIMEOUT", "100ms")]).await;
    for _ in 0..100 {
        world.sim.script(Endpoint::Status, response(404, ""));
    }
    let id = world.submit(dataset("lost")).await;
    let view = world.settled(id).await;
    assert_eq!((view.state, view.reason_code), (State::Failed, Some(ReasonCode::UnknownToken)));
    let (reason, token) = (view.reason.unwrap(), view.processing_token.unwrap());
    assert!(reason.contains(&format!("its response to the upload was `{token}`")), "{reason}");
}

#[tokio::test]
async fn the_last_request_to_the_platform_is_shown_with_its_response() {
    let world = World::start(prompt(), &[]).await;
    for _ in 0..100 {
        world.sim.script(Endpoint::Status, response(503, "closed for lunch"));
    }
    let id = world.submit(dataset("late")).await;
    let has_failed = |view: &SubmissionView| {
        let last = view.last_request.as_ref();
        last.is_some_and(|last| last.step == StepKind::Poll && last.response.contains("503"))
    };
    let view = world.until(id, has_failed).await;
    assert!(view.last_request.unwrap().at >= view.created_at);
    let (view, text) = (world.settled(id).await, "received");
    let last = view.last_request.unwrap();
    assert_eq!((last.step, &*last.response), (StepKind::Collect, text));
    world.finish().await;
}

#[tokio::test]
async fn a_processing_token_that_was_unknown_for_a_moment_is_asked_for_again() {
    let world = World::start(prompt(), &[]).await;
    for _ in 0..12 {
        world.sim.script(Endpoint::Status, response(404, ""));
    }
    let id = world.submit(dataset("found")).await;
    assert_eq!(world.settled(id).await.state, State::Completed);
    world.finish().await;
}

#[tokio::test]
async fn an_unknown_status_word_is_pending_and_counted() {
    let world = World::start(prompt(), &[]).await;
    world.sim.script(Endpoint::Status, response(200, "Contemplating"));
    let id = world.submit(dataset("odd")).await;
    let view = world.settled(id).await;
    assert_eq!((view.state, view.polls), (State::Completed, 2));
    assert!(world.app.metrics.render().contains("ferry_unknown_status_total 1"));
    world.finish().await;
}

#[tokio::test]
async fn a_result_larger_than_the_limit_fails_the_submission() {
    let world = World::start(prompt(), &[("MAX_RESPONSE_BYTES", "2048")]).await;
    world.sim.script(Endpoint::Results, Fault::Enormous(1 << 20));
    let id = world.submit(dataset("huge")).await;
    let view = world.settled(id).await;
    assert_eq!((view.state, view.reason_code), (State::Failed, Some(ReasonCode::ResponseTooLarge)));
    world.finish().await;
}

#[tokio::test]
async fn a_status_that_is_a_page_of_a_proxy_is_asked_for_again() {
    let world = World::start(prompt(), &[]).await;
    for _ in 0..3 {
        world.sim.script(Endpoint::Status, response(200, "<html>please log in</html>"));
    }
    let id = world.submit(dataset("proxied")).await;
    let view = world.settled(id).await;
    assert_eq!((view.state, view.polls), (State::Completed, 4), "each request counts");
    world.finish().await;
}

#[tokio::test]
async fn a_failed_submission_that_is_retried_resumes_at_the_step_where_it_stopped() {
    let world = World::start(prompt(), &[]).await;
    for _ in 0..8 {
        world.sim.script(Endpoint::Results, response(404, ""));
    }
    let id = world.submit(dataset("again")).await;
    assert_eq!(world.settled(id).await.state, State::Failed);
    world.app.store.retry(id, Duration::from_mins(1)).await.unwrap();
    assert_eq!(world.settled(id).await.state, State::Completed);
    assert_eq!(world.sim.ledger().accepted(), 1, "it was not uploaded again");
    world.finish().await;
}

#[tokio::test]
async fn a_submission_of_an_account_that_is_not_configured_waits() {
    let world = World::start(prompt(), &[]).await;
    let intake = Intake::new(IntakeParts {
        store: world.app.store.clone(),
        clock: world.app.clock.clone(),
        accounts: ["elsewhere".to_owned()].into(),
        deadline: Duration::from_mins(1),
        max_dataset_bytes: 1 << 20,
        seed: 1,
        metrics: &world.app.metrics,
    });
    let prepared = intake.prepare(dataset("foreign"), &SourceLabels::default()).unwrap();
    let id = prepared.new.id;
    intake.accept(vec![prepared.new]).await.unwrap();
    let view = world.until(id, |view| view.reason.is_some()).await;
    assert_eq!((view.state, view.reason_code), (State::Queued, Some(ReasonCode::UnknownAccount)));
    world.finish().await;
}

#[tokio::test]
async fn a_verdict_is_not_lost_with_its_feedback() {
    let lost = [
        response(404, "none"),
        response(202, ""),
        response(200, "<html>Sign in"),
        response(500, ""),
    ];
    for fault in lost.into_iter().chain([Fault::Enormous(1 << 20)]) {
        let world = World::start(prompt(), &[("MAX_RESPONSE_BYTES", "2048")]).await;
        world.sim.script(Endpoint::Status, response(200, "Completed with errors"));
        for _ in 0..20 {
            world.sim.script(Endpoint::Feedback, fault.clone());
        }
        let id = world.submit(dataset("march")).await;
        let view = world.settled(id).await;
        let what = (view.state, view.reason_code);
        assert_eq!(what, (State::Rejected, Some(ReasonCode::DataRejected)), "{fault:?}");
        assert!(view.reason.unwrap().contains("completed with errors"), "{fault:?}");
        assert_eq!(view.upload_attempts, 1, "{fault:?}");
    }
}

#[tokio::test]
async fn feedback_and_results_that_come_late_are_fetched() {
    let world = World::start(prompt(), &[]).await;
    for endpoint in [Endpoint::Feedback, Endpoint::Results] {
        for fault in
            [response(202, "processing"), response(204, ""), response(404, ""), response(206, "Id")]
        {
            world.sim.script(endpoint, fault);
        }
    }
    world.sim.script(Endpoint::Feedback, response(200, "1|x|odd"));
    let good = world.submit(dataset("good")).await;
    let view = world.settled(good).await;
    assert_eq!((view.state, view.results.len(), view.reason), (State::Completed, 1, None));
    world.sim.script(Endpoint::Status, response(200, "failed"));
    let bad = world.submit(dataset("bad")).await;
    let view = world.settled(bad).await;
    assert_eq!(view.state, State::Rejected);
    assert!(view.feedback.is_some(), "{:?}", view.reason);
    world.finish().await;
}

#[tokio::test]
async fn an_unknown_result_key_loses_no_other_result_and_is_named() {
    let world = World::start(prompt(), &[]).await;
    let mut request = dataset("keys");
    request.result_keys = vec!["tableofresultids".to_owned(), "summry".to_owned()];
    // The first key is fetched once, the second again and again.
    world.sim.script(Endpoint::Results, response(200, "Id\n1\n"));
    for _ in 0..8 {
        world.sim.script(Endpoint::Results, response(404, ""));
    }
    let id = world.submit(request).await;
    let view = world.settled(id).await;
    assert_eq!((view.state, view.reason_code), (State::Completed, Some(ReasonCode::ResultMissing)));
    assert!(view.reason.unwrap().contains("result `summry`"));
    let content = world.app.store.content(id, "tableofresultids").await.unwrap();
    assert_eq!(content.expect("it was fetched").bytes, b"Id\n1\n");
    world.finish().await;
}

#[tokio::test]
async fn a_denied_result_key_ends_in_bounded_time_and_is_no_outage_of_the_account() {
    let mut faults: Vec<_> = [302, 400, 403, 405, 410, 422, 500]
        .map(|status| (response(status, "unknown dataKey"), "unknown dataKey"))
        .into();
    faults.extend([(Fault::CutBody, "cut short"), (Fault::ResetBefore, "the connection broke")]);
    for (fault, words) in faults {
        let changes = [("BREAKER_FAILURES", "2"), ("DENIED_TIMEOUT", "1ms")];
        let world = World::start(prompt(), &changes).await;
        let mut request = dataset("keys");
        request.result_keys = vec!["tableofresultids".to_owned(), "summry".to_owned()];
        world.sim.script(Endpoint::Results, response(200, "Id\n1\n"));
        for _ in 0..8 {
            world.sim.script(Endpoint::Results, fault.clone());
        }
        let id = world.submit(request).await;
        let view = world.settled(id).await;
        let reason = view.reason.unwrap();
        assert_eq!(view.state, State::Completed, "{fault:?}: {reason}");
        assert!(reason.contains("result `summry`") && reason.contains(words), "{reason}");
        let content = world.app.store.content(id, "tableofresultids").await.unwrap();
        assert_eq!(content.expect("it was fetched").bytes, b"Id\n1\n");
        let health = &world.app.store.stats().await.unwrap().accounts[0].health;
        let blocked = (&health.pause_reason, health.probe_at, health.failures);
        assert_eq!(blocked, (&None, None, 0), "{fault:?}");
        world.finish().await;
    }
}

#[tokio::test]
async fn each_poll_that_was_sent_is_counted() {
    for status in [404, 500] {
        let world = World::start(prompt(), &[]).await;
        for _ in 0..6 {
            world.sim.script(Endpoint::Status, response(status, ""));
        }
        let view = world.settled(world.submit(dataset("lost")).await).await;
        assert_eq!((view.state, view.polls), (State::Completed, 7), "{status}");
        world.finish().await;
    }
}

#[tokio::test]
async fn an_upload_answered_with_a_code_instead_of_a_token_is_held_with_it() {
    for code in ["0", "ERR-1001", "00000000-0000-0000-0000-000000000000"] {
        let world = World::start(prompt(), &[]).await;
        for _ in 0..2 {
            world.sim.script(Endpoint::Upload, response(200, code));
        }
        let id = world.submit(dataset("coded")).await;
        let view = world.until(id, |view| view.state == State::Held).await;
        assert_eq!(view.upload_attempts, 2);
        assert!(view.reason.unwrap().contains(&format!("`{code}`")));
        world.finish().await;
    }
}

#[tokio::test]
async fn an_upload_whose_answer_cannot_be_read_is_sent_twice_and_then_held_with_it() {
    for overwrite in [false, true] {
        let world = World::start(prompt(), &[]).await;
        for _ in 0..2 {
            world.sim.script(Endpoint::Upload, response(200, r#"{"oddly":"shaped"}"#));
        }
        let mut request = dataset("odd");
        request.overwrite = overwrite;
        let id = world.submit(request).await;
        let view = world.until(id, |view| view.state == State::Held).await;
        assert_eq!(view.upload_attempts, 2);
        assert!(view.reason.unwrap().contains("oddly"));
        world.finish().await;
    }
}

#[tokio::test]
async fn a_rejection_after_a_lost_response_is_held_whatever_its_words() {
    for words in ["Name is already in use", "Duplikat", ""] {
        let world = World::start(prompt(), &[]).await;
        world.sim.script(Endpoint::Upload, Fault::ResetAfter);
        world.sim.script(Endpoint::Upload, response(400, words));
        let id = world.submit(dataset("lost")).await;
        let view = world.until(id, |view| view.state == State::Held).await;
        assert!(view.reason.unwrap().contains(words));
        world.finish().await;
    }
}

#[tokio::test]
async fn uploads_that_were_not_sent_are_no_attempts() {
    let world = World::start(prompt(), &[]).await;
    for _ in 0..3 {
        world.sim.script(Endpoint::Token, response(503, ""));
    }
    let id = world.submit(dataset("tokenless")).await;
    let view = world.settled(id).await;
    assert_eq!((view.state, view.upload_attempts), (State::Completed, 1));
    world.finish().await;
}

#[tokio::test]
async fn a_resumed_account_forgets_how_long_it_was_asked_to_wait() {
    let world = World::start(prompt(), &[]).await;
    world.sim.script(Endpoint::Status, Fault::Throttle(RetryAfter::Seconds(3000.0)));
    let id = world.submit(dataset("patient")).await;
    world.until(id, |view| view.reason_code == Some(ReasonCode::Throttled)).await;
    let resumed = Instant::now();
    assert!(world.app.store.resume("default").await.unwrap());
    let other = world.submit(dataset("other")).await;
    assert_eq!(world.settled(id).await.state, State::Completed);
    assert_eq!(world.settled(other).await.state, State::Completed);
    assert!(resumed.elapsed() < Duration::from_mins(1), "{:?}", resumed.elapsed());
}

#[tokio::test]
async fn an_absurd_retry_after_is_trusted_up_to_the_limit() {
    let world = World::start(prompt(), &[("RETRY_AFTER_MAX", "300ms")]).await;
    world.sim.script(Endpoint::Status, Fault::Throttle(RetryAfter::Seconds(1e9)));
    let id = world.submit(dataset("absurd")).await;
    assert_eq!(world.settled(id).await.state, State::Completed);
}

#[tokio::test]
async fn a_denial_that_passes_pauses_no_account_and_one_that_lasts_says_when() {
    let world = World::start(prompt(), &[("DENIED_TIMEOUT", "300ms")]).await;
    for _ in 0..2 {
        world.sim.script(Endpoint::Token, response(403, "<html>blocked by policy</html>"));
    }
    let id = world.submit(dataset("filtered")).await;
    assert_eq!(world.settled(id).await.state, State::Completed);
    for _ in 0..1000 {
        world.sim.script(Endpoint::Upload, response(403, "not you"));
    }
    let id = world.submit(dataset("denied")).await;
    let paused = |waiting: &Option<WaitingFor>| {
        matches!(waiting, Some(WaitingFor::Account(BlockReason::Paused { .. })))
    };
    let view = world.until(id, |view| paused(&view.waiting_for)).await;
    let Some(WaitingFor::Account(BlockReason::Paused { reason })) = view.waiting_for else {
        panic!()
    };
    assert!(reason.contains("not you") && reason.contains("(paused by a worker at 20"), "{reason}");
}

#[tokio::test]
async fn uploads_are_no_faster_than_the_account_allows() {
    let world = World::start(prompt(), &[("UPLOADS_PER_SECOND", "40")]).await;
    let started = Instant::now();
    world.submit_all((0..40).map(|n| overwriting(&format!("l{n}")))).await;
    world.all_settled().await;
    // A tenth of a second's worth may go at once, and the last one need not wait.
    let least = Duration::from_millis((40 - 4 - 1) * 1000 / 40);
    assert!(started.elapsed() >= least, "{:?}", started.elapsed());
    world.finish().await;
}
