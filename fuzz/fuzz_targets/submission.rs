//! Submissions as JSON, a line of NDJSON or a body.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ferry_fuzz::texts::submission(data));
