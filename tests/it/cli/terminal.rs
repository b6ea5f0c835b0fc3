//! On a terminal: bars and colors, and still nothing but data on stdout.

use super::harness::{Ferry, GOOD, Platform, Ran};

/// Runs a line of shell with stderr on a terminal of its own; its stdout goes to the file `out`.
fn on_a_terminal(ferry: &Ferry, line: &str) -> Ran {
    let line = line.replace("ferry", env!("CARGO_BIN_EXE_ferry"));
    ferry.write("line.sh", format!("{line} > out\n"));
    ferry.shell("TERM=xterm COLUMNS=120 script -qec 'bash line.sh' /dev/null < /dev/null")
}

#[test]
fn a_bar_shows_the_state_and_stdout_stays_clean() {
    let platform = Platform::slow();
    let ferry = Ferry::of(&platform).file("march.csv", GOOD);
    let ran = on_a_terminal(&ferry, "ferry submit march.csv --wait=1s").exits(5);
    assert!(ran.stdout.contains("processing"), "{:?}", ran.stdout);
    assert!(ran.stdout.contains("\u{1b}["), "{:?}", ran.stdout);
    let out = ferry.read("out");
    assert_eq!(out.lines().count(), 1, "{out}");
    assert!(out.contains("processing  march") && !out.contains('\u{1b}'), "{out:?}");
    on_a_terminal(&ferry, "ferry submit march.csv --name april --json --wait=100ms").exits(5);
    serde_json::from_str::<serde_json::Value>(&ferry.read("out")).expect("stdout is JSON");
}

#[test]
fn no_color_removes_colors() {
    let ferry = Ferry::new();
    let colored = |ferry: &Ferry| {
        on_a_terminal(ferry, "ferry results 01KDXB8W4S9ZT2M3Q5R7V1C6HY")
            .stdout
            .contains("\u{1b}[31m")
    };
    assert!(colored(&ferry));
    assert!(!colored(&ferry.set("NO_COLOR", "1")));
}

#[test]
fn colors_follow_the_stream_that_they_are_written_to() {
    let platform = Platform::start();
    let ferry = Ferry::of(&platform).file("march.csv", GOOD);
    // Here stdout is the terminal, and stderr is not.
    let line = "'bash -c \"$FERRY submit march.csv --wait 2> notes\"'"
        .replace("$FERRY", env!("CARGO_BIN_EXE_ferry"));
    let ran = ferry.shell(&format!("TERM=xterm script -qec {line} /dev/null < /dev/null")).ok();
    assert!(ran.stdout.contains("\u{1b}[32mcompleted"), "{:?}", ran.stdout);
    let notes = ferry.read("notes");
    assert!(notes.contains("march") && !notes.contains('\u{1b}'), "{notes:?}");
}
