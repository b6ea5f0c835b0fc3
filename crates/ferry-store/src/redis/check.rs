//! Checks that what the server keeps will still be there tomorrow.

use redis::Value;

use super::fault::Fault;
use super::link::Link;
use super::values::text;
use crate::Finding;

/// The oldest version that has all that the scripts use.
const OLDEST: (u32, u32) = (7, 0);

/// `replicated` says whether what must not be lost waits for a replica.
pub(super) async fn check(link: &Link, replicated: bool) -> Result<Vec<Finding>, Fault> {
    let mut info = redis::cmd("INFO");
    info.arg("server").arg("replication").arg("persistence").arg("memory");
    let info = Info(text(link.command(info).await?)?);
    let fsync = setting(link, "appendfsync").await;
    Ok(vec![
        version(&info),
        role(&info),
        append_only(&info),
        synced(&info, fsync.as_deref()),
        eviction(&info),
        replicas(&info, replicated),
    ])
}

/// What `INFO` says, `name:value` by line.
struct Info(String);

impl Info {
    fn get(&self, name: &str) -> Option<&str> {
        let value = |line: &'_ str| Some(line.strip_prefix(name)?.strip_prefix(':')?.len());
        let line = self.0.lines().find(|line| value(line).is_some())?;
        line.split_once(':').map(|(_, value)| value.trim())
    }
}

/// A setting of the server; none where it is not ours to ask.
async fn setting(link: &Link, name: &str) -> Option<String> {
    let mut config = redis::cmd("CONFIG");
    config.arg("GET").arg(name);
    match link.command(config).await.ok()? {
        Value::Array(mut items) => text(items.pop()?).ok(),
        Value::Map(mut items) => text(items.pop()?.1).ok(),
        _ => None,
    }
}

fn finding(ok: bool, text: String, hint: &str) -> Finding {
    Finding { ok, text, hint: (!ok).then(|| hint.to_owned()) }
}

fn version(info: &Info) -> Finding {
    let (server, version) = match info.get("valkey_version") {
        Some(version) => ("Valkey", version),
        None => ("Redis", info.get("redis_version").unwrap_or("of unknown version")),
    };
    let mut numbers = version.split('.').map(|number| number.parse().unwrap_or(0));
    let known = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
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

fn role(info: &Info) -> Finding {
    let role = info.get("role").unwrap_or("unknown");
    finding(
        role == "master",
        format!("the server's role is {role}"),
        "point `store` at the master: a replica takes nothing in",
    )
}

fn append_only(info: &Info) -> Finding {
    let on = info.get("aof_enabled") == Some("1");
    let text = if on {
        "the server appends every change to a file"
    } else {
        "the server appends nothing to a file: when it ends, accepted submissions are lost"
    };
    finding(on, text.to_owned(), "set `appendonly yes` in the server's configuration")
}

fn synced(info: &Info, fsync: Option<&str>) -> Finding {
    let failed = info.get("aof_last_write_status").is_some_and(|status| status != "ok");
    if failed {
        let text = "the server could not write to its file".to_owned();
        return finding(false, text, "look at the server's log and its disk");
    }
    match fsync {
        Some("always") => {
            finding(true, "every change is synced to the disk before it is answered".to_owned(), "")
        }
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
            "whether changes are synced to the disk is not ours to ask".to_owned(),
            "",
        ),
    }
}

fn replicas(info: &Info, replicated: bool) -> Finding {
    let count: u64 = info.get("connected_slaves").and_then(|n| n.parse().ok()).unwrap_or(0);
    let text = match (count, replicated) {
        (0, true) => "the server has no replica, and takes nothing in without one",
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

fn eviction(info: &Info) -> Finding {
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
