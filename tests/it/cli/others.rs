//! Commands beside the work: demo, simulator, completions, help, and the name of every command.

use insta::assert_snapshot;

use super::harness::{Ferry, GOOD, assert_is_submission, eventually};

#[test]
fn the_demo_uploads_its_examples_and_ends() {
    let ferry = Ferry::new();
    let ran = ferry.run(&["demo", "--once"]).ok();
    assert!(ran.stdout.starts_with("4 submissions: 3 completed, 1 rejected\n"), "{}", ran.stdout);
    assert!(ran.stdout.contains("all results match"), "{}", ran.stdout);
    assert!(ran.stderr.contains(">UNKNOWN-7<"), "{}", ran.stderr);
    assert!(!ferry.path("ferry.db").exists());
}

#[test]
fn the_demo_speaks_json_and_minds_no_environment() {
    let ferry = Ferry::new().set("FERRY_API_KEY", "of-the-real-platform");
    let objects = ferry.run(&["demo", "--once", "--json"]).ok().objects();
    assert_eq!(objects.len(), 4);
    objects.iter().for_each(assert_is_submission);
}

#[test]
fn the_demo_continues_until_it_is_interrupted() {
    let ferry = Ferry::new();
    let mut demo = ferry.start(&["demo"]);
    demo.await_stderr("made-up-0001");
    demo.signal("INT");
    assert!(demo.end().success());
    assert!(demo.stdout().contains("results match"), "{}", demo.stdout());
}

#[test]
fn a_shell_can_source_what_the_simulator_prints() {
    let ferry = Ferry::new().file("march.csv", GOOD);
    let mut simulator = ferry.start(&[
        "simulate",
        "--listen=127.0.0.1:0",
        "--processing=1ms",
        "--client-secret=it's $HOME",
    ]);
    simulator.await_stderr("listens on http://127.0.0.1:");
    eventually("five settings", || simulator.stdout().lines().count() == 5);
    ferry.write("simulated.env", simulator.stdout());
    let ran = ferry
        .shell("set -a; . ./simulated.env; set +a; ferry doctor && ferry submit march.csv --wait")
        .ok();
    assert!(ran.stdout.contains("completed"), "{}", ran.stdout);
    let address = simulator.stderr();
    let address = address.trim().rsplit("//").next().unwrap_or_default();
    let taken = ferry.run(&["simulate", "--listen", address]);
    assert_snapshot!(taken, @"
    exit 1
    ---- stdout
    ---- stderr
    error: cannot listen on 127.0.0.1:PORT
    caused by: Address already in use (os error 98)
    hint: take a free port: `--listen 127.0.0.1:PORT`
    ");
    simulator.signal("TERM");
    assert!(simulator.end().success());
}

#[test]
fn the_simulator_speaks_json() {
    let mut simulator = Ferry::new().start(&["simulate", "--listen=127.0.0.1:0", "--json"]);
    simulator.await_stderr("listens on http://127.0.0.1:");
    eventually("the settings", || simulator.stdout().ends_with('\n'));
    let object: serde_json::Value = serde_json::from_str(&simulator.stdout()).expect("JSON");
    assert_eq!(object["FERRY_API_KEY"], "demo-key");
    simulator.signal("INT");
    assert!(simulator.end().success());
}

#[test]
fn a_rehearsal_has_the_errors_of_its_seed_and_reports_what_happened() {
    let ferry = Ferry::new().file("march.csv", GOOD);
    let listen = "--listen=127.0.0.1:0";
    // A third of all seeds have no errors.
    let mut rehearsal = ferry.start(&["rehearse", "--seed=1", listen]);
    rehearsal.await_stderr("seed 1: verdicts within 1s; nothing fails");
    eventually("five settings", || rehearsal.stdout().lines().count() == 5);
    ferry.write("rehearsed.env", rehearsal.stdout());
    ferry.shell("set -a; . ./rehearsed.env; set +a; ferry submit march.csv --wait").ok();
    rehearsal.signal("INT");
    assert!(rehearsal.end().success());
    let report = rehearsal.stderr();
    assert!(report.contains("0 of them failed; 1 uploads stored"), "{report}");
    let mut failing = ferry.start(&["rehearse", "--seed=3", listen]);
    failing.await_stderr("% of the requests fail");
    failing.signal("INT");
    assert!(failing.end().success());
}

#[test]
fn the_simulators_arguments_are_checked() {
    let ferry = Ferry::new();
    for (arg, message) in [
        ("--processing=soon", "expected a duration"),
        ("--processing=2s..soon", "expected a duration"),
        ("--faults=2", "expected a number from 0 to 1"),
        ("--listen=8700", "invalid socket address"),
    ] {
        let ran = ferry.run(&["simulate", arg]).exits(2);
        assert!(ran.stderr.contains(message), "{arg}: {}", ran.stderr);
    }
}

#[test]
fn completions_are_understood_by_bash() {
    let ferry = Ferry::new();
    ferry.shell("ferry completions bash | bash -n").ok();
    for shell in ["zsh", "fish", "powershell", "elvish"] {
        assert!(ferry.run(&["completions", shell]).ok().stdout.contains("ferry"));
    }
    ferry.run(&["completions", "tcsh"]).exits(2);
}

/// Values that a shell offers behind these words.
fn completed(ferry: &Ferry, words: &str) -> Vec<String> {
    let index = words.split(' ').count();
    let line = format!(
        "export _FERRY_COMPLETE=bash _CLAP_IFS=' ' _CLAP_COMPLETE_INDEX={index} \
         _CLAP_COMPLETE_COMP_TYPE=9 _CLAP_COMPLETE_SPACE=true; ferry -- ferry {words}"
    );
    let offered = ferry.shell(&line).ok().stdout;
    let values = offered.split_whitespace().filter(|offered| !offered.starts_with('-'));
    values.map(str::to_owned).collect()
}

#[test]
fn states_accounts_ids_and_names_of_keys_are_completed() {
    let ferry = Ferry::new().file("march.csv", GOOD).set("FERRY_API_KEYS", "keys.jsonl");
    assert_eq!(completed(&ferry, "status ''"), Vec::<String>::new(), "there is no store");
    assert!(!ferry.path("ferry.db").exists(), "a completion makes no store");
    let id = ferry.run(&["submit", "march.csv", "--account", "north"]).ok().id();
    ferry.run(&["keys", "create", "--name", "billing", "--role", "read"]).ok();
    assert_eq!(completed(&ferry, "list --state c"), ["collecting", "completed", "cancelled"]);
    assert_eq!(completed(&ferry, "pause ''"), ["north"]);
    assert_eq!(completed(&ferry, "list --account n"), ["north"]);
    assert_eq!(completed(&ferry, &format!("status {}", &id[..6].to_lowercase())), [id.as_str()]);
    assert_eq!(completed(&ferry, &format!("retry {}", &id[..6])), [id.as_str()]);
    assert_eq!(completed(&ferry, "keys revoke ''"), ["billing"]);
}

#[test]
fn each_command_has_a_manual_page() {
    let ferry = Ferry::new();
    ferry.run(&["man", "pages"]).ok();
    for (page, part) in [
        ("ferry.1", "datasets"),
        ("ferry-submit.1", "idempotency"),
        ("ferry-webhooks-list.1", "webhook"),
    ] {
        let text = ferry.read(&format!("pages/{page}"));
        assert!(text.contains(".TH") && text.contains(part), "{page}: {text}");
    }
    let file = ferry.file("taken", "").run(&["man", "taken/below"]).exits(1);
    assert!(file.stderr.contains("cannot write to `taken/below`"), "{file}");
}

#[test]
fn help_says_what_each_command_is_for_and_where_to_begin() {
    let ferry = Ferry::new();
    let help = ferry.run(&["--help"]).ok();
    assert!(help.stdout.contains("Begin with:") && help.stdout.contains("Exit codes:"));
    assert_eq!(help.stderr, "");
    let commands = help.stdout.lines().skip_while(|line| *line != "Commands:").skip(1);
    let mut count = 0;
    let of_command = |line: &&str| line.starts_with("  ") && !line.starts_with("   ");
    for line in commands.take_while(|line| !line.is_empty()).filter(of_command) {
        let (command, about) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
        assert!(!about.trim().is_empty(), "{line}");
        if command == "help" {
            continue;
        }
        let help = ferry.run(&[command, "--help"]).ok();
        assert!(help.stdout.contains("Usage: "), "{command}");
        count += 1;
    }
    assert!(count > 15, "{count}");
    assert_eq!(
        ferry.run(&["--version"]).ok().stdout,
        format!("ferry {}\n", env!("CARGO_PKG_VERSION"))
    );
    assert_eq!(ferry.run(&[]).exits(2).stdout, "");
}
