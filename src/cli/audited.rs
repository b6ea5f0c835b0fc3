//! Records in the audit log what an operator does on this machine.

use std::fmt::Display;

use nix::unistd::{Uid, User};

use crate::audit::{Audit, AuditAction, AuditError};
use ferry_types::clock::{Clock, SystemClock};

use super::error::{CliError, Exit};

/// Records the intent of a command such as `cancel ID`, runs it, and records its outcome. Nothing is done
/// that cannot be recorded.
pub(super) async fn audited<T, E: Display>(
    audit: &Audit,
    command: &str,
    details: Option<&str>,
    act: impl Future<Output = Result<T, E>>,
) -> Result<Result<T, E>, AuditError> {
    let action = AuditAction {
        actor: user(),
        via: "cli",
        action: format!("ferry {command}"),
        details: details.map(str::to_owned),
        client: None,
        request: None,
    };
    let intent = audit.intend(&action, SystemClock.now())?;
    let done = act.await;
    let failure = done.as_ref().err().map(ToString::to_string);
    let outcome = failure.as_deref().unwrap_or("done");
    audit.conclude(&action, intent, outcome, SystemClock.now());
    Ok(done)
}

/// The user of the operating system; its number, if it has no name.
pub(super) fn user() -> String {
    let id = Uid::current();
    let named = User::from_uid(id).ok().flatten();
    named.map_or_else(|| id.to_string(), |user| user.name)
}

impl From<AuditError> for CliError {
    fn from(error: AuditError) -> Self {
        Self::new(Exit::Usage, error.into())
            .hint("correct the file, or name another with `audit_log`")
    }
}
