//! The whole path of a response: status, headers, content codings, charset, body, texts.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

static RUNTIME: LazyLock<tokio::runtime::Runtime> = LazyLock::new(ferry_fuzz::runtime);

fuzz_target!(|data: &[u8]| RUNTIME.block_on(ferry_fuzz::read(data)));
