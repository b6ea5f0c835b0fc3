//! Worker processes.

use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};

use crate::support::World;

/// A `ferry worker` process, killed when dropped.
pub(crate) struct Worker(Child);

impl Worker {
    pub(crate) fn start(world: &World, changes: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ferry"));
        command.arg("worker").env_clear().envs(&world.env);
        command.envs(changes.iter().map(|(name, value)| (format!("FERRY_{name}"), *value)));
        let log = std::fs::File::options().create(true).append(true).open(log(world));
        let log = log.expect("the folder of the store can be written to");
        Self(command.stdin(Stdio::null()).stderr(log).spawn().expect("the binary was built"))
    }

    /// The most memory that it held so far.
    #[cfg(target_os = "linux")]
    pub(crate) fn peak_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }

    pub(crate) fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) fn terminate(mut self) -> ExitStatus {
        // The shell's own `kill`: there is one wherever there is a shell.
        let id = self.0.id();
        let status = Command::new("sh").args(["-c", &format!("kill -TERM {id}")]).status().unwrap();
        assert!(status.success());
        self.0.wait().unwrap()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Where the workers of a world write their log lines.
fn log(world: &World) -> PathBuf {
    world.folder.path().join("workers.log")
}
