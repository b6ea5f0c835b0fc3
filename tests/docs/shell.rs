//! A folder, free ports and shells in which the commands of a page run.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;

use ferry_testing::free_port;
use tempfile::TempDir;

use super::pages::root;
use super::program::FERRY;

/// Ends the output of a command.
const MARK: &str = "=end-of-command=";

/// Ports that pages name. Tests take free ones.
const PORTS: &[&str] = &["8700", "8600", "8710", "9464", "6379", "4318"];

/// Folders that pages name, each in that of the page.
const FOLDERS: &[&str] =
    &["/etc/ferry", "/etc/redis", "/var/lib/ferry", "/var/lib/redis", "/restored", "/backup"];

/// Datasets of those who look something up: the names of the pages, and the examples.
const DATASETS: &[(&str, &str)] = &[
    ("january.csv", "good.csv"),
    ("february.csv", "good.csv"),
    ("march.csv", "good.csv"),
    ("trips.csv", "rejected.csv"),
    ("faulty.csv", "faulty.csv"),
];

/// Lines of NDJSON; those of `many.ndjson` have other names, and an invalid date.
const LINES: &str = r#"{"name": "april", "data": "SITE-001,03/03/2025,08:00,03/03/2025,16:30\n"}
{"name": "may", "data": "SITE-002,04/03/2025,08:00,04/03/2025,16:30\n", "labels": {"team": "north"}}
"#;

/// Words of a process that has begun to run.
const READY: &[&str] = &["http://", "https://", "worker started", "Ready to accept connections"];

/// A folder as the root of the repository is for pages, with ports of its own.
pub(crate) struct World {
    folder: TempDir,
    /// Names and ports of pages, with those that stand for them here.
    places: Vec<(String, String)>,
    user: String,
}

impl World {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let examples = folder.path().join("examples");
        std::os::unix::fs::symlink(root("examples"), examples).expect("a link");
        let port = |page: &&str| ((*page).to_owned(), free_port().to_string());
        let mut places: Vec<_> = PORTS.iter().map(port).collect();
        let here = |page: &&str| ((*page).to_owned(), format!("{}{page}", folder.path().display()));
        places.extend(FOLDERS.iter().map(here));
        places.push(("redis.example.com".into(), "localhost".into()));
        let user = Command::new("id").arg("-un").output().expect("a name").stdout;
        let user = String::from_utf8_lossy(&user).trim().to_owned();
        let world = Self { folder, places, user };
        let configuration = std::fs::read_to_string(root("deploy/redis/redis.conf"));
        let configuration = world.placed(&configuration.expect("it is shipped"));
        std::fs::create_dir_all(world.path("deploy/redis")).expect("a folder");
        std::fs::write(world.path("deploy/redis/redis.conf"), configuration)
            .expect("it is written");
        world
    }

    /// Adds the files of someone who has datasets already.
    pub(crate) fn add_datasets(&self) {
        for (name, example) in DATASETS {
            let example = self.path("examples").join(example);
            std::fs::copy(example, self.path(name)).expect("an example");
        }
        let more = LINES.replace("april", "june").replace("may", "july").replace("04/", "32/");
        for (name, lines) in [("submissions.ndjson", LINES), ("many.ndjson", &more)] {
            std::fs::write(self.path(name), lines).expect("it is written");
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A text of a page with the places of this world.
    pub(crate) fn placed(&self, text: &str) -> String {
        replaced(text, self.places.iter().map(|(page, own)| (page, own)))
    }

    /// An output as a page shows it.
    pub(crate) fn shown(&self, text: &str) -> String {
        let text = replaced(text, self.places.iter().map(|(page, own)| (own, page)));
        // The operator of the pages is root.
        text.replace(&format!("`{}`", self.user), "`root`")
    }

    /// A shell in which `ferry` is the binary, and which ends with its whole group.
    fn bash(&self) -> Command {
        let mut command = Command::new("bash");
        command.env_clear().current_dir(self.folder.path()).process_group(0);
        command.env("PATH", "/usr/local/bin:/usr/bin:/bin").env("HOME", self.folder.path());
        command.env("FERRY_LISTEN", self.placed("127.0.0.1:8600"));
        command
    }

    /// The program that a page calls `ferry`: a simulator has a port of its own, and fixed processing times.
    fn function(&self) -> String {
        let simulate = self.placed("simulate --listen 127.0.0.1:8700 --processing 500ms");
        let listen = self.placed("webhooks listen --listen 127.0.0.1:8710");
        format!(
            "ferry() {{ case \"$1 $2\" in \"simulate \"*) shift; set -- {simulate} \"$@\";; \
             \"webhooks listen\") shift 2; set -- {listen} \"$@\";; esac; '{FERRY}' \"$@\"; }}\n",
        )
    }

    /// Errors of the commands, shown if one fails.
    fn log(&self) -> PathBuf {
        self.path("stderr.log")
    }

    pub(crate) fn shell(&self) -> Shell {
        let mut command = self.bash();
        let log = File::create(self.log()).expect("a file");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().expect("bash starts");
        let stdin = child.stdin.take().expect("it is piped");
        let stdout = Some(BufReader::new(child.stdout.take().expect("it is piped")));
        let mut shell = Shell {
            stdin,
            stdout,
            log: self.log(),
            _process: Process { bash: child, output: None },
        };
        shell.run(&self.function());
        shell
    }

    /// Starts what runs to the end of the page, in a folder, and waits until it says that it is ready.
    pub(crate) fn start(&self, folder: &str, lines: &str) -> Process {
        let mut command = self.bash();
        command.current_dir(self.path(folder));
        command.args(["-c", &format!("exec 2>&1\n{}{}", self.function(), self.placed(lines))]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("bash starts");
        let mut output = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut process = Process { bash: child, output: None };
        let what = format!("an address of {lines}");
        let mut output = ferry_testing::blocking_within(&what, move || {
            let mut said = String::new();
            while !READY.iter().any(|ready| said.contains(ready)) {
                let count = output.read_line(&mut said).expect("it can be read");
                assert!(count > 0, "it ended: {said}");
            }
            output
        });
        // It may say more, and must not stop for want of a reader.
        let rest = move || drop(std::io::copy(&mut output, &mut std::io::sink()));
        process.output = Some(std::thread::spawn(rest));
        process
    }
}

/// The text with each first replaced by its second, and nothing that was put in replaced once more.
fn replaced<'a>(
    text: &str,
    pairs: impl Iterator<Item = (&'a String, &'a String)> + Clone,
) -> String {
    let mark = |at: usize| format!("\u{1}{at}\u{1}");
    let marked = pairs.clone().enumerate();
    let marked = marked.fold(text.to_owned(), |text, (at, (old, _))| text.replace(old, &mark(at)));
    pairs.enumerate().fold(marked, |text, (at, (_, new))| text.replace(&mark(at), new))
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
pub(crate) struct Process {
    bash: Child,
    /// Reads what they write.
    output: Option<JoinHandle<()>>,
}

impl Drop for Process {
    fn drop(&mut self) {
        // The shell's own `kill`: a small system has no program of that name. The group may have ended.
        let kill = format!("kill -KILL -- -{}", self.bash.id());
        let killed = Command::new("bash").args(["-c", &kill]).stderr(Stdio::null()).status();
        killed.expect("bash runs");
        let _ = self.bash.wait();
        // It ends with the last of them: then their ports are free.
        let _ = self.output.take().map(JoinHandle::join);
    }
}
