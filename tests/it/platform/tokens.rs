//! The access token: its request, its life, and the meaning of a denial.

use std::pin::pin;
use std::time::Duration;

use ferry_sim::{Credentials, Dialect, Endpoint, Fault, RetryAfter, Sim, SimConfig};
use ferry_testing::Wait;
use ferry_types::domain::outcome::{PlatformError, Status};
use futures_util::future::join_all;

use super::*;

/// A dataset that is stored, for calls that need a token.
async fn stored(platform: &Client) -> String {
    platform.upload(upload("stored")).await.expect("it is accepted")
}

async fn asks_once(platform: &Client, sim: &Sim) -> Result<(), PlatformError> {
    let before = sim.ledger().requests;
    let response = platform.check_credentials().await;
    assert_eq!(sim.ledger().requests, before + 1);
    response
}

#[tokio::test]
async fn a_secret_of_any_characters_is_sent_as_the_platform_expects_it() {
    for secret in ["a+b", "a/b=", "50% off", "a:b&c", "pä$$wörd€", "😀", "\"\\' <>", "~*-._"]
    {
        let credentials = Credentials {
            client_id: "id-of.the_client".into(),
            client_secret: secret.into(),
            api_key: format!("{secret}&key={secret}#"),
        };
        let (sim, platform) = start(SimConfig { credentials, ..quick() }).await;
        let token = stored(&platform).await;
        assert_eq!(platform.status(&token).await, Ok(Status::Done), "{secret}");
        assert_eq!(sim.ledger().unauthorized, 0, "{secret}");
    }
}

#[tokio::test]
async fn a_client_id_with_a_colon_is_not_accepted() {
    let account = AccountConfig {
        client_id: "a:b".into(),
        token_url: "https://identity.example.com/connect/token".into(),
        api_url: "https://api.example.com/upload".into(),
        ..account_of(&Credentials::default())
    };
    let error = Client::new(account, limits(), Arc::new(SystemClock)).expect_err("a colon");
    assert_eq!(error.to_string(), "account `main`: `client_id` must not hold a colon");
}

#[tokio::test]
async fn a_token_is_used_for_many_calls() {
    let (sim, platform) = start(quick()).await;
    let token = stored(&platform).await;
    for _ in 0..5 {
        platform.status(&token).await.expect("a status");
    }
    assert_eq!(sim.ledger().tokens_issued, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_calls_at_once_fetch_one_token() {
    let (sim, platform) = start(quick()).await;
    sim.script(Endpoint::Token, Fault::Stall(Duration::from_millis(100)));
    let platform = Arc::new(platform);
    let calls = (0..50).map(|n| {
        let platform = platform.clone();
        tokio::spawn(async move { platform.upload(upload(&format!("n{n}"))).await })
    });
    for response in join_all(calls).await {
        response.expect("no panic").expect("it is accepted");
    }
    assert_eq!(sim.ledger().tokens_issued, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_calls_at_once_replace_a_denied_token_once() {
    let (sim, platform) = start(quick()).await;
    let platform = Arc::new(platform);
    let token = stored(&platform).await;
    sim.script(Endpoint::Status, Fault::RevokeToken);
    let calls = (0..50).map(|_| {
        let (platform, token) = (platform.clone(), token.clone());
        tokio::spawn(async move { platform.status(&token).await })
    });
    for response in join_all(calls).await {
        assert_eq!(response.expect("no panic"), Ok(Status::Done));
    }
    assert_eq!(sim.ledger().tokens_issued, 2);
}

#[tokio::test]
async fn those_who_wait_for_a_token_learn_of_its_failure_together() {
    let (sim, platform) = start(quick()).await;
    sim.script(Endpoint::Token, says(500, ""));
    let responses = join_all((0..50).map(|_| platform.check_credentials())).await;
    assert!(responses.iter().all(is_transient), "{responses:?}");
    assert_eq!(sim.ledger().requests, 1);
    // A later call tries again.
    assert_eq!(platform.check_credentials().await, Ok(()));
}

#[tokio::test]
async fn a_call_that_is_given_up_does_not_hold_up_the_others() {
    let (sim, platform) = start(quick()).await;
    sim.script(Endpoint::Token, Fault::Stall(Duration::from_hours(1)));
    let is_asked = async {
        ferry_testing::until("a request for a token", async || sim.is_script_done()).await;
    };
    tokio::select! {
        response = platform.check_credentials() => panic!("answered {response:?}"),
        () = is_asked => {}
    }
    assert_eq!(platform.check_credentials().await, Ok(()));
}

#[tokio::test]
async fn a_token_is_renewed_before_it_expires() {
    let token_lifetime = Duration::from_secs(2);
    let (sim, platform) = start(SimConfig { token_lifetime, ..quick() }).await;
    let token = stored(&platform).await;
    let wait = Wait::begin("a second token");
    while sim.ledger().tokens_issued < 2 {
        assert_eq!(platform.status(&token).await, Ok(Status::Done));
        wait.pause().await;
    }
    assert_eq!(sim.ledger().unauthorized, 0);
}

#[tokio::test]
async fn while_the_old_token_lasts_a_failed_renewal_does_no_harm() {
    let token_lifetime = Duration::from_secs(2);
    let (sim, platform) = start(SimConfig { token_lifetime, ..quick() }).await;
    let token = stored(&platform).await;
    sim.script(Endpoint::Token, says(500, ""));
    let wait = Wait::begin("a failed and a second renewal");
    while !sim.is_script_done() {
        assert_eq!(platform.status(&token).await, Ok(Status::Done));
        wait.pause().await;
    }
    // Not every call tries again.
    assert_eq!(platform.status(&token).await, Ok(Status::Done));
    assert_eq!(sim.ledger().tokens_issued, 1);
    while sim.ledger().tokens_issued < 2 {
        assert_eq!(platform.status(&token).await, Ok(Status::Done));
        wait.pause().await;
    }
}

#[tokio::test]
async fn while_the_old_token_lasts_no_request_waits_for_its_renewal() {
    let token_lifetime = Duration::from_secs(4);
    let (sim, platform) = start(SimConfig { token_lifetime, ..quick() }).await;
    platform.check_credentials().await.expect("a token");
    sim.script(Endpoint::Token, Fault::Stall(Duration::from_mins(1)));
    let wait = Wait::begin("a renewal that takes long");
    loop {
        wait.check();
        let mut renewal = pin!(platform.check_credentials());
        let short = Duration::from_millis(20);
        if tokio::time::timeout(short, renewal.as_mut()).await.is_err() {
            break assert_eq!(platform.check_credentials().await, Ok(()));
        }
    }
}

#[tokio::test]
async fn a_token_that_is_denied_early_is_replaced_at_once() {
    let (sim, platform) = start(plain()).await;
    let token = stored(&platform).await;
    for endpoint in [Endpoint::Upload, Endpoint::Status, Endpoint::Feedback, Endpoint::Results] {
        sim.script(endpoint, Fault::RevokeToken);
    }
    platform.upload(upload("other")).await.expect("it is accepted");
    platform.status(&token).await.expect("a status");
    assert!(is_not_yet(&platform.feedback(&token).await), "it has no feedback");
    platform.result(&token, "tableofresultids").await.expect("a result");
    let ledger = sim.ledger();
    assert_eq!((ledger.tokens_issued, ledger.unauthorized), (5, 4));
    assert!(ledger.doubled().is_empty() && sim.is_script_done());
}

/// One that does not retry denials for long.
fn strict(sim: &Sim) -> Client {
    let account = account_of(&Credentials::default());
    let account = AccountConfig { token_url: sim.token_url(), api_url: sim.api_url(), ..account };
    client(account, Limits { denied_timeout: Duration::from_nanos(1), ..limits() }, 0)
}

#[tokio::test]
async fn fresh_tokens_that_are_denied_for_a_while_mean_that_the_account_may_not() {
    let (sim, platform) = start(quick()).await;
    sim.script(Endpoint::Upload, says(401, ""));
    sim.script(Endpoint::Upload, says(401, "no"));
    let response = platform.upload(upload("n")).await;
    let expected = "UploadData: access denied (401): `no`; retried, and the account is paused if \
                    this lasts for 20s";
    assert_eq!(response, Err(PlatformError::Transient(expected.into())));
    assert_eq!((sim.ledger().tokens_issued, sim.ledger().requests), (2, 4));
    let platform = strict(&sim);
    for _ in 0..4 {
        sim.script(Endpoint::Upload, says(401, ""));
    }
    assert!(is_transient(&platform.upload(upload("n")).await));
    assert!(is_transient(&platform.upload(upload("n")).await));
    let response = platform.upload(upload("n")).await;
    assert_eq!(response, Err(PlatformError::Credentials("UploadData: access denied (401)".into())));
    // An operator resumes the account, and it is tried again.
    assert!(platform.upload(upload("n")).await.is_ok());
}

#[tokio::test]
async fn a_fresh_token_is_used_again_before_it_is_replaced() {
    let (sim, platform) = start(quick()).await;
    for _ in 0..4 {
        sim.script(Endpoint::Status, says(401, ""));
    }
    for _ in 0..3 {
        assert!(is_transient(&platform.status("t").await));
    }
    assert_eq!(platform.status("t").await, Err(PlatformError::UnknownToken));
    assert_eq!(sim.ledger().tokens_issued, 2, "it may not be valid yet");
}

#[tokio::test]
async fn a_denied_token_that_is_issued_again_pauses_no_account_until_it_expires() {
    let (sim, _) = start(quick()).await;
    let platform = strict(&sim);
    let same = || says(200, r#"{"access_token":"same","expires_in":600}"#);
    sim.script(Endpoint::Token, same());
    sim.script(Endpoint::Status, says(200, "processing"));
    platform.status("t").await.expect("a status");
    for _ in 0..5 {
        sim.script(Endpoint::Status, says(401, ""));
        sim.script(Endpoint::Status, says(401, ""));
        sim.script(Endpoint::Token, same());
        let response = platform.status("t").await;
        assert!(is_transient(&response), "{response:?}");
        assert!(sim.is_script_done());
    }
}

#[tokio::test]
async fn a_filters_page_is_no_denial_of_credentials_until_it_lasts() {
    let (sim, _) = start(quick()).await;
    let platform = strict(&sim);
    for endpoint in [Endpoint::Token, Endpoint::Status] {
        for count in 1..=3 {
            sim.script(endpoint, says(403, "<html>blocked by policy</html>"));
            let response = platform.status("t").await;
            assert_eq!(is_of_credentials(&response), count == 3, "{endpoint:?}: {response:?}");
            assert!(response.expect_err("a denial").to_string().contains("blocked by policy"));
        }
    }
    let challenge = ("www-authenticate", "Bearer realm=\"x\", error=\"insufficient_scope\"");
    for endpoint in [Endpoint::Token, Endpoint::Status] {
        sim.script(endpoint, says_with(403, challenge, ""));
        let response = strict(&sim).status("t").await;
        assert!(is_of_credentials(&response), "{endpoint:?}: {response:?}");
        let said = response.expect_err("a denial").to_string();
        assert!(said.contains("(403); `WWW-Authenticate: Bearer realm"), "{said}");
    }
    sim.script(Endpoint::Status, says(403, r#"{"error":"access_denied"}"#));
    assert!(is_of_credentials(&platform.status("t").await));
}

#[tokio::test]
async fn a_token_answer_is_read_in_any_wrapping() {
    let (sim, platform) = start(quick()).await;
    let plain = r#"{"access_token":"abc","expires_in":3600}"#;
    for body in [
        format!("\u{feff}{plain}"),
        r#"{"access_token":"old","access_token":"abc"}"#.to_owned(),
        serde_json::to_string(plain).expect("a text has a JSON form"),
        format!(r#"{{"data":{plain}}}"#),
        format!("[{plain}]"),
        format!(r#"{{"data":{plain},"ok":true}}"#),
        r#"{"accessToken":"abc","expiresIn":3600}"#.to_owned(),
        "access_token=abc&expires_in=3600&token_type=bearer".to_owned(),
    ] {
        sim.script(Endpoint::Token, says(200, body.clone()));
        let platform = client_of(&sim, account_of(&Credentials::default()));
        assert_eq!(asks_once(&platform, &sim).await, Ok(()), "{body}");
    }
    drop(platform);
}

#[tokio::test]
async fn a_token_in_an_unknown_form_is_not_shown() {
    let (sim, platform) = start(quick()).await;
    let token = "gho_16C7e42F292c6912E7710c838347Ae178B4a";
    for body in [
        format!("use {token} as the token of today"),
        format!("the first is {token}, and the second is {token}"),
    ] {
        sim.script(Endpoint::Token, says(200, body));
        let error = asks_once(&platform, &sim).await.expect_err("no token").to_string();
        assert!(error.contains("[redacted]") && !error.contains("16C7e42F"), "{error}");
    }
    sim.script(Endpoint::Token, says(200, "maintenance until 18:00, see www.example.com/status"));
    let error = asks_once(&platform, &sim).await.expect_err("no token").to_string();
    assert!(error.contains("`maintenance until 18:00, see www.example.com/status`"), "{error}");
}

#[tokio::test]
async fn wrong_credentials_are_reported_as_such() {
    let (sim, _) = start(plain()).await;
    let other = Credentials { client_secret: "wrong".into(), ..Credentials::default() };
    let platform = client_of(&sim, account_of(&other));
    let response = platform.upload(upload("n")).await;
    let expected = "token endpoint: no token for this account (401): invalid_client";
    assert_eq!(response, Err(PlatformError::Credentials(expected.into())));
    let secret = Credentials::default().client_secret;
    let other = Credentials { client_secret: format!("'{secret}'"), ..Credentials::default() };
    let response = client_of(&sim, account_of(&other)).upload(upload("n")).await;
    let remark = "; `client_secret` begins and ends with a quote, which is sent as a part of it";
    assert_eq!(response, Err(PlatformError::Credentials(format!("{expected}{remark}"))));
    let other = Credentials { api_key: "wrong".into(), ..Credentials::default() };
    let platform = client_of(&sim, account_of(&other));
    let failed = |call: &str| {
        PlatformError::Transient(format!(
            "{call}: access denied (403): `unknown key`; retried, and the account is paused if this \
             lasts for 20s"
        ))
    };
    assert_eq!(platform.upload(upload("n")).await, Err(failed("UploadData")));
    assert_eq!(platform.status("t").await, Err(failed("GetResults (status)")));
}

#[tokio::test]
async fn denials_of_the_token_endpoint_are_distinguished() {
    let (sim, platform) = start(quick()).await;
    for (status, body, of_credentials) in [
        (401, "", false),
        (403, "<html>forbidden</html>", false),
        (401, r#"{"error":"invalid_client"}"#, true),
        (400, r#"{"error":"invalid_client"}"#, true),
        (400, r#"{"error":"invalid_client","error_description":null}"#, true),
        (400, r#"{"error":"unauthorized_client","error_description":"not you"}"#, true),
        (400, r#"{"error":"invalid_scope"}"#, true),
        (200, r#"{"error":"invalid_client"}"#, true),
        (400, r#"{"error":"invalid_request"}"#, false),
        (400, "<html>bad request</html>", false),
        (404, "", false),
        (405, "", false),
        (500, "", false),
        (502, "<html>bad gateway</html>", false),
        (503, "", false),
        (200, "", false),
        (204, "", false),
        (200, "<html>log in</html>", false),
        (200, "{}", false),
        (200, r#"{"access_token":"","expires_in":60}"#, false),
        (200, r#"{"access_token":"a\nb","expires_in":60}"#, false),
        (200, r#"{"access_token":true}"#, false),
        (200, "null", false),
    ] {
        sim.script(Endpoint::Token, says(status, body));
        let response = asks_once(&platform, &sim).await;
        assert_eq!(is_of_credentials(&response), of_credentials, "{status} {body}: {response:?}");
        assert_eq!(is_transient(&response), !of_credentials, "{status} {body}: {response:?}");
    }
    sim.script(Endpoint::Token, says_with(302, ("location", "/connect/token"), ""));
    assert!(is_transient(&asks_once(&platform, &sim).await));
    for fault in [Fault::ResetBefore, Fault::CutBody, Fault::Enormous(1 << 20)] {
        sim.script(Endpoint::Token, fault);
        assert!(is_transient(&asks_once(&platform, &sim).await));
    }
    sim.script(Endpoint::Token, says(404, ""));
    let expected = "token endpoint: nothing is there (404); check `token_url`";
    assert_eq!(asks_once(&platform, &sim).await, Err(PlatformError::Unsent(expected.into())));
    assert_eq!(asks_once(&platform, &sim).await, Ok(()));
}

#[tokio::test]
async fn json_that_cannot_be_read_is_reported_as_such_without_its_token() {
    let (sim, platform) = start(quick()).await;
    let deep = format!(r#"{{"access_token":"abc","x":{}{}}}"#, "[".repeat(200), "]".repeat(200));
    let cut = r#"{"access_token":"abc","#.to_owned();
    for (body, fault) in [(deep, "recursion limit"), (cut, "EOF")] {
        sim.script(Endpoint::Token, says(200, body));
        let error = asks_once(&platform, &sim).await.expect_err("no token").to_string();
        assert!(error.contains("its JSON cannot be read") && error.contains(fault), "{error}");
        assert!(!error.contains("abc"), "{error}");
    }
    let large = r#"{"access_token":"abc","expires_in":1e400}"#;
    sim.script(Endpoint::Token, says(200, large));
    assert_eq!(asks_once(&platform, &sim).await, Ok(()));
}

#[tokio::test]
async fn the_token_endpoint_may_ask_to_wait() {
    let (sim, platform) = start(quick()).await;
    sim.script(Endpoint::Token, Fault::Throttle(seconds(7.0)));
    assert_eq!(pause(asks_once(&platform, &sim).await), Some(Duration::from_secs(7)));
    sim.script(Endpoint::Token, Fault::Throttle(RetryAfter::Missing));
    assert_eq!(pause(platform.upload(upload("n")).await), None);
    sim.script(Endpoint::Token, says_with(503, ("retry-after", "3"), ""));
    assert_eq!(pause(platform.status("t").await), Some(Duration::from_secs(3)));
    assert_eq!(platform.check_credentials().await, Ok(()));
}

#[tokio::test]
async fn a_lifetime_may_be_written_in_many_ways() {
    for expires_in in
        [r#","expires_in":3600"#, r#","expires_in":"3600""#, r#","expires_in":3599.5"#, ""]
            .into_iter()
            .chain([r#","expires_in":null"#, r#","expires_in":[]"#, r#","expires_in":"soon""#])
            .chain([r#","expires_in":1e300"#, r#","expires_in":-1"#, r#","expires_in":"NaN""#])
    {
        let (sim, platform) = start(quick()).await;
        let body = format!(r#"{{"access_token":"abc","token_type":"Bearer"{expires_in}}}"#);
        sim.script(Endpoint::Token, says(200, body));
        assert_eq!(asks_once(&platform, &sim).await, Ok(()), "{expires_in}");
        assert_eq!(platform.check_credentials().await, Ok(()));
        assert_eq!(sim.ledger().requests, 1, "{expires_in}");
    }
}

#[tokio::test]
async fn a_wrong_clock_on_either_side_does_not_matter() {
    for (ours, theirs) in [(-600, 0), (600, 0), (-36_000, 0), (36_000, 0), (0, -7200), (0, 7200)] {
        let (sim, _) = start(SimConfig { clock_skew: theirs, ..quick() }).await;
        let account = AccountConfig {
            token_url: sim.token_url(),
            api_url: sim.api_url(),
            ..account_of(&Credentials::default())
        };
        let platform = client(account, limits(), ours);
        let token = stored(&platform).await;
        assert_eq!(platform.status(&token).await, Ok(Status::Done));
        sim.script(Endpoint::Status, Fault::Throttle(RetryAfter::Date(Duration::from_secs(90))));
        let requested = pause(platform.status(&token).await).expect("a pause").as_secs();
        assert!((89..=91).contains(&requested), "{ours} {theirs}: {requested}");
        assert_eq!((sim.ledger().tokens_issued, sim.ledger().unauthorized), (1, 0));
    }
}

#[tokio::test]
async fn a_login_page_instead_of_a_401_costs_one_request() {
    let dialect = Dialect::named("portal");
    let (sim, platform) = start(SimConfig { dialect, ..quick() }).await;
    let token = stored(&platform).await;
    sim.script(Endpoint::Status, Fault::RevokeToken);
    let failed = platform.status(&token).await;
    assert!(is_transient(&failed), "{failed:?}");
    assert_eq!(platform.status(&token).await, Ok(Status::Done));
    assert_eq!(sim.ledger().tokens_issued, 2);
}
