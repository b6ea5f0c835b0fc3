//! Results of checks, as they are printed.

use serde_json::json;

use crate::cli::ui::Ui;
use ferry_store::{CheckResult, StoreError};

/// A check that found nothing wrong.
pub(super) fn good(text: String) -> CheckResult {
    CheckResult { ok: true, text, hint: None }
}

/// A check that found a problem, and the way out.
pub(super) fn bad(text: &str, hint: &str) -> CheckResult {
    CheckResult { ok: false, text: text.to_owned(), hint: Some(hint.to_owned()) }
}

/// Prints it; returns true if it is good.
pub(super) fn print_and_judge(finding: &CheckResult, ui: &Ui) -> std::io::Result<bool> {
    print_finding(finding, ui).map(|()| finding.ok)
}

/// Prints a warning, which has its own way out and fails nothing.
pub(super) fn print_warning(text: &str, ui: &Ui) -> std::io::Result<()> {
    if ui.json {
        return print_finding(&good(text.to_owned()), ui);
    }
    ui.out(format!("note  {text}"))
}

/// Prints it as a line, and its hint as another.
pub(super) fn print_finding(finding: &CheckResult, ui: &Ui) -> std::io::Result<()> {
    if ui.json {
        return ui.object(&json!({ "ok": finding.ok, "text": finding.text, "hint": finding.hint }));
    }
    let mark = match (finding.ok, &finding.hint) {
        (true, None) => "ok  ",
        (true, Some(_)) => "note",
        (false, _) => "FAIL",
    };
    ui.out(format!("{mark}  {}", finding.text))?;
    match &finding.hint {
        Some(hint) => ui.out(format!("      hint: {hint}")),
        None => Ok(()),
    }
}

/// A check to which the store responded with an error.
pub(super) fn store_failed(error: &StoreError) -> CheckResult {
    let hint = match error {
        _ if let Some(hint) = error.hint() => hint,
        StoreError::Unavailable { location, .. } if location.starts_with("redis") => {
            "check `store`, `store_password` and, with TLS, `store_ca`, and that the server can be \
             reached from here"
        }
        StoreError::Unavailable { .. } => {
            "check `store`, and that its file can be reached from here"
        }
        StoreError::Damaged { .. } => "restore a backup, or submit the dataset again",
        _ => "use the version of Ferry that wrote the store, or restore a backup",
    };
    bad(&error.to_string(), hint)
}
