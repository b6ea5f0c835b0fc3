//! The server itself: its version, its checks, and its settings with their sources.

use askama::Template;

use super::frame::Frame;
use super::text::{Moment, Sentence, number, visible};
use crate::words;
use ferry_types::contract::{ChecksView, ProcessState, ProcessView, ProcessesView, SettingView};
use ferry_types::domain::ProcessRole;

/// A check.
#[derive(Debug)]
struct Check {
    ok: bool,
    text: Sentence,
    hint: Option<Sentence>,
}

/// A setting: its name, its value, and where it comes from.
#[derive(Debug)]
pub(crate) struct SettingRow {
    /// Its name, with that of its account.
    pub(crate) name: String,
    /// Its value; none if it is secret.
    pub(crate) value: Option<String>,
    /// Place of its source.
    pub(crate) source: String,
}

impl SettingRow {
    pub(super) fn new(setting: &SettingView) -> Self {
        let name = match &setting.account {
            Some(account) => format!("accounts.{account}.{}", setting.name),
            None => setting.name.clone(),
        };
        Self {
            name: visible(&name),
            value: setting.value.as_deref().map(visible),
            source: visible(setting.location.as_deref().unwrap_or(&setting.source)),
        }
    }
}

/// A process that uses the store.
#[derive(Debug)]
struct ProcessRow {
    what: &'static str,
    state: ProcessState,
    is_silent: bool,
    place: String,
    version: String,
    started: Moment,
    heartbeat: Moment,
    slots: String,
    accounts: String,
}

impl ProcessRow {
    fn new(process: &ProcessView) -> Self {
        let all = process.all_slots();
        let host = process.host.as_deref().map(visible).unwrap_or_default();
        let pid = process.pid.map(|pid| format!(", process {pid}")).unwrap_or_default();
        let mut accounts = visible(&process.accounts.join(", "));
        if process.omitted_accounts > 0 {
            accounts += &format!(" and {} more", number(process.omitted_accounts));
        }
        Self {
            what: words::roles(process),
            state: process.state,
            is_silent: process.state == ProcessState::Silent,
            place: host + &pid,
            version: visible(&process.version),
            started: process.started_at.into(),
            heartbeat: process.heartbeat_at.into(),
            slots: match all.slots {
                0 if process.roles.contains(&ProcessRole::Worker) => "workers stopped".to_owned(),
                0 => "none".to_owned(),
                count => format!("{} of {}", number(all.running), number(count)),
            },
            accounts,
        }
    }
}

/// The page.
#[derive(Debug, Template)]
#[template(path = "system.html")]
pub(crate) struct SystemPage {
    frame: Frame,
    version: String,
    ok: bool,
    store_checked: Option<Moment>,
    checks: Vec<Check>,
    /// The processes; none while the store cannot be read.
    processes: Option<Vec<ProcessRow>>,
    /// Sentences about processes whose heartbeat cannot be read.
    damaged: Vec<Sentence>,
    /// True for keys with accounts, which see no place and no slots.
    is_bound: bool,
    /// The settings; none for those who may not see them.
    settings: Option<Vec<SettingRow>>,
}

impl SystemPage {
    /// The page of these checks, processes and settings.
    pub(crate) fn new(
        frame: Frame,
        checks: &ChecksView,
        processes: Option<&ProcessesView>,
        settings: Option<&[SettingView]>,
    ) -> Self {
        let check = |check: &ferry_types::contract::CheckView| Check {
            ok: check.ok,
            text: check.text.as_str().into(),
            hint: check.hint.as_deref().map(Sentence::from),
        };
        let rows = |view: &ProcessesView| view.processes.iter().map(ProcessRow::new).collect();
        let is_bound = |view: &ProcessesView| view.processes.iter().any(|one| one.slots.is_none());
        let damaged = processes.iter().flat_map(|view| &view.damaged);
        Self {
            frame,
            version: checks.version.clone(),
            ok: checks.ok,
            store_checked: checks.store_checked_at.map(Moment::from),
            checks: checks.checks.iter().map(check).collect(),
            is_bound: processes.is_some_and(is_bound),
            processes: processes.map(rows),
            damaged: damaged.map(|one| words::damaged_process(one).as_str().into()).collect(),
            settings: settings.map(|all| all.iter().map(SettingRow::new).collect()),
        }
    }
}
