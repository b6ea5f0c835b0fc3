//! Compares the server's history of events with what this process has seen of it.

use super::RedisStore;
use super::connection::RedisConnection;
use super::error::RedisError;
use super::scripts::{Script, ScriptCall};
use super::standing::{StandingScript, read};
use crate::claim_id::random_number;
use crate::continuity::{Asked, Continuity, EPOCHS};
use crate::{Loss, Standing};

impl RedisStore {
    pub(super) async fn compare(&self, continuity: &Continuity) -> Result<Standing, RedisError> {
        if let Some(requested) = continuity.ask_for_lost() {
            continuity.saw_lost(&requested, &ask(&self.link, &requested).await?);
        }
        let requested = continuity.ask();
        let standing = ask(&self.link, &requested).await?;
        continuity.saw(&requested, &standing);
        Ok(standing)
    }

    pub(super) async fn renew_epoch(&self) -> Result<(), RedisError> {
        let script = Script::alone(include_str!("acknowledge.lua"));
        let script_call = ScriptCall::on(&script, &[self.link.base().to_owned()]);
        self.link
            .run_one(&script, script_call.arg(format!("{:016x}", random_number())).arg(EPOCHS))
            .await
            .map(drop)
    }

    pub(super) async fn save_loss(&self, loss: &Loss) -> Result<(), RedisError> {
        let mut set = redis::cmd("SET");
        set.arg(format!("{}lost", self.link.base())).arg(loss.to_string());
        self.link.command(set).await.map(drop)
    }
}

async fn ask(link: &RedisConnection, requested: &Asked) -> Result<Standing, RedisError> {
    let script = StandingScript::new();
    read(link.run_one(&script.0, script.script_call(link.base(), requested)).await?)
}
