//! Charsets and content codings of responses.

use async_compression::tokio::write::{BrotliEncoder, GzipEncoder, ZlibEncoder, ZstdEncoder};
use futures_util::FutureExt;
use tokio::io::AsyncWriteExt;

/// Charset of a text, and its declaration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Charset {
    /// UTF-8, declared.
    Utf8,
    /// UTF-8 with a byte order mark.
    Utf8Marked,
    /// UTF-16 with a byte order mark, declared.
    Utf16,
    /// Windows-1252, declared.
    Windows1252,
    /// Windows-1252, not declared.
    Undeclared1252,
    /// UTF-8, not declared.
    Undeclared,
}

/// Content coding, which is applied whatever the client accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

impl Coding {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }
}

/// The content type and the bytes of a text.
pub(super) fn charset_encoded(charset: Charset, media_type: &str, text: &str) -> (String, Vec<u8>) {
    let declared = |label: &str| format!("{media_type}; charset={label}");
    let utf8 = || (declared("utf-8"), text.as_bytes().to_vec());
    match charset {
        Charset::Utf8 => utf8(),
        Charset::Undeclared => (media_type.to_owned(), text.as_bytes().to_vec()),
        Charset::Utf8Marked => (media_type.to_owned(), format!("\u{feff}{text}").into_bytes()),
        Charset::Utf16 => {
            let units = "\u{feff}".encode_utf16().chain(text.encode_utf16());
            (declared("utf-16"), units.flat_map(u16::to_le_bytes).collect())
        }
        // What the charset does not have goes out in UTF-8.
        Charset::Windows1252 => {
            windows_1252(text).map_or_else(utf8, |bytes| (declared("windows-1252"), bytes))
        }
        Charset::Undeclared1252 => {
            windows_1252(text).map_or_else(utf8, |bytes| (media_type.to_owned(), bytes))
        }
    }
}

fn windows_1252(text: &str) -> Option<Vec<u8>> {
    let byte = |c: char| match c {
        '\u{0}'..='\u{7f}' | '\u{a0}'..='\u{ff}' => u8::try_from(u32::from(c)).ok(),
        '\u{20ac}' => Some(0x80),
        '\u{201e}' => Some(0x84),
        '\u{201c}' => Some(0x93),
        _ => None,
    };
    text.chars().map(byte).collect()
}

macro_rules! encoded {
    ($encoder:ident, $bytes:expr) => {{
        let mut encoder = $encoder::new(Vec::new());
        let written = async {
            encoder.write_all($bytes).await?;
            encoder.shutdown().await
        };
        // A vector takes everything at once.
        let _ = written.now_or_never();
        encoder.into_inner()
    }};
}

/// The bytes in a content coding.
pub(super) fn compressed(coding: Coding, bytes: &[u8]) -> Vec<u8> {
    match coding {
        Coding::Gzip => encoded!(GzipEncoder, bytes),
        Coding::Deflate => encoded!(ZlibEncoder, bytes),
        Coding::Brotli => encoded!(BrotliEncoder, bytes),
        Coding::Zstd => encoded!(ZstdEncoder, bytes),
    }
}
