//! Secrets, given as such or in files, in whatever form editors leave them. Files are read again, so
//! that rotating a secret needs no restart.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use secrecy::{ExposeSecret, SecretString};
use tracing::{info, warn};

use crate::charset::text;
use crate::followed_files::{FollowedFiles, read_small};
use ferry_types::domain::is_invisible;
use ferry_types::recurring::Recurring;

/// A secret, or what is made of one, which follows its file if it has one. Clones share it, and
/// `Debug` shows only its name.
pub struct Secret<T = SecretString>(Arc<Source<T>>);

struct Source<T> {
    name: String,
    file: Option<PathBuf>,
    parse: fn(&SecretString) -> Result<T, String>,
    current: Mutex<Current<T>>,
}

struct Current<T> {
    text: SecretString,
    value: T,
    files: FollowedFiles,
    failures: Recurring,
}

impl<T: Clone> Secret<T> {
    /// Makes a value of `text`, which was read from `file`, if from any. The name is for messages.
    pub fn new(
        name: impl Into<String>,
        text: SecretString,
        file: Option<PathBuf>,
        parse: fn(&SecretString) -> Result<T, String>,
    ) -> Result<Self, String> {
        let (value, files) = (parse(&text)?, FollowedFiles::new(file.clone()));
        let current = Mutex::new(Current { text, value, files, failures: Recurring::default() });
        Ok(Self(Arc::new(Source { name: name.into(), file, parse, current })))
    }

    /// The value as it was last read.
    pub fn get(&self) -> T {
        self.current().value.clone()
    }

    /// Reads the file again, unless that was done a moment ago. Returns true if the secret has
    /// changed.
    pub fn refresh_if_old(&self) -> bool {
        self.current().files.is_due() && self.refresh()
    }

    /// Reads the file again. Returns true if the secret has changed. A file that is empty, or that
    /// cannot be used, changes nothing.
    pub fn refresh(&self) -> bool {
        let Source { name, file: Some(file), parse, .. } = self.0.as_ref() else { return false };
        let current = &mut *self.current();
        let read = current.files.read(|| {
            let text = read_secret(file)?;
            if text.is_empty() || text == current.text.expose_secret() {
                return Ok(None);
            }
            let text = SecretString::from(text);
            parse(&text).map(|value| Some((text, value)))
        });
        match read {
            None => {}
            Some(Ok(None)) => current.failures.worked(|_| info!("{name} can be read again")),
            Some(Ok(Some((text, value)))) => {
                info!("{name} was replaced in its file, and is used from now on");
                (current.text, current.value, current.failures) =
                    (text, value, Recurring::default());
                return true;
            }
            Some(Err(error)) => current.failures.failed(|| {
                warn!(%error, "cannot read {name} again, the old one stays in use");
            }),
        }
        false
    }

    fn current(&self) -> MutexGuard<'_, Current<T>> {
        self.0.current.lock()
    }
}

impl Secret {
    /// A secret of any text.
    pub fn text(name: impl Into<String>, text: SecretString, file: Option<PathBuf>) -> Self {
        Self::new(name, text, file, |text| Ok(text.clone())).expect("any text will do")
    }
}

impl<T: Into<String>> From<T> for Secret {
    fn from(text: T) -> Self {
        Self::text("a secret", SecretString::from(text.into()), None)
    }
}

impl<T> Clone for Secret<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Secret").field(&self.0.name).finish()
    }
}

/// `text` without what is invisible around it. The error names what is invisible inside.
pub fn visible(text: &str) -> Result<&str, String> {
    let is_hidden = |c: char| c.is_control() || is_invisible(c);
    let text = text.trim_matches(|c: char| c.is_whitespace() || is_hidden(c));
    let strange = |c: &char| is_hidden(*c);
    match text.chars().find(strange) {
        None => Ok(text),
        Some(c) => Err(format!(
            "it holds a line break or another invisible character (U+{:04X}): write it without",
            u32::from(c)
        )),
    }
}

/// The secret in a file, in UTF-8, or in UTF-16 as some shells write it. The error does not name the
/// file: where the secret itself stands in its place, it would be shown.
pub fn read_secret(file: &Path) -> Result<String, String> {
    let bytes = read_small(file).map_err(|error| format!("cannot read the file: {error}"))?;
    visible(&text(None, &bytes)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_invisible_is_trimmed_around_and_named_inside() {
        for text in [
            "acme",
            "acme\n",
            " acme\t",
            "\u{feff}acme\u{200b}",
            "\u{a0}acme\r\n",
            "acme\u{fe0f}\u{e0041}",
        ] {
            assert_eq!(visible(text), Ok("acme"), "{text:?}");
        }
        assert_eq!(visible("pass phrase"), Ok("pass phrase"));
        for (text, named) in [
            ("a\nb", "U+000A"),
            ("a\u{200b}b", "U+200B"),
            ("a\u{a0}b", "U+00A0"),
            ("ac\u{34f}me", "U+034F"),
        ] {
            assert!(visible(text).expect_err("inside").contains(named), "{text:?}");
        }
    }

    #[test]
    fn secret_file_may_be_of_any_editor() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("secret");
        let utf16: Vec<u8> =
            "\u{feff}s3cret\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        for bytes in [b"s3cret".to_vec(), b"\xef\xbb\xbfs3cret\r\n".to_vec(), utf16] {
            std::fs::write(&file, &bytes).expect("a file");
            assert_eq!(read_secret(&file).as_deref(), Ok("s3cret"), "{bytes:?}");
        }
    }

    #[test]
    fn a_secret_follows_its_file_and_survives_what_is_unfit() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("number");
        let parse: fn(&SecretString) -> Result<u32, String> =
            |text| text.expose_secret().parse().map_err(|_| "expected a number".to_owned());
        let secret = Secret::new("a number", "1".into(), Some(file.clone()), parse).expect("1");
        for (written, changed, value) in
            [("2\n", true, 2), ("2", false, 2), ("", false, 2), ("two", false, 2), ("3", true, 3)]
        {
            std::fs::write(&file, written).expect("a file");
            assert_eq!((secret.refresh(), secret.clone().get()), (changed, value), "{written:?}");
        }
        assert!(!secret.refresh_if_old(), "it was read a moment ago");
        std::fs::remove_file(&file).expect("it is there");
        assert!(!secret.refresh() && secret.get() == 3);
        assert_eq!(format!("{secret:?}"), "Secret(\"a number\")");
    }
}
