//! Lets an idle worker sleep until a step is due, without asking in between.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::Poll;

use tokio::sync::Notify;

use ferry_types::domain::Timestamp;
use ferry_types::domain::submission::StepKind;

/// One place to sleep for each kind of step, with one sleeper each.
#[derive(Debug, Default)]
pub struct Wakeups {
    kinds: [Sleeper; StepKind::ALL.len()],
}

#[derive(Debug)]
struct Sleeper {
    notify: Notify,
    /// A step due before this, in milliseconds since the epoch, is a reason to wake up.
    until: AtomicI64,
}

impl Default for Sleeper {
    fn default() -> Self {
        Self { notify: Notify::new(), until: AtomicI64::new(i64::MAX) }
    }
}

impl Wakeups {
    /// Says that a step of this kind will be due at `due`.
    pub fn scheduled(&self, kind: StepKind, due: Timestamp) {
        let sleeper = &self.kinds[kind as usize];
        if due.timestamp_millis() < sleeper.until.load(Ordering::SeqCst) {
            sleeper.notify.notify_one();
        }
    }

    /// Says that anything may have changed.
    pub fn all(&self) {
        for sleeper in &self.kinds {
            sleeper.notify.notify_one();
        }
    }

    /// To be called before a claim: from here on, any step that is scheduled ends the next sleep.
    pub fn watch(&self, kind: StepKind) {
        self.kinds[kind as usize].until.store(i64::MAX, Ordering::SeqCst);
    }

    /// Sleeps until `timer` ends, which is at `until` by the store's clock, or until something becomes
    /// due before. Nothing that was scheduled since [`Wakeups::watch`] is missed, if `until` is what a
    /// claim since then returned.
    pub async fn sleep(&self, kind: StepKind, timer: impl Future<Output = ()>, until: Timestamp) {
        let sleeper = &self.kinds[kind as usize];
        sleeper.until.store(until.timestamp_millis(), Ordering::SeqCst);
        let (mut notified, mut timer) = (pin!(sleeper.notify.notified()), pin!(timer));
        // An elapsed timer is as good a reason to look again as a notification.
        poll_fn(|cx| match notified.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => timer.as_mut().poll(cx),
        })
        .await;
    }
}
