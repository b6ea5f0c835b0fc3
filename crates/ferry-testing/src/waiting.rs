//! Waiting for a condition.

use std::time::Duration;

/// The one place where a test waits for time to pass: between two looks at a condition.
pub async fn pause() {
    tokio::time::sleep(Duration::from_millis(10)).await;
}
