//! Families of metrics with typed labels, and how a module declares what it counts.

use std::marker::PhantomData;
use std::sync::Arc;

use prometheus::core::Collector;
use prometheus::{GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry};

use super::exemplars::{Exemplar, Exemplars};
use super::labels::{Labels, Sets};
use ferry_types::domain::Timestamp;

/// Buckets for the durations of requests and steps.
pub(crate) const REQUEST_SECONDS: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0];

/// A time as metrics have it: in seconds since 1970.
pub fn seconds(at: Timestamp) -> f64 {
    at.timestamp_millis() as f64 / 1000.0
}

/// The state that the families of a process share.
#[derive(Debug, Default)]
pub struct Families {
    pub(super) registry: Registry,
    pub(super) sets: Arc<Sets>,
    pub(super) exemplars: Arc<Exemplars>,
}

impl Families {
    pub(super) fn of_accounts(accounts: Vec<String>) -> Self {
        Self { sets: Arc::new(Sets { accounts, ..Sets::default() }), ..Self::default() }
    }
}

/// A family of metrics: its name, its help, and the buckets of a histogram declare it.
pub trait Family {
    /// Registers it, and makes every series of it exist.
    fn declare(families: &Families, name: &'static str, help: &str, buckets: &[&[f64]]) -> Self;
}

/// The metrics of a module.
pub trait Declared: std::any::Any + Send + Sync {
    /// Registers all its families.
    fn declare(families: &Families) -> Self;
}

/// Declares what a module counts: a struct of families, whose doc comments are their help texts. Of a
/// histogram, `in` names the buckets. `Metrics::of` makes it.
macro_rules! metrics {
    (
        $(#[$meta:meta])* $vis:vis struct $name:ident {
            $(
                $(#[doc = $help:literal])+
                $field:ident: $family:ty = $metric:literal $(in $buckets:expr)?;
            )+
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug)]
        $vis struct $name {
            $($(#[doc = $help])+ $vis $field: $family,)+
        }

        impl $crate::metrics::Declared for $name {
            fn declare(families: &$crate::metrics::Families) -> Self {
                Self {
                    $($field: $crate::metrics::Family::declare(
                        families,
                        $metric,
                        concat!($($help),+).trim_start(),
                        [$($buckets)?].as_slice(),
                    ),)+
                }
            }
        }
    };
}
pub(crate) use metrics;

/// Counts events.
#[derive(Debug)]
pub struct Counter<L = ()>(Typed<IntCounterVec, L>);

/// A value that rises and falls.
#[derive(Debug)]
pub struct Gauge<L = ()>(Typed<GaugeVec, L>);

/// Observes durations or sizes.
#[derive(Debug)]
pub struct Histogram<L = ()> {
    typed: Typed<HistogramVec, L>,
    name: &'static str,
    buckets: Vec<f64>,
    exemplars: Arc<Exemplars>,
}

/// A slot that is busy until this is dropped.
pub type Busy = Option<Held>;

/// A gauge that is one higher until this is dropped.
#[derive(Debug)]
pub struct Held(prometheus::Gauge);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[expect(clippy::needless_pass_by_value, reason = "labels are small, and made for one call")]
impl<L: Labels> Counter<L> {
    /// Counts one.
    pub fn inc(&self, labels: L) {
        self.add(labels, 1);
    }

    /// Counts several at once.
    pub fn add(&self, labels: L, count: u64) {
        self.0.with(&labels, |vec, values| vec.with_label_values(values).inc_by(count));
    }
}

#[expect(clippy::needless_pass_by_value, reason = "labels are small, and made for one call")]
impl<L: Labels> Gauge<L> {
    /// Sets the value.
    pub fn set(&self, labels: L, value: f64) {
        self.0.with(&labels, |vec, values| vec.with_label_values(values).set(value));
    }

    /// The value; 0 for labels that are not counted.
    pub fn get(&self, labels: L) -> f64 {
        self.0.with(&labels, |vec, values| vec.with_label_values(values).get()).unwrap_or_default()
    }

    /// Sets 1 or 0.
    pub fn set_if(&self, labels: L, is_so: bool) {
        self.set(labels, f64::from(u8::from(is_so)));
    }

    /// One more until the result is dropped; `None` for labels that are not counted.
    pub fn hold(&self, labels: L) -> Option<Held> {
        let held = |vec: &GaugeVec, values: &[&str]| vec.with_label_values(values);
        self.0.with(&labels, held).map(|gauge| {
            gauge.inc();
            Held(gauge)
        })
    }
}

#[expect(clippy::needless_pass_by_value, reason = "labels are small, and made for one call")]
impl<L: Labels> Histogram<L> {
    /// Observes a value.
    pub fn observe(&self, labels: L, value: f64) {
        self.observe_with(labels, value, None);
    }

    /// Observes a value, with the trace that it is an example of, if there is one.
    pub fn observe_with(&self, labels: L, value: f64, exemplar: Option<Exemplar>) {
        self.typed.with(&labels, |vec, values| {
            vec.with_label_values(values).observe(value);
            if let Some(exemplar) = exemplar {
                let label = values.first().copied().unwrap_or_default();
                self.exemplars.keep((self.name, label), &self.buckets, value, exemplar);
            }
        });
    }
}

impl<L: Labels> Family for Counter<L> {
    fn declare(families: &Families, name: &'static str, help: &str, _: &[&[f64]]) -> Self {
        let vec = IntCounterVec::new(Opts::new(name, help), L::NAMES);
        Self(Typed::register(families, vec, |vec, values| drop(vec.with_label_values(values))))
    }
}

impl<L: Labels> Family for Gauge<L> {
    fn declare(families: &Families, name: &'static str, help: &str, _: &[&[f64]]) -> Self {
        let vec = GaugeVec::new(Opts::new(name, help), L::NAMES);
        Self(Typed::register(families, vec, |vec, values| drop(vec.with_label_values(values))))
    }
}

impl<L: Labels> Family for Histogram<L> {
    fn declare(families: &Families, name: &'static str, help: &str, buckets: &[&[f64]]) -> Self {
        let buckets = buckets.first().copied().unwrap_or_default();
        let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        let vec = HistogramVec::new(options, L::NAMES);
        let typed =
            Typed::register(families, vec, |vec, values| drop(vec.with_label_values(values)));
        let exemplars = families.exemplars.clone();
        Self { typed, name, buckets: buckets.to_vec(), exemplars }
    }
}

/// A family of the library whose labels are of type `L`.
#[derive(Debug)]
struct Typed<V, L> {
    vec: V,
    sets: Arc<Sets>,
    labels: PhantomData<fn(L)>,
}

impl<V: Collector + Clone + 'static, L: Labels> Typed<V, L> {
    fn register(
        families: &Families,
        vec: prometheus::Result<V>,
        touch: impl Fn(&V, &[&str]),
    ) -> Self {
        const DECLARED: &str = "a metric with a valid name that no other one has";
        let vec = vec.expect(DECLARED);
        families.registry.register(Box::new(vec.clone())).expect(DECLARED);
        for values in L::combinations(&families.sets) {
            touch(&vec, &values);
        }
        Self { vec, sets: families.sets.clone(), labels: PhantomData }
    }

    /// Does something with the series of these labels, if it is counted.
    fn with<T>(&self, labels: &L, act: impl FnOnce(&V, &[&str]) -> T) -> Option<T> {
        labels.values(&self.sets).map(|values| act(&self.vec, &values))
    }
}
