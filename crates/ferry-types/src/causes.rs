//! An error with its causes, as a text.

use std::error::Error;

/// The message of an error and of each of its causes.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let message = inner.to_string();
        // Some errors repeat their cause.
        if !text.ends_with(&message) {
            text = format!("{text}: {message}");
        }
        cause = inner.source();
    }
    text
}

/// The last cause of an error; the error itself, if it has none.
pub fn root_cause<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum Failure {
        #[error("closed")]
        Root,
        #[error("no connection: {0}")]
        Repeats(#[source] Box<Failure>),
        #[error("cannot send")]
        Outer(#[source] Box<Failure>),
    }

    #[test]
    fn a_chain_has_each_cause_once() {
        let error = Failure::Outer(Failure::Repeats(Failure::Root.into()).into());
        assert_eq!(chain(&error), "cannot send: no connection: closed");
        assert_eq!(root_cause(&error).to_string(), "closed");
        assert_eq!(root_cause(&Failure::Root).to_string(), "closed");
    }
}
