//! The connection to the server: one that all calls share, made when it is needed and made again when
//! it is lost, and never waited for without end.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use backon::ExponentialBackoff;
use parking_lot::{Mutex, MutexGuard};
use redis::aio::{MultiplexedConnection, PubSub};
use redis::{AsyncConnectionConfig, Client, Cmd, ConnectionInfo, ErrorKind, Pipeline};
use redis::{RedisResult, ServerErrorKind, Value};

use super::error::{RedisError, ends_connection};
use super::greeting;
use super::layout::{self, LAYOUT};
use super::rights;
use super::scripts::{Script, ScriptCall};
use super::standing::{self, StandingScript};
use super::topology::Topology;
use crate::StoreError;
use crate::backoff::store_backoff;
use crate::continuity::{Asked, Continuity};

/// For how long a response, or a connection, is waited for.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The largest call, a little below what Redis takes for one argument by default
/// (`proto-max-bulk-len`, 512 MiB): beyond that it would end the connection, again and again.
pub(super) const LARGEST: usize = 500 << 20;

/// A server, and the connection to it.
pub(super) struct RedisConnection {
    topology: Topology,
    /// Prefix of the keys of the namespace.
    base: String,
    current: Mutex<Option<Current>>,
    connecting: tokio::sync::Mutex<RetryLimit>,
    /// Scripts that only read and were sent as a whole over the connection of this number.
    introduced: Mutex<(u64, BTreeSet<String>)>,
    /// History that the responses to changes are compared with.
    continuity: Option<(Arc<Continuity>, StandingScript)>,
    /// True for a response to a change that does not arrive.
    loses: OnceLock<Arc<dyn Fn() -> bool + Send + Sync>>,
}

#[derive(Clone)]
struct Current {
    number: u64,
    connection: MultiplexedConnection,
    /// Server that it leads to.
    info: ConnectionInfo,
    /// True until the namespace has a layout: the first change writes it.
    is_new: Arc<AtomicBool>,
}

struct RetryLimit {
    /// Counts connections, so that only the one that failed is given up.
    number: u64,
    delays: ExponentialBackoff,
    /// The last failure to connect, and the delay until the next attempt.
    failed: Option<(Instant, Duration, redis::RedisError)>,
}

impl std::fmt::Debug for RedisConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The servers know the password.
        f.debug_struct("RedisConnection").field("base", &self.base).finish_non_exhaustive()
    }
}

impl RedisConnection {
    pub(super) fn new(topology: Topology, base: String) -> Self {
        let retries = RetryLimit { number: 0, delays: store_backoff(), failed: None };
        let (current, connecting) = (Mutex::default(), tokio::sync::Mutex::new(retries));
        let (introduced, loses) = (Mutex::default(), OnceLock::new());
        Self { topology, base, current, connecting, introduced, continuity: None, loses }
    }

    /// Compares the history of events after each change with what this process has seen.
    pub(super) fn comparing(self, continuity: Arc<Continuity>) -> Self {
        Self { continuity: Some((continuity, StandingScript::new())), ..self }
    }

    /// Loses the responses for which `is_lost` is true.
    pub(super) fn lose_responses(&self, is_lost: Arc<dyn Fn() -> bool + Send + Sync>) {
        // The first one stays.
        let _ = self.loses.set(is_lost);
    }

    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// Name of the user that the server knows this process by.
    pub(super) fn user(&self) -> &str {
        let Topology { nodes, master, .. } = &self.topology;
        let info = master.as_ref().map(|(_, info)| info).or(nodes.first());
        info.and_then(|info| info.redis_settings().username()).unwrap_or("default")
    }

    /// Runs calls of one script in one round trip, in their order; the responses are in it too. If
    /// there is an error, some may have been done and others not.
    pub(super) async fn run(
        &self,
        script: &Script,
        calls: Vec<ScriptCall>,
    ) -> Result<Vec<Value>, RedisError> {
        if calls.is_empty() {
            return Ok(Vec::new());
        }
        if let Some(script_call) = calls.iter().find(|script_call| script_call.bytes() > LARGEST) {
            return Err(RedisError::Store(StoreError::TooLarge(format!(
                "{} MiB in one piece, compressed, are more than the {} MiB that Redis takes: submit \
                 less at once",
                script_call.bytes() >> 20,
                LARGEST >> 20
            ))));
        }
        if script.changes {
            self.begin().await?;
        }
        let comparing = self.continuity.as_ref().filter(|_| script.changes);
        let comparing = comparing.map(|(known, standing)| (known.ask(), known, standing));
        let look = comparing.as_ref().map(|(requested, _, look)| look.cmd(&self.base, requested));
        let mut calls: Vec<Cmd> = calls.into_iter().map(ScriptCall::into_cmd).collect();
        if script.reads() && self.is_new_to(script).await? {
            calls[0] = script.introduced_by(&calls[0]);
        }
        let pipeline = pipeline(calls.into_iter().chain(look));
        let mut responses = self.send(&pipeline).await?;
        if responses.iter().any(is_unknown_script) {
            let look = comparing.as_ref().map(|(_, _, look)| &look.0);
            responses = self.repeat(script, look, &pipeline, responses).await?;
        }
        if script.changes && self.loses.get().is_some_and(|is_lost| is_lost()) {
            self.number().into_iter().for_each(|number| self.give_up(number));
            return Err(RedisError::Late("the response was lost"));
        }
        if let Some((requested, known, _)) = &comparing {
            compare(known, requested, responses.pop());
        }
        let explained = |error: redis::RedisError| match (error.code(), error.detail()) {
            (Some(rights::CODE), Some(missing)) => {
                RedisError::MissingRights(rights::missing(self.user(), missing))
            }
            _ => error.into(),
        };
        responses.into_iter().map(|response| response.map_err(explained)).collect()
    }

    /// True once for each script over a connection. A server that pauses writes holds back the call of a
    /// script that it does not know, and the command that loads one, but no script that says that it only
    /// reads.
    async fn is_new_to(&self, script: &Script) -> Result<bool, RedisError> {
        let number = self.connection().await?.number;
        let mut introduced = self.introduced.lock();
        if introduced.0 != number {
            *introduced = (number, BTreeSet::new());
        }
        Ok(introduced.1.insert(script.hash.clone()))
    }

    /// Repeats the calls whose script was unknown, and the look that came last: the server is new, or its
    /// scripts were flushed.
    async fn repeat(
        &self,
        script: &Script,
        look: Option<&Script>,
        pipeline: &Pipeline,
        mut responses: Vec<RedisResult<Value>>,
    ) -> Result<Vec<RedisResult<Value>>, RedisError> {
        let loads: Vec<Cmd> = [script].into_iter().chain(look).map(load).collect();
        let loaded = loads.len();
        if look.is_some() {
            // It came before what is repeated.
            responses.pop();
        }
        let looks = pipeline.cmd_iter().skip(responses.len());
        let calls = pipeline.cmd_iter().zip(&responses);
        let again = calls.filter(|(_, response)| is_unknown_script(response)).map(|(cmd, _)| cmd);
        let again = self::pipeline(loads.into_iter().chain(again.chain(looks).cloned()));
        let mut repeated = self.send(&again).await?;
        let look = look.and_then(|_| repeated.pop());
        let unknown = responses.iter_mut().filter(|response| is_unknown_script(response));
        for (response, repeated) in unknown.zip(repeated.into_iter().skip(loaded)) {
            *response = repeated;
        }
        responses.extend(look);
        Ok(responses)
    }

    /// Runs one call.
    pub(super) async fn run_one(
        &self,
        script: &Script,
        script_call: ScriptCall,
    ) -> Result<Value, RedisError> {
        Ok(self.run(script, vec![script_call]).await?.pop().unwrap_or(Value::Nil))
    }

    /// Runs a plain command.
    pub(super) async fn command(&self, cmd: Cmd) -> Result<Value, RedisError> {
        let response = self.send(&pipeline([cmd])).await?.pop();
        Ok(response.unwrap_or(Ok(Value::Nil))?)
    }

    async fn send(&self, pipeline: &Pipeline) -> Result<Vec<RedisResult<Value>>, RedisError> {
        let Current { number, mut connection, .. } = self.connection().await?;
        let responses: RedisResult<Vec<RedisResult<Value>>> =
            pipeline.query_async(&mut connection).await;
        let failure = match &responses {
            Ok(responses) => responses.iter().find_map(|response| response.as_ref().err()),
            Err(error) => Some(error),
        };
        if failure.is_some_and(ends_connection) {
            self.give_up(number);
        }
        Ok(responses?)
    }

    async fn connection(&self) -> Result<Current, RedisError> {
        let started = Instant::now();
        if let Some(current) = self.current() {
            return Ok(current);
        }
        let mut tries = self.connecting.lock().await;
        if let Some(current) = self.current() {
            return Ok(current);
        }
        if let Some((at, delay, error)) = &tries.failed {
            if *at > started {
                // Another task has just tried.
                return Err(RedisError::Unreachable(error.clone()));
            }
            tokio::time::sleep((*at + *delay).saturating_duration_since(started)).await;
        }
        // Connecting is rare, and its future large.
        match Box::pin(self.connect()).await {
            Ok(connected) => {
                tries.number += 1;
                (tries.failed, tries.delays) = (None, store_backoff());
                let current = Current { number: tries.number, ..connected };
                *self.lock() = Some(current.clone());
                Ok(current)
            }
            Err(RedisError::Redis(error)) => {
                let delay = tries.delays.next().unwrap_or_default();
                tries.failed = Some((Instant::now(), delay, error.clone()));
                Err(RedisError::Unreachable(error))
            }
            Err(error) => Err(error),
        }
    }

    /// Connects, and reads the layout of the namespace. Writes nothing, but for a namespace of the layout
    /// before, which it migrates.
    async fn connect(&self) -> Result<Current, RedisError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(TIMEOUT))
            .set_response_timeout(Some(TIMEOUT));
        let probe = layout::probe(&self.base);
        let (mut connection, info, response) = self.topology.connect(&config, &probe).await?;
        let found = layout::read(response)?;
        layout::migrate(&mut connection, &self.base, found).await?;
        let is_new = Arc::new(AtomicBool::new(found == layout::Found::Nothing));
        Ok(Current { number: 0, connection, info, is_new })
    }

    /// Writes the layout of a new namespace, before anything else is written.
    async fn begin(&self) -> Result<(), RedisError> {
        let Current { number, mut connection, is_new, .. } = self.connection().await?;
        if !is_new.load(Ordering::Relaxed) {
            return Ok(());
        }
        let mut set = redis::cmd("SET");
        set.arg(layout::name(&self.base)).arg(LAYOUT).arg("NX").arg("GET");
        let before: redis::RedisResult<Option<u32>> = set.query_async(&mut connection).await;
        if before.as_ref().is_err_and(ends_connection) {
            self.give_up(number);
        }
        if let Some(found) = before? {
            layout::begun_by_another(found).inspect_err(|_| self.give_up(number))?;
        }
        is_new.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// A connection that listens.
    pub(super) async fn listen(&self, channel: &str) -> Result<PubSub, RedisError> {
        let connect = async {
            let Current { info, .. } = self.connection().await?;
            let connection = Client::open(info.clone())?.get_async_pubsub().await;
            let mut connection = match connection {
                Ok(connection) => connection,
                Err(error) => return Err(greeting::or_greeting(error, &info).await.into()),
            };
            connection.subscribe(channel).await?;
            Ok(connection)
        };
        let late = |_| RedisError::Late("the server does not respond");
        tokio::time::timeout(TIMEOUT, connect).await.map_err(late)?
    }

    /// Number of the connection; another number is another one.
    pub(super) fn number(&self) -> Option<u64> {
        self.current().map(|current| current.number)
    }

    fn current(&self) -> Option<Current> {
        self.lock().clone()
    }

    fn give_up(&self, number: u64) {
        let mut current = self.lock();
        if current.as_ref().is_some_and(|current| current.number == number) {
            *current = None;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Current>> {
        // Every critical section is a single assignment: a poisoned lock guards a whole value.
        self.current.lock()
    }
}

/// A response that cannot be read proves nothing; the next one does.
fn compare(known: &Continuity, requested: &Asked, response: Option<RedisResult<Value>>) {
    if let Some(Ok(response)) = response
        && let Ok(standing) = standing::read(response)
    {
        known.saw(requested, &standing);
    }
}

fn load(script: &Script) -> Cmd {
    let mut load = redis::cmd("SCRIPT");
    load.arg("LOAD").arg(&script.code);
    load
}

/// Commands in one round trip, each with a response or an error of its own.
fn pipeline(cmds: impl IntoIterator<Item = Cmd>) -> Pipeline {
    let mut pipeline = Pipeline::new();
    pipeline.ignore_errors();
    for cmd in cmds {
        pipeline.add_command(cmd);
    }
    pipeline
}

fn is_unknown_script(response: &RedisResult<Value>) -> bool {
    let unknown = ErrorKind::Server(ServerErrorKind::NoScript);
    response.as_ref().is_err_and(|error| error.kind() == unknown)
}
