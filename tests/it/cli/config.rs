//! The configuration: its sources, and its error messages.

use insta::assert_snapshot;

use super::harness::{Ferry, GOOD, Platform};

const SECRET: &str = "s3cr3t-that-must-stay-hidden";

#[test]
fn all_errors_are_reported_at_once() {
    let file = format!(
        "poll_initial = \"soon\"\n\
         pol_max = \"60s\"\n\
         client_secret = \"{SECRET}\"\n\
         retention = [1, 2]\n\
         deadline = 2026-01-01\n\
         [accounts.north]\n\
         token_url = \"identity.example.com\"\n\
         api_url = \"https://api.example.com/upload?key={SECRET}\"\n\
         client_id = \"north\"\n\
         api_kee = \"{SECRET}\"\n\
         overwrite_format = \"text\"\n\
         [accounts.South]\n\
         client_id = \"south\"\n"
    );
    let ferry = Ferry::new()
        .file("ferry.toml", file)
        .set("FERRY_CONCURRENCY", "0")
        .set("FERRY_LEASE", "1ms")
        .set("FERRY_POLL_MAX", "0s")
        .set("FERRY_LOG", "ferry=loud")
        .set("FERRY_LOG_FORMAT", "xml")
        .set("FERRY_METRICS_LISTEN", "9464")
        .set("FERRY_STORE", format!("mysql://:{SECRET}@cache:6379"))
        .set("FERRY_RETRY_INITAL", "1s")
        .set("FERRY_SERVICE_HOST", "10.0.0.1");
    let ran = ferry.run(&["list", "--set", "pol_factor=3", "--set", SECRET]);
    assert_snapshot!(ran, @"
    exit 2
    ---- stdout
    ---- stderr
    error: 25 configuration errors:
      `client_secret` in `ferry.toml` is not a setting: it belongs into a table such as [accounts.default]
      `pol_max` in `ferry.toml` is not a setting; did you mean `poll_max`?
      FERRY_RETRY_INITAL is not a setting; did you mean FERRY_RETRY_INITIAL?
      `pol_factor` after `--set` is not a setting; did you mean `poll_factor`?
      `--set`: expected `name=value`
      FERRY_STORE: expected `sqlite:PATH`, such as sqlite:ferry.db, or a URL such as redis://localhost:6379/0, found something else
      FERRY_LOG: expected a filter such as `warn` or `ferry=debug,info`, found `ferry=loud`
      FERRY_LOG_FORMAT: expected `pretty` or `json`, found `xml`
      FERRY_METRICS_LISTEN: expected an address and a port such as 127.0.0.1:PORT, found `9464`
      FERRY_POLL_MAX: expected a duration of at least 1ms, such as 50ms, 2s or 5m, found `0s`
      `deadline` in `ferry.toml` is neither a text nor a number
      FERRY_CONCURRENCY: expected a whole number from 1 to 10000, found `0`
      FERRY_LEASE: expected a duration of at least 100ms, such as 15s, found `1ms`
      `retention` in `ferry.toml` is neither a text nor a number
      `South` is not a name for an account: expected 1 to 64 of a-z, 0-9, - and _
      account `South` has no `token_url`: set `token_url` in [accounts.South]
      account `South` has no `api_url`: set `api_url` in [accounts.South]
      account `South` has no `client_secret`: set `client_secret` in [accounts.South]
      account `South` has no `api_key`: set `api_key` in [accounts.South]
      `api_kee` in [accounts.north] of `ferry.toml` is not a setting of an account; did you mean `api_key`?
      `token_url` in [accounts.north] of `ferry.toml`: the URL must begin with https:// (or http://)
      `api_url` in [accounts.north] of `ferry.toml`: the URL must not have a query or a fragment
      account `north` has no `client_secret`: set `client_secret` in [accounts.north]
      account `north` has no `api_key`: set `api_key` in [accounts.north]
      `overwrite_format` in [accounts.north] of `ferry.toml`: expected `strings` or `booleans`, found `text`
    hint: list the settings with their defaults: `ferry doctor --settings`
    ");
}

#[test]
fn a_syntax_error_names_its_line_and_shows_none() {
    let ferry = Ferry::new().file(
        "ferry.toml",
        format!("poll_max = \"60s\"\n[accounts.default]\nclient_secret = {SECRET}\n"),
    );
    assert_snapshot!(ferry.run(&["list"]), @"
    exit 2
    ---- stdout
    ---- stderr
    error: 1 configuration error: `ferry.toml`, line 3: string values must be quoted, expected literal string
    hint: list the settings with their defaults: `ferry doctor --settings`
    ");
    let ferry =
        ferry.file("ferry.toml", format!("[accounts.default]\napi_key = \"{SECRET}\nx = 1\n"));
    assert_snapshot!(ferry.run(&["list"]), @r#"
    exit 2
    ---- stdout
    ---- stderr
    error: 1 configuration error: `ferry.toml`, line 2: invalid basic string, expected `"`
    hint: list the settings with their defaults: `ferry doctor --settings`
    "#);
    let twice = format!("[accounts.default]\napi_key = \"{SECRET}\"\napi_key = \"{SECRET}\"\n");
    assert_snapshot!(ferry.file("ferry.toml", twice).run(&["list"]), @"
    exit 2
    ---- stdout
    ---- stderr
    error: 1 configuration error: `ferry.toml`, line 3: duplicate key
    hint: list the settings with their defaults: `ferry doctor --settings`
    ");
}

#[test]
fn a_file_that_is_named_must_be_there() {
    let ferry = Ferry::new();
    assert_snapshot!(ferry.run(&["list", "--config", "other.toml"]), @"
    exit 2
    ---- stdout
    ---- stderr
    error: 1 configuration error: cannot read `other.toml`: No such file or directory (os error 2)
    hint: `--config FILE` or FERRY_CONFIG names another file
    ");
    let ferry = ferry.set("FERRY_CONFIG", "else.toml");
    assert_snapshot!(ferry.run(&["list"]), @"
    exit 2
    ---- stdout
    ---- stderr
    error: 1 configuration error: cannot read `else.toml`: No such file or directory (os error 2)
    hint: `--config FILE` or FERRY_CONFIG names another file
    ");
}

#[test]
fn a_file_without_an_end_is_not_read() {
    let ferry = Ferry::new();
    assert_snapshot!(ferry.run(&["list", "--config", "/dev/zero"]), @"
    exit 2
    ---- stdout
    ---- stderr
    error: 1 configuration error: cannot read `/dev/zero`: it has more than 4 MiB
    hint: `--config FILE` or FERRY_CONFIG names another file
    ");
}

#[test]
fn flags_come_before_the_environment_before_the_file() {
    let ferry =
        Ferry::new().file("march.csv", GOOD).file("ferry.toml", "store = \"sqlite:file.db\"\n");
    let made = |name: &str| ferry.path(name).exists();
    ferry.run(&["submit", "march.csv"]).ok();
    assert!(made("file.db") && !made("ferry.db"));
    let ferry = ferry.set("FERRY_STORE", "sqlite:env.db");
    ferry.run(&["submit", "march.csv"]).ok();
    ferry.run(&["submit", "march.csv", "--set", "store=sqlite:set.db"]).ok();
    ferry.run(&["submit", "march.csv", "--store", "sqlite:flag.db"]).ok();
    for name in ["file.db", "env.db", "set.db", "flag.db"] {
        let location = format!("sqlite:{name}");
        assert_eq!(ferry.run(&["list", "--store", &location]).ok().ids().len(), 1, "{name}");
    }
    // Empty means none.
    let ferry = ferry.set("FERRY_STORE", "");
    assert_eq!(ferry.run(&["list"]).ok().ids().len(), 1);
}

#[test]
fn secrets_are_read_from_files() {
    let platform = Platform::start();
    let ferry = Ferry::of(&platform)
        .unset("FERRY_CLIENT_SECRET")
        .unset("FERRY_API_KEY")
        .set("FERRY_CLIENT_SECRET_FILE", "secret")
        .set("FERRY_API_KEY_FILE", "key")
        .set("FERRY_CLIENT_ID", "\u{feff} demo\u{200b}\n")
        .file("secret", "\u{feff}demo-secret \n")
        .file("key", "demo-key\r\n")
        .file("march.csv", GOOD);
    ferry.run(&["submit", "march.csv", "--wait"]).ok();
}

#[test]
fn an_invalid_secret_is_reported_without_it() {
    let platform = Platform::start();
    let ferry = Ferry::of(&platform)
        .file("empty", "\n")
        .file("lines", format!("{SECRET}\n{SECRET}\n"))
        .set("FERRY_CLIENT_SECRET_FILE", "empty")
        .unset("FERRY_API_KEY")
        .set("FERRY_API_KEY_FILE", SECRET);
    assert_snapshot!(ferry.run(&["list"]), @"
    exit 2
    ---- stdout
    ---- stderr
    error: 2 configuration errors:
      FERRY_CLIENT_SECRET and FERRY_CLIENT_SECRET_FILE: give only one of them
      FERRY_API_KEY_FILE, which names a file: cannot read the file: No such file or directory (os error 2)
    hint: list the settings with their defaults: `ferry doctor --settings`
    ");
    let ferry = ferry.unset("FERRY_CLIENT_SECRET").set("FERRY_API_KEY_FILE", "lines");
    assert_snapshot!(ferry.run(&["list"]), @"
    exit 2
    ---- stdout
    ---- stderr
    error: 2 configuration errors:
      `client_secret` of account `default` is empty
      FERRY_API_KEY_FILE, which names a file: it holds a line break or another invisible character (U+000A): write it without
    hint: list the settings with their defaults: `ferry doctor --settings`
    ");
}

#[test]
fn a_token_url_may_have_a_query_and_the_api_url_may_not() {
    let account = |name: &str, value: &str| {
        Ferry::of(&Platform::start()).set(name, value).run(&["doctor", "--offline"])
    };
    account("FERRY_TOKEN_URL", "https://t.example.com/oauth2/v2.0/token?p=b2c_1_x").ok();
    let failed = account("FERRY_API_URL", "https://api.example.com/upload?key=1").exits(2);
    assert!(failed.stdout.contains("must not have a query"), "{}", failed.stdout);
    let failed = account("FERRY_TOKEN_URL", "https://t.example.com/token#x").exits(2);
    assert!(failed.stdout.contains("must not have a fragment"), "{}", failed.stdout);
}

#[test]
fn invisible_characters_inside_an_id_are_named() {
    let ferry = Ferry::of(&Platform::start()).set("FERRY_CLIENT_ID", "de\u{200b}mo");
    let failed = ferry.run(&["doctor", "--offline"]).exits(2);
    assert!(failed.stdout.contains("FERRY_CLIENT_ID: it holds"), "{}", failed.stdout);
    assert!(failed.stdout.contains("(U+200B)"), "{}", failed.stdout);
}

#[test]
fn secrets_on_the_command_line_are_not_accepted() {
    let (key, secret) = (format!("api_key={SECRET}"), format!("client_secret={SECRET}"));
    let store = format!("redis://:{SECRET}@127.0.0.1:1/0");
    let ran = Ferry::new().run(&["list", "--set", &key, "--set", &secret, "--store", &store]);
    assert_snapshot!(ran, @"
    exit 2
    ---- stdout
    ---- stderr
    error: 3 configuration errors:
      `store` with a password must not stand on the command line, which every user of the machine can read: use FERRY_STORE
      `api_key` must not stand on the command line: use FERRY_API_KEY or FERRY_API_KEY_FILE
      `client_secret` must not stand on the command line: use FERRY_CLIENT_SECRET or FERRY_CLIENT_SECRET_FILE
    hint: list the settings with their defaults: `ferry doctor --settings`
    ");
}

#[test]
fn accounts_are_tables_of_the_file() {
    let platform = Platform::start();
    let account = |name: &str| {
        format!(
            "[accounts.{name}]\ntoken_url = \"{}\"\napi_url = \"{}\"\nclient_id = \"demo\"\n\
             client_secret = \"demo-secret\"\napi_key_file = \"key\"\n",
            platform.sim.token_url(),
            platform.sim.api_url()
        )
    };
    let ferry = Ferry::new()
        .file("key", "demo-key")
        .file("march.csv", GOOD)
        .file("ferry.toml", account("north"));
    let object = ferry.run(&["submit", "march.csv", "--wait", "--json"]).ok().objects();
    assert_eq!(object[0]["account"], "north");
    assert_snapshot!(ferry.run(&["pause"]), @"
    exit 0
    ---- stdout
    account `north` is paused: paused by an operator (paused by user `USER` at TIME UTC); `ferry resume north` resumes it
    ---- stderr
    ");

    let ferry = ferry.file("ferry.toml", [account("north"), account("south")].concat());
    assert_snapshot!(ferry.run(&["submit", "march.csv"]), @"
    exit 2
    ---- stdout
    ---- stderr
    error: `account` is needed, because several are configured: `north`, `south`
    hint: name one with --account (in NDJSON: `account`)
    ");
    assert_snapshot!(ferry.run(&["resume"]), @"
    exit 2
    ---- stdout
    ---- stderr
    error: `account` is needed, because several are configured: `north`, `south`
    hint: name the one you mean
    ");
    ferry.run(&["submit", "march.csv", "--account", "south", "--overwrite", "--wait"]).ok();
}

#[test]
fn the_environment_completes_the_table_of_the_default_account() {
    let platform = Platform::start();
    let ferry = Ferry::of(&platform)
        .unset("FERRY_CLIENT_ID")
        .file(
            "ferry.toml",
            "[accounts.default]\nclient_id = \"demo\"\noverwrite_format = \"booleans\"\n",
        )
        .file("march.csv", GOOD);
    ferry.run(&["submit", "march.csv", "--wait"]).ok();
}

#[test]
fn variables_of_others_are_ignored_and_reported_by_the_doctor() {
    let ferry = Ferry::new()
        .set("FERRY_SERVICE_PORT_HTTP", "80")
        .set("FERRY_PORT_80_TCP", "tcp://10.0.0.1:80")
        .set("FERRY_GREETING", "hello");
    let ran = ferry.run(&["doctor", "--offline"]).exits(1);
    assert!(ran.stdout.contains("FERRY_GREETING is not a setting, and is ignored"));
    assert!(!ran.stdout.contains("FERRY_PORT"), "{}", ran.stdout);
}

#[cfg(unix)]
fn set_mode(ferry: &Ferry, name: &str, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(ferry.path(name), std::fs::Permissions::from_mode(mode)).unwrap();
}

#[cfg(unix)]
#[test]
fn a_file_in_the_current_folder_that_others_can_write_is_not_read_unless_it_is_named() {
    let evil = "[accounts.default]\ntoken_url = \"https://evil.example/token\"\n";
    let ferry = Ferry::new().file("ferry.toml", evil).set("FERRY_CLIENT_SECRET", SECRET);
    set_mode(&ferry, "ferry.toml", 0o666);
    assert_snapshot!(ferry.run(&["list"]), @"
    exit 2
    ---- stdout
    ---- stderr
    error: 1 configuration error: cannot read `ferry.toml`: it can be written by other users (mode 666); if that is meant, name it with `--config`
    hint: correct the file, or name another one with `--config FILE`
    ");
    set_mode(&ferry, "ferry.toml", 0o644);
    assert!(!ferry.run(&["list"]).stderr.contains("other users"));
    set_mode(&ferry, "ferry.toml", 0o666);
    let named = ferry.run(&["list", "--config", "ferry.toml"]);
    assert!(!named.stderr.contains("cannot read"), "{}", named.stderr);
}

#[cfg(unix)]
#[test]
fn files_with_secrets_that_others_can_read_are_named_at_the_start() {
    let secret = format!("store_password = \"{SECRET}\"\n");
    let ferry = Ferry::new().file("ferry.toml", secret).file("server.key", "none");
    let ferry = ferry.file("session", "s".repeat(64)).set("FERRY_SESSION_SECRET_FILE", "session");
    let ferry = ferry.set("FERRY_TLS_KEY", "server.key").set("FERRY_TLS_CERTIFICATE", "server.pem");
    let files = ["ferry.toml", "server.key", "session"];
    for file in files {
        set_mode(&ferry, file, 0o644);
    }
    let warned = |ferry: &Ferry| {
        let findings = ferry.run(&["doctor"]).stdout;
        let warned = findings.lines().filter(|line| line.contains("other users"));
        warned.collect::<Vec<_>>().join("\n")
    };
    assert_snapshot!(warned(&ferry), @"
    note  other users can read `ferry.toml`, which holds `store_password` (mode 644): `chmod 600 'ferry.toml'` ends that
    note  other users can read the private key `server.key` (mode 644): `chmod 600 'server.key'` ends that
    note  other users can read `session`, the secret of FERRY_SESSION_SECRET_FILE (mode 644): `chmod 600 'session'` ends that
    ");
    for file in files {
        set_mode(&ferry, file, 0o600);
    }
    assert_eq!(warned(&ferry), "");
}

#[cfg(unix)]
#[test]
fn files_that_others_can_change_are_named_at_the_start() {
    let ferry =
        Ferry::new().file("audit.jsonl", "").file("server.pem", "none").file("named.toml", "");
    let ferry =
        ferry.set("FERRY_AUDIT_LOG", "audit.jsonl").set("FERRY_TLS_CERTIFICATE", "server.pem");
    let ferry = ferry.file("server.key", "none").set("FERRY_TLS_KEY", "server.key");
    ferry.run(&["pause", "--create", "default"]).ok();
    let files = ["audit.jsonl", "server.pem", "named.toml", "ferry.db"];
    let warned = |ferry: &Ferry| {
        let findings = ferry.run(&["doctor", "--config", "named.toml"]).stdout;
        let warned = findings.lines().filter(|line| line.contains("other user"));
        warned.map(str::to_owned).collect::<Vec<_>>()
    };
    set_mode(&ferry, "server.key", 0o600);
    for file in files {
        set_mode(&ferry, file, 0o600);
    }
    assert_eq!(warned(&ferry), [""; 0]);
    for file in files {
        set_mode(&ferry, file, 0o666);
    }
    assert_snapshot!(warned(&ferry).join("\n"), @"
    note  other users can read the store `ferry.db` (mode 666): `chmod 600 'ferry.db'` ends that
    note  other users can write the file of `audit_log`, `audit.jsonl` (mode 666): `chmod go-w 'audit.jsonl'` ends that
    note  other users can write the file of `tls_certificate`, `server.pem` (mode 666): `chmod go-w 'server.pem'` ends that
    note  other users can write the configuration, `named.toml` (mode 666): `chmod go-w 'named.toml'` ends that
    ");
    // Who owns a file can change its mode.
    if nix::unistd::geteuid().is_root() {
        set_mode(&ferry, "audit.jsonl", 0o600);
        std::os::unix::fs::chown(ferry.path("audit.jsonl"), Some(65534), None).unwrap();
        let warned = warned(&ferry).join("\n");
        assert!(warned.contains("another user (65534) owns the file of `audit_log`"), "{warned}");
    }
}

#[test]
fn settings_without_a_credential_make_no_account() {
    let key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let in_environment = Ferry::new().set("FERRY_WEBHOOK_SECRET", key);
    let table = format!("[accounts.default]\nwebhook_secret = \"{key}\"\n");
    for ferry in [in_environment, Ferry::new().file("ferry.toml", table)] {
        let ferry = ferry.file("good.csv", GOOD);
        let id = ferry.run(&["submit", "good.csv"]).ok().id();
        for args in [&["list"] as &[&str], &["status", &id], &["stats"], &["data", &id], &["pause"]]
        {
            ferry.run(args).ok();
        }
        let worker = ferry.run(&["worker", "--until-idle"]);
        assert!(!worker.stderr.contains("configuration error"), "{worker}");
        // What fails is the webhook itself.
        let tested = ferry.run(&["webhooks", "test", "http://127.0.0.1:9/"]).exits(2);
        assert!(tested.stderr.contains("`webhook_allow_http` allows http"), "{tested}");
        let half = ferry.set("FERRY_CLIENT_ID", "me").set("FERRY_API_KEY", "k").run(&["list"]);
        assert!(half.exits(2).stderr.contains("account `default` has no `token_url`"));
    }
    let unknown = "[accounts.default]\nwebhook_secrt = \"x\"\n";
    let unknown = Ferry::new().file("ferry.toml", unknown).run(&["list"]).exits(2);
    assert!(unknown.stderr.contains("did you mean `webhook_secret`?"), "{unknown}");
}
