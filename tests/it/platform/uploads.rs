//! Uploads: the request, and the meaning of every response.

use std::time::{Duration, Instant};

use ferry_sim::{Credentials, Dialect, Endpoint, Fault, RetryAfter, Sim, expected_results};
use ferry_types::domain::outcome::PlatformError;

use super::*;

/// Result of one upload to a Platform with this fault.
async fn upload_through(fault: Fault) -> (Sim, Result<String, PlatformError>) {
    let (sim, platform) = start(quick()).await;
    sim.script(Endpoint::Upload, fault);
    let response = platform.upload(upload("n")).await;
    assert!(sim.is_script_done());
    // Whatever it was, the client does not try again by itself.
    assert_eq!(sim.ledger().requests, 2);
    (sim, response)
}

fn account_at(token_url: &str, api_url: &str) -> AccountConfig {
    let account = account_of(&Credentials::default());
    AccountConfig { token_url: token_url.into(), api_url: api_url.into(), ..account }
}

#[tokio::test]
async fn a_dataset_arrives_as_it_is() {
    let formats = [OverwriteFormat::Strings, OverwriteFormat::Booleans];
    let of_format = |format| Dialect::ALL.map(|dialect| (format, dialect));
    for (overwrite_format, dialect) in formats.into_iter().flat_map(of_format) {
        let (sim, _) = start(SimConfig { dialect: Some(dialect), ..quick() }).await;
        let account = AccountConfig { overwrite_format, ..account_of(&Credentials::default()) };
        let platform = client_of(&sim, account);
        let name = "Näme / \"quoted\" & more";
        for overwrite in [false, true] {
            let token = platform.upload(Upload { overwrite, ..upload(name) }).await;
            let token = token.expect("it is accepted");
            assert_eq!(token.len(), 36, "{token}");
            let results = platform.result(&token, "tableofresultids").await.expect("results");
            assert_eq!(results.bytes, expected_results(name, DATA).into_bytes());
        }
        let ledger = sim.ledger();
        let sent: Vec<bool> = ledger.names[name].accepted.iter().map(|a| a.overwrite).collect();
        assert_eq!(sent, [false, true]);
    }
}

#[tokio::test]
async fn event_data_is_sent_if_there_is_any() {
    let (_sim, platform) = start(plain()).await;
    let event_data = "R1,01/02/2026,08:00,01/02/2026,09:00,Fall,9\n";
    let with = Upload { event_data: Some(event_data), ..upload("with") };
    let token = platform.upload(with).await.expect("it is accepted");
    let feedback = platform.feedback(&token).await.expect("feedback");
    assert_eq!(feedback.bytes, b"1|9|time reference must be 0, 1 or 2\n");
    let token = platform.upload(upload("without")).await.expect("it is accepted");
    assert!(is_not_yet(&platform.feedback(&token).await), "it has no feedback");
}

#[tokio::test]
async fn connection_refused_is_transient() {
    let (sim, _) = start(quick()).await;
    let (token_url, api_url) = (sim.token_url(), sim.api_url());
    let (other, _) = start(quick()).await;
    sim.stop().await;
    let platform = client(account_at(&token_url, &api_url), limits(), 0);
    let response = platform.upload(upload("n")).await;
    assert!(is_transient(&response), "{response:?}");
    // With the token in hand, the upload itself is not sent either.
    let platform = client(account_at(&other.token_url(), &api_url), limits(), 0);
    let response = platform.upload(upload("n")).await;
    assert!(is_transient(&response), "{response:?}");
    assert_eq!(other.ledger().tokens_issued, 1);
}

#[tokio::test]
async fn a_host_that_does_not_exist_is_transient() {
    let (sim, _) = start(quick()).await;
    let account = account_at(&sim.token_url(), "http://nonexistent.invalid/upload");
    let response = client(account, limits(), 0).upload(upload("n")).await;
    assert!(is_transient(&response), "{response:?}");
    let account = account_at("http://nonexistent.invalid/token", &sim.api_url());
    let response = client(account, limits(), 0).upload(upload("n")).await;
    assert!(is_transient(&response), "{response:?}");
}

#[tokio::test]
async fn a_failed_handshake_is_transient() {
    let (sim, _) = start(quick()).await;
    let api_url = sim.api_url().replace("http:", "https:");
    let platform = client(account_at(&sim.token_url(), &api_url), limits(), 0);
    let response = platform.upload(upload("n")).await;
    assert!(is_transient(&response), "{response:?}");
}

#[tokio::test]
async fn a_connection_that_takes_too_long_is_transient() {
    let (sim, _) = start(quick()).await;
    // It accepts no connection, and its queue of two is full.
    let deaf = tokio::net::TcpSocket::new_v4().expect("a socket");
    deaf.bind(localhost()).expect("a free port");
    let deaf = deaf.listen(1).expect("a listener");
    let address = deaf.local_addr().expect("an address");
    let mut waiting = Vec::new();
    let short = Duration::from_millis(300);
    while let Ok(connection) =
        tokio::time::timeout(short, tokio::net::TcpStream::connect(address)).await
    {
        waiting.push(connection.expect("a connection"));
    }
    let api_url = format!("http://{address}/upload");
    // Even if the whole call may take no longer than the connection.
    let platform = client(account_at(&sim.token_url(), &api_url), impatient(), 0);
    let response = platform.upload(upload("n")).await;
    assert!(is_transient(&response), "{response:?}");
}

#[tokio::test]
async fn an_answer_that_says_that_nothing_was_taken_is_transient() {
    let redirected = [301, 307, 308].map(|status| {
        format!(
            "UploadData: responded {status}, a redirect to another path of the same host; check \
             `api_url`"
        )
    });
    for (fault, text) in [
        (says(425, ""), "UploadData: responded 425"),
        (says(407, ""), "UploadData: the proxy on the way requires credentials (407)"),
        (says_with(301, ("location", "/elsewhere"), ""), redirected[0].as_str()),
        (says_with(307, ("location", "/elsewhere"), ""), redirected[1].as_str()),
        (says_with(308, ("location", "/elsewhere"), ""), redirected[2].as_str()),
    ] {
        let (sim, response) = upload_through(fault).await;
        assert_eq!(response, Err(PlatformError::Transient(text.into())));
        assert_eq!(sim.ledger().accepted(), 0);
    }
}

#[tokio::test]
async fn an_answer_that_nothing_is_there_says_what_to_check() {
    for (status, words, shown) in
        [(404, "", ""), (405, "", ""), (410, "moved out", ": `moved out`"), (421, "", "")]
    {
        let (sim, response) = upload_through(says(status, words)).await;
        let what = format!("UploadData: nothing is there ({status}); check `api_url`{shown}");
        assert_eq!(response, Err(PlatformError::WrongAddress { status, what }));
        assert_eq!(sim.ledger().accepted(), 0);
    }
}

#[tokio::test]
async fn a_status_that_speaks_of_no_dataset_rejects_none() {
    for status in [402, 406, 411, 415, 417, 418, 423, 424, 426, 428, 431, 451, 494, 498] {
        let (sim, response) = upload_through(says(status, "not here")).await;
        let what = format!("UploadData: responded {status}: `not here`");
        assert_eq!(response, Err(PlatformError::WrongAddress { status, what }));
        assert_eq!(sim.ledger().accepted(), 0);
    }
}

#[tokio::test]
async fn an_answer_that_leaves_open_what_became_of_the_upload_is_ambiguous() {
    for status in [302, 303, 408, 460, 499, 500, 501, 502, 503, 504, 507, 520, 599] {
        let (_, response) = upload_through(says(status, "<html>oops</html>")).await;
        let text = format!("UploadData: responded {status}: `<html>oops</html>`");
        assert_eq!(response, Err(PlatformError::Ambiguous(text)));
    }
}

#[tokio::test]
async fn throttling_leaves_open_what_became_of_the_upload_if_a_gateway_may_have_said_it() {
    for (status, expected) in [(429, false), (503, true)] {
        let (_, response) = upload_through(says_with(status, ("retry-after", "7"), "")).await;
        let Err(PlatformError::Throttled { retry_after, ambiguous, .. }) = response else {
            panic!("{status}: {response:?}")
        };
        assert_eq!((retry_after, ambiguous), (Some(Duration::from_secs(7)), expected), "{status}");
    }
}

#[tokio::test]
async fn a_success_without_a_processing_token_is_shown() {
    for (status, body) in [
        (204, ""),
        (200, ""),
        (200, " \r\n"),
        (200, "<html><body>Signed out</body></html>"),
        (200, "null"),
        (200, "true"),
        (200, "OK"),
        (200, "\"\""),
        (200, "{\"oddly\":\"shaped\"}"),
        (200, "[\"6b3f\"]"),
        (200, "two words 1"),
        (202, "accepted"),
        // The rest of a part is missing, and that of a UUID.
        (206, "\"3f2504e0-4f89-41d3-9a0c-0305e82c3301\""),
        (206, "3f2504e0-4f89-41d3-9"),
        (200, "3f2504e0-4f89-41d3-9a0c-0305e82c330"),
    ] {
        let (_, response) = upload_through(says(status, body)).await;
        assert!(is_unreadable(&response), "{status} {body}: {response:?}");
        let shown = response.expect_err("no token").to_string();
        assert!(shown.contains(body.trim()), "{status} {body}: {shown}");
    }
    let (_, response) = upload_through(says(200, "1".repeat(1000))).await;
    assert!(is_ambiguous(&response), "{response:?}");
}

#[tokio::test]
async fn a_processing_token_may_be_bare_or_quoted() {
    let token = "0b1f3c1e-7a54-4c55-9d0c-2f4a8f1f0001";
    for body in [
        token.to_owned(),
        format!("{token}\r\n"),
        format!("\"{token}\""),
        format!(" \"{token}\" \n"),
        format!("\u{feff}{token}"),
        format!("\u{feff}\"{token}\""),
    ] {
        let (_, response) = upload_through(says(201, body.clone())).await;
        assert_eq!(response.as_deref(), Ok(token), "{body}");
    }
}

#[tokio::test]
async fn a_lost_response_is_ambiguous_whether_or_not_the_upload_was_stored() {
    for (fault, stored) in [
        (Fault::ResetBefore, 0),
        (Fault::ResetAfter, 1),
        (Fault::CutBody, 1),
        (Fault::Enormous(1 << 20), 1),
    ] {
        let (sim, response) = upload_through(fault.clone()).await;
        assert!(is_ambiguous(&response), "{fault:?}: {response:?}");
        assert_eq!(sim.ledger().accepted(), stored, "{fault:?}");
    }
}

#[tokio::test]
async fn an_answer_that_does_not_come_in_time_is_ambiguous() {
    for fault in [Fault::Stall(Duration::from_mins(1)), Fault::SlowBody(Duration::from_millis(100))]
    {
        let (sim, _) = start(quick()).await;
        let platform = client(account_at(&sim.token_url(), &sim.api_url()), impatient(), 0);
        platform.check_credentials().await.expect("a token");
        sim.script(Endpoint::Upload, fault.clone());
        let started = Instant::now();
        let response = platform.upload(upload("n")).await;
        assert!(is_ambiguous(&response), "{fault:?}: {response:?}");
        assert!(started.elapsed() >= impatient().request_timeout);
        assert_eq!(sim.ledger().accepted(), 1);
        // Tried once more unchanged, it says that something is there.
        let again = platform.upload(upload("n")).await;
        assert!(matches!(again, Err(PlatformError::Rejected { .. })), "{again:?}");
        assert!(sim.ledger().doubled().is_empty());
    }
}

#[tokio::test]
async fn a_rejection_has_the_words_of_the_platform() {
    for (status, body, words) in [
        (400, "Data: missing\r\n\tcolumn `EndTime`", "Data: missing column `EndTime`"),
        (400, "A dataset with this Name Already Exists.", ""),
        (409, "conflict", "conflict"),
        (413, "", ""),
        (409, "{\"title\":\"no\"}", "{\"title\":\"no\"}"),
        (422, "Ung\u{fc}ltig\u{0}", "Ung\u{fc}ltig"),
    ] {
        let (_, response) = upload_through(says(status, body)).await;
        let words = if words.is_empty() { body } else { words }.to_owned();
        assert_eq!(response, Err(PlatformError::Rejected { status, words }));
    }
    let (_, response) = upload_through(says(400, "\u{e4}".repeat(5000))).await;
    let Err(PlatformError::Rejected { words, .. }) = response else { panic!("{response:?}") };
    assert_eq!(words, "\u{e4}".repeat(500) + "…");
}

#[tokio::test]
async fn a_rejection_is_one_even_if_its_body_is_too_long_or_too_slow() {
    let (sim, response) = upload_through(says(413, "x".repeat(1 << 20))).await;
    assert!(matches!(response, Err(PlatformError::Rejected { status: 413, .. })), "{response:?}");
    drop(sim);
    let (sim, _) = start(quick()).await;
    let platform = client(account_at(&sim.token_url(), &sim.api_url()), impatient(), 0);
    platform.upload(upload("n")).await.expect("it is accepted");
    for fault in [Fault::CutBody, Fault::SlowBody(Duration::from_millis(100))] {
        sim.script(Endpoint::Upload, fault);
        let response = platform.upload(upload("n")).await;
        assert!(matches!(response, Err(PlatformError::Rejected { .. })), "{response:?}");
    }
}

#[tokio::test]
async fn an_upload_that_is_too_large_is_rejected() {
    let (sim, platform) = start(SimConfig { max_upload_bytes: 1 << 16, ..quick() }).await;
    let data = format!("{DATA}{}", "x".repeat(8 << 20));
    let response = platform.upload(Upload { data: &data, ..upload("n") }).await;
    assert!(matches!(response, Err(PlatformError::Rejected { status: 413, .. })), "{response:?}");
    assert_eq!(sim.ledger().accepted(), 0);
}

#[tokio::test]
async fn the_platform_may_ask_to_wait_in_many_ways() {
    let (sim, platform) = start(quick()).await;
    let secs = Duration::from_secs;
    for (status, value, delay) in [
        (429, "7", Some(secs(7))),
        (429, " 7 ", Some(secs(7))),
        (429, "0.25", Some(Duration::from_millis(250))),
        (429, "0", None),
        (429, "-5", None),
        (429, "soon", None),
        (429, "NaN", None),
        (429, "infinity", None),
        (429, "1e999", None),
        (429, "-nan", None),
        (429, "-inf", None),
        (429, "0x10", None),
        (429, ".", None),
        (429, "7.5.1", None),
        (429, "99999999999999999999", Some(secs(365 * 86_400))),
        (429, "Sun, 06 Nov 1994 08:49:37 GMT", None),
        (429, "Fri, 31 Dec 9999 23:59:59 GMT", Some(secs(365 * 86_400))),
        (503, "7", Some(secs(7))),
        (503, "0", None),
        (429, "", None),
    ] {
        sim.script(Endpoint::Upload, says_with(status, ("retry-after", value), ""));
        let response = platform.upload(upload("n")).await;
        assert_eq!(super::pause(response), delay, "{status} {value}");
    }
    sim.script(Endpoint::Upload, Fault::Throttle(RetryAfter::Missing));
    assert_eq!(super::pause(platform.upload(upload("n")).await), None);
    assert_eq!(sim.ledger().accepted(), 0);
    sim.script(Endpoint::Upload, Fault::Throttle(seconds(2.0)));
    let text = platform.upload(upload("n")).await.expect_err("a pause").to_string();
    assert_eq!(text, "UploadData: throttled for 2s (429)");
}

#[tokio::test]
async fn a_retry_after_that_is_no_delay_counts_as_absent_on_any_status() {
    for value in ["-nan", "NaN", "inf", "-1", "soon", "1e999", "99999999999999999999999", "\u{e9}"]
    {
        let (_, response) = upload_through(says_with(503, ("retry-after", value), "")).await;
        let is_number = value.starts_with('9');
        assert_eq!(is_ambiguous(&response), !is_number, "{value}: {response:?}");
        let token = "0b1f3c1e-7a54-4c55-9d0c-2f4a8f1f0001";
        let (_, response) = upload_through(says_with(200, ("retry-after", value), token)).await;
        assert_eq!(response.as_deref(), Ok(token), "{value}");
        let (_, response) = upload_through(says_with(400, ("retry-after", value), "")).await;
        assert!(matches!(response, Err(PlatformError::Rejected { .. })), "{value}: {response:?}");
    }
}

#[tokio::test]
async fn a_redirect_is_reported_with_its_host_alone() {
    for (location, target) in [
        ("https://api.example.com/UploadData?key=secret", "`https://api.example.com`"),
        ("//other.example.com:8443/x", "`https://other.example.com:8443`"),
        ("http://[::1]:80\t/", "`http://[::1]`"),
        ("?key=secret", "another path of the same host"),
        ("http://", "nowhere"),
    ] {
        let (_, response) = upload_through(says_with(307, ("location", location), "")).await;
        let text = response.expect_err("a redirect").to_string();
        assert!(text.contains(&format!("a redirect to {target}; check `api_url`")), "{text}");
        assert!(!text.contains("secret"), "{text}");
    }
}

#[tokio::test]
async fn a_date_to_wait_for_counts_from_the_date_of_the_answer() {
    let (sim, platform) = start(quick()).await;
    let headers = |date: &str, retry_after: &str| Fault::Respond {
        status: 429,
        headers: vec![("date".into(), date.into()), ("retry-after".into(), retry_after.into())],
        body: String::new(),
    };
    for (date, retry_after) in [
        ("Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:50:07 GMT"),
        ("Sunday, 06-Nov-94 08:49:37 GMT", "Sunday, 06-Nov-94 08:50:07 GMT"),
        ("Sun Nov  6 08:49:37 1994", "Sun Nov  6 08:50:07 1994"),
    ] {
        sim.script(Endpoint::Upload, headers(date, retry_after));
        let requested = pause(platform.upload(upload("n")).await);
        assert_eq!(requested, Some(Duration::from_secs(30)), "{date}");
    }
    // A response without a usable date leaves only the own clock.
    let at = SystemClock.now() + chrono::TimeDelta::seconds(100);
    let at = at.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    sim.script(Endpoint::Upload, headers("today", &at));
    let requested = pause(platform.upload(upload("n")).await).expect("a pause").as_secs_f64();
    assert!((90.0..=100.0).contains(&requested), "{requested}");
}

#[tokio::test]
async fn a_redirect_is_not_followed_with_credentials() {
    let (sim, platform) = start(quick()).await;
    let (elsewhere, _) = start(quick()).await;
    platform.check_credentials().await.expect("a token");
    for status in [301, 302, 303, 307, 308] {
        for endpoint in [Endpoint::Upload, Endpoint::Status, Endpoint::Token] {
            let to = format!("{}/GetResults", elsewhere.api_url());
            sim.script(endpoint, says_with(status, ("location", &to), ""));
        }
        let fresh = client(account_at(&sim.token_url(), &sim.api_url()), limits(), 0);
        assert!(is_transient(&fresh.check_credentials().await));
        let response = platform.upload(upload("n")).await;
        assert!(is_transient(&response) || is_ambiguous(&response), "{response:?}");
        assert!(is_transient(&platform.status("t").await));
    }
    assert_eq!(elsewhere.ledger().requests, 0);
}

#[tokio::test]
async fn a_pooled_connection_that_was_closed_meanwhile_makes_no_doubt() {
    let (mut sim, platform) = start(quick()).await;
    let address = sim.address();
    for n in 0..20 {
        // Leaves an idle connection, which then breaks.
        platform.upload(upload(&format!("before {n}"))).await.expect("it is accepted");
        sim.stop().await;
        sim = Sim::start(drawn(quick()), address).await.expect("the port is free again");
        let response = platform.upload(upload(&format!("after {n}"))).await;
        assert!(response.is_ok(), "{n}: {response:?}");
    }
}

#[tokio::test]
async fn addresses_are_checked_before_anything_is_sent() {
    let good = "https://api.example.com/upload";
    for (token_url, api_url, text) in [
        ("", good, "account `main`: `token_url`: not a URL: relative URL without a base"),
        (
            good,
            "ftp://example.com",
            "account `main`: `api_url`: the URL must begin with https:// (or http://)",
        ),
        (
            good,
            "https://me:pw@example.com",
            "account `main`: `api_url`: the URL must not hold credentials",
        ),
        (
            good,
            "https://e.com/?key=pw",
            "account `main`: `api_url`: the URL must not have a query or a fragment",
        ),
    ] {
        let made = Client::new(account_at(token_url, api_url), limits(), Arc::new(SystemClock));
        assert_eq!(made.expect_err("a bad address").to_string(), text);
    }
}
