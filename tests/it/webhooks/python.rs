//! The receiver of the examples, which checks signatures with the published library of Standard
//! Webhooks for Python.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::{OLD_SECRET, SECRET};
use crate::cli::harness::{Ferry, GOOD, Platform, REJECTED, eventually};

/// The newest that these tests were seen to pass with.
const STANDARDWEBHOOKS: &str = "1.1.0";

/// A folder that holds the library, installed once.
pub(crate) fn standardwebhooks() -> PathBuf {
    let name = format!("standardwebhooks-{STANDARDWEBHOOKS}");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(&name);
    if !folder.exists() {
        let hint = "Python 3 with venv, and a way to PyPI, are needed; on Debian: apt-get install \
                    python3 python3-venv";
        let run = |command: &mut Command| {
            let output = command.output().unwrap_or_else(|error| panic!("{hint}: {error}"));
            assert!(output.status.success(), "{hint}: {output:?}");
        };
        // Tests may come here at once: what is whole is moved into place.
        let own = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let (venv, made) = (own.path().join("venv"), own.path().join(&name));
        run(Command::new("python3").args(["-m", "venv"]).arg(&venv));
        let package = format!("standardwebhooks=={STANDARDWEBHOOKS}");
        let mut pip = Command::new(venv.join("bin/pip"));
        run(pip.args(["install", "--quiet", &package, "--target"]).arg(&made));
        let moved = fs::rename(&made, &folder);
        assert!(moved.is_ok() || folder.exists(), "{moved:?}");
    }
    folder
}

/// `examples/receive.py` as it runs.
pub(crate) struct Listener {
    pub(crate) url: String,
    child: Child,
    lines: Arc<Mutex<Vec<Value>>>,
}

impl Listener {
    pub(crate) fn start(secret: &str) -> Self {
        let script = format!("{}/examples/receive.py", env!("CARGO_MANIFEST_DIR"));
        let mut command = Command::new("python3");
        command.arg(script).arg("0").env("PYTHONPATH", standardwebhooks());
        command.env("FERRY_WEBHOOK_SECRET", secret).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("python3 is needed");
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let (log, first) =
            ferry_testing::blocking_within("the first line of receive.py", move || {
                let mut first = String::new();
                log.read_line(&mut first).unwrap();
                (log, first)
            });
        let url = first.trim().strip_prefix("listening on ").unwrap_or_else(|| panic!("{first}"));
        // It may write more, and must not stop for want of a reader.
        std::thread::spawn(move || log.lines().for_each(drop));
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (out, kept) = (BufReader::new(child.stdout.take().unwrap()), lines.clone());
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                kept.lock().unwrap().push(serde_json::from_str(&line).unwrap());
            }
        });
        Self { url: format!("{url}/hook"), child, lines }
    }

    /// Returns the webhooks that it received with valid signatures.
    pub(crate) fn received(&self) -> Vec<Value> {
        self.lines.lock().unwrap().clone()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_published_library_takes_our_signatures_by_either_secret() {
    let platform = Platform::start();
    let ferry = Ferry::of(&platform)
        .set("FERRY_WEBHOOK_SECRET", SECRET)
        .set("FERRY_WEBHOOK_SECRET_OLD", OLD_SECRET)
        .set("FERRY_WEBHOOK_ALLOW", "127.0.0.1")
        .set("FERRY_WEBHOOK_ALLOW_HTTP", "yes")
        .set("FERRY_WEBHOOK_MAX_ATTEMPTS", "1")
        .file("good.csv", GOOD)
        .file("rejected.csv", REJECTED);
    let new = Listener::start(SECRET);
    let old = Listener::start(OLD_SECRET);
    let foreign = Listener::start("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    let submit = |file: &str, name: &str, listener: &Listener| {
        let url = format!("{}?token=hush", listener.url);
        let args = ["submit", file, "--name", name, "--webhook-url", &url];
        ferry.run(&args).ok().ids().remove(0)
    };
    let completed = submit("good.csv", "march", &new);
    let rejected = submit("rejected.csv", "april", &old);
    let undelivered = submit("good.csv", "may", &foreign);
    let ran = ferry.run(&["worker", "--until-idle"]).ok();
    assert!(!ran.stderr.contains("hush"), "{}", ran.stderr);
    eventually("both webhooks", || !new.received().is_empty() && !old.received().is_empty());
    let (one, other) = (new.received().remove(0), old.received().remove(0));
    assert_eq!(
        (&one["type"], &one["data"]["id"]),
        (&"submission.completed".into(), &completed.as_str().into())
    );
    assert_eq!(
        (&other["type"], &other["data"]["id"]),
        (&"submission.rejected".into(), &rejected.as_str().into())
    );
    assert!(foreign.received().is_empty());
    let shown = ferry.object(&["webhooks", "list", "--json", &undelivered]);
    assert_eq!(shown["deliveries"][0]["result"], "client_error", "{shown}");
    let lines = ferry.run(&["webhooks", "list", &completed]).ok().stdout;
    assert!(lines.contains("attempt 1  delivered (204)"), "{lines}");
    assert!(!lines.contains("hush"), "{lines}");
    ferry.run(&["webhooks", "redeliver", &undelivered]).ok();
    ferry.run(&["worker", "--until-idle"]).ok();
    let shown = ferry.object(&["webhooks", "list", "--json", &undelivered]);
    assert_eq!(shown["deliveries"].as_array().unwrap().len(), 2, "{shown}");
}
