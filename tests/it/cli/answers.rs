//! Commands on outcomes: feedback beside the rows, the revision, results in files and on stdout, and
//! the timeline of a submission.

use ferry_sim::expected_results;
use insta::assert_snapshot;

use super::harness::{CORRECTED, Ferry, GOOD, Platform, REJECTED, assert_is_submission};

fn rejected(platform: &Platform) -> (Ferry, String) {
    let ferry = Ferry::of(platform).file("march.csv", REJECTED).file("corrected.csv", CORRECTED);
    let id = ferry.run(&["submit", "march.csv", "--label", "team=north", "--wait"]).exits(4).id();
    (ferry, id)
}

fn completed(platform: &Platform, args: &[&str]) -> (Ferry, String) {
    let ferry = Ferry::of(platform).file("march.csv", GOOD);
    let id = ferry.run(&[&["submit", "march.csv", "--wait"], args].concat()).ok().id();
    (ferry, id)
}

#[test]
fn feedback_stands_beside_the_rows_that_it_means() {
    let platform = Platform::plain();
    let (ferry, id) = rejected(&platform);
    assert_snapshot!(ferry.run(&["feedback", &id]), @"
    exit 0
    ---- stdout
    data row 2 (line 3), column `Reference`: unknown reference
        >UNKNOWN-7<, 03/03/2025, 08:00, 03/03/2025, 17:00
    data row 4 (line 5), column `Reference`: unknown reference
        >UNKNOWN-9<, 04/03/2025, 07:15, 04/03/2025, 15:45
    ---- stderr
    ");
    assert_snapshot!(ferry.run(&["feedback", "--raw", &id]), @"
    exit 0
    ---- stdout
    3|UNKNOWN-7|unknown reference
    5|UNKNOWN-9|unknown reference
    ---- stderr
    ");
    assert_snapshot!(ferry.run(&["feedback", "--csv", &id]), @"
    exit 0
    ---- stdout
    Table,Row,Line,Column,Value,Message
    data,2,3,Reference,UNKNOWN-7,unknown reference
    data,4,5,Reference,UNKNOWN-9,unknown reference
    ---- stderr
    ");
    let findings = ferry.run(&["feedback", "--json", &id]).ok().objects();
    assert_eq!(findings.len(), 2);
    assert_eq!((&findings[0]["row"], &findings[0]["value"]), (&3.into(), &"UNKNOWN-7".into()));
    assert_eq!(findings[0]["locations"][0]["line"], 3);
}

#[test]
fn a_correction_overwrites_and_names_what_it_corrects() {
    let platform = Platform::start();
    let (ferry, id) = rejected(&platform);
    let ran = ferry.run(&["resubmit", &id, "corrected.csv", "--wait"]);
    assert_snapshot!(ran.result(), @"
    exit 0
    ID-1  completed   march                 after SPAN, 1 poll
    ");
    let status = ferry.run(&["status", &ran.id()]);
    assert!(status.stdout.contains(&format!("revision of  {id}")), "{}", status.stdout);
    let object = ferry.object(&["status", "--json", &ran.id()]);
    assert_is_submission(&object);
    assert_eq!(object["revision_of"], id.as_str());
    assert_eq!(object["overwrite"], true);
    assert_eq!(object["labels"]["team"], "north");
    assert_eq!(object["timeline"][0]["message"], "accepted");
    let object = ferry.object(&["resubmit", &ran.id(), "corrected.csv", "--json"]);
    assert_is_submission(&object);
    assert_eq!((&object["state"], &object["revision_of"]), (&"queued".into(), &ran.id().into()));
}

#[test]
fn a_correction_is_validated_first() {
    let platform = Platform::start();
    let (ferry, id) = rejected(&platform);
    ferry.write("corrected.csv", "A1,03/03/2026,08:00,31/02/2026,16:30\n");
    assert_snapshot!(ferry.run(&["resubmit", &id, "corrected.csv"]), @"
    exit 3
    ---- stdout
    corrected.csv: error: line 1, row 1, column `EndDate`: `31/02/2026` is not a calendar date: expected DD/MM/YYYY, such as 31/12/2025
    corrected.csv: invalid: 1 error in 1 row
    ---- stderr
    nothing was submitted
    ");
    let report = ferry.run(&["resubmit", &id, "corrected.csv", "--json"]).exits(3).objects();
    assert_eq!(report[0]["problems"][0]["kind"], "not_a_date");
    assert_eq!(ferry.run(&["list"]).ids().len(), 1);
}

#[test]
fn a_rejected_submission_says_what_to_do_next() {
    let platform = Platform::plain();
    let (ferry, id) = rejected(&platform);
    assert_snapshot!(ferry.run(&["status", &id]), @"
    exit 0
    ---- stdout
    ID-1
      name         march
      account      default
      state        rejected
                   the Platform rejected the dataset with `completedwitherrors`; see its feedback (after SPAN, 1 poll)
      progress     1 upload, 1 poll
      deadline     TIME UTC
      token        TOKEN
      last request TIME UTC, collect: received
      label        team=north
      feedback     60 B: `ferry feedback ID-1`
      next         `ferry feedback ID-1` shows the rows; `ferry resubmit ID-1 FILE` submits the corrected file
      timeline
        TIME UTC  queued      accepted
        TIME UTC  uploading
        TIME UTC  processing
        TIME UTC  collecting
        TIME UTC  rejected    the Platform rejected the dataset with `completedwitherrors`; see its feedback
    ---- stderr
    ");
    assert_snapshot!(ferry.run(&["results", &id]), @"
    exit 4
    ---- stdout
    ---- stderr
    error: submission ID-1 is rejected and has no results: the Platform rejected the dataset with `completedwitherrors`; see its feedback (after SPAN, 1 poll)
    hint: see why: `ferry feedback ID-1`
    ");
}

#[test]
fn a_rejected_upload_has_no_feedback_and_says_why() {
    let platform = Platform::plain();
    let (ferry, _) = completed(&platform, &[]);
    let id = ferry.run(&["submit", "march.csv", "--wait"]).exits(4).id();
    assert_snapshot!(ferry.run(&["feedback", &id]), @"
    exit 4
    ---- stdout
    ---- stderr
    error: submission ID-1 is rejected and has no feedback: the Platform rejected the upload (409): a dataset named march already exists
    hint: submit it again, overwriting the dataset: `ferry resubmit ID-1 FILE`
    ");
    assert_snapshot!(ferry.run(&["status", &id]), @"
    exit 0
    ---- stdout
    ID-1
      name         march
      account      default
      state        rejected
                   the Platform rejected the upload (409): a dataset named march already exists (after SPAN, 0 polls)
      progress     1 upload, 0 polls
      deadline     TIME UTC
      last request TIME UTC, upload: the Platform rejected the upload (409): a dataset named march a…
      next         `ferry resubmit ID-1 FILE` submits it again, overwriting the dataset
      timeline
        TIME UTC  queued      accepted
        TIME UTC  uploading
        TIME UTC  rejected    the Platform rejected the upload (409): a dataset named march already exists
    ---- stderr
    ");
}

#[test]
fn a_completed_submission_has_no_feedback_and_that_is_good() {
    let platform = Platform::start();
    let (ferry, id) = completed(&platform, &[]);
    assert_snapshot!(ferry.run(&["feedback", &id]), @"
    exit 0
    ---- stdout
    ---- stderr
    submission ID-1 is completed: the Platform found no error
    ");
    assert_snapshot!(ferry.run(&["status", &id]), @"
    exit 0
    ---- stdout
    ID-1
      name         march
      account      default
      state        completed
                   after SPAN, 1 poll
      progress     1 upload, 1 poll
      deadline     TIME UTC
      token        TOKEN
      last request TIME UTC, collect: received
      result       tableofresultids (298 B): `ferry results ID-1`
      timeline
        TIME UTC  queued      accepted
        TIME UTC  uploading
        TIME UTC  processing
        TIME UTC  collecting
        TIME UTC  completed
    ---- stderr
    ");
}

#[test]
fn a_result_goes_to_stdout_as_it_is() {
    let platform = Platform::start();
    let (ferry, id) = completed(&platform, &[]);
    let ran = ferry.run(&["results", &id]).ok();
    assert_eq!(ran.stdout, expected_results("march", GOOD));
    assert_eq!(ran.stderr, "");
}

#[test]
fn a_result_goes_to_a_file_or_a_folder() {
    let platform = Platform::start();
    let (ferry, id) = completed(&platform, &[]);
    assert_snapshot!(ferry.run(&["results", &id, "-o", "new/table.csv"]), @"
    exit 0
    ---- stdout
    ---- stderr
    wrote new/table.csv (298 B)
    ");
    assert_eq!(ferry.read("new/table.csv"), expected_results("march", GOOD));
    assert_snapshot!(ferry.run(&["results", &id, "-o", "new"]), @"
    exit 0
    ---- stdout
    ---- stderr
    wrote new/tableofresultids.csv (298 B)
    ");
    assert_eq!(ferry.read("new/tableofresultids.csv"), expected_results("march", GOOD));
}

#[test]
fn several_results_go_to_a_folder_or_one_by_one() {
    let platform = Platform::start();
    let keys = ["--result-key", "tableofresultids", "--result-key", "sum/mary"];
    let (ferry, id) = completed(&platform, &keys);
    assert_snapshot!(ferry.run(&["results", &id]), @"
    exit 2
    ---- stdout
    ---- stderr
    error: submission ID-1 has 2 results
    hint: name one with --key (tableofresultids, sum/mary), or a folder with -o
    ");
    assert_snapshot!(ferry.run(&["results", &id, "--key", "sum/mary"]), @r#"
    exit 0
    ---- stdout
    {"key":"sum/mary","rows":10}---- stderr
    "#);
    assert_snapshot!(ferry.run(&["results", &id, "--key", "sums"]), @"
    exit 2
    ---- stdout
    ---- stderr
    error: submission ID-1 has no result `sums`
    hint: list its results: `ferry status ID-1`
    ");
    assert_snapshot!(ferry.run(&["results", &id, "-o", "march"]), @"
    exit 0
    ---- stdout
    ---- stderr
    wrote march/tableofresultids.csv (298 B)
    wrote march/sum_mary.json (28 B)
    ");
    assert_eq!(ferry.read("march/tableofresultids.csv"), expected_results("march", GOOD));
    assert!(ferry.read("march/sum_mary.json").contains("rows"));
    let objects = ferry.run(&["results", &id, "--json"]).ok().objects();
    assert_eq!(objects[0]["body"], expected_results("march", GOOD));
    assert_eq!(objects[1]["key"], "sum/mary");
    let objects = ferry.run(&["results", &id, "--json", "-o", "march"]).ok().objects();
    assert_eq!(objects[1]["path"], "march/sum_mary.json");
}

#[test]
fn a_result_never_replaces_that_of_another_submission_in_a_folder() {
    let platform = Platform::start();
    let (ferry, first) = completed(&platform, &[]);
    ferry.write("april.csv", GOOD.replace("/03/", "/04/"));
    ferry.run(&["submit", "april.csv", "--wait"]).ok();
    let second = ferry.run(&["list", "--name", "april", "--json"]).ok().objects();
    let second = second[0]["id"].as_str().unwrap();
    for _ in 0..2 {
        ferry.run(&["results", &first, "-o", "all/"]).ok();
    }
    let of_first = ferry.read("all/tableofresultids.csv");
    assert_snapshot!(ferry.run(&["results", second, "-o", "all/"]), @"
    exit 1
    ---- stdout
    ---- stderr
    error: cannot write `all/tableofresultids.csv`
    caused by: it exists, with other content
    hint: give each submission a folder of its own
    ");
    assert_eq!(ferry.read("all/tableofresultids.csv"), of_first);
    ferry.run(&["results", second, "-o", "april"]).ok();
    assert_ne!(ferry.read("april"), of_first);
    ferry.run(&["results", second, "-o", "all/tableofresultids.csv"]).ok();
    assert_ne!(ferry.read("all/tableofresultids.csv"), of_first, "named as a file, it is replaced");
}

#[cfg(unix)]
#[test]
fn results_are_private_one_file_each_and_follow_no_link() {
    use std::os::unix::fs::PermissionsExt;
    let platform = Platform::start();
    let keys = ["a/b", "A:b", "a_b"].map(|key| ["--result-key", key]).concat();
    let (ferry, id) = completed(&platform, &keys);
    let written = ferry.run(&["results", &id, "--json", "-o", "new/folder"]).ok().objects();
    let paths: Vec<&str> = written.iter().map(|one| one["path"].as_str().unwrap()).collect();
    let alike: std::collections::BTreeSet<_> = paths.iter().map(|p| p.to_lowercase()).collect();
    assert_eq!(alike.len(), 3, "{paths:?}");
    let mode = |path: &str| ferry.path(path).metadata().unwrap().permissions().mode() & 0o777;
    for (path, key) in paths.iter().zip(["a/b", "A:b", "a_b"]) {
        assert!(ferry.read(path).contains(&format!("\"{key}\"")), "{path}");
        assert_eq!(mode(path), 0o600);
    }
    assert_eq!((mode("new"), mode("new/folder")), (0o700, 0o700));
    ferry.write("original", "mine");
    std::fs::remove_file(ferry.path(paths[0])).unwrap();
    std::os::unix::fs::symlink(ferry.path("original"), ferry.path(paths[0])).unwrap();
    let failed = ferry.run(&["results", &id, "-o", "new/folder"]).exits(1);
    assert!(failed.stderr.contains("it is a symbolic link"), "{}", failed.stderr);
    assert_eq!(ferry.read("original"), "mine");
    // So do datasets that were corrected.
    ferry.write("march.csv", GOOD);
    std::os::unix::fs::symlink(ferry.path("original"), ferry.path("march.fixed.csv")).unwrap();
    for output in [&[][..], &["-o", "march.fixed.csv"]] {
        ferry.run(&[&["validate", "--fix", "march.csv"], output].concat());
        assert_eq!(ferry.read("original"), "mine");
    }
    std::fs::remove_file(ferry.path("march.fixed.csv")).unwrap();
    ferry.run(&["validate", "--fix", "march.csv"]).ok();
    assert_eq!(mode("march.fixed.csv"), 0o600);
}

#[test]
fn a_result_cannot_be_written_where_a_file_is_in_the_way() {
    let platform = Platform::start();
    let (ferry, id) = completed(&platform, &[]);
    assert_snapshot!(ferry.run(&["results", &id, "-o", "march.csv/table.csv"]), @"
    exit 1
    ---- stdout
    ---- stderr
    error: cannot write `march.csv`
    caused by: File exists (os error 17)
    ");
}

#[test]
fn a_missing_submission_is_reported_with_a_way_to_find_it() {
    let platform = Platform::start();
    let (ferry, _) = completed(&platform, &[]);
    let unknown = "01KDXB8W4S9ZT2M3Q5R7V1C6HY";
    assert_snapshot!(ferry.run(&["status", unknown]), @"
    exit 2
    ---- stdout
    ---- stderr
    error: there is no submission ID-1
    hint: list what the store has: `ferry list`; or name another store: `--store`
    ");
    for command in ["results", "feedback", "cancel", "retry", "watch"] {
        let ran = ferry.run(&[command, unknown]).exits(2);
        assert_eq!(ran.notes(), ferry.run(&["status", unknown]).notes(), "{command}");
    }
    assert_snapshot!(Ferry::new().run(&["status", unknown]), @"
    exit 2
    ---- stdout
    ---- stderr
    error: there is no store at `ferry.db`
    hint: name the store with `--store` or FERRY_STORE; or make a new one: `ferry submit`
    ");
}
