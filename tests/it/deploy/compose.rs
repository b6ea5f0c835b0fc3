//! The compose file: what it starts is started here without containers, with the very commands and
//! environments, and carries a dataset.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::files::{Container, documents, root, seconds, texts};
use super::kubernetes;
use crate::api::harness::client;
use crate::cli::harness::{GOOD, eventually};
use crate::cli::running::Running;
use crate::metrics::files::with_exemplars;
use ferry_testing::{free_port, program};

pub(super) fn services() -> Vec<(String, Value)> {
    let compose = &documents("docker-compose.yml")[0];
    let services = compose["services"].as_object().expect("a map");
    services.iter().map(|(name, service)| (name.clone(), service.clone())).collect()
}

pub(super) fn is_ferry(service: &Value) -> bool {
    service["build"].is_object()
}

pub(super) fn containers() -> Vec<Container> {
    let env = [
        ("FERRY_TOKEN_URL", "https://identity.example.com/connect/token"),
        ("FERRY_API_URL", "https://api.example.com/upload"),
        ("FERRY_CLIENT_ID", "acme"),
    ];
    let of_file =
        env.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let ours = services().into_iter().filter(|(_, service)| is_ferry(service));
    ours.map(|(name, service)| container(name, &service, &of_file)).collect()
}

/// A value as compose hands it over: nothing must be in `.env`, or `ps` and `down` would need it too.
fn substituted<'a>(value: &'a str, of_file: &'a BTreeMap<String, String>) -> &'a str {
    let name = value.strip_prefix("${").map(|rest| rest.strip_suffix(":-}").expect("a default"));
    name.map_or(value, |name| of_file.get(name).map_or("", String::as_str))
}

/// `of_file` is what `.env` says.
fn container(name: String, service: &Value, of_file: &BTreeMap<String, String>) -> Container {
    let env = service["environment"].as_object().expect("a map").iter();
    let env = env.map(|(name, value)| {
        let value = value.as_str().expect("a text");
        (name.clone(), substituted(value, of_file).to_owned())
    });
    let secrets = texts(&service["secrets"]).into_iter();
    Container {
        name,
        args: texts(&service["command"]),
        env: env.collect(),
        secrets: secrets.map(|secret| format!("/run/secrets/{secret}")).collect(),
        grace: seconds(service["stop_grace_period"].as_str().expect("a text")),
    }
}

#[test]
fn images_are_pinned_and_containers_may_do_little() {
    let (mut images, mut names) = (0, Vec::new());
    for (name, service) in services() {
        let image = service["image"].as_str().expect("an image");
        let tag = image.split_once(':').map_or("", |(_, tag)| tag);
        let numbers = tag.trim_start_matches('v').split('.');
        assert!(
            numbers.take(3).filter(|part| !part.is_empty()).count() == 3,
            "{name}: {image} is not pinned"
        );
        assert!(
            tag.starts_with(|c: char| c == 'v' || c.is_ascii_digit()),
            "{name}: {image} is not pinned"
        );
        assert_eq!(service["read_only"], true, "{name}: `read_only`");
        assert_eq!(texts(&service["cap_drop"]), ["ALL"], "{name}: `cap_drop`");
        let security = texts(&service["security_opt"]);
        assert_eq!(security, ["no-new-privileges:true"], "{name}: `security_opt`");
        assert!(service["healthcheck"]["test"].is_array(), "{name} says nothing of its health");
        let is_root = service["user"].as_str().is_some_and(|user| user.starts_with('0'));
        assert!(!is_root, "{name} runs as root");
        for port in texts(&service["ports"]) {
            assert!(port.starts_with("127.0.0.1:"), "{name}: {port} is open to the network");
        }
        images += 1;
        names.push(name);
    }
    assert_eq!(images, 7, "{names:?}");
    // With the real Platform there is no simulated one, and no service waits for it.
    let chosen = services().into_iter().filter(|(_, service)| !service["profiles"].is_null());
    let chosen: Vec<(String, Value)> =
        chosen.map(|(name, service)| (name, service["profiles"].clone())).collect();
    assert_eq!(chosen, [("platform".to_owned(), json!(["simulated"]))]);
    // What waits, waits until it is answered.
    for (name, service) in services() {
        for (other, how) in service["depends_on"].as_object().into_iter().flatten() {
            assert!(names.contains(other), "{name} waits for {other}, which is no service");
            assert_eq!(how["condition"], "service_healthy", "{name} waits for {other}");
            let must_be = how["required"] != false;
            assert_eq!(must_be, other != "platform", "whether {name} cannot do without {other}");
        }
    }
}

#[test]
fn the_base_of_the_image_is_pinned_by_its_digest() {
    let dockerfile = fs::read_to_string(root("Dockerfile")).unwrap();
    let mut from = dockerfile.lines().rev().filter_map(|line| line.strip_prefix("FROM "));
    let base = from.next().expect("it has a base");
    for (name, service) in services().into_iter().filter(|(_, service)| is_ferry(service)) {
        let image = service["build"]["additional_contexts"][base].as_str().unwrap_or_default();
        let digest = image.strip_prefix(&format!("docker-image://{base}@sha256:"));
        let digits = digest.unwrap_or_default().bytes().filter(u8::is_ascii_hexdigit).count();
        assert!(digits == 64, "{name}: `{base}` may be any image: `{image}`");
    }
}

#[test]
fn configuration_is_mounted_as_folders_which_follow_edits() {
    for (name, service) in services() {
        for volume in texts(&service["volumes"]) {
            let from = volume.split(':').next().unwrap();
            let is_folder = from.strip_prefix("./").is_none_or(|path| root(path).is_dir());
            assert!(is_folder, "{name}: {volume} stays as it was when an editor replaces the file");
        }
    }
}

#[test]
fn where_selinux_is_enforced_containers_may_read_what_they_are_given() {
    let machine = Machine::prepare();
    let called = machine.path("labeled");
    let tools = "selinuxenabled() { true; }; chcon() { echo \"$@\" >\"$CALLED\"; }";
    let script = machine.path("deploy/compose/prepare.sh");
    let line = format!("{tools}; export -f selinuxenabled chcon; bash {script}");
    let again = Command::new("bash").args(["-c", &line]).env("CALLED", &called).output().unwrap();
    assert!(again.status.success(), "{again:?}");
    let called = fs::read_to_string(called).unwrap();
    let (options, folders) = called.trim().split_once(" dashboards ").expect("folders");
    assert_eq!((options, folders), ("-R -t container_file_t", "deploy"));
    for (name, service) in services() {
        for volume in texts(&service["volumes"]) {
            let is_labeled = ["./dashboards", "./deploy/"].iter().any(|at| volume.starts_with(at));
            assert!(is_labeled || !volume.starts_with('.'), "{name}: {volume} has no label");
        }
    }
}

#[test]
fn every_file_that_containers_are_given_is_there_or_made_by_the_script() {
    let compose = &documents("docker-compose.yml")[0];
    let script = fs::read_to_string(root("deploy/compose/prepare.sh")).unwrap();
    let ignored = fs::read_to_string(root(".gitignore")).unwrap();
    assert!(
        ignored.lines().any(|line| line == "/deploy/compose/secrets"),
        ".gitignore lets the secrets be committed"
    );
    for (name, secret) in compose["secrets"].as_object().unwrap() {
        let file = secret["file"].as_str().unwrap();
        assert_eq!(file, format!("./deploy/compose/secrets/{name}"));
        assert!(script.contains(&format!(" \"$secrets/{name}\"")), "{name} is not made");
    }
    for (name, service) in services() {
        for volume in texts(&service["volumes"]) {
            let from = volume.split(':').next().unwrap();
            let exists = match from.strip_prefix("./") {
                Some(path) => root(path).exists() && volume.ends_with(":ro"),
                None => compose["volumes"].as_object().unwrap().contains_key(from),
            };
            assert!(exists, "{name}: {volume} is not there, or may be written to");
        }
        for secret in texts(&service["secrets"]) {
            assert!(compose["secrets"][&secret].is_object(), "{name}: there is no secret {secret}");
        }
    }
    let source = &documents("deploy/grafana/provisioning/datasources/prometheus.yml")[0];
    assert_eq!(source["datasources"][0]["url"], "http://prometheus:9090");
    let provider = &documents("deploy/grafana/provisioning/dashboards/ferry.yml")[0];
    let path = provider["providers"][0]["options"]["path"].as_str().unwrap();
    let grafana = services().into_iter().find(|(name, _)| name == "grafana").unwrap().1;
    let volumes = texts(&grafana["volumes"]);
    assert!(
        volumes.contains(&format!("./dashboards:{path}:ro")),
        "no dashboards in {path}: {volumes:?}"
    );
}

/// All services on this machine, with addresses and paths of their own.
pub(super) struct Machine {
    folder: tempfile::TempDir,
    of_file: BTreeMap<String, String>,
    pub(super) ports: BTreeMap<&'static str, u16>,
    runtime: Runtime,
}

impl Machine {
    pub(super) fn prepare() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        fs::create_dir_all(path.join("deploy/compose")).unwrap();
        for inner in ["dashboards", "redis", "prometheus", "alertmanager", "state"] {
            fs::create_dir(path.join(inner)).unwrap();
        }
        let script = path.join("deploy/compose/prepare.sh");
        fs::copy(root("deploy/compose/prepare.sh"), &script).unwrap();
        let made = Command::new("bash").arg(&script).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        let of_file = fs::read_to_string(path.join(".env")).unwrap();
        let mut of_file: BTreeMap<String, String> = of_file
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        assert_eq!(of_file["COMPOSE_PROFILES"], "simulated");
        // No collector listens there: traces are dropped, and no step is affected.
        let nowhere = format!("http://127.0.0.1:{}", free_port());
        of_file.insert("FERRY_OTLP_ENDPOINT".into(), nowhere);
        let ports = [
            "redis",
            "platform",
            "server",
            "prometheus",
            "alertmanager",
            "watch",
            "watch-1",
            "watch-2",
        ];
        let ports = ports.into_iter().map(|name| (name, free_port())).collect();
        Self { folder, of_file, ports, runtime: Runtime::new().unwrap() }
    }

    pub(super) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// Checks that hold in the containers as they hold here; `watch` is the process with the metrics.
    fn here(&self, text: &str, watch: &str) -> String {
        let at = |name: &str| format!("127.0.0.1:{}", self.ports[name]);
        let here = [
            ("redis:6379", at("redis")),
            ("platform:8700", at("platform")),
            ("0.0.0.0:8700", at("platform")),
            ("alertmanager:9093", at("alertmanager")),
            ("0.0.0.0:8600", at("server")),
            ("0.0.0.0:9464", at(watch)),
            ("/run/secrets", self.path("deploy/compose/secrets")),
            ("/var/lib/ferry", self.path("state")),
            ("/etc/redis", self.path("redis")),
            ("/data", self.path("redis")),
            ("/etc/prometheus", self.path("prometheus")),
            ("=/prometheus", format!("={}", self.path("prometheus/data"))),
            ("/etc/alertmanager", self.path("alertmanager")),
            ("=/alertmanager", format!("={}", self.path("alertmanager/data"))),
        ];
        here.into_iter().fold(text.to_owned(), |text, (there, here)| text.replace(there, &here))
    }

    /// `ferry` as a service calls it, or with other arguments in its place.
    pub(super) fn ferry(&self, name: &str, watch: &str, args: Option<&[&str]>) -> Command {
        let (_, service) = services().into_iter().find(|(other, _)| other == name).unwrap();
        let container = container(name.to_owned(), &service, &self.of_file);
        let mut command = Command::new(env!("CARGO_BIN_EXE_ferry"));
        let of_service = container.args.iter().map(|arg| self.here(arg, watch));
        match args {
            Some(args) => drop(command.args(args)),
            None => drop(command.args(of_service)),
        }
        let env = container.env.iter().map(|(name, value)| (name, self.here(value, watch)));
        command.env_clear().envs(env).current_dir(self.path("state"));
        command
    }

    /// Starts Redis with the shipped configuration and users, and waits for its health command.
    pub(super) fn redis(&self) -> Running {
        let config = fs::read_to_string(root("deploy/redis/redis.conf")).unwrap();
        fs::write(self.path("redis/redis.conf"), self.here(&config, "watch")).unwrap();
        let mut command = Command::new(program());
        command.arg(self.path("redis/redis.conf")).args(["--bind", "127.0.0.1", "--tls-port"]);
        command.arg(self.ports["redis"].to_string());
        let redis = Running::start(command);
        eventually("the health command of Redis succeeds", || self.redis_is_healthy());
        redis
    }

    /// Runs the health command of the compose file.
    pub(super) fn redis_is_healthy(&self) -> bool {
        let (_, service) = services().into_iter().find(|(name, _)| name == "redis").unwrap();
        let test = texts(&service["healthcheck"]["test"]);
        let [shell, line] = &test[..] else { panic!("{test:?}") };
        assert_eq!(shell, "CMD-SHELL");
        self.shell(&line.replace("$$", "$")).status.success()
    }

    /// Runs a shell command that is meant for the container of Redis.
    pub(super) fn shell(&self, line: &str) -> Output {
        let redis_cli = format!("redis-cli -p {} ", self.ports["redis"]);
        let server = format!("{} --port {} ", program(), self.ports["redis"]);
        let line = self.here(line, "watch");
        let line = line.replace("redis-cli ", &redis_cli).replace("redis-server ", &server);
        Command::new("sh").args(["-ec", &line]).output().unwrap()
    }

    /// Runs the script again, as after an upgrade.
    pub(super) fn prepare_again(&self) -> String {
        let again = Command::new(self.path("deploy/compose/prepare.sh")).output().unwrap();
        assert!(again.status.success(), "{again:?}");
        String::from_utf8(again.stdout).unwrap()
    }

    fn prometheus(&self) -> Running {
        let config = fs::read_to_string(root("deploy/prometheus/compose.yml")).unwrap();
        let (before, after) = config.split_once("    dns_sd_configs:").expect("names of services");
        let (names, after) = after.split_once("\nalerting:").expect("an alertmanager");
        assert!(names.contains("[worker, server]") && names.contains("port: 9464"), "{names}");
        let targets = ["watch", "watch-1", "watch-2"].map(|watch| self.ports[watch]);
        let targets = targets.map(|port| format!("\"127.0.0.1:{port}\"")).join(", ");
        let config = format!(
            "{}    static_configs:\n      - targets: [{targets}]\n\nalerting:{}",
            before.replace("15s", "500ms"),
            self.here(after, "watch")
        );
        fs::write(self.path("prometheus/compose.yml"), config).unwrap();
        fs::copy(root("deploy/prometheus/alerts.yml"), self.path("prometheus/alerts.yml")).unwrap();
        let (_, service) = services().into_iter().find(|(name, _)| name == "prometheus").unwrap();
        let mut command = Command::new("prometheus");
        command.args(texts(&service["command"]).iter().map(|arg| self.here(arg, "watch")));
        command.arg(format!("--web.listen-address=127.0.0.1:{}", self.ports["prometheus"]));
        Running::start(command)
    }

    fn alertmanager(&self) -> Running {
        let config = root("deploy/alertmanager/alertmanager.yml");
        fs::copy(config, self.path("alertmanager/alertmanager.yml")).unwrap();
        let (_, service) = services().into_iter().find(|(name, _)| name == "alertmanager").unwrap();
        // Debian has another name for it.
        let debian = "/usr/bin/prometheus-alertmanager";
        let mut command =
            Command::new(if Path::new(debian).exists() { debian } else { "alertmanager" });
        command.args(texts(&service["command"]).iter().map(|arg| self.here(arg, "watch")));
        command.arg(format!("--web.listen-address=127.0.0.1:{}", self.ports["alertmanager"]));
        Running::start(command)
    }

    /// The alerts that the Alertmanager has, with their accounts, each with whether another one keeps it quiet.
    fn alerts(&self) -> BTreeMap<String, bool> {
        let response = self.get(self.ports["alertmanager"], "/api/v2/alerts");
        let alerts: Vec<Value> =
            serde_json::from_str(&response.map(|(_, body)| body).unwrap_or_default())
                .unwrap_or_default();
        let alert = |alert: &Value| {
            let label = |name: &str| alert["labels"][name].as_str().unwrap().to_owned();
            let name = format!("{} {}", label("alertname"), label("account"));
            (name, alert["status"]["inhibitedBy"] != json!([]))
        };
        alerts.iter().map(alert).collect()
    }

    /// Response of a port to a GET; `None` while no process listens.
    pub(super) fn get(&self, port: u16, path: &str) -> Option<(u16, String)> {
        let url = format!("http://127.0.0.1:{port}{path}");
        self.runtime.block_on(async {
            let response = client().get(url).send().await.ok()?;
            Some((response.status().as_u16(), response.text().await.ok()?))
        })
    }

    fn query(&self, expression: &str) -> Vec<Value> {
        let response = self.ask("query?", expression);
        response["result"].as_array().cloned().unwrap_or_default()
    }

    /// The traces beside what an expression measures.
    fn exemplars(&self, expression: &str) -> usize {
        let response = self.ask("query_exemplars?start=0&end=9999999999&", expression);
        response.as_array().map_or(0, Vec::len)
    }

    fn ask(&self, call: &str, expression: &str) -> Value {
        let query: String = form_urlencoded::byte_serialize(expression.as_bytes()).collect();
        let path = format!("/api/v1/{call}query={query}");
        let response = self.get(self.ports["prometheus"], &path).map(|(_, body)| body);
        let response: Value =
            serde_json::from_str(&response.unwrap_or_default()).unwrap_or_default();
        response["data"].clone()
    }
}

#[test]
fn what_compose_starts_is_well_and_uploads_a_dataset() {
    let machine = Machine::prepare();
    let _redis = machine.redis();
    let create = ["keys", "create", "--name", "me", "--role", "operate"];
    let made = machine.ferry("server", "watch", Some(&create)).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let key = String::from_utf8(made.stdout).unwrap();
    let platform = Running::start(machine.ferry("platform", "watch", None));
    let server = Running::start(machine.ferry("server", "watch", None));
    let workers =
        ["watch-1", "watch-2"].map(|watch| Running::start(machine.ferry("worker", watch, None)));
    let logs = || {
        let all = [&platform, &server, &workers[0], &workers[1]];
        all.map(Running::stderr).join("\n")
    };
    let _prometheus = machine.prometheus();
    // The health checks of the compose file, and the probes of the pods.
    for (name, service) in services().into_iter().filter(|(_, service)| is_ferry(service)) {
        let test = texts(&service["healthcheck"]["test"]);
        let url = test.last().unwrap().strip_prefix("http://127.0.0.1:").unwrap().to_owned();
        let (port, path) = url.split_at(url.find('/').unwrap());
        let watch = if name == "worker" { "watch-1" } else { "watch" };
        let port = if port == "8700" { "platform" } else { watch };
        eventually(&format!("{name} is well\n{}", logs()), || {
            machine.get(machine.ports[port], path).is_some_and(|(status, _)| status == 200)
        });
    }
    for (role, watch) in [("worker", "watch-1"), ("server", "watch")] {
        let probes = kubernetes::probes(role);
        assert_eq!(probes.len(), 2, "{role}");
        for (port, path) in probes {
            let port = if port == 8600 { "server" } else { watch };
            eventually(&format!("{role} answers {path}"), || {
                machine.get(machine.ports[port], &path).is_some_and(|(status, _)| status == 200)
            });
        }
    }
    let url = format!(
        "http://127.0.0.1:{}/v1/submissions?name=march&overwrite=true&wait=30s",
        machine.ports["server"]
    );
    let submit = |key: Option<&str>| {
        let request = client().post(&url).header("Content-Type", "text/csv").body(GOOD);
        let request = match key {
            Some(key) => request.bearer_auth(key.trim()),
            None => request,
        };
        machine.runtime.block_on(async {
            let response = request.send().await.unwrap();
            (response.status().as_u16(), response.text().await.unwrap())
        })
    };
    assert_eq!(submit(None).0, 401);
    let (status, view) = submit(Some(&key));
    assert_eq!(status, 201, "{view}");
    let view: Value = serde_json::from_str(&view).unwrap();
    assert_eq!(view["state"], "completed", "{view}\n{}", logs());
    // All are scraped, by the names that alerts and dashboards know.
    eventually("Prometheus scrapes all three", || {
        machine.query("up{job=\"ferry\"} == 1").len() == 3
    });
    let finished = "sum(ferry_submissions_finished_total{outcome=\"completed\"}) == 1";
    eventually("Prometheus knows of the dataset", || machine.query(finished).len() == 1);
    let with_traces = with_exemplars().into_iter().filter(|query| {
        let metrics = ["ferry_step_duration_seconds", "ferry_platform_request_duration_seconds"];
        metrics.iter().any(|metric| query.contains(metric))
    });
    let with_traces: Vec<String> = with_traces.collect();
    assert!(with_traces.len() > 2, "{with_traces:?}");
    for query in with_traces {
        eventually(&format!("traces for {query}"), || machine.exemplars(&query) > 0);
    }
    for query in kubernetes::queries() {
        eventually(&format!("KEDA is answered: {query}"), || machine.query(&query).len() == 1);
    }
    // The store is as safe as it looks, to the user with few rights.
    let doctor = machine.ferry("worker", "watch-1", Some(&["doctor"])).output().unwrap();
    let said = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(doctor.status.success(), "{said}");
    eventually("the store is safe", || machine.query("min(ferry_store_durable) == 1").len() == 1);
    let secret =
        fs::read_to_string(Path::new(&machine.path("deploy/compose/secrets/store-password")));
    assert!(!logs().contains(secret.unwrap().trim()) && !logs().contains(key.trim()));
}

#[test]
fn while_the_platform_is_down_the_alerts_about_the_queue_are_quiet() {
    let machine = Machine::prepare();
    let alertmanager = machine.alertmanager();
    let port = machine.ports["alertmanager"];
    eventually("the Alertmanager is ready", || {
        machine.get(port, "/-/ready").is_some_and(|(status, _)| status == 200)
    });
    let rules = &documents("deploy/prometheus/alerts.yml")[0]["groups"][0]["rules"];
    // All at once, but for two that quiet others by themselves.
    let others = ["FerryAccountPaused", "FerryQueueMetricsStale"];
    let rules = rules.as_array().unwrap().iter();
    let firing = rules.filter(|rule| !others.contains(&rule["alert"].as_str().unwrap()));
    let alert =
        |name: &Value, account| json!({ "labels": { "alertname": name, "account": account } });
    let firing = firing.map(|rule| alert(&rule["alert"], "north"));
    let firing: Vec<Value> =
        firing.chain([alert(&json!("FerryTokenRefreshFailing"), "south")]).collect();
    machine.runtime.block_on(async {
        let url = format!("http://127.0.0.1:{port}/api/v2/alerts");
        let request = client().post(url).header("Content-Type", "application/json");
        let sent = request.body(json!(firing).to_string()).send().await.unwrap();
        assert!(sent.status().is_success(), "{}", sent.status());
    });
    let quiet = [
        "FerryNoProgress north",
        "FerryQueueLatency north",
        "FerryStepLag north",
        "FerryTokenRefreshFailing north",
    ];
    eventually("the queue is quiet, and nothing else", || {
        let alerts = machine.alerts();
        let inhibited = alerts.iter().filter(|(_, is_quiet)| **is_quiet);
        let inhibited: Vec<&str> = inhibited.map(|(name, _)| name.as_str()).collect();
        alerts.len() == firing.len() && inhibited == quiet
    });
    drop(alertmanager);
}
