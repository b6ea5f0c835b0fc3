//! `ferry validate`: everything that is wrong with a dataset, before anything is sent.

mod fixing;
mod report;

use std::path::PathBuf;

use clap::Args;

use super::error::{CliError, Exit};
use super::files::{read, title};
use super::ui::Ui;
use ferry_types::domain::dataset::{Report, Table, check, check_pair};
pub(super) use report::{hint_fix, print_reports, print_warnings};

/// Validate datasets; nothing is submitted.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ferry validate march.csv
  ferry validate march.csv --events march-events.csv
  ferry validate --fix march.csv                   writes march.fixed.csv
  ferry validate --fix march.csv -o corrected.csv
  ferry validate --json march.csv | jq '.problems[] | {line, column, value}'

Exit code 3 means that there are errors, with --fix that errors remain; warnings alone are 0.")]
pub(super) struct Validate {
    /// The datasets, as CSV; `-` reads stdin.
    #[arg(required_unless_present = "events", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Events, as CSV; may be repeated. One FILE and one of these are also compared.
    #[arg(long, value_name = "FILE")]
    events: Vec<PathBuf>,
    /// Write the form that is uploaded, with everything corrected that is wrong beyond doubt.
    #[arg(long)]
    fix: bool,
    /// File to write with --fix, or `-` for stdout [default: FILE with `.fixed` in its name].
    #[arg(short, long, value_name = "OUT", requires = "fix")]
    output: Option<PathBuf>,
}

impl Validate {
    pub(super) fn run(self, ui: &Ui) -> Result<Exit, CliError> {
        if self.fix {
            return self.fix_all(ui);
        }
        let mut reports = Vec::new();
        let mut texts = Vec::new();
        for (table, file) in self.tables() {
            let (report, text) = check(table, &title(file), &read(file, fixing::LARGEST)?);
            reports.push(report);
            texts.extend(text);
        }
        // One of each belong together.
        if let ([_], [_], [data, events]) = (&*self.files, &*self.events, &*texts) {
            check_pair(data, events, &mut reports[1]);
        }
        print_reports(&reports, ui)?;
        hint_fix(&reports, ui);
        let valid = reports.iter().all(Report::is_valid);
        Ok(if valid { Exit::Done } else { Exit::Invalid })
    }

    fn tables(&self) -> impl Iterator<Item = (Table, &PathBuf)> {
        let data = self.files.iter().map(|file| (Table::Data, file));
        data.chain(self.events.iter().map(|file| (Table::Events, file)))
    }

    fn fix_all(&self, ui: &Ui) -> Result<Exit, CliError> {
        if self.output.is_some() && self.tables().count() > 1 {
            let what = "--output belongs to one FILE, and there are several";
            return Err(CliError::usage(what.to_owned()));
        }
        let mut exit = Exit::Done;
        for (table, file) in self.tables() {
            if !fixing::fix_file(table, file, self.output.as_deref(), ui)? {
                exit = Exit::Invalid;
            }
        }
        Ok(exit)
    }
}
