//! Checks that the server loses no data.

use redis::Value;

use super::connection::RedisConnection;
use super::error::RedisError;
use super::missing_rights;
use super::values::text;
use crate::{CheckResult, StoreError, UnwritableReason};

/// The oldest version that has all that the scripts use.
const OLDEST: Version = (7, 0, 0);

/// Major, minor and patch number of a server.
type Version = (u32, u32, u32);

/// Writes that scripts make, one for each kind of key, as arguments around the key.
const WRITES: [(&str, &[&str]); 5] = [
    ("SET", &["value"]),
    ("HSET", &["field", "value"]),
    ("ZADD", &["0", "member"]),
    ("RPUSH", &["value"]),
    ("DEL", &[]),
];

/// Share of `maxmemory`, in percent, from which the server counts as almost full.
const ALMOST_FULL: u64 = 90;

/// `replicated` says whether what must not be lost waits for a replica.
pub(super) async fn check(
    link: &RedisConnection,
    replicated: bool,
) -> Result<Vec<CheckResult>, RedisError> {
    let missing = missing_rights::check_all(link).await?;
    if !missing.is_empty() {
        // Without them other checks fail, or pass for the wrong reason.
        return Ok(missing);
    }
    let mut info = redis::cmd("INFO");
    info.arg("server").arg("replication").arg("persistence").arg("memory");
    let info = Info(text(link.command(info).await?)?);
    let fsync = setting(link, "appendfsync").await?;
    let mut findings = findings(&info, fsync.as_deref(), replicated);
    findings.extend(types(link).await?);
    if info.get("aof_enabled") == Some("1") {
        findings.push(replayed(&info, link).await);
    }
    Ok(findings)
}

/// Writes a key that nothing reads, and removes it.
pub(super) async fn write(link: &RedisConnection) -> Result<(), RedisError> {
    let key = format!("{}check", link.base());
    let mut set = redis::cmd("SET");
    // It removes itself if this process ends in between.
    set.arg(&key).arg("value").arg("EX").arg(60);
    link.command(set).await?;
    let mut del = redis::cmd("DEL");
    del.arg(&key);
    link.command(del).await.map(drop)
}

/// The same. A server that responds to a read, and not to this, pauses writes.
pub(super) async fn probe_write(link: &RedisConnection, location: &str) -> Result<(), StoreError> {
    let Err(error) = write(link).await else { return Ok(()) };
    let mut read = redis::cmd("EXISTS");
    read.arg(format!("{}check", link.base()));
    if !error.got_no_response() || link.command(read).await.is_err() {
        return Err(error.with_location(location));
    }
    let cause = "it responds to reads, and to no write in time".to_owned();
    let (location, reason) = (location.to_owned(), UnwritableReason::Paused);
    Err(StoreError::NotWritable { location, reason, cause })
}

/// Results of the checks that need `INFO` alone, and the setting `appendfsync` where it is known.
pub(super) fn findings(info: &Info, fsync: Option<&str>, replicated: bool) -> Vec<CheckResult> {
    let mut findings = vec![
        version(info),
        role(info),
        append_only(info),
        synced(info, fsync),
        eviction(info),
        replicas(info, replicated),
    ];
    findings.extend(memory(info));
    findings
}

/// Response to `INFO`, `name:value` by line.
pub(super) struct Info(pub(super) String);

impl Info {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let value = |line: &'_ str| Some(line.strip_prefix(name)?.strip_prefix(':')?.len());
        let line = self.0.lines().find(|line| value(line).is_some())?;
        line.split_once(':').map(|(_, value)| value.trim())
    }
}

/// A setting of the server; none where its users may not read it.
async fn setting(link: &RedisConnection, name: &str) -> Result<Option<String>, RedisError> {
    let mut config = redis::cmd("CONFIG");
    config.arg("GET").arg(name);
    let value = match link.command(config).await {
        Ok(Value::Array(mut items)) => items.pop(),
        Ok(Value::Map(mut items)) => items.pop().map(|(_, value)| value),
        Err(error) if error.got_no_response() => return Err(error),
        // Hosted servers, and users without the right, have no `CONFIG`.
        Ok(_) | Err(_) => None,
    };
    value.map(text).transpose()
}

fn finding(ok: bool, text: String, hint: &str) -> CheckResult {
    CheckResult { ok, text, hint: (!ok).then(|| hint.to_owned()) }
}

/// Name of the server and its version, as `INFO` has them. Valkey also claims to be a Redis.
fn server(info: &Info) -> (&'static str, &str) {
    match info.get("valkey_version") {
        Some(version) => ("Valkey", version),
        None => ("Redis", info.get("redis_version").unwrap_or("of unknown version")),
    }
}

fn numbers(version: &str) -> Version {
    let mut numbers = version.split('.').map(|number| number.parse().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    (next(), next(), next())
}

fn version(info: &Info) -> CheckResult {
    let (server, version) = server(info);
    let known = numbers(version);
    // Scripts write times as integers of the machine's own width.
    let narrow = info.get("arch_bits") == Some("32");
    finding(
        known >= OLDEST && !narrow,
        format!(
            "the server is {server} {version}{}",
            if narrow { ", built for 32 bits" } else { "" }
        ),
        "use Redis 7.0 or newer, or Valkey, built for 64 bits",
    )
}

fn role(info: &Info) -> CheckResult {
    let role = info.get("role").unwrap_or("unknown");
    finding(
        role == "master",
        format!("the server's role is {role}"),
        "point `store` at the master: a replica accepts no writes",
    )
}

fn append_only(info: &Info) -> CheckResult {
    let on = info.get("aof_enabled") == Some("1");
    let text = if on {
        "the server appends every change to a file"
    } else {
        "the server appends nothing to a file: when it ends, accepted submissions are lost"
    };
    finding(on, text.to_owned(), "set `appendonly yes` in the server's configuration")
}

fn synced(info: &Info, fsync: Option<&str>) -> CheckResult {
    let failed = info.get("aof_last_write_status").is_some_and(|status| status != "ok");
    if failed {
        let text = "the server could not write to its file".to_owned();
        return finding(false, text, "look at the server's log and its disk");
    }
    match fsync {
        Some("always") => finding(
            true,
            "every change is synced to the disk before the server responds".to_owned(),
            "",
        ),
        Some("everysec") => finding(
            true,
            "changes are synced to the disk every second: a power cut may lose the last one"
                .to_owned(),
            "",
        ),
        Some(other) => finding(
            false,
            format!("the server leaves it to the system when changes are synced (`{other}`)"),
            "set `appendfsync everysec`, or `always`, in the server's configuration",
        ),
        None => finding(
            true,
            "the server does not reveal when changes are synced to the disk".to_owned(),
            "",
        ),
    }
}

fn replicas(info: &Info, replicated: bool) -> CheckResult {
    let count: u64 = info.get("connected_slaves").and_then(|n| n.parse().ok()).unwrap_or(0);
    let text = match (count, replicated) {
        (0, true) => "the server has no replica, and accepts no writes without one",
        (0, false) => "the server has no replica",
        (_, true) => "what is accepted, and uploads that begin, wait for a replica",
        (_, false) => {
            "replicas follow a moment behind: with `durability = \"replicated\"` a failover loses \
             nothing"
        }
    };
    finding(
        count > 0 || !replicated,
        text.to_owned(),
        "start a replica, or set another `durability`",
    )
}

fn eviction(info: &Info) -> CheckResult {
    let policy = info.get("maxmemory_policy").unwrap_or("unknown");
    let limited = info.get("maxmemory").is_some_and(|bytes| bytes != "0");
    finding(
        policy == "noeviction",
        if limited && policy != "noeviction" {
            format!("when its memory is full, the server drops submissions (`{policy}`)")
        } else {
            format!("the server's policy for a full memory is `{policy}`")
        },
        "set `maxmemory-policy noeviction` in the server's configuration",
    )
}

/// Reports memory that is almost full, while the server still accepts submissions.
fn memory(info: &Info) -> Option<CheckResult> {
    let bytes = |name| info.get(name)?.parse::<u64>().ok();
    let limit = bytes("maxmemory").filter(|limit| *limit > 0)?;
    let is_full = bytes("used_memory")?.saturating_mul(100) / limit >= ALMOST_FULL;
    let text = format!("the server's memory is more than {ALMOST_FULL} % full");
    is_full.then(|| finding(false, text, "raise `maxmemory`, or lower Ferry's `retention`"))
}

/// Types of the keys that all submissions share, as the server calls them.
const TYPES: [(&str, &str); 10] = [
    ("all", "zset"),
    ("finished", "zset"),
    ("leases", "zset"),
    ("accounts", "zset"),
    ("events", "list"),
    ("health", "hash"),
    ("leased", "hash"),
    ("turns", "hash"),
    ("limit_usage", "hash"),
    ("waiting:upload", "zset"),
];

/// Reports keys that hold another type of value: every script reads them as empty.
async fn types(link: &RedisConnection) -> Result<Vec<CheckResult>, RedisError> {
    let mut findings = Vec::new();
    for (name, expected) in TYPES {
        let key = format!("{}{name}", link.base());
        let mut cmd = redis::cmd("TYPE");
        cmd.arg(&key);
        let found = text(link.command(cmd).await?)?;
        if found != expected && found != "none" {
            let text =
                format!("the key `{key}` is damaged: it is a {found} instead of a {expected}");
            let hint = "restore a backup; without one, remove the key with `redis-cli DEL`";
            findings.push(finding(false, text, hint));
        }
    }
    Ok(findings)
}

/// Checks that the server replays its append-only file completely when it starts.
///
/// A script's effects are one transaction there. Replaying runs as the user `default`, and older
/// servers check its permissions for each command of a transaction: what `default` may not run is
/// dropped without an error. `ACL DRYRUN` reveals no password hash, unlike `ACL GETUSER`.
async fn replayed(info: &Info, link: &RedisConnection) -> CheckResult {
    if replays_unchecked(info) {
        let text = "the server replays its append-only file without checking permissions";
        return finding(true, text.to_owned(), "");
    }
    let key = format!("{}check", link.base());
    for (command, arguments) in WRITES {
        let mut dry_run = redis::cmd("ACL");
        dry_run.arg("DRYRUN").arg("default").arg(command).arg(&key).arg(arguments);
        match link.command(dry_run).await {
            Ok(Value::Okay) => {}
            Ok(_) => return dropped(command),
            Err(error) => return unchecked(&error, &key),
        }
    }
    finding(true, "user `default` may replay the append-only file".to_owned(), "")
}

/// True for servers that check no permissions while they replay: Redis 8.6 (redis/redis#14545),
/// Valkey 8.1.10, 9.0.6 and 9.1.2 (valkey-io/valkey#3984).
fn replays_unchecked(info: &Info) -> bool {
    let (server, version) = server(info);
    match (server, numbers(version)) {
        ("Valkey", (8, 1, patch)) => patch >= 10,
        ("Valkey", (9, 0, patch)) => patch >= 6,
        ("Valkey", version) => version >= (9, 1, 2),
        (_, version) => version >= (8, 6, 0),
    }
}

fn dropped(command: &str) -> CheckResult {
    let text = format!(
        "user `default` may not run `{command}`: the server drops accepted submissions when it \
         restarts, because it replays its append-only file as `default`"
    );
    finding(
        false,
        text,
        "as an administrator, before the next restart: `ACL SETUSER default off resetpass ~* &* \
         +@all`, then `ACL SAVE`, or write the same into the users file",
    )
}

/// A note: nothing is known to be wrong.
fn unchecked(error: &RedisError, key: &str) -> CheckResult {
    CheckResult {
        ok: true,
        text: format!(
            "could not check that user `default` may replay the append-only file: {error}"
        ),
        hint: Some(format!(
            "as an administrator: `ACL DRYRUN default SET {key} value` must respond OK; Ferry checks \
             it with the permission `+acl|dryrun`"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaying_is_unchecked_from_the_versions_with_the_fix() {
        for (info, expected) in [
            ("redis_version:7.0.15", false),
            ("redis_version:7.4.10", false),
            ("redis_version:8.4.1", false),
            ("redis_version:8.6.0", true),
            ("redis_version:9.0.0", true),
            ("redis_version:7.2.4\r\nvalkey_version:8.0.9", false),
            ("redis_version:7.2.4\r\nvalkey_version:8.1.9", false),
            ("redis_version:7.2.4\r\nvalkey_version:8.1.10", true),
            ("redis_version:7.2.4\r\nvalkey_version:9.0.5", false),
            ("redis_version:7.2.4\r\nvalkey_version:9.0.6", true),
            ("redis_version:7.2.4\r\nvalkey_version:9.1.1", false),
            ("redis_version:7.2.4\r\nvalkey_version:9.1.2", true),
            ("redis_version:unknown", false),
        ] {
            assert_eq!(replays_unchecked(&Info(info.to_owned())), expected, "{info}");
        }
    }
}
