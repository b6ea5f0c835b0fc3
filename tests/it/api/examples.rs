//! The producers in `examples/`, each against a real server.

use std::process::{Command, Output};

use super::serve::{serve, url};
use crate::cli::harness::{Ferry, GOOD, Platform, REJECTED};

/// Runs a producer on good, rejected, conflicting and invalid data.
fn produces(interpreter: &str, script: &str) {
    let platform = Platform::start();
    let ferry = Ferry::of(&platform)
        .set("FERRY_API_KEYS", "keys.jsonl")
        .file("march data.csv", GOOD)
        .file("rejected.csv", REJECTED)
        .file("other.csv", GOOD.replace("SITE-001", "SITE-999"))
        .file("invalid.csv", "a,b\n");
    let key = ferry.run(&["keys", "create", "--name", "example", "--role", "submit"]).ok().stdout;
    let server = serve(&ferry, &[]);
    let url = url(&server);
    let run_as = |file: &str, name: Option<&str>| -> Output {
        let script = format!("{}/examples/{script}", env!("CARGO_MANIFEST_DIR"));
        let mut command = Command::new(interpreter);
        command.arg(script).arg(ferry.path(file)).args(name).current_dir(ferry.path("."));
        command.env("FERRY_URL", &url).env("FERRY_KEY", key.trim());
        command.output().unwrap_or_else(|error| {
            panic!(
                "`{interpreter}` is needed: {error}; on Debian: apt-get install curl python3 nodejs"
            )
        })
    };
    let run = |file: &str| run_as(file, None);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    for _ in 0..2 {
        // The second time it is the same submission.
        let good = run("march data.csv");
        assert_eq!(good.status.code(), Some(0), "{}", text(&good.stderr));
        assert!(text(&good.stdout).starts_with("Reference,ResultId\n"), "{}", text(&good.stdout));
    }
    assert_eq!(ferry.run(&["list", "--name", "march data"]).ok().ids().len(), 1);
    let rejected = run("rejected.csv");
    assert_eq!(rejected.status.code(), Some(4), "{}", text(&rejected.stderr));
    assert!(text(&rejected.stdout).contains("UNKNOWN-7"), "{}", text(&rejected.stdout));
    // The Platform rejects the upload, because it has other data under this name.
    let failed = run_as("other.csv", Some("march data"));
    let stderr = text(&failed.stderr);
    assert_eq!(failed.status.code(), Some(4), "{stderr}");
    let listed = ferry.run(&["list", "--name", "march data", "--state", "rejected", "--json"]).ok();
    let reason = listed.objects()[0]["reason"].to_string();
    let reason = reason.trim_matches('"');
    assert!(
        stderr.contains(reason) || stderr.contains(&reason.replace("\\\"", "\"")),
        "{reason}: {stderr}"
    );
    assert!(!stderr.contains("Traceback"), "{stderr}");
    let invalid = run("invalid.csv");
    assert_eq!(invalid.status.code(), Some(3), "{}", text(&invalid.stderr));
    assert!(text(&invalid.stderr).contains("error"), "{}", text(&invalid.stderr));
}

#[test]
fn the_producer_in_shell_works() {
    produces("sh", "submit.sh");
}

#[test]
fn the_producer_in_python_works() {
    produces("python3", "submit.py");
}

#[test]
fn the_producer_in_node_works() {
    produces("node", "submit.mjs");
}

/// Runs a producer without a file, with too much, and with a file that does not exist.
fn is_misused(interpreter: &str, script: &str) {
    let folder = Ferry::new();
    let run = |arguments: &[&str]| {
        let script = format!("{}/examples/{script}", env!("CARGO_MANIFEST_DIR"));
        let mut command = Command::new(interpreter);
        command.arg(script).args(arguments).current_dir(folder.path("."));
        let output = command.output().expect("the interpreter is installed");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!stderr.contains("Traceback") && !stderr.contains("    at "), "{stderr}");
        (output.status.code(), stderr)
    };
    for arguments in [&[][..], &["a", "b", "c"]] {
        let (code, said) = run(arguments);
        assert_eq!((code, said.trim()), (Some(2), &*format!("usage: {script} FILE [NAME]")));
    }
    let (code, said) = run(&["absent.csv"]);
    assert!(code == Some(1) && said.contains("absent.csv"), "{code:?}: {said}");
}

#[test]
fn a_misused_producer_in_shell_says_what_it_needs() {
    is_misused("sh", "submit.sh");
}

#[test]
fn a_misused_producer_in_python_says_what_it_needs() {
    is_misused("python3", "submit.py");
}

#[test]
fn a_misused_producer_in_node_says_what_it_needs() {
    is_misused("node", "submit.mjs");
}
