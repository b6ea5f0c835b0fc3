//! A secret of an account, given as such or in a file, in whatever form editors leave it.

use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

use super::text::text;

/// A secret, and the file that it stands in, if it does.
#[derive(Debug, Clone)]
pub struct AccountSecret {
    text: SecretString,
    file: Option<PathBuf>,
}

impl AccountSecret {
    /// A secret that was read from `file`.
    #[must_use]
    pub fn in_file(self, file: Option<PathBuf>) -> Self {
        Self { file, ..self }
    }

    pub(super) fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    pub(super) fn expose(&self) -> &str {
        self.text.expose_secret()
    }
}

impl<T: Into<String>> From<T> for AccountSecret {
    fn from(text: T) -> Self {
        Self { text: SecretString::from(text.into()), file: None }
    }
}

/// `text` without what is invisible around it. The error names what is invisible inside.
pub fn visible(text: &str) -> Result<&str, String> {
    let text = text.trim_matches(|c: char| c.is_whitespace() || is_invisible(c));
    let strange = |c: &char| is_invisible(*c) || (c.is_whitespace() && *c != ' ');
    match text.chars().find(strange) {
        None => Ok(text),
        Some(c) => Err(format!(
            "it holds a line break or another invisible character (U+{:04X}): write it without",
            u32::from(c)
        )),
    }
}

/// Controls, and marks that editors and web pages leave beside a text.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// The secret in a file, in UTF-8, or in UTF-16 as some shells write it. The error does not name the
/// file: where the secret itself stands in its place, it would be shown.
pub fn read_secret(file: &Path) -> Result<String, String> {
    let bytes = std::fs::read(file).map_err(|error| format!("cannot read the file: {error}"))?;
    visible(&text(None, &bytes)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_invisible_is_trimmed_around_and_named_inside() {
        for text in ["acme", "acme\n", " acme\t", "\u{feff}acme\u{200b}", "\u{a0}acme\r\n"] {
            assert_eq!(visible(text), Ok("acme"), "{text:?}");
        }
        assert_eq!(visible("pass phrase"), Ok("pass phrase"));
        for (text, named) in [("a\nb", "U+000A"), ("a\u{200b}b", "U+200B"), ("a\u{a0}b", "U+00A0")]
        {
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
}
