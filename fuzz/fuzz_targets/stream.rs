//! Streams of server-sent events, as the client reads them.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ferry_fuzz::stored::stream(data));
