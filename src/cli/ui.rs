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
    /// True if stdout and stderr get JSON.
    pub(super) json: bool,
    /// True if stderr is a terminal that gets progress.
    pub(super) terminal: bool,
    /// True if stderr gets errors alone.
    quiet: bool,
    /// The bars on the terminal: what is written beside them goes through here.
    pub(super) bars: MultiProgress,
}

/// An error as a program reads it.
#[derive(Debug, Default, Serialize)]
pub(super) struct ErrorObject {
    pub(super) error: String,
    /// True if it is composed of several lines.
    #[serde(skip)]
    pub(super) is_several: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) causes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) hint: Option<String>,
}

impl Ui {
    pub(super) fn of_process(json: bool, quiet: bool) -> Self {
        let terminal = io::stderr().is_terminal() && !quiet && !json;
        Self { json, terminal, quiet, bars: MultiProgress::new() }
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
        self.remark("note", None, line.into());
    }

    pub(super) fn error(&self, what: impl Display) {
        self.failure(&ErrorObject { error: what.to_string(), ..ErrorObject::default() });
    }

    /// An error with its causes and the way out.
    pub(super) fn failure(&self, object: &ErrorObject) {
        if self.json {
            return self.stderr_object(object);
        }
        let ErrorObject { error, is_several, causes, hint } = object;
        let lines = if *is_several { Line::several(error) } else { vec![error.into()] };
        let mut lines = lines.into_iter();
        let red = Style::new().red().bold();
        self.to_stderr(&labeled("error", red, lines.next().unwrap_or_default()));
        lines.for_each(|line| self.to_stderr(&line));
        for cause in causes {
            self.to_stderr(&labeled("caused by", Style::new().bold(), cause.into()));
        }
        if let Some(hint) = hint {
            self.to_stderr(&hint_line(hint));
        }
    }

    pub(super) fn hint(&self, what: &str) {
        if self.json {
            self.remark("hint", None, what.into());
        } else if !self.quiet {
            self.to_stderr(&hint_line(what));
        }
    }

    pub(super) fn warning(&self, what: &str) {
        self.remark("warning", Some(Style::new().yellow().bold()), what.into());
    }

    /// Anything but an error; with `style`, behind its label.
    fn remark(&self, label: &str, style: Option<Style>, what: Line) {
        if self.quiet {
            return;
        }
        if self.json {
            let mut object = serde_json::Map::new();
            object.insert(label.to_owned(), what.written(false).into());
            return self.stderr_object(&object);
        }
        match style {
            Some(style) => self.to_stderr(&labeled(label, style, what)),
            None => self.to_stderr(&what),
        }
    }

    fn stderr_object(&self, value: &impl Serialize) {
        if let Ok(text) = serde_json::to_string(value) {
            let line = escape_json(&text);
            let _ = self.beside(|| writeln!(io::stderr().lock(), "{line}"));
        }
    }

    fn to_stderr(&self, line: &Line) {
        let line = for_stderr(line);
        // With a closed stderr there is no reader, and no error.
        let _ = self.beside(|| writeln!(io::stderr().lock(), "{line}"));
    }

    /// Log lines do not tear the bars.
    pub(super) fn log_writer(&self) -> LogWriter {
        let bars = self.bars.clone();
        let sink: Sink = std::sync::Arc::new(move |bytes: &[u8]| {
            bars.suspend(|| io::stderr().lock().write_all(bytes))
        });
        LogWriter { sink, color: colors_enabled_stderr() }
    }

    fn write(&self, line: &str) -> io::Result<()> {
        self.beside(|| writeln!(io::stdout().lock(), "{line}"))
    }

    fn beside<T>(&self, write: impl FnOnce() -> T) -> T {
        self.bars.suspend(write)
    }
}

fn hint_line(hint: &str) -> Line {
    labeled("hint", Style::new().cyan().bold(), hint.into())
}

fn labeled(label: &str, style: Style, what: Line) -> Line {
    Line::styled(style, &format!("{label}:")).and(" ").and(what)
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
