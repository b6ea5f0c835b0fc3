//! Compose file and rendered manifests against the schemas of those who read them, from the Python package index.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::files::{documents, root};
use super::kubectl::{APPLIED, line_of_page, rendered_text};
use crate::python::programs;

/// The newest that there are for the oldest Python that these tests run with, 3.11.
const PACKAGES: [&str; 4] = [
    "kubernetes-validate==1.37.0",
    "compose-spec==0.2.1",
    "cloudcoil.models.keda==2.16.1.0",
    "cloudcoil.models.prometheus_operator==0.80.1.0",
];

/// The Python that has them, installed once.
fn python() -> PathBuf {
    let folder = programs("schemas-1", |folder| {
        let mut pip = Command::new(folder.join("bin/pip"));
        pip.args(["install", "--quiet"]).args(PACKAGES);
        vec![pip]
    });
    folder.join("bin/python")
}

/// Errors in files that are named `KIND=PATH`.
fn faults(files: &[String]) -> String {
    let script = root("tests/it/deploy/schemas.py");
    let output = Command::new(python()).arg(script).args(files).output().unwrap();
    let found = String::from_utf8_lossy(&output.stdout).into_owned();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.success(), found.is_empty(), "{found}{error}");
    found
}

/// Input of `kubectl` in the command of the page about Kubernetes.
fn alerts_as_a_resource() -> String {
    let line = line_of_page("PrometheusRule");
    let (command, _) = line.split_once("| kubectl ").expect("a pipe to kubectl");
    let output =
        Command::new("sh").args(["-c", command]).current_dir(root("")).output().expect("a shell");
    let resource = String::from_utf8(output.stdout).unwrap();
    let parsed: Value = serde_saphyr::from_str(&resource).unwrap();
    assert_eq!(parsed["spec"], documents("deploy/prometheus/alerts.yml")[0]);
    resource
}

#[test]
fn compose_file_and_manifests_fit_the_schemas() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = vec![format!("compose={}", root("docker-compose.yml").display())];
    for name in APPLIED {
        let path = folder.path().join(format!("{name}.yaml"));
        fs::write(&path, rendered_text(name)).unwrap();
        files.push(format!("kubernetes={}", path.display()));
    }
    let alerts = folder.path().join("alerts.yaml");
    fs::write(&alerts, alerts_as_a_resource()).unwrap();
    files.push(format!("kubernetes={}", alerts.display()));
    assert_eq!(faults(&files), "");
    // Each kind is really looked at.
    let spoil = [
        ("compose", "docker-compose.yml", "stop_grace_period", "stop_grace_perid"),
        ("kubernetes", "deploy/kubernetes/base/worker.yaml", "livenessProbe", "livenesProbe"),
        ("kubernetes", "deploy/kubernetes/base/server.yaml", "targetPort", "target"),
        ("kubernetes", "deploy/kubernetes/base/network.yaml", "podSelector", "pods"),
        ("kubernetes", "deploy/kubernetes/hpa/autoscaler.yaml", "minReplicas", "minReplica"),
        ("kubernetes", "deploy/kubernetes/keda/scaledobject.yaml", "cooldownPeriod", "coolDown"),
        ("kubernetes", "deploy/kubernetes/monitoring/monitors.yaml", "podMetricsEndpoints", "pods"),
    ];
    let mut spoiled = Vec::new();
    for (index, (kind, path, right, wrong)) in spoil.iter().enumerate() {
        let text = fs::read_to_string(root(path)).unwrap();
        assert!(text.contains(right), "{path}: {right}");
        let copy = folder.path().join(format!("{index}.yaml"));
        fs::write(&copy, text.replace(right, wrong)).unwrap();
        spoiled.push(format!("{kind}={}", copy.display()));
    }
    fs::write(&alerts, alerts_as_a_resource().replace("expr:", "expression:")).unwrap();
    spoiled.push(format!("kubernetes={}", alerts.display()));
    let found = faults(&spoiled);
    assert!(found.contains("/alerts.yaml: "), "{found}");
    for (index, (_, _, right, _)) in spoil.iter().enumerate() {
        assert!(found.contains(&format!("/{index}.yaml: ")), "{right}\n{found}");
    }
}
