//! The manifests for Kubernetes, as `kubectl` renders them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use ferry::exporter::QueueState;
use serde_json::{Value, json};

use super::files::{Container, documents, root, texts};
use super::kubectl::{line_of_page, rendered, would_make};

/// The one document of a kind and name.
fn one<'a>(documents: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let mut found = documents
        .iter()
        .filter(|document| document["kind"] == kind && document["metadata"]["name"] == name);
    let document = found.next().unwrap_or_else(|| panic!("there is no {kind} {name}"));
    assert!(found.next().is_none(), "{kind} {name} twice");
    document
}

/// The kind of what runs a role's pods: servers have an audit log each.
fn kind_of(role: &str) -> &str {
    if role == "server" { "StatefulSet" } else { "Deployment" }
}

/// The one config map; its name has a hash.
fn config(documents: &[Value]) -> &Value {
    let mut found = documents.iter().filter(|document| document["kind"] == "ConfigMap");
    let config = found.next().expect("a config map");
    assert!(found.next().is_none(), "one config map");
    let name = config["metadata"]["name"].as_str().unwrap();
    assert!(name.starts_with("ferry-") && name.len() > 10, "{name} has no hash");
    config
}

pub(super) fn deployments() -> Vec<Value> {
    let runs_pods = |document: &Value| document["spec"]["template"]["spec"].is_object();
    let found: Vec<Value> = rendered("base").into_iter().filter(runs_pods).collect();
    assert_eq!(found.len(), 2);
    found
}

fn pairs(map: &Value) -> BTreeMap<String, String> {
    let map = map.as_object().into_iter().flatten();
    map.map(|(key, value)| (key.clone(), value.as_str().expect("a text").to_owned())).collect()
}

pub(super) fn containers() -> Vec<Container> {
    let config = config(&rendered("base")).clone();
    let container = |deployment: &Value| {
        let pod = &deployment["spec"]["template"]["spec"];
        let container = &pod["containers"][0];
        assert_eq!(
            container["envFrom"][0]["configMapRef"],
            json!({ "name": config["metadata"]["name"] })
        );
        let mut env = pairs(&config["data"]);
        for variable in container["env"].as_array().into_iter().flatten() {
            let text = |key: &str| variable[key].as_str().expect("a text").to_owned();
            env.insert(text("name"), text("value"));
        }
        // The files of a secret are named as the page has it.
        let mut secrets = Vec::new();
        for mount in container["volumeMounts"].as_array().unwrap() {
            let volumes = pod["volumes"].as_array().unwrap();
            let volume = volumes.iter().find(|volume| volume["name"] == mount["name"]);
            // Not what the set claims for each pod.
            let Some(volume) = volume else { continue };
            let name = volume["secret"]["secretName"].as_str().unwrap();
            let line = line_of_page(&format!("create secret generic {name} "));
            for file in line.split("--from-file=").skip(1) {
                let file = file.split_whitespace().next().unwrap();
                secrets.push(format!("{}/{file}", mount["mountPath"].as_str().unwrap()));
            }
        }
        let delay = container["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64().unwrap_or(0);
        let grace = pod["terminationGracePeriodSeconds"].as_u64().unwrap() - delay;
        Container {
            name: deployment["metadata"]["name"].as_str().unwrap().to_owned(),
            args: texts(&container["args"]),
            env,
            secrets,
            grace: Duration::from_secs(grace),
        }
    };
    deployments().iter().map(container).collect()
}

/// The probes of each role, as port and path.
pub(super) fn probes(role: &str) -> BTreeSet<(u64, String)> {
    let deployment = one(&deployments(), kind_of(role), &format!("ferry-{role}")).clone();
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    let probes = ["livenessProbe", "readinessProbe"].map(|probe| &container[probe]["httpGet"]);
    let probe = |get: &Value| {
        let ports = container["ports"].as_array().unwrap();
        let port = ports.iter().find(|port| port["name"] == get["port"]).expect("it is named");
        (port["containerPort"].as_u64().unwrap(), get["path"].as_str().unwrap().to_owned())
    };
    probes.into_iter().map(probe).collect()
}

/// Queries of KEDA to Prometheus.
pub(super) fn queries() -> Vec<String> {
    let keda = rendered("keda");
    let triggers = &one(&keda, "ScaledObject", "ferry-worker")["spec"]["triggers"];
    let triggers = triggers.as_array().unwrap().iter();
    triggers.map(|trigger| trigger["metadata"]["query"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn both_autoscalers_count_the_steps_that_a_worker_can_run() {
    let runnable = [QueueState::Ready, QueueState::Running].map(QueueState::as_str);
    let keda = queries().concat();
    assert!(keda.contains(&format!("state=~\"{}\"", runnable.join("|"))), "{keda}");
    let hpa = rendered("hpa");
    let metrics = &one(&hpa, "HorizontalPodAutoscaler", "ferry-worker")["spec"]["metrics"];
    let selector = &metrics[0]["external"]["metric"]["selector"];
    assert_eq!(texts(&selector["matchExpressions"][0]["values"]), runnable);
}

#[test]
fn every_manifest_is_part_of_what_is_applied() {
    for folder in ["base", "monitoring", "keda", "hpa"] {
        let path = format!("deploy/kubernetes/{folder}");
        let kustomization = &documents(&format!("{path}/kustomization.yaml"))[0];
        let named: BTreeSet<String> = texts(&kustomization["resources"])
            .into_iter()
            .filter(|resource| !resource.starts_with("../"))
            .chain(["kustomization.yaml".to_owned()])
            .chain(texts(&kustomization["configMapGenerator"][0]["envs"]))
            .collect();
        let inside = fs::read_dir(root(&path)).unwrap();
        let inside = inside.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        assert_eq!(inside.collect::<BTreeSet<_>>(), named, "{path}");
    }
    for overlay in ["keda", "hpa"] {
        for document in rendered(overlay) {
            let (kind, name) = (&document["kind"], &document["metadata"]["name"]);
            assert_eq!(document["metadata"]["namespace"], "ferry", "{overlay}: {kind} {name}");
        }
    }
    // The image is named once.
    for deployment in deployments() {
        let image = &deployment["spec"]["template"]["spec"]["containers"][0]["image"];
        let expected = concat!("registry.example.com/ferry:", env!("CARGO_PKG_VERSION"));
        assert_eq!(image, expected, "base/kustomization.yaml names the image");
    }
}

#[test]
fn the_page_makes_what_it_says() {
    let made = would_make(&line_of_page("create configmap ferry-dashboards"));
    let made: Value = serde_saphyr::from_str(&made).unwrap();
    let made: BTreeSet<&String> = made["data"].as_object().unwrap().keys().collect();
    let all = fs::read_dir(root("dashboards")).unwrap();
    let all = all.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let all: BTreeSet<String> =
        all.filter(|name| Path::new(name).extension().is_some_and(|kind| kind == "json")).collect();
    assert_eq!(made, all.iter().collect());
}

#[test]
fn pods_may_run_where_the_restricted_standard_is_enforced() {
    for deployment in deployments() {
        let pod = &deployment["spec"]["template"]["spec"];
        let holds = |path: &str, expected: Value| {
            let name = &deployment["metadata"]["name"];
            assert_eq!(pod.pointer(path), Some(&expected), "{name}: {path}");
        };
        holds("/securityContext/runAsNonRoot", json!(true));
        holds("/securityContext/seccompProfile/type", json!("RuntimeDefault"));
        holds("/securityContext/fsGroup", pod["securityContext"]["runAsGroup"].clone());
        holds("/automountServiceAccountToken", json!(false));
        assert_eq!(pod["containers"].as_array().unwrap().len(), 1);
        holds("/containers/0/securityContext/allowPrivilegeEscalation", json!(false));
        holds("/containers/0/securityContext/readOnlyRootFilesystem", json!(true));
        holds("/containers/0/securityContext/capabilities/drop", json!(["ALL"]));
        // As the kubelet lays them: root's, with the group that `fsGroup` names. The API keys may be no more open.
        for volume in pod["volumes"].as_array().unwrap() {
            assert_eq!(volume["secret"]["defaultMode"], 0o440, "{volume}");
        }
    }
}

#[test]
fn what_selects_pods_selects_those_of_a_deployment_and_names_their_ports() {
    for overlay in ["keda", "hpa"] {
        let all = rendered(overlay);
        for role in ["worker", "server"] {
            let name = format!("ferry-{role}");
            let deployment = one(&all, kind_of(role), &name);
            let pod = &deployment["spec"]["template"];
            let labels = &pod["metadata"]["labels"];
            let ports = pod["spec"]["containers"][0]["ports"].as_array().unwrap();
            let numbers: BTreeSet<u64> =
                ports.iter().map(|port| port["containerPort"].as_u64().unwrap()).collect();
            let own = &deployment["spec"]["selector"]["matchLabels"];
            assert_eq!(own, labels, "the Deployment {name}");
            let account_limits = &one(&all, "PodDisruptionBudget", &name)["spec"];
            assert_eq!(&account_limits["selector"]["matchLabels"], labels, "the budget {name}");
            let policy = &one(&all, "NetworkPolicy", &name)["spec"];
            assert_eq!(&policy["podSelector"]["matchLabels"], labels, "the policy {name}");
            let allowed = policy["ingress"].as_array().unwrap().iter();
            let allowed: BTreeSet<u64> = allowed
                .flat_map(|rule| rule["ports"].as_array().unwrap())
                .map(|port| port["port"].as_u64().unwrap())
                .collect();
            assert_eq!(allowed, numbers, "the ports that {name} may be called at");
            // DNS, the store and a collector; for workers the Platform and receivers too.
            let config = &config(&all)["data"];
            let store =
                config["FERRY_STORE"].as_str().and_then(|url| url.rsplit(&[':', '/']).nth(1));
            let mut needed = vec![53, store.expect("a port").parse().unwrap(), 4318];
            needed.extend((role == "worker").then_some(443));
            let rules = policy["egress"].as_array().unwrap().iter();
            let callable: BTreeSet<u64> = rules
                .flat_map(|rule| rule["ports"].as_array().unwrap())
                .map(|port| port["port"].as_u64().unwrap())
                .collect();
            assert_eq!(callable, needed.into_iter().collect(), "the ports that {name} may call");
        }
        let service = &one(&all, "Service", "ferry");
        let server = one(&all, "StatefulSet", "ferry-server");
        let labels = &server["spec"]["template"]["metadata"]["labels"];
        assert_eq!(&service["spec"]["selector"], labels, "the Service");
        let monitor = &one(&all, "ServiceMonitor", "ferry-server")["spec"];
        let chosen = &monitor["selector"]["matchLabels"];
        assert_eq!(*chosen, service["metadata"]["labels"], "the ServiceMonitor");
        let scraped = json!([{ "port": "metrics", "path": "/metrics", "interval": "15s" }]);
        assert_eq!(monitor["endpoints"], scraped, "the ServiceMonitor");
        let job = monitor["jobLabel"].as_str().expect("the ServiceMonitor names a job");
        assert_eq!(service["metadata"]["labels"][job], "ferry");
        let of_service = service["spec"]["ports"].as_array().unwrap();
        let server = &server["spec"]["template"]["spec"]["containers"][0];
        for port in of_service {
            let ports = server["ports"].as_array().unwrap();
            assert!(
                ports.iter().any(|inner| inner["name"] == port["targetPort"]),
                "the Service: {port}"
            );
        }
        let endpoint = &monitor["endpoints"][0]["port"];
        assert!(
            of_service.iter().any(|port| port["name"] == *endpoint),
            "the ServiceMonitor: {endpoint}"
        );
        let worker = &one(&all, "Deployment", "ferry-worker")["spec"]["template"];
        let monitor = &one(&all, "PodMonitor", "ferry-worker")["spec"];
        let chosen = &monitor["selector"]["matchLabels"];
        assert_eq!(*chosen, worker["metadata"]["labels"], "the PodMonitor");
        assert_eq!(monitor["podMetricsEndpoints"], scraped, "the PodMonitor");
        let port = &worker["spec"]["containers"][0]["ports"][0]["name"];
        assert_eq!(port, "metrics", "the worker");
        let job = monitor["jobLabel"].as_str().expect("the PodMonitor names a job");
        assert_eq!(worker["metadata"]["labels"][job], "ferry");
    }
}

#[test]
fn workers_are_scaled_by_one_at_a_time_and_from_nothing_with_keda() {
    for (overlay, kind) in [("keda", "ScaledObject"), ("hpa", "HorizontalPodAutoscaler")] {
        let all = rendered(overlay);
        let spec = &one(&all, kind, "ferry-worker")["spec"];
        let target = spec["scaleTargetRef"]["name"].as_str().unwrap();
        let deployment = one(&all, "Deployment", target);
        assert!(
            deployment["spec"]["replicas"].is_null(),
            "the next `kubectl apply` would overrule it"
        );
        let scalers =
            all.iter().filter(|document| !document["spec"]["scaleTargetRef"].is_null()).count();
        assert_eq!(scalers, 1, "{overlay}");
    }
    let keda = rendered("keda");
    let spec = &one(&keda, "ScaledObject", "ferry-worker")["spec"];
    assert_eq!(spec["minReplicaCount"], 0, "from nothing");
    assert!(spec["fallback"]["replicas"].as_u64() > Some(0), "blind, it lets nothing run");
    // Between two polls workers stay.
    let poll_max = ferry::config::settings::SETTINGS
        .iter()
        .find(|setting| setting.name == "poll_max")
        .map(|setting| super::files::seconds(setting.default))
        .unwrap();
    let cooldown = Duration::from_secs(spec["cooldownPeriod"].as_u64().unwrap());
    assert!(cooldown > poll_max, "{cooldown:?}");
    for trigger in spec["triggers"].as_array().unwrap() {
        assert_eq!(trigger["type"], "prometheus", "{trigger}");
        // The fallback is for no other kind.
        assert_eq!(trigger["metricType"], "AverageValue", "{trigger}");
        assert!(trigger["metadata"]["activationThreshold"].is_string(), "{trigger}");
    }
}
