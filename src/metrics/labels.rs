//! The closed sets that labels come from.

use ferry_types::domain::submission::{DeliveryResult, ReasonCode, State, StepKind};

macro_rules! label {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $value:ident = $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$doc])* $value,)+
        }

        impl $name {
            /// Every one.
            pub const ALL: [Self; [$($text),+].len()] = [$(Self::$value),+];

            /// The word for it.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$value => $text,)+
                }
            }

            pub(super) fn all() -> Vec<&'static str> {
                Self::ALL.map(Self::as_str).into()
            }
        }
    };
}

label! {
    /// A call of the Upload API.
    Endpoint {
        /// The token endpoint.
        Token = "token",
        /// `UploadData`.
        Upload = "upload",
        /// `GetResults` with `dataKey=status`.
        Status = "status",
        /// `GetResults` with `dataKey=feedback`.
        Feedback = "feedback",
        /// `GetResults` with any other key.
        Results = "results",
    }
}

label! {
    /// What became of a request to the Platform.
    Class {
        /// 2xx.
        Ok = "ok",
        /// 401: the access token, or at the token endpoint the client, was refused.
        Unauthorized = "unauthorized",
        /// 403.
        Forbidden = "forbidden",
        /// 404.
        NotFound = "not_found",
        /// Any other 4xx that is about the request.
        ClientError = "client_error",
        /// 429, or 503 with `Retry-After`.
        Throttled = "throttled",
        /// 5xx, 408, 425, and what belongs nowhere.
        ServerError = "server_error",
        /// No connection: refused, DNS, TLS.
        NoConnection = "no_connection",
        /// The request was sent, and no whole answer came: timeouts and resets.
        NoResponse = "no_response",
        /// The answer was larger than allowed.
        TooLarge = "too_large",
    }
}

label! {
    /// How an attempt to get an access token ended.
    TokenResult {
        /// There is one.
        Ok = "ok",
        /// The credentials were refused.
        Denied = "denied",
        /// The token endpoint had a fault, could not be reached, or asked to wait.
        Failed = "failed",
    }
}

label! {
    /// Which way a dataset, results or feedback went.
    Direction {
        /// From a producer into the store.
        Accepted = "accepted",
        /// From the store to the Platform.
        Uploaded = "uploaded",
        /// From the Platform into the store.
        Fetched = "fetched",
    }
}

label! {
    /// Where submissions come from.
    Source {
        /// The command line, from CSV files.
        Cli = "cli",
        /// The command line, from NDJSON.
        Ndjson = "ndjson",
        /// The HTTP API.
        Api = "api",
        /// Other Rust services, with apalis-redis.
        Apalis = "apalis",
    }
}

label! {
    /// What became of a request at the door.
    IntakeResult {
        /// It is kept.
        Accepted = "accepted",
        /// It was accepted before, under its idempotency key.
        Duplicate = "duplicate",
        /// Its idempotency key belongs to other content.
        Conflict = "conflict",
        /// It is invalid.
        Invalid = "invalid",
        /// The store did not take it.
        Failed = "failed",
    }
}

label! {
    /// What a step of the queue is doing.
    QueueState {
        /// It is due.
        Ready = "ready",
        /// It is due later.
        Scheduled = "scheduled",
        /// A worker has it.
        Running = "running",
        /// A person must decide about its submission.
        Held = "held",
        /// It is due, and its account is paused.
        Paused = "paused",
    }
}

label! {
    /// A call of the store.
    Operation {
        /// `Store::accept`.
        Accept = "accept",
        /// `Store::claim`.
        Claim = "claim",
        /// `Store::commit`.
        Commit = "commit",
        /// `Store::renew`.
        Renew = "renew",
        /// `Store::release`.
        Release = "release",
        /// `Store::rescue`.
        Rescue = "rescue",
        /// `Store::payload`.
        Payload = "payload",
        /// `Store::content`.
        Content = "content",
        /// `Store::get`, `Store::timeline`, `Store::list` and `Store::events`.
        Read = "read",
        /// `Store::stats`.
        Stats = "stats",
        /// What an operator asks for: pause, resume, cancel, retry, resolve, redeliver.
        Operate = "operate",
        /// `Store::sweep`.
        Sweep = "sweep",
        /// `Store::check`.
        Check = "check",
    }
}

label! {
    /// How a call of the store failed.
    StoreErrorKind {
        /// There is no such submission.
        NotFound = "not_found",
        /// There is no such account.
        UnknownAccount = "unknown_account",
        /// The submission's state does not allow it.
        NotAllowed = "not_allowed",
        /// The data cannot be used.
        Unusable = "unusable",
        /// The store could not be reached or had a fault.
        Unavailable = "unavailable",
    }
}

label! {
    /// What became of an HTTP request.
    HttpClass {
        /// It was done.
        Success = "2xx",
        /// There is nothing new.
        Redirection = "3xx",
        /// The client has to change something, or to wait.
        ClientError = "4xx",
        /// Ferry could not do it.
        ServerError = "5xx",
    }
}

pub(super) fn step_kinds() -> Vec<&'static str> {
    StepKind::ALL.map(StepKind::as_str).into()
}

pub(super) fn states() -> Vec<&'static str> {
    State::ALL.map(State::as_str).into()
}

pub(super) fn outcomes() -> Vec<&'static str> {
    State::ALL.into_iter().filter(|state| state.is_final()).map(State::as_str).collect()
}

/// What a step left: a reason, or none.
pub(super) const NO_REASON: &str = "ok";

pub(super) fn step_results() -> Vec<&'static str> {
    [NO_REASON].into_iter().chain(ReasonCode::ALL.map(ReasonCode::as_str)).collect()
}

pub(super) fn deliveries() -> Vec<&'static str> {
    DeliveryResult::ALL.map(DeliveryResult::as_str).into()
}
