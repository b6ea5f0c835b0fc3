//! A `redis-server` for the time of a measurement.

use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};

/// A server that ends with this.
#[derive(Debug)]
pub(crate) struct Server {
    process: Child,
    port: u16,
    _dir: tempfile::TempDir,
}

impl Server {
    /// Starts it; it does not respond at once.
    pub(crate) fn start() -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "yes"]);
        command.args(["--auto-aof-rewrite-min-size", "64gb"]);
        command.args(["--port", &port.to_string()]).arg("--dir").arg(dir.path());
        let process = command.stdout(Stdio::null()).spawn();
        let process =
            process.context("this needs `redis-server`: `apt-get install redis-server`")?;
        Ok(Self { process, port, _dir: dir })
    }

    /// Its URL.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
