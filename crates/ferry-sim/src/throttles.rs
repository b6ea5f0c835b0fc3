//! Requests that come sooner than a 429 before them allowed.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::time::later;

/// Number of throttles that are remembered at once.
const MAX_THROTTLES: usize = 1000;

/// Throttles of the account that have not passed.
#[derive(Debug, Default)]
pub(super) struct Throttles {
    /// Begin and end of each.
    account: VecDeque<(DateTime<Utc>, DateTime<Utc>)>,
    /// End of the throttle of a dataset, by name or processing token.
    datasets: HashMap<String, DateTime<Utc>>,
}

impl Throttles {
    /// A request about `dataset` got 429, for so long from `now`.
    pub(super) fn add(
        &mut self,
        now: DateTime<Utc>,
        dataset: Option<&str>,
        delay: Duration,
        notice: Duration,
    ) {
        let until = later(now, delay);
        if self.datasets.len() == self.datasets.capacity() {
            self.datasets.retain(|_, until| now < *until);
        }
        if let Some(dataset) = dataset {
            self.datasets.insert(dataset.to_owned(), until);
        }
        self.account.retain(|(_, until)| now < *until);
        if self.account.len() == MAX_THROTTLES {
            self.account.pop_front();
        }
        self.account.push_back((later(now, notice), until));
    }

    /// True if a request about `dataset` is early. A dataset's own throttle counts once.
    pub(super) fn is_early(&mut self, now: DateTime<Utc>, dataset: Option<&str>) -> bool {
        let own = dataset.and_then(|dataset| self.datasets.remove(dataset));
        own.is_some_and(|until| now < until)
            || self.account.iter().any(|(from, until)| (*from..*until).contains(&now))
    }
}
