//! Runs `ferry` in a folder of its own, with no environment but what a test gives it.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use ferry_sim::{Credentials, Dialect, Processing, Sim, SimConfig};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::pty::Pty;
use super::redact::redact;
use super::running::Running;
use crate::dialect::drawn;
use ferry_testing::{RedisServer, Wait, blocking_within, own_namespace};

/// Ten valid rows.
pub(crate) const GOOD: &str = include_str!("../../../examples/good.csv");
/// Valid, but the simulator knows neither `UNKNOWN-7` nor `UNKNOWN-9`.
pub(crate) const REJECTED: &str = include_str!("../../../examples/rejected.csv");
/// The same, corrected.
pub(crate) const CORRECTED: &str = include_str!("../../../examples/rejected.corrected.csv");

/// A simulated Platform for one test.
pub(crate) struct Platform {
    pub(crate) sim: Sim,
    // It serves for as long as this lives.
    _runtime: Runtime,
}

impl Platform {
    /// One that has decided as soon as it is asked.
    pub(crate) fn start() -> Self {
        Self::with(SimConfig::default())
    }

    /// One with the words and forms that the documentation shows.
    pub(crate) fn plain() -> Self {
        Self::with(SimConfig { dialect: Some(Dialect::PLAIN), ..SimConfig::default() })
    }

    /// One that never decides.
    pub(crate) fn slow() -> Self {
        let processing = Processing::Fixed(Duration::from_hours(1));
        Self::build(SimConfig { processing, ..SimConfig::default() })
    }

    /// One that never decides, and takes its time for every answer.
    pub(crate) fn busy() -> Self {
        let processing = Processing::Fixed(Duration::from_hours(1));
        let latency = Duration::from_millis(400);
        Self::build(SimConfig { processing, latency, ..SimConfig::default() })
    }

    pub(crate) fn with(config: SimConfig) -> Self {
        Self::build(SimConfig { processing: Processing::Fixed(Duration::ZERO), ..config })
    }

    fn build(config: SimConfig) -> Self {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).enable_all().build().expect("a runtime");
        let address = ([127, 0, 0, 1], 0).into();
        let sim = runtime.block_on(Sim::start(drawn(config), address)).expect("a free port");
        Self { sim, _runtime: runtime }
    }
}

/// A folder to call `ferry` in, and the environment it gets.
pub(crate) struct Ferry {
    folder: TempDir,
    env: BTreeMap<String, String>,
}

impl Ferry {
    /// Without any account.
    pub(crate) fn new() -> Self {
        let impatient = [
            ("FERRY_POLL_INITIAL", "20ms"),
            ("FERRY_POLL_MAX", "100ms"),
            ("FERRY_RETRY_INITIAL", "20ms"),
            ("FERRY_RETRY_MAX", "100ms"),
        ];
        let ferry = Self { folder: TempDir::new().expect("a folder"), env: BTreeMap::new() };
        impatient.into_iter().fold(ferry, |ferry, (name, value)| ferry.set(name, value))
    }

    /// With the account that `platform` lets in.
    pub(crate) fn of(platform: &Platform) -> Self {
        Self::of_account(platform, &Credentials::default())
    }

    pub(crate) fn of_account(platform: &Platform, credentials: &Credentials) -> Self {
        Self::new()
            .set("FERRY_TOKEN_URL", platform.sim.token_url())
            .set("FERRY_API_URL", platform.sim.api_url())
            .set("FERRY_CLIENT_ID", &credentials.client_id)
            .set("FERRY_CLIENT_SECRET", &credentials.client_secret)
            .set("FERRY_API_KEY", &credentials.api_key)
    }

    pub(crate) fn set(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.insert(name.to_owned(), value.into());
        self
    }

    /// With its store in a namespace of its own on this server.
    pub(crate) fn stored_on(self, server: &RedisServer) -> Self {
        self.set("FERRY_STORE", server.url()).set("FERRY_NAMESPACE", own_namespace())
    }

    pub(crate) fn unset(mut self, name: &str) -> Self {
        self.env.remove(name);
        self
    }

    /// Writes a file, and gives the harness on.
    pub(crate) fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        self.write(name, content);
        self
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("it is below the folder")).expect("a folder");
        std::fs::write(path, content).expect("the file can be written");
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).expect("the file can be read")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        self.run_with(args, "")
    }

    /// With something on stdin.
    pub(crate) fn run_with(&self, args: &[&str], stdin: impl AsRef<[u8]>) -> Ran {
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("ferry starts");
        let mut pipe = child.stdin.take().expect("it is piped");
        let bytes = stdin.as_ref().to_owned();
        let writer = std::thread::spawn(move || {
            // It need not be read to its end.
            let _ = pipe.write_all(&bytes);
        });
        let output = blocking_within(&format!("the end of ferry {args:?}"), || {
            child.wait_with_output().expect("its output can be read")
        });
        writer.join().expect("nothing panics here");
        Ran::new(output)
    }

    /// Runs it so that the permissions of files count, also where the tests run as root.
    pub(crate) fn run_without_privileges(&self, args: &[&str]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ferry"));
        let probe = tempfile::NamedTempFile::new().expect("a file");
        let read_only = std::os::unix::fs::PermissionsExt::from_mode(0o400);
        probe.as_file().set_permissions(read_only).expect("it is ours");
        if std::fs::OpenOptions::new().append(true).open(probe.path()).is_ok() {
            command = Command::new("setpriv");
            command.arg("--bounding-set=-dac_override,-dac_read_search").arg("--inh-caps=-all");
            command.arg(env!("CARGO_BIN_EXE_ferry"));
        }
        command.args(args).stdin(Stdio::null());
        let mut command = self.placed(command);
        Ran::new(blocking_within("the end of ferry", move || command.output().expect("it starts")))
    }

    /// Runs a line of shell, in which `ferry` is the binary.
    pub(crate) fn shell(&self, line: &str) -> Ran {
        let script = format!("ferry() {{ '{}' \"$@\"; }}\n{line}", env!("CARGO_BIN_EXE_ferry"));
        let mut command = Command::new("bash");
        command.args(["-c", &script]);
        let mut command = self.placed(command);
        command.stdin(Stdio::null());
        Ran::new(blocking_within(line, move || command.output().expect("bash runs")))
    }

    /// Leaves it running.
    pub(crate) fn start(&self, args: &[&str]) -> Running {
        Running::start(self.command(args))
    }

    /// Leaves it running on a terminal of its own.
    pub(crate) fn on_a_terminal(&self, args: &[&str], rows: u16, columns: u16) -> Pty {
        Pty::start(&self.command(args), rows, columns)
    }

    /// Returns the object of a successful `--json` command that prints one line.
    pub(crate) fn object(&self, args: &[&str]) -> serde_json::Value {
        let objects = self.run(args).ok().objects();
        assert_eq!(objects.len(), 1, "{objects:?}");
        objects.into_iter().next().expect("there is one")
    }

    /// Waits until the submission is in a state.
    pub(crate) fn await_state(&self, id: &str, state: &str) {
        eventually(&format!("{id} is {state}"), || {
            self.object(&["status", "--json", id])["state"] == state
        });
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ferry"));
        command.args(args);
        self.placed(command)
    }

    fn placed(&self, mut command: Command) -> Command {
        command.env_clear().envs(&self.env).current_dir(self.folder.path());
        command.env("PATH", "/usr/local/bin:/usr/bin:/bin").env("HOME", self.folder.path());
        command
    }
}

/// Output of a run. Displayed, it is fit for a snapshot: what differs from run to run is redacted.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    fn new(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("ferry writes UTF-8");
        let stderr = text(output.stderr);
        assert_eq!(hidden_in(&stderr), None, "{stderr:?}");
        Self {
            code: output.status.code().expect("it was not killed"),
            stdout: text(output.stdout),
            stderr,
        }
    }

    /// It went well.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        self.exits(0)
    }

    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// The first word of each line: where a command shows submissions, their ids.
    pub(crate) fn ids(&self) -> Vec<String> {
        self.stdout
            .lines()
            .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
            .collect()
    }

    pub(crate) fn id(&self) -> String {
        self.ids().into_iter().next().unwrap_or_else(|| panic!("no id: {self:?}"))
    }

    /// Stdout as JSON objects, one a line.
    #[track_caller]
    pub(crate) fn objects(&self) -> Vec<serde_json::Value> {
        let parse = |line| {
            let value: serde_json::Value = serde_json::from_str(line)
                .unwrap_or_else(|error| panic!("not JSON: {error}: {line}"));
            assert!(value.is_object(), "not an object: {line}");
            value
        };
        self.stdout.lines().map(parse).collect()
    }

    /// Returns only the data and the exit code, for the notes on stderr depend on the machine.
    pub(crate) fn result(&self) -> String {
        redact(&format!("exit {}\n{}", self.code, self.stdout))
    }

    /// Returns only stderr, redacted.
    pub(crate) fn notes(&self) -> String {
        redact(&self.stderr)
    }
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { code, stdout, stderr } = self;
        let text = format!("exit {code}\n---- stdout\n{stdout}---- stderr\n{stderr}");
        f.write_str(redact(&text).trim_end())
    }
}

/// A character of `text` that controls a terminal, turns the direction of text, or is not seen.
pub(crate) fn hidden_in(text: &str) -> Option<char> {
    text.chars().find(|char| {
        let is_control = char.is_control() && *char != '\n';
        is_control
            || matches!(*char, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}')
            || matches!(*char, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e0fff}')
    })
}

/// Waits for a condition.
#[track_caller]
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let wait = Wait::begin(what);
    while !condition() {
        wait.pause_blocking();
    }
}

/// Asserts that `object` is a submission as programs expect it.
#[track_caller]
pub(crate) fn assert_is_submission(object: &serde_json::Value) {
    let keys = [
        "id",
        "name",
        "account",
        "state",
        "reason",
        "upload_attempts",
        "polls",
        "created_at",
        "updated_at",
    ];
    for key in keys {
        assert!(object.get(key).is_some(), "no `{key}`: {object}");
    }
}
