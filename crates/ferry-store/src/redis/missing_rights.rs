//! Finds rights that the user of the server lacks.

use super::connection::RedisConnection;
use super::error::RedisError;
use super::rights;
use super::scripts::{Script, ScriptCall};
use super::values::{number, text, tuple};
use crate::CheckResult;

/// Checks of what the store needs beside its scripts. The channel is only a hint for idle workers.
const OTHERS: &str = "
if not may('INFO') then missing = missing .. ' +info' end
if not may('SCAN', '0') then missing = missing .. ' +scan' end
local channel, lacks_channel = KEYS[1] .. 'due_times', 0
if not may('PUBLISH', channel, '1') then
    local why = redis.pcall('PUBLISH', channel, '1').err
    if string.find(why, '[ae] channel') then
        lacks_channel = 1
    else
        missing = missing .. ' +publish'
    end
elseif not may('SUBSCRIBE', channel) then
    missing = missing .. ' +subscribe'
end
return { missing, lacks_channel }
";

/// Reports each missing right.
pub(super) async fn check_all(link: &RedisConnection) -> Result<Vec<CheckResult>, RedisError> {
    // An older server than 7.0 is another finding.
    let begin = "if not redis.acl_check_cmd then return { '', 0 } end\n";
    // It only reads, so that a server that pauses writes does not hold it back.
    let script = Script::alone_reading(&[begin, &rights::all_checks(), OTHERS].concat());
    let response = link.run_one(&script, ScriptCall::on(&script, &[link.base().to_owned()])).await;
    let of_namespace = |kind| format!("{kind}{}*", link.base());
    let missing = match response {
        Ok(response) => {
            let [missing, lacks_channel] = tuple(response)?;
            let channel = (number(lacks_channel)? > 0).then(|| of_namespace('&'));
            text(missing)?.split_whitespace().map(str::to_owned).chain(channel).collect()
        }
        // The server denies the call of any script.
        Err(RedisError::Redis(error)) if error.code() == Some("NOPERM") => {
            let command = error.detail().and_then(|detail| detail.split('\'').nth(1));
            vec![command.map_or_else(|| of_namespace('~'), |command| format!("+{command}"))]
        }
        Err(error) => return Err(error),
    };
    Ok(missing.iter().map(|rule| finding(link.user(), rule)).collect())
}

fn finding(user: &str, rule: &str) -> CheckResult {
    let (kind, what) = rule.split_at(1);
    let text = match kind {
        "~" => format!("the Redis user `{user}` may not read and write all keys `{what}`"),
        "&" => format!(
            "the Redis user `{user}` may not use the channels `{what}`: idle workers look for steps once a second"
        ),
        _ => format!("the Redis user `{user}` may not run `{what}`"),
    };
    CheckResult { ok: false, text, hint: Some(rights::as_administrator(user, rule)) }
}
