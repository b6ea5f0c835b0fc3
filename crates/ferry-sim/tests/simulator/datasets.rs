//! Datasets at the simulator: verdicts, results, feedback, and when they are forgotten.

use super::*;

#[tokio::test]
async fn a_name_is_replaced_only_with_overwrite_and_its_old_token_is_gone() {
    let caller = start(quick()).await;
    let bearer = caller.token().await;
    let first = caller.upload(&bearer, &upload_body("n", DATA)).await;
    assert_eq!(first.status, 200);
    let again = caller.upload(&bearer, &upload_body("n", DATA)).await;
    assert_eq!((again.status, again.body.as_str()), (409, "a dataset named n already exists"));
    for overwrite in [json!("true"), json!(true)] {
        let before = caller.sim.ledger().names["n"].accepted.last().cloned().expect("an upload");
        let mut body = upload_body("n", DATA);
        body["Overwrite"] = overwrite;
        let replaced = caller.upload(&bearer, &body).await;
        assert_eq!(replaced.status, 200);
        let old = caller.get(&bearer, &before.processing_token, "status").await;
        assert_eq!(old.status, 404);
        let new = caller.get(&bearer, &replaced.body, "status").await;
        assert_eq!(new.body, "CompletedSuccessfully");
    }
    let mut body = upload_body("n", DATA);
    body["Overwrite"] = json!(false);
    assert_eq!(caller.upload(&bearer, &body).await.status, 409);
    let ledger = caller.sim.ledger();
    let name = &ledger.names["n"];
    let overwrites: Vec<bool> = name.accepted.iter().map(|upload| upload.overwrite).collect();
    assert_eq!((overwrites, name.rejected_exists), (vec![false, true, true], 2));
    assert_eq!(name.accepted[0].data_bytes, DATA.len() as u64);
    assert_eq!((ledger.doubled(), ledger.uploads_rejected), (vec!["n"], 2));
}

#[tokio::test]
async fn results_are_derived_from_every_cell_of_the_data() {
    let caller = start(quick()).await;
    let bearer = caller.token().await;
    let uploaded = caller.upload(&bearer, &upload_body("n", DATA)).await;
    let results = caller.get(&bearer, &uploaded.body, "tableofresultids").await;
    assert_eq!(results.headers["content-type"], "text/csv");
    assert_eq!(results.body, expected_results("n", DATA));
    assert!(results.body.starts_with("Reference,ResultId\nR1,"), "{}", results.body);
    assert_eq!(results.body.lines().count(), 3);
    let other = caller.get(&bearer, &uploaded.body, "anything").await;
    assert_eq!((other.status, other.body.as_str()), (200, r#"{"key":"anything","rows":2}"#));
    let feedback = caller.get(&bearer, &uploaded.body, "feedback").await;
    assert_eq!((feedback.status, feedback.body.as_str()), (200, ""));

    let changed = [
        DATA.replace("08:00", "08:01"),
        DATA.replace("R2", "R3"),
        DATA.replace("R1,", "R1 ,"),
        DATA.replace("00:00\n", "00:00,x\n"),
    ];
    let mut seen = BTreeSet::from([expected_results("n", DATA), expected_results("m", DATA)]);
    assert_eq!(seen.len(), 2);
    seen.extend(changed.iter().map(|data| expected_results("n", data)));
    assert_eq!(seen.len(), 6);
}

#[tokio::test]
async fn a_dataset_with_faults_gets_feedback_with_row_numbers_that_count_the_header() {
    let caller = start(quick()).await;
    let bearer = caller.token().await;
    let data = "Reference,StartDate,StartTime,EndDate,EndTime\n\
                R1,1/02/2026,08:00,31/02/2026,9:30\n\
                UNKNOWN|7,01/02/2026,08:00,01/02/2026,24:01\n\
                R3,01/02/2026\n\
                ,01/02/2026,08:00,01/02/2026,09:00\n";
    let mut body = upload_body("n", data);
    body["EventData"] = json!("R1,01/02/2026,08:00,01/02/2026,09:00,Fall,3\n");
    let uploaded = caller.upload(&bearer, &body).await;
    assert_eq!(caller.get(&bearer, &uploaded.body, "status").await.body, "CompletedWithErrors");
    let feedback = caller.get(&bearer, &uploaded.body, "feedback").await;
    let expected = "2|1/02/2026|not a date\n\
                    2|31/02/2026|not a date\n\
                    2|9:30|not a time\n\
                    3|24:01|not a time\n\
                    3|UNKNOWN|7|unknown reference\n\
                    4|R3|too few columns\n\
                    5||a reference is required\n\
                    1|3|time reference must be 0, 1 or 2\n";
    assert_eq!(feedback.body, expected);
    assert_eq!(caller.get(&bearer, &uploaded.body, "tableofresultids").await.status, 409);
}

#[tokio::test]
async fn a_dataset_is_ready_when_its_time_has_passed_and_not_before() {
    let time = Duration::from_millis(200);
    let processing = Processing::Fixed(time);
    let dialect = Dialect::named("quoted");
    let caller = start(SimConfig { processing, dialect, ..SimConfig::default() }).await;
    let bearer = caller.token().await;
    let started = Instant::now();
    let uploaded = caller.upload(&bearer, &upload_body("n", DATA)).await;
    let token: String = serde_json::from_str(&uploaded.body).expect("a JSON string");
    assert_eq!(caller.get(&bearer, &token, "tableofresultids").await.status, 409);
    let mut words = Vec::new();
    let wait = Wait::begin("the verdict");
    while words.last().is_none_or(|word| word != "\"CompletedSuccessfully\"") {
        wait.check();
        words.push(caller.get(&bearer, &token, "status").await.body);
    }
    assert!(started.elapsed() >= time);
    let polls = words.len() as u64;
    words.dedup();
    assert_eq!(words, ["\"Submitted\"", "\"Processing\"", "\"CompletedSuccessfully\""]);
    let ledger = caller.sim.ledger();
    let name = &ledger.names["n"];
    assert_eq!((name.polls_before_ready, name.polls_after_ready), (polls - 1, 1));
    assert_eq!((ledger.polls(), ledger.accepted(), ledger.requests), (polls, 1, polls + 3));
}

#[tokio::test]
async fn what_is_old_is_forgotten_and_still_counted() {
    let caller = start(SimConfig { memory: Duration::ZERO, ..quick() }).await;
    let bearer = caller.token().await;
    let first = caller.upload(&bearer, &upload_body("n0", DATA)).await.body;
    assert_eq!(caller.get(&bearer, &first, "status").await.status, 200);
    for n in 1..10 {
        caller.upload(&bearer, &upload_body(&format!("n{n}"), DATA)).await;
    }
    assert_eq!(caller.get(&bearer, &first, "status").await.status, 404);
    let ledger = caller.sim.ledger();
    assert_eq!((ledger.names.len(), ledger.forgotten.names), (1, 9));
    assert_eq!((ledger.accepted(), ledger.polls()), (10, 1));
    let rejected = caller.upload(&bearer, &upload_body("n9", DATA)).await;
    assert_eq!(rejected.status, 409);
    assert_eq!(caller.upload(&bearer, &upload_body("n0", DATA)).await.status, 200);
}

#[tokio::test]
async fn the_ledger_can_be_read_over_http_and_holds_no_secret() {
    let caller = start(quick()).await;
    let bearer = caller.token().await;
    caller.upload(&bearer, &upload_body("n", DATA)).await;
    let url = format!("http://{}/ledger", caller.sim.address());
    let ledger = caller.send(Method::GET, &url, &[], "").await.expect("a response").body;
    let parsed: Value = serde_json::from_str(&ledger).expect("a JSON answer");
    assert_eq!(parsed["names"]["n"]["accepted"][0]["overwrite"], json!(false));
    let shown = format!("{ledger} {:?} {:?}", caller.sim, caller.sim.ledger());
    for secret in ["demo-secret", "demo-key", &bearer["Bearer ".len()..], "R1"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}
