//! Waiting for a condition, with an end that says what was awaited.

use std::process::{Child, ExitStatus};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Longer than anything takes on a busy machine; a test that waits so long has failed.
const LIMIT: Duration = Duration::from_mins(2);

/// Time between two looks at a condition.
const PAUSE: Duration = Duration::from_millis(10);

/// Waits between two looks at a condition.
pub async fn pause() {
    tokio::time::sleep(PAUSE).await;
}

/// Waits until `condition` holds, and panics with `what` if it never does.
pub async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let wait = Wait::begin(what);
    while !condition().await {
        wait.pause().await;
    }
}

/// Waits for the end of `future`, and panics with `what` if it never comes.
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    let ended = tokio::time::timeout(LIMIT, future).await;
    ended.unwrap_or_else(|_| panic!("waited {LIMIT:?} in vain: {what}"))
}

/// The wait of a loop that does more than look at a condition.
#[derive(Debug)]
pub struct Wait {
    what: String,
    started: Instant,
    limit: Duration,
}

impl Wait {
    /// Begins to wait for `what`.
    pub fn begin(what: impl Into<String>) -> Self {
        Self { what: what.into(), started: Instant::now(), limit: LIMIT }
    }

    /// Sets another limit, for long runs by hand.
    #[must_use]
    pub fn at_most(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// Waits for a moment, and panics if that has been long enough.
    pub async fn pause(&self) {
        self.check();
        pause().await;
    }

    /// The same, without a runtime.
    pub fn pause_blocking(&self) {
        self.check();
        std::thread::sleep(PAUSE);
    }

    /// The same, and the panic says what `state` returns.
    pub async fn pause_or(&self, state: impl FnOnce() -> String) {
        self.check_or(state);
        pause().await;
    }

    /// The same, without a runtime.
    pub fn pause_blocking_or(&self, state: impl FnOnce() -> String) {
        self.check_or(state);
        std::thread::sleep(PAUSE);
    }

    fn check_or(&self, state: impl FnOnce() -> String) {
        let Self { what, started, limit } = self;
        assert!(started.elapsed() < *limit, "waited {limit:?} in vain: {what}; still {}", state());
    }

    /// Panics if the wait has been long enough.
    pub fn check(&self) {
        let Self { what, started, limit } = self;
        assert!(started.elapsed() < *limit, "waited {limit:?} in vain: {what}");
    }
}

/// Waits for the end of a process, and panics with `what` if it never comes.
pub fn end_of(what: &str, child: &mut Child) -> ExitStatus {
    let wait = Wait::begin(what);
    loop {
        if let Some(status) = child.try_wait().expect("it is a process of this one") {
            return status;
        }
        wait.pause_blocking();
    }
}

/// Waits for work that blocks, on a thread of its own, and panics with `what` if it never ends.
pub fn blocking_within<T: Send + 'static>(
    what: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    let (done, result) = mpsc::channel();
    std::thread::spawn(move || {
        // After the limit the receiver is gone.
        let _ = done.send(work());
    });
    let result = result.recv_timeout(LIMIT);
    result.unwrap_or_else(|_| panic!("waited {LIMIT:?} in vain, or it panicked: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "waited 0ns in vain: a second coming")]
    fn a_wait_in_vain_ends_and_names_what_was_awaited() {
        Wait::begin("a second coming").at_most(Duration::ZERO).check();
    }
}
