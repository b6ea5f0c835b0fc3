//! The exit codes, each from the situation that it is for, and how a held submission is ended.

use ferry_sim::{Endpoint, Fault};
use insta::assert_snapshot;

use super::harness::{CORRECTED, Ferry, GOOD, Platform, REJECTED, assert_is_submission};

/// A submission whose upload arrived, and whose answer was lost.
fn held(platform: &Platform) -> (Ferry, String) {
    platform.sim.script(Endpoint::Upload, Fault::ResetAfter);
    let ferry = Ferry::of(platform).file("march.csv", GOOD);
    let id = ferry.run(&["submit", "march.csv", "--wait"]).exits(6).id();
    (ferry, id)
}

#[test]
fn completed_exits_0() {
    let platform = Platform::start();
    let ferry = Ferry::of(&platform).file("march.csv", GOOD);
    let ran = ferry.run(&["submit", "march.csv", "--wait"]);
    assert_snapshot!(ran.result(), @"
    exit 0
    ID-1  completed   march                 after SPAN, 1 poll
    ");
    assert!(ran.stderr.contains("completed   march"), "{}", ran.stderr);
}

#[test]
fn completed_as_json_exits_0() {
    let platform = Platform::start();
    let ferry = Ferry::of(&platform).file("march.csv", GOOD);
    let objects = ferry.run(&["submit", "march.csv", "--wait", "--json"]).ok().objects();
    assert_eq!(objects.len(), 1);
    assert_is_submission(&objects[0]);
    assert_eq!(objects[0]["state"], "completed");
    assert_eq!(objects[0]["results"][0]["key"], "tableofresultids");
}

#[test]
fn given_up_at_the_deadline_exits_1() {
    let platform = Platform::slow();
    let ferry = Ferry::of(&platform).file("march.csv", GOOD);
    let ran = ferry.run(&["submit", "march.csv", "--deadline", "300ms", "--wait"]).exits(1);
    assert!(ran.stdout.contains("failed"), "{}", ran.stdout);
    assert!(ran.stdout.contains("had not decided by the deadline"), "{}", ran.stdout);
}

#[test]
fn a_wrong_call_exits_2() {
    let ferry = Ferry::new();
    assert_snapshot!(ferry.run(&["submit"]), @"
    exit 2
    ---- stdout
    ---- stderr
    error: the following required arguments were not provided:
      <FILE>...

    Usage: ferry submit <FILE>...

    For more information, try '--help'.
    ");
    assert_snapshot!(ferry.run(&["sumbit"]), @"
    exit 2
    ---- stdout
    ---- stderr
    error: unrecognized subcommand 'sumbit'

      tip: some similar subcommands exist: 'audit', 'simulate', 'resubmit', 'submit'

    Usage: ferry [OPTIONS] <COMMAND>

    For more information, try '--help'.
    ");
    assert_snapshot!(ferry.run(&["status", "march"]), @"
    exit 2
    ---- stdout
    ---- stderr
    error: invalid value 'march' for '[ID]...': `march` is not a submission id: expected 26 letters and digits like ID-1, or its beginning, at least 4 of them

    For more information, try '--help'.
    ");
}

#[test]
fn to_wait_without_an_account_exits_2_and_keeps_nothing() {
    let ferry = Ferry::new().file("march.csv", GOOD);
    assert_snapshot!(ferry.run(&["submit", "march.csv", "--wait"]), @"
    exit 2
    ---- stdout
    ---- stderr
    error: no account is configured: nothing can be uploaded
    hint: export FERRY_TOKEN_URL, FERRY_API_URL, FERRY_CLIENT_ID, FERRY_CLIENT_SECRET and FERRY_API_KEY; or rehearse with `ferry simulate`, which prints such lines
    ");
    assert_snapshot!(ferry.run(&["list"]).result(), @"exit 0");
}

#[test]
fn an_invalid_dataset_exits_3_and_keeps_nothing() {
    let platform = Platform::start();
    let ferry = Ferry::of(&platform)
        .file("march.csv", GOOD)
        .file("faulty.csv", "A1,03/03/2026,08:00,31/02/2026,16:30\n");
    assert_snapshot!(ferry.run(&["submit", "march.csv", "faulty.csv", "--wait"]), @"
    exit 3
    ---- stdout
    faulty.csv: error: line 1, row 1, column `EndDate`: `31/02/2026` is not a calendar date: expected DD/MM/YYYY, such as 31/12/2025
    faulty.csv: invalid: 1 error in 1 row
    ---- stderr
    nothing was submitted
    ");
    assert_snapshot!(ferry.run(&["list"]), @"
    exit 0
    ---- stdout
    ---- stderr
    the store sqlite:ferry.db is empty
    ");
    assert_eq!(platform.sim.ledger().requests, 0);
}

#[test]
fn rejected_exits_4() {
    let platform = Platform::plain();
    let ferry = Ferry::of(&platform).file("march.csv", REJECTED);
    assert_snapshot!(ferry.run(&["submit", "march.csv", "--wait"]).result(), @"
    exit 4
    ID-1  rejected    march                 the Platform rejected the dataset with `completedwitherrors`; see its feedback (after SPAN, 1 poll)
    ");
    ferry.write("march.csv", CORRECTED);
    assert_snapshot!(ferry.run(&["submit", "march.csv", "--wait"]).result(), @"
    exit 4
    ID-1  rejected    march                 the Platform rejected the upload (409): a dataset named march already exists (after SPAN, 0 polls)
    ");
}

#[test]
fn pending_at_the_limit_exits_5_and_says_who_continues() {
    let platform = Platform::slow();
    let ferry = Ferry::of(&platform).file("march.csv", GOOD);
    let ran = ferry.run(&["submit", "march.csv", "--wait=1s"]).exits(5);
    assert!(ran.stdout.contains("processing"), "{}", ran.stdout);
    assert_snapshot!(ran.stderr.lines().last().unwrap_or_default(), @"warning: the limit of --wait is reached: the submission is stored; `ferry worker` continues, `ferry watch ID` follows it");
}

#[test]
fn held_exits_6_and_says_how_to_decide() {
    let platform = Platform::plain();
    let (ferry, id) = held(&platform);
    assert_snapshot!(ferry.run(&["list"]), @"
    exit 0
    ---- stdout
    ID-1  held  march  default  SPAN ago  an earlier upload may have arrived, and now the Platform rejects it (409: a dataset named march already exists): it may have this dataset, or another one of its name; decide with `ferry resolve ID-1 --overwrite`, `--retry` or `--fail`
    ---- stderr
    ");
    assert_snapshot!(ferry.run(&["results", &id]), @"
    exit 6
    ---- stdout
    ---- stderr
    error: submission ID-1 is held and has no results: an earlier upload may have arrived, and now the Platform rejects it (409: a dataset named march already exists): it may have this dataset, or another one of its name; decide with `ferry resolve ID-1 --overwrite`, `--retry` or `--fail`
    hint: decide about it: `ferry resolve ID-1`
    ");
    assert_snapshot!(ferry.run(&["feedback", &id]), @"
    exit 6
    ---- stdout
    ---- stderr
    error: submission ID-1 is held and has no feedback: an earlier upload may have arrived, and now the Platform rejects it (409: a dataset named march already exists): it may have this dataset, or another one of its name
    hint: decide about it: `ferry resolve ID-1`
    ");
}

#[test]
fn a_held_submission_may_overwrite_what_is_there() {
    let platform = Platform::start();
    let (ferry, id) = held(&platform);
    assert_snapshot!(ferry.run(&["resolve", &id, "--overwrite"]), @"
    exit 0
    ---- stdout
    ID-1  queued      march                 resolved: to overwrite what is there; waits for a worker
    ---- stderr
    ");
    ferry.run(&["worker", "--until-idle"]).ok();
    ferry.await_state(&id, "completed");
    let ledger = platform.sim.ledger();
    let uploads: Vec<bool> = ledger.names["march"].accepted.iter().map(|u| u.overwrite).collect();
    assert_eq!(uploads, [false, true]);
}

#[test]
fn a_held_submission_may_be_given_up() {
    let platform = Platform::start();
    let (ferry, id) = held(&platform);
    assert_snapshot!(ferry.run(&["resolve", &id, "--fail"]), @"
    exit 0
    ---- stdout
    ID-1  failed      march                 resolved: given up (after SPAN, 0 polls)
    ---- stderr
    ");
    let again = ferry.object(&["status", "--json", &id]);
    assert_eq!((&again["state"], &again["reason_code"]), (&"failed".into(), &"operator".into()));
}

#[test]
fn a_held_submission_may_be_tried_again_and_is_not_overwriting() {
    let platform = Platform::start();
    let (ferry, id) = held(&platform);
    let object = ferry.object(&["resolve", &id, "--retry", "--json"]);
    assert_is_submission(&object);
    assert_eq!(object["state"], "queued");
    // The dataset is still there, so the Platform still says so.
    ferry.run(&["worker", "--until-idle"]).ok();
    ferry.await_state(&id, "held");
}

#[test]
fn only_a_held_submission_can_be_resolved_and_only_one_way() {
    let ferry = Ferry::new().file("march.csv", GOOD);
    let id = ferry.run(&["submit", "march.csv"]).ok().id();
    assert_snapshot!(ferry.run(&["resolve", &id, "--fail"]), @"
    exit 2
    ---- stdout
    ---- stderr
    error: submission ID-1 is queued: only a held one can be resolved
    hint: see its progress: `ferry status ID-1`
    ");
    assert_snapshot!(ferry.run(&["resolve", &id]), @"
    exit 2
    ---- stdout
    ---- stderr
    error: the following required arguments were not provided:
      <--overwrite|--retry|--fail>

    Usage: ferry resolve <--overwrite|--retry|--fail> <ID>...

    For more information, try '--help'.
    ");
    assert_snapshot!(ferry.run(&["resolve", &id, "--fail", "--retry"]), @"
    exit 2
    ---- stdout
    ---- stderr
    error: the argument '--fail' cannot be used with '--retry'

    Usage: ferry resolve <--overwrite|--retry|--fail> <ID>...

    For more information, try '--help'.
    ");
}

#[test]
fn the_worst_of_several_makes_the_exit_code() {
    let platform = Platform::start();
    let ferry = Ferry::of(&platform).file("good.csv", GOOD).file("bad.csv", REJECTED);
    let ran = ferry.run(&["submit", "good.csv", "bad.csv", "--wait"]).exits(4);
    assert_eq!(ran.ids().len(), 2);
}
