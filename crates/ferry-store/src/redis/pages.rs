//! Reads lists and statistics with as many bounded scripts as they take.

use super::RedisStore;
use super::error::RedisError;
use super::read;
use crate::listing::Listing;
use crate::{Cursor, Filter, Page, Stats};

/// Accounts that one script counts for.
const ACCOUNTS: usize = 100;

impl RedisStore {
    /// A page of the submissions that match.
    pub(super) async fn page(
        &self,
        filter: &Filter,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page, RedisError> {
        let script = &self.scripts.list;
        let mut listing = Listing::new(limit);
        let mut below = after.map(|Cursor(seq)| seq);
        loop {
            let script_call = self.script_call(script);
            let script_call = read::describe_list(script_call, filter, below, listing.wanted());
            let response = self.run(script, script_call).await?;
            let (part, rest) = read::part(response, filter, &self.health)?;
            let mut part = part.into_iter();
            while !listing.is_full()
                && let Some((seq, listed)) = part.next()
            {
                listing.look(seq, listed);
            }
            let is_end = rest.is_none() && part.len() == 0;
            if is_end || listing.is_full() {
                return Ok(listing.into_page(is_end));
            }
            below = rest;
        }
    }

    pub(super) async fn all_stats(&self) -> Result<Stats, RedisError> {
        let script = &self.scripts.stats;
        let (mut stats, mut after) = (Stats::default(), Vec::new());
        loop {
            let script_call = self.script_call(script);
            let script_call = read::describe_stats(script_call, None, &after, ACCOUNTS);
            let page = read::stats(self.run(script, script_call).await?, ACCOUNTS)?;
            stats.steps.extend(page.stats.steps);
            stats.accounts.extend(page.stats.accounts);
            let Some(next) = page.next else { return Ok(stats) };
            after = next;
        }
    }

    pub(super) async fn stats_of_one(&self, account: &str) -> Result<Stats, RedisError> {
        let script = &self.scripts.stats;
        let script_call = read::describe_stats(self.script_call(script), Some(account), &[], 1);
        Ok(read::stats(self.run(script, script_call).await?, 1)?.stats)
    }
}
