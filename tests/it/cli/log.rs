//! The log: what it says of a submission on its way.

use insta::assert_snapshot;
use serde_json::Value;

use super::harness::{Ferry, GOOD, Platform};

#[test]
fn each_change_of_a_state_is_one_line_of_the_log() {
    let platform = Platform::start();
    let ferry = Ferry::of(&platform)
        .file("march.csv", GOOD)
        .set("FERRY_LOG", "ferry=info")
        .set("FERRY_LOG_FORMAT", "json");
    let ran = ferry.run(&["submit", "march.csv", "--wait"]).ok();
    let id = ran.id();
    let lines = ran.stderr.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let lines = lines.filter(|line| line["submission.id"].is_string());
    let messages = lines.map(|line| {
        assert_eq!(line["submission.id"], *id, "{line}");
        assert!(line["timestamp"].is_string(), "{line}");
        let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
        format!("{} {}: {}", text("level"), text("account"), text("message"))
    });
    assert_snapshot!(messages.collect::<Vec<String>>().join("\n"), @"
    INFO default: `march` is processing, was uploading
    INFO default: `march` is collecting, was processing
    INFO default: `march` is completed, was collecting
    ");
}
