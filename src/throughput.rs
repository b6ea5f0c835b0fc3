//! The pace of the queue: how many submissions became final lately, by account. The exporter and the
//! HTTP API observe it together, and estimate from it how long the rest takes.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use ferry_store::{AccountStats, Stats};
use ferry_types::domain::submission::{State, StepKind};
use parking_lot::Mutex;

/// The pace is that of at most so long a time.
const WINDOW: Duration = Duration::from_mins(5);

/// Least time between two observations that are remembered.
const STEP: Duration = Duration::from_secs(2);

/// Submissions that became final, as observed lately.
#[derive(Debug, Default)]
pub struct Throughput(Mutex<Observed>);

#[derive(Debug, Default)]
struct Observed {
    /// Submissions by account that are final in the store.
    stored: BTreeMap<String, u64>,
    /// Submissions by account that became final since the first observation.
    finished: BTreeMap<String, u64>,
    /// `finished` as it was, oldest first.
    before: VecDeque<(Instant, BTreeMap<String, u64>)>,
    /// Time of the first observation, which began the first minute.
    begun: Option<Instant>,
    /// The last minute that was observed.
    minute: usize,
    /// Submissions by account that became final in each of the last minutes, as a ring.
    by_minute: BTreeMap<String, [u32; MINUTES]>,
}

/// Minutes of which the pace is remembered one by one.
pub const MINUTES: usize = 60;

impl Throughput {
    /// Observes what the store says `now`.
    pub fn observe(&self, stats: &Stats, now: Instant) {
        let mut observed = self.0.lock();
        let minute = observed.begin_minute(now);
        let Observed { stored, finished, before, by_minute, .. } = &mut *observed;
        for account in &stats.accounts {
            let finals = finals(account);
            let last = stored.insert(account.account.clone(), finals);
            // Fewer than before: retention has removed some.
            let more = last.map_or(0, |last| finals.saturating_sub(last));
            *finished.entry(account.account.clone()).or_default() += more;
            let minutes = by_minute.entry(account.account.clone()).or_insert([0; MINUTES]);
            minutes[minute] =
                minutes[minute].saturating_add(u32::try_from(more).unwrap_or(u32::MAX));
        }
        if before.back().is_none_or(|(at, _)| now.duration_since(*at) >= STEP) {
            before.push_back((now, finished.clone()));
        }
        while before.len() > 2 && now.duration_since(before[0].0) > WINDOW {
            before.pop_front();
        }
    }

    /// Returns how many submissions of the accounts in `stats` become final in a second; none if too little
    /// was observed.
    pub fn per_second(&self, stats: &Stats, now: Instant) -> Option<f64> {
        let observed = self.0.lock();
        let (since, then) = observed.before.front()?;
        let count = |all: &BTreeMap<String, u64>| -> u64 {
            stats.accounts.iter().filter_map(|account| all.get(&account.account)).sum()
        };
        let finished = count(&observed.finished).saturating_sub(count(then));
        let elapsed = now.duration_since(*since).as_secs_f64();
        (elapsed >= STEP.as_secs_f64()).then(|| finished as f64 / elapsed)
    }

    /// Returns how many submissions of an account became final in each of the last minutes that this process
    /// observed, oldest first; the last one is not over.
    pub fn minutes(&self, account: &str, now: Instant) -> Vec<u32> {
        let mut observed = self.0.lock();
        observed.begin_minute(now);
        let none = [0; MINUTES];
        let minutes = observed.by_minute.get(account).unwrap_or(&none);
        let last = observed.minute;
        (last.saturating_sub(MINUTES - 1)..=last).map(|at| minutes[at % MINUTES]).collect()
    }

    /// Estimates how long the unfinished submissions of the accounts in `stats` take at their pace, without those
    /// that are uploaded later; none if nothing moves, or too little was observed.
    pub fn drain(&self, stats: &Stats, now: Instant) -> Option<Duration> {
        if stats.unfinished() == 0 {
            return Some(Duration::ZERO);
        }
        // What is paused waits for an operator, at no pace.
        let moves = |account: &&AccountStats| account.health.pause_reason.is_none();
        let moving = |account: &AccountStats| {
            unfinished(account).saturating_sub(later_uploads(stats, &account.account))
        };
        let unfinished: u64 = stats.accounts.iter().filter(moves).map(moving).sum();
        let pace = self.per_second(stats, now).filter(|pace| *pace > 0.0)?;
        Duration::try_from_secs_f64(unfinished as f64 / pace).ok()
    }
}

impl Observed {
    /// Begins the minute of `now`, with nothing in it, and returns its place in a ring.
    fn begin_minute(&mut self, now: Instant) -> usize {
        let begun = *self.begun.get_or_insert(now);
        let minute = usize::try_from(now.saturating_duration_since(begun).as_secs() / 60);
        let minute = minute.unwrap_or(usize::MAX).max(self.minute);
        for new in (self.minute + 1..=minute).take(MINUTES) {
            self.by_minute.values_mut().for_each(|minutes| minutes[new % MINUTES] = 0);
        }
        self.minute = minute;
        minute % MINUTES
    }
}

fn unfinished(account: &AccountStats) -> u64 {
    let waits = |state: &State| !state.is_final() && *state != State::Held;
    account.states.iter().filter(|(state, _)| waits(state)).map(|(_, count)| count).sum()
}

/// Submissions of an account that wait for the time of their upload, and not for others.
fn later_uploads(stats: &Stats, account: &str) -> u64 {
    let own = stats.steps.iter().filter(|steps| steps.account == account);
    own.filter(|steps| steps.kind == StepKind::Upload).map(|steps| steps.scheduled).sum()
}

fn finals(account: &AccountStats) -> u64 {
    account.states.iter().filter(|(state, _)| state.is_final()).map(|(_, count)| count).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ferry_store::StepStats;
    use ferry_types::domain::account::Health;

    fn stats(accounts: &[(&str, u64, u64)]) -> Stats {
        let account = |&(name, open, done): &(&str, u64, u64)| AccountStats {
            account: name.to_owned(),
            health: Health::default(),
            states: [(State::Queued, open), (State::Completed, done)].into(),
        };
        Stats { accounts: accounts.iter().map(account).collect(), steps: Vec::new() }
    }

    #[test]
    fn what_is_uploaded_later_takes_no_time_of_the_queue() {
        let (throughput, started) = (Throughput::default(), Instant::now());
        let drain = |open, done, seconds| {
            let later = StepStats { scheduled: 60, ..StepStats::none("a", StepKind::Upload) };
            let stats = Stats { steps: vec![later], ..stats(&[("a", open, done)]) };
            let now = started + Duration::from_secs(seconds);
            throughput.observe(&stats, now);
            throughput.drain(&stats, now)
        };
        assert_eq!(drain(100, 50, 0), None);
        assert_eq!(drain(90, 60, 10), Some(Duration::from_secs(30)));
        assert_eq!(drain(60, 90, 20), Some(Duration::ZERO));
    }

    #[test]
    fn the_pace_outlives_retention_and_there_is_none_when_nothing_moves() {
        let (throughput, started) = (Throughput::default(), Instant::now());
        let drain = |open, done, seconds| {
            let (stats, now) =
                (stats(&[("a", open, done)]), started + Duration::from_secs(seconds));
            throughput.observe(&stats, now);
            throughput.drain(&stats, now)
        };
        assert_eq!(drain(100, 50, 0), None);
        assert_eq!(drain(90, 60, 10), Some(Duration::from_secs(90)));
        assert_eq!(drain(90, 5, 20), Some(Duration::from_mins(3)), "most were removed");
        assert_eq!(drain(0, 5, 30), Some(Duration::ZERO));
        assert_eq!(drain(9, 5, 1000), None);
    }

    #[test]
    fn the_pace_of_each_minute_is_remembered_for_an_hour() {
        let (throughput, started) = (Throughput::default(), Instant::now());
        let at = |minutes: u64| started + Duration::from_secs(minutes * 60 + 1);
        let observe = |done, minutes| throughput.observe(&stats(&[("a", 9, done)]), at(minutes));
        assert_eq!(throughput.minutes("a", started), [0]);
        observe(100, 0);
        observe(103, 0);
        observe(107, 2);
        assert_eq!(throughput.minutes("a", at(3)), [3, 0, 4, 0]);
        observe(108, 61);
        let hour = throughput.minutes("a", at(61));
        assert_eq!((hour.len(), hour[0], hour.iter().sum::<u32>()), (60, 4, 5), "{hour:?}");
        assert_eq!(throughput.minutes("a", at(1000)), [0; 60], "nothing is left of it");
        assert_eq!(throughput.minutes("unknown", at(1000)), [0; 60]);
    }

    #[test]
    fn the_pace_of_one_account_says_nothing_of_another() {
        let (throughput, started) = (Throughput::default(), Instant::now());
        let now = started + Duration::from_secs(10);
        throughput.observe(&stats(&[("fast", 100, 0), ("slow", 100, 0)]), started);
        throughput.observe(&stats(&[("fast", 0, 100), ("slow", 90, 10)]), now);
        let of = |accounts: &[(&str, u64, u64)]| throughput.drain(&stats(accounts), now);
        assert_eq!(of(&[("slow", 90, 10)]), Some(Duration::from_secs(90)));
        assert_eq!(of(&[("fast", 10, 100)]), Some(Duration::from_secs(1)));
        let both = of(&[("fast", 20, 100), ("slow", 90, 10)]);
        assert_eq!(both, Some(Duration::from_secs(10)), "110 a second and a tenth");
    }
}
