//! The decision after an attempt to deliver a webhook.

use super::*;

#[test]
fn a_receiver_that_asks_for_time_gets_it_within_the_longest_delay() {
    let (submission, policy) = (submission(running(StepKind::Deliver)).into(), Policy::default());
    let delay = |retry_after| {
        let context = context(&submission, 0, &policy);
        let Next::Delivery { again, .. } =
            after_delivery(&context, &attempt(503, retry_after)).next
        else {
            panic!("a delivery is followed by nothing else");
        };
        again.expect("it is retried")
    };
    let usual = delay(None);
    assert!(usual <= policy.webhook_backoff_initial);
    assert_eq!(delay(Some(0)), usual);
    assert_eq!(delay(Some(3600)), Duration::from_hours(1));
    assert_eq!(delay(Some(u64::MAX)), policy.webhook_backoff_max);
}
