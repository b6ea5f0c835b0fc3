//! The submissions that a command is about: by id, by the beginning of an id, or by name.

use std::str::FromStr;
use std::time::Duration;

use clap::Args;

use super::complete;
use super::error::{CliError, Exit};
use ferry_store::{Filter, Store, StoreError};
use ferry_types::domain::{InvalidIdError, SubmissionId, earlier, later};

/// Shortest beginning of an id: one character more would seldom be typed, one less is most of the store.
pub(super) const SHORTEST: usize = 4;

/// Length of an id.
const WHOLE: usize = 26;

/// Most submissions that are named where a beginning is ambiguous.
pub(super) const CANDIDATES: usize = 5;

/// Submissions read from the store at once.
const PAGE: usize = 200;

/// Longest time between the moment in an id, by the clock of a producer, and acceptance by the store. A
/// beginning is looked for only so far around it; an id whose maker's clock is further off is typed whole.
const SKEW: Duration = Duration::from_mins(10);

/// An id, or its beginning: all ids from the first to the last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IdArg {
    text: String,
    first: SubmissionId,
    last: SubmissionId,
}

impl FromStr for IdArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let pad = |with: &str| {
            let missing = WHOLE.saturating_sub(text.len());
            (text.to_owned() + &with.repeat(missing)).parse::<SubmissionId>()
        };
        // A greater first character would not fit into the 128 bits of an id.
        let begins_an_id = text.starts_with(|first| matches!(first, '0'..='7'));
        match (pad("0"), pad("Z")) {
            (Ok(first), Ok(last)) if text.len() >= SHORTEST && begins_an_id => {
                Ok(Self { text: text.to_owned(), first, last })
            }
            _ => {
                let invalid = InvalidIdError(text.to_owned());
                Err(format!("{invalid}, or its beginning, at least {SHORTEST} of them"))
            }
        }
    }
}

impl IdArg {
    /// The submission that is meant. A whole id is returned unseen.
    pub(super) async fn find(&self, store: &dyn Store) -> Result<SubmissionId, CliError> {
        if self.first == self.last {
            return Ok(self.first);
        }
        let candidates = self.candidates(store).await?;
        match candidates.as_slice() {
            [] => {
                Err(CliError::usage(format!("no submission has an id that begins `{}`", self.text))
                    .hint("list the ids: `ferry list`; or name another store: `--store`"))
            }
            [(id, _)] => Ok(*id),
            several => Err(self.ambiguous(several)),
        }
    }

    fn ambiguous(&self, candidates: &[(SubmissionId, String)]) -> CliError {
        let named: Vec<String> =
            candidates.iter().take(CANDIDATES).map(|(id, name)| format!("{id} {name}")).collect();
        let more = if candidates.len() > CANDIDATES { ", …" } else { "" };
        let what = format!("several ids begin `{}`: {}{more}", self.text, named.join(", "));
        CliError::usage(what).hint("add characters until only one does")
    }

    /// The submissions whose id begins so, with their names, newest first: at most one more than are named.
    async fn candidates(
        &self,
        store: &dyn Store,
    ) -> Result<Vec<(SubmissionId, String)>, StoreError> {
        let filter = Filter {
            created_after: Some(earlier(self.first.made_at(), SKEW)),
            created_before: Some(later(self.last.made_at(), SKEW)),
            ..Filter::default()
        };
        let (mut found, mut cursor) = (Vec::new(), None);
        loop {
            let page = store.list(&filter, cursor, PAGE).await?;
            let sound = page.found.into_iter().map(|found| found.submission);
            let sound = sound.map(|submission| (submission.id, submission.name.clone()));
            let damaged = page.damaged.iter().filter_map(|damaged| damaged.id.parse().ok());
            let damaged = damaged.map(|id| (id, "(damaged)".to_owned()));
            found.extend(
                sound.chain(damaged).filter(|(id, _)| (self.first..=self.last).contains(id)),
            );
            cursor = page.next;
            if cursor.is_none() || found.len() > CANDIDATES {
                found.truncate(CANDIDATES + 1);
                return Ok(found);
            }
        }
    }
}

/// A submission by its name.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct NameArgs {
    /// The newest submission of this name, instead of an ID.
    #[arg(short, long, value_name = "NAME")]
    pub(super) name: Option<String>,
    /// Of this account, where several have the name.
    #[arg(long, requires = "name", add = complete::accounts())]
    pub(super) account: Option<String>,
}

impl NameArgs {
    /// The submission, if one is named.
    pub(super) async fn find(&self, store: &dyn Store) -> Result<Option<SubmissionId>, CliError> {
        let Some(name) = &self.name else { return Ok(None) };
        let accounts = self.account.iter().cloned().collect();
        let filter = Filter { name: Some(name.clone()), accounts, ..Filter::default() };
        let mut page = store.list(&filter, None, 1).await?;
        // A page may be empty although more follow.
        while page.found.is_empty() && page.damaged.is_empty() && page.next.is_some() {
            page = store.list(&filter, page.next, 1).await?;
        }
        if let Some(damaged) = page.damaged.first() {
            return Err(CliError::new(Exit::Failed, anyhow::Error::msg(damaged.to_string())));
        }
        let found = page.found.first().map(|found| found.submission.id);
        found.map(Some).ok_or_else(|| {
            CliError::usage(format!("no submission has the name `{name}`"))
                .hint("list the names: `ferry list`; or name another store: `--store`")
        })
    }
}

/// Submissions, by id or by name.
#[derive(Debug, Args)]
#[group(id = "targets", required = true, args = ["ids", "name"])]
pub(super) struct Targets {
    /// The submissions: their ids, or beginnings of these that only one has.
    #[arg(value_name = "ID", conflicts_with = "name", add = complete::ids())]
    ids: Vec<IdArg>,
    #[command(flatten)]
    named: NameArgs,
}

impl Targets {
    pub(super) async fn find(&self, store: &dyn Store) -> Result<Vec<SubmissionId>, CliError> {
        find_all(&self.ids, &self.named, store).await
    }
}

/// The submissions with these ids, or the one with the name; none if nothing is given.
pub(super) async fn find_all(
    ids: &[IdArg],
    named: &NameArgs,
    store: &dyn Store,
) -> Result<Vec<SubmissionId>, CliError> {
    let mut found: Vec<SubmissionId> = named.find(store).await?.into_iter().collect();
    for id in ids {
        found.push(id.find(store).await?);
    }
    Ok(found)
}

/// One submission, by id or by name.
#[derive(Debug, Args)]
#[group(id = "target", required = true, args = ["id", "name"])]
pub(super) struct Target {
    /// The submission: its id, or a beginning of it that only one has.
    #[arg(value_name = "ID", conflicts_with = "name", add = complete::ids())]
    id: Option<IdArg>,
    #[command(flatten)]
    named: NameArgs,
}

impl Target {
    pub(super) async fn find(&self, store: &dyn Store) -> Result<SubmissionId, CliError> {
        match &self.id {
            Some(id) => id.find(store).await,
            None => self.named.find(store).await?.ok_or_else(|| {
                CliError::usage("no submission is named: give an ID or --name".to_owned())
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_stands_for_all_ids_that_begin_so_in_any_letter_case() {
        let id: IdArg = "01kdxb8w".parse().unwrap();
        assert_eq!(id.first.to_string(), "01KDXB8W000000000000000000");
        assert_eq!(id.last.to_string(), "01KDXB8WZZZZZZZZZZZZZZZZZZ");
        let whole: IdArg = "01KDXB8W4S9ZT2M3Q5R7V1C6HY".parse().unwrap();
        assert_eq!(whole.first, whole.last);
        for wrong in ["", "01K", "01KU", "march", "01KDXB8W4S9ZT2M3Q5R7V1C6HYX", "01Kä"] {
            let error = wrong.parse::<IdArg>().unwrap_err();
            assert!(error.contains("or its beginning"), "{error}");
        }
    }
}
