//! The roles of API keys.

use ferry_types::closed_set;

closed_set! {
    /// Permissions of a caller; each role may do what those before it may.
    #[derive(clap::ValueEnum)]
    pub enum Role: "role" in json {
        /// Read submissions, results and feedback.
        Read = "read",
        /// Submit, too.
        Submit = "submit",
        /// Cancel, retry, resolve, pause and resume, too.
        Operate = "operate",
    }
}
