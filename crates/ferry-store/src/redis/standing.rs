//! Reads where the server's history of events stands.

use redis::{Cmd, Value};

use super::error::RedisError;
use super::scripts::{Script, ScriptCall};
use super::values::{lossy, number, tuple};
use crate::Standing;
use crate::continuity::Asked;

/// Reads the standing, over any connection.
#[derive(Debug)]
pub(super) struct StandingScript(pub(super) Script);

impl StandingScript {
    pub(super) fn new() -> Self {
        Self(Script::alone_reading(include_str!("standing.lua")))
    }

    pub(super) fn script_call(&self, base: &str, requested: &Asked) -> ScriptCall {
        ScriptCall::on(&self.0, &[base.to_owned()]).arg(requested.number())
    }

    pub(super) fn cmd(&self, base: &str, requested: &Asked) -> Cmd {
        self.script_call(base, requested).into_cmd()
    }
}

/// Reads the script's response.
pub(super) fn read(response: Value) -> Result<Standing, RedisError> {
    let [epochs, newest, event, requested, reported] = tuple(response)?;
    let some = |value| lossy(value).map(|text| Some(text).filter(|text| !text.is_empty()));
    let standing = Standing {
        event: lossy(event)?,
        requested: some(requested)?,
        reported: some(reported)?,
        ..Standing::default()
    };
    Ok(standing.with_epochs(&lossy(epochs)?, number(newest)?))
}
