//! Logs, pretty for people or JSON for machines, to a writer of the caller.

use std::fmt;
use std::io;
use std::sync::Arc;

use ferry_types::closed_set;
use ferry_types::domain::{escape, escape_json};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::{DefaultFields, FormatFields, Writer};

/// The target of the lines that say what operators did.
pub const AUDIT: &str = "ferry::audit";

closed_set! {
    /// Format of log lines.
    #[derive(Default)]
    pub enum LogFormat: "format" {
        /// For people.
        #[default]
        Pretty = "pretty",
        /// One JSON object a line.
        Json = "json",
    }
}

/// Takes whole log lines.
pub type Sink = Arc<dyn Fn(&[u8]) -> io::Result<()> + Send + Sync>;

/// Destination of log lines.
#[derive(Clone)]
pub struct LogWriter {
    /// Takes them.
    pub sink: Sink,
    /// True if pretty lines may have colors.
    pub color: bool,
}

impl fmt::Debug for LogWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogWriter").field("color", &self.color).finish_non_exhaustive()
    }
}

impl LogWriter {
    /// For lines that are JSON.
    fn escaping_json(self) -> Self {
        let sink = self.sink;
        let escaping =
            move |line: &[u8]| sink(escape_json(&String::from_utf8_lossy(line)).as_bytes());
        Self { sink: Arc::new(escaping), ..self }
    }
}

/// Formats messages and fields as text without styles, and escapes what could control a terminal.
struct EscapedFields;

impl<'writer> FormatFields<'writer> for EscapedFields {
    fn format_fields<R: RecordFields>(
        &self,
        mut writer: Writer<'writer>,
        fields: R,
    ) -> fmt::Result {
        let mut text = String::new();
        DefaultFields::new().format_fields(Writer::new(&mut text), fields)?;
        writer.write_str(&escape(&text))
    }
}

impl io::Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (self.sink)(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogWriter {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// A log filter that cannot be understood.
#[derive(Debug, thiserror::Error)]
#[error("`{filter}` is not a log filter: {cause}")]
pub struct InvalidFilterError {
    filter: String,
    cause: String,
}

/// A filter of log lines. The library reads a part with blanks around it wrongly, and panics where letters
/// beyond ASCII follow.
pub fn filter(text: &str) -> Result<EnvFilter, String> {
    if !text.is_ascii() {
        return Err("it has characters that are not ASCII".to_owned());
    }
    let parts: Vec<&str> = text.split(',').map(str::trim).collect();
    EnvFilter::try_new(parts.join(",")).map_err(|cause| cause.to_string())
}

/// Sends log lines that pass `filter`, such as `info` or `ferry=debug,warn`, to `writer`. If it
/// `audits`, audit lines pass too. Only the first call in a process has an effect.
pub fn start(
    filter: &str,
    format: LogFormat,
    audits: bool,
    writer: LogWriter,
) -> Result<(), InvalidFilterError> {
    let parsed = self::filter(filter)
        .map_err(|cause| InvalidFilterError { filter: filter.to_owned(), cause })?;
    // A filter that names the audit lines decides about them.
    let is_said = !audits || filter.contains(AUDIT);
    let audit = format!("{AUDIT}=info").parse().expect("a directive");
    let parsed = if is_said { parsed } else { parsed.add_directive(audit) };
    let color = writer.color;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(parsed)
        .with_target(false)
        .with_ansi(color)
        .with_writer(match format {
            LogFormat::Pretty => writer,
            LogFormat::Json => writer.escaping_json(),
        });
    // A second subscriber is not installed; the first one stays.
    let _ = match format {
        LogFormat::Pretty => builder.fmt_fields(EscapedFields).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_read_whatever_blanks_and_letters_it_has() {
        let read = |text| filter(text).map(|filter| filter.to_string());
        assert_eq!(read(" warn ,  ferry=debug "), read("warn,ferry=debug"));
        assert!(read("ferry=debug,warn").expect("a filter").contains("ferry=debug"));
        for other in ["\u{e9}\u{e9}=x", " \t\u{e9}=debug", "\u{fffd}"] {
            assert!(read(other).is_err(), "{other:?}");
        }
    }
}
