//! A Prometheus of a test's own, and what it is asked.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use ferry_testing::free_port;
use ferry_types::clock::{Clock, SystemClock};
use serde_json::Value;

use super::files::read;

/// A program of Debian's package `prometheus`.
pub(super) fn tool(name: &str) -> PathBuf {
    let places = ["/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"].map(Path::new);
    let found = places.iter().map(|location| location.join(name)).find(|path| path.exists());
    found.unwrap_or_else(|| {
        panic!(
            "there is no `{name}`: it comes with Prometheus; on Debian: apt-get install prometheus"
        )
    })
}

/// Runs a command that must succeed.
#[track_caller]
pub(super) fn ran(command: &mut Command) {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{command:?}\n{}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
}

/// A Prometheus that scrapes often, with the configuration and the alerts that are checked in.
pub(super) struct Prometheus {
    process: Child,
    address: String,
}

impl Prometheus {
    /// Keeps its data in `folder`.
    pub(super) fn start(folder: &Path, targets: &[String]) -> Self {
        let targets: Vec<String> = targets.iter().map(|target| format!("{target:?}")).collect();
        let config = read("deploy/prometheus/prometheus.yml")
            .replace("_interval: 15s", "_interval: 500ms")
            .replace("# external_labels:\n  #   ", "external_labels:\n    # ")
            .replace("  #   grafana: ", "    grafana: ")
            .replace(
                "[\"127.0.0.1:9464\"]",
                &format!("[{}]\n        labels: {{ namespace: here }}", targets.join(", ")),
            );
        assert!(config.contains("\n    grafana: "), "{config}");
        assert!(config.contains("500ms") && !config.contains("9464"), "{config}");
        std::fs::write(folder.join("prometheus.yml"), config).unwrap();
        std::fs::write(folder.join("alerts.yml"), read("deploy/prometheus/alerts.yml")).unwrap();
        let free = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let log = std::fs::File::create(folder.join("prometheus.log")).unwrap();
        let process = Command::new(tool("prometheus"))
            .arg(format!("--config.file={}", folder.join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
            .arg(format!("--web.listen-address={free}"))
            .arg("--enable-feature=exemplar-storage")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        Self { process, address: free.to_string() }
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// True once it answers.
    pub(super) fn is_ready(&self) -> bool {
        get(&self.address, "/-/ready").is_some_and(|(status, _)| status == 200)
    }

    /// The result of an expression now; what is wrong with it otherwise.
    pub(super) fn query(&self, expression: &str) -> Result<Vec<Value>, String> {
        let query: String = form_urlencoded::byte_serialize(expression.as_bytes()).collect();
        let response = self.api(&format!("query?query={query}"))?;
        response["result"].as_array().cloned().ok_or_else(|| format!("no result: {response}"))
    }

    /// The values of a label of the series that a selector chooses.
    pub(super) fn label_values(&self, selector: &str, label: &str) -> Vec<String> {
        let selector: String = form_urlencoded::byte_serialize(selector.as_bytes()).collect();
        let found = self.api(&format!("label/{label}/values?match[]={selector}")).unwrap();
        let values = found.as_array().into_iter().flatten();
        values.filter_map(|value| value.as_str().map(str::to_owned)).collect()
    }

    /// True if an expression has a result that is neither zero nor NaN.
    pub(super) fn holds(&self, expression: &str) -> bool {
        let values = self.query(expression).unwrap();
        let value = |sample: &Value| sample["value"][1].as_str()?.parse::<f64>().ok();
        values.iter().filter_map(value).any(|value| value != 0.0 && !value.is_nan())
    }

    /// The traces of the examples of a histogram.
    pub(super) fn exemplars(&self, histogram: &str) -> BTreeSet<String> {
        let now = SystemClock.now().timestamp();
        let span = format!("start={}&end={}", now - 600, now + 600);
        let response =
            self.api(&format!("query_exemplars?query={histogram}_bucket&{span}")).unwrap();
        let series = response.as_array().into_iter().flatten();
        let exemplars = series.filter_map(|series| series["exemplars"].as_array()).flatten();
        let trace = |exemplar: &Value| exemplar["labels"]["trace_id"].as_str().map(str::to_owned);
        exemplars.filter_map(trace).collect()
    }

    /// All rules, as they were evaluated last.
    pub(super) fn rules(&self) -> Vec<Value> {
        let response = self.api("rules").unwrap();
        response["groups"][0]["rules"].as_array().cloned().unwrap_or_default()
    }

    fn api(&self, call: &str) -> Result<Value, String> {
        let (status, body) =
            get(&self.address, &format!("/api/v1/{call}")).ok_or("Prometheus is gone")?;
        let response: Value = serde_json::from_str(&body).map_err(|error| error.to_string())?;
        if status == 200 {
            Ok(response["data"].clone())
        } else {
            Err(response["error"].to_string())
        }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Returns status and body; `None` if nothing listens.
pub(super) fn get(address: &str, path: &str) -> Option<(u16, String)> {
    ask(address, &format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n"))
}

/// Posts CSV, and returns the same.
pub(super) fn post(address: &str, path: &str, csv: &str) -> Option<(u16, String)> {
    let head = format!("POST {path} HTTP/1.0\r\nHost: localhost\r\nContent-Type: text/csv\r\n");
    ask(address, &format!("{head}Content-Length: {}\r\n\r\n{csv}", csv.len()))
}

pub(super) fn ask(address: &str, request: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.write_all(request.as_bytes()).ok()?;
    let mut response = String::new();
    stream.read_to_string(&mut response).ok()?;
    let (head, body) = response.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}
