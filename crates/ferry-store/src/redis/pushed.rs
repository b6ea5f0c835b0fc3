//! Requests that other Rust services push with plain apalis-redis: read in its own layout of keys, which
//! `apalis_redis::Config` names, and removed once it is stored.
//!
//! apalis-redis's own workers promote all that is due in one script, which fails for good from some
//! thousands of tasks on, and never forget a task; so the layout is read by bounded scripts instead.

use std::time::Duration;

use apalis_redis::Config;
use redis::Value;
use serde::{Deserialize, Serialize};

use super::RedisAddress;
use super::connection::RedisConnection;
use super::error::RedisError;
use super::scripts::{Script, ScriptCall};
use super::values::{array, bytes, text};
use crate::StoreError;
use ferry_types::domain::Timestamp;

/// Tasks read at once, and about how many bytes.
const TASKS: usize = 200;
const BYTES: u64 = 16 << 20;

/// For how long one process has the queue to itself, counted from each look.
const TURN: Duration = Duration::from_secs(2);

/// A task as it was pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// The id that apalis gave it.
    pub id: String,
    /// Its arguments, as JSON; their length if they are too long to be read.
    pub args: Result<Vec<u8>, u64>,
}

/// Reason why a task was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// Time of the decision.
    pub at: Timestamp,
    /// Reason for people.
    pub reason: String,
}

/// The queue of requests on a Redis server.
#[derive(Debug)]
pub struct PushedRequests {
    link: RedisConnection,
    location: String,
    config: Config,
    /// Distinguishes this process from the others.
    caller: String,
    peek: Script,
    remove: Script,
    add_dead_letters: Script,
    requeue: Script,
}

impl PushedRequests {
    /// The queue `queue` at `address`; `caller` is different for every process.
    pub fn new(address: &RedisAddress, queue: &str, caller: String) -> Result<Self, StoreError> {
        Ok(Self {
            link: RedisConnection::new(address.topology(), address.base()),
            location: address.location().to_owned(),
            config: Config::default().queue(queue),
            caller,
            peek: Script::alone(include_str!("pushed/peek.lua")),
            remove: Script::alone(include_str!("pushed/remove.lua")),
            add_dead_letters: Script::alone(include_str!("pushed/add_dead_letters.lua")),
            requeue: Script::alone(include_str!("pushed/requeue.lua")),
        })
    }

    /// The name of the queue.
    pub fn queue(&self) -> &str {
        self.config.queue.as_ref()
    }

    /// Tasks that are due; none if there are none, or if another process is at it. They stay until
    /// they are removed or made dead letters. Arguments of more than `largest` bytes are not read.
    pub async fn peek(&self, largest: u64) -> Result<Vec<Task>, StoreError> {
        let keys = [
            self.config.active_jobs_list(),
            self.config.scheduled_jobs_set(),
            self.config.job_data_hash(),
            self.lock(),
        ];
        let script_call = ScriptCall::on(&self.peek, &keys)
            .arg(TASKS)
            .arg(BYTES)
            .arg(&self.caller)
            .duration(TURN)
            .arg(largest);
        let response = self.run(&self.peek, script_call).await?;
        if !matches!(response, Value::Array(_)) {
            return Ok(Vec::new());
        }
        self.with_location(tasks(response))
    }

    /// Number of tasks that wait, those that are scheduled for later included.
    pub async fn waiting(&self) -> Result<u64, StoreError> {
        let active = self.count("LLEN", self.config.active_jobs_list()).await?;
        Ok(active + self.count("ZCARD", self.config.scheduled_jobs_set()).await?)
    }

    /// Removes tasks for good. Returns how many there were.
    pub async fn remove(&self, ids: &[String]) -> Result<u64, StoreError> {
        if ids.is_empty() {
            return Ok(0);
        }
        let mut keys = vec![
            self.config.active_jobs_list(),
            self.config.scheduled_jobs_set(),
            self.config.job_data_hash(),
            self.dead_letters_key(),
        ];
        let meta = self.config.job_meta_hash();
        keys.extend(ids.iter().map(|id| format!("{meta}:{id}")));
        let script_call = ids.iter().fold(ScriptCall::on(&self.remove, &keys), ScriptCall::arg);
        let response = self.run(&self.remove, script_call).await?;
        self.with_location(super::values::number(response))
    }

    /// Makes tasks dead letters, until an operator decides.
    pub async fn add_dead_letters(&self, tasks: &[(String, DeadLetter)]) -> Result<(), StoreError> {
        if tasks.is_empty() {
            return Ok(());
        }
        let keys = [
            self.config.active_jobs_list(),
            self.config.scheduled_jobs_set(),
            self.dead_letters_key(),
        ];
        let script_call = tasks.iter().fold(
            ScriptCall::on(&self.add_dead_letters, &keys),
            |script_call, (id, letter)| {
                let letter =
                    serde_json::to_string(letter).expect("a time and a text have a JSON form");
                script_call.arg(id).arg(letter)
            },
        );
        self.run(&self.add_dead_letters, script_call).await.map(drop)
    }

    /// Dead letters in no particular order, some at a time: `cursor` is 0 at first, and so is the
    /// cursor of the response at the end.
    pub async fn dead_letters(
        &self,
        cursor: u64,
    ) -> Result<(Vec<(String, DeadLetter)>, u64), StoreError> {
        let mut cmd = redis::cmd("HSCAN");
        cmd.arg(self.dead_letters_key()).arg(cursor).arg("COUNT").arg(TASKS);
        let response = self.with_location(self.link.command(cmd).await)?;
        self.with_location(dead_letters(response))
    }

    /// Makes a dead letter due again. Returns true if there was one.
    pub async fn requeue(&self, id: &str) -> Result<bool, StoreError> {
        let keys = [
            self.config.scheduled_jobs_set(),
            self.dead_letters_key(),
            self.config.job_data_hash(),
        ];
        let script_call = ScriptCall::on(&self.requeue, &keys).arg(id);
        let response = self.run(&self.requeue, script_call).await?;
        Ok(self.with_location(super::values::number(response))? > 0)
    }

    /// Key of the dead letters; it has the name that stores have.
    fn dead_letters_key(&self) -> String {
        format!("{}:refused", self.queue())
    }

    fn lock(&self) -> String {
        format!("{}:taker", self.queue())
    }

    async fn count(&self, command: &str, key: String) -> Result<u64, StoreError> {
        let mut cmd = redis::cmd(command);
        cmd.arg(key);
        let response = self.with_location(self.link.command(cmd).await)?;
        self.with_location(super::values::number(response))
    }

    async fn run(&self, script: &Script, script_call: ScriptCall) -> Result<Value, StoreError> {
        self.with_location(self.link.run_one(script, script_call).await)
    }

    fn with_location<T>(&self, result: Result<T, RedisError>) -> Result<T, StoreError> {
        result.map_err(|error| error.with_location(&self.location))
    }
}

fn tasks(response: Value) -> Result<Vec<Task>, RedisError> {
    let mut items = array(response)?.into_iter();
    let mut tasks = Vec::with_capacity(items.len() / 2);
    while let (Some(id), Some(args)) = (items.next(), items.next()) {
        let args = match args {
            Value::Int(length) => Err(length.cast_unsigned()),
            args => Ok(bytes(args)?),
        };
        tasks.push(Task { id: text(id)?, args });
    }
    Ok(tasks)
}

fn dead_letters(response: Value) -> Result<(Vec<(String, DeadLetter)>, u64), RedisError> {
    let [cursor, items] = super::values::tuple(response)?;
    let mut items = array(items)?.into_iter();
    let mut letters = Vec::with_capacity(items.len() / 2);
    while let (Some(id), Some(json)) = (items.next(), items.next()) {
        let letter = serde_json::from_slice(&bytes(json)?).map_err(RedisError::corrupt)?;
        letters.push((text(id)?, letter));
    }
    Ok((letters, text(cursor)?.parse().map_err(RedisError::corrupt)?))
}
