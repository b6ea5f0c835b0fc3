//! The scripts, each in a file of its own, which says what it takes, changes and answers; and how a
//! call of one is put together.

use std::time::Duration;

use redis::{Cmd, ToRedisArgs};

use crate::domain::account::HealthPolicy;

/// A script, with what all scripts begin with.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) code: String,
    pub(super) hash: String,
}

impl Script {
    fn new(code: &str) -> Self {
        let parts = [
            include_str!("keys.lua"),
            include_str!("prelude.lua"),
            include_str!("health.lua"),
            include_str!("budget.lua"),
            code,
        ];
        Self::alone(&parts.join("\n"))
    }

    /// A script without that beginning, for other keys than those of the store.
    pub(super) fn alone(code: &str) -> Self {
        let code = code.to_owned();
        let hash = redis::Script::new(&code).get_hash().to_owned();
        Self { code, hash }
    }
}

macro_rules! scripts {
    ($($name:ident $file:literal)+) => {
        /// All scripts.
        #[derive(Debug)]
        pub(super) struct Scripts {
            $(pub(super) $name: Script,)+
        }

        impl Scripts {
            pub(super) fn new() -> Self {
                Self { $($name: Script::new(include_str!($file)),)+ }
            }
        }
    };
}

scripts! {
    accept "accept.lua"
    cancel "cancel.lua"
    claim "claim.lua"
    commit "commit.lua"
    events "events.lua"
    list "list.lua"
    notify "notify.lua"
    pause "pause.lua"
    read "read.lua"
    release "release.lua"
    renew "renew.lua"
    rescue "rescue.lua"
    resolve "resolve.lua"
    resume "resume.lua"
    retry "retry.lua"
    stats "stats.lua"
    story "story.lua"
    sweep "sweep.lua"
}

/// A call of a script under construction: what the script reads as its arguments, in their order.
#[derive(Debug, Clone)]
pub(super) struct Call(Cmd);

impl Call {
    /// A call within a namespace; without `now`, the server's own time counts.
    pub(super) fn new(script: &Script, base: &str, now: Option<i64>) -> Self {
        let mut cmd = redis::cmd("EVALSHA");
        cmd.arg(&script.hash).arg(1).arg(base);
        let call = Self(cmd);
        match now {
            Some(now) => call.arg(now),
            None => call.arg(""),
        }
    }

    /// A call of a script that stands alone.
    pub(super) fn on(script: &Script, keys: &[String]) -> Self {
        let mut cmd = redis::cmd("EVALSHA");
        cmd.arg(&script.hash).arg(keys.len()).arg(keys);
        Self(cmd)
    }

    pub(super) fn arg(mut self, value: impl ToRedisArgs) -> Self {
        self.0.arg(value);
        self
    }

    /// Empty for none.
    pub(super) fn maybe(self, value: Option<impl ToRedisArgs>) -> Self {
        match value {
            Some(value) => self.arg(value),
            None => self.arg(""),
        }
    }

    pub(super) fn flag(self, value: bool) -> Self {
        self.arg(u8::from(value))
    }

    pub(super) fn span(self, span: Duration) -> Self {
        self.arg(span_millis(span))
    }

    pub(super) fn policy(self, policy: &HealthPolicy) -> Self {
        self.arg(policy.breaker_failures)
            .span(policy.breaker_initial)
            .span(policy.breaker_max)
            .span(policy.ramp_step)
    }

    /// How many there are, and each.
    pub(super) fn each<T>(self, items: &[T], add: impl Fn(Self, &T) -> Self) -> Self {
        items.iter().fold(self.arg(items.len()), add)
    }

    pub(super) fn into_cmd(self) -> Cmd {
        self.0
    }
}

/// The last millisecond that Ferry can express; scripts count exactly up to there.
const FOREVER: u64 = 8_210_266_876_799_999;

/// Milliseconds of a span; those beyond what Ferry can express are for ever.
pub(super) fn span_millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(FOREVER).min(FOREVER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Timestamp;

    #[test]
    fn scripts_know_the_end_of_time() {
        assert_eq!(Timestamp::MAX_UTC.timestamp_millis().unsigned_abs(), FOREVER);
        assert!(include_str!("prelude.lua").contains(&format!("FOREVER = {FOREVER}")));
    }
}
