//! Each planted error is found within so many histories.

use crate::backing::StoreKind;
use crate::choices::Choices;
use crate::history::{History, Setting};
use crate::invariants::ALL;
use crate::planted::Planted;

/// Panics unless one of `histories` breaks one of `invariants`. What else it breaks does not count.
fn is_found(planted: Planted, invariants: &[&str], histories: u64) {
    let setting = Setting { store: StoreKind::Memory, planted: Some(planted) };
    let named = ALL.into_iter().filter(|(name, _)| invariants.contains(name));
    let found = (0..histories).find_map(|seed| {
        let (_, trace) = History::run(&mut Choices::seeded(seed), setting);
        let mut named = named.clone();
        named.find(|(_, check)| check(&trace).is_err()).map(|(name, _)| (seed, name))
    });
    let (seed, name) = found.unwrap_or_else(|| panic!("{planted:?} breaks none of {invariants:?}"));
    println!("{planted:?} is found after {} histories by {name}", seed + 1);
}

macro_rules! planted {
    ($($test:ident: $planted:ident within $histories:literal breaks $($invariant:literal)+;)+) => {
        $(#[test]
        fn $test() {
            is_found(Planted::$planted, &[$($invariant),+], $histories);
        })+
    };
}

planted! {
    a_lease_that_is_not_compared_is_found:
        LeaseNotCompared within 100 breaks "OneCommit";
    a_commit_that_is_applied_twice_is_found:
        CommittedTwice within 200 breaks "OneCommit";
    a_rescue_that_forgets_ambiguity_is_found:
        AmbiguityForgotten within 100 breaks "OneUpload" "Rejected";
    a_mark_of_a_name_that_is_forgotten_is_found:
        MarkForgotten within 200 breaks "Rejected";
    a_late_upload_that_is_forgotten_is_found:
        LateForgotten within 2000 breaks "NameOrder";
    a_rejection_of_an_ambiguous_upload_is_found:
        AmbiguityRejects within 100 breaks "Rejected";
    a_retry_that_skips_the_order_of_its_name_is_found:
        RetrySkipsOrder within 500 breaks "NameOrder";
    a_name_that_is_freed_too_soon_is_found:
        NameFreedTooSoon within 100 breaks "NameOrder";
    permission_to_overwrite_that_was_not_given_is_found:
        OverwriteUnasked within 100 breaks "Overwrite";
    throttling_for_half_the_time_is_found:
        HalfThrottled within 100 breaks "RetryAfter";
    a_stale_signal_that_is_dropped_is_found:
        StaleSignalDropped within 2000 breaks "RetryAfter" "Signals";
    denied_credentials_that_pause_nothing_are_found:
        DenialDropped within 500 breaks "Signals";
    limits_that_are_ignored_are_found:
        LimitsIgnored within 200 breaks "Limits";
    results_under_the_wrong_keys_are_found:
        ResultsSwapped within 100 breaks "Completed";
    lost_workers_that_are_not_counted_are_found:
        NeverPoison within 500 breaks "Poison";
    idempotency_keys_that_are_forgotten_are_found:
        KeysForgotten within 100 breaks "Keys";
    a_submission_that_is_not_stored_is_found:
        NotStored within 10 breaks "Kept";
    an_outcome_that_is_never_delivered_is_found:
        NeverDelivered within 100 breaks "Delivered";
    a_state_that_no_event_reports_is_found:
        EventMissing within 100 breaks "Lifecycle";
    expired_leases_that_stay_are_found:
        NeverRescued within 100 breaks "Settles" "Delivered";
    a_submission_that_waits_without_a_reason_is_found:
        NeverExplained within 100 breaks "SaysWhy";
    a_reason_for_waiting_that_is_not_true_is_found:
        UntrueReason within 100 breaks "SaysWhy";
    a_pause_that_is_ignored_is_found:
        PauseIgnored within 100 breaks "Signals" "SaysWhy";
}
