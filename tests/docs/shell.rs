//! A folder, free ports and shells in which the commands of a page run.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use ferry_testing::free_port;
use tempfile::TempDir;

use super::pages::root;
use super::program::FERRY;

/// Ends the output of a command.
const MARK: &str = "=end-of-command=";

/// Files that a page needs: those of `examples/` under the names that the page uses.
const FILES: &[(&str, &str)] = &[
    ("march.csv", "examples/good.csv"),
    ("faulty.csv", "examples/faulty.csv"),
    ("trips.csv", "examples/rejected.csv"),
    ("trips-corrected.csv", "examples/rejected.corrected.csv"),
    ("submit.py", "examples/submit.py"),
    ("submit.mjs", "examples/submit.mjs"),
];

/// A folder with the files of the pages, and ports of its own.
pub(crate) struct World {
    folder: TempDir,
    platform: u16,
    api: u16,
    receiver: u16,
}

impl World {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, source) in FILES {
            std::fs::copy(root(source), folder.path().join(name)).expect("an example");
        }
        let [platform, api, receiver] = [(), (), ()].map(|()| free_port());
        Self { folder, platform, api, receiver }
    }

    /// Pages name fixed ports, tests take free ones.
    pub(crate) fn ported(&self, text: &str) -> String {
        let ports = [("8700", self.platform), ("8600", self.api), ("8710", self.receiver)];
        let replace = |text: String, (page, own): (&str, u16)| text.replace(page, &own.to_string());
        ports.into_iter().fold(text.to_owned(), replace)
    }

    /// A shell in which `ferry` is the binary, and which ends with its whole group.
    fn bash(&self) -> Command {
        let mut command = Command::new("bash");
        command.env_clear().current_dir(self.folder.path()).process_group(0);
        command.env("PATH", "/usr/local/bin:/usr/bin:/bin").env("HOME", self.folder.path());
        command.env("FERRY_LISTEN", format!("127.0.0.1:{}", self.api));
        command
    }

    /// The program that a page calls `ferry`: a simulator has a port of its own, and fixed processing times.
    fn function(&self) -> String {
        format!(
            "ferry() {{ if [ \"$1\" = simulate ]; then shift; \
             set -- simulate --listen 127.0.0.1:{} --processing 500ms \"$@\"; fi; '{FERRY}' \"$@\"; }}\n",
            self.platform,
        )
    }

    /// Errors of the commands, shown if one fails.
    fn log(&self) -> PathBuf {
        self.folder.path().join("stderr.log")
    }

    pub(crate) fn shell(&self) -> Shell {
        let mut command = self.bash();
        let log = File::create(self.log()).expect("a file");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().expect("bash starts");
        let stdin = child.stdin.take().expect("it is piped");
        let stdout = Some(BufReader::new(child.stdout.take().expect("it is piped")));
        let mut shell = Shell { stdin, stdout, log: self.log(), _process: Process(child) };
        shell.run(&self.function());
        shell
    }

    /// Starts what runs to the end of the page, and waits until it says where it listens.
    pub(crate) fn start(&self, lines: &str) -> Process {
        let mut command = self.bash();
        command.args(["-c", &format!("{}{}", self.function(), self.ported(lines))]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("bash starts");
        let mut stderr = BufReader::new(child.stderr.take().expect("it is piped"));
        let process = Process(child);
        let what = format!("an address of {lines}");
        let mut stderr = ferry_testing::blocking_within(&what, move || {
            let mut said = String::new();
            while !said.contains("http://") {
                let count = stderr.read_line(&mut said).expect("it can be read");
                assert!(count > 0, "it ended: {said}");
            }
            stderr
        });
        // It may say more, and must not stop for want of a reader.
        std::thread::spawn(move || std::io::copy(&mut stderr, &mut std::io::sink()));
        process
    }
}

/// A shell that takes one command after the other.
pub(crate) struct Shell {
    stdin: ChildStdin,
    /// None while a command runs.
    stdout: Option<BufReader<ChildStdout>>,
    log: PathBuf,
    _process: Process,
}

impl Shell {
    /// Runs a command; returns what it wrote to stdout.
    pub(crate) fn run(&mut self, command: &str) -> String {
        let line = format!("{command}\nprintf '\\n%s %s\\n' \"$?\" {MARK}\n");
        self.stdin.write_all(line.as_bytes()).expect("the shell reads");
        let mut stdout = self.stdout.take().expect("the last command ended");
        let (wrote, stdout) = ferry_testing::blocking_within(command, move || {
            let mut wrote = String::new();
            while !wrote.ends_with(&format!(" {MARK}\n")) {
                let count = stdout.read_line(&mut wrote).expect("it is UTF-8");
                assert!(count > 0, "the shell ended: {wrote}");
            }
            (wrote, stdout)
        });
        self.stdout = Some(stdout);
        let before = wrote.strip_suffix(&format!(" {MARK}\n")).expect("it ends so");
        let (text, code) = before.rsplit_once('\n').expect("a line of its own");
        // A rejection and an invalid dataset are what some pages show.
        if !["0", "3", "4"].contains(&code) {
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            panic!("{command}\nended with {code}:\n{text}\n{log}");
        }
        text.to_owned()
    }
}

/// A process that ends with the page, and those that it started.
pub(crate) struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // The shell's own `kill`: a small system has no program of that name. The group may have ended.
        let kill = format!("kill -KILL -- -{}", self.0.id());
        let killed = Command::new("bash").args(["-c", &kill]).stderr(Stdio::null()).status();
        killed.expect("bash runs");
        let _ = self.0.wait();
    }
}
