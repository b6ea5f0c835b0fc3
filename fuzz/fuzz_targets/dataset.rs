//! CSV datasets: encodings, dialects, headers, cells, and their canonical form.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ferry_fuzz::texts::dataset(data));
