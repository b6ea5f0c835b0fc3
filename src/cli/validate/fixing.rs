//! `ferry validate --fix`: writes a dataset in its canonical form, or says which errors need a person.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::report::{counted, print_reports};
use crate::cli::error::CliError;
use crate::cli::files::{read, title};
use crate::cli::ui::{Ui, write_bytes};
use crate::private_files::{Mode, replace};
use ferry_types::domain::dataset::{Fixed, Report, Severity, Table, fix};

/// The largest file that is read.
pub(super) const LARGEST: u64 = 1 << 30;

/// The object that `--fix --json` prints for a file.
#[derive(Debug, Serialize)]
struct FixReport<'a> {
    #[serde(flatten)]
    report: &'a Report,
    /// The file that was written; null if none was.
    output: Option<String>,
    /// Records that now end in CRLF.
    line_ends: u64,
    /// True if a byte order mark was removed, or the encoding changed.
    encoding_changed: bool,
}

/// Writes the canonical form of `file`; false if errors remain, which have been printed.
pub(super) fn fix_file(
    table: Table,
    file: &Path,
    output: Option<&Path>,
    ui: &Ui,
) -> Result<bool, CliError> {
    let output = output.map_or_else(|| default_output(file), |path| Ok(path.to_owned()))?;
    let (report, fixed) = fix(table, &title(file), &read(file, LARGEST)?);
    let Some(fixed) = fixed else {
        return remaining(report, ui);
    };
    if output == Path::new("-") {
        // The text is what stdout is for.
        write_bytes(fixed.text.as_bytes())?;
        return Ok(true);
    }
    write(&output, fixed.text.as_bytes())?;
    print_changes(&report, &fixed, &output, ui)?;
    Ok(true)
}

/// `march.csv` becomes `march.fixed.csv`, which must not be there yet: nothing is overwritten unasked.
fn default_output(file: &Path) -> Result<PathBuf, CliError> {
    if file == Path::new("-") {
        return Ok(file.to_owned());
    }
    let ending = file.extension().map_or_else(String::new, |e| format!(".{}", e.to_string_lossy()));
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let output = file.with_file_name(format!("{stem}.fixed{ending}"));
    if output.symlink_metadata().is_ok() {
        return Err(CliError::usage(format!("`{}` already exists", output.display()))
            .hint(format!("overwrite it with `-o {}`", output.display())));
    }
    Ok(output)
}

/// Prints the problems that only a person can correct, and not the others.
fn remaining(mut report: Report, ui: &Ui) -> Result<bool, CliError> {
    if ui.json {
        let outcome =
            FixReport { report: &report, output: None, line_ends: 0, encoding_changed: false };
        ui.object(&outcome)?;
        return Ok(false);
    }
    for problem in report.problems.iter().filter(|problem| problem.fixable) {
        match problem.severity {
            Severity::Error => report.error_count -= problem.count,
            Severity::Warning => report.warning_count -= problem.count,
        }
    }
    report.problems.retain(|problem| !problem.fixable);
    print_reports(&[report], ui)?;
    ui.print_note("nothing was written: correct these errors first");
    Ok(false)
}

fn write(output: &Path, text: &[u8]) -> Result<(), CliError> {
    replace(output, text, Mode::Kept).map_err(|error| {
        anyhow::Error::new(error).context(format!("cannot write `{}`", output.display())).into()
    })
}

fn print_changes(report: &Report, fixed: &Fixed, output: &Path, ui: &Ui) -> Result<(), CliError> {
    let file = &report.file;
    if ui.json {
        let outcome = FixReport {
            report,
            output: Some(title(output)),
            line_ends: fixed.line_ends,
            encoding_changed: fixed.had_other_encoding,
        };
        return Ok(ui.object(&outcome)?);
    }
    for problem in &report.problems {
        let what = if problem.fixable { "fixed" } else { "warning" };
        ui.out(format!("{file}: {what}: {problem}"))?;
    }
    if fixed.had_other_encoding {
        ui.out(format!("{file}: fixed: the text is UTF-8 without a byte order mark"))?;
    }
    if fixed.line_ends > 0 {
        ui.out(format!("{file}: fixed: {} in CRLF", counted(fixed.line_ends, "line end")))?;
    }
    let rows = counted(report.rows, "row");
    ui.out(format!("{}: written, {rows}", output.display()))?;
    Ok(())
}
