//! The simulated Platform without HTTP: the test has the time, and delivers or loses each response.

use chrono::TimeDelta;
use ferry_sim::{Delivery, Effect, Exchange, LoggedRequest, Request, Response, World};

use super::dialects::decoded;
use super::*;

/// A client of a world, in virtual time.
pub(crate) struct Virtual {
    pub(crate) world: World,
    now: DateTime<Utc>,
    bearer: String,
}

impl Virtual {
    pub(crate) fn new(config: SimConfig) -> Self {
        let mut client = Self {
            world: World::new(config),
            now: DateTime::<Utc>::UNIX_EPOCH,
            bearer: String::new(),
        };
        let basic = format!("Basic {}", BASE64.encode(b"demo:demo-secret"));
        let headers = [("authorization", basic.as_str()), ("content-type", FORM)];
        let issued = client.ask("POST", "/connect/token", &headers, GRANT.as_bytes());
        client.world.delivered(&issued);
        let issued: Value =
            serde_json::from_str(&decoded(&issued.response)).expect("a JSON answer");
        client.bearer = format!("Bearer {}", issued["access_token"].as_str().expect("a token"));
        client
    }

    fn ask(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Exchange {
        let headers = headers.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        let request = Request {
            caller: "worker 1".into(),
            method: method.into(),
            target: target.into(),
            headers: headers.collect(),
            body: body.to_vec(),
        };
        self.world.carry_out(self.now, &request)
    }

    pub(crate) fn upload(&mut self, name: &str, overwrite: bool) -> Exchange {
        let mut body = upload_body(name, DATA);
        body["Overwrite"] = json!(overwrite);
        self.send(&body)
    }

    pub(crate) fn upload_data(&mut self, name: &str, data: &str) -> Exchange {
        self.send(&upload_body(name, data))
    }

    fn send(&mut self, body: &Value) -> Exchange {
        let bearer = self.bearer.clone();
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        self.ask("POST", "/upload/UploadData", &headers, body.to_string().as_bytes())
    }

    pub(crate) fn get(&mut self, token: &str, key: &str) -> Response {
        let target = format!("/upload/GetResults?token={token}&dataKey={key}&key=demo-key");
        let bearer = self.bearer.clone();
        let exchange = self.ask("GET", &target, &[("authorization", bearer.as_str())], b"");
        self.world.delivered(&exchange);
        exchange.response
    }

    fn wait(&mut self, seconds: i64) {
        self.now += TimeDelta::seconds(seconds);
    }

    fn log(&self) -> Vec<&LoggedRequest> {
        self.world.requests().collect()
    }
}

fn text(response: &Response) -> &str {
    std::str::from_utf8(&response.body).expect("a text")
}

#[test]
fn time_passes_only_as_the_caller_has_it() {
    let processing = Processing::Fixed(Duration::from_mins(1));
    let mut client = Virtual::new(SimConfig { processing, ..SimConfig::default() });
    let token = text(&client.upload("n", false).response).to_owned();
    for (after, word) in [(0, "Submitted"), (59, "Processing"), (1, "CompletedSuccessfully")] {
        client.wait(after);
        assert_eq!(text(&client.get(&token, "status")), word);
    }
    let date = client.get(&token, "status").headers.into_iter().find(|(name, _)| name == "date");
    assert_eq!(date.expect("a date").1, "Thu, 01 Jan 1970 00:01:00 GMT");
    client.wait(600);
    assert_eq!(client.get(&token, "status").status, 401, "the access token lasts ten minutes");
}

#[test]
fn the_same_requests_at_the_same_times_get_the_same_responses() {
    let story = |seed| {
        let faults = FaultRates {
            server_error: 0.1,
            throttled: 0.1,
            lost_response: 0.1,
            done_otherwise: 0.2,
            unknown_token: 0.1,
            name_rejected: 0.1,
            odd_word: 0.2,
            not_yet: 0.2,
            ..FaultRates::default()
        };
        let mut client = Virtual::new(SimConfig { seed, ..quick() });
        // The first request, for the token, has no fault.
        let bearer = client.bearer.clone();
        client = Virtual { world: World::new(SimConfig { seed, faults, ..quick() }), ..client };
        client.bearer = bearer;
        let mut seen = Vec::new();
        for n in 0..200 {
            client.wait(1);
            let exchange = client.upload(&format!("n{}", n % 20), n % 2 == 0);
            seen.push(format!("{exchange:?}"));
        }
        (seen, client.world.ledger().clone())
    };
    assert_eq!(story(1), story(1));
    assert_ne!(story(1).0, story(2).0);
}

#[test]
fn a_response_that_is_not_delivered_is_lost() {
    let mut client = Virtual::new(quick());
    let exchange = client.upload("n", false);
    assert!(client.world.ledger().names["n"].accepted[0].answer_lost);
    assert!(!client.log()[1].delivered);
    client.world.delivered(&exchange);
    assert!(!client.world.ledger().names["n"].accepted[0].answer_lost);
    assert!(client.log()[1].delivered);
}

#[test]
fn each_request_is_logged_with_its_effect_and_its_answer() {
    let mut client = Virtual::new(quick());
    client.world.occupy("theirs");
    client.wait(5);
    let token = text(&client.upload("n", false).response).to_owned();
    client.upload("n", true);
    client.upload("n", false);
    client.upload("theirs", true);
    client.world.script(Endpoint::Upload, Fault::ResetBefore);
    client.upload("m", false);
    client.get("none", "status");
    let seen: Vec<_> = client
        .log()
        .into_iter()
        .map(|request| (request.name.as_deref(), request.effect, request.status))
        .collect();
    assert_eq!(
        seen,
        [
            (None, Effect::TokenIssued, Some(200)),
            (Some("n"), Effect::Stored, Some(200)),
            (Some("n"), Effect::Replaced, Some(200)),
            (Some("n"), Effect::Nothing, Some(409)),
            (Some("theirs"), Effect::ReplacedForeign, Some(200)),
            (Some("m"), Effect::Nothing, None),
            (None, Effect::Nothing, Some(404)),
        ]
    );
    let first = client.log()[1];
    assert_eq!(first.processing_token.as_deref(), Some(token.as_str()));
    assert_eq!((first.account.as_deref(), &*first.caller), (Some("demo"), "worker 1"));
    assert_eq!((first.number, first.at.timestamp(), first.fault), (2, 5, None));
    assert_eq!(client.log()[5].fault, Some("reset"));
    assert_eq!(client.world.ledger().names["theirs"].foreign_replaced, 1);
    let shown = serde_json::to_string(&client.log()).expect("it has a JSON form");
    for secret in ["demo-secret", "demo-key", &client.bearer["Bearer ".len()..], "R1"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}

#[test]
fn another_dataset_of_the_account_is_early_too() {
    let notice = Duration::from_secs(2);
    let mut client = Virtual::new(SimConfig { notice, ..quick() });
    let early = |client: &Virtual| client.world.ledger().early_requests;
    client.world.script(Endpoint::Upload, Fault::Throttle(RetryAfter::Seconds(60.0)));
    assert_eq!(client.upload("n", false).response.status, 429);
    client.upload("other", false);
    assert_eq!(early(&client), 0, "it may have been on its way");
    client.upload("n", false);
    assert_eq!(early(&client), 1, "its own dataset was not");
    for (after, expected) in [(1, 1), (1, 2), (57, 3), (1, 3)] {
        client.wait(after);
        client.upload(&format!("n{expected}-{after}"), false);
        assert_eq!(early(&client), expected, "{after}");
    }
    assert_eq!(client.log().iter().filter(|request| request.early).count(), 3);
}

#[test]
fn an_upload_may_be_stored_and_answered_otherwise() {
    let mut client = Virtual::new(quick());
    let respond = |status| Fault::RespondAfter { status, headers: Vec::new(), body: "no".into() };
    for status in [200, 400, 409, 500] {
        let name = format!("n{status}");
        client.world.script(Endpoint::Upload, respond(status));
        let exchange = client.upload(&name, false);
        client.world.delivered(&exchange);
        assert_eq!((exchange.response.status, text(&exchange.response)), (status, "no"));
        let stored = &client.world.ledger().names[&name].accepted[0];
        assert!(stored.answer_lost, "its processing token was not reported");
        assert_eq!(client.upload(&name, false).response.status, 409);
    }
    let throttled = Fault::ThrottleAfter(RetryAfter::Seconds(7.0));
    client.world.script(Endpoint::Upload, throttled);
    let response = client.upload("throttled", false).response;
    assert_eq!(response.status, 503);
    assert!(response.headers.contains(&("retry-after".into(), "7".into())));
    assert_eq!(client.upload("throttled", false).response.status, 409);
    assert_eq!(client.world.ledger().early_requests, 1);
    client.world.script(Endpoint::Upload, Fault::ResetAfter);
    assert_eq!(client.upload("reset", false).delivery, Delivery::Broken);
}

#[test]
fn a_processing_token_may_be_unknown_for_a_while() {
    let mut client = Virtual::new(quick());
    client.world.script(Endpoint::Upload, Fault::UnknownFor(Duration::from_secs(10)));
    let token = text(&client.upload("n", false).response).to_owned();
    assert_eq!(client.get(&token, "status").status, 404);
    client.wait(9);
    assert_eq!(client.get(&token, "tableofresultids").status, 404);
    client.wait(1);
    assert_eq!(text(&client.get(&token, "status")), "CompletedSuccessfully");
}

#[test]
fn names_of_others_and_rejected_names_are_409() {
    let foreign_names = BTreeSet::from(["theirs".to_owned()]);
    let mut client = Virtual::new(SimConfig { foreign_names, ..quick() });
    assert_eq!(client.upload("theirs", false).response.status, 409);
    assert_eq!(client.upload("theirs", true).response.status, 200);
    client.world.script(Endpoint::Upload, Fault::RejectName);
    assert_eq!(client.upload("theirs", true).response.status, 409, "in spite of Overwrite");
    client.world.script(Endpoint::Upload, Fault::RejectName);
    assert_eq!(client.upload("new", false).response.status, 409);
    assert_eq!(client.world.ledger().names["new"].accepted.len(), 0);
    client.world.script(Endpoint::Status, Fault::OddWord);
    let token = text(&client.upload("odd", false).response).to_owned();
    assert_eq!(text(&client.get(&token, "status")), "Contemplating");
    assert_eq!(text(&client.get(&token, "status")), "CompletedSuccessfully");
}
