//! The files of datasets: read whole, within a limit.

use std::path::Path;

use super::error::{CliError, Exit};
use super::values;

/// The name of a file in messages.
pub(super) fn title(file: &Path) -> String {
    if file == Path::new("-") { "stdin".to_owned() } else { file.display().to_string() }
}

/// The whole of a file, or of stdin.
pub(super) fn read(file: &Path, limit: u64) -> Result<Vec<u8>, CliError> {
    use std::io::Read;
    let cannot = |error| {
        let what = format!("cannot read `{}`", title(file));
        let failure = CliError::new(Exit::Usage, anyhow::Error::new(error).context(what));
        match file.to_str().filter(|text| values::duration(text).is_ok()) {
            Some(limit) => failure.hint(format!("a limit is written `--wait={limit}`")),
            None => failure,
        }
    };
    let source: Box<dyn Read> = if file == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(std::fs::File::open(file).map_err(cannot)?)
    };
    let mut bytes = Vec::new();
    source.take(limit + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > limit {
        return Err(CliError::new(
            Exit::Invalid,
            anyhow::anyhow!("`{}` is larger than {limit} bytes", title(file)),
        )
        .hint("split it, or raise the setting `max_dataset_bytes`"));
    }
    Ok(bytes)
}
