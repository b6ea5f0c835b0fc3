//! `ferry submit --ndjson`: many submissions from one file, checked whole before any is stored.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, Write};
use std::path::Path;

use super::accept_batch::{AcceptedBatch, accept};
use super::error::{CliError, Exit};
use super::files::title;
use super::progress;
use super::ui::Ui;
use super::validate::print_reports;
use crate::pipeline::{Intake, IntakeError, Prepared, SourceLabels};
use ferry_types::contract::SubmissionRequest;

/// Submissions stored in one transaction.
const BATCH: usize = 500;

/// A longer line cannot be a submission: JSON escapes make a text at most six times longer.
const LONGEST_LINE: u64 = 512 << 20;

/// Maximum number of errors that are shown one by one.
const SHOWN: usize = 10;

/// Stores every line of a file; none if a line is not a valid submission, which was reported then.
pub(super) async fn submit(
    intake: &Intake,
    path: &Path,
    ui: &Ui,
) -> Result<Option<AcceptedBatch>, CliError> {
    let mut source = Source::open(path)?;
    let mut wrong = 0_usize;
    let mut lines = 0_u64;
    source.each(ui, "checking", |line| {
        lines += 1;
        if let Err(error) = prepare(intake, &line) {
            wrong += 1;
            if wrong <= SHOWN {
                report(error, ui)?;
            }
        }
        Ok(())
    })?;
    if wrong > 0 {
        if wrong > SHOWN {
            ui.print_note(format!("and {} more", wrong - SHOWN));
        }
        ui.print_note(format!("{wrong} of {lines} lines are invalid: nothing was submitted"));
        return Ok(None);
    }
    if lines == 0 {
        ui.error(format!("`{}` holds no submission", title(path)));
        return Ok(None);
    }
    accept_all(intake, &mut source, ui).await.map(Some)
}

async fn accept_all(
    intake: &Intake,
    source: &mut Source,
    ui: &Ui,
) -> Result<AcceptedBatch, CliError> {
    let mut all = AcceptedBatch::default();
    let mut reader = source.rewind()?;
    let bar = progress::bar(ui, source.bytes, "{bar:30} {bytes} of {total_bytes} submitted");
    let mut number = 0;
    loop {
        let mut batch = Vec::with_capacity(BATCH);
        while batch.len() < BATCH {
            let Some(line) = next_line(&mut reader, &source.name, &mut number)? else { break };
            bar.inc(line.text.len() as u64);
            // It was checked before; a file that changed meanwhile is found out here.
            batch.push(prepare(intake, &line).map_err(LineError::into_failure)?.new);
        }
        if batch.is_empty() {
            bar.finish_and_clear();
            return Ok(all);
        }
        let stored = accept(intake, batch, ui).await;
        if stored.is_err() && !all.ids.is_empty() {
            ui.print_note(format!(
                "the first {} submissions were submitted before this:",
                all.ids.len()
            ));
        }
        let stored = stored?;
        all.ids.extend(stored.ids);
        all.conflicts += stored.conflicts;
    }
}

/// A line of the file, and its place.
struct NdjsonLine {
    location: String,
    text: String,
}

/// The error in a line.
enum LineError {
    Json(String),
    Refused(String, IntakeError),
}

impl LineError {
    fn into_failure(self) -> CliError {
        match self {
            Self::Json(what) => CliError::new(Exit::Invalid, anyhow::Error::msg(what)),
            Self::Refused(location, error) => {
                CliError::new(Exit::Invalid, anyhow::Error::new(error).context(location))
            }
        }
    }
}

fn prepare(intake: &Intake, line: &NdjsonLine) -> Result<Prepared, LineError> {
    let location = &line.location;
    let request = SubmissionRequest::from_json(&line.text)
        .map_err(|what| LineError::Json(format!("{location}: not a submission: {what}")))?;
    let names = SourceLabels {
        data: format!("{location}: data"),
        events: format!("{location}: event_data"),
    };
    intake.prepare(request, &names).map_err(|error| LineError::Refused(location.clone(), error))
}

fn report(error: LineError, ui: &Ui) -> Result<(), CliError> {
    match error {
        LineError::Json(what) => ui.error(&what),
        LineError::Refused(_, IntakeError::Dataset(reports)) => print_reports(&reports, ui)?,
        LineError::Refused(location, error) => ui.error(format!("{location}: {error}")),
    }
    Ok(())
}

/// The lines, which are read twice.
struct Source {
    name: String,
    file: File,
    bytes: u64,
}

impl Source {
    fn open(path: &Path) -> Result<Self, CliError> {
        let cannot = |error: std::io::Error| {
            let what = format!("cannot read `{}`", title(path));
            CliError::new(Exit::Usage, anyhow::Error::new(error).context(what))
        };
        let file = if path == Path::new("-") {
            spool(&mut std::io::stdin().lock()).map_err(cannot)?
        } else {
            let mut file = File::open(path).map_err(cannot)?;
            // A pipe cannot be read twice.
            let regular = file.metadata().map_err(cannot)?.is_file();
            if regular { file } else { spool(&mut file).map_err(cannot)? }
        };
        let bytes = file.metadata().map_err(cannot)?.len();
        Ok(Self { name: title(path), file, bytes })
    }

    fn rewind(&mut self) -> std::io::Result<BufReader<File>> {
        self.file.rewind()?;
        Ok(BufReader::with_capacity(1 << 20, self.file.try_clone()?))
    }

    fn each(
        &mut self,
        ui: &Ui,
        doing: &str,
        mut take: impl FnMut(NdjsonLine) -> Result<(), CliError>,
    ) -> Result<(), CliError> {
        let mut reader = self.rewind()?;
        let template = format!("{{bar:30}} {doing} {{bytes}} of {{total_bytes}}");
        let bar = progress::bar(ui, self.bytes, &template);
        let mut number = 0;
        while let Some(line) = next_line(&mut reader, &self.name, &mut number)? {
            bar.inc(line.text.len() as u64);
            take(line)?;
        }
        bar.finish_and_clear();
        Ok(())
    }
}

/// A file that no other process can see, and that is gone with this one.
fn spool(source: &mut impl Read) -> std::io::Result<File> {
    let mut spool = tempfile::tempfile()?;
    std::io::copy(source, &mut spool)?;
    spool.flush()?;
    Ok(spool)
}

/// The next line that is not blank.
fn next_line(
    reader: &mut BufReader<File>,
    name: &str,
    number: &mut u64,
) -> Result<Option<NdjsonLine>, CliError> {
    loop {
        let mut bytes = Vec::new();
        *number += 1;
        let location = format!("{name}, line {number}");
        if reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut bytes)? == 0 {
            return Ok(None);
        }
        if bytes.len() as u64 == LONGEST_LINE {
            let what = format!("{location}: longer than {LONGEST_LINE} bytes");
            return Err(CliError::new(Exit::Invalid, anyhow::Error::msg(what)));
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            let what = format!("{location}: not UTF-8 from byte {at} of the line on");
            CliError::new(Exit::Invalid, anyhow::Error::msg(what))
        })?;
        if !text.trim_start_matches('\u{feff}').trim().is_empty() {
            return Ok(Some(NdjsonLine { location, text }));
        }
    }
}
