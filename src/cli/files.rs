//! The files of datasets and results: read whole within a limit, written for their owner alone.

use std::io::ErrorKind;
use std::path::Path;

use super::error::{CliError, Exit};
use super::ui::Ui;
use super::values;
use crate::private_files::{Mode, create, create_folder, replace};
use crate::words;

/// Writes a file that its owner alone can read, in a folder that is made if it is missing. A file in a folder
/// of results is named by its key, and may be that of another submission: it is not replaced.
pub(super) fn save(path: &Path, is_in_folder: bool, bytes: &[u8], ui: &Ui) -> Result<(), CliError> {
    if let Some(folder) = path.parent() {
        create_folder(folder).map_err(|error| cannot(folder, error))?;
    }
    if is_in_folder {
        create(path, bytes).map_err(|error| {
            let is_taken = error.kind() == ErrorKind::AlreadyExists;
            let error = cannot(path, error);
            if is_taken { error.hint("give each submission a folder of its own") } else { error }
        })?;
    } else {
        replace(path, bytes, Mode::Private).map_err(|error| cannot(path, error))?;
    }
    ui.print_note(format!("wrote {} ({})", path.display(), words::size(bytes.len() as u64)));
    Ok(())
}

fn cannot(path: &Path, error: std::io::Error) -> CliError {
    anyhow::Error::new(error).context(format!("cannot write `{}`", path.display())).into()
}

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
            Some(limit) => failure.hint(format!("write a limit as `--wait={limit}`")),
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
