//! Labels, which are closed sets: of each, every series exists from the start.

use std::sync::{Arc, OnceLock};

use ferry_types::domain::submission::{DeliveryResult, State, StepKind};

/// The labels that only a process knows: its accounts and, if it serves HTTP, its routes.
#[derive(Debug, Default)]
pub struct Sets {
    pub(super) accounts: Vec<String>,
    pub(super) routes: OnceLock<Vec<String>>,
}

/// One label of a family.
pub trait Label {
    /// The name of the label.
    const NAME: &'static str;

    /// Every value that it may have.
    fn all(sets: &Sets) -> Vec<&str>;

    /// The value; `None` if series with it are not counted.
    fn value<'a>(&self, sets: &'a Sets) -> Option<&'a str>;
}

/// All labels of a family: none, one, or a tuple of them.
pub trait Labels {
    /// Their names.
    const NAMES: &'static [&'static str];

    /// Every combination that a series has from the start.
    fn combinations(sets: &Sets) -> Vec<Vec<&str>>;

    /// The values; `None` if series with them are not counted.
    fn values<'a>(&self, sets: &'a Sets) -> Option<Vec<&'a str>>;
}

impl Labels for () {
    const NAMES: &'static [&'static str] = &[];

    fn combinations(_: &Sets) -> Vec<Vec<&str>> {
        vec![Vec::new()]
    }

    fn values<'a>(&self, _: &'a Sets) -> Option<Vec<&'a str>> {
        Some(Vec::new())
    }
}

impl<A: Label> Labels for A {
    const NAMES: &'static [&'static str] = &[A::NAME];

    fn combinations(sets: &Sets) -> Vec<Vec<&str>> {
        A::all(sets).into_iter().map(|value| vec![value]).collect()
    }

    fn values<'a>(&self, sets: &'a Sets) -> Option<Vec<&'a str>> {
        Some(vec![self.value(sets)?])
    }
}

impl<A: Label, B: Label> Labels for (A, B) {
    const NAMES: &'static [&'static str] = &[A::NAME, B::NAME];

    fn combinations(sets: &Sets) -> Vec<Vec<&str>> {
        let with = |first| B::all(sets).into_iter().map(move |second| vec![first, second]);
        A::all(sets).into_iter().flat_map(with).collect()
    }

    fn values<'a>(&self, sets: &'a Sets) -> Option<Vec<&'a str>> {
        Some(vec![self.0.value(sets)?, self.1.value(sets)?])
    }
}

impl<A: Label, B: Label, C: Label> Labels for (A, B, C) {
    const NAMES: &'static [&'static str] = &[A::NAME, B::NAME, C::NAME];

    fn combinations(sets: &Sets) -> Vec<Vec<&str>> {
        let with = |first| {
            <(B, C)>::combinations(sets).into_iter().map(move |rest| vec![first, rest[0], rest[1]])
        };
        A::all(sets).into_iter().flat_map(with).collect()
    }

    fn values<'a>(&self, sets: &'a Sets) -> Option<Vec<&'a str>> {
        Some(vec![self.0.value(sets)?, self.1.value(sets)?, self.2.value(sets)?])
    }
}

/// A label with a closed set of words: an enum of the domain, or one that is declared here.
macro_rules! label {
    ($type:ty: $name:literal) => {
        impl $crate::metrics::Label for $type {
            const NAME: &'static str = $name;

            fn all(_: &$crate::metrics::Sets) -> Vec<&str> {
                Self::ALL.map(Self::as_str).into()
            }

            fn value<'a>(&self, _: &'a $crate::metrics::Sets) -> Option<&'a str> {
                Some(self.as_str())
            }
        }
    };
    (
        $(#[$meta:meta])* $vis:vis enum $type:ident: $name:literal {
            $($(#[$doc:meta])* $value:ident = $text:literal,)+
        }
    ) => {
        ferry_types::closed_set! {
            $(#[$meta])*
            $vis enum $type: $name {
                $($(#[$doc])* $value = $text,)+
            }
        }

        $crate::metrics::label!($type: $name);
    };
}
pub(crate) use label;

label!(StepKind: "step");
label!(State: "state");
label!(DeliveryResult: "result");

/// An account of the configuration. Others are not counted: the store may know any number of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account(Arc<str>);

/// An account of the configuration, or the label `other` for all those that only the store knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnyAccount(Arc<str>);

/// A route of the HTTP API, or the label `unknown` for what no route takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route(Arc<str>);

macro_rules! name_label {
    ($type:ident: $name:literal in $set:expr, $other:expr) => {
        impl From<&str> for $type {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl Label for $type {
            const NAME: &'static str = $name;

            fn all(sets: &Sets) -> Vec<&str> {
                let known: fn(&Sets) -> &[String] = $set;
                known(sets).iter().map(String::as_str).chain($other).collect()
            }

            fn value<'a>(&self, sets: &'a Sets) -> Option<&'a str> {
                let all = Self::all(sets);
                all.into_iter().find(|known| **known == *self.0).or($other)
            }
        }
    };
}

name_label!(Account: "account" in |sets| &sets.accounts, None);
name_label!(AnyAccount: "account" in |sets| &sets.accounts, Some(OTHER_ACCOUNTS));
name_label!(Route: "route" in |sets| sets.routes.get().map_or(&[], Vec::as_slice), Some("unknown"));

/// The label of all accounts that are in the store and not in the configuration.
pub const OTHER_ACCOUNTS: &str = "other";
