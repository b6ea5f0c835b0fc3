//! The stored form of a submission: a hot part, of which queries, indexes and scripts know each field, and a
//! cold part, which they store as one value. A new field belongs into the list below, unless something looks
//! for it.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use ferry_types::domain::submission::{
    LastRequest, Lasting, Priority, Processing, Reason, State, StepKind, StoredContent, Submission,
    SubmissionParts, Webhook,
};
use ferry_types::domain::{SubmissionId, Timestamp, TraceParent};

/// The hot part.
#[derive(Debug, Clone)]
pub(super) struct Hot {
    pub(super) id: SubmissionId,
    pub(super) account: String,
    pub(super) name: String,
    pub(super) state: State,
    pub(super) priority: Priority,
    pub(super) upload_attempts: u32,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    pub(super) finished_at: Option<Timestamp>,
    pub(super) deadline: Timestamp,
    pub(super) step: Option<StepKind>,
    pub(super) due_at: Option<Timestamp>,
    pub(super) leased_until: Option<Timestamp>,
    pub(super) has_predecessor: bool,
}

macro_rules! cold {
    ($($(#[$meta:meta])* $field:ident: $kind:ty,)+) => {
        /// The cold part, as it is read.
        #[derive(Debug, Clone, Deserialize)]
        pub(super) struct Cold {
            $($(#[$meta])* $field: $kind,)+
        }

        /// The cold part, as it is written.
        #[derive(Debug, Serialize)]
        pub(super) struct ColdRef<'a> {
            $($field: &'a $kind,)+
        }

        impl<'a> From<&'a SubmissionParts> for ColdRef<'a> {
            fn from(parts: &'a SubmissionParts) -> Self {
                Self { $($field: &parts.$field,)+ }
            }
        }

        impl Cold {
            /// Takes the cold part off the beginning of `packed`.
            pub(super) fn read(packed: &mut &[u8]) -> Result<Self, rmp_serde::decode::Error> {
                rmp_serde::from_read(packed)
            }

            /// The producer's marks.
            pub(super) fn labels(&self) -> &BTreeMap<String, String> {
                &self.labels
            }

            /// The whole submission.
            pub(super) fn with(self, hot: Hot) -> Submission {
                let Hot {
                    id, account, name, state, priority, upload_attempts, created_at, updated_at,
                    finished_at, deadline, step, due_at, leased_until, has_predecessor,
                } = hot;
                SubmissionParts {
                    id, account, name, state, priority, upload_attempts, created_at, updated_at,
                    finished_at, deadline, step, due_at, leased_until, has_predecessor,
                    $($field: self.$field,)+
                }
                .into()
            }
        }
    };
}

impl ColdRef<'_> {
    /// In `MessagePack`, without the names of the fields: a further one comes last, with a default.
    pub(super) fn write(&self, packed: &mut Vec<u8>) {
        rmp_serde::encode::write(packed, self).expect("memory takes anything");
    }
}

cold! {
    // The first, since a script that removes a submission reads it.
    labels: BTreeMap<String, String>,
    reason: Option<Reason>,
    overwrite: bool,
    result_keys: Vec<String>,
    payload_bytes: u64,
    revision_of: Option<SubmissionId>,
    traceparent: Option<TraceParent>,
    processing_token: Option<String>,
    rejection: Option<String>,
    polls: u32,
    failures: u32,
    upload_ambiguous: bool,
    resume_step: Option<StepKind>,
    cancel_requested: bool,
    results: Vec<StoredContent>,
    webhook: Option<Webhook>,
    uncommitted_claims: u32,
    #[serde(default)]
    processing: Processing,
    #[serde(default, deserialize_with = "lasting")]
    lasting: Lasting,
    #[serde(default)]
    last_request: Option<LastRequest>,
}

/// Earlier versions stored the time of the first such response here. What lasts begins again with their records.
fn lasting<'de, D: Deserializer<'de>>(packed: D) -> Result<Lasting, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Stored {
        Now(Lasting),
        Before(#[expect(dead_code, reason = "its type distinguishes the versions")] Option<u64>),
    }
    Ok(match Stored::deserialize(packed)? {
        Stored::Now(lasting) => lasting,
        Stored::Before(_) => Lasting::default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ferry_types::domain::timestamp;

    fn parts() -> SubmissionParts {
        SubmissionParts {
            uncommitted_claims: 3,
            processing: Processing { uploaded_ms: Some(1000), ..Processing::default() },
            lasting: Lasting { weight: 7, waited_ms: 7 },
            ..SubmissionParts::accepted(
                SubmissionId::new(timestamp(0), 1),
                "default",
                "march",
                timestamp(0),
            )
        }
    }

    #[test]
    fn a_record_of_an_earlier_version_has_a_time_where_now_is_what_lasts() {
        for time in [None, Some(70_000_u64)] {
            let (parts, mut packed, mut last) = (parts(), Vec::new(), Vec::new());
            ColdRef::from(&parts).write(&mut packed);
            rmp_serde::encode::write(&mut last, &parts.lasting).unwrap();
            // The one field that follows is absent, a byte.
            packed.truncate(packed.len() - last.len() - 1);
            packed[2] -= 1;
            rmp_serde::encode::write(&mut packed, &time).unwrap();
            let read = Cold::read(&mut &packed[..]).unwrap();
            assert_eq!((read.processing, read.lasting), (parts.processing, Lasting::default()));
        }
    }

    #[test]
    fn a_record_of_an_earlier_version_lacks_what_was_added_since() {
        let parts = parts();
        let mut packed = Vec::new();
        ColdRef::from(&parts).write(&mut packed);
        let now = Cold::read(&mut &packed[..]).unwrap();
        assert_eq!((now.processing, now.lasting), (parts.processing, parts.lasting));
        // An array of 16-bit length without its last fields, and what follows it in the record.
        let mut last = Vec::new();
        let added = (&parts.processing, parts.lasting, &parts.last_request);
        rmp_serde::encode::write(&mut last, &added).unwrap();
        packed.truncate(packed.len() - (last.len() - 1));
        packed[2] -= 3;
        packed.push(7);
        let mut rest = &packed[..];
        let before = Cold::read(&mut rest).unwrap();
        assert_eq!((before.uncommitted_claims, before.processing), (3, Processing::default()));
        assert_eq!((before.lasting, before.last_request), (Lasting::default(), None));
        assert_eq!(rest, [7]);
    }
}
