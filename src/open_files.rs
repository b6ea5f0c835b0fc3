//! The limit of open files of the process: each connection is one.

use std::sync::Once;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tracing::warn;

/// Files that a process needs beside the connections of its steps: the store, the log, its own runtime,
/// probes, and name lookups.
const OTHERS: u64 = 40;

static LOGGED: Once = Once::new();

/// Raises the limit of open files as far as the system allows it, and returns it. Often no more than 1,024
/// are allowed until a process asks for more.
pub fn raise_limit() -> u64 {
    let limits = getrlimit(Resource::RLIMIT_NOFILE);
    let raised = limits.and_then(|(soft, hard)| {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map(|()| hard).or_else(|error| {
            LOGGED.call_once(|| warn!(%error, "the limit of open files stays as it is"));
            Ok(soft)
        })
    });
    raised.unwrap_or(u64::MAX)
}

/// The number of steps of each of `kinds` that can run at once with a limit of open files, each with a
/// connection: at most `wanted`, and at least one. Where the process also serves clients, half of the
/// connections are theirs.
pub fn concurrency(wanted: usize, kinds: usize, limit: u64, serves: bool) -> usize {
    let connections = connections(limit);
    let own = if serves { connections - connections / 2 } else { connections };
    wanted.min(own / kinds).max(1)
}

/// The number of client connections beside those of up to `steps` steps: whatever the clients do, the
/// Platform, the store and webhooks can be reached.
pub fn client_connections(steps: usize, limit: u64) -> usize {
    let connections = connections(limit);
    connections.saturating_sub(steps).max(connections / 2).max(1)
}

fn connections(limit: u64) -> usize {
    usize::try_from(limit.saturating_sub(OTHERS)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_open_files_leave_fewer_steps_and_never_none() {
        for (limit, expected) in [(0, 1), (41, 1), (64, 6), (296, 64), (1024, 64), (u64::MAX, 64)] {
            assert_eq!(concurrency(64, 4, limit, false), expected, "{limit}");
        }
    }

    #[test]
    fn steps_and_clients_together_open_no_more_files_than_allowed() {
        for (limit, steps, clients) in
            [(0, 1, 1), (64, 3, 12), (296, 32, 128), (1024, 64, 728), (10_000, 64, 9704)]
        {
            assert_eq!(concurrency(64, 4, limit, true), steps, "{limit}");
            assert_eq!(client_connections(256, limit), clients, "{limit}");
            assert!(limit < OTHERS || (4 * steps + clients) as u64 + OTHERS <= limit, "{limit}");
        }
        assert_eq!(client_connections(0, 64), 24, "a server without workers");
    }
}
