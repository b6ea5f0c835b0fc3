//! Secrets, given as such or in files, in whatever form editors leave them. Files are read again, so
//! that rotating a secret needs no restart.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use encoding_rs::{UTF_8, UTF_16BE, UTF_16LE};
use secrecy::{ExposeSecret, SecretString};
use tracing::{info, warn};

/// Time after which a secret file is read again.
const FRESH: Duration = Duration::from_secs(1);

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
    read_at: Instant,
    is_failing: bool,
}

impl<T: Clone> Secret<T> {
    /// Makes a value of `text`, which was read from `file`, if from any. The name is for messages.
    pub fn new(
        name: impl Into<String>,
        text: SecretString,
        file: Option<PathBuf>,
        parse: fn(&SecretString) -> Result<T, String>,
    ) -> Result<Self, String> {
        let (value, read_at) = (parse(&text)?, Instant::now());
        let current = Mutex::new(Current { text, value, read_at, is_failing: false });
        Ok(Self(Arc::new(Source { name: name.into(), file, parse, current })))
    }

    /// The value as it was last read.
    pub fn get(&self) -> T {
        self.current().value.clone()
    }

    /// Reads the file again, unless that was done a moment ago. Returns true if the secret has
    /// changed.
    pub fn refresh_if_old(&self) -> bool {
        self.current().read_at.elapsed() >= FRESH && self.refresh()
    }

    /// Reads the file again. Returns true if the secret has changed. A file that is empty, or that
    /// cannot be used, changes nothing.
    pub fn refresh(&self) -> bool {
        let Source { name, file: Some(file), parse, .. } = self.0.as_ref() else { return false };
        let mut current = self.current();
        current.read_at = Instant::now();
        let read = read_secret(file).and_then(|text| {
            if text.is_empty() || text == current.text.expose_secret() {
                return Ok(None);
            }
            let text = SecretString::from(text);
            parse(&text).map(|value| Some((text, value)))
        });
        match read {
            Ok(None) => {
                current.is_failing = false;
                false
            }
            Ok(Some((text, value))) => {
                info!("{name} was replaced in its file, and is used from now on");
                (current.text, current.value, current.is_failing) = (text, value, false);
                true
            }
            Err(error) => {
                if !std::mem::replace(&mut current.is_failing, true) {
                    warn!("cannot read {name} again, the old one stays in use: {error}");
                }
                false
            }
        }
    }

    fn current(&self) -> MutexGuard<'_, Current<T>> {
        self.0.current.lock().unwrap_or_else(PoisonError::into_inner)
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
