//! The program's own descriptions: help texts, settings, metrics, and the `OpenAPI` document.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;

use serde_json::Value;
use tempfile::TempDir;

pub(crate) const FERRY: &str = env!("CARGO_BIN_EXE_ferry");

/// The help text of each command, by the words after `ferry`; of `ferry` itself first.
pub(crate) static COMMANDS: LazyLock<Vec<(String, String)>> = LazyLock::new(|| {
    let mut found = Vec::new();
    add_command(&[], &mut found);
    found
});

fn add_command(words: &[String], found: &mut Vec<(String, String)>) {
    let help = output(&[words, &["--help".to_owned()]].concat());
    let names: Vec<String> = subcommands(&help).map(str::to_owned).collect();
    found.push((words.join(" "), help));
    for name in names {
        add_command(&[words, &[name]].concat(), found);
    }
}

/// The commands that a help text lists, without `help`.
fn subcommands(help: &str) -> impl Iterator<Item = &str> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    // The rest of a description that takes two lines is indented further.
    let named =
        lines.map_while(|line| line.strip_prefix("  ")).filter(|line| !line.starts_with(' '));
    named.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help")
}

/// All settings as `ferry doctor --settings --json` lists them, those of accounts last.
pub(crate) fn settings() -> Vec<Value> {
    let words = ["doctor", "--settings", "--json"].map(str::to_owned);
    let lines = output(&words);
    lines.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect()
}

fn output(words: &[String]) -> String {
    let output = Command::new(FERRY).args(words).env_clear().output().expect("ferry starts");
    assert!(output.status.success(), "ferry {}: {output:?}", words.join(" "));
    String::from_utf8(output.stdout).expect("ferry writes UTF-8")
}

/// Metrics of a server with one account.
pub(crate) struct Shown {
    pub(crate) openapi: Value,
    pub(crate) metrics: String,
}

pub(crate) static SHOWN: LazyLock<Shown> = LazyLock::new(|| {
    let server = Server::start();
    let openapi = serde_json::from_str(&server.get("/openapi.json")).expect("it is JSON");
    Shown { openapi, metrics: server.get("/metrics") }
});

struct Server {
    child: Child,
    address: String,
    _folder: TempDir,
}

impl Server {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = Command::new(FERRY);
        command.args(["serve", "--set", "listen=127.0.0.1:0"]).current_dir(folder.path());
        command.env_clear().envs([
            ("FERRY_TOKEN_URL", "http://127.0.0.1:9/connect/token"),
            ("FERRY_API_URL", "http://127.0.0.1:9/upload"),
            ("FERRY_CLIENT_ID", "docs"),
            ("FERRY_CLIENT_SECRET", "docs"),
            ("FERRY_API_KEY", "docs"),
        ]);
        let mut child = command.stderr(Stdio::piped()).spawn().expect("ferry starts");
        let mut stderr = child.stderr.take().expect("it is piped");
        let (mut stderr, address) =
            ferry_testing::blocking_within("the address of ferry", move || {
                let (mut log, mut buffer) = (String::new(), [0; 4096]);
                loop {
                    let count = stderr.read(&mut buffer).expect("the log can be read");
                    assert!(count > 0, "ferry ended: {log}");
                    log += &String::from_utf8_lossy(&buffer[..count]);
                    let after = log.split_once("http://").map(|(_, after)| after);
                    if let Some((address, _)) = after.and_then(|after| after.split_once(' ')) {
                        break (stderr, address.to_owned());
                    }
                }
            });
        // It logs more, and must not stop for want of a reader.
        std::thread::spawn(move || std::io::copy(&mut stderr, &mut std::io::sink()));
        Self { child, address, _folder: folder }
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address);
        stream.write_all(request.as_bytes()).expect("it is sent");
        let mut response = String::new();
        stream.read_to_string(&mut response).expect("it is UTF-8");
        let (head, body) = response.split_once("\r\n\r\n").expect("a head and a body");
        assert!(head.starts_with("HTTP/1.1 200"), "{path}: {head}");
        body.to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
