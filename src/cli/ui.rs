//! Output of commands: data to stdout, all else to stderr; colors and bars only on a terminal.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use console::{Style, colors_enabled, colors_enabled_stderr};
use indicatif::MultiProgress;
use serde::Serialize;

use super::line::Line;
use crate::telemetry::{LogWriter, Sink};
use ferry_types::domain::{escape, escape_json};

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
    pub(super) fn out(&self, line: impl Into<Line>) -> io::Result<()> {
        self.write(&line.into().written(colors_enabled()))
    }

    /// A value as one line of JSON.
    pub(super) fn object(&self, value: &impl Serialize) -> io::Result<()> {
        self.write(&escape_json(&serde_json::to_string(value)?))
    }

    /// Writes a line for the operator to stderr.
    pub(super) fn print_note(&self, line: impl Into<Line>) {
        let line = for_stderr(&line.into());
        // With a closed stderr there is no reader, and no error.
        let _ = self.beside(|| writeln!(io::stderr().lock(), "{line}"));
    }

    pub(super) fn error(&self, what: impl Into<Line>) {
        self.labeled("error", Style::new().red().bold(), what);
    }

    /// An error of several lines.
    pub(super) fn errors(&self, what: &impl Display) {
        let mut lines = Line::several(what).into_iter();
        self.error(lines.next().unwrap_or_default());
        lines.for_each(|line| self.print_note(line));
    }

    pub(super) fn cause(&self, what: &str) {
        self.labeled("caused by", Style::new().bold(), what);
    }

    pub(super) fn hint(&self, what: &str) {
        self.labeled("hint", Style::new().cyan().bold(), what);
    }

    pub(super) fn warning(&self, what: &str) {
        self.labeled("warning", Style::new().yellow().bold(), what);
    }

    /// Log lines do not tear the bars.
    pub(super) fn log_writer(&self) -> LogWriter {
        let bars = self.bars.clone();
        let sink: Sink = std::sync::Arc::new(move |bytes: &[u8]| {
            bars.suspend(|| io::stderr().lock().write_all(bytes))
        });
        LogWriter { sink, color: colors_enabled_stderr() }
    }

    fn labeled(&self, label: &str, style: Style, what: impl Into<Line>) {
        self.print_note(Line::styled(style, &format!("{label}:")).and(" ").and(what));
    }

    fn write(&self, line: &str) -> io::Result<()> {
        self.beside(|| writeln!(io::stdout().lock(), "{line}"))
    }

    fn beside<T>(&self, write: impl FnOnce() -> T) -> T {
        self.bars.suspend(write)
    }
}

/// A line as stderr takes it.
pub(super) fn for_stderr(line: &Line) -> String {
    line.written(colors_enabled_stderr())
}

/// Bytes to stdout, as they are for a file or a program. On a terminal, lines and tabs stay.
pub(super) fn write_bytes(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    if stdout.is_terminal() {
        stdout.write_all(shown(bytes).as_bytes())?;
    } else {
        stdout.write_all(bytes)?;
    }
    stdout.flush()
}

/// Foreign bytes as a terminal shows them.
fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n");
    let cells = |line: &str| line.split('\t').map(escape).collect::<Vec<_>>().join("\t");
    text.split('\n').map(cells).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_on_a_terminal_keep_their_lines_and_control_nothing() {
        let bytes = b"a\tb\r\nc\x1b[2J\xff\n\xe2\x80\xae";
        assert_eq!(shown(bytes), "a\tb\nc\\u{1b}[2J\u{fffd}\n\\u{202e}");
    }
}
