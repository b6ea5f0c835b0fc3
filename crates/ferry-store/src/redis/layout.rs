//! The layout of a namespace: the one before is migrated, and any other is an error.
//!
//! Old processes know the layout of a namespace from when they connected, so that a migration waits until none
//! of them is left.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, Value};
use tracing::info;

use super::error::RedisError;
use super::scripts::{ScriptCall, Scripts};
use super::values::tuple;
use crate::{BATCH, StoreError};

/// The layout of the keys and of what they hold. A change that an older Ferry cannot read raises it.
pub(super) const LAYOUT: u32 = 4;

/// The layout that is migrated.
const MIGRATED: u32 = 3;

/// Time without a read of the history after which no server or worker uses a namespace: each reads it twice a
/// second.
const IDLE: Duration = Duration::from_secs(4);

/// The state of a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing is written yet.
    Nothing,
    /// It has this layout.
    Current,
    /// It has the layout before, and maybe processes that use it.
    Older,
    /// A migration of it has begun.
    Begun,
}

/// The command that reads the state of a namespace.
pub(super) fn probe(base: &str) -> Cmd {
    let mut get = redis::cmd("MGET");
    get.arg(name(base)).arg(format!("{base}migrating"));
    get
}

/// Name of the key that has the layout.
pub(super) fn name(base: &str) -> String {
    format!("{base}layout")
}

/// The response to `probe`. An error for a namespace of another version of Ferry.
pub(super) fn read(response: Value) -> Result<Found, RedisError> {
    let [layout, migrating] = tuple(response)?;
    let layout: Option<u32> = redis::from_redis_value(layout).map_err(RedisError::corrupt)?;
    match layout {
        None => Ok(Found::Nothing),
        Some(LAYOUT) if migrating == Value::Nil => Ok(Found::Current),
        Some(LAYOUT) => Ok(Found::Begun),
        Some(MIGRATED) => Ok(Found::Older),
        Some(layout) => Err(unusable(layout)),
    }
}

fn unusable(layout: u32) -> RedisError {
    let way_out = if layout > LAYOUT {
        format!("this version of Ferry knows up to {LAYOUT}: use the newer Ferry that wrote it")
    } else {
        "this version of Ferry no longer knows it: finish its submissions with the older Ferry that \
         wrote it, or set another `namespace`"
            .to_owned()
    };
    RedisError::Store(StoreError::Unusable(format!(
        "the namespace has layout {layout}, and {way_out}"
    )))
}

/// The layout that another process wrote first into a new namespace: the next connection migrates it.
pub(super) fn begun_by_another(layout: u32) -> Result<(), RedisError> {
    match layout {
        LAYOUT => Ok(()),
        MIGRATED => Err(RedisError::Late(IN_USE)),
        other => Err(unusable(other)),
    }
}

const IN_USE: &str = "the namespace has an older layout, and processes of an older version of Ferry use it: \
                      stop them, and this version migrates it";

/// Migrates a namespace once no process of an older version uses it, or helps a process that does. A migration
/// that was broken off continues.
pub(super) async fn migrate(
    connection: &mut MultiplexedConnection,
    base: &str,
    found: Found,
) -> Result<(), RedisError> {
    if !matches!(found, Found::Older | Found::Begun) {
        return Ok(());
    }
    if found == Found::Older && is_in_use(connection, base).await? {
        // They may have ended just now.
        tokio::time::sleep(IDLE).await;
        if is_in_use(connection, base).await? {
            return Err(RedisError::Late(IN_USE));
        }
    }
    info!(layout = LAYOUT, "migrating the namespace");
    let script = &Scripts::all().migrate;
    let mut load = redis::cmd("SCRIPT");
    load.arg("LOAD").arg(&script.code);
    load.query_async::<()>(connection).await?;
    let (mut batches, mut is_left) = (0_u64, true);
    while is_left {
        let step = ScriptCall::new(script, base, "").arg(BATCH).into_cmd();
        is_left = step.query_async(connection).await?;
        batches += 1;
    }
    info!(layout = LAYOUT, batches, "migrated the namespace");
    Ok(())
}

/// True if a worker listens on the channel of the older layout, or a server or worker reads the history.
async fn is_in_use(connection: &mut MultiplexedConnection, base: &str) -> Result<bool, RedisError> {
    let mut publish = redis::cmd("PUBLISH");
    publish.arg(format!("{base}wake")).arg("all");
    let listeners: u64 = publish.query_async(connection).await?;
    let mut idle = redis::cmd("OBJECT");
    idle.arg("IDLETIME").arg(format!("{base}epochs"));
    let idle: Option<u64> = match idle.query_async(connection).await {
        // A server with an LFU policy does not know it.
        Err(error) if error.code().is_some() => None,
        known => known?,
    };
    Ok(listeners > 0 || idle.is_some_and(|seconds| seconds < IDLE.as_secs() - 1))
}
