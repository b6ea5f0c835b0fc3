//! Records, payloads and notifications of a Redis server.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ferry_fuzz::stored::stored(data));
