//! Compares the server's history of events with what this process has seen of it.

use redis::{Cmd, Value};

use super::RedisStore;
use super::fault::Fault;
use super::link::Link;
use super::lost::random_name;
use super::scripts::{Call, Script};
use super::values::{number, text, tuple};
use crate::continuity::{Asked, Continuity, EPOCHS};
use crate::{Loss, Standing};

/// Reads the standing, over any connection.
#[derive(Debug)]
pub(super) struct StandingScript(pub(super) Script);

impl StandingScript {
    pub(super) fn new() -> Self {
        Self(Script::alone(include_str!("standing.lua")))
    }

    pub(super) fn call(&self, base: &str, asked: &Asked) -> Call {
        Call::on(&self.0, &[base.to_owned()]).arg(asked.number())
    }

    pub(super) fn cmd(&self, base: &str, asked: &Asked) -> Cmd {
        self.call(base, asked).into_cmd()
    }
}

/// Reads the script's answer.
pub(super) fn read(answer: Value) -> Result<Standing, Fault> {
    let [epochs, newest, event, asked, reported] = tuple(answer)?;
    let some = |value| text(value).map(|text| Some(text).filter(|text| !text.is_empty()));
    let standing = Standing {
        event: text(event)?,
        asked: some(asked)?,
        reported: some(reported)?,
        ..Standing::default()
    };
    Ok(standing.with_epochs(&text(epochs)?, number(newest)?))
}

impl RedisStore {
    pub(super) async fn compare(&self, continuity: &Continuity) -> Result<Standing, Fault> {
        if let Some(asked) = continuity.ask_for_lost() {
            continuity.saw_lost(&asked, &ask(&self.link, &asked).await?);
        }
        let asked = continuity.ask();
        let standing = ask(&self.link, &asked).await?;
        continuity.saw(&asked, &standing);
        Ok(standing)
    }

    pub(super) async fn renew_epoch(&self) -> Result<(), Fault> {
        let script = Script::alone(include_str!("acknowledge.lua"));
        let call = Call::on(&script, &[self.link.base().to_owned()]);
        self.link.run_one(&script, call.arg(random_name()).arg(EPOCHS)).await.map(drop)
    }

    pub(super) async fn save_loss(&self, loss: &Loss) -> Result<(), Fault> {
        let mut set = redis::cmd("SET");
        set.arg(format!("{}lost", self.link.base())).arg(loss.to_string());
        self.link.command(set).await.map(drop)
    }
}

async fn ask(link: &Link, asked: &Asked) -> Result<Standing, Fault> {
    let script = StandingScript::new();
    read(link.run_one(&script.0, script.call(link.base(), asked)).await?)
}
