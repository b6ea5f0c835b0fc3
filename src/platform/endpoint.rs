//! The endpoints of the Platform, as texts and metrics name them.

/// Maximum length of a response that is a word, a token or an error, in bytes.
pub(super) const SHORT: u64 = 64 << 10;

pub(super) const TOKEN: &str = "token endpoint";
pub(super) const UPLOAD: &str = "UploadData";
pub(super) const STATUS: &str = "GetResults (status)";
pub(super) const FEEDBACK: &str = "GetResults (feedback)";
pub(super) const RESULTS: &str = "GetResults (results)";
