//! The scripts, each in a file of its own, which says what it takes, changes and returns; and how a
//! call of one is put together.

use std::io;
use std::sync::LazyLock;
use std::time::Duration;

use redis::{Arg, Cmd, RedisWrite, ToRedisArgs};

use super::rights;
use ferry_types::domain::account::HealthPolicy;

/// A script, with what all scripts begin with.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) code: String,
    pub(super) hash: String,
    /// True if it may change something. The server lets no other one write.
    pub(super) changes: bool,
}

/// First line of a script that only reads. The server runs it although it accepts no writes, and lets it
/// write nothing.
const READS: &str = "#!lua flags=no-writes\n";

impl Script {
    fn new(first_line: &str, parts: &[&str], code: &str) -> Self {
        let begin = [include_str!("keys.lua"), include_str!("prelude.lua")];
        let code = begin.iter().chain(parts).chain([&code]).copied();
        let code = code.collect::<Vec<_>>().join("\n");
        let changes = first_line != READS;
        let checks = if changes { rights::checked_first(&code) } else { String::new() };
        Self { changes, ..Self::unchecked(&[first_line, &checks, &code].concat()) }
    }

    /// A script without that beginning, for other keys than those of the store.
    pub(super) fn alone(code: &str) -> Self {
        Self::unchecked(&(rights::checked_first(code) + code))
    }

    /// A script as it is.
    pub(super) fn unchecked(code: &str) -> Self {
        let code = code.to_owned();
        let hash = redis::Script::new(&code).get_hash().to_owned();
        Self { code, hash, changes: false }
    }

    /// True if it says that it only reads.
    pub(super) fn reads(&self) -> bool {
        self.code.starts_with(READS)
    }

    /// The same call with the whole script.
    pub(super) fn introduced_by(&self, cmd: &Cmd) -> Cmd {
        let mut whole = redis::cmd("EVAL");
        whole.arg(&self.code);
        for arg in cmd.args_iter().skip(2) {
            if let Arg::Simple(arg) = arg {
                whole.arg(arg);
            }
        }
        whole
    }

    /// The same for a script that only reads.
    pub(super) fn alone_reading(code: &str) -> Self {
        Self::unchecked(&[READS, code].concat())
    }
}

/// First line of a script that writes.
const WRITES: &str = "";

/// Common parts of scripts, beside the beginning of all. Each call of a script creates its functions
/// again, so that it has no more of them than it needs.
const RECORD: &str = include_str!("record.lua");
const SUBMISSION: &str = include_str!("submission.lua");
const SHOW: &str = include_str!("show.lua");
const HEALTH: &str = include_str!("health.lua");
const LIMITS: &str = include_str!("limits.lua");

macro_rules! scripts {
    ($($name:ident $first_line:ident $file:literal [$($part:ident)*])+) => {
        /// All scripts.
        #[derive(Debug)]
        pub(super) struct Scripts {
            $(pub(super) $name: Script,)+
        }

        impl Scripts {
            /// The scripts. Their digests are computed once in a process.
            pub(super) fn all() -> &'static Self {
                static ALL: LazyLock<Scripts> = LazyLock::new(|| Scripts {
                    $($name: Script::new($first_line, &[$($part),*], include_str!($file)),)+
                });
                &ALL
            }
        }
    };
}

scripts! {
    accept WRITES "accept.lua" [RECORD SUBMISSION]
    beat WRITES "beat.lua" []
    clock WRITES "clock.lua" [RECORD SUBMISSION]
    claim WRITES "claim.lua" [RECORD HEALTH LIMITS]
    commit WRITES "commit.lua" [RECORD SUBMISSION HEALTH]
    drop WRITES "drop.lua" [RECORD SUBMISSION]
    events READS "events.lua" []
    expired WRITES "expired.lua" [RECORD SUBMISSION]
    inspect READS "inspect.lua" [RECORD]
    list READS "list.lua" [RECORD SUBMISSION SHOW]
    migrate WRITES "migrate.lua" [RECORD SUBMISSION]
    pause WRITES "pause.lua" [HEALTH]
    processes READS "processes.lua" []
    read READS "read.lua" [RECORD SUBMISSION SHOW]
    renew WRITES "renew.lua" [RECORD]
    resume WRITES "resume.lua" [RECORD SUBMISSION HEALTH]
    save WRITES "save.lua" [RECORD SUBMISSION]
    stats READS "stats.lua" []
    stray WRITES "stray.lua" [RECORD SUBMISSION]
    sweep WRITES "sweep.lua" [RECORD SUBMISSION]
    time READS "time.lua" []
}

/// A call of a script under construction: what the script reads as its arguments, in their order.
#[derive(Debug, Clone)]
pub(super) struct ScriptCall {
    cmd: Cmd,
    /// The arguments of a script with the common beginning, which takes them apart.
    packed: Option<PackedArgs>,
}

impl ScriptCall {
    /// A call within a namespace; `now` is what `prelude.lua` takes for the time.
    pub(super) fn new(script: &Script, base: &str, now: &str) -> Self {
        let mut cmd = redis::cmd("EVALSHA");
        cmd.arg(&script.hash).arg(1).arg(base);
        cmd.arg(now);
        Self { cmd, packed: Some(PackedArgs::default()) }
    }

    /// A call of a script that stands alone.
    pub(super) fn on(script: &Script, keys: &[String]) -> Self {
        let mut cmd = redis::cmd("EVALSHA");
        cmd.arg(&script.hash).arg(keys.len()).arg(keys);
        Self { cmd, packed: None }
    }

    pub(super) fn arg(mut self, value: impl ToRedisArgs) -> Self {
        match &mut self.packed {
            Some(packed) => value.write_redis_args(packed),
            None => {
                self.cmd.arg(value);
            }
        }
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

    pub(super) fn duration(self, duration: Duration) -> Self {
        self.arg(duration_millis(duration))
    }

    pub(super) fn policy(self, policy: &HealthPolicy) -> Self {
        self.arg(policy.breaker_failures)
            .duration(policy.breaker_initial)
            .duration(policy.breaker_open_max)
            .duration(policy.ramp_step)
    }

    /// A value that is packed already, for a script with the common beginning.
    pub(super) fn packed(mut self, value: &[u8]) -> Self {
        if let Some(packed) = &mut self.packed {
            packed.count += 1;
            packed.values.extend_from_slice(value);
        }
        self
    }

    /// Adds the number of items, and each.
    pub(super) fn each<T>(self, items: &[T], add: impl Fn(Self, &T) -> Self) -> Self {
        items.iter().fold(self.arg(items.len()), add)
    }

    /// Size of its arguments.
    pub(super) fn bytes(&self) -> usize {
        self.packed.as_ref().map_or(0, |packed| packed.values.len())
    }

    pub(super) fn into_cmd(mut self) -> Cmd {
        if let Some(packed) = self.packed {
            self.cmd.arg(packed.into_array());
        }
        self.cmd
    }
}

/// An array of values, most of them texts, in `MessagePack`.
#[derive(Debug, Clone, Default)]
pub(super) struct PackedArgs {
    count: u32,
    values: Vec<u8>,
}

impl PackedArgs {
    pub(super) fn text(mut self, text: impl AsRef<[u8]>) -> Self {
        self.write_arg(text.as_ref());
        self
    }

    pub(super) fn flag(mut self, value: bool) -> Self {
        self.count += 1;
        rmp::encode::write_bool(&mut self.values, value).expect("memory takes anything");
        self
    }

    pub(super) fn number(mut self, number: i64) -> Self {
        self.count += 1;
        rmp::encode::write_sint(&mut self.values, number).expect("memory takes anything");
        self
    }

    /// `false` for none.
    pub(super) fn maybe<T>(self, value: Option<T>, add: impl Fn(Self, T) -> Self) -> Self {
        match value {
            Some(value) => add(self, value),
            None => self.flag(false),
        }
    }

    /// An array within this one.
    pub(super) fn array(mut self, array: Self) -> Self {
        self.count += 1;
        self.values.extend_from_slice(&array.into_array());
        self
    }

    pub(super) fn into_array(self) -> Vec<u8> {
        let mut array = Vec::with_capacity(self.values.len() + 5);
        rmp::encode::write_array_len(&mut array, self.count).expect("memory takes anything");
        array.extend_from_slice(&self.values);
        array
    }
}

impl RedisWrite for PackedArgs {
    fn write_arg(&mut self, arg: &[u8]) {
        self.count += 1;
        let size = u32::try_from(arg.len()).expect("datasets and results are much smaller");
        rmp::encode::write_str_len(&mut self.values, size).expect("memory takes anything");
        self.values.extend_from_slice(arg);
    }

    fn writer_for_next_arg(&mut self) -> impl io::Write + '_ {
        NextString { packed: self, text: Vec::new() }
    }
}

/// A text of which the size is known when all of it is written.
struct NextString<'a> {
    packed: &'a mut PackedArgs,
    text: Vec<u8>,
}

impl io::Write for NextString<'_> {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        self.text.write(part)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for NextString<'_> {
    fn drop(&mut self) {
        self.packed.write_arg(&self.text);
    }
}

/// The last millisecond that Ferry can express; scripts count exactly up to there.
const FOREVER: u64 = 8_210_266_876_799_999;

/// Milliseconds of a duration; those beyond what Ferry can express are for ever.
pub(super) fn duration_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(FOREVER).min(FOREVER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ferry_types::domain::Timestamp;
    use ferry_types::domain::account::UNREADABLE_HEALTH;
    use ferry_types::domain::submission::{State, StepKind};

    /// A table of Lua with these texts.
    fn list(texts: impl IntoIterator<Item = &'static str>) -> String {
        texts.into_iter().map(|text| format!("'{text}'")).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn scripts_repeat_the_values_of_the_rules_as_they_are() {
        assert_eq!(Timestamp::MAX_UTC.timestamp_millis().unsigned_abs(), FOREVER);
        let kinds = || StepKind::PLATFORM_KINDS.into_iter().map(StepKind::as_str);
        let is_final = State::ALL.into_iter().filter(|state| state.is_final());
        let is_final: Vec<_> = is_final.map(|state| format!("{state} = true")).collect();
        for (script, repeated) in [
            (include_str!("prelude.lua"), format!("FOREVER = {FOREVER}")),
            (include_str!("submission.lua"), format!("FINAL = {{ {} }}", is_final.join(", "))),
            (
                include_str!("stray.lua"),
                format!("STATES = {{\n    {},\n}}", list(State::ALL.map(State::as_str))),
            ),
            (include_str!("claim.lua"), format!("ASKING = {{ {} }}", list(kinds()))),
            (include_str!("health.lua"), format!("TURNS = {{ {} }}", list(kinds().chain(kinds())))),
            (include_str!("health.lua"), format!("UNREADABLE = \"{UNREADABLE_HEALTH}\"")),
        ] {
            assert!(script.contains(&repeated), "{repeated}");
        }
    }

    #[test]
    fn every_command_of_a_script_that_writes_is_checked_first() {
        let Scripts { accept, beat, clock, claim, commit, drop, expired, migrate, pause, .. } =
            Scripts::all();
        let Scripts { renew, resume, save, stray, sweep, .. } = Scripts::all();
        let alone = [
            include_str!("acknowledge.lua"),
            include_str!("pushed/peek.lua"),
            include_str!("pushed/add_dead_letters.lua"),
            include_str!("pushed/remove.lua"),
            include_str!("pushed/requeue.lua"),
        ]
        .map(Script::alone);
        let scripts = [accept, clock, claim, commit, drop, expired, migrate, pause, renew, resume];
        for script in scripts.into_iter().chain([beat, save, stray, sweep]).chain(&alone) {
            let (checks, code) = script.code.split_once("redis.error_reply('NORIGHTS").unwrap();
            let called = code.split("call('").chain(code.split("call_with('")).skip(1);
            for command in called.filter_map(|rest| rest.split_once('\'')).map(|(name, _)| name) {
                let is_command =
                    !command.is_empty() && command.bytes().all(|byte| byte.is_ascii_uppercase());
                if is_command && command != "PUBLISH" {
                    assert!(checks.contains(&format!("may('{command}'")), "{command}\n{checks}");
                }
            }
        }
    }
}
