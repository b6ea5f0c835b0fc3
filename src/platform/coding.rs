//! Decodes content codings, which servers and proxies apply to responses without being asked to.

use std::io;

use async_compression::tokio::bufread::{
    BrotliDecoder, DeflateDecoder, GzipDecoder, ZlibDecoder, ZstdDecoder,
};
use async_compression::zstd::DParameter;
use reqwest::header::{CONTENT_ENCODING, HeaderMap};
use tokio::io::{AsyncRead, AsyncReadExt};

/// Maximum number of codings on top of each other; what has more stays as it is.
const MAX_CODINGS: usize = 4;

/// Largest window of zstd, as a power of two: what RFC 9659 allows in HTTP.
const LARGEST_WINDOW: u32 = 23;

/// Bytes that are decoded before other tasks get their turn.
const PIECE: usize = 64 << 10;

/// A decoded body, as far as it could be decoded.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Decoded {
    pub(super) body: Vec<u8>,
    pub(super) end: End,
}

/// The end of decoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Complete,
    /// It is longer than allowed; the rest was not decoded.
    TooLarge,
    /// It is broken or cut short.
    Broken(&'static str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Brotli,
    Deflate,
    Gzip,
    Zstd,
}

impl Coding {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "br" => Self::Brotli,
            "deflate" | "x-deflate" | "zlib" => Self::Deflate,
            "gzip" | "x-gzip" => Self::Gzip,
            "zstd" => Self::Zstd,
            _ => return None,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Deflate => "deflate",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// True if `body` may have this coding. Some proxies decode a body and leave the header.
    fn fits(self, body: &[u8]) -> bool {
        match self {
            Self::Gzip => body.starts_with(&[0x1f, 0x8b]),
            Self::Zstd => {
                // The second form is a skippable frame.
                let skippable = body.get(1..4) == Some(&[0x2a, 0x4d, 0x18]);
                body.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) || skippable
            }
            Self::Brotli | Self::Deflate => !body.is_empty(),
        }
    }
}

/// Decodes `body` as `headers` say, into at most `limit` bytes.
pub(super) async fn decode(headers: &HeaderMap, body: Vec<u8>, limit: u64) -> Decoded {
    let mut decoded = Decoded { body, end: End::Complete };
    let Some(codings) = codings(headers) else { return decoded };
    // The one that was applied last comes off first.
    for coding in codings.into_iter().rev() {
        if decoded.end != End::Complete || !coding.fits(&decoded.body) {
            return decoded;
        }
        decoded = without(coding, decoded.body, limit).await;
    }
    decoded
}

/// The codings in the order of their application; `None` if one of them is unknown.
fn codings(headers: &HeaderMap) -> Option<Vec<Coding>> {
    let mut codings = Vec::new();
    for value in headers.get_all(CONTENT_ENCODING) {
        for name in value.to_str().ok()?.split(',') {
            match name.trim().to_ascii_lowercase().as_str() {
                "" | "identity" | "none" => {}
                name => codings.push(Coding::parse(name)?),
            }
        }
    }
    (codings.len() <= MAX_CODINGS).then_some(codings)
}

async fn without(coding: Coding, body: Vec<u8>, limit: u64) -> Decoded {
    let bytes = body.as_slice();
    match coding {
        Coding::Gzip => {
            let mut decoder = GzipDecoder::new(bytes);
            decoder.multiple_members(true);
            read(&mut decoder, limit, coding).await
        }
        Coding::Zstd => {
            let window = [DParameter::window_log_max(LARGEST_WINDOW)];
            let mut decoder = ZstdDecoder::with_params(bytes, &window);
            decoder.multiple_members(true);
            read(&mut decoder, limit, coding).await
        }
        Coding::Brotli => {
            let mut decoder = BrotliDecoder::new(bytes);
            let decoded = read(&mut decoder, limit, coding).await;
            unless_text(decoded, decoder.into_inner(), &body)
        }
        // The name stands for zlib, and many servers send the bare form.
        Coding::Deflate => match read(&mut ZlibDecoder::new(bytes), limit, coding).await {
            Decoded { body: decoded, end: End::Broken(_) } if decoded.is_empty() => {
                let mut decoder = DeflateDecoder::new(bytes);
                let decoded = read(&mut decoder, limit, coding).await;
                unless_text(decoded, decoder.into_inner(), &body)
            }
            decoded => decoded,
        },
    }
}

/// Brotli and bare deflate have no mark at their beginning: text that cannot be decoded, or has more
/// behind its end, was not coded.
fn unless_text(decoded: Decoded, rest: &[u8], body: &[u8]) -> Decoded {
    let is_odd = matches!(decoded.end, End::Broken(_)) || !rest.is_empty();
    if is_odd && decoded.end != End::TooLarge && std::str::from_utf8(body).is_ok() {
        return Decoded { body: body.to_vec(), end: End::Complete };
    }
    decoded
}

async fn read(decoder: &mut (impl AsyncRead + Unpin), limit: u64, coding: Coding) -> Decoded {
    let mut body = Vec::new();
    let end = loop {
        let room = (limit + 1).saturating_sub(body.len() as u64).min(PIECE as u64);
        let read: io::Result<usize> = (&mut *decoder).take(room).read_buf(&mut body).await;
        match read {
            Ok(0) => break End::Complete,
            Ok(_) if body.len() as u64 > limit => {
                body.truncate(limit as usize);
                break End::TooLarge;
            }
            Ok(_) => tokio::task::yield_now().await,
            Err(_) => break End::Broken(coding.name()),
        }
    };
    Decoded { body, end }
}
