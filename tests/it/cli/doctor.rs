//! `ferry doctor`: good, and each way of being bad.

use ferry_sim::Credentials;
use insta::assert_snapshot;

use super::harness::{Ferry, GOOD, Platform};

#[test]
fn all_is_well() {
    let platform = Platform::start();
    let ferry = Ferry::of(&platform);
    assert_snapshot!(ferry.run(&["doctor"]), @"
    exit 0
    ---- stdout
    ok    the configuration can be read
    ok    the store sqlite:ferry.db can be opened
    ok    the file is whole: ok
    ok    every accepted submission is synced to the disk (journal: wal)
    ok    the newest event of the store is `EPOCH-0`
    ok    account `default` gets a token
    ok    account `default` is answered by the Upload API
    ---- stderr
    ");
    let objects = ferry.run(&["doctor", "--json"]).ok().objects();
    assert!(objects.iter().all(|finding| finding["ok"] == true), "{objects:?}");
}

#[test]
fn a_wrong_secret_and_a_wrong_key_are_told_apart() {
    let platform = Platform::start();
    let ferry = Ferry::of(&platform).set("FERRY_CLIENT_SECRET", "wrong");
    assert_snapshot!(ferry.run(&["doctor"]), @"
    exit 1
    ---- stdout
    ok    the configuration can be read
    ok    the store sqlite:ferry.db can be opened
    ok    the file is whole: ok
    ok    every accepted submission is synced to the disk (journal: wal)
    ok    the newest event of the store is `EPOCH-0`
    FAIL  account `default` gets no token: token endpoint: client id or secret refused (401): invalid_client
          hint: check client_id and client_secret
    ---- stderr
    ");
    let ferry = Ferry::of(&platform).set("FERRY_API_KEY", "wrong");
    assert_snapshot!(ferry.run(&["doctor"]), @"
    exit 1
    ---- stdout
    ok    the configuration can be read
    ok    the store sqlite:ferry.db can be opened
    ok    the file is whole: ok
    ok    every accepted submission is synced to the disk (journal: wal)
    ok    the newest event of the store is `EPOCH-0`
    ok    account `default` gets a token
    FAIL  account `default` is refused by the Upload API: GetResults (status): access refused (403)
          hint: check api_key, and what the account may do
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
    ok    the store sqlite:ferry.db can be opened
    ok    the file is whole: ok
    ok    every accepted submission is synced to the disk (journal: wal)
    ok    the newest event of the store is `EPOCH-0`
    FAIL  account `default` gets no token: token endpoint: no connection: Connection refused (os error 111)
          hint: check token_url, and the way to the Platform
    ---- stderr
    ");
    let ferry = Ferry::of(&platform).set("FERRY_API_URL", "http://127.0.0.1:9/upload");
    assert_snapshot!(ferry.run(&["doctor"]), @"
    exit 1
    ---- stdout
    ok    the configuration can be read
    ok    the store sqlite:ferry.db can be opened
    ok    the file is whole: ok
    ok    every accepted submission is synced to the disk (journal: wal)
    ok    the newest event of the store is `EPOCH-0`
    ok    account `default` gets a token
    FAIL  account `default` does not reach the Upload API: GetResults (status): no connection: Connection refused (os error 111)
          hint: check api_url, and the way to the Platform
    ---- stderr
    ");
    let ferry =
        Ferry::of(&platform).set("FERRY_TOKEN_URL", format!("{}/wrong", platform.sim.token_url()));
    assert_snapshot!(ferry.run(&["doctor"]), @"
    exit 1
    ---- stdout
    ok    the configuration can be read
    ok    the store sqlite:ferry.db can be opened
    ok    the file is whole: ok
    ok    every accepted submission is synced to the disk (journal: wal)
    ok    the newest event of the store is `EPOCH-0`
    FAIL  account `default` gets no token: token endpoint: nothing answers there (404); check `token_url`
          hint: check token_url, and the way to the Platform
    ---- stderr
    ");
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
    FAIL  the store cannot be opened: `march.csv` is not an SQLite file
          hint: `store` must name a file that can be written, in a folder that is there
    ok    account `default` gets a token
    ok    account `default` is answered by the Upload API
    ---- stderr
    ");
    let ran = ferry.run(&["doctor", "--store", "sqlite:nowhere/ferry.db"]);
    assert_snapshot!(ran, @"
    exit 1
    ---- stdout
    ok    the configuration can be read
    FAIL  the store cannot be opened: cannot open the store `nowhere/ferry.db`: No such file or directory (os error 2)
          hint: `store` must name a file that can be written, in a folder that is there
    ok    account `default` gets a token
    ok    account `default` is answered by the Upload API
    ---- stderr
    ");
    assert_snapshot!(ferry.run(&["submit", "march.csv", "--store", "sqlite:march.csv"]), @"
    exit 1
    ---- stdout
    ---- stderr
    error: `march.csv` is not an SQLite file
    hint: `ferry doctor` checks the store and what surrounds it
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
    ok    the newest event of the store is `EPOCH-0`
    FAIL  account `default` is paused: the Platform moves house
          hint: mend what is wrong, then `ferry resume default`
    ok    account `default` gets a token
    ok    account `default` is answered by the Upload API
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
          hint: `ferry doctor --settings` lists all settings
    FAIL  FERRY_DEADLINE: expected a duration of at least 1ms, such as 50ms, 2s or 5m, found `never`
          hint: `ferry doctor --settings` lists all settings
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
    ok    the store sqlite:ferry.db can be opened
    ok    the file is whole: ok
    ok    every accepted submission is synced to the disk (journal: wal)
    ok    the newest event of the store is `EPOCH-0`
    FAIL  no account is configured: nothing can be uploaded from here
          hint: set FERRY_TOKEN_URL, FERRY_API_URL, FERRY_CLIENT_ID, FERRY_CLIENT_SECRET and FERRY_API_KEY
    ---- stderr
    ");
}

#[test]
fn all_settings_are_listed() {
    let ran = Ferry::new().run(&["doctor", "--settings"]).ok();
    let first = ran.stdout.lines().next().unwrap_or_default();
    assert_snapshot!(first, @"FERRY_STORE                sqlite:ferry.db                                              where submissions are kept: `sqlite:PATH`, `redis://HOST:PORT/DATABASE`, or `redis+sentinel://HOST:PORT,…/MASTER/DATABASE`; with TLS `rediss`");
    let objects = Ferry::new().run(&["doctor", "--settings", "--json"]).ok().objects();
    assert_eq!(objects.len(), ran.stdout.lines().count());
    assert!(objects.iter().all(|setting| setting["meaning"] != ""));
}
