//! Runs each fuzz target on its bytes. A function panics if a rule is broken.

pub mod http;
pub mod response;
pub mod stored;
pub mod texts;

use std::sync::LazyLock;

use tokio::runtime::{Builder, Runtime};

/// Reads bytes, and panics if a rule is broken.
pub type Target = fn(&[u8]);

/// The targets of `fuzz_targets/`, by name.
pub const TARGETS: [(&str, Target); 14] = [
    ("copy", texts::copy),
    ("dataset", texts::dataset),
    ("feedback", texts::feedback),
    ("http1", http::http1),
    ("identifiers", texts::identifiers),
    ("keys", texts::keys),
    ("location", stored::location),
    ("request", http::request),
    ("response", response::read),
    ("settings", texts::settings),
    ("stored", stored::stored),
    ("stream", stored::stream),
    ("submission", texts::submission),
    ("webhook", texts::webhook),
];

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let mut builder = Builder::new_current_thread();
    builder.enable_all().build().expect("there is memory for a runtime")
});

/// Runs to the end of `work`.
pub fn block_on<T>(work: impl Future<Output = T>) -> T {
    RUNTIME.block_on(work)
}
