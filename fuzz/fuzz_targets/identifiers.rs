//! Ids of events and submissions, and trace contexts.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ferry_fuzz::texts::identifiers(data));
