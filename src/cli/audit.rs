//! Records in the audit log what an operator did on this machine.

use nix::unistd::{Uid, User};

use crate::audit::{Audit, AuditError, AuditRecord};
use ferry_types::clock::{Clock, SystemClock};

use super::error::{CliError, Exit};

/// Records a call such as `cancel ID`, and returns its outcome.
pub(super) fn audited<T, E: std::fmt::Display>(
    audit: &Audit,
    action: &str,
    done: Result<T, E>,
) -> Result<T, E> {
    let refused = done.as_ref().err().map(ToString::to_string);
    let outcome = refused.as_deref().unwrap_or("done");
    let (at, actor) = (SystemClock.now(), user());
    let action = format!("ferry {action}");
    let record = AuditRecord {
        at,
        actor: &actor,
        via: "cli",
        action: &action,
        client: None,
        outcome,
        request: None,
    };
    audit.record(&record);
    done
}

/// The user of the operating system; its number, if it has no name.
pub(super) fn user() -> String {
    let id = Uid::current();
    let named = User::from_uid(id).ok().flatten();
    named.map_or_else(|| id.to_string(), |user| user.name)
}

impl From<AuditError> for CliError {
    fn from(error: AuditError) -> Self {
        Self::new(Exit::Usage, error.into()).hint("`audit_log` names it")
    }
}
