//! Sentences about submissions and accounts: the command line and the console have the same.

use std::time::Duration;

use chrono::NaiveDateTime;

use ferry_types::contract::{
    DamagedProcess, FailingView, OutageView, ProcessState, ProcessView, ProcessesView,
    SubmissionView, ThrottlingView, WaitingFor,
};
use ferry_types::domain::ProcessRole;
use ferry_types::domain::account::condition::in_a_row;
use ferry_types::domain::account::{BlockReason, is_paused_by_operator};
use ferry_types::domain::dataset::grouped;
use ferry_types::domain::submission::{State, StepKind};
use ferry_types::domain::{Timestamp, until};

/// The reason that a submission is where it is, or what comes next.
pub fn remark(view: &SubmissionView, now: Timestamp) -> String {
    if view.state.is_final() && !view.refetching {
        let took = view.finished_at.map_or(Duration::ZERO, |end| until(view.created_at, end));
        let took = format!("after {}, {}", duration(took), counted(view.polls, "poll"));
        return match &view.reason {
            Some(reason) => format!("{reason} ({took})"),
            None => took,
        };
    }
    let waits = view.waiting_for.as_ref().map(|waiting| waiting_for(waiting, view, now));
    // Why an account is paused is often what befell this very submission: once is enough.
    let is_new = |reason: &&String| waits.as_ref().is_none_or(|w| !w.contains(reason.as_str()));
    match (view.reason.as_ref().filter(is_new), waits) {
        (Some(reason), Some(waits)) => format!("{reason}; {waits}"),
        (Some(reason), None) => format!("{reason}; running"),
        (None, Some(waits)) => waits,
        (None, None) => "running".to_owned(),
    }
}

/// The reason that a submission waits, in words.
pub fn waiting_for(waiting: &WaitingFor, view: &SubmissionView, now: Timestamp) -> String {
    match waiting {
        WaitingFor::DueTime { at, step } => {
            let next = match step {
                StepKind::Upload => "upload",
                StepKind::Poll => "poll",
                StepKind::Collect => "fetch",
                StepKind::Deliver => "webhook",
            };
            let wait = until(now, *at);
            let reason = view.poll_reason.as_ref().filter(|_| *step == StepKind::Poll);
            let reason = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
            // Far away, the time itself says more.
            if wait > Duration::from_hours(1) {
                format!("next {next} at {}{reason}", time(*at))
            } else {
                format!("next {next} in {}{reason}", duration(wait))
            }
        }
        WaitingFor::Worker { .. } => "waits for a worker".to_owned(),
        WaitingFor::Account(reason) => blocked(&view.account, reason),
        WaitingFor::Predecessor { submission } => {
            format!("waits for {submission} of the same name; `ferry status {submission}`")
        }
        WaitingFor::Resolution => {
            format!("decide with `ferry resolve {} --overwrite`, `--retry` or `--fail`", view.id)
        }
    }
}

/// The reason that an account runs no steps, until when, and what ends it: the begin of the sentence of a finding.
pub fn blocked(account: &str, reason: &BlockReason) -> String {
    let cause = cause_of_block(account, reason);
    match reason {
        BlockReason::Paused { reason } => format!("{cause}; {}", resuming(account, reason)),
        _ => cause,
    }
}

/// The reason that an account runs no steps, and until when.
pub(crate) fn cause_of_block(account: &str, reason: &BlockReason) -> String {
    match reason {
        BlockReason::Paused { reason } => format!("account `{account}` is paused: {reason}"),
        BlockReason::Throttled { until } => {
            format!("the Platform throttles account `{account}` until {}", time(*until))
        }
        BlockReason::LimitReached { until } => {
            format!("account `{account}` is at its limit until {}", time(*until))
        }
        BlockReason::BreakerOpen { until } => {
            let probe = time(*until);
            format!("circuit breaker of account `{account}` is open, next probe at {probe}")
        }
    }
}

/// The end of a pause.
pub(crate) fn resuming(account: &str, reason: &str) -> String {
    let resume = format!("`ferry resume {account}`");
    if is_paused_by_operator(reason) {
        format!("{resume} resumes it")
    } else {
        format!("`ferry doctor` checks the credentials, {resume} after that resumes it")
    }
}

/// The failures that opened a circuit breaker, behind the sentence about it.
pub(crate) fn outage(outage: &OutageView) -> String {
    let failures = in_a_row(outage.failures);
    let since = outage.since.map(|since| format!(" since {}", time(since))).unwrap_or_default();
    format!(", {failures}{since}{}", last_error(outage.last_error.as_deref()))
}

/// The response that throttles an account, and since when, behind the sentence about it.
pub(crate) fn throttling(throttling: &ThrottlingView) -> String {
    let since = throttling.since.map(|since| format!(", since {}", time(since)));
    let response = throttling.response.as_ref().map(|text| format!(", last response: {text}"));
    since.into_iter().chain(response).collect()
}

/// The failures of an account whose circuit breaker is closed.
pub fn failing(account: &str, failing: &FailingView) -> String {
    let (since, failures) = (time(failing.since), in_a_row(failing.failures));
    let error = last_error(failing.last_error.as_deref());
    format!("no request of account `{account}` has succeeded since {since}, {failures}{error}")
}

fn last_error(error: Option<&str>) -> String {
    error.map(|error| format!(", last error: {error}")).unwrap_or_default()
}

/// The next action of an operator for one that ended badly, or whose account is not configured; while one waits for
/// something else, its remark says so.
pub fn next(view: &SubmissionView) -> Option<String> {
    let id = view.id;
    match view.state {
        State::Rejected if view.feedback.is_none() => {
            Some(format!("`ferry resubmit {id} FILE` submits it again, overwriting the dataset"))
        }
        State::Rejected => Some(format!(
            "`ferry feedback {id}` shows the rows; `ferry resubmit {id} FILE` submits the corrected file"
        )),
        State::Failed => Some(format!("`ferry retry {id}` retries the step that failed")),
        _ if matches!(view.waiting_for, Some(WaitingFor::Worker { .. })) => {
            Some("`ferry worker` runs it, unless a worker is busy with others".to_owned())
        }
        _ => None,
    }
}

/// A process that uses the store: what it is, since when, and what it does.
pub(crate) fn process(process: &ProcessView) -> String {
    let host = process.host.as_deref().filter(|host| !host.is_empty());
    let host = host.map(|host| format!(" on `{host}`")).unwrap_or_default();
    let pid = process.pid.map(|pid| format!(", process {pid}")).unwrap_or_default();
    let (what, version) = (roles(process), &process.version);
    let all = process.all_slots();
    let since = match process.state {
        ProcessState::Silent => format!("silent since {}", time(process.heartbeat_at)),
        ProcessState::Stopping => format!("stopping, since {}", time(process.started_at)),
        ProcessState::Running => format!("since {}", time(process.started_at)),
    };
    let slots = match all.slots {
        _ if process.slots.is_none() || !process.roles.contains(&ProcessRole::Worker) => {
            String::new()
        }
        0 => ", its workers are stopped".to_owned(),
        count => format!(", {} of {} in use", grouped(all.running), counted(count, "slot")),
    };
    format!("{what}{host}{pid}, version {version}, {since}{slots}")
}

/// A process whose last heartbeat cannot be read.
pub(crate) fn damaged_process(process: &DamagedProcess) -> String {
    format!("the heartbeat of process `{}` cannot be read: {}", process.process, process.cause)
}

/// The roles of a process.
pub(crate) fn roles(process: &ProcessView) -> &'static str {
    let has = |role| process.roles.contains(&role);
    match (has(ProcessRole::Server), has(ProcessRole::Worker)) {
        (true, true) => "server with workers",
        (true, false) => "server without workers",
        (false, true) => "worker",
        (false, false) => "process",
    }
}

/// Numbers of processes, of those that are silent, and of those whose heartbeat cannot be read; none if there are no
/// processes.
pub(crate) fn process_counts(view: &ProcessesView) -> Option<String> {
    let ProcessesView { processes, damaged } = view;
    let silent = processes.iter().filter(|one| one.state == ProcessState::Silent).count() as u64;
    let alive = processes.len() as u64 - silent;
    let damaged = damaged.len() as u64;
    let parts = [
        (alive > 0).then(|| {
            let running = if alive == 1 { "process runs" } else { "processes run" };
            format!("{} {running}", grouped(alive))
        }),
        (silent > 0).then(|| {
            let is = if silent == 1 { "is" } else { "are" };
            format!("{} {is} silent", grouped(silent))
        }),
        (damaged > 0).then(|| format!("{} cannot be read", counted(damaged, "heartbeat"))),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// A time, to the second.
pub fn time(at: Timestamp) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// The time of such a text.
pub(crate) fn time_of(text: &str) -> Option<Timestamp> {
    Some(NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S UTC").ok()?.and_utc())
}

/// Duration as text, as exact as a reader needs.
pub fn duration(duration: Duration) -> String {
    /// From two days on, only days are counted.
    const DAYS: u64 = 2 * 86_400;
    let rounded = match duration.as_secs() {
        0 => Duration::from_millis(duration.as_millis() as u64),
        1..10 => Duration::from_millis(duration.as_millis() as u64 / 100 * 100),
        10..3600 => Duration::from_secs(duration.as_secs()),
        seconds @ 3600..DAYS => Duration::from_secs(seconds / 60 * 60),
        seconds => return format!("{} days", seconds / 86_400),
    };
    humantime::format_duration(rounded).to_string()
}

/// `1 poll`, `2 polls`.
pub fn counted(count: impl Into<u64>, what: &str) -> String {
    match count.into() {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    }
}

/// A size in bytes.
pub fn size(bytes: u64) -> String {
    indicatif::BinaryBytes(bytes).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ferry_types::domain::submission::{Processing, SubmissionParts};
    use ferry_types::domain::{Heartbeat, Slots, SubmissionId, timestamp};

    #[test]
    fn a_scheduled_poll_says_why_it_is_due_then() {
        let (id, due) = (SubmissionId::new(timestamp(0), 1), timestamp(150_000));
        let parts = SubmissionParts {
            state: State::Processing,
            step: Some(StepKind::Poll),
            due_at: Some(due),
            processing: Processing { usual_ms: Some(240_000), ..Processing::default() },
            ..SubmissionParts::accepted(id, "default", "march", timestamp(0))
        };
        let waiting = WaitingFor::DueTime { at: due, step: StepKind::Poll };
        let view = SubmissionView::new(parts.into(), Some(waiting));
        let shown = remark(&view, timestamp(30_000));
        assert_eq!(shown, "next poll in 2m (usually ready after 4 min)");
        let shown = remark(&SubmissionView { poll_reason: None, ..view }, timestamp(30_000));
        assert_eq!(shown, "next poll in 2m");
    }

    #[test]
    fn a_process_is_a_sentence_with_what_is_known_of_it() {
        let slots = [(StepKind::Upload, Slots { slots: 64, running: 3 })].into();
        let roles = vec![ProcessRole::Worker];
        let heartbeat = Heartbeat {
            roles,
            version: "0.1.0".to_owned(),
            host: "ferry-1".to_owned(),
            pid: 7,
            uptime_seconds: 60,
            interval_seconds: 5,
            slots,
            ..Heartbeat::default()
        };
        let view =
            |age| ProcessView::new(heartbeat.clone(), timestamp(60_000), Duration::from_secs(age));
        let expected = "worker on `ferry-1`, process 7, version 0.1.0, since 1970-01-01 00:00:00 UTC, 3 of 64 \
                        slots in use";
        assert_eq!(process(&view(1)), expected);
        let silent = process(&view(16));
        assert!(silent.contains(", silent since 1970-01-01 00:01:00 UTC"), "{silent}");
        let stopped = ProcessView { slots: Some([].into()), ..view(1) };
        assert!(process(&stopped).ends_with(" UTC, its workers are stopped"));
        let bound = ProcessView { host: None, pid: None, slots: None, ..view(1) };
        let expected = "worker, version 0.1.0, since 1970-01-01 00:00:00 UTC";
        assert_eq!(process(&bound), expected);
        let (processes, damaged) = (vec![view(1), view(1), view(16)], Vec::new());
        let counted = process_counts(&ProcessesView { processes, damaged });
        assert_eq!(counted.as_deref(), Some("2 processes run, 1 is silent"));
        let damaged = DamagedProcess { process: "a1".to_owned(), cause: "it is empty".to_owned() };
        let text = damaged_process(&damaged);
        assert_eq!(text, "the heartbeat of process `a1` cannot be read: it is empty");
        let damaged = ProcessesView { processes: Vec::new(), damaged: vec![damaged] };
        assert_eq!(process_counts(&damaged).as_deref(), Some("1 heartbeat cannot be read"));
        assert_eq!(process_counts(&ProcessesView::default()), None);
    }

    #[test]
    fn a_span_is_as_exact_as_its_length_deserves() {
        let shown = |millis| duration(Duration::from_millis(millis));
        let hour = 3_600_000;
        assert_eq!(shown(0), "0s");
        assert_eq!(shown(234), "234ms");
        assert_eq!(shown(1234), "1s 200ms");
        assert_eq!(shown(61_234), "1m 1s");
        assert_eq!(shown(hour + 61_234), "1h 1m");
        assert_eq!(shown(47 * hour), "1day 23h");
        assert_eq!(shown(49 * hour), "2 days");
    }
}
