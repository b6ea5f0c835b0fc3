//! The verdict of the overview: the findings about the queue, each with the page or the act that ends it.

use super::acts::{Act, of_account};
use super::text::{Moment, Sentence};
pub(super) use crate::queue::ALL_IS_FINE;
use crate::queue::{self, Remedy};
use ferry_types::contract::StatsView;
use ferry_types::domain::Timestamp;

/// A finding as the page shows it.
#[derive(Debug, Clone)]
pub(crate) struct Finding {
    /// `bad` stops everything, `warn` a part of it, `note` ends by itself.
    pub(crate) severity: &'static str,
    /// Cause, and end.
    pub(crate) sentence: Sentence,
    /// Effect.
    pub(crate) effect: String,
    /// Its end, if that is known.
    pub(crate) until: Option<Moment>,
    /// A page about it: path and words.
    pub(crate) link: Option<(String, &'static str)>,
    /// The act that ends it.
    pub(crate) act: Option<Act>,
}

/// The queue as the caller sees it.
#[derive(Debug)]
pub(crate) struct Queue<'a> {
    /// Its size.
    pub(crate) stats: &'a StatsView,
    /// Result of the check of the store.
    pub(crate) checked: Result<(), String>,
    /// True if acts are offered.
    pub(crate) may_operate: bool,
}

/// All that is wrong, worst first.
pub(crate) fn findings(queue: &Queue<'_>, now: Timestamp) -> Vec<Finding> {
    let found = queue::findings(queue.stats, &queue.checked, now).into_iter();
    found.map(|finding| shown(finding, queue.may_operate)).collect()
}

fn shown(finding: queue::Finding, may_operate: bool) -> Finding {
    let (link, act) = match &finding.remedy {
        Some(Remedy::Resume(account)) => (None, may_operate.then(|| of_account(account, true))),
        Some(Remedy::Decide(account)) => (Some((held(account), "show them")), None),
        None => (None, None),
    };
    Finding {
        severity: finding.severity,
        sentence: finding.sentence.as_str().into(),
        effect: finding.effect,
        until: finding.until.map(Moment::from),
        link,
        act,
    }
}

fn held(account: &str) -> String {
    let account: String = form_urlencoded::byte_serialize(account.as_bytes()).collect();
    format!("/console/submissions?state=held&account={account}")
}
