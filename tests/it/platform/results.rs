//! Responses of `GetResults`: the status, the feedback and the results.

use std::time::Duration;

use ferry_sim::{Endpoint, Fault, RetryAfter};
use ferry_types::domain::outcome::{Content, PlatformError, Status};

use super::*;

async fn status_through(fault: Fault) -> Result<Status, PlatformError> {
    let (sim, platform) = start(quick()).await;
    sim.script(Endpoint::Status, fault);
    let response = platform.status("t").await;
    assert!(sim.is_script_done());
    response
}

fn pending(word: &str, known: bool) -> Status {
    Status::Pending { status: word.to_owned(), known, retry_after: None }
}

fn failed(word: &str) -> Status {
    Status::Failed { status: word.to_owned() }
}

#[tokio::test]
async fn a_status_is_read_bare_or_quoted_and_in_any_letter_case() {
    for (body, status) in [
        ("completedsuccessfully", Status::Done),
        ("CompletedSuccessfully", Status::Done),
        ("COMPLETEDSUCCESSFULLY\r\n", Status::Done),
        ("\"CompletedSuccessfully\"", Status::Done),
        (" \" completedsuccessfully \" ", Status::Done),
        ("\u{feff}completedsuccessfully", Status::Done),
        ("CompletedWithErrors", failed("completedwitherrors")),
        ("\"completed\"", failed("completed")),
        ("Failed", failed("failed")),
        ("ERROR", failed("error")),
        ("rejected", failed("rejected")),
        ("invalid", failed("invalid")),
        ("Cancelled", failed("cancelled")),
        ("Queued", pending("queued", true)),
        ("Pending", pending("pending", true)),
        ("Submitted", pending("submitted", true)),
        ("\"Processing\"", pending("processing", true)),
        ("InProgress", pending("inprogress", true)),
        ("running", pending("running", true)),
        ("Warming  up", pending("warming up", false)),
        ("\u{dc}bernommen", pending("\u{fc}bernommen", false)),
        ("3", pending("3", false)),
    ] {
        assert_eq!(status_through(says(200, body)).await, Ok(status), "{body}");
    }
    let long = status_through(says(200, "W".repeat(150))).await;
    assert_eq!(long, Ok(pending(&("w".repeat(64) + "…"), false)));
}

#[tokio::test]
async fn a_uuid_in_brackets_is_requested_without_them_where_it_is_unknown() {
    for token in ["{3f2504e0-4f89-41d3-9a0c-0305e82c3301}", "3f2504e0-4f89-41d3-9a0c-0305e82c3301"]
    {
        let (sim, platform) = start(quick()).await;
        sim.script(Endpoint::Status, says(404, ""));
        sim.script(Endpoint::Status, says(200, "completedsuccessfully"));
        let response = platform.status(token).await;
        assert_eq!(response == Ok(Status::Done), token.starts_with('{'), "{response:?}");
        assert_eq!(sim.is_script_done(), token.starts_with('{'));
    }
}

#[tokio::test]
async fn a_success_by_any_other_number_is_read_like_200() {
    for status in [201, 203, 207, 226, 299] {
        let response = status_through(says(status, "completedsuccessfully")).await;
        assert_eq!(response, Ok(Status::Done), "{status}");
    }
}

#[tokio::test]
async fn a_status_that_is_not_there_yet_is_asked_for_again() {
    for (status, body) in [
        (200, ""),
        (202, ""),
        (202, "completedsuccessfully"),
        (204, ""),
        (206, "completed"),
        (200, "<html><body>Down for maintenance</body></html>"),
    ] {
        let response = status_through(says(status, body)).await;
        assert!(is_not_yet(&response), "{status} {body}: {response:?}");
    }
    let fault = says_with(202, ("retry-after", "7"), "");
    let Err(PlatformError::NotYet { retry_after, .. }) = status_through(fault).await else {
        panic!("it is there")
    };
    assert_eq!(retry_after, Some(Duration::from_secs(7)));
}

#[tokio::test]
async fn a_status_that_cannot_be_read_is_shown() {
    for body in ["{\"oddly\":\"shaped\"}", "completed\nsuccessfully", &"x".repeat(201)] {
        let response = status_through(says(200, body)).await;
        assert!(is_unreadable(&response), "{body}: {response:?}");
        let shown = response.expect_err("no status").to_string();
        assert!(shown.contains(&body.replace('\n', " ")[..10]), "{shown}");
    }
    let wrapped = status_through(says(200, r#"{"status":"completedsuccessfully"}"#)).await;
    assert_eq!(wrapped, Ok(Status::Done));
}

#[tokio::test]
async fn an_answer_that_is_no_status_is_transient() {
    let (sim, platform) = start(quick()).await;
    let token = platform.upload(upload("n")).await.expect("it is accepted");
    for fault in [Fault::CutBody, Fault::ResetBefore, Fault::ResetAfter] {
        sim.script(Endpoint::Status, fault.clone());
        let response = platform.status(&token).await;
        assert!(is_transient(&response), "{fault:?}: {response:?}");
    }
    for status in [302, 400, 405, 408, 409, 425, 500, 502, 503, 504] {
        let text = format!("GetResults (status): responded {status}: `x`");
        assert_eq!(status_through(says(status, "x")).await, Err(PlatformError::Transient(text)));
    }
}

#[tokio::test]
async fn a_status_of_enormous_length_is_not_read() {
    let response = status_through(Fault::Enormous(1 << 30)).await;
    let expected =
        "GetResults (status): the response is longer than 65536 bytes, and no status word";
    assert_eq!(response, Err(PlatformError::Transient(expected.into())));
}

#[tokio::test]
async fn a_status_that_does_not_come_in_time_is_transient() {
    let (sim, platform) = start(quick()).await;
    let token = platform.upload(upload("n")).await.expect("it is accepted");
    let account = account_of(&ferry_sim::Credentials::default());
    let account = AccountConfig { token_url: sim.token_url(), api_url: sim.api_url(), ..account };
    let platform = client(account, impatient(), 0);
    platform.check_credentials().await.expect("a token");
    for fault in [Fault::SlowBody(Duration::from_millis(100)), Fault::Stall(Duration::from_mins(1))]
    {
        sim.script(Endpoint::Status, fault.clone());
        let response = platform.status(&token).await;
        assert!(is_transient(&response), "{fault:?}: {response:?}");
    }
    assert_eq!(platform.status(&token).await, Ok(Status::Done));
}

#[tokio::test]
async fn a_processing_token_that_the_platform_does_not_know_is_reported_as_such() {
    let (_sim, platform) = start(quick()).await;
    assert_eq!(platform.status("t").await, Err(PlatformError::UnknownToken));
    assert_eq!(platform.feedback("").await, Err(PlatformError::UnknownToken));
    assert_eq!(platform.result("a&key=b#c", "k").await, Err(PlatformError::UnknownToken));
}

#[tokio::test]
async fn a_question_may_be_answered_with_a_pause() {
    let response = status_through(Fault::Throttle(seconds(1.5))).await;
    assert_eq!(pause(response), Some(Duration::from_millis(1500)));
    let response = status_through(Fault::Throttle(RetryAfter::Missing)).await;
    assert_eq!(pause(response), None);
    let response = status_through(says_with(503, ("retry-after", "4"), "")).await;
    assert_eq!(pause(response), Some(Duration::from_secs(4)));
}

#[tokio::test]
async fn contents_keep_their_bytes_and_their_type() {
    let (sim, platform) = start(quick()).await;
    for (content_type, body) in [
        ("application/json", "{\"a\": [1,  2]}\r\n"),
        ("text/csv; charset=utf-8; header=present", "\u{feff}a,b\r\n\"x\n\",\u{0}\n"),
        ("text/html", "Id\n1\n"),
    ] {
        let expected = Content {
            content_type: Some(content_type.to_owned()),
            bytes: body.as_bytes().to_vec(),
        };
        sim.script(Endpoint::Feedback, says_with(200, ("content-type", content_type), body));
        assert_eq!(platform.feedback("t").await, Ok(expected.clone()));
        sim.script(Endpoint::Results, says_with(200, ("content-type", content_type), body));
        assert_eq!(platform.result("t", "any key & more").await, Ok(expected));
    }
    let page = "  <html>\u{fffd}  ";
    sim.script(Endpoint::Results, says_with(200, ("content-type", "application/x"), page));
    assert_eq!(platform.result("t", "page").await.expect("a result").bytes, page.as_bytes());
}

#[tokio::test]
async fn contents_that_are_not_there_yet_are_asked_for_again() {
    let (sim, platform) = start(quick()).await;
    let page =
        says_with(200, ("content-type", "text/html"), "<!doctype html><title>Sign in</title>");
    let mut faults =
        vec![says(202, "processing"), says(204, ""), says(206, "Id\n"), says(200, ""), page];
    for content_type in ["text/plain", "text/csv", "application/json", "application/octet-stream"] {
        let login = "<!doctype html><title>Sign in</title>";
        faults.push(says_with(200, ("content-type", content_type), login));
    }
    for fault in faults {
        sim.script(Endpoint::Results, fault.clone());
        let response = platform.result("t", "k").await;
        assert!(is_not_yet(&response), "{fault:?}: {response:?}");
        sim.script(Endpoint::Feedback, fault.clone());
        let response = platform.feedback("t").await;
        assert!(is_not_yet(&response), "{fault:?}: {response:?}");
    }
}

#[tokio::test]
async fn contents_that_only_say_that_they_are_compressed_stay_as_they_are() {
    let (sim, platform) = start(quick()).await;
    sim.script(Endpoint::Results, says_with(200, ("content-encoding", "gzip"), "not really"));
    assert_eq!(platform.result("t", "k").await.expect("a result").bytes, b"not really");
}

#[tokio::test]
async fn contents_are_read_up_to_the_limit_and_no_further() {
    let (sim, platform) = start(quick()).await;
    let limit = limits().max_response_bytes;
    sim.script(Endpoint::Results, Fault::Enormous(limit));
    let largest = platform.result("t", "k").await.expect("a result");
    assert_eq!(largest.bytes.len() as u64, limit);
    sim.script(Endpoint::Results, Fault::Enormous(limit + 1));
    let endpoint = "GetResults (results)";
    let response = platform.result("t", "k").await;
    assert_eq!(response, Err(PlatformError::TooLarge { endpoint, limit }));
    sim.script(Endpoint::Feedback, Fault::Enormous(1 << 40));
    let endpoint = "GetResults (feedback)";
    let response = platform.feedback("t").await;
    assert_eq!(response, Err(PlatformError::TooLarge { endpoint, limit }));
}

#[tokio::test]
async fn a_declined_result_is_distinguished_from_an_outage_and_quoted() {
    let (sim, platform) = start(quick()).await;
    let token = platform.upload(upload("n")).await.expect("it is accepted");
    for status in [400, 405, 410, 422, 500] {
        sim.script(Endpoint::Results, says(status, "no such dataKey"));
        let response = platform.result(&token, "tableofresultids").await;
        let what = format!("GetResults (results): responded {status}: `no such dataKey`");
        let declined = PlatformError::Declined { may_be_outage: status >= 500, what };
        assert_eq!(response.map(drop), Err(declined));
    }
    for (fault, is_silent) in
        [(Fault::CutBody, false), (Fault::ResetBefore, true), (Fault::ResetAfter, true)]
    {
        sim.script(Endpoint::Results, fault.clone());
        let response = platform.result(&token, "tableofresultids").await;
        let is_declined = matches!(
            &response,
            Err(PlatformError::Declined { may_be_outage, .. }) if *may_be_outage == is_silent
        );
        assert!(is_declined, "{fault:?}: {response:?}");
    }
}

#[tokio::test]
async fn contents_of_a_gateway_in_an_outage_are_transient() {
    let (sim, platform) = start(quick()).await;
    let token = platform.upload(upload("n")).await.expect("it is accepted");
    sim.script(Endpoint::Results, says(503, ""));
    let response = platform.result(&token, "tableofresultids").await;
    assert!(is_transient(&response), "{response:?}");
    sim.script(Endpoint::Feedback, says(503, ""));
    let response = platform.feedback(&token).await;
    assert!(is_transient(&response), "{response:?}");
    platform.result(&token, "tableofresultids").await.expect("a result");
}
