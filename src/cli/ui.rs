//! Output of commands: data to stdout, all else to stderr; colors and bars only on a terminal.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use console::{Style, colors_enabled, colors_enabled_stderr, strip_ansi_codes};
use indicatif::MultiProgress;
use serde::Serialize;

use crate::telemetry::{LogWriter, Sink};

/// Writes for people, or for programs.
#[derive(Debug, Clone)]
pub(super) struct Ui {
    /// True if stdout gets JSON.
    pub(super) json: bool,
    /// True if stderr is a terminal.
    pub(super) terminal: bool,
    /// The bars on the terminal: what is written beside them goes through here.
    pub(super) bars: MultiProgress,
}

impl Ui {
    pub(super) fn of_process(json: bool) -> Self {
        Self { json, terminal: io::stderr().is_terminal(), bars: MultiProgress::new() }
    }

    /// A line of data.
    pub(super) fn out(&self, line: impl Display) -> io::Result<()> {
        let line = colored(&line.to_string(), colors_enabled());
        self.beside(|| writeln!(io::stdout().lock(), "{line}"))
    }

    /// A value as one line of JSON.
    pub(super) fn object(&self, value: &impl Serialize) -> io::Result<()> {
        let line = serde_json::to_string(value)?;
        self.out(line)
    }

    /// Writes a line for the operator to stderr.
    pub(super) fn print_note(&self, line: impl Display) {
        let line = for_stderr(&line.to_string());
        // With a closed stderr there is no reader, and no error.
        let _ = self.beside(|| writeln!(io::stderr().lock(), "{line}"));
    }

    pub(super) fn error(&self, what: &str) {
        self.labeled("error", &Style::new().red().bold(), what);
    }

    pub(super) fn cause(&self, what: &str) {
        self.labeled("caused by", &Style::new().bold(), what);
    }

    pub(super) fn hint(&self, what: &str) {
        self.labeled("hint", &Style::new().cyan().bold(), what);
    }

    pub(super) fn warning(&self, what: &str) {
        self.labeled("warning", &Style::new().yellow().bold(), what);
    }

    /// Log lines do not tear the bars.
    pub(super) fn log_writer(&self) -> LogWriter {
        let bars = self.bars.clone();
        let sink: Sink = std::sync::Arc::new(move |bytes: &[u8]| {
            bars.suspend(|| io::stderr().lock().write_all(bytes))
        });
        LogWriter { sink, color: colors_enabled_stderr() }
    }

    fn labeled(&self, label: &str, style: &Style, what: &str) {
        let label = style.clone().force_styling(true).apply_to(format!("{label}:"));
        self.print_note(format!("{label} {what}"));
    }

    fn beside<T>(&self, write: impl FnOnce() -> T) -> T {
        self.bars.suspend(write)
    }
}

/// A line as stderr takes it.
pub(super) fn for_stderr(line: &str) -> String {
    colored(line, colors_enabled_stderr())
}

/// Removes the colors of a line unless `wanted`. Texts always have them, for only the output knows its reader.
fn colored(line: &str, wanted: bool) -> String {
    if wanted { line.to_owned() } else { strip_ansi_codes(line).into_owned() }
}

/// Bytes as they are, to stdout.
pub(super) fn write_bytes(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()
}
