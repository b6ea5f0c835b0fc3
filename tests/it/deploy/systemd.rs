//! The units of systemd: its own checks, and what they start, started here with the same commands and
//! environments.

use std::fs;
use std::process::Command;

use super::files::{root, seconds};
use crate::api::harness::client;
use crate::cli::harness::{Ferry, GOOD, Platform, eventually};
use ferry_testing::{free_port, own_namespace, shared_server};

const UNITS: [&str; 2] = ["ferry-server", "ferry-worker"];

/// Exposure that systemd still rates as good: of ten, less is better.
const EXPOSURE: &str = "--threshold=16";

fn unit(name: &str) -> String {
    fs::read_to_string(root(&format!("deploy/systemd/{name}.service"))).unwrap()
}

/// The values of a key, one for each line of it.
fn values<'a>(unit: &'a str, key: &str) -> Vec<&'a str> {
    let line = |line: &'a str| line.strip_prefix(key)?.strip_prefix('=');
    unit.lines().filter_map(line).collect()
}

#[test]
fn systemd_understands_every_unit_and_finds_it_hardened() {
    let hint = "`systemd-analyze` comes with systemd; on Debian: apt-get install systemd";
    let listed = fs::read_dir(root("deploy/systemd")).unwrap().count();
    assert_eq!(listed, UNITS.len());
    let folder = tempfile::tempdir().unwrap();
    for name in UNITS {
        let path = folder.path().join(format!("{name}.service"));
        // It wants the program to be there.
        let here = unit(name).replace("=ferry ", concat!("=", env!("CARGO_BIN_EXE_ferry"), " "));
        fs::write(&path, here).unwrap();
        for args in [&["verify", "--man=no"][..], &["security", "--offline=true", EXPOSURE]] {
            let output =
                Command::new("systemd-analyze").args(args).arg(&path).output().expect(hint);
            let errors = String::from_utf8_lossy(&output.stderr).into_owned();
            let said = String::from_utf8_lossy(&output.stdout);
            let weak: Vec<&str> = said.lines().filter(|line| !line.starts_with('✓')).collect();
            assert!(output.status.success(), "{name}: {errors}\n{}", weak.join("\n"));
            // What it does not know it only warns of.
            assert!(!errors.contains(name), "{errors}");
        }
    }
}

#[test]
fn what_units_start_is_well_uploads_a_dataset_and_stops_in_time() {
    for name in UNITS {
        let files = works(name, "");
        assert!(files.path("ferry.db").exists(), "{name}: the store is in the working directory");
    }
}

#[test]
fn the_store_that_the_configuration_names_is_that_of_the_units() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let redis = runtime.block_on(shared_server());
    for name in UNITS {
        let (url, namespace) = (redis.url(), own_namespace());
        let files = works(name, &format!("store = \"{url}\"\nnamespace = \"{namespace}\"\n"));
        assert!(!files.path("ferry.db").exists(), "{name} made a file, beside its Redis");
    }
}

/// Runs a unit with further settings in its `ferry.toml` until it has uploaded a dataset; returns its
/// folder, with which `/var/lib/ferry` is replaced.
fn works(name: &str, settings: &str) -> Ferry {
    let platform = Platform::start();
    let unit = unit(name);
    let metrics = free_port();
    let ferry = Ferry::new();
    fs::create_dir(ferry.path("credentials")).unwrap();
    let account = format!(
        "{settings}[accounts.default]\ntoken_url = \"{}\"\napi_url = \"{}\"\nclient_id = \"demo\"\n",
        platform.sim.token_url(),
        platform.sim.api_url()
    );
    let secrets = [
        ("ferry.toml", account.as_str()),
        ("ferry-secret", "demo-secret"),
        ("ferry-key", "demo-key"),
    ];
    let credentials = values(&unit, "LoadCredential");
    assert_eq!(credentials.len(), secrets.len());
    for ((secret, content), line) in secrets.iter().zip(credentials) {
        assert_eq!(line, format!("{secret}:/etc/ferry/{secret}"), "{name}");
        ferry.write(&format!("credentials/{secret}"), content);
    }
    assert_eq!(values(&unit, "WorkingDirectory"), ["/var/lib/ferry"], "{name}");
    let (credentials, state) = (ferry.path("credentials"), ferry.path(""));
    let here = |value: &str| {
        let value = value.replace("%d", credentials.to_str().unwrap());
        let value = value.replace("/var/lib/ferry", state.to_str().unwrap());
        value.replace(":9464", &format!(":{metrics}"))
    };
    let ferry = values(&unit, "Environment").iter().fold(ferry, |ferry, line| {
        let (variable, value) = line.split_once('=').expect("a value");
        ferry.set(variable, here(value))
    });
    // The address of the API is that of the configuration.
    let ferry = ferry.set("FERRY_LISTEN", "127.0.0.1:0");
    assert!(!unit.contains("FERRY_API_KEYS") || name == "ferry-server");
    if name == "ferry-server" {
        ferry.run(&["keys", "create", "--name", "me", "--role", "operate"]).ok();
    }
    let exec = values(&unit, "ExecStart")[0].strip_prefix("ferry ");
    let args: Vec<&str> = exec.expect("it is ferry").split(' ').collect();
    let mut running = ferry.start(&args);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let url = format!("http://127.0.0.1:{metrics}/readyz");
    eventually(&format!("{name} is ready"), || {
        assert!(running.is_alive(), "{name} ended: {}", running.stderr());
        runtime.block_on(async {
            client().get(&url).send().await.is_ok_and(|response| response.status().is_success())
        })
    });
    let id = ferry.run_with(&["submit", "-", "--name", name], GOOD).ok().id();
    ferry.await_state(&id, "completed");
    running.signal("TERM");
    let requested = std::time::Instant::now();
    let ended = running.end();
    assert!(ended.success(), "{name}: {}", running.stderr());
    assert!(requested.elapsed() < seconds(values(&unit, "TimeoutStopSec")[0]), "{name}");
    ferry
}
