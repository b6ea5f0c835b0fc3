//! Takes nothing for done before the server's disk, or a replica, has it: on a connection of its own,
//! since waiting for them holds up all that comes after it.

use std::time::Duration;

use redis::Value;
use tokio::sync::OnceCell;

use super::check;
use super::connection::RedisConnection;
use super::error::RedisError;
use super::scripts::{Script, ScriptCall, duration_millis};
use super::values::{array, number};
use crate::{CheckResult, StoreError};

/// Time limit of a confirmation; less than that of a response.
pub(super) const TIMEOUT: Duration = Duration::from_secs(4);

/// Way out where the server is too old.
const NEWER: &str = "use a newer server, or `durability = \"server\"`";

/// Party that has to confirm a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ack {
    Disk,
    Replica,
}

/// A connection on which nothing counts before it is safe.
#[derive(Debug)]
pub(super) struct DurableWrites {
    by: Ack,
    link: RedisConnection,
    able: OnceCell<()>,
}

impl DurableWrites {
    pub(super) fn new(by: Ack, link: RedisConnection) -> Self {
        Self { by, link, able: OnceCell::new() }
    }

    /// The connection: what runs over it can be confirmed.
    pub(super) async fn link(&self) -> Result<&RedisConnection, RedisError> {
        self.able.get_or_try_init(|| self.check()).await?;
        Ok(&self.link)
    }

    /// Runs a call and waits until what it did is safe.
    pub(super) async fn run(
        &self,
        script: &Script,
        script_call: ScriptCall,
    ) -> Result<Value, RedisError> {
        let link = self.link().await?;
        let connection = link.number();
        let response = link.run_one(script, script_call).await?;
        self.confirm(connection, TIMEOUT).await?;
        Ok(response)
    }

    /// Waits until all that was written before, over any connection, is safe: what follows a write in the
    /// log, or in the replication, confirms it.
    pub(super) async fn confirm_earlier(&self) -> Result<(), RedisError> {
        let link = self.link().await?;
        let connection = link.number();
        check::write(link).await?;
        self.confirm(connection, TIMEOUT).await
    }

    /// Waits until what was done over the connection of this number is safe.
    pub(super) async fn confirm(
        &self,
        connection: Option<u64>,
        timeout: Duration,
    ) -> Result<(), RedisError> {
        if self.wait(1, timeout).await? == 0 {
            return Err(RedisError::Late(match self.by {
                Ack::Disk => "the server has not synced its disk in time",
                Ack::Replica => "no replica has confirmed the change in time",
            }));
        }
        // The server speaks for what came over the same connection.
        if self.link.number() != connection {
            return Err(RedisError::Late("the connection was lost before the change was safe"));
        }
        Ok(())
    }

    /// Reports a server that cannot confirm what this waits for. That it has no replica is another check.
    pub(super) async fn unable(&self) -> Option<CheckResult> {
        match self.check().await {
            Err(RedisError::Store(error)) => Some(CheckResult {
                ok: false,
                text: error.to_string(),
                hint: Some(NEWER.to_owned()),
            }),
            _ => None,
        }
    }

    /// Asks first, so that nothing is stored whose response is an error.
    async fn check(&self) -> Result<(), RedisError> {
        let (wanted, timeout) = match self.by {
            Ack::Disk => (0, Duration::from_millis(1)),
            Ack::Replica => (1, TIMEOUT),
        };
        match (self.by, self.wait(wanted, timeout).await) {
            (Ack::Disk, Err(RedisError::Redis(error))) if error.code() == Some("ERR") => {
                Err(RedisError::Store(StoreError::Unusable(format!(
                    "`durability = \"fsynced\"` needs WAITAOF, which Redis has from 7.2 on, and \
                     Valkey: {NEWER}"
                ))))
            }
            (Ack::Replica, Ok(0)) => Err(RedisError::Late(
                "`durability = \"replicated\"` needs a replica, and the server has none",
            )),
            (_, response) => response.map(drop),
        }
    }

    /// Waits for so many. Returns how many there are.
    async fn wait(&self, wanted: u8, timeout: Duration) -> Result<u64, RedisError> {
        match self.by {
            Ack::Disk => {
                let mut wait = redis::cmd("WAITAOF");
                wait.arg(wanted).arg(0).arg(duration_millis(timeout));
                let local = array(self.link.command(wait).await?)?.into_iter().next();
                Ok(local.map(number).transpose()?.unwrap_or_default())
            }
            Ack::Replica => {
                let mut wait = redis::cmd("WAIT");
                wait.arg(wanted).arg(duration_millis(timeout));
                number(self.link.command(wait).await?)
            }
        }
    }
}
