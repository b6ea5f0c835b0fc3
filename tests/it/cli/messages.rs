//! Standard error: all messages, errors alone, or objects for programs.

use serde_json::Value;

use super::harness::{Ferry, GOOD, Platform};

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

#[test]
fn with_json_stderr_has_an_object_a_line() {
    let platform = Platform::start();
    let ferry = Ferry::of(&platform).file("good.csv", GOOD);
    ferry.run(&["submit", "good.csv", "--wait", "--json"]).ok();
    let missing = ferry.run(&["status", "01KDXB8W4S9ZT2M3Q5R7V1C6HY", "--json"]).exits(2);
    let [error] = &lines(&missing.stderr)[..] else { panic!("{missing}") };
    assert!(error["error"].as_str().unwrap().contains("01KDXB8W4S9ZT2M3Q5R7V1C6HY"), "{error}");
    assert!(error["hint"].as_str().unwrap().contains("`ferry list`"), "{error}");
    // Wrong arguments, wrong settings, and notes likewise.
    let usage = lines(&ferry.run(&["list", "--json", "--state", "done"]).exits(2).stderr);
    assert!(usage[0]["error"].as_str().unwrap().starts_with("invalid value 'done'"), "{usage:?}");
    let settings = ferry.run(&["list", "--json", "--set", "lease=x", "--set", "poll_max=y"]);
    let settings = lines(&settings.exits(2).stderr);
    let error = settings[0]["error"].as_str().unwrap();
    assert!(error.contains("lease") && error.contains("poll_max"), "{error}");
    let note = lines(&ferry.run(&["list", "--json", "--state", "held"]).ok().stderr);
    assert!(note[0]["note"].as_str().unwrap().contains("nothing in the store"), "{note:?}");
    let nowhere = ferry.run(&["submit", "nowhere.csv", "--json"]).stderr;
    assert!(!lines(&nowhere)[0]["causes"].as_array().unwrap().is_empty(), "{nowhere}");
}

#[test]
fn quiet_leaves_errors_alone_and_verbose_shows_the_log() {
    let platform = Platform::start();
    let ferry = Ferry::of(&platform).file("good.csv", GOOD);
    let quiet = ferry.run(&["submit", "good.csv", "-w", "-q"]).ok();
    assert_eq!(quiet.stderr, "");
    assert!(quiet.stdout.contains("completed"), "{quiet}");
    assert!(ferry.run(&["status", "-q", "01KDXB8W4S9ZT2M3Q5R7V1C6HY"]).stderr.contains("error: "));
    let submit = |flags: &[&str]| {
        let args = [&["submit", "good.csv", "--overwrite", "-w"][..], flags].concat();
        ferry.run(&args).ok().stderr
    };
    let has = |text: &str, level: &str| text.lines().any(|line| line.contains(level));
    assert!(!has(&submit(&[]), " INFO "));
    let verbose = submit(&["-v"]);
    assert!(has(&verbose, " INFO ") && !has(&verbose, " DEBUG "), "{verbose}");
    ferry.run(&["list", "-q", "-v"]).exits(2);
}

#[test]
fn version_is_that_of_the_flag() {
    let ferry = Ferry::new();
    let version = ferry.run(&["version"]).ok().stdout;
    assert_eq!(version, ferry.run(&["--version"]).ok().stdout);
    let object = ferry.object(&["version", "--json"]);
    assert_eq!(version.trim(), format!("ferry {}", object["version"].as_str().unwrap()));
}
