//! An example of each body: values of the types themselves, so that none is wrong.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::queue::{Counts, Now, Reading};
use ferry_store::{AccountStats, Stats, StepStats};
use ferry_types::contract::{
    AccountView, AccountsView, AuditRecordView, AuditView, BulkActionRequest, BulkActionView,
    BulkResponse, BulkUnchanged, CellFeedback, CheckView, ChecksView, CorrectRequest, CorrectView,
    CountView, CreatedKeyView, Drill, DrillView, ExpectedView, KeyRequest, KeyView, KeysView,
    OperatorAction, PauseRequest, PauseView, Problem, ProblemKind, ProcessState, ProcessView,
    ProcessesView, RehearsalRequest, RehearsalView, Resolution, ResolveRequest, ResubmitRequest,
    RevokedKeyView, RowProblem, RowView, RowsView, SettingView, SettingsView, StatsView,
    SubmissionPage, SubmissionRequest, SubmissionResponse, SubmissionView, ValidateRequest,
    ValidateView, WaitingFor, WebhookView, WhoamiView,
};
use ferry_types::domain::account::{Health, HealthPolicy, Signal};
use ferry_types::domain::dataset::{CellDifference, Difference, Edit, RowDifference, Table, check};
use ferry_types::domain::feedback::{CellRef, FeedbackItem, RowLocation};
use ferry_types::domain::submission::{
    Delivery, DeliveryResult, LifecycleError, State, StepKind, StoredContent, SubmissionParts,
    TimelineEntry,
};
use ferry_types::domain::{ProcessRole, Slots, SubmissionId, Timestamp, timestamp};

pub(in crate::api) const DATA: &str = "Reference,StartDate,StartTime,EndDate,EndTime\n\
                               SITE-001,03/03/2025,08:00,03/03/2025,16:30\n";

/// A type of bodies.
pub(in crate::api) trait Example {
    fn example() -> Self;
}

macro_rules! examples {
    ($($type:ty: $value:expr;)+) => {
        $(impl Example for $type {
            fn example() -> Self {
                $value
            }
        })+
    };
}

examples! {
    SubmissionRequest: request();
    ResubmitRequest: ResubmitRequest { data: DATA.to_owned(), ..ResubmitRequest::default() };
    ValidateRequest: ValidateRequest { data: DATA.to_owned(), event_data: None };
    ValidateView: validated();
    RowsView: rows();
    CorrectRequest: CorrectRequest { edits: vec![edit()], ..CorrectRequest::default() };
    CorrectView: CorrectView {
        changed_cells: 1,
        changed_rows: 1,
        deleted_rows: 0,
        inserted_rows: 0,
        submission: Some(queued()),
        warnings: Vec::new(),
    };
    Difference: difference();
    ResolveRequest: ResolveRequest { resolution: Resolution::Overwrite };
    PauseRequest: PauseRequest { reason: Some("maintenance".to_owned()) };
    PauseView: PauseView {
        account: "default".to_owned(),
        pause_reason: Some("maintenance".to_owned()),
        changed: true,
    };
    SubmissionView: completed();
    SubmissionResponse: SubmissionResponse { submission: queued(), warnings: Vec::new() };
    SubmissionPage: SubmissionPage {
        submissions: vec![completed()],
        damaged: Vec::new(),
        next_cursor: Some("17".to_owned()),
    };
    WebhookView: deliveries();
    Vec<TimelineEntry>: timeline();
    Vec<FeedbackItem>: findings();
    StatsView: stats();
    AccountView: account();
    AccountsView: AccountsView { accounts: vec![account()] };
    BulkActionRequest: BulkActionRequest {
        states: vec![State::Failed],
        accounts: vec!["default".to_owned()],
        ..BulkActionRequest::new(OperatorAction::Retry)
    };
    BulkActionView: bulk_action();
    KeysView: KeysView {
        keys: vec![KeyView {
            name: "billing".to_owned(),
            role: "submit".to_owned(),
            accounts: Some(vec!["default".to_owned()]),
            created_at: at(0),
        }],
    };
    KeyRequest: KeyRequest {
        name: "billing".to_owned(),
        role: "submit".to_owned(),
        accounts: vec!["default".to_owned()],
    };
    CreatedKeyView: CreatedKeyView {
        name: "billing".to_owned(),
        role: "submit".to_owned(),
        accounts: Some(vec!["default".to_owned()]),
        key: "ferry_EXAMPLE".to_owned(),
    };
    RehearsalRequest: RehearsalRequest { drill: Some(Drill::Outage), on: true, share: None };
    RehearsalView: rehearsal();
    RevokedKeyView: RevokedKeyView { name: "billing".to_owned() };
    AuditView: audit();
    ChecksView: ChecksView {
        version: "0.1.0".to_owned(),
        ok: true,
        store_checked_at: Some(at(0)),
        checks: vec![CheckView {
            ok: true,
            text: "the server is ready".to_owned(),
            hint: None,
        }],
    };
    ProcessesView: ProcessesView {
        processes: vec![ProcessView {
            process: "5f0c2a9be1d3476a".to_owned(),
            roles: vec![ProcessRole::Server, ProcessRole::Worker],
            state: ProcessState::Running,
            version: "0.1.0".to_owned(),
            host: Some("ferry-1".to_owned()),
            pid: Some(7),
            started_at: at(-3600),
            heartbeat_at: at(0),
            slots: Some([(StepKind::Upload, Slots { slots: 64, running: 3 })].into()),
            accounts: vec!["default".to_owned()],
            omitted_accounts: 0,
        }],
        damaged: Vec::new(),
    };
    SettingsView: SettingsView {
        settings: vec![SettingView {
            account: None,
            name: "deadline".to_owned(),
            value: Some("24h".to_owned()),
            source: "default".to_owned(),
            location: None,
        }],
    };
    CountView: CountView { count: 12, has_more: false };
    WhoamiView: WhoamiView {
        name: "billing".to_owned(),
        role: "submit".to_owned(),
        accounts: Some(vec!["default".to_owned()]),
    };
}

/// Time of the example, and so many seconds.
fn at(seconds: i64) -> Timestamp {
    timestamp((1_772_524_800 + seconds) * 1000)
}

fn labels() -> BTreeMap<String, String> {
    BTreeMap::from([("team".to_owned(), "north".to_owned())])
}

fn request() -> SubmissionRequest {
    SubmissionRequest {
        name: "march".to_owned(),
        data: DATA.to_owned(),
        labels: labels(),
        idempotency_key: Some("march-1".to_owned()),
        ..SubmissionRequest::default()
    }
}

/// A submission that was completed.
fn completed() -> SubmissionView {
    let result = StoredContent {
        key: "tableofresultids".to_owned(),
        content_type: Some("text/csv".to_owned()),
        bytes: 412,
    };
    SubmissionView {
        state: State::Completed,
        upload_attempts: 1,
        polls: 2,
        updated_at: at(9),
        finished_at: Some(at(9)),
        processing_token: Some("5b0e6a3c-4f7d-4b0e-9a53-0c8f6d2b7e11".to_owned()),
        results: vec![result],
        waiting_for: None,
        ..queued()
    }
}

fn deliveries() -> WebhookView {
    let tried = |seconds, attempt, result, status| Delivery {
        at: at(seconds),
        attempt,
        result,
        status: Some(status),
    };
    WebhookView {
        id: SubmissionId::new(at(0), 7),
        webhook_url: Some("https://hooks.example.com/ferry".to_owned()),
        next_at: None,
        deliveries: vec![
            tried(9, 1, DeliveryResult::ServerError, 503),
            tried(13, 2, DeliveryResult::Delivered, 204),
        ],
    }
}

fn queued() -> SubmissionView {
    let parts = SubmissionParts {
        result_keys: vec!["tableofresultids".to_owned()],
        deadline: at(86_400),
        labels: labels(),
        ..SubmissionParts::accepted(SubmissionId::new(at(0), 7), "default", "march", at(0))
    };
    SubmissionView::new(parts.into(), Some(WaitingFor::Worker { step: StepKind::Upload }))
}

pub(in crate::api) fn bulk() -> [SubmissionRequest; 2] {
    [request(), SubmissionRequest { name: String::new(), ..request() }]
}

pub(in crate::api) fn bulk_responses() -> [BulkResponse; 2] {
    let kept = BulkResponse {
        line: 1,
        id: Some(SubmissionId::new(at(0), 7)),
        duplicate: false,
        error: None,
    };
    let mut problem = Problem::new(ProblemKind::InvalidField, "`name`: it must not be empty");
    problem.field = Some("name".to_owned());
    [kept, BulkResponse { line: 2, id: None, duplicate: false, error: Some(problem) }]
}

fn timeline() -> Vec<TimelineEntry> {
    let line = |seconds, state, message: &str| TimelineEntry {
        at: at(seconds),
        state,
        message: message.into(),
    };
    vec![
        line(0, State::Queued, "accepted"),
        line(1, State::Uploading, ""),
        line(2, State::Processing, ""),
        line(9, State::Completed, ""),
    ]
}

fn findings() -> Vec<FeedbackItem> {
    let cells = ["UNKNOWN-7", "03/03/2025", "08:00", "03/03/2025", "17:00"];
    let place = RowLocation {
        table: Table::Data,
        row: 2,
        line: 3,
        matching_cells: vec![CellRef { cell: 0, column: Some("Reference".to_owned()) }],
        cells: cells.map(str::to_owned).into(),
    };
    vec![FeedbackItem {
        row: Some(3),
        value: Some("UNKNOWN-7".to_owned()),
        message: "unknown reference".to_owned(),
        locations: vec![place],
    }]
}

fn validated() -> ValidateView {
    let data = DATA.replace("16:30", "4pm");
    let report = check(Table::Data, "data", data.as_bytes()).0;
    let problem = |found| RowProblem { table: Table::Data, found };
    ValidateView {
        valid: report.is_valid(),
        error_count: report.error_count,
        warning_count: report.warning_count,
        problems: report.problems.into_iter().map(problem).collect(),
        omitted: report.omitted,
    }
}

fn edit() -> Edit {
    Edit::Set { table: Table::Data, row: 2, cell: 0, value: "SITE-7".to_owned() }
}

fn rows() -> RowsView {
    let cells = ["UNKNOWN-7", "03/03/2025", "08:00", "03/03/2025", "17:00"];
    let message = "unknown reference".to_owned();
    let row = RowView {
        row: 2,
        line: 3,
        cells: cells.map(str::to_owned).into(),
        shortened: Vec::new(),
        omitted: 0,
        feedback: vec![CellFeedback { cell: 0, message, candidates: 1 }],
    };
    let columns = Table::Data.columns().iter().map(|column| column.name.to_owned()).collect();
    RowsView { table: Table::Data, columns, rows: vec![row], next: None }
}

fn difference() -> Difference {
    let cell = CellDifference {
        cell: 0,
        column: Some("Reference".to_owned()),
        before: Some("UNKNOWN-7".to_owned()),
        after: Some("SITE-7".to_owned()),
    };
    let row =
        RowDifference { table: Table::Data, before: Some(2), after: Some(2), cells: vec![cell] };
    Difference { changed_cells: 1, changed_rows: 1, rows: vec![row], ..Difference::default() }
}

fn bulk_action() -> BulkActionView {
    let id = |n| SubmissionId::new(at(0), n);
    let newer = LifecycleError::NewerUploaded { id: id(3), newer: id(9) };
    let newer_uploaded = BulkUnchanged {
        code: newer.code().to_owned(),
        message: newer.to_string(),
        count: 1,
        examples: vec![id(3)],
    };
    BulkActionView {
        dry_run: true,
        changed: 2,
        examples: vec![id(7), id(5)],
        unchanged: vec![newer_uploaded],
        has_more: false,
        pinned: Some("18".to_owned()),
    }
}

fn audit() -> AuditView {
    let record = AuditRecordView {
        n: 8,
        at: at(1),
        phase: "outcome".to_owned(),
        actor: "ops".to_owned(),
        via: "api".to_owned(),
        action: format!("POST /v1/submissions/{}/resolve", SubmissionId::new(at(0), 7)),
        details: Some("overwrite".to_owned()),
        client: Some("192.0.2.1".to_owned()),
        request: Some(SubmissionId::new(at(1), 1).to_string()),
        intent: Some(7),
        outcome: Some("200".to_owned()),
    };
    AuditView { records: vec![record], unreadable: 0, next_cursor: Some("2048".to_owned()) }
}

/// The queue in an outage.
fn stats() -> StatsView {
    let error = || Signal::Unhealthy("connection refused".to_owned());
    let (mut health, policy) = (Health::default(), HealthPolicy::default());
    for second in 0..i64::from(policy.breaker_failures) {
        health.record(&error(), StepKind::Poll, at(second), &policy);
    }
    let account = "default".to_owned();
    let states = BTreeMap::from([(State::Processing, 55), (State::Completed, 1200)]);
    let steps = StepStats {
        ready: 12,
        runnable: 12,
        scheduled: 40,
        running: 3,
        oldest_ready: Some(Duration::from_millis(400)),
        ..StepStats::none(&account, StepKind::Poll)
    };
    let stats =
        Stats { accounts: vec![AccountStats { account, health, states }], steps: vec![steps] };
    let reading = Reading {
        stats: &stats,
        drain: Some(Duration::from_millis(21_500)),
        now: Now { at: at(9), policy: &policy, abandoned: &Counts::new() },
        checked: Ok(()),
        failed: &[],
    };
    reading.view()
}

fn account() -> AccountView {
    stats().accounts.remove(0)
}

/// The parts of a form.
pub(in crate::api) fn form(is_new: bool) -> serde_json::Value {
    if is_new {
        serde_json::json!({ "data": DATA, "name": "march", "label": ["team=north"] })
    } else {
        serde_json::json!({ "data": DATA })
    }
}

fn rehearsal() -> RehearsalView {
    let expected = ExpectedView {
        when: "after 10 failures in a row".to_owned(),
        sentence:
            "circuit breaker of account `default` is open, next probe at 2026-03-03 08:00:10 UTC; \
                   its requests begin again when a probe succeeds"
                .to_owned(),
        effect: "3 unfinished submissions wait.".to_owned(),
    };
    let drill = Drill::Outage;
    RehearsalView {
        drills: vec![DrillView { drill, on: true, share: None, expected: vec![expected] }],
    }
}
