//! No secret is ever written: not to stdout, not to stderr, not into the store.

use std::path::Path;

use data_encoding::BASE64;
use ferry_sim::{Credentials, Endpoint, Fault};

use super::harness::{Ferry, GOOD, Platform, Ran};

const CLIENT_SECRET: &str = "cl1ent/s3cret+with=odd&chars";
const API_KEY: &str = "ap1/k3y+with=odd&chars";

pub(crate) fn credentials() -> Credentials {
    Credentials {
        client_id: "client".into(),
        client_secret: CLIENT_SECRET.into(),
        api_key: API_KEY.into(),
    }
}

/// As in a form or a query.
fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// Returns the forms of a secret: plain, as in a form or a query, in Basic authorization, in base64.
fn spellings() -> Vec<String> {
    let percent = |text: &str| {
        text.replace('/', "%2f").replace('+', "%2b").replace('=', "%3d").replace('&', "%26")
    };
    let basic = |secret: &str| BASE64.encode(format!("client:{secret}").as_bytes());
    let mut spellings = Vec::new();
    for secret in [CLIENT_SECRET, API_KEY] {
        spellings.extend([
            secret.to_owned(),
            encoded(secret),
            percent(secret),
            BASE64.encode(secret.as_bytes()).trim_end_matches('=').to_owned(),
            basic(secret).trim_end_matches('=').to_owned(),
            basic(&encoded(secret)).trim_end_matches('=').to_owned(),
            secret.replace('/', "\\/"),
        ]);
    }
    spellings
}

#[track_caller]
pub(crate) fn assert_no_secret(what: &str, bytes: &[u8]) {
    for spelling in spellings() {
        let found = bytes.windows(spelling.len()).any(|window| window == spelling.as_bytes());
        assert!(!found, "{what} holds `{spelling}`: {}", String::from_utf8_lossy(bytes));
    }
}

#[track_caller]
fn assert_clean(ferry: &Ferry, ran: &Ran) {
    assert_no_secret("stdout", ran.stdout.as_bytes());
    assert_no_secret("stderr", ran.stderr.as_bytes());
    for entry in std::fs::read_dir(ferry.path("")).expect("the folder is there") {
        let path = entry.expect("it can be listed").path();
        if path.is_file() {
            let name = path.file_name().map_or(Path::new("?"), Path::new);
            assert_no_secret(&name.display().to_string(), &std::fs::read(&path).expect("readable"));
        }
    }
}

/// A response that repeats everything it was sent, and more.
pub(crate) fn echo(status: u16) -> Fault {
    let body = format!(
        "you sent {} with key={API_KEY} and secret {CLIENT_SECRET}; {}",
        encoded(API_KEY),
        BASE64.encode(format!("client:{}", encoded(CLIENT_SECRET)).as_bytes())
    );
    let headers = vec![("x-echo".to_owned(), API_KEY.to_owned())];
    Fault::Respond { status, headers, body }
}

fn loud(platform: &Platform) -> Ferry {
    Ferry::of_account(platform, &credentials()).set("FERRY_LOG", "trace").file("march.csv", GOOD)
}

#[test]
fn an_invalid_secret_is_not_repeated() {
    let platform = Platform::start();
    let ferry = loud(&platform);
    let ran = ferry.run(&["submit", "march.csv", "--wait"]).exits(5);
    assert!(ran.stderr.contains("no token for this account"), "{}", ran.stderr);
    assert!(ran.stderr.contains("TRACE"), "{}", ran.stderr);
    assert_clean(&ferry, &ran);
    for args in
        [&["doctor"][..], &["stats", "--json"], &["list", "--json"], &["worker", "--until-idle"]]
    {
        assert_clean(&ferry, &ferry.run(args));
    }
}

#[test]
fn a_platform_that_echoes_is_not_repeated() {
    let platform = Platform::with(ferry_sim::SimConfig {
        credentials: credentials(),
        ..ferry_sim::SimConfig::default()
    });
    platform.sim.script(Endpoint::Token, echo(500));
    platform.sim.script(Endpoint::Upload, echo(503));
    platform.sim.script(Endpoint::Upload, echo(401));
    platform.sim.script(Endpoint::Status, echo(500));
    platform.sim.script(Endpoint::Status, echo(200));
    platform.sim.script(Endpoint::Status, Fault::ResetAfter);
    platform.sim.script(Endpoint::Results, echo(404));
    let ferry = loud(&platform).set("FERRY_LOG_FORMAT", "json");
    let ran = ferry.run(&["submit", "march.csv", "--wait"]).ok();
    assert!(platform.sim.is_script_done());
    assert_clean(&ferry, &ran);
    let id = ran.id();
    assert_clean(&ferry, &ferry.run(&["status", "--json", &id]));

    platform.sim.script(Endpoint::Upload, echo(422));
    let ran = ferry.run(&["submit", "march.csv", "--overwrite", "--wait"]).exits(4);
    assert!(ran.stdout.contains("you sent"), "{}", ran.stdout);
    assert_clean(&ferry, &ran);
}

#[test]
fn an_unreachable_platform_makes_ferry_print_no_secret() {
    let platform = Platform::start();
    let ferry = loud(&platform).set("FERRY_API_URL", "http://127.0.0.1:9/upload");
    assert_clean(&ferry, &ferry.run(&["submit", "march.csv", "--wait=300ms"]));
    let ferry = ferry.set("FERRY_TOKEN_URL", "http://no-such-host.invalid/token");
    assert_clean(&ferry, &ferry.run(&["submit", "march.csv", "--wait=300ms"]));
}
