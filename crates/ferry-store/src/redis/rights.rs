//! Rights of the user of a Redis server: each script that writes checks, before its first write, that it may
//! run all of its commands.

/// Error code of a script that lacks rights. What follows are rules of `ACL SETUSER`.
pub(super) const CODE: &str = "NORIGHTS";

/// Commands of the scripts, with their number of arguments after the key. A check needs a complete command:
/// Redis 7.0 crashes otherwise.
const COMMANDS: [(&str, usize); 33] = [
    ("DEL", 0),
    ("EXISTS", 0),
    ("GET", 0),
    ("HDEL", 1),
    ("HEXISTS", 1),
    ("HGET", 1),
    ("HINCRBY", 2),
    ("HMGET", 1),
    ("HSET", 2),
    ("HSETNX", 2),
    ("HSTRLEN", 1),
    ("INCR", 0),
    ("INCRBY", 1),
    ("LINDEX", 1),
    ("LLEN", 0),
    ("LRANGE", 2),
    ("LREM", 2),
    ("LTRIM", 2),
    ("MGET", 0),
    ("MSET", 1),
    ("RPUSH", 1),
    ("SET", 1),
    ("TIME", 0),
    ("TYPE", 0),
    ("UNLINK", 0),
    ("ZADD", 2),
    ("ZCARD", 0),
    ("ZCOUNT", 2),
    ("ZRANGE", 2),
    ("ZRANGEBYLEX", 2),
    ("ZRANGEBYSCORE", 2),
    ("ZREM", 1),
    ("ZSCORE", 1),
];

/// Precedes a script that writes: without the right to one of its commands it ends before the first. The
/// server itself checks the keys of the call.
pub(super) fn checked_first(code: &str) -> String {
    let used = COMMANDS.iter().filter(|(command, _)| code.contains(&format!("('{command}'")));
    format!(
        "{}if missing ~= '' then return redis.error_reply('{CODE}' .. missing) end\n",
        checks(used)
    )
}

/// Checks of all commands.
pub(super) fn all_checks() -> String {
    checks(COMMANDS.iter())
}

fn checks<'a>(commands: impl Iterator<Item = &'a (&'static str, usize)>) -> String {
    let begin = "local may, missing = redis.acl_check_cmd, ''\n".to_owned();
    commands.fold(begin, |checks, (command, arguments)| {
        let key = if *command == "TIME" { "" } else { ", KEYS[1]" };
        let (arguments, rule) = (", '1'".repeat(*arguments), command.to_lowercase());
        checks
            + &format!(
                "if not may('{command}'{key}{arguments}) then missing = missing .. ' +{rule}' end\n"
            )
    })
}

/// Describes a script that the server denied, with the way out.
pub(super) fn missing(user: &str, rules: &str) -> String {
    let way_out = as_administrator(user, rules);
    format!("the Redis user `{user}` lacks rights, and nothing was changed; {way_out}")
}

/// The way out.
pub(super) fn as_administrator(user: &str, rules: &str) -> String {
    format!(
        "as an administrator: `ACL SETUSER {user} {rules}`, then `ACL SAVE` or `CONFIG REWRITE`"
    )
}
