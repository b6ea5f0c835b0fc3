//! Requests to the HTTP API: paths, parameters, headers, forms, NDJSON lines.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ferry_fuzz::http::request(data));
