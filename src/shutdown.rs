//! The two requests to stop that everything in a process listens to: first gently, then at once.

use std::sync::Arc;

use tokio::sync::watch;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Running,
    Draining,
    Aborting,
}

/// Asks a process to stop, and lets its parts wait for that. Clones speak of the same process.
#[derive(Debug, Clone)]
pub struct Shutdown {
    stage: Arc<watch::Sender<Stage>>,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self { stage: Arc::new(watch::channel(Stage::Running).0) }
    }
}

impl Shutdown {
    /// Begin nothing new; finish what is under way.
    pub fn drain(&self) {
        self.stage.send_if_modified(|stage| raise(stage, Stage::Draining));
    }

    /// Leave what is under way.
    pub fn abort(&self) {
        self.stage.send_if_modified(|stage| raise(stage, Stage::Aborting));
    }

    /// Whether nothing new may begin.
    pub fn is_draining(&self) -> bool {
        *self.stage.borrow() >= Stage::Draining
    }

    /// Ends when nothing new may begin.
    pub async fn draining(&self) {
        self.reached(Stage::Draining).await;
    }

    /// Ends when what is under way is to be left.
    pub async fn aborting(&self) {
        self.reached(Stage::Aborting).await;
    }

    async fn reached(&self, wanted: Stage) {
        let mut stage = self.stage.subscribe();
        // The sender cannot be gone: `self` holds it.
        let _ = stage.wait_for(|stage| *stage >= wanted).await;
    }
}

fn raise(stage: &mut Stage, to: Stage) -> bool {
    let raised = *stage < to;
    *stage = (*stage).max(to);
    raised
}
