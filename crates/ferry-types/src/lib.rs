//! Domain types of Ferry, and the bodies of its interfaces: all that a producer needs.
//!
//! ```
//! use ferry_types::contract::SubmissionRequest;
//! use ferry_types::domain::dataset::{Table, check};
//!
//! let data = "SITE-001,03/03/2025,08:00,03/03/2025,16:30\n";
//! let (report, _) = check(Table::Data, "march", data.as_bytes());
//! assert!(report.is_valid());
//! let request = SubmissionRequest {
//!     name: "march".to_owned(),
//!     data: data.to_owned(),
//!     idempotency_key: Some("march-1".to_owned()),
//!     ..SubmissionRequest::default()
//! };
//! # assert!(!request.overwrite);
//! ```
//!
//! The modules stand in layers, lowest first; a module imports only from layers above its own here,
//! and `tests/tidy` proves it.

// L0: what Ferry is about; pure
pub mod domain;

// L1: foundations
pub mod causes;
pub mod clock;
pub mod contract;
pub mod recurring;
