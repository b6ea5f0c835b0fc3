//! The size of a search.

use crate::pipeline::policy::{AmbiguousUpload, Policy};

/// A rule that a search does without: it must find what breaks then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Forgotten {
    /// A rescued upload is not ambiguous.
    Ambiguity,
    /// An end does not mark the name.
    Mark,
    /// An upload does not wait for one that may arrive late.
    Late,
    /// A submission does not wait for the earlier one of its name.
    Order,
}

/// The number of everything.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scope {
    pub(super) submissions: usize,
    pub(super) workers: usize,
    pub(super) faults: usize,
    /// The submissions may overwrite.
    pub(super) overwrite: bool,
    pub(super) ambiguous_upload: AmbiguousUpload,
    pub(super) forgotten: Option<Forgotten>,
}

impl Scope {
    /// All of a size.
    pub(super) fn all(submissions: usize, workers: usize, faults: usize) -> Vec<Self> {
        let of = |(overwrite, ambiguous_upload)| Self {
            submissions,
            workers,
            faults,
            overwrite,
            ambiguous_upload,
            forgotten: None,
        };
        let all = [
            (false, AmbiguousUpload::Hold),
            (true, AmbiguousUpload::Hold),
            (false, AmbiguousUpload::Overwrite),
        ];
        all.map(of).into()
    }

    pub(super) fn policy(&self) -> Policy {
        Policy { ambiguous_upload: self.ambiguous_upload, ..Policy::default() }
    }
}
