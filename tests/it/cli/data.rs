//! `ferry data`: what was submitted, byte for byte.

use std::os::unix::fs::PermissionsExt;

use super::harness::{Ferry, GOOD, Platform};

#[test]
fn a_dataset_comes_back_byte_for_byte_and_into_a_file_of_its_owner() {
    let platform = Platform::start();
    let crlf = format!("\u{feff}{}\r\n\r\n", DATA.trim_end().replace('\n', "\r\n"));
    let ferry = Ferry::of(&platform).file("march.csv", &crlf).file("events.csv", EVENTS);
    let submitted = ferry.run(&["submit", "march.csv", "--events", "events.csv"]).ok().id();
    assert_eq!(ferry.run(&["data", &submitted]).ok().stdout, crlf);
    assert_eq!(ferry.run(&["data", "--name", "march", "--events"]).ok().stdout, EVENTS);
    let object = ferry.object(&["data", "--json", &submitted]);
    assert_eq!((object["name"].as_str(), object["body"].as_str()), (Some("march"), Some(&*crlf)));
    let ran = ferry.run(&["data", &submitted, "-o", "copies/march.csv"]).ok();
    assert!(ran.stdout.is_empty() && ran.stderr.contains("wrote copies/march.csv"), "{ran}");
    assert_eq!(ferry.read("copies/march.csv"), crlf);
    let mode = ferry.path("copies/march.csv").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_dataset_without_events_and_an_unknown_id_are_errors() {
    let platform = Platform::start();
    let ferry = Ferry::of(&platform).file("march.csv", GOOD);
    let id = ferry.run(&["submit", "march.csv"]).ok().id();
    let none = ferry.run(&["data", &id, "--events"]);
    assert!(none.stdout.is_empty() && none.stderr.contains("has no event data"), "{none}");
    let unknown = ferry.run(&["data", "01KDXB8W4S9ZT2M3Q5R7V1C6HY"]);
    assert!(unknown.code != 0 && unknown.stdout.is_empty(), "{unknown}");
}

const DATA: &str = include_str!("../../../examples/with-events.csv");
const EVENTS: &str = include_str!("../../../examples/with-events.events.csv");
