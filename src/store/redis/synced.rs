//! Accepts only what the server has on its disk: on a connection of its own, since waiting for the
//! disk holds up all that comes after it.

use redis::Value;
use tokio::sync::OnceCell;

use super::fault::Fault;
use super::link::Link;
use super::scripts::{Call, Script};
use super::values::{array, number};
use crate::store::StoreError;

/// How long the disk is waited for, in milliseconds; less than an answer is.
const PATIENCE: u64 = 4000;

/// A connection on which nothing counts before it is on the disk.
#[derive(Debug)]
pub(super) struct Synced {
    link: Link,
    able: OnceCell<()>,
}

impl Synced {
    pub(super) fn new(link: Link) -> Self {
        Self { link, able: OnceCell::new() }
    }

    /// Runs a call and waits until what it did is on the disk.
    pub(super) async fn run(&self, script: &Script, call: Call) -> Result<Value, Fault> {
        self.able.get_or_try_init(|| self.check()).await?;
        let connection = self.link.number();
        let answer = self.link.run_one(script, call).await?;
        let synced = array(self.link.command(wait(1, PATIENCE)).await?)?.into_iter().next();
        if synced.map(number).transpose()?.unwrap_or_default() == 0 {
            return Err(Fault::Late("the server has not synced its disk in time"));
        }
        // The server answers for what came over the same connection.
        if self.link.number() != connection {
            return Err(Fault::Late("the connection was lost before the server's disk was synced"));
        }
        Ok(answer)
    }

    /// Asks first, so that nothing is stored that is then refused.
    async fn check(&self) -> Result<(), Fault> {
        match self.link.command(wait(0, 1)).await {
            Err(Fault::Redis(error)) if error.code() == Some("ERR") => {
                Err(Fault::Refused(StoreError::Unusable(
                    "`durability = \"fsynced\"` needs WAITAOF, which Redis has from 7.2 on, and \
                     Valkey: use a newer server, or `durability = \"server\"`"
                        .to_owned(),
                )))
            }
            answer => answer.map(drop),
        }
    }
}

fn wait(local: u8, patience: u64) -> redis::Cmd {
    let mut wait = redis::cmd("WAITAOF");
    wait.arg(local).arg(0).arg(patience);
    wait
}
