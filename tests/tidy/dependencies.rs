//! Holds the dependencies to `deny.toml`: licenses, sources, and crates that must not be used.
//! `scripts/audit` also checks advisories.

use std::process::Command;

use serde_json::Value;
use spdx::{Expression, LicenseReq, ParseMode};

use super::{none, read, root};

/// The list of texts at `table.key` of `deny.toml`.
fn policy(table: &str, key: &str) -> Vec<String> {
    let policy: toml::Table = read("deny.toml").parse().expect("deny.toml is TOML");
    let list = policy[table][key].as_array().expect("it is a list");
    list.iter().map(|one| one.as_str().expect("it is a text").to_owned()).collect()
}

/// All packages that Ferry is built from on one of its systems.
fn packages() -> Vec<Value> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--locked", "--all-features", "--format-version", "1"]);
    for target in policy("graph", "targets") {
        cargo.arg("--filter-platform").arg(target);
    }
    let output = cargo.current_dir(root("")).output().expect("cargo can be started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo writes JSON");
    metadata["packages"].as_array().expect("there are packages").clone()
}

fn has_allowed_license(package: &Value, allowed: &[String]) -> bool {
    let is_allowed = |required: &LicenseReq| {
        required.addition.is_none()
            && required.license.id().is_some_and(|id| allowed.iter().any(|name| name == id.name))
    };
    let license = package["license"].as_str().unwrap_or_default();
    // Before SPDX, `A/B` meant a choice.
    Expression::parse_mode(license, ParseMode::LAX)
        .is_ok_and(|license| license.evaluate(is_allowed))
}

#[test]
fn every_dependency_has_an_allowed_license_and_source() {
    let (licenses, registries) = (policy("licenses", "allow"), policy("sources", "allow-registry"));
    let banned = policy("bans", "deny");
    let mut wrong = Vec::new();
    let (packages, mut foreign) = (packages(), 0);
    for package in &packages {
        let name = package["name"].as_str().expect("a package has a name");
        if !has_allowed_license(package, &licenses) {
            wrong.push(format!("`{name}`: deny.toml does not allow its {}", package["license"]));
        }
        if banned.iter().any(|banned| banned == name) {
            wrong.push(format!("`{name}`: deny.toml bans it"));
        }
        // Packages of the workspace have no source.
        let Some(source) = package["source"].as_str() else { continue };
        foreign += 1;
        let registry = source.strip_prefix("registry+").unwrap_or(source);
        if !registries.iter().any(|allowed| allowed == registry) {
            wrong.push(format!("`{name}`: deny.toml does not allow its source `{source}`"));
        }
    }
    assert!(foreign > 100, "{foreign} of {} packages are dependencies", packages.len());
    none(&wrong);
}
