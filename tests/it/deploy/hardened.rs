//! Containers and units can do no more than their work: they have no other secrets, and limits of
//! memory, core dumps and connections.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};

use super::compose::{is_ferry, services};
use super::files::{documents, root, texts};
use super::kubectl::rendered;
use super::{compose, kubernetes};

/// Settings with the secrets of an account.
const PLATFORM_SECRETS: [&str; 2] = ["FERRY_CLIENT_SECRET_FILE", "FERRY_API_KEY_FILE"];

#[test]
fn only_workers_have_the_secrets_of_the_platform() {
    let containers = [compose::containers(), kubernetes::containers()].concat();
    assert_eq!(containers.len(), 5);
    for container in containers {
        let is_worker = container.args[0] == "worker";
        for secret in PLATFORM_SECRETS {
            assert_eq!(container.env.contains_key(secret), is_worker, "{}", container.name);
        }
        for file in ["client-secret", "api-key"] {
            let is_given = container.secrets.iter().any(|path| path.ends_with(file));
            assert_eq!(is_given, is_worker, "{}: {file}", container.name);
        }
    }
}

#[test]
fn every_secret_that_a_container_is_given_is_one_that_it_reads() {
    for container in [compose::containers(), kubernetes::containers()].concat() {
        let named: BTreeSet<&String> = container.env.values().collect();
        for path in &container.secrets {
            assert!(named.contains(path), "{} does not read {path}", container.name);
        }
    }
}

#[test]
fn every_container_has_limits_of_memory_and_processes_and_dumps_no_core() {
    let mut limited = 0;
    for (name, service) in services() {
        assert!(service["mem_limit"].is_string(), "{name} has no `mem_limit`");
        assert_eq!(service["memswap_limit"], service["mem_limit"], "{name} may be swapped");
        assert!(service["pids_limit"].as_u64() > Some(0), "{name} has no `pids_limit`");
        assert_eq!(service["ulimits"]["core"], 0, "{name} may dump its core");
        limited += 1;
    }
    assert_eq!(limited, 7);
    for pods in kubernetes::deployments() {
        let limits = &pods["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"];
        assert!(limits["memory"].is_string(), "{}", pods["metadata"]["name"]);
    }
    for unit in ["ferry-server", "ferry-worker"] {
        let unit = fs::read_to_string(root(&format!("deploy/systemd/{unit}.service"))).unwrap();
        for line in ["MemoryMax=2G", "MemorySwapMax=0", "LimitCORE=0"] {
            assert!(unit.lines().any(|found| found == line), "{line} is missing\n{unit}");
        }
    }
}

#[test]
fn every_server_records_what_operators_do() {
    let servers: Vec<_> = [compose::containers(), kubernetes::containers()]
        .concat()
        .into_iter()
        .filter(|container| container.args[0] == "serve")
        .collect();
    assert_eq!(servers.len(), 2);
    for server in servers {
        assert_eq!(server.env["FERRY_AUDIT_LOG"], "/var/lib/ferry/audit.jsonl", "{}", server.name);
    }
    let claim = &kubernetes::deployments()
        .into_iter()
        .find(|pods| pods["kind"] == "StatefulSet")
        .expect("servers are a stateful set")["spec"];
    let mounts = claim["template"]["spec"]["containers"][0]["volumeMounts"].as_array().unwrap();
    let audit = &claim["volumeClaimTemplates"][0]["metadata"]["name"];
    let mount = mounts.iter().find(|mount| mount["name"] == *audit).expect("it is mounted");
    assert_eq!(mount["mountPath"], "/var/lib/ferry");
    let unit = fs::read_to_string(root("deploy/systemd/ferry-server.service")).unwrap();
    assert!(unit.contains("Environment=FERRY_AUDIT_LOG=/var/lib/ferry/audit.jsonl\n"));
}

#[test]
fn redis_of_the_compose_file_reaches_nothing() {
    let compose = &documents("docker-compose.yml")[0];
    assert_eq!(compose["networks"]["data"], json!({ "internal": true }));
    for (name, service) in services() {
        let networks = texts(&service["networks"]);
        let expected: &[&str] = match name.as_str() {
            "redis" => &["data"],
            "server" | "worker" => &["data", "default"],
            _ => &[],
        };
        assert_eq!(networks, expected, "{name}");
        assert!(name != "redis" || service["ports"].is_null(), "Redis is open to the machine");
        assert!(is_ferry(&service) || service["secrets"].is_null() || name != "prometheus");
    }
}

#[test]
fn pods_reach_dns_of_the_cluster_and_never_the_metadata_of_a_cloud() {
    let base = rendered("base");
    let policies: Vec<&Value> =
        base.iter().filter(|document| document["kind"] == "NetworkPolicy").collect();
    assert_eq!(policies.len(), 2);
    for policy in policies {
        let name = &policy["metadata"]["name"];
        assert_eq!(texts(&policy["spec"]["policyTypes"]), ["Ingress", "Egress"], "{name}");
        for rule in policy["spec"]["egress"].as_array().unwrap() {
            assert!(rule["ports"].is_array(), "{name}: {rule} is for every port");
            let is_dns = rule["ports"][0]["port"] == 53;
            for to in rule["to"].as_array().expect("it names whom") {
                let block = &to["ipBlock"];
                assert_eq!(block.is_null(), is_dns, "{name}: {to}");
                let excluded = texts(&block["except"]).concat();
                let is_safe = is_dns || excluded.contains("169.254.") || excluded.contains("fe80:");
                assert!(is_safe, "{name}: {to} includes the metadata of a cloud");
            }
        }
    }
}
