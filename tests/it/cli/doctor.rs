//! `ferry doctor`: good, and each way of being bad.

use ferry_sim::Credentials;
use insta::assert_snapshot;

use super::harness::{Ferry, GOOD, Platform};

#[test]
fn all_is_well() {
    let platform = Platform::plain();
    let ferry = Ferry::of(&platform).file("march.csv", GOOD);
    ferry.run(&["submit", "march.csv"]).ok();
    assert_snapshot!(ferry.run(&["doctor"]), @"
    exit 0
    ---- stdout
    ok    the configuration can be read
    ok    the store sqlite:ferry.db can be opened
    ok    the file is whole: ok
    ok    every accepted submission is synced to the disk (journal: wal)
    ok    the file system of `ferry.db` has free space
    ok    the store takes writes
    ok    the records of 1 submission can be read
    ok    the datasets of 1 submission can be read
    ok    the newest event of the store is `EPOCH-1`
    ok    account `default` gets a token
    ok    account `default` can use the Upload API
    ---- stderr
    ");
    let objects = ferry.run(&["doctor", "--json"]).ok().objects();
    assert!(objects.iter().all(|finding| finding["ok"] == true), "{objects:?}");
}

#[test]
fn a_wrong_secret_and_a_wrong_key_are_distinguished() {
    let platform = Platform::plain();
    let ferry = Ferry::of(&platform).set("FERRY_CLIENT_SECRET", "wrong");
    assert_snapshot!(ferry.run(&["doctor"]), @"
    exit 1
    ---- stdout
    ok    the configuration can be read
    note  the store `ferry.db` does not exist yet
          hint: `ferry serve`, `ferry worker` and `ferry submit` create it; otherwise correct `store`
    FAIL  account `default` cannot get an access token: token endpoint: no token for this account (401): invalid_client
          hint: check client_id and client_secret
    ---- stderr
    ");
    let ferry = Ferry::of(&platform).set("FERRY_API_KEY", "wrong");
    assert_snapshot!(ferry.run(&["doctor"]), @"
    exit 1
    ---- stdout
    ok    the configuration can be read
    note  the store `ferry.db` does not exist yet
          hint: `ferry serve`, `ferry worker` and `ferry submit` create it; otherwise correct `store`
    ok    account `default` gets a token
    FAIL  account `default` cannot use the Upload API: GetResults (status): access denied (403): `unknown key`; retried, and the account is paused if this lasts for 1m
          hint: check api_key, and what the account may do; a proxy or filter may also respond so
    ---- stderr
    ");
    let objects = ferry.run(&["doctor", "--json"]).exits(1).objects();
    assert!(objects.iter().any(|finding| finding["ok"] == false), "{objects:?}");
    ferry.run(&["doctor", "--offline"]).ok();
}

#[test]
fn a_platform_that_is_not_there() {
    let platform = Platform::start();
    let ferry = Ferry::of(&platform).set("FERRY_TOKEN_URL", "http://127.0.0.1:9/connect/token");
    assert_snapshot!(ferry.run(&["doctor"]), @"
    exit 1
    ---- stdout
    ok    the configuration can be read
    note  the store `ferry.db` does not exist yet
          hint: `ferry serve`, `ferry worker` and `ferry submit` create it; otherwise correct `store`
    FAIL  account `default` cannot get an access token: token endpoint: no connection: Connection refused (os error 111)
          hint: check token_url, and the way to the Platform
    ---- stderr
    ");
    let ferry = Ferry::of(&platform).set("FERRY_API_URL", "http://127.0.0.1:9/upload");
    assert_snapshot!(ferry.run(&["doctor"]), @"
    exit 1
    ---- stdout
    ok    the configuration can be read
    note  the store `ferry.db` does not exist yet
          hint: `ferry serve`, `ferry worker` and `ferry submit` create it; otherwise correct `store`
    ok    account `default` gets a token
    FAIL  account `default` cannot use the Upload API: GetResults (status): no connection: Connection refused (os error 111)
          hint: check api_url, and the way to the Platform
    ---- stderr
    ");
    let ferry =
        Ferry::of(&platform).set("FERRY_TOKEN_URL", format!("{}/wrong", platform.sim.token_url()));
    assert_snapshot!(ferry.run(&["doctor"]), @"
    exit 1
    ---- stdout
    ok    the configuration can be read
    note  the store `ferry.db` does not exist yet
          hint: `ferry serve`, `ferry worker` and `ferry submit` create it; otherwise correct `store`
    FAIL  account `default` cannot get an access token: token endpoint: nothing is there (404); check `token_url`
          hint: check token_url, and the way to the Platform
    ---- stderr
    ");
}

/// The last two lines of a doctor whose Upload API answers so to everything.
fn answered(status: u16, headers: &[(&str, &str)], body: &str) -> (i32, String) {
    use ferry_sim::{Endpoint, Fault};
    let platform = Platform::plain();
    let headers = headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    let fault = Fault::Respond { status, headers, body: body.to_owned() };
    // What may be the response to any path is compared with that to others.
    for _ in 0..if status == 404 { 2 } else { 1 } {
        platform.sim.script(Endpoint::Status, fault.clone());
    }
    let ran = Ferry::of(&platform).run(&["doctor"]);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    let last = lines.iter().position(|line| line.contains("Upload API")).expect("it was asked");
    (ran.code, lines[last..].join("\n"))
}

#[test]
fn what_is_not_the_upload_api_is_not_taken_for_it() {
    for (status, headers, body, message) in [
        (
            301,
            &[("location", "https://sso.example.com/login?x")][..],
            "",
            "https://sso.example.com",
        ),
        (200, &[("content-type", "text/html")][..], "<html>Sign in", "Sign in"),
        (400, &[], "<!doctype html>Bad Request", "Bad Request"),
        (404, &[("content-type", "text/html")][..], "<html>IIS 404", "IIS 404"),
        (404, &[], "", "404"),
        (404, &[], "nothing here", "nothing here"),
        (404, &[("content-type", "text/html")], "Cannot GET /x", "Cannot GET"),
        (200, &[("content-type", "text/html")], "<pre>Index of /", "Index of"),
        (200, &[], "", "200"),
        (202, &[], "accepted", "202"),
        (204, &[], "", "204"),
        (405, &[], "", "405"),
        (500, &[], "", "500"),
        (503, &[], "<html>down", "down"),
    ] {
        let (code, said) = answered(status, headers, body);
        assert_eq!(code, 1, "{status} {body}: {said}");
        assert!(said.starts_with("FAIL") && said.contains(message), "{status} {body}: {said}");
        assert_eq!(said.matches("hint:").count(), 1, "{said}");
        assert!(!said.contains("ferry doctor") && !said.contains("?x"), "{said}");
    }
}

#[test]
fn what_the_upload_api_says_to_an_unknown_token_is_shown() {
    let (code, said) = answered(400, &[], "Invalid API key");
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("it says (400): `Invalid API key`") && said.contains("hint:"), "{said}");
    let (code, said) = answered(200, &[], "\"Unknown\"");
    assert_eq!(code, 0, "{said}");
    assert!(said.starts_with("note") && said.contains("it says (200): `\"Unknown\"`"), "{said}");
    let (code, said) = answered(200, &[], "\"Processing\"");
    assert_eq!((code, said.as_str()), (0, "ok    account `default` can use the Upload API"));
}

#[test]
fn a_store_that_cannot_be_used() {
    let platform = Platform::start();
    let ferry = Ferry::of(&platform).file("march.csv", GOOD);
    let ran = ferry.run(&["doctor", "--store", "sqlite:march.csv"]);
    assert_snapshot!(ran, @"
    exit 1
    ---- stdout
    ok    the configuration can be read
    note  other users can read the store `march.csv` (mode 644): `chmod 600 'march.csv'` ends that
    FAIL  the store cannot be opened: `march.csv` is not an SQLite file
          hint: name a file that can be written, in a folder that exists, with `store`
    ok    account `default` gets a token
    ok    account `default` can use the Upload API
    ---- stderr
    ");
    let ran = ferry.run(&["doctor", "--store", "sqlite:nowhere/ferry.db"]);
    assert_snapshot!(ran, @"
    exit 1
    ---- stdout
    ok    the configuration can be read
    FAIL  the store `nowhere/ferry.db` has no folder `nowhere`
          hint: create the folder, or correct `store`
    ok    account `default` gets a token
    ok    account `default` can use the Upload API
    ---- stderr
    ");
    assert_snapshot!(ferry.run(&["submit", "march.csv", "--store", "sqlite:march.csv"]), @"
    exit 1
    ---- stdout
    ---- stderr
    error: `march.csv` is not an SQLite file
    hint: check the store and what surrounds it: `ferry doctor`
    ");
    assert_eq!(ferry.read("march.csv"), GOOD);
}

#[test]
fn a_paused_account() {
    let platform = Platform::start();
    let ferry = Ferry::of_account(&platform, &Credentials::default());
    ferry.run(&["pause", "--reason", "the Platform moves house"]).ok();
    assert_snapshot!(ferry.run(&["doctor"]), @"
    exit 1
    ---- stdout
    ok    the configuration can be read
    ok    the store sqlite:ferry.db can be opened
    ok    the file is whole: ok
    ok    every accepted submission is synced to the disk (journal: wal)
    ok    the file system of `ferry.db` has free space
    ok    the store takes writes
    ok    the records of 0 submissions can be read
    ok    the datasets of 0 submissions can be read
    ok    the newest event of the store is `EPOCH-0`
    FAIL  account `default` is paused: the Platform moves house (paused by user `USER` at TIME UTC)
          hint: fix the cause, then run `ferry resume default`
    ok    account `default` gets a token
    ok    account `default` can use the Upload API
    ---- stderr
    ");
}

#[test]
fn a_configuration_that_cannot_be_read() {
    let ferry = Ferry::new().set("FERRY_POLL_MAX", "soon").set("FERRY_DEADLINE", "never");
    assert_snapshot!(ferry.run(&["doctor"]), @"
    exit 2
    ---- stdout
    FAIL  FERRY_POLL_MAX: expected a duration of at least 1ms, such as 50ms, 2s or 5m, found `soon`
          hint: correct it where it stands; docs/reference/settings.md explains all settings
    FAIL  FERRY_DEADLINE: expected a duration of at least 1ms, such as 50ms, 2s or 5m, found `never`
          hint: correct it where it stands; docs/reference/settings.md explains all settings
    ---- stderr
    ");
    let objects = ferry.run(&["doctor", "--json"]).exits(2).objects();
    assert_eq!(objects.len(), 2);
}

#[test]
fn nothing_is_configured_yet() {
    assert_snapshot!(Ferry::new().run(&["doctor"]), @"
    exit 1
    ---- stdout
    ok    the configuration can be read
    note  the store `ferry.db` does not exist yet
          hint: `ferry serve`, `ferry worker` and `ferry submit` create it; otherwise correct `store`
    FAIL  no account is configured: nothing can be uploaded from here
          hint: export FERRY_TOKEN_URL, FERRY_API_URL, FERRY_CLIENT_ID, FERRY_CLIENT_SECRET and FERRY_API_KEY
    ---- stderr
    ");
}

#[test]
fn a_store_that_does_not_exist_is_not_created() {
    let platform = Platform::start();
    let ferry = Ferry::of(&platform);
    ferry.run(&["doctor"]).ok();
    assert!(!ferry.path("ferry.db").exists());
}

#[test]
fn a_log_without_its_store_is_a_deleted_store() {
    let platform = Platform::start();
    let ferry = Ferry::of(&platform).file("ferry.db-wal", "what was not yet in the file");
    let doctor = ferry.run(&["doctor"]).exits(1);
    assert!(
        doctor.stdout.contains("was deleted: its log `ferry.db-wal` is still there"),
        "{doctor}"
    );
    let stats = ferry.run(&["stats"]).exits(2);
    assert!(stats.stderr.contains("docs/operations/backup.md"), "{stats}");
    assert!(!stats.stderr.contains("ferry submit"), "{stats}");
    assert!(!ferry.path("ferry.db").exists());
    ferry.run(&["doctor", "--offline", "--acknowledge"]).ok();
    assert!(ferry.path("ferry.db").exists());
}

#[test]
fn no_hint_recommends_doctor_itself() {
    let sources = [
        "src/cli/doctor/finding.rs",
        "src/cli/doctor/platform.rs",
        "src/cli/doctor/store.rs",
        "src/platform/check.rs",
        "crates/ferry-store/src/error.rs",
        "crates/ferry-store/src/redis/check.rs",
        "crates/ferry-store/src/sqlite/disk.rs",
    ];
    for source in sources {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(source);
        let text = std::fs::read_to_string(path).unwrap();
        assert!(text.contains("hint") || text.contains("Hint"), "{source} has hints");
        // An act of an operator is another matter.
        assert!(!text.replace("ferry doctor --", "").contains("ferry doctor"), "{source}");
    }
}

#[test]
fn damaged_datasets_are_named_by_their_submission() {
    let platform = Platform::plain();
    let ferry = Ferry::of(&platform).file("march.csv", GOOD);
    let submit = |name| ferry.run(&["submit", "march.csv", "--name", name]).ok().id();
    let [_, changed, missing] = ["sound", "changed", "missing"].map(submit);
    let store = rusqlite::Connection::open(ferry.path("ferry.db")).unwrap();
    let of = "WHERE submission = (SELECT seq FROM submissions WHERE id = ?1)";
    // A byte in the middle of what is compressed.
    let change = "UPDATE payloads SET data = substr(data, 1, length(data) - 9) || x'00'
                  || substr(data, length(data) - 7)";
    store.execute(&format!("{change} {of}"), [&changed]).unwrap();
    store.execute(&format!("DELETE FROM payloads {of}"), [&missing]).unwrap();
    let ran = ferry.run(&["doctor", "--offline"]).exits(1);
    for line in [
        format!("FAIL  the dataset of submission {changed} is damaged: "),
        format!("FAIL  the dataset of submission {missing} is missing"),
        "ok    the records of 3 submissions can be read".to_owned(),
    ] {
        assert!(ran.stdout.contains(&line), "{line}: {ran}");
    }
    assert_eq!(ran.stdout.matches("FAIL").count(), 2, "{ran}");
}

#[test]
fn a_restored_store_is_declared_ambiguous_and_a_409_ends_held() {
    // In a plain dialect: elsewhere the check of the Platform may fail, and here it is not meant.
    let platform = Platform::plain();
    let ferry = Ferry::of(&platform).file("march.csv", GOOD);
    let submitted = ferry.object(&["submit", "march.csv", "--name", "march", "--json"]);
    let id = submitted["id"].as_str().unwrap().to_owned();
    let store = rusqlite::Connection::open(ferry.path("ferry.db")).unwrap();
    let old = ferry.path("old.db");
    store.execute("VACUUM INTO ?1", [old.to_str().unwrap()]).unwrap();
    drop(store);
    ferry.run(&["worker", "--until-idle"]).ok();
    assert_eq!(ferry.object(&["status", "--json", &id])["state"], "completed");
    // A backup from before the upload.
    for file in ["ferry.db-wal", "ferry.db-shm"] {
        let _ = std::fs::remove_file(ferry.path(file));
    }
    std::fs::rename(old, ferry.path("ferry.db")).unwrap();
    let doctor = ferry.run(&["doctor", "--after-restore", "--acknowledge"]).ok();
    assert!(doctor.stdout.contains("declared 1 unfinished submission ambiguous"), "{doctor}");
    ferry.run(&["worker", "--until-idle"]);
    let after = ferry.object(&["status", "--json", &id]);
    assert_eq!(after["state"], "held", "{after}");
    let again = ferry.run(&["doctor", "--after-restore", "--offline"]);
    assert!(again.stdout.contains("declared 0 unfinished submissions ambiguous"), "{again}");
}

#[test]
fn all_settings_are_listed() {
    let ran = Ferry::new().run(&["doctor", "--settings"]).ok();
    let first = ran.stdout.lines().next().unwrap_or_default();
    assert_snapshot!(first, @"FERRY_STORE                    sqlite:ferry.db                                              location of the store: `sqlite:PATH`, `redis://HOST:PORT/DATABASE`, or `redis+sentinel://HOST:PORT,…/MASTER/DATABASE`; with TLS `rediss`");
    let objects = Ferry::new().run(&["doctor", "--settings", "--json"]).ok().objects();
    assert_eq!(objects.len(), ran.stdout.lines().count());
    assert!(objects.iter().all(|setting| setting["description"] != ""));
}
