//! The domain of Ferry, and the bodies of its own interfaces: all that a producer needs to know.
//!
//! The modules stand in layers, lowest first; a module imports only from layers above its own here,
//! and `tests/tidy` proves it.

// L0: what Ferry is about; pure
pub mod domain;

// L1: foundations
pub mod clock;
pub mod contract;
