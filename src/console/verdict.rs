//! The verdict of the overview: the findings about the queue, each with the page or the act that ends it.

use super::acts::{Act, Block, resume};
use super::text::{Sentence, encoded};
pub(super) use crate::queue::ALL_IS_FINE;
use ferry_types::contract::{FindingKind, FindingView};

/// A finding as the page shows it.
#[derive(Debug, Clone)]
pub(crate) struct Finding {
    /// `bad` stops everything, `warn` a part of it, `note` ends by itself.
    pub(crate) severity: &'static str,
    /// All of it, in a sentence.
    pub(crate) sentence: Sentence,
    /// Effect.
    pub(crate) effect: String,
    /// A page about it: path and words.
    pub(crate) link: Option<(String, &'static str)>,
    /// The act that ends it.
    pub(crate) act: Option<Act>,
}

/// The findings, worst first, with acts if they are offered.
pub(crate) fn findings(found: &[FindingView], may_operate: bool) -> Vec<Finding> {
    found.iter().map(|finding| shown(finding, may_operate)).collect()
}

fn shown(finding: &FindingView, may_operate: bool) -> Finding {
    let account = finding.account.as_deref().unwrap_or_default();
    let act = |block| may_operate.then(|| resume(account, block));
    let (link, act) = match finding.kind {
        FindingKind::Paused => (Some(waiting(account, "paused")), act(Block::Paused)),
        FindingKind::Throttled => (Some(waiting(account, "throttled")), act(Block::Throttled)),
        FindingKind::LimitReached => (Some(waiting(account, "limit_reached")), None),
        FindingKind::BreakerOpen => {
            (Some(waiting(account, "breaker_open")), act(Block::BreakerOpen))
        }
        FindingKind::NoWorker => (Some(waiting(account, "worker")), None),
        FindingKind::Held => (Some((held(account), "show them")), None),
        FindingKind::WebhooksAbandoned => {
            (Some(("/console/webhooks?state=failed".to_owned(), "show them")), None)
        }
        FindingKind::StoreCheck => (Some(("/console/system".to_owned(), "show all checks")), None),
        _ => (None, None),
    };
    Finding {
        severity: finding.severity.as_str(),
        sentence: Sentence::until(&finding.sentence, finding.until),
        effect: finding.effect.clone(),
        link,
        act,
    }
}

fn waiting(account: &str, reason: &str) -> (String, &'static str) {
    let account = encoded(account);
    (format!("/console/submissions?waiting_for={reason}&account={account}"), "show them")
}

fn held(account: &str) -> String {
    format!("/console/submissions?state=held&account={}", encoded(account))
}
