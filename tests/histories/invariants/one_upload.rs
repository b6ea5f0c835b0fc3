//! `OneUpload`: an upload whose claim was not ambiguous finds nothing that an earlier claim of its
//! submission has stored.

use std::collections::BTreeMap;

use super::uploads::{Uploads, is_stored};
use crate::trace::{Event, Trace};

pub(super) fn check(trace: &Trace) -> Result<(), String> {
    let mut uploads = Uploads::default();
    // By submission, the earliest claim of which an upload was stored.
    let mut stored: BTreeMap<usize, usize> = BTreeMap::new();
    for entry in &trace.entries {
        let upload = uploads.read(trace, &entry.event);
        let (Some(upload), Event::Arrived { effect, .. }) = (upload, &entry.event) else {
            continue;
        };
        let earlier = stored.get(&upload.of).is_some_and(|claim| *claim < upload.claim);
        if earlier && !upload.ambiguous {
            return Err(format!(
                "{entry}: an upload of submission {} was stored under an earlier claim, and its claim \
                 was not ambiguous",
                upload.of
            ));
        }
        if is_stored(*effect) {
            let claim = stored.entry(upload.of).or_insert(upload.claim);
            *claim = upload.claim.min(*claim);
        }
    }
    Ok(())
}
