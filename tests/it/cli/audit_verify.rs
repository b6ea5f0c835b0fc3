//! `ferry audit verify`: records that were changed, removed or put in are evident.

use serde_json::Value;

use super::harness::{Ferry, Ran};

/// A log of ten actions, which are twenty records.
fn logged() -> Ferry {
    let ferry = Ferry::new().set("FERRY_AUDIT_LOG", "audit.jsonl");
    for n in 0..10 {
        ferry.run(&["pause", "--create", &format!("account-{n}")]).ok();
    }
    ferry
}

fn lines(ferry: &Ferry) -> Vec<String> {
    ferry.read("audit.jsonl").lines().map(|line| format!("{line}\n")).collect()
}

/// Verifies the log with other lines, and restores it.
fn verified(ferry: &Ferry, change: impl FnOnce(&mut Vec<String>)) -> Ran {
    let before = lines(ferry);
    let mut lines = before.clone();
    change(&mut lines);
    assert_ne!(lines, before);
    ferry.write("audit.jsonl", lines.concat());
    let ran = ferry.run(&["audit", "verify"]);
    ferry.write("audit.jsonl", before.concat());
    ferry.run(&["audit", "verify"]).ok();
    ran
}

#[test]
fn a_whole_log_is_verified_with_its_last_hash() {
    let ferry = logged();
    let last: Value = serde_json::from_str(&lines(&ferry)[19]).unwrap();
    let hash = last["hash"].as_str().unwrap();
    let ran = ferry.run(&["audit", "verify"]).ok();
    let expected = format!("20 records, numbers 1 to 20: the chain is whole\nlast hash: {hash}\n");
    assert_eq!((ran.stdout, ran.stderr), (expected, String::new()));
    let object = ferry.object(&["audit", "verify", "--json", "--known", hash]);
    assert_eq!((&object["intact"], &object["last"]["n"]), (&true.into(), &20.into()), "{object}");
    let unknown = ferry.run(&["audit", "verify", "--known", &"0".repeat(64)]).exits(1);
    assert!(unknown.stdout.contains("no record has the hash 000"), "{}", unknown.stdout);
}

#[test]
fn every_change_of_a_record_is_evident() {
    let ferry = logged();
    // Every field of a record in the middle, with another text of the same length.
    for (from, to) in [
        ("\"n\":9", "\"n\":8"),
        ("account-4", "account-5"),
        ("\"via\":\"cli\"", "\"via\":\"api\""),
        ("\"phase\":\"intent\"", "\"phase\":\"outcom\""),
        ("\"at\":\"20", "\"at\":\"19"),
    ] {
        let ran = verified(&ferry, |lines| lines[8] = lines[8].replacen(from, to, 1)).exits(1);
        assert!(ran.stdout.starts_with("violation: audit.jsonl, line 9: "), "{}", ran.stdout);
    }
    let outcome = |lines: &mut Vec<String>| lines[9] = lines[9].replace(":\"done\"", ":\"none\"");
    assert!(verified(&ferry, outcome).exits(1).stdout.contains("record 10 was changed"));
}

#[test]
fn every_record_that_is_missing_moved_or_put_in_is_evident() {
    let ferry = logged();
    for at in 0..20 {
        let ran = verified(&ferry, |lines| _ = lines.remove(at));
        // Older records may be in another file: it is said, and that is all there is to say.
        if at == 0 {
            assert!(ran.ok().stdout.contains("records 1 to 1 are in older files, or were deleted"));
        } else {
            assert!(ran.exits(1).stdout.contains("missing"), "line {at}");
        }
    }
    verified(&ferry, |lines| lines.truncate(5)).exits(1);
    verified(&ferry, |lines| lines.swap(3, 4)).exits(1);
    verified(&ferry, |lines| lines.insert(3, lines[3].clone())).exits(1);
    verified(&ferry, |lines| lines.insert(3, "{\"n\":4}\n".to_owned())).exits(1);
    verified(&ferry, |lines| lines.push("no record\n".to_owned())).exits(1);
}

#[test]
fn a_log_that_was_emptied_or_comes_through_a_pipe_is_not_whole_for_that() {
    let ferry = logged();
    let emptied = verified(&ferry, Vec::clear).exits(1);
    assert!(emptied.stdout.contains("all records are missing, up to number 20"), "{emptied}");
    let changed = ferry.read("audit.jsonl").replace("account-4", "account-5");
    ferry.write("changed.jsonl", &changed);
    for (file, code) in [("audit.jsonl", 0), ("changed.jsonl", 1)] {
        let piped = ferry.read(file);
        let ran = ferry.run_with(&["audit", "verify", "/dev/stdin"], &piped).exits(code);
        assert!(ran.stdout.contains("20 records, numbers 1 to 20"), "{ran}");
    }
}

#[test]
fn a_number_that_cannot_grow_in_the_chain_stops_no_action() {
    let ferry = logged();
    ferry.write("audit.jsonl.chain", format!("{{\"n\":{},\"hash\":\"x\"}}\n", u64::MAX));
    ferry.run(&["pause", "--create", "account-0"]).ok();
    ferry.run(&["audit", "verify"]).exits(1);
}

#[test]
fn a_record_that_was_forged_with_its_hash_does_not_fit_the_next_one() {
    let (ferry, other) = (logged(), logged());
    // The hash of the other record is right for its text.
    let ran = verified(&ferry, |all| all[7].clone_from(&lines(&other)[7])).exits(1);
    assert!(ran.stdout.contains("record 8 follows another record 7"), "{}", ran.stdout);
    assert!(ran.stdout.contains("record 9 follows another record 8"), "{}", ran.stdout);
    let ran = verified(&ferry, |all| all[19].clone_from(&lines(&other)[19])).exits(1);
    assert!(ran.stdout.contains("the last record, 20, was replaced"), "{}", ran.stdout);
}

#[test]
fn a_log_that_was_moved_away_is_continued_in_the_next_file() {
    let ferry = logged();
    std::fs::rename(ferry.path("audit.jsonl"), ferry.path("old.jsonl")).unwrap();
    ferry.run(&["pause", "--create", "north"]).ok();
    let both = ferry.run(&["audit", "verify", "old.jsonl", "audit.jsonl"]).ok();
    assert!(both.stdout.starts_with("22 records, numbers 1 to 22: the chain"), "{}", both.stdout);
    let new = ferry.run(&["audit", "verify"]).ok();
    assert!(new.stdout.starts_with("records 1 to 20 are in older files"), "{}", new.stdout);
    let old = ferry.read("old.jsonl");
    let mut kept: Vec<&str> = old.lines().collect();
    kept.pop();
    ferry.write("old.jsonl", kept.join("\n") + "\n");
    let cut = ferry.run(&["audit", "verify", "old.jsonl", "audit.jsonl"]).exits(1);
    assert!(cut.stdout.contains("records are missing before record 21"), "{}", cut.stdout);
}

#[test]
fn processes_that_append_at_once_make_one_chain() {
    let ferry = Ferry::new().set("FERRY_AUDIT_LOG", "audit.jsonl");
    std::thread::scope(|scope| {
        for n in 0..12 {
            let ferry = &ferry;
            scope.spawn(move || ferry.run(&["pause", "--create", &format!("account-{n}")]).ok());
        }
    });
    let ran = ferry.run(&["audit", "verify"]).ok();
    assert!(ran.stdout.starts_with("24 records, numbers 1 to 24: the chain"), "{}", ran.stdout);
}

#[test]
fn an_interrupted_write_hides_no_record_and_is_no_violation() {
    let ferry = logged();
    let mut all = lines(&ferry);
    all.push(all[19][..30].to_owned());
    ferry.write("audit.jsonl", all.concat());
    ferry.run(&["pause", "--create", "north"]).ok();
    let ran = ferry.run(&["audit", "verify"]).ok();
    assert!(ran.stdout.starts_with("note: audit.jsonl, line 21: an interrupted"), "{}", ran.stdout);
    assert!(ran.stdout.contains("22 records, numbers 1 to 22: the chain"), "{}", ran.stdout);
    // The process ended between the two files: the log knows more.
    ferry.write("audit.jsonl.chain", "");
    ferry.run(&["pause", "--create", "north"]).ok();
    assert!(ferry.run(&["audit", "verify"]).ok().stdout.contains("numbers 1 to 24"));
}

#[test]
fn an_action_without_an_outcome_is_listed() {
    let ferry = logged();
    let mut all = lines(&ferry);
    all.pop();
    ferry.write("audit.jsonl", all.concat());
    std::fs::remove_file(ferry.path("audit.jsonl.chain")).unwrap();
    let ran = ferry.run(&["audit", "verify"]).ok();
    assert!(ran.stdout.starts_with("no outcome: audit.jsonl, line 19: "), "{}", ran.stdout);
    assert!(ran.stdout.contains("called `ferry pause account-9`\n"), "{}", ran.stdout);
}

#[test]
fn a_log_whose_end_cannot_be_checked_is_not_called_whole() {
    let ferry = logged();
    let chain = ferry.path("audit.jsonl.chain");
    std::fs::remove_file(&chain).unwrap();
    std::fs::create_dir(&chain).unwrap();
    let ran = ferry.run(&["audit", "verify"]).exits(2);
    assert!(ran.stderr.contains("cannot read `audit.jsonl.chain`"), "{}", ran.stderr);
}

#[test]
fn a_log_that_is_not_there_is_an_error_of_its_own() {
    let ferry = Ferry::new();
    let ran = ferry.run(&["audit", "verify"]).exits(2);
    assert!(ran.stderr.contains("no audit log is configured"), "{}", ran.stderr);
    let ran = ferry.run(&["audit", "verify", "nowhere.jsonl"]).exits(2);
    assert!(ran.stderr.contains("cannot read the audit log `nowhere.jsonl`"), "{}", ran.stderr);
}
