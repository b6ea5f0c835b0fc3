//! `ferry top`: on a real terminal, with real keys.

use std::process::Command;

use super::harness::{Ferry, GOOD, Platform, REJECTED, hidden_in};
use super::pty::Pty;
use ferry_testing::{RedisServer, free_port};

const UP: &str = "\u{1b}[A";
const DOWN: &str = "\u{1b}[B";
const ENTER: &str = "\r";
const ESCAPE: &str = "\u{1b}";

/// Text that turns the direction, and holds a blank and a letter that are invisible.
const FOREIGN: &str = "n\u{202e}o\u{200b}p\u{e0041}q";

/// A store with a completed and a rejected submission, and its own folder.
fn with_failure(platform: &Platform) -> (Ferry, String) {
    let ferry = Ferry::of(platform).file("good.csv", GOOD).file("bad.csv", REJECTED);
    ferry.run(&["submit", "good.csv", "--wait"]).ok();
    let id = ferry.run(&["submit", "bad.csv", "--wait"]).exits(4).id();
    (ferry, id)
}

fn top(ferry: &Ferry) -> Pty {
    ferry.on_a_terminal(&["top", "--interval", "100ms"], 24, 80)
}

/// The text of a screen without its line breaks.
fn flat(screen: &str) -> String {
    screen.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn keys_inspect_pause_and_resume_in_the_words_of_the_other_commands() {
    let platform = Platform::start();
    let (ferry, id) = with_failure(&platform);
    // Room for whatever a Platform says in its feedback.
    let mut top = ferry.on_a_terminal(&["top", "--interval", "100ms"], 50, 80);
    let texts = ["All is fine.", "1 completed", "1 rejected", "> default", "NEWEST FAILURES"];
    top.shows(&texts);
    top.press(&format!("{DOWN}{ENTER}"));
    let status = flat(&ferry.run(&["status", &id]).ok().stdout);
    top.until("the lines of `ferry status`", |screen| flat(screen).contains(&status));
    top.press(ESCAPE);
    top.shows(&["NEWEST FAILURES"]);
    top.press(&format!("{UP}p"));
    top.shows(&["pause account `default`, reason [paused by an operator]: _"]);
    top.press(&format!("new tokenn\u{7f}s{ENTER}"));
    top.shows(&["! account `default` is paused: new tokens"]);
    let said = ferry.run(&["stats"]).ok().stdout;
    let said = said.lines().find(|line| line.contains("is paused")).expect("it is").trim();
    assert!(said.starts_with("! account `default` is paused: new tokens"), "{said}");
    top.until("the sentence of `ferry stats`", |screen| flat(screen).contains(said));
    top.press("r");
    top.shows(&["resume account `default`?"]);
    top.press(ENTER);
    top.shows(&["account `default` resumed", "All is fine."]);
    assert!(!ferry.run(&["stats"]).ok().stdout.contains("paused"));
    top.press("?");
    top.shows(&["Keys", "resume the account, after a question", "Esc back"]);
    top.press("q");
    top.shows(&["NEWEST FAILURES"]);
    top.press("q");
    let (status, shown) = top.end();
    assert!(status.success(), "{shown}");
}

#[test]
fn a_question_that_is_left_changes_nothing() {
    let platform = Platform::start();
    let (ferry, _) = with_failure(&platform);
    let mut top = top(&ferry);
    top.shows(&["> default"]);
    top.until("a remark without room ends in a sign", |screen| {
        screen.lines().any(|line| line.contains("rejected ") && line.trim_end().ends_with('…'))
    });
    top.press("p");
    top.shows(&["pause account"]);
    top.press(&format!("because{ESCAPE}"));
    top.shows(&["q quit"]);
    top.press("r");
    top.shows(&["resume account"]);
    top.press("n");
    top.shows(&["q quit"]);
    top.press("\u{3}");
    assert!(top.end().0.success());
    assert!(!ferry.run(&["stats"]).ok().stdout.contains("paused"));
}

#[test]
fn an_outage_is_on_the_screen_while_a_worker_meets_it() {
    let ferry = Ferry::of(&Platform::start())
        .file("good.csv", GOOD)
        .set("FERRY_TOKEN_URL", format!("http://127.0.0.1:{}/token", free_port()))
        .set("FERRY_BREAKER_FAILURES", "3")
        .set("FERRY_BREAKER_OPEN_MAX", "1h");
    ferry.run(&["submit", "good.csv"]).ok();
    let top = top(&ferry);
    top.shows(&["1 queued", "1 unfinished"]);
    let worker = ferry.start(&["worker"]);
    top.shows(&["! circuit breaker of account `default` is open, next probe at"]);
    worker.signal("TERM");
}

#[test]
fn a_signal_ends_it_and_the_terminal_is_restored() {
    let ferry = Ferry::new().file("good.csv", GOOD);
    ferry.run(&["submit", "good.csv"]).ok();
    let mut top = top(&ferry);
    top.shows(&["1 queued"]);
    let sent = Command::new("kill").args(["-TERM", &top.id().to_string()]).status();
    assert!(sent.expect("kill runs").success());
    assert!(top.end().0.success());
}

#[test]
fn foreign_text_is_escaped_wherever_it_is_shown() {
    let platform = Platform::start();
    let ferry = Ferry::of(&platform).file("bad.csv", REJECTED).file("good.csv", GOOD);
    let submit = ["submit", "bad.csv", "--name", FOREIGN, "--label", &format!("{FOREIGN}=x")];
    ferry.run(&[&submit[..], &["--wait"]].concat()).exits(4);
    let mut top = ferry.on_a_terminal(&["top", "--interval", "100ms"], 24, 120);
    top.shows(&[r"n\u{202e}o"]);
    top.press(&format!("{DOWN}{ENTER}"));
    top.shows(&[r"label        n\u{202e}o\u{200b}p\u{e0041}q=x"]);
    top.press(&format!("{ESCAPE}p"));
    top.shows(&["pause account"]);
    top.press(&format!("{FOREIGN}{ENTER}"));
    top.shows(&[r"is paused: n\u{202e}o"]);
    top.press("q");
    top.end();
    let plain = top.written().replace('\u{1b}', "");
    let hidden = hidden_in(&plain.replace('\r', ""));
    assert_eq!(hidden, None, "{plain:?}");
}

#[test]
fn it_fits_any_terminal_and_follows_its_size() {
    let platform = Platform::start();
    let (ferry, _) = with_failure(&platform);
    ferry.run(&["pause", "--reason", "maintenance"]).ok();
    let top = top(&ferry);
    top.shows(&["STEP", "account `default` is paused: maintenance", "bad", "q quit"]);
    top.resize(10, 40);
    top.until("a small screen", |shown| {
        !shown.contains("STEP") && shown.contains("default") && shown.contains("maintenance")
    });
    for (rows, columns) in [(3, 20), (1, 1), (2, 200), (60, 8)] {
        top.resize(rows, columns);
    }
    top.resize(40, 140);
    top.shows(&["NEWEST FAILURES", "STEP", "ID  ", "q quit"]);
}

#[test]
fn no_color_leaves_styles_that_are_none() {
    let platform = Platform::start();
    let (ferry, _) = with_failure(&platform);
    let colors = |ferry: &Ferry| {
        let mut top = top(ferry);
        top.shows(&["1 rejected", "bad"]);
        top.press("q");
        top.end();
        let written = top.written();
        let styles =
            written.split('\u{1b}').filter_map(|part| part.strip_prefix('[')?.split_once('m'));
        let codes: Vec<String> =
            styles.flat_map(|(codes, _)| codes.split(';').map(str::to_owned)).collect();
        assert!(codes.iter().any(|code| code == "7"), "the cursor is seen: {codes:?}");
        codes
            .iter()
            .any(|code| code.parse().is_ok_and(|code: u8| matches!(code, 30..=38 | 40..=48 | 90..)))
    };
    assert!(colors(&ferry));
    assert!(!colors(&ferry.set("NO_COLOR", "1")));
}

#[test]
fn without_a_terminal_it_says_what_does_the_same() {
    let ferry = Ferry::new();
    insta::assert_snapshot!(ferry.run(&["top"]).exits(2), @r"
    exit 2
    ---- stdout
    ---- stderr
    error: `ferry top` needs a terminal to read keys from and to draw on
    hint: print the queue once: `ferry stats`, also with --json
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_away_leaves_the_last_reading_and_comes_back() {
    let server = RedisServer::start(&[]).await;
    let ferry = Ferry::new().file("good.csv", GOOD).stored_on(&server);
    ferry.run(&["submit", "good.csv"]).ok();
    let mut top = top(&ferry);
    top.shows(&["1 queued", "redis://"]);
    server.kill();
    top.shows(&["! the store cannot be read", "1 queued"]);
    server.resume().await;
    top.until("the store", |shown| !shown.contains("cannot be read") && shown.contains("1 queued"));
    top.press("q");
    let (status, shown) = top.end();
    assert!(status.success(), "{shown}");
}
