//! How a metric is declared: its doc comment is its help text, and the closed sets of its labels make
//! every series exist from the start.

use prometheus::core::Collector;
use prometheus::{GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry};

const DECLARED: &str = "a metric with a valid name that no other one has";

/// A struct of metrics. `field: Type = "name" { label: its closed set }`, and of a histogram `in` its
/// buckets. A metric without labels is a family of one.
macro_rules! declare {
    (
        $(#[$meta:meta])* pub(super) struct $series:ident($accounts:ident);
        $(
            $(#[doc = $help:literal])+
            $field:ident: $kind:ident = $name:literal
                $({ $($label:ident: $values:expr),+ })? $(in $buckets:expr)?;
        )+
    ) => {
        $(#[$meta])*
        pub(super) struct $series {
            $($(#[doc = $help])+ pub(super) $field: $kind,)+
        }

        impl $series {
            pub(super) fn new(registry: &prometheus::Registry, $accounts: &[&str]) -> Self {
                Self {
                    $($field: $crate::metrics::declare::register(
                        registry,
                        ($name, concat!($($help),+).trim_start()),
                        &[$($((stringify!($label), $values)),+)?],
                        &[$($buckets)?],
                    ),)+
                }
            }
        }
    };
}
pub(super) use declare;

/// A kind of metric.
pub(super) trait Family: Collector + Clone + Sized + 'static {
    fn declare(options: Opts, labels: &[&str], buckets: &[f64]) -> prometheus::Result<Self>;

    /// Makes a series exist.
    fn touch(&self, values: &[&str]);
}

impl Family for IntCounterVec {
    fn declare(options: Opts, labels: &[&str], _: &[f64]) -> prometheus::Result<Self> {
        Self::new(options, labels)
    }

    fn touch(&self, values: &[&str]) {
        self.with_label_values(values);
    }
}

impl Family for GaugeVec {
    fn declare(options: Opts, labels: &[&str], _: &[f64]) -> prometheus::Result<Self> {
        Self::new(options, labels)
    }

    fn touch(&self, values: &[&str]) {
        self.with_label_values(values);
    }
}

impl Family for HistogramVec {
    fn declare(options: Opts, labels: &[&str], buckets: &[f64]) -> prometheus::Result<Self> {
        Self::new(HistogramOpts::from(options).buckets(buckets.to_vec()), labels)
    }

    fn touch(&self, values: &[&str]) {
        self.with_label_values(values);
    }
}

/// Registers a metric and makes a series for every combination of its labels' values.
pub(super) fn register<F: Family>(
    registry: &Registry,
    (name, help): (&str, &str),
    labels: &[(&str, Vec<&str>)],
    buckets: &[&[f64]],
) -> F {
    let names: Vec<&str> = labels.iter().map(|(name, _)| *name).collect();
    let buckets = buckets.first().copied().unwrap_or_default();
    let family = F::declare(Opts::new(name, help), &names, buckets).expect(DECLARED);
    registry.register(Box::new(family.clone())).expect(DECLARED);
    for values in combinations(labels) {
        family.touch(&values);
    }
    family
}

fn combinations<'a>(labels: &[(&str, Vec<&'a str>)]) -> Vec<Vec<&'a str>> {
    labels.iter().fold(vec![Vec::new()], |started, (_, values)| {
        let with = |started: &Vec<&'a str>, value| [started.as_slice(), &[value]].concat();
        started
            .iter()
            .flat_map(|started| values.iter().map(move |value| with(started, *value)))
            .collect()
    })
}
