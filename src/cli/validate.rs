//! `ferry validate`: everything that is wrong with a dataset, before anything is sent.

use std::path::PathBuf;

use clap::Args;

use super::failure::{Exit, Failure};
use super::files::{read, title};
use super::show::counted;
use super::ui::Ui;
use ferry_types::domain::dataset::{Report, Severity, Table, check, check_pair};

/// The largest file that is looked at.
const LIMIT: u64 = 1 << 30;

/// Check datasets; nothing is handed over.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ferry validate march.csv
  ferry validate march.csv --events march-events.csv
  ferry validate --json march.csv | jq '.problems[] | {line, column, value}'

Exit code 3 means that there are errors; warnings alone are 0.")]
pub(super) struct Validate {
    /// The datasets, as CSV; `-` reads stdin.
    #[arg(required_unless_present = "events", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Events, as CSV; may be repeated. One FILE and one of these are also compared.
    #[arg(long, value_name = "FILE")]
    events: Vec<PathBuf>,
}

impl Validate {
    pub(super) fn run(self, ui: &Ui) -> Result<Exit, Failure> {
        let mut reports = Vec::new();
        let mut texts = Vec::new();
        let data = self.files.iter().map(|file| (Table::Data, file));
        let events = self.events.iter().map(|file| (Table::Events, file));
        for (table, file) in data.chain(events) {
            let (report, text) = check(table, &title(file), &read(file, LIMIT)?);
            reports.push(report);
            texts.extend(text);
        }
        // One of each belong together.
        if let ([_], [_], [data, events]) = (&*self.files, &*self.events, &*texts) {
            reports[1].problems.extend(check_pair(data, events));
        }
        tell_reports(&reports, ui)?;
        let valid = reports.iter().all(Report::is_valid);
        Ok(if valid { Exit::Done } else { Exit::Invalid })
    }
}

/// Says everything about some files: on stdout, for it is what was asked for.
pub(super) fn tell_reports(reports: &[Report], ui: &Ui) -> Result<(), Failure> {
    for report in reports {
        if ui.json {
            ui.object(report)?;
            continue;
        }
        for problem in &report.problems {
            let severity = match problem.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            };
            ui.out(format!("{}: {severity}: {problem}", report.file))?;
        }
        if report.omitted > 0 {
            ui.out(format!("{}: and {} more", report.file, report.omitted))?;
        }
        ui.out(format!("{}: {}", report.file, summary(report)))?;
    }
    Ok(())
}

/// Says what is odd about files that are accepted.
pub(super) fn tell_warnings(reports: &[Report], ui: &Ui) {
    for report in reports {
        for problem in report.problems.iter().take(10) {
            ui.warning(&format!("{}: {problem}", report.file));
        }
        let more = (report.problems.len() as u64).saturating_sub(10) + report.omitted;
        if more > 0 {
            ui.warning(&format!("{}: and {more} more; `ferry validate` shows them", report.file));
        }
    }
}

fn summary(report: &Report) -> String {
    let rows = counted(report.rows, "row");
    // What could not be read as CSV has none.
    let within = if report.rows == 0 { String::new() } else { format!(" in {rows}") };
    let found = |severity: Severity| {
        report.problems.iter().filter(|problem| problem.severity == severity).count() as u64
    };
    let (errors, warnings) = (found(Severity::Error), found(Severity::Warning));
    match (report.is_valid(), warnings) {
        (true, 0) => format!("valid, {rows}"),
        (true, _) => format!("valid, {rows}, {}", counted(warnings, "warning")),
        (false, 0) => format!("invalid: {}{within}", counted(errors, "error")),
        (false, _) => {
            let (errors, warnings) = (counted(errors, "error"), counted(warnings, "warning"));
            format!("invalid: {errors} and {warnings}{within}")
        }
    }
}
