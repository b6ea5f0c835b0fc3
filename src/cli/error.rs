//! The end of a command: its exit code, and its error with causes and a hint.

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;

use super::ui::{ErrorObject, Ui};
use crate::app::SetupError;
use crate::config::ConfigErrors;
use crate::platform::InvalidAccountError;
use ferry_store::StoreError;
use ferry_types::contract::SubmissionView;
use ferry_types::domain::submission::State;

/// The exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    /// Done; of submissions that were waited for: completed.
    Done = 0,
    /// An unexpected failure, or a submission that failed or was cancelled.
    Failed = 1,
    /// The call or the configuration is wrong.
    Usage = 2,
    /// The dataset is invalid; nothing was sent.
    Invalid = 3,
    /// The Platform rejected the dataset.
    Rejected = 4,
    /// Still pending at the limit of `--wait`.
    Pending = 5,
    /// Held: a person must decide.
    Held = 6,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl Exit {
    /// The exit code for submissions that were waited for: that of the worst of them.
    pub(super) fn of(views: &[SubmissionView]) -> Self {
        let of_one = |state: State| match state {
            State::Completed => Self::Done,
            State::Rejected => Self::Rejected,
            State::Failed | State::Cancelled => Self::Failed,
            State::Held => Self::Held,
            State::Queued | State::Uploading | State::Processing | State::Collecting => {
                Self::Pending
            }
        };
        let exits: Vec<Self> = views.iter().map(|view| of_one(view.state)).collect();
        [Self::Failed, Self::Held, Self::Rejected, Self::Pending]
            .into_iter()
            .find(|exit| exits.contains(exit))
            .unwrap_or(Self::Done)
    }
}

/// The reason that a command failed.
#[derive(Debug)]
pub(super) struct CliError {
    exit: Exit,
    error: anyhow::Error,
    hint: Option<String>,
}

impl std::fmt::Display for CliError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.error.fmt(f)
    }
}

impl CliError {
    pub(super) fn new(exit: Exit, error: anyhow::Error) -> Self {
        Self { exit, error, hint: None }
    }

    /// The call is wrong.
    pub(super) fn usage(message: String) -> Self {
        Self::new(Exit::Usage, anyhow::Error::msg(message))
    }

    /// No socket could be bound to the address of a setting.
    pub(super) fn cannot_listen(address: SocketAddr, setting: &str, error: io::Error) -> Self {
        let is_in_use = error.kind() == io::ErrorKind::AddrInUse;
        let what = format!("cannot listen on {address} (`{setting}`)");
        let failure = Self::new(Exit::Failed, anyhow::Error::new(error).context(what));
        if is_in_use {
            failure.hint(format!("choose another address: `--set {setting}=ADDRESS`"))
        } else {
            failure
        }
    }

    /// Adds the way out.
    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Says it on stderr; the end of the process.
    pub(super) fn report(&self, ui: &Ui) -> ExitCode {
        if self.is_broken_pipe() {
            // The reader of the output has seen enough.
            return ExitCode::SUCCESS;
        }
        self.print_error(ui).into()
    }

    /// Says it on stderr.
    pub(super) fn print_error(&self, ui: &Ui) -> Exit {
        ui.failure(&ErrorObject {
            error: self.error.to_string(),
            is_several: self.error.is::<ConfigErrors>(),
            causes: self.error.chain().skip(1).map(ToString::to_string).collect(),
            hint: self.hint.clone(),
        });
        self.exit
    }

    fn is_broken_pipe(&self) -> bool {
        let error = self.error.downcast_ref::<io::Error>();
        error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    }
}

impl From<anyhow::Error> for CliError {
    fn from(error: anyhow::Error) -> Self {
        Self::new(Exit::Failed, error)
    }
}

impl From<io::Error> for CliError {
    fn from(error: io::Error) -> Self {
        Self::new(Exit::Failed, error.into())
    }
}

impl From<ConfigErrors> for CliError {
    fn from(errors: ConfigErrors) -> Self {
        let hint = errors.hint;
        Self::new(Exit::Usage, errors.into()).hint(hint)
    }
}

impl From<InvalidAccountError> for CliError {
    fn from(error: InvalidAccountError) -> Self {
        Self::new(Exit::Usage, error.into())
    }
}

impl From<SetupError> for CliError {
    fn from(error: SetupError) -> Self {
        match error {
            SetupError::Account(error) => error.into(),
            SetupError::Webhooks(_) => Self::new(Exit::Failed, error.into())
                .hint("install the CA certificates of the machine, or set `webhook_ca`"),
        }
    }
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        let (exit, hint) = match &error {
            StoreError::NotFound(_) => (
                Exit::Usage,
                Some("list what the store has: `ferry list`; or name another store: `--store`"),
            ),
            StoreError::UnknownAccount(_) => {
                (Exit::Usage, Some("list the accounts of the store: `ferry stats`"))
            }
            StoreError::NotAllowed(_) | StoreError::Taken(_) | StoreError::TooLarge(_) => {
                (Exit::Usage, None)
            }
            StoreError::Damaged { .. } => (
                Exit::Failed,
                Some(
                    "restore a backup, or submit the dataset again; all other submissions are unharmed",
                ),
            ),
            StoreError::NotWritable { .. } => (Exit::Failed, error.hint()),
            StoreError::Unusable(_) => {
                (Exit::Failed, Some("check the store and what surrounds it: `ferry doctor`"))
            }
            StoreError::Unavailable { .. } => {
                (Exit::Failed, Some("try again, or check the store: `ferry doctor`"))
            }
        };
        let failure = Self::new(exit, error.into());
        match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}
