//! Feedback of the Platform, and the rows that it means.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ferry_fuzz::texts::feedback(data));
