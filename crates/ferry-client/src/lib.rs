//! A typed client of the HTTP API, for Rust services that submit datasets. Every submission has an
//! idempotency key, so that another attempt is safe.
//!
//! ```no_run
//! use ferry_client::{Client, EventQuery};
//! use ferry_types::contract::SubmissionRequest;
//!
//! # async fn example(csv: String) -> Result<(), ferry_client::ClientError> {
//! let client = Client::new("http://127.0.0.1:8600")?;
//! let mut events = client.events(&EventQuery::default()).await?;
//! let request =
//!     SubmissionRequest { name: "march".into(), data: csv, ..SubmissionRequest::default() };
//! let id = client.submit(&request).await?.submission.id;
//! loop {
//!     let event = events.next().await?;
//!     if event.data.id == id && event.data.state.is_final() {
//!         println!("{} is {}", event.data.name, event.data.state);
//!         return Ok(());
//!     }
//! }
//! # }
//! ```

mod error;
pub mod http;
mod messages;
mod sending;

mod client;

mod events;
mod fuzzed;

pub use client::{Client, ListQuery, ResultBody};
pub use error::ClientError;
pub use events::{EventQuery, EventStream};
#[doc(hidden)]
pub use fuzzed::read_stream;
