//! The settings file, the environment and the command line's settings.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ferry_fuzz::texts::settings(data));
