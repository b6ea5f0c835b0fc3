//! The files under `deploy`, as values, and what holds for containers wherever they run.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use ferry::config::settings::{ACCOUNT_SETTINGS, SETTINGS};
use ferry::config::{Config, Sources};
use serde_json::Value;

use super::{compose, kubernetes};
use crate::secured::certify;

pub(super) fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The documents of a YAML file.
pub(super) fn documents(path: &str) -> Vec<Value> {
    let text =
        std::fs::read_to_string(root(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_saphyr::from_multiple(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A container that runs `ferry`.
#[derive(Clone)]
pub(super) struct Container {
    pub(super) name: String,
    pub(super) args: Vec<String>,
    pub(super) env: BTreeMap<String, String>,
    /// Folders of its secrets.
    pub(super) secrets: Vec<String>,
    /// From the wish that it stops to its end.
    pub(super) grace: Duration,
}

fn containers() -> Vec<Container> {
    compose::containers().into_iter().chain(kubernetes::containers()).collect()
}

/// The texts of a list.
pub(super) fn texts(list: &Value) -> Vec<String> {
    let list = list.as_array().into_iter().flatten();
    list.map(|text| text.as_str().expect("a text").to_owned()).collect()
}

pub(super) fn seconds(text: &str) -> Duration {
    Duration::from_secs(text.strip_suffix('s').expect("seconds").parse().expect("a number"))
}

/// Configuration that `ferry` reads from an environment; files of secrets need not exist.
fn load(container: &Container) -> Config {
    let folder = tempfile::tempdir().unwrap();
    certify(folder.path());
    let env = container.env.iter().map(|(name, value)| {
        if name == "FERRY_STORE_CA" {
            return (name.clone(), folder.path().join("authority.pem").display().to_string());
        }
        let is_secret = name.ends_with("_FILE");
        let path = folder.path().join(name);
        if is_secret {
            std::fs::write(&path, "secret\n").unwrap();
            std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        }
        (name.clone(), if is_secret { path.display().to_string() } else { value.clone() })
    });
    let sources = Sources { file: None, env: env.collect(), flags: Vec::new() };
    Config::load(&sources).unwrap_or_else(|errors| panic!("{}: {errors}", container.name))
}

#[test]
fn every_container_is_configured_without_an_error_and_has_time_to_stop() {
    for container in containers() {
        let config = load(&container);
        assert!(config.warnings.is_empty(), "{}: {:?}", container.name, config.warnings);
        let drain = config.policy.shutdown_timeout;
        let (name, grace) = (&container.name, container.grace);
        assert!(grace > drain + Duration::from_secs(5), "{name} has {grace:?} to stop");
        let is_server = container.args[0] == "serve";
        assert_eq!(config.api_keys.is_some(), is_server, "{name}: only a server has keys");
        if container.args[0] != "simulate" {
            assert_eq!(config.metrics_listen.unwrap().to_string(), "0.0.0.0:9464", "{name}");
        }
    }
}

#[test]
fn every_command_of_a_container_is_one_of_ferry() {
    for container in containers() {
        let help = Command::new(env!("CARGO_BIN_EXE_ferry"))
            .args([&container.args[0], "--help"])
            .output()
            .unwrap();
        let help = String::from_utf8(help.stdout).unwrap();
        for flag in container.args.iter().filter(|arg| arg.starts_with("--")) {
            let known = help.split([' ', ',', '\n']).any(|word| word == flag);
            assert!(known, "{}: there is no `{flag}`\n{help}", container.name);
        }
        let (name, args) = (&container.name, &container.args);
        assert!(help.contains("Usage: ferry"), "{name}: no command of ferry: {args:?}");
    }
}

#[test]
fn every_secret_is_a_file() {
    let secrets = SETTINGS.iter().chain(ACCOUNT_SETTINGS).filter(|setting| setting.secret);
    let secrets: Vec<String> = secrets.map(ferry::config::settings::Setting::variable).collect();
    for container in containers() {
        let name = &container.name;
        for secret in &secrets {
            assert!(!container.env.contains_key(secret), "{name}: {secret} is no file");
        }
        let files = container.env.iter().filter(|(variable, _)| variable.ends_with("_FILE"));
        let files: Vec<&String> = files.map(|(_, path)| path).collect();
        for path in &files {
            assert!(container.secrets.contains(path), "{name}: nothing puts {path} there");
        }
        assert_eq!(files.is_empty(), container.args[0] == "simulate", "{name}: {files:?}");
    }
}

#[test]
fn alerts_are_sent_once_and_to_a_receiver() {
    let amtool = Path::new("/usr/bin/amtool");
    let hint =
        "`amtool` comes with Alertmanager; on Debian: apt-get install prometheus-alertmanager";
    let amtool = if amtool.exists() { amtool } else { Path::new("amtool") };
    let config = root("deploy/alertmanager/alertmanager.yml");
    let run = |args: &[&str]| {
        let output = Command::new(amtool).args(args).output().expect(hint);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        text
    };
    let path = config.to_str().expect("a path");
    run(&["check-config", path]);
    for (severity, receiver) in [("page", "pages"), ("ticket", "tickets")] {
        let severity = format!("severity={severity}");
        let text = run(&["config", "routes", "test", "--config.file", path, &severity]);
        assert_eq!(text.trim(), receiver, "of {severity}");
    }
    let rules = documents("deploy/prometheus/alerts.yml");
    let rules = rules[0]["groups"][0]["rules"].as_array().unwrap().clone();
    let config = &documents("deploy/alertmanager/alertmanager.yml")[0];
    let severities = ["page", "ticket"];
    for rule in &rules {
        assert!(
            severities.contains(&rule["labels"]["severity"].as_str().unwrap()),
            "unknown severity: {rule}"
        );
    }
    // Each alert that an inhibition names is one of ours, and the Platform's outage quiets the queue.
    let names: Vec<&str> = rules.iter().map(|rule| rule["alert"].as_str().unwrap()).collect();
    let mut quieted = Vec::new();
    for inhibition in config["inhibit_rules"].as_array().unwrap() {
        let alerts = |matchers: &Value| -> Vec<String> {
            let matchers = texts(matchers);
            let matched = matchers.iter().filter_map(|matcher| matcher.split('"').nth(1));
            matched.flat_map(|alerts| alerts.split('|')).map(str::to_owned).collect()
        };
        let (source, target) =
            (alerts(&inhibition["source_matchers"]), alerts(&inhibition["target_matchers"]));
        for alert in source.iter().chain(&target) {
            assert!(names.contains(&alert.as_str()), "there is no alert {alert}");
        }
        if source == ["FerryPlatformDown"] {
            quieted.extend(target);
        }
    }
    for alert in ["FerryQueueLatency", "FerryNoProgress", "FerryStepLag"] {
        assert!(quieted.iter().any(|quieted| quieted == alert), "{alert}");
    }
}
