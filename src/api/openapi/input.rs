//! Describes a handler by the types of its arguments and of its response: what a request may have is
//! written once, in the type that reads it.

use axum::extract::{Extension, Request, State};
use axum::http::{HeaderMap, Method};
use axum::response::Response;

use super::operation::Operation;

/// An argument of a handler, which says what it reads from a request.
pub(in crate::api) trait Input {
    fn describe(operation: Operation<'_>) -> Operation<'_>;
}

/// A response of a handler, which says what it is.
pub(in crate::api) trait Output {
    fn describe(operation: Operation<'_>) -> Operation<'_>;
}

/// A handler with arguments of the types `T`.
pub(in crate::api) trait Described<T> {
    fn describe(operation: Operation<'_>) -> Operation<'_>;
}

macro_rules! nothing {
    ($of:ident: $($type:ty),+) => {
        $(impl $of for $type {
            fn describe(operation: Operation<'_>) -> Operation<'_> {
                operation
            }
        })+
    };
}

// Read from the server or the connection, or described where they are read.
nothing!(Input: Request, HeaderMap, Method);
// Described in `operations`, because the type does not say what it holds.
nothing!(Output: Response);

impl<S> Input for State<S> {
    fn describe(operation: Operation<'_>) -> Operation<'_> {
        operation
    }
}

impl<T> Input for Extension<T> {
    fn describe(operation: Operation<'_>) -> Operation<'_> {
        operation
    }
}

impl<T: Output, E> Output for Result<T, E> {
    fn describe(operation: Operation<'_>) -> Operation<'_> {
        T::describe(operation)
    }
}

macro_rules! described {
    ($($argument:ident)*) => {
        impl<Function, Response, $($argument: Input,)*> Described<($($argument,)*)> for Function
        where
            Function: Fn($($argument),*) -> Response,
            Response: Future<Output: Output>,
        {
            fn describe(operation: Operation<'_>) -> Operation<'_> {
                $(let operation = $argument::describe(operation);)*
                <Response::Output as Output>::describe(operation)
            }
        }
    };
}

described!();
described!(A);
described!(A B);
described!(A B C);
described!(A B C D);
described!(A B C D E);
