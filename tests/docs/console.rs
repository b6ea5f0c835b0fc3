//! Runs the `console` blocks of pages in their order, against a simulated Platform.
//!
//! A line that begins with `$ ` is a command; what follows is what it writes to stdout, where a line
//! `…` stands for any lines. A block `console background` starts a process that runs to the end of the
//! page. `UPDATE_DOCS=1` writes the output of the program into the page.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use tempfile::TempDir;

use super::generated::check;
use super::none;
use super::pages::{Page, root};
use super::program::FERRY;

/// Ends the output of a command.
const MARK: &str = "=end-of-command=";

/// What each page expects to find: files of `examples/` under the names that the page uses.
const FILES: &[(&str, &str)] = &[
    ("march.csv", "examples/good.csv"),
    ("faulty.csv", "examples/faulty.csv"),
    ("trips.csv", "examples/rejected.csv"),
    ("trips-corrected.csv", "examples/rejected.corrected.csv"),
    ("submit.py", "examples/submit.py"),
    ("submit.mjs", "examples/submit.mjs"),
];

#[test]
fn the_quick_start_of_the_readme_works() {
    runs("README.md", true);
}

#[test]
fn the_first_tutorial_works() {
    runs("docs/tutorials/first-dataset.md", false);
}

#[test]
fn the_tutorial_about_corrections_works() {
    runs("docs/tutorials/correct-a-dataset.md", false);
}

#[test]
fn the_tutorial_for_services_works() {
    runs("docs/tutorials/from-a-service.md", false);
}

/// Runs a page; `with_platform` if it takes for granted that a Platform is configured.
fn runs(path: &str, with_platform: bool) {
    let page = Page::read(path);
    let world = World::new();
    let _simulator = with_platform.then(|| world.start("ferry simulate > simulated.env"));
    let mut shell = world.shell();
    if with_platform {
        shell.run("set -a; . ./simulated.env; set +a");
    }
    let mut background = Vec::new();
    let mut made = page.text.clone();
    let (mut from, mut seen) = (0, 0);
    for (info, text) in page.fences("console") {
        if info == "console background" {
            let lines: Vec<String> = steps_of(&text).into_iter().map(|step| step.source).collect();
            background.push(world.start(&lines.join("\n")));
            continue;
        }
        for step in steps_of(&text) {
            let wrote = shell.run(&world.ported(&step.source));
            let old = format!("$ {}\n{}", step.source, step.output);
            let at = from + made[from..].find(&old).expect("it was read from there");
            let output = if matches(&step.output, &wrote) { &step.output } else { &wrote };
            let new = format!("$ {}\n{output}", step.source);
            made.replace_range(at..at + old.len(), &new);
            (from, seen) = (at + new.len(), seen + 1);
        }
    }
    assert!(seen > 0, "{path} has no command");
    let mut wrong = Vec::new();
    check(path, &page.text, &made, &mut wrong);
    none(&wrong);
}

/// A command of a page.
struct Step {
    /// As the page has it, without `$ `.
    source: String,
    output: String,
}

fn steps_of(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut continues = false;
    for line in text.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step { source: command.to_owned(), output: String::new() });
        } else if let Some(step) = steps.last_mut() {
            if continues {
                let _ = write!(step.source, "\n{line}");
            } else {
                let _ = writeln!(step.output, "{line}");
            }
        }
        continues = line.ends_with('\\');
    }
    steps
}

/// A folder with the files of the pages, and ports of its own.
struct World {
    folder: TempDir,
    platform: u16,
    api: u16,
    receiver: u16,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, source) in FILES {
            std::fs::copy(root(source), folder.path().join(name)).expect("an example");
        }
        let [platform, api, receiver] = [(), (), ()].map(|()| free_port());
        Self { folder, platform, api, receiver }
    }

    /// Pages name fixed ports, tests take free ones.
    fn ported(&self, text: &str) -> String {
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

    /// What a page calls `ferry`: a simulator has a port of its own, and is always equally quick.
    fn function(&self) -> String {
        format!(
            "ferry() {{ if [ \"$1\" = simulate ]; then shift; \
             set -- simulate --listen 127.0.0.1:{} --processing 500ms \"$@\"; fi; '{FERRY}' \"$@\"; }}\n",
            self.platform,
        )
    }

    /// What commands write to stderr, for when one fails.
    fn log(&self) -> PathBuf {
        self.folder.path().join("stderr.log")
    }

    fn shell(&self) -> Shell {
        let mut command = self.bash();
        let log = File::create(self.log()).expect("a file");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().expect("bash starts");
        let stdin = child.stdin.take().expect("it is piped");
        let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut shell = Shell { stdin, stdout, log: self.log(), _process: Process(child) };
        shell.run(&self.function());
        shell
    }

    /// Starts what runs to the end of the page, and waits until it says where it listens.
    fn start(&self, lines: &str) -> Process {
        let mut command = self.bash();
        command.args(["-c", &format!("{}{}", self.function(), self.ported(lines))]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("bash starts");
        let mut stderr = BufReader::new(child.stderr.take().expect("it is piped"));
        let process = Process(child);
        let mut said = String::new();
        while !said.contains("http://") {
            let count = stderr.read_line(&mut said).expect("it can be read");
            assert!(count > 0, "{lines} ended: {said}");
        }
        // It may say more, and must not stop for want of a reader.
        std::thread::spawn(move || std::io::copy(&mut stderr, &mut std::io::sink()));
        process
    }
}

/// A shell that takes one command after the other.
struct Shell {
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    log: PathBuf,
    _process: Process,
}

impl Shell {
    /// Runs a command; returns what it wrote to stdout.
    fn run(&mut self, command: &str) -> String {
        let line = format!("{command}\nprintf '\\n%s %s\\n' \"$?\" {MARK}\n");
        self.stdin.write_all(line.as_bytes()).expect("the shell reads");
        let mut wrote = String::new();
        loop {
            let count = self.stdout.read_line(&mut wrote).expect("it is UTF-8");
            assert!(count > 0, "the shell ended: {command}\n{wrote}");
            let Some(before) = wrote.strip_suffix(&format!(" {MARK}\n")) else { continue };
            let (text, code) = before.rsplit_once('\n').expect("a line of its own");
            // A rejection and an invalid dataset are what some pages show.
            if !["0", "3", "4"].contains(&code) {
                let log = std::fs::read_to_string(&self.log).unwrap_or_default();
                panic!("{command}\nended with {code}:\n{text}\n{log}");
            }
            return text.to_owned();
        }
    }
}

/// A process that ends with the page, and those that it started.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let group = format!("-{}", self.0.id());
        // It may have ended.
        let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound").port()
}

/// True if the page shows what was written, but for what differs from run to run.
fn matches(page: &str, wrote: &str) -> bool {
    let (page, wrote) = (normal(page), normal(wrote));
    let Some((start, end)) = page.split_once("…\n") else { return page == wrote };
    wrote.len() + 1 >= start.len() + end.len() && wrote.starts_with(start) && wrote.ends_with(end)
}

/// Ids, times and durations as words.
fn normal(text: &str) -> String {
    let line = |line: &str| {
        let mut words: Vec<&str> = Vec::new();
        for word in line.split_whitespace() {
            let bare = word.trim_matches(|c: char| "(),`'\"".contains(c));
            let kind = kind_of(bare).unwrap_or(word);
            let is_repeated = kind == "DURATION" && words.last() == Some(&"DURATION");
            if !is_repeated {
                words.push(kind);
            }
        }
        words.join(" ") + "\n"
    };
    text.lines().map(line).collect()
}

fn kind_of(word: &str) -> Option<&'static str> {
    let has_digit = word.contains(|c: char| c.is_ascii_digit());
    let unit = word.trim_start_matches(|c: char| c.is_ascii_digit());
    let is_id = word.len() == 26 && word.starts_with("01");
    let is_stamp = |separator: char, parts: usize| {
        word.split(separator).count() == parts
            && word.chars().all(|c| c.is_ascii_digit() || c == separator)
    };
    match () {
        () if is_id => Some("ID"),
        () if word.len() == 36 && word.matches('-').count() == 4 => Some("TOKEN"),
        () if has_digit && ["ms", "s", "m", "h"].contains(&unit) => Some("DURATION"),
        () if is_stamp('-', 3) || is_stamp(':', 3) => Some("TIME"),
        () => None,
    }
}

#[test]
fn output_is_compared_but_for_what_differs_from_run_to_run() {
    let page = "01KDXB8W4S9ZT2M3Q5R7V1C6HY  completed  march  (after 1s 600ms, 1 poll)\n";
    let wrote = "01M8HT05Z253TTYBHVD02Q5NKM  completed  march  (after 2s, 1 poll)\n";
    assert!(matches(page, wrote));
    assert!(!matches(page, &wrote.replace("completed", "rejected")));
    assert!(matches("a\n…\nc\n", "a\nb\nb\nc\n") && !matches("a\n…\nc\n", "a\nb\n"));
}
