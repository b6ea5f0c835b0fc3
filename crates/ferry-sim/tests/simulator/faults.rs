//! Faults of the simulator, by script and by chance.

use super::*;

#[tokio::test]
async fn a_scripted_fault_happens_once_and_in_order() {
    let caller = start(quick()).await;
    let bearer = caller.token().await;
    let headers = vec![("x-more".to_owned(), "yes".to_owned())];
    let teapot = Fault::Respond { status: 418, headers, body: "short and stout".into() };
    caller.sim.script(Endpoint::Upload, teapot);
    caller.sim.script(Endpoint::Upload, Fault::ResetBefore);
    caller.sim.script(Endpoint::Upload, Fault::RevokeToken);
    assert!(!caller.sim.is_script_done());
    let body = upload_body("n", DATA);
    let response = caller.upload(&bearer, &body).await;
    assert_eq!((response.status, response.body.as_str()), (418, "short and stout"));
    assert_eq!(response.headers["x-more"], "yes");
    assert!(caller.try_upload(&bearer, &body).await.is_err());
    assert_eq!(caller.upload(&bearer, &body).await.status, 401);
    assert!(caller.sim.is_script_done());
    assert_eq!(caller.upload(&bearer, &body).await.status, 401);
    assert_eq!(caller.sim.ledger().accepted(), 0);
    let bearer = caller.token().await;
    assert_eq!(caller.upload(&bearer, &body).await.status, 200);
    let faults = caller.sim.ledger().faults;
    let expected = [("reset", 1), ("respond", 1), ("token_revoked", 1)];
    assert_eq!(faults, expected.into_iter().collect());
}

#[tokio::test]
async fn an_upload_whose_answer_is_lost_is_stored_and_marked() {
    let caller = start(quick()).await;
    let bearer = caller.token().await;
    for (name, fault) in [
        ("reset", Fault::ResetAfter),
        ("cut", Fault::CutBody),
        ("enormous", Fault::Enormous(3 << 20)),
    ] {
        caller.sim.script(Endpoint::Upload, fault);
        let response = caller.try_upload(&bearer, &upload_body(name, DATA)).await;
        assert!(response.is_err() || response.is_ok_and(|a| a.body.len() == 3 << 20), "{name}");
        let mut again = upload_body(name, DATA);
        assert_eq!(caller.upload(&bearer, &again).await.status, 409);
        again["Overwrite"] = json!("true");
        assert_eq!(caller.upload(&bearer, &again).await.status, 200);
        let lost: Vec<bool> =
            caller.sim.ledger().names[name].accepted.iter().map(|a| a.answer_lost).collect();
        assert_eq!(lost, [true, false], "{name}");
    }
    assert!(caller.sim.ledger().doubled().is_empty());
}

#[tokio::test]
async fn a_late_response_is_lost_only_if_no_client_waits_for_it() {
    let caller = start(quick()).await;
    let bearer = caller.token().await;
    let slow = Duration::from_millis(2);
    for (name, fault) in [("stall", Fault::Stall(slow)), ("slow", Fault::SlowBody(slow))] {
        caller.sim.script(Endpoint::Upload, fault);
        let response = caller.upload(&bearer, &upload_body(name, DATA)).await;
        assert_eq!((response.status, response.body.len()), (200, 36));
        // The last byte is on its way before the ledger knows.
        until("the end of the response", async || {
            !caller.sim.ledger().names[name].accepted[0].answer_lost
        })
        .await;
    }
    let long = Duration::from_mins(1);
    for (name, fault) in [("stalled", Fault::Stall(long)), ("slowed", Fault::SlowBody(long))] {
        caller.sim.script(Endpoint::Upload, fault);
        let body = upload_body(name, DATA);
        let is_stored = until("an upload", async || caller.sim.ledger().names.contains_key(name));
        tokio::select! {
            _ = caller.try_upload(&bearer, &body) => panic!("it was answered"),
            () = is_stored => {}
        }
        assert!(caller.sim.ledger().names[name].accepted[0].answer_lost, "{name}");
    }
}

#[tokio::test]
async fn requests_that_come_too_soon_after_a_429_are_counted() {
    let caller = start(SimConfig { notice: Duration::from_hours(1), ..quick() }).await;
    let bearer = caller.token().await;
    let body = upload_body("n", DATA);
    let long = RetryAfter::Seconds(60.0);
    caller.sim.script(Endpoint::Upload, Fault::Throttle(long));
    let response = caller.upload(&bearer, &body).await;
    assert_eq!(
        (response.status, &response.headers["retry-after"]),
        (429, &"60".parse().expect("a"))
    );
    // Another dataset may have been on its way.
    caller.upload(&bearer, &upload_body("other", DATA)).await;
    assert_eq!(caller.sim.ledger().early_requests, 0);
    let uploaded = caller.upload(&bearer, &body).await;
    assert_eq!(caller.sim.ledger().early_requests, 1);

    caller.sim.script(Endpoint::Status, Fault::Throttle(RetryAfter::Seconds(-1.0)));
    caller.sim.script(Endpoint::Status, Fault::Throttle(RetryAfter::Missing));
    caller.sim.script(Endpoint::Status, Fault::Throttle(RetryAfter::Date(Duration::from_mins(1))));
    for present in [true, false, true] {
        let response = caller.get(&bearer, &uploaded.body, "status").await;
        assert_eq!((response.status, response.headers.contains_key("retry-after")), (429, present));
    }
    assert_eq!(caller.sim.ledger().early_requests, 1);
    assert_eq!(caller.get(&bearer, &uploaded.body, "status").await.status, 200);
    assert_eq!(caller.sim.ledger().early_requests, 2);
}

#[tokio::test]
async fn slow_cut_and_enormous_bodies_are_what_they_say() {
    let caller = start(quick()).await;
    let bearer = caller.token().await;
    let uploaded = caller.upload(&bearer, &upload_body("n", DATA)).await.body;
    let delay = Duration::from_millis(5);
    caller.sim.script(Endpoint::Status, Fault::SlowBody(delay));
    let started = Instant::now();
    let response = caller.get(&bearer, &uploaded, "status").await;
    assert_eq!(response.body, "CompletedSuccessfully");
    assert!(started.elapsed() >= delay * 21);

    caller.sim.script(Endpoint::Results, Fault::CutBody);
    // An empty body is cut, too.
    caller.sim.script(Endpoint::Feedback, Fault::CutBody);
    for key in ["tableofresultids", "feedback"] {
        let query = format!("token={uploaded}&dataKey={key}&key=demo-key");
        assert!(caller.try_query(&bearer, &query).await.is_err(), "{key}");
    }
    caller.sim.script(Endpoint::Results, Fault::Enormous(1_000_000));
    let response = caller.get(&bearer, &uploaded, "tableofresultids").await;
    assert_eq!((response.status, response.body.len()), (200, 1_000_000));
    assert_eq!(caller.get(&bearer, &uploaded, "feedback").await.status, 200);
}

#[tokio::test]
async fn in_an_outage_every_request_fails_and_nothing_happens() {
    let caller = start(quick()).await;
    let bearer = caller.token().await;
    caller.sim.set_outage(true);
    for _ in 0..20 {
        let response = caller.try_upload(&bearer, &upload_body("n", DATA)).await;
        assert!(response.is_err() || response.is_ok_and(|response| response.status == 503));
    }
    caller.sim.set_outage(false);
    assert_eq!(caller.sim.ledger().accepted(), 0);
    assert_eq!(caller.upload(&bearer, &upload_body("n", DATA)).await.status, 200);
}

#[tokio::test]
async fn seeded_faults_are_as_frequent_as_configured() {
    let faults = FaultRates {
        server_error: 0.1,
        throttled: 0.1,
        reset: 0.1,
        lost_response: 0.2,
        token_revoked: 0.05,
        ..FaultRates::default()
    };
    let caller = start(SimConfig { faults, seed: 7, ..quick() }).await;
    let wait = Wait::begin("an access token");
    let bearer = loop {
        wait.check();
        let response = caller.ask_token("demo:demo-secret", FORM, GRANT);
        let Ok(response) = tokio::time::timeout(Duration::from_secs(10), response).await else {
            panic!("the token endpoint does not answer")
        };
        if response.status == 200 {
            let response: Value = serde_json::from_str(&response.body).expect("a JSON answer");
            break format!("Bearer {}", response["access_token"].as_str().expect("a token"));
        }
    };
    let before = caller.sim.ledger();
    for batch in 0..20 {
        let bodies: Vec<_> =
            (0..100).map(|n| upload_body(&format!("n{batch}-{n}"), DATA)).collect();
        join_all(bodies.iter().map(|body| caller.try_upload(&bearer, body))).await;
    }
    let ledger = caller.sim.ledger();
    assert_eq!(ledger.requests - before.requests, 2000);
    let count = |name| {
        let counted = |ledger: &ferry_sim::Ledger| ledger.faults.get(name).copied().unwrap_or(0);
        counted(&ledger) - counted(&before)
    };
    for (name, range) in [
        ("server_error", 140..=260),
        ("throttled", 122..=238),
        ("reset", 107..=217),
        ("lost_response", 221..=363),
    ] {
        assert!(range.contains(&count(name)), "{name}: {}", count(name));
    }
    // The only token was revoked once, and was not in use after that.
    assert_eq!(count("token_revoked"), 1);
    assert!(ledger.unauthorized > 500, "{}", ledger.unauthorized);
}

#[tokio::test]
async fn a_dataset_name_may_have_a_fault_of_its_own() {
    let caller = start(quick()).await;
    let bearer = caller.token().await;
    caller.sim.script_name("mine", Fault::ResetAfter);
    assert_eq!(caller.upload(&bearer, &upload_body("other", DATA)).await.status, 200);
    let mine = upload_body("mine", DATA);
    assert!(caller.try_upload(&bearer, &mine).await.is_err());
    assert_eq!(caller.upload(&bearer, &mine).await.status, 409);
}

#[tokio::test]
async fn everything_but_tokens_is_throttled_until_it_is_calm_again() {
    let caller = start(quick()).await;
    caller.sim.throttle_for(Duration::from_mins(1));
    let bearer = caller.token().await;
    let body = upload_body("n", DATA);
    for _ in 0..2 {
        let response = caller.upload(&bearer, &body).await;
        let seconds: u64 = response.headers["retry-after"].to_str().unwrap().parse().unwrap();
        assert!(response.status == 429 && (1..=60).contains(&seconds), "{seconds}");
    }
    assert!(!caller.sim.throttled_for().is_zero());
    let early = caller.sim.ledger().early_requests;
    caller.sim.calm();
    assert!(caller.sim.throttled_for().is_zero());
    assert_eq!(caller.upload(&bearer, &body).await.status, 200);
    assert_eq!(caller.sim.ledger().early_requests, early, "nothing asks it to wait");
}

#[tokio::test]
async fn denied_credentials_get_no_token_and_their_tokens_nothing_until_it_is_calm_again() {
    let caller = start(quick()).await;
    let (bearer, body) = (caller.token().await, upload_body("n", DATA));
    caller.sim.set_denied(true);
    let denied = caller.ask_token("demo:demo-secret", FORM, GRANT).await;
    assert_eq!((denied.status, denied.body.contains("invalid_client")), (401, true));
    assert_eq!(caller.upload(&bearer, &body).await.status, 401);
    assert!(caller.sim.is_denied());
    caller.sim.calm();
    assert_eq!(caller.upload(&bearer, &body).await.status, 200);
}

#[tokio::test]
async fn the_first_row_of_a_valid_dataset_may_be_rejected() {
    let caller = start(quick()).await;
    let bearer = caller.token().await;
    caller.sim.script(Endpoint::Upload, Fault::RejectRow);
    assert!(caller.sim.is_scripted(&Fault::RejectRow));
    let token = caller.upload(&bearer, &upload_body("n", DATA)).await.body;
    assert!(!caller.sim.is_scripted(&Fault::RejectRow));
    let token = token.trim_matches('"');
    until("the verdict", async || {
        caller.get(&bearer, token, "status").await.body == "CompletedWithErrors"
    })
    .await;
    let feedback = caller.get(&bearer, token, "feedback").await;
    let reference = DATA.lines().nth(1).unwrap().split(',').next().unwrap();
    assert!(feedback.body.contains(reference), "{}", feedback.body);
}

#[tokio::test]
async fn a_scripted_fault_can_be_taken_back() {
    let caller = start(quick()).await;
    let bearer = caller.token().await;
    for fault in [Fault::ResetAfter, Fault::RejectRow] {
        caller.sim.script(Endpoint::Upload, fault);
    }
    caller.sim.unscript(&Fault::ResetAfter);
    assert!(caller.sim.is_scripted(&Fault::RejectRow));
    caller.sim.unscript(&Fault::RejectRow);
    assert!(caller.sim.is_script_done());
    assert_eq!(caller.upload(&bearer, &upload_body("n", DATA)).await.status, 200);
}
