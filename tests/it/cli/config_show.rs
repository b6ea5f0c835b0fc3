//! `ferry config show`: the settings in effect, and where each comes from.

use insta::assert_snapshot;

use super::harness::Ferry;

fn configured() -> Ferry {
    let file = "poll_max = \"30s\"\n\n[accounts.north]\ntoken_url = \"https://x.example/token\"\n\
                api_url = \"https://x.example/upload\"\nclient_id = \"me\"\n\
                client_secret = \"hush-hush\"\napi_key = \"hush-hush\"\n";
    ["FERRY_POLL_MAX", "FERRY_RETRY_INITIAL", "FERRY_RETRY_MAX"]
        .into_iter()
        .fold(Ferry::new().file("ferry.toml", file), Ferry::unset)
}

#[test]
fn each_setting_has_its_value_and_its_source_and_secrets_are_hidden() {
    let ferry = configured();
    let shown = ferry.run(&["config", "show", "--changed", "--set", "lease=20s"]).ok();
    assert!(!shown.stdout.contains("hush"), "{shown}");
    assert_snapshot!(shown.stdout, @"
    lease                         20s                       `--set lease`
    poll_initial                  20ms                      FERRY_POLL_INITIAL
    poll_max                      30s                       `ferry.toml`, line 1
    accounts.north.token_url      https://x.example/token   `ferry.toml`, line 4
    accounts.north.api_url        https://x.example/upload  `ferry.toml`, line 5
    accounts.north.client_id      me                        `ferry.toml`, line 6
    accounts.north.client_secret  (hidden)                  `ferry.toml`, line 7
    accounts.north.api_key        (hidden)                  `ferry.toml`, line 8
    ");
    let all = ferry.run(&["config", "show"]).ok().stdout;
    let store = all.lines().next().unwrap_or_default();
    assert_eq!(
        store.split_whitespace().collect::<Vec<_>>(),
        ["store", "sqlite:ferry.db", "default"]
    );
}

#[test]
fn programs_read_an_object_for_each_setting() {
    let objects = configured().run(&["config", "show", "--json"]).ok().objects();
    let of = |account: Option<&str>, name: &str| {
        let found = |one: &&serde_json::Value| {
            one["name"] == name && one.get("account").and_then(|a| a.as_str()) == account
        };
        objects.iter().find(found).unwrap_or_else(|| panic!("{name} is missing")).clone()
    };
    let interval = of(None, "poll_max");
    let expected = serde_json::json!({
        "name": "poll_max", "value": "30s", "source": "file", "location": "`ferry.toml`, line 1",
    });
    assert_eq!(interval, expected);
    assert_eq!(of(Some("north"), "api_key")["value"], serde_json::Value::Null);
    assert_eq!(of(None, "poll_initial")["source"], "environment");
}

#[test]
fn a_configuration_with_errors_is_shown_with_its_errors() {
    let ferry = configured().set("FERRY_LEASE", "soon");
    let shown = ferry.run(&["config", "show"]).exits(2);
    assert!(shown.stdout.contains("FERRY_LEASE"), "{shown}");
    assert!(shown.stderr.contains("FERRY_LEASE: "), "{shown}");
}
