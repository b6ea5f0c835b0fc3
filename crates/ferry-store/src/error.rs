//! Errors of a store, the same for all kinds of stores.

use ferry_types::domain::SubmissionId;
use ferry_types::domain::submission::LifecycleError;

/// Reason why the store did not do what was requested.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The store has no such submission.
    #[error("there is no submission {0}")]
    NotFound(SubmissionId),
    /// The store has no such account.
    #[error("there is no account `{0}`")]
    UnknownAccount(String),
    /// A rule of the submission's life does not allow it.
    #[error(transparent)]
    NotAllowed(#[from] LifecycleError),
    /// The id of a new submission belongs to another one.
    #[error("there is already a submission {0}")]
    Taken(SubmissionId),
    /// The request is larger than the store can take at once.
    #[error("{0}")]
    TooLarge(String),
    /// The record of one submission cannot be read. All others can.
    #[error("the record of submission {id} is damaged: {cause}")]
    Damaged {
        /// Submission whose record it is.
        id: SubmissionId,
        /// Part that is damaged.
        cause: String,
    },
    /// The data cannot be used by this version of Ferry.
    #[error("{0}")]
    Unusable(String),
    /// The store can be read, and accepts no writes. A later attempt may succeed.
    #[error("the store `{location}` {reason}: {cause}")]
    NotWritable {
        /// Location of the store; no password.
        location: String,
        /// Reason, for which there is a way out.
        reason: UnwritableReason,
        /// Reason as the server or the system gave it.
        cause: String,
    },
    /// The store could not be reached or had an error; a later attempt may succeed.
    #[error("the store `{location}` failed: {cause}")]
    Unavailable {
        /// Location of the store; no password.
        location: String,
        /// Reason as the server or the system gave it.
        cause: String,
    },
}

/// Parts of the errors of servers and files, with the way out of each.
const CAUSES: [(&str, &str); 6] = [
    (
        "LOADING",
        "wait until Redis has loaded its data: `redis-cli INFO persistence` shows how far it is",
    ),
    (
        "BUSY ",
        "wait for the end of the script, or end it as an administrator: `redis-cli SCRIPT KILL`",
    ),
    (
        "max number of clients",
        "raise the `maxclients` of Redis, or stop clients that are not needed",
    ),
    ("MASTERDOWN", "let `store` name the Redis master, or wait for the end of the failover"),
    ("DENIED", "give Redis a password: without one its protected mode admits this machine alone"),
    (
        "database is locked",
        "end the process that has the file locked: `fuser` names those that have it open",
    ),
];

impl StoreError {
    /// True if the same request may succeed later, without a change.
    pub const fn is_temporary(&self) -> bool {
        matches!(self, Self::NotWritable { .. } | Self::Unavailable { .. })
    }

    /// True if the store fails, and not the request: others would fail the same way.
    pub const fn is_of_store(&self) -> bool {
        self.is_temporary() || matches!(self, Self::Unusable(_))
    }

    /// Way out, as an imperative.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotWritable { reason, location, .. } => {
                Some(reason.hint(location.starts_with("redis")))
            }
            Self::Unavailable { cause, .. } => {
                let hint = CAUSES.iter().find(|(part, _)| cause.contains(part));
                hint.map(|(_, hint)| *hint)
            }
            _ => None,
        }
    }
}

/// Reason why a store that can be read accepts no writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnwritableReason {
    /// No memory, or no disk space, is left.
    Full,
    /// The server cannot write to its disk for another reason.
    DiskError,
    /// The file, or the server, may only be read.
    ReadOnly,
    /// Fewer replicas are connected than the server requires.
    TooFewReplicas,
    /// The server holds writes back, for a while or until an administrator ends that.
    Paused,
    /// The user of the Redis server lacks a right.
    MissingRights,
}

impl UnwritableReason {
    /// Way out, as an imperative.
    const fn hint(self, is_redis: bool) -> &'static str {
        match self {
            Self::Full if is_redis => {
                "raise the `maxmemory` of Redis, or free disk space; a lower `retention` makes the \
                 store smaller. Workers continue by themselves"
            }
            Self::Full => {
                "free disk space, `df` shows it; a lower `retention` makes the store smaller. Workers \
                 continue by themselves"
            }
            Self::DiskError if is_redis => "look at the log of Redis, and at its disk",
            Self::DiskError => "look at the disk of the file, and at the kernel's log: `dmesg`",
            Self::ReadOnly if is_redis => "let `store` name the Redis master and not a replica",
            Self::ReadOnly => {
                "make the file and its folder writable for this user, or name a copy as `store`"
            }
            Self::TooFewReplicas => {
                "start the Redis replicas, or lower `min-replicas-to-write` in the server's \
                 configuration"
            }
            Self::Paused => {
                "wait for the end of the `CLIENT PAUSE`, or of the failover that uses it, or end it as an \
                 administrator: `redis-cli CLIENT UNPAUSE`. Workers continue by themselves"
            }
            Self::MissingRights => {
                "give the Redis user the right, as an administrator with `ACL SETUSER`. Workers continue by \
                 themselves"
            }
        }
    }
}

impl std::fmt::Display for UnwritableReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Full => "is full",
            Self::DiskError => "cannot write to its disk",
            Self::ReadOnly => "is read-only",
            Self::TooFewReplicas => "has too few replicas for writes",
            Self::Paused => "pauses writes",
            Self::MissingRights => "denies a command of its user",
        })
    }
}

/// A record that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DamagedRecord {
    /// Id of the submission as the store has it; of a foreign record, its name.
    pub id: String,
    /// Part that is damaged.
    pub cause: String,
}

impl std::fmt::Display for DamagedRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the record of submission {} is damaged: {}", self.id, self.cause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_out_of_an_unavailable_store_is_that_of_its_cause() {
        let way_out = |cause: &str| {
            let (location, cause) = ("redis://store:6379".to_owned(), cause.to_owned());
            StoreError::Unavailable { location, cause }.hint()
        };
        let loading = way_out("LOADING Redis is loading the dataset in memory").unwrap();
        assert!(loading.starts_with("wait until Redis has loaded"), "{loading}");
        assert!(way_out("BUSY Redis is busy running a script.").unwrap().contains("SCRIPT KILL"));
        assert_eq!(way_out("Connection refused (os error 111)"), None);
    }

    #[test]
    fn the_way_out_of_a_full_broken_or_read_only_store_is_that_of_its_kind() {
        for reason in
            [UnwritableReason::Full, UnwritableReason::DiskError, UnwritableReason::ReadOnly]
        {
            let hint = |location: &str| {
                let (location, cause) = (location.to_owned(), "no space".to_owned());
                StoreError::NotWritable { location, reason, cause }.hint().unwrap()
            };
            assert!(!hint("sqlite:/var/lib/ferry/ferry.db").contains("Redis"), "{reason:?}");
            assert!(hint("rediss://store:6379").contains("Redis"), "{reason:?}");
        }
    }
}
