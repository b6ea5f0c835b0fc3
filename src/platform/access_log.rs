//! The last token of an account and its last denial, as this process saw them.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use ferry_types::domain::Timestamp;

/// Records the access of an account to the Platform. Clones record together.
#[derive(Debug, Clone, Default)]
pub struct AccessLog(Arc<Mutex<Access>>);

/// The records of the accounts whose steps run in a process.
pub type AccessLogs = Arc<Mutex<BTreeMap<String, AccessLog>>>;

/// Access of an account to the Platform, as a process saw it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// Times at which the last token was issued and expires.
    pub token: Option<[Timestamp; 2]>,
    /// Time of the last denial of the credentials, and the response.
    pub denial: Option<(Timestamp, String)>,
}

impl AccessLog {
    /// Returns the record so far.
    pub fn get(&self) -> Access {
        self.0.lock().clone()
    }

    pub(super) fn issued(&self, at: Timestamp, expires_at: Timestamp) {
        self.0.lock().token = Some([at, expires_at]);
    }

    pub(super) fn denied(&self, at: Timestamp, response: &str) {
        self.0.lock().denial = Some((at, response.to_owned()));
    }
}
