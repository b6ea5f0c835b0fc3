//! Commands of operators on all submissions that match.

use super::harness::{Ferry, GOOD, Ran};

/// Three submissions with a label, and one without.
fn labeled() -> (Ferry, Vec<String>) {
    let ferry = Ferry::new().file("march.csv", GOOD);
    let submit = |name: &str, label: &[&str]| {
        ferry.run(&[&["submit", "march.csv", "--name", name], label].concat()).ok().id()
    };
    let ids = ["a", "b", "c"].map(|name| submit(name, &["--label", "batch=7"])).to_vec();
    submit("other", &[]);
    (ferry, ids)
}

fn states(ferry: &Ferry) -> serde_json::Value {
    ferry.object(&["stats", "--json"])["states"].clone()
}

const CANCEL: [&str; 3] = ["cancel", "--label", "batch=7"];

fn with(more: &[&'static str]) -> Vec<&'static str> {
    [&CANCEL[..], more].concat()
}

#[test]
fn a_dry_run_counts_and_changes_nothing_and_a_receipt_counts_what_was_changed() {
    let (ferry, ids) = labeled();
    let plan = ferry.run(&with(&["--dry-run"])).ok();
    assert!(plan.stdout.starts_with("`cancel` would change 3 submissions: "), "{plan}");
    assert!(plan.stdout.contains(&ids[2]), "{plan}");
    let object = ferry.object(&with(&["--dry-run", "--json"]));
    assert_eq!((&object["changed"], &object["dry_run"]), (&3.into(), &true.into()));
    // Without a terminal that could be asked, a flag has to say it.
    let failed = ferry.run(&CANCEL).exits(2);
    assert!(failed.stderr.contains("would change 3 submissions"), "{failed}");
    assert!(failed.stderr.contains("--yes"), "{failed}");
    assert_eq!(states(&ferry), serde_json::json!({ "queued": 4 }));
    let receipt = ferry.run(&with(&["--yes"])).ok();
    assert!(receipt.stdout.starts_with("`cancel` changed 3 submissions: "), "{receipt}");
    assert_eq!(states(&ferry), serde_json::json!({ "queued": 1, "cancelled": 3 }));
    let again = ferry.run(&with(&["--yes"])).ok();
    assert_eq!(again.stdout, "");
    assert!(again.stderr.contains("matches that `cancel` would change"), "{again}");
    let object = ferry.object(&with(&["--yes", "--json"]));
    assert_eq!(object["changed"], 0);
}

#[test]
fn what_stays_unchanged_is_in_the_receipt_and_in_the_exit_code() {
    let (ferry, _) = labeled();
    ferry.run(&with(&["--yes"])).ok();
    let failed = ferry.run(&with(&["--state", "cancelled", "--yes"])).exits(1);
    assert!(failed.stdout.contains("left unchanged 3 submissions: submission "), "{failed}");
    let object = ferry.run(&with(&["--state", "cancelled", "--yes", "--json"])).exits(1).objects();
    assert_eq!(object[0]["unchanged"][0]["code"], "already_final", "{object:?}");
    let planned = ferry.object(&with(&["--state", "cancelled", "--dry-run", "--json"]));
    assert_eq!(planned["unchanged"], object[0]["unchanged"], "a plan says the same");
    assert_eq!(planned["unchanged"][0]["count"], 3, "{planned}");
}

#[test]
fn an_action_knows_what_submissions_wait_for_and_whose_revisions_they_are() {
    let (ferry, ids) = labeled();
    let second = ferry.run(&["submit", "march.csv", "--name", "a"]).ok().id();
    let plan = ferry.object(&["cancel", "--waiting-for", "predecessor", "--dry-run", "--json"]);
    assert_eq!((&plan["changed"], &plan["examples"][0]), (&1.into(), &second.as_str().into()));
    ferry.run(&["cancel", &ids[1]]).ok();
    let revision = ferry.run(&["resubmit", &ids[1], "march.csv"]).ok().id();
    let plan = ferry.object(&["cancel", "--revision-of", &ids[1], "--dry-run", "--json"]);
    assert_eq!((&plan["changed"], &plan["examples"][0]), (&1.into(), &revision.as_str().into()));
}

#[test]
fn each_change_is_audited_as_that_of_a_single_command() {
    let (ferry, ids) = labeled();
    let ferry = ferry.set("FERRY_AUDIT_LOG", "audit.jsonl");
    ferry.run(&with(&["--yes"])).ok();
    let log = ferry.read("audit.jsonl");
    for id in ids {
        let action = format!("\"action\":\"ferry cancel {id}\"");
        assert_eq!(log.matches(&action).count(), 2, "intent and outcome of {id}: {log}");
    }
}

#[test]
fn a_command_about_nothing_and_a_flag_without_a_filter_are_errors() {
    let (ferry, ids) = labeled();
    assert!(ferry.run(&["cancel"]).exits(2).stderr.contains("no submission is named"));
    let named = ferry.run(&["cancel", "--name", "a", "--yes"]).exits(2);
    assert!(named.stderr.contains("no filter is given"), "{named}");
    ferry.run(&["cancel", &ids[0], "--state", "queued"]).exits(2);
    ferry.run(&["cancel", &ids[0], "--all"]).exits(2);
    assert_eq!(states(&ferry), serde_json::json!({ "queued": 4 }));
    // A name alone means its newest, and with --all every one of it.
    ferry.run(&["submit", "march.csv", "--name", "a", "--overwrite"]).ok();
    ferry.run(&["cancel", "--name", "a", "--all", "--yes"]).ok();
    assert_eq!(states(&ferry), serde_json::json!({ "queued": 3, "cancelled": 2 }));
}

/// Runs it on a terminal on which `typed` is typed.
fn on_a_terminal(ferry: &Ferry, arguments: &str, typed: &str) -> Ran {
    let binary = env!("CARGO_BIN_EXE_ferry");
    let line = format!("printf '{typed}\\n' | script -qefc '{binary} {arguments}' /dev/null");
    ferry.shell(&format!("TERM=xterm COLUMNS=120 {line}"))
}

#[test]
fn a_terminal_is_asked_before_anything_is_changed() {
    let (ferry, _) = labeled();
    let failed = on_a_terminal(&ferry, "cancel --label batch=7", "n").exits(1);
    assert!(failed.stdout.contains("type `y` to cancel 3 submissions"), "{failed:?}");
    assert!(failed.stdout.contains("nothing was changed"), "{failed:?}");
    assert_eq!(states(&ferry), serde_json::json!({ "queued": 4 }));
    let done = on_a_terminal(&ferry, "cancel --label batch=7", "y").ok();
    assert!(done.stdout.contains("changed 3 submissions"), "{done:?}");
    assert_eq!(states(&ferry), serde_json::json!({ "queued": 1, "cancelled": 3 }));
}

#[test]
fn undelivered_webhooks_are_listed_and_delivered_again() {
    let platform = super::harness::Platform::start();
    let ferry = Ferry::of(&platform)
        .file("march.csv", GOOD)
        .set("FERRY_WEBHOOK_ALLOW", "127.0.0.1")
        .set("FERRY_WEBHOOK_ALLOW_HTTP", "yes")
        .set("FERRY_WEBHOOK_MAX_ATTEMPTS", "1")
        .set("FERRY_WEBHOOK_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    ferry.run(&["submit", "march.csv", "--name", "quiet", "--wait"]).ok();
    // Nothing listens on that port.
    let url = "http://127.0.0.1:9/hook";
    let wait = ["submit", "march.csv", "--wait", "--webhook-url", url];
    let id = ferry.run(&wait).ok().id();
    let pending = ferry.object(&["webhooks", "list", "--json", &id]);
    assert_eq!(pending["deliveries"], serde_json::json!([]), "--wait leaves it to a worker");
    assert!(pending["next_at"].is_string(), "{pending}");
    assert_eq!(ferry.run(&["list", "--webhook", "failed"]).ok().stdout, "");
    assert_eq!(ferry.run(&["list", "--webhook", "pending"]).ok().ids(), [id.as_str()]);
    let webhooks = || {
        let stats = ferry.run(&["stats"]).ok().stdout;
        stats.lines().find(|line| line.contains("webhooks:")).unwrap_or_default().to_owned()
    };
    assert_eq!(webhooks(), "  webhooks: 1 waits for a delivery");
    let worker = ferry.run(&["worker", "--until-idle"]).ok();
    let connection_refused = "no_connection: Connection refused (os error 111)";
    let next =
        format!("abandoned: {connection_refused}; `ferry webhooks redeliver {id}` begins again");
    assert!(worker.stderr.contains(&next), "{}", worker.stderr);
    let begin = format!("webhooks do not reach `http://127.0.0.1:9`: {connection_refused}");
    assert!(worker.stderr.contains(&begin), "{}", worker.stderr);
    assert_eq!(webhooks(), "  webhooks: 1 abandoned");
    assert_eq!(ferry.run(&["list", "--webhook", "failed"]).ok().ids(), [id.as_str()]);
    let again = ["webhooks", "redeliver", "--webhook", "failed", "--yes"];
    let receipt = ferry.run(&again).ok();
    let changed = format!("`webhooks redeliver` changed 1 submission: {id}\n");
    assert_eq!(receipt.stdout, changed);
    ferry.run(&["worker", "--until-idle"]).ok();
    let shown = ferry.object(&["webhooks", "list", "--json", &id]);
    assert_eq!(shown["deliveries"].as_array().map(Vec::len), Some(2), "{shown}");
}
