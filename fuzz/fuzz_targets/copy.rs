//! A dataset and a corrected copy of it: the edits between them, and pages of their rows.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ferry_fuzz::texts::copy(data));
