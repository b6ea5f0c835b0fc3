//! Logs, to stderr: pretty for people, JSON for machines.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

/// How log lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Pretty,
    /// One JSON object a line.
    Json,
}

/// A log filter that cannot be understood.
#[derive(Debug, thiserror::Error)]
#[error("`{filter}` is not a log filter: {cause}")]
pub struct InvalidFilter {
    filter: String,
    cause: String,
}

/// Sends log lines that pass `filter`, such as `info` or `ferry=debug,warn`, to stderr. Only the
/// first call in a process has an effect.
pub fn start(filter: &str, format: LogFormat, colour: bool) -> Result<(), InvalidFilter> {
    let parsed = EnvFilter::try_new(filter)
        .map_err(|cause| InvalidFilter { filter: filter.to_owned(), cause: cause.to_string() })?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(parsed)
        .with_span_events(FmtSpan::NONE)
        .with_target(false)
        .with_writer(std::io::stderr);
    // A second subscriber is refused; the first one goes on.
    let _ = match format {
        LogFormat::Pretty => {
            builder.with_ansi(colour && std::io::stderr().is_terminal()).try_init()
        }
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    Ok(())
}
