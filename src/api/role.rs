//! The roles of API keys.

use ferry_types::closed_set;

closed_set! {
    /// Permissions of a caller; each role may do what those before it may.
    #[derive(clap::ValueEnum)]
    pub enum Role: "role" in json {
        /// Read.
        Read = "read",
        /// Submit datasets, too.
        Submit = "submit",
        /// Act on submissions and accounts, too.
        Operate = "operate",
    }
}
