//! Prints what was found in datasets: a dozen lines for a person, whatever the file, and the true counts.

use crate::cli::error::CliError;
use crate::cli::ui::Ui;
use ferry_types::domain::dataset::{Problem, Report, Severity, grouped};

/// Errors that are printed for a file.
const MAX_ERRORS: usize = 10;
/// Errors and warnings that are printed for a file.
const MAX_LINES: usize = 12;

/// Prints everything about some files on stdout, because that is what the command is for.
pub(in crate::cli) fn print_reports(reports: &[Report], ui: &Ui) -> Result<(), CliError> {
    for report in reports {
        if ui.json {
            ui.object(report)?;
            continue;
        }
        let (printed, rest) = selected(report);
        for problem in printed {
            ui.out(format!("{}: {}: {problem}", report.file, word(problem.severity)))?;
        }
        if let Some(rest) = rest {
            ui.out(format!("{}: … and {rest}", report.file))?;
        }
        ui.out(format!("{}: {}", report.file, summary(report)))?;
    }
    Ok(())
}

/// Says which invalid files need no person to become valid.
pub(in crate::cli) fn hint_fix(reports: &[Report], ui: &Ui) {
    let is_named = |report: &&Report| !report.is_valid() && report.is_fixable() && !ui.json;
    for report in reports.iter().filter(is_named) {
        let file = if report.file == "stdin" { "-" } else { &report.file };
        ui.hint(&format!("correct all of these: `ferry validate --fix {file}`"));
    }
}

/// Prints the warnings about files that are accepted.
pub(in crate::cli) fn print_warnings(reports: &[Report], ui: &Ui) {
    for report in reports {
        let (printed, rest) = selected(report);
        for problem in printed {
            ui.warning(&format!("{}: {problem}", report.file));
        }
        if let Some(rest) = rest {
            ui.warning(&format!(
                "{}: … and {rest}: `ferry validate --json` lists them",
                report.file
            ));
        }
    }
}

/// The problems to print, in the order of the lines, and how many are left.
fn selected(report: &Report) -> (Vec<&Problem>, Option<String>) {
    let errors = report.errors().count().min(MAX_ERRORS);
    let (mut errors_left, mut warnings_left) = (errors, MAX_LINES - errors);
    let printed: Vec<_> = report
        .problems
        .iter()
        .filter(|problem| {
            let left = match problem.severity {
                Severity::Error => &mut errors_left,
                Severity::Warning => &mut warnings_left,
            };
            let is_printed = *left > 0;
            *left = left.saturating_sub(1);
            is_printed
        })
        .collect();
    let counted_as =
        |severity| printed.iter().filter(|p| p.severity == severity).map(|p| p.count).sum::<u64>();
    let errors = report.error_count - counted_as(Severity::Error);
    let warnings = report.warning_count - counted_as(Severity::Warning);
    let rest = match (errors, warnings) {
        (0, 0) => None,
        (0, _) => Some(more(warnings, "warning")),
        (_, 0) => Some(more(errors, "error")),
        _ => Some(format!("{} and {}", more(errors, "error"), more(warnings, "warning"))),
    };
    (printed, rest)
}

fn more(count: u64, what: &str) -> String {
    counted(count, &format!("more {what}"))
}

/// One thing, or several with the number in groups of thousands.
pub(super) fn counted(count: u64, what: &str) -> String {
    format!("{} {what}{}", grouped(count), if count == 1 { "" } else { "s" })
}

pub(super) fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn summary(report: &Report) -> String {
    let rows = counted(report.rows, "row");
    // What could not be read as CSV has none.
    let within = match (report.rows, report.unchecked_rows) {
        (0, _) => String::new(),
        (_, 0) => format!(" in {rows}"),
        (all, rest) => format!(" in the first {} of {rows}", grouped(all - rest)),
    };
    let (errors, warnings) =
        (counted(report.error_count, "error"), counted(report.warning_count, "warning"));
    match (report.is_valid(), report.warning_count) {
        (true, 0) => format!("valid, {rows}"),
        (true, _) => format!("valid, {rows}, {warnings}"),
        (false, 0) => format!("invalid: {errors}{within}"),
        (false, _) => format!("invalid: {errors} and {warnings}{within}"),
    }
}
