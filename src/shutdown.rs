//! The two requests to stop that everything in a process listens to: first gently, then at once.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Running,
    Draining,
    Aborting,
}

/// Asks a process to stop, and lets its parts wait for that. Clones speak of the same process.
#[derive(Debug, Clone)]
pub struct Shutdown {
    phase: Arc<watch::Sender<Phase>>,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self { phase: Arc::new(watch::channel(Phase::Running).0) }
    }
}

impl Shutdown {
    /// Begin nothing new; finish what is running.
    pub fn drain(&self) {
        self.phase.send_if_modified(|phase| raise(phase, Phase::Draining));
    }

    /// Leave what is running.
    pub fn abort(&self) {
        self.phase.send_if_modified(|phase| raise(phase, Phase::Aborting));
    }

    /// Aborts after `timeout` of draining: what is left then would not end.
    pub async fn abort_late(self, timeout: Duration) {
        self.draining().await;
        tokio::time::sleep(timeout).await;
        self.abort();
    }

    /// True if nothing new may begin.
    pub fn is_draining(&self) -> bool {
        *self.phase.borrow() >= Phase::Draining
    }

    /// Ends when nothing new may begin.
    pub async fn draining(&self) {
        self.reached(Phase::Draining).await;
    }

    /// True if what is running is to be left.
    pub fn is_aborting(&self) -> bool {
        *self.phase.borrow() >= Phase::Aborting
    }

    /// Ends when what is running is to be left.
    pub async fn aborting(&self) {
        self.reached(Phase::Aborting).await;
    }

    async fn reached(&self, wanted: Phase) {
        let mut phase = self.phase.subscribe();
        // The sender cannot be gone: `self` holds it.
        let _ = phase.wait_for(|phase| *phase >= wanted).await;
    }
}

fn raise(phase: &mut Phase, to: Phase) -> bool {
    let raised = *phase < to;
    *phase = (*phase).max(to);
    raised
}
