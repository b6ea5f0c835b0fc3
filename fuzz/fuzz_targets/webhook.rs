//! Addresses and secrets of webhooks.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ferry_fuzz::texts::webhook(data));
