//! The setting of the console.

use ferry_types::closed_set;

closed_set! {
    /// Extent of the console.
    pub enum ConsoleMode: "mode of the console" {
        /// Pages, and the acts that a key may do.
        Yes = "yes",
        /// Pages alone.
        ReadOnly = "read_only",
        /// None.
        No = "no",
    }
}
