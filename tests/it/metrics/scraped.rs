//! Processes of Ferry that show their metrics.

use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::prometheus::get;
use crate::support::{World, pause};

/// Longer than anything takes on a busy machine.
pub(super) const CLIENT_TIMEOUT: Duration = Duration::from_mins(3);

/// A process of Ferry that is scraped; ended when dropped.
pub(super) struct Scraped {
    process: Child,
    pub(super) address: String,
}

impl Scraped {
    /// Starts it on the world's store, with settings of its own and the world's `ferry.toml` if there is one.
    pub(super) async fn start(
        world: &World,
        name: &str,
        args: &[&str],
        settings: &[(&str, &str)],
    ) -> Self {
        let folder = world.folder.path();
        let log = folder.join(format!("{name}.log"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_ferry"));
        command.args(args).env_clear().envs(&world.env);
        let config = folder.join("ferry.toml");
        if config.exists() {
            command.arg("--config").arg(config);
        }
        let listens = [("METRICS_LISTEN", "127.0.0.1:0"), ("LISTEN", "127.0.0.1:0")];
        for (setting, value) in listens.iter().chain(settings) {
            command.env(format!("FERRY_{setting}"), value);
        }
        command.stdin(Stdio::null()).stderr(std::fs::File::create(&log).unwrap());
        let process = command.spawn().unwrap();
        let mut scraped = Self { process, address: String::new() };
        let log_text = || std::fs::read_to_string(&log).unwrap_or_default();
        until(log_text, || {
            let text = log_text();
            let line = text.split_once("http://").and_then(|(_, rest)| rest.split_once('\n'));
            let is_part = |c: &char| c.is_ascii_digit() || ".:".contains(*c);
            let address = line.map(|(line, _)| line.chars().take_while(is_part).collect());
            scraped.address = address.unwrap_or_default();
            !scraped.address.is_empty()
        })
        .await;
        scraped
    }

    /// Returns its metrics as they are now.
    pub(super) fn scrape(&self) -> String {
        get(&self.address, "/metrics").expect("it is up").1
    }

    /// The sum of the series whose names and labels begin and contain so.
    pub(super) fn sum(&self, metric: &str, label: &str) -> f64 {
        let scrape = self.scrape();
        let of_metric = scrape.lines().filter(|line| line.starts_with(metric));
        let values = of_metric.filter(|line| line.contains(label));
        values.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    /// Asks it to stop, and waits until it has.
    pub(super) fn terminate(mut self) -> ExitStatus {
        // The shell's own `kill`: there is one wherever there is a shell.
        let kill = format!("kill -TERM {}", self.process.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        ferry_testing::end_of("the end of a worker after SIGTERM", &mut self.process)
    }
}

impl Drop for Scraped {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Waits for a condition.
pub(super) async fn until(what: impl Fn() -> String, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < CLIENT_TIMEOUT, "in vain: {}", what());
        pause().await;
    }
}
