//! Clients that real generators make of the `OpenAPI` document, and a linter's opinion of it.

use std::path::PathBuf;
use std::process::Command;

use super::serve::{serve, url};
use crate::cli::harness::{CORRECTED, Ferry, GOOD, Platform, REJECTED};
use crate::{node, python};

/// The newest that these tests were seen to pass with.
const PYTHON: (&str, &str) = ("openapi-python-client", "0.29.1");
const NODE: [&str; 3] = ["@redocly/cli@2.77.0", "openapi-typescript@7.13.0", "typescript@5.9.3"];

/// Runs a program, which must succeed; returns all that it wrote.
#[track_caller]
fn done(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let told = python::told(&output);
    assert!(output.status.success(), "{command:?}: {told}");
    told
}

fn document() -> PathBuf {
    // The same as the server's: another test holds it to that.
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reference/openapi.json"))
}

#[test]
fn a_generated_python_client_makes_the_whole_journey() {
    let platform = Platform::start();
    let ferry = Ferry::of(&platform)
        .set("FERRY_API_KEYS", "keys.jsonl")
        .file("good.csv", GOOD)
        .file("rejected.csv", REJECTED)
        .file("corrected.csv", CORRECTED)
        .file("journey.py", include_str!("contract/journey.py"));
    let key = ferry.run(&["keys", "create", "--name", "journey", "--role", "operate"]).ok().stdout;
    let server = serve(&ferry, &[]);
    let tools = python::installed(PYTHON.0, PYTHON.1);
    let path = std::env::join_paths([tools.clone(), "/usr/bin".into(), "/bin".into()]);
    let mut generator = Command::new(tools.join(PYTHON.0));
    generator.args(["generate", "--meta", "none", "--overwrite", "--output-path", "ferry_client"]);
    generator.arg("--url").arg(format!("{}/openapi.json", url(&server)));
    generator.current_dir(ferry.path(".")).env("PATH", path.expect("a path"));
    let told = done(&mut generator);
    // It knows neither `text/csv` nor NDJSON, and takes the bytes that are accepted for both.
    for word in ["will not be generated", "omitted", "ERROR"] {
        assert!(!told.contains(word), "{told}");
    }
    let mut journey = Command::new(tools.join("python"));
    journey.args(["journey.py", "good.csv", "rejected.csv", "corrected.csv"]);
    journey.current_dir(ferry.path(".")).env("FERRY_URL", url(&server));
    let told = done(journey.env("FERRY_KEY", key.trim()));
    assert_eq!(told, "done\n");
}

#[test]
fn generated_typescript_types_say_what_the_api_does() {
    let tools = node::installed("node-tools", &NODE);
    let folder = tempfile::tempdir().unwrap();
    let mut generator = Command::new(tools.join("openapi-typescript"));
    done(generator.arg(document()).arg("-o").arg(folder.path().join("ferry.d.ts")));
    std::fs::write(folder.path().join("journey.ts"), include_str!("contract/journey.ts")).unwrap();
    let mut compiler = Command::new(tools.join("tsc"));
    compiler.args(["--noEmit", "--strict", "--skipLibCheck", "journey.ts"]);
    done(compiler.current_dir(folder.path()));
}

#[test]
fn a_linter_finds_nothing_wrong_with_the_document() {
    let tools = node::installed("node-tools", &NODE);
    let rules = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/api/contract/redocly.yaml");
    let mut linter = Command::new(tools.join("redocly"));
    linter.arg("lint").arg(document()).args(["--config", rules]);
    let told = done(linter.env("REDOCLY_TELEMETRY", "off").env("CI", "true"));
    assert!(!told.contains("warning"), "{told}");
}
