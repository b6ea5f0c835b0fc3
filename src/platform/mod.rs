//! The client of the Platform's Upload API: it asks, and says in [`crate::domain::outcome`]'s words
//! what the answer means. It knows nothing of stores and schedules.

mod account;
mod words;

pub use account::{Account, Limits, OverwriteAs};
pub use words::StatusWords;
