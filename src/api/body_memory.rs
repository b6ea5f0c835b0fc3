//! The memory for the bodies of all requests, and for the responses to them: each has a little of its
//! own, and the rest counts, so that small ones have room however many large ones there are.

use std::sync::Arc;
use std::time::Duration;

use super::error::ApiError;
use super::shares::{Exhausted, Owner, Share, Shares};
use ferry_types::contract::ProblemKind;

/// Bytes that each body has for itself: enough for the requests of operators, and most datasets.
const OWN: u64 = 64 << 10;

/// Delay after which there may be memory again.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// The memory for many bodies together, in bytes.
#[derive(Debug)]
pub(super) struct BodyMemory {
    shares: Arc<Shares>,
    /// The setting that has its size.
    setting: &'static str,
}

/// The memory of one body, released when it is dropped.
#[derive(Debug)]
pub(super) struct MemoryPermit {
    share: Share,
    setting: &'static str,
}

impl BodyMemory {
    /// With this number of bytes, of which a key has half, and enough for a body of `largest` in any case.
    pub(super) fn new(bytes: u64, largest: u64, setting: &'static str) -> Self {
        let largest = largest.saturating_sub(OWN);
        Self { shares: Shares::new(bytes.max(largest), largest), setting }
    }

    /// The memory of a body, which grows with it.
    pub(super) fn permit(&self, owner: &Owner) -> MemoryPermit {
        MemoryPermit { share: self.shares.share(owner), setting: self.setting }
    }

    /// `bytes`, or a part of a small memory that leaves enough for the body itself.
    pub(super) fn part(&self, bytes: u64, owner: &Owner) -> u64 {
        bytes.min(self.shares.most_for(owner) / 8)
    }

    /// `bytes`, or as many as an owner can have at all.
    pub(super) fn most(&self, bytes: u64, owner: &Owner) -> u64 {
        bytes.min(self.shares.most_for(owner).saturating_add(OWN))
    }
}

impl MemoryPermit {
    /// Makes it large enough for `bytes`, if there is so much.
    pub(super) fn resize(&self, bytes: u64) -> Result<(), ApiError> {
        self.share.resize(bytes.saturating_sub(OWN)).map_err(|exhausted| {
            let by = match exhausted {
                Exhausted::All => "others take all",
                Exhausted::Key => "others of this API key take half",
            };
            let what = format!(
                "there is no memory for this request: {by} of `{}`; try again",
                self.setting
            );
            ApiError::new(ProblemKind::Busy, what).retry_after(RETRY_AFTER)
        })
    }
}
