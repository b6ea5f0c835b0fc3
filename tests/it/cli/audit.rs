//! The audit log: who did what, over HTTP and on the command line.

use serde_json::Value;

use super::harness::{Ferry, GOOD};
use crate::api::harness::client;
use crate::api::serve::{serve, url};

#[test]
fn what_operators_do_is_recorded_wherever_they_do_it() {
    let ferry = Ferry::new()
        .file("march.csv", GOOD)
        .set("FERRY_AUDIT_LOG", "audit.jsonl")
        .set("FERRY_API_KEYS", "keys.jsonl");
    let id = ferry.run(&["submit", "march.csv"]).ok().id();
    let key = ferry.run(&["keys", "create", "--name", "ops", "--role", "operate"]).ok().stdout;
    ferry.run(&["pause", "--create", "north", "--reason", "maintenance"]).ok();
    ferry.run(&["cancel", &id]).ok();
    ferry.run(&["resolve", "--fail", &id]).exits(2);
    ferry.run(&["list"]).ok();
    let mut server = serve(&ferry, &["--no-workers"]);
    let resume = client().post(format!("{}/v1/accounts/north/resume", url(&server)));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let response = runtime.block_on(async { resume.bearer_auth(key.trim()).send().await }).unwrap();
    assert_eq!(response.status(), 200);
    server.signal("TERM");
    server.end();
    ferry.run(&["keys", "revoke", "ops"]).ok();
    ferry.run(&["keys", "revoke", "ops"]).exits(2);

    let log = ferry.read("audit.jsonl");
    let records: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let lines: Vec<String> = records
        .iter()
        .map(|record| {
            let text = |name: &str| record[name].as_str().unwrap_or_default().to_owned();
            let details = record["details"].as_str().map(|details| format!(" ({details})"));
            let (action, details) = (text("action"), details.unwrap_or_default());
            let phase =
                if record["phase"] == "intent" { "…".to_owned() } else { text("outcome") };
            format!("{} {action}{details}: {phase}", text("via")).replace(&id, "ID")
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @"
    cli ferry keys create ops (operate: all accounts): …
    cli ferry keys create ops (operate: all accounts): done
    cli ferry pause north (maintenance): …
    cli ferry pause north (maintenance): done
    cli ferry cancel ID: …
    cli ferry cancel ID: done
    cli ferry resolve --fail ID: …
    cli ferry resolve --fail ID: submission ID is cancelled: only a held one can be resolved
    api POST /v1/accounts/north/resume: …
    api POST /v1/accounts/north/resume: 200
    cli ferry keys revoke ops: …
    cli ferry keys revoke ops: done
    cli ferry keys revoke ops: …
    cli ferry keys revoke ops: there is no key `ops`
    ");
    let user = std::process::Command::new("id").arg("-un").output().unwrap().stdout;
    let user = String::from_utf8(user).unwrap();
    for record in &records {
        let is_ours = record["via"] == "cli";
        assert_eq!(record["actor"].as_str(), Some(if is_ours { user.trim() } else { "ops" }));
        assert_eq!(record["client"].as_str(), (!is_ours).then_some("127.0.0.1"), "{record}");
        let at = record["at"].as_str().unwrap();
        assert!(at.starts_with("20") && at.ends_with('Z'), "{at}");
    }
    assert!(!log.contains(key.trim()), "the key is shown");
}

#[test]
fn nothing_is_done_that_could_not_be_recorded() {
    let ferry = Ferry::new().file("march.csv", GOOD).set("FERRY_AUDIT_LOG", "nowhere/audit.jsonl");
    let id = ferry.run(&["submit", "march.csv"]).ok().id();
    for args in [&["cancel", &id][..], &["pause", "--create", "north"], &["serve", "--no-workers"]]
    {
        insta::allow_duplicates! {
            insta::assert_snapshot!(ferry.run(args), @"
            exit 2
            ---- stdout
            ---- stderr
            error: cannot append to the audit log `nowhere/audit.jsonl`
            caused by: No such file or directory (os error 2)
            hint: correct the file, or name another with `audit_log`
            ");
        }
    }
    assert_eq!(ferry.object(&["status", "--json", &id])["state"], "queued");
}
