//! Who calls, and what that one may do and see.

use std::collections::BTreeSet;

use super::error::ApiError;
use super::keys::Role;
use ferry_store::{Store, SubmissionDetail};
use ferry_types::contract::ProblemKind;
use ferry_types::domain::SubmissionId;

/// Who calls.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) name: String,
    pub(super) role: Role,
    /// The only accounts that it knows of; all if none.
    pub(super) accounts: Option<BTreeSet<String>>,
}

impl Caller {
    /// Without keys, everybody who can reach the server may do everything.
    pub(super) fn anybody() -> Self {
        Self { name: "anybody".to_owned(), role: Role::Operate, accounts: None }
    }

    pub(super) fn sees(&self, account: &str) -> bool {
        self.accounts.as_ref().is_none_or(|accounts| accounts.contains(account))
    }

    /// The account of what this caller asks for without naming one, if there is but one.
    pub(super) fn only_account(&self) -> Option<String> {
        let accounts = self.accounts.as_ref()?;
        accounts.iter().next().filter(|_| accounts.len() == 1).cloned()
    }

    /// The account of a submission that asks for this one, or for none; none leaves it to the intake.
    pub(super) fn account_for(
        &self,
        requested: Option<String>,
    ) -> Result<Option<String>, ApiError> {
        match (requested, &self.accounts) {
            (Some(requested), _) => self.may_use(&requested).map(|()| Some(requested)),
            (None, Some(accounts)) if accounts.len() != 1 => {
                let names: Vec<&str> = accounts.iter().map(String::as_str).collect();
                let what = "it is needed, because this API key is for several";
                Err(ApiError::field("account", format!("{what}: {}", names.join(", "))))
            }
            (None, _) => Ok(self.only_account()),
        }
    }

    /// A caller may only write to its own accounts.
    pub(super) fn may_use(&self, account: &str) -> Result<(), ApiError> {
        if self.sees(account) {
            return Ok(());
        }
        let what = format!("this API key is not for account `{account}`");
        Err(ApiError::new(ProblemKind::Forbidden, what))
    }

    /// A submission; one of a foreign account is as good as none.
    pub(super) async fn find(
        &self,
        store: &dyn Store,
        id: &str,
    ) -> Result<SubmissionDetail, ApiError> {
        let none = || ApiError::not_found(format!("there is no submission `{}`", excerpt(id)));
        let id: SubmissionId = id.parse().map_err(|_| none())?;
        let found = store.get(id).await?.ok_or_else(none)?;
        if self.sees(&found.submission.account) { Ok(found) } else { Err(none()) }
    }
}

/// What a client sent, fit for being repeated.
fn excerpt(text: &str) -> String {
    text.chars().take(40).flat_map(char::escape_debug).collect()
}
