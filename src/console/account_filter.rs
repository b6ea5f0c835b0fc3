//! The filter of lists by accounts: to tick where the key has some, to type where it sees all.

use super::frame::Frame;

/// The accounts of a filter as its form shows them.
#[derive(Debug)]
pub(crate) struct AccountFilter {
    /// The chosen ones, as they are typed.
    pub(crate) text: String,
    /// The accounts of the key, and whether each is chosen; none if it sees all.
    pub(crate) choices: Vec<(String, bool)>,
}

impl AccountFilter {
    /// The form of these accounts.
    pub(super) fn new(frame: &Frame, chosen: &[String]) -> Self {
        let own = frame.viewer.as_ref().and_then(|viewer| viewer.accounts.clone());
        let choice = |account: String| {
            let is_chosen = chosen.contains(&account);
            (account, is_chosen)
        };
        let choices = own.unwrap_or_default().into_iter().map(choice).collect();
        Self { text: chosen.join(", "), choices }
    }
}
