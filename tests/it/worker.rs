//! Worker processes.

use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};

use crate::support::World;
use ferry_testing::end_of;

/// A `ferry worker` process, killed when dropped.
pub(crate) struct Worker(Child);

impl Worker {
    pub(crate) fn start(world: &World, changes: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ferry"));
        command.arg("worker").env_clear().envs(&world.env);
        command.envs(changes.iter().map(|(name, value)| (format!("FERRY_{name}"), *value)));
        Self::spawn(world, command)
    }

    /// A command that may open so many files.
    pub(crate) fn limited(world: &World, files: u32, arguments: &[&str]) -> Self {
        let mut command = Command::new("sh");
        let limited = format!("ulimit -n {files} && exec \"$0\" \"$@\"");
        command.args(["-c", &limited, env!("CARGO_BIN_EXE_ferry")]).args(arguments);
        command.env_clear().envs(&world.env);
        Self::spawn(world, command)
    }

    fn spawn(world: &World, mut command: Command) -> Self {
        let log = std::fs::File::options().create(true).append(true).open(log(world));
        let log = log.expect("the folder of the store can be written to");
        Self(command.stdin(Stdio::null()).stderr(log).spawn().expect("the binary was built"))
    }

    /// Allows it so many open files from now on; what it has open stays open.
    #[cfg(target_os = "linux")]
    pub(crate) fn allow_files(&self, files: u32) {
        let limit = format!("--nofile={files}:");
        let pid = self.0.id().to_string();
        assert!(Command::new("prlimit").args(["--pid", &pid, &limit]).status().unwrap().success());
    }

    /// Peak of its memory so far, in KiB.
    #[cfg(target_os = "linux")]
    pub(crate) fn peak_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }

    pub(crate) fn kill(mut self) {
        self.0.kill().unwrap();
        end_of("the end of a killed worker", &mut self.0);
    }

    /// Stops it in the middle of anything, as a suspended machine does.
    pub(crate) fn suspend(&self) {
        self.signal("STOP");
    }

    pub(crate) fn resume(&self) {
        self.signal("CONT");
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) fn terminate(mut self) -> ExitStatus {
        self.signal("TERM");
        end_of("the end of a worker after SIGTERM", &mut self.0)
    }

    fn signal(&self, name: &str) {
        // The shell's own `kill`: there is one wherever there is a shell.
        let kill = format!("kill -{name} {}", self.0.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Log file of the workers of a world.
fn log(world: &World) -> PathBuf {
    world.folder.path().join("workers.log")
}
