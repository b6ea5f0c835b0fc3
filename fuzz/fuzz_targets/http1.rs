//! HTTP/1 as a server sends it, over a socket.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ferry_fuzz::http::http1(data));
