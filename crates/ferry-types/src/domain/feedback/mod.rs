//! The Platform's feedback: reads it, and ties each complaint to the row and column that it means.

mod counting;
mod read;
mod show;
#[cfg(test)]
mod tests;
mod tie;

pub use read::{Complaint, MAX_COMPLAINTS, read};
pub use tie::{CellRef, Finding, Place, tie};
