//! Responses of the Platform: status, headers, content codings, charset, body, and texts about them.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ferry_fuzz::response::read(data));
