//! `ferry submit --ndjson`: many submissions from one file, checked whole before any is stored.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, Write};
use std::path::Path;
use std::sync::Arc;
use std::thread::available_parallelism;

use futures_util::{Stream, StreamExt, stream};

use super::accept_batch::{AcceptedBatch, Stored, accept_each};
use super::error::{CliError, Exit};
use super::files::title;
use super::follow::fetch;
use super::ui::Ui;
use super::validate::print_reports;
use super::{progress, show};
use crate::app::App;
use crate::pipeline::{Intake, IntakeError, Source as InputSource, SourceLabels};
use ferry_store::NewSubmission;
use ferry_types::contract::SubmissionRequest;

/// Lines that are checked in one task, and stored in one transaction: so many lines, or so many bytes.
const BATCH: usize = 500;
const BATCH_BYTES: usize = 4 << 20;

/// Maximum number of bytes of checked lines in memory until all are checked; what follows them is checked again.
const KEPT_BYTES: u64 = 64 << 20;

/// Submissions that are looked up at once, to be printed for programs.
const LOOKUPS: usize = 64;

/// Longest line that can be a submission: JSON escapes make a text at most six times longer.
const LONGEST_LINE: u64 = 512 << 20;

/// Maximum number of errors that are shown one by one.
const SHOWN: usize = 10;

/// Stores every line of a file; none if a line is not a valid submission, which was reported then.
/// If `prints` is true, each is printed as soon as it is stored.
pub(super) async fn submit(
    app: &App,
    path: &Path,
    prints: bool,
    ui: &Ui,
) -> Result<Option<AcceptedBatch>, CliError> {
    let intake = Arc::new(app.intake().with_source(InputSource::Ndjson));
    let mut source = Source::open(path)?;
    let Some(kept) = check_all(&intake, &mut source, ui).await? else { return Ok(None) };
    let bar = progress::bar(ui, source.bytes, "{bar:30} {bytes} of {total_bytes} submitted");
    let mut all = AcceptedBatch { is_printed: prints, ..AcceptedBatch::default() };
    let skipped = kept.iter().map(|batch| batch.lines.len()).sum();
    let rest = source.checked(&intake, skipped)?;
    let mut batches = Box::pin(stream::iter(kept).map(Ok).chain(rest));
    let mut next = batches.next().await;
    while let Some(batch) = next {
        let Checked { lines, bytes } = batch?;
        // They were checked before; a file that changed meanwhile is found out here.
        let lines = lines.into_iter().collect::<Result<_, _>>();
        let lines = lines.map_err(LineError::into_failure)?;
        // The order of the lines is kept; while some are stored, the next ones are checked.
        let (stored, following) = tokio::join!(accept_each(&intake, lines, ui), batches.next());
        if stored.is_err() && !all.ids.is_empty() {
            let count = all.ids.len();
            ui.print_note(format!("the first {count} submissions were submitted before this"));
        }
        let (stored, conflicts) = stored?;
        bar.inc(bytes);
        all.ids.extend(stored.iter().map(|(id, _)| *id));
        all.conflicts += conflicts;
        if prints {
            print(stored, app, ui).await?;
        }
        next = following;
    }
    bar.finish_and_clear();
    Ok(Some(all))
}

/// Prints submissions. Those for programs, and those that the store had before, are looked up.
async fn print(stored: Vec<Stored>, app: &App, ui: &Ui) -> Result<(), CliError> {
    let views = stream::iter(stored).map(|(id, name)| async move {
        match name {
            Some(name) if !ui.json => Ok(Ok((id, name))),
            _ => fetch(app.store.as_ref(), id).await.map(Err),
        }
    });
    let mut views = views.buffered(LOOKUPS);
    while let Some(view) = views.next().await {
        match view? {
            Ok((id, name)) => ui.out(show::accepted(id, &name))?,
            Err(view) => show::view(&view, app.clock.now(), ui)?,
        }
    }
    Ok(())
}

/// Lines that were checked together.
struct Checked {
    lines: Vec<Result<NewSubmission, LineError>>,
    bytes: u64,
}

/// Checks every line, and returns the first ones; none if any is invalid.
async fn check_all(
    intake: &Arc<Intake>,
    source: &mut Source,
    ui: &Ui,
) -> Result<Option<Vec<Checked>>, CliError> {
    let (mut kept, mut kept_bytes) = (Vec::new(), 0);
    let (mut lines, mut wrong) = (0_usize, 0_usize);
    let bar = progress::bar(ui, source.bytes, "{bar:30} checking {bytes} of {total_bytes}");
    let mut batches = Box::pin(source.checked(intake, 0)?);
    while let Some(batch) = batches.next().await {
        let mut batch = batch?;
        bar.inc(batch.bytes);
        lines += batch.lines.len();
        for error in batch.lines.extract_if(.., |line| line.is_err()).filter_map(Result::err) {
            wrong += 1;
            if wrong <= SHOWN {
                report(error, ui)?;
            }
        }
        kept_bytes += batch.bytes;
        if wrong == 0 && kept_bytes <= KEPT_BYTES {
            kept.push(batch);
        }
    }
    bar.finish_and_clear();
    if wrong > SHOWN {
        ui.print_note(format!("and {} more", wrong - SHOWN));
    }
    if wrong > 0 {
        ui.print_note(format!("{wrong} of {lines} lines are invalid: nothing was submitted"));
    } else if lines == 0 {
        ui.error(format!("`{}` holds no submission", source.name));
    }
    Ok((wrong == 0 && lines > 0).then_some(kept))
}

/// A line of the file, and its place.
struct NdjsonLine {
    location: String,
    text: String,
}

/// The error in a line.
enum LineError {
    Json(String),
    Invalid(String, IntakeError),
}

impl LineError {
    fn into_failure(self) -> CliError {
        match self {
            Self::Json(what) => CliError::new(Exit::Invalid, anyhow::Error::msg(what)),
            Self::Invalid(location, error) => {
                CliError::new(Exit::Invalid, anyhow::Error::new(error).context(location))
            }
        }
    }
}

fn prepare(intake: &Intake, line: &NdjsonLine) -> Result<NewSubmission, LineError> {
    let location = &line.location;
    let request = SubmissionRequest::from_json(&line.text)
        .map_err(|what| LineError::Json(format!("{location}: not a submission: {what}")))?;
    let names = SourceLabels {
        data: format!("{location}: data"),
        events: format!("{location}: event_data"),
    };
    let prepared = intake.prepare(request, &names);
    prepared.map(|p| p.new).map_err(|error| LineError::Invalid(location.clone(), error))
}

fn report(error: LineError, ui: &Ui) -> Result<(), CliError> {
    match error {
        LineError::Json(what) => ui.error(what),
        LineError::Invalid(_, IntakeError::Dataset(reports)) => print_reports(&reports, ui)?,
        LineError::Invalid(location, error) => ui.error(format!("{location}: {error}")),
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

    /// The lines from the `skipped`th on, checked on all cores.
    fn checked(
        &mut self,
        intake: &Arc<Intake>,
        skipped: usize,
    ) -> std::io::Result<impl Stream<Item = Result<Checked, CliError>> + use<>> {
        let (reader, name) = (self.rewind()?, self.name.clone());
        let batches = Batches { reader, name, number: 0, skipped, failure: None };
        let intake = intake.clone();
        let checked = stream::iter(batches).map(move |batch| {
            let intake = intake.clone();
            async move {
                let batch = batch?;
                let checked = tokio::task::spawn_blocking(move || batch.check(&intake));
                Ok(checked
                    .await
                    .unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())))
            }
        });
        Ok(checked.buffered(available_parallelism().map_or(1, usize::from)))
    }
}

/// Lines that are checked together.
#[derive(Default)]
struct Batch {
    lines: Vec<NdjsonLine>,
    bytes: usize,
}

impl Batch {
    fn check(self, intake: &Intake) -> Checked {
        let lines = self.lines.iter().map(|line| prepare(intake, line)).collect();
        Checked { lines, bytes: self.bytes as u64 }
    }
}

/// Reads the file by batches. What fails comes after the lines before it.
struct Batches {
    reader: BufReader<File>,
    name: String,
    number: u64,
    skipped: usize,
    failure: Option<CliError>,
}

impl Iterator for Batches {
    type Item = Result<Batch, CliError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut batch = Batch::default();
        while self.failure.is_none() && batch.lines.len() < BATCH && batch.bytes < BATCH_BYTES {
            match next_line(&mut self.reader, &self.name, &mut self.number) {
                Ok(Some(_)) if self.skipped > 0 => self.skipped -= 1,
                Ok(Some(line)) => {
                    batch.bytes += line.text.len();
                    batch.lines.push(line);
                }
                Ok(None) => break,
                Err(error) => self.failure = Some(error),
            }
        }
        if batch.lines.is_empty() { self.failure.take().map(Err) } else { Some(Ok(batch)) }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_were_kept_are_not_read_again() {
        let mut file = tempfile::tempfile().expect("there is room");
        file.write_all(b"{1}\n\n{2}\n{3}\n \n{4}").expect("there is room");
        file.rewind().expect("it is a file");
        let reader = BufReader::new(file);
        let batches = Batches { reader, name: "f".into(), number: 0, skipped: 2, failure: None };
        let lines = batches.flat_map(|batch| batch.expect("it can be read").lines);
        let locations: Vec<String> = lines.map(|line| line.location).collect();
        assert_eq!(locations, ["f, line 4", "f, line 6"]);
    }
}
