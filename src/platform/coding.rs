//! Decodes content codings, which servers and proxies apply to responses without being asked to.

use std::io;

use async_compression::tokio::bufread::{
    BrotliDecoder, DeflateDecoder, GzipDecoder, ZlibDecoder, ZstdDecoder,
};
use async_compression::zstd::DParameter;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};
use tokio::io::{AsyncRead, AsyncReadExt};

/// Maximum number of codings on top of each other; what has more stays as it is.
const MAX_CODINGS: usize = 4;

/// Largest window of zstd, as a power of two: what RFC 9659 allows in HTTP.
const LARGEST_WINDOW: u32 = 23;

/// Maximum number of members that are looked at where something else follows them.
const MAX_MEMBERS: usize = 1000;

/// Length of the checksum and the size that end a gzip member.
const GZIP_TRAILER: usize = 8;

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
    /// The bare form.
    Deflate,
    Gzip,
    /// The form that the name `deflate` stands for.
    Zlib,
    Zstd,
}

impl Coding {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "br" => Self::Brotli,
            "deflate" | "x-deflate" | "zlib" => Self::Zlib,
            "gzip" | "x-gzip" => Self::Gzip,
            "zstd" => Self::Zstd,
            _ => return None,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Deflate | Self::Zlib => "deflate",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// The coding whose mark `body` begins with.
    fn marked(body: &[u8]) -> Option<Self> {
        let is_zlib = |[one, two]: [u8; 2]| {
            one & 0x8f == 8 && u16::from_be_bytes([one, two]).is_multiple_of(31)
        };
        match *body {
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            // The second form is a skippable frame.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [_, 0x2a, 0x4d, 0x18, ..] => Some(Self::Zstd),
            [one, two, ..] if is_zlib([one, two]) && !is_text(body) => Some(Self::Zlib),
            _ => None,
        }
    }

    /// The codings that `body` may have where this one is declared: some servers confuse the names. Brotli
    /// and bare deflate have no mark.
    fn candidates(self, body: &[u8]) -> Vec<Self> {
        let marked = Self::marked(body);
        match self {
            _ if body.is_empty() => Vec::new(),
            Self::Brotli => [Some(self), marked].into_iter().flatten().collect(),
            Self::Zstd => marked.into_iter().collect(),
            _ => match marked {
                Some(coding @ (Self::Gzip | Self::Zstd)) => vec![coding],
                marked => marked.into_iter().chain([Self::Deflate]).collect(),
            },
        }
    }
}

/// Decodes `body` as `headers` say, and as it evidently is, into at most `limit` bytes.
pub(super) async fn decode(headers: &HeaderMap, body: Vec<u8>, limit: u64) -> Decoded {
    let mut decoded = Decoded { body, end: End::Complete };
    // The one that was applied last comes off first.
    for coding in codings(headers).unwrap_or_default().into_iter().rev() {
        if decoded.end != End::Complete {
            return decoded;
        }
        decoded = without(coding, decoded.body, limit).await;
    }
    for _ in 0..MAX_CODINGS {
        let marked = Coding::marked(&decoded.body).filter(|_| may_be_text(headers));
        let Some(coding) = marked.filter(|_| decoded.end == End::Complete) else { break };
        let (inner, is_whole) = attempt(coding, &decoded.body, limit).await;
        if !is_whole {
            break;
        }
        decoded = inner;
    }
    decoded
}

/// True unless the body is declared to be something else. A result may be an archive.
fn may_be_text(headers: &HeaderMap) -> bool {
    let declared = headers.get(CONTENT_TYPE).map(|value| value.as_bytes().to_ascii_lowercase());
    declared.is_none_or(|declared| {
        let names = [&b"text/"[..], b"json", b"csv", b"xml", b"javascript"];
        names.iter().any(|name| memchr::memmem::find(&declared, name).is_some())
    })
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

/// `body` without the coding that is declared, or the one that it has instead. Some proxies decode a body
/// and leave the header.
async fn without(declared: Coding, body: Vec<u8>, limit: u64) -> Decoded {
    let mut first = None;
    for coding in declared.candidates(&body) {
        let (decoded, is_whole) = attempt(coding, &body, limit).await;
        if is_whole {
            return decoded;
        }
        first.get_or_insert(decoded);
    }
    let is_undecoded = match declared {
        Coding::Gzip | Coding::Zstd => Coding::marked(&body).is_none(),
        _ => is_text(&body),
    };
    let decoded = first.filter(|_| !is_undecoded);
    decoded.unwrap_or(Decoded { body, end: End::Complete })
}

/// `body` without this coding, and whether it had it from beginning to end. Behind what has a checksum,
/// further bytes mean nothing.
async fn attempt(coding: Coding, body: &[u8], limit: u64) -> (Decoded, bool) {
    let (decoded, rest) = decode_one(coding, body, limit, true).await;
    let is_whole = match decoded.end {
        End::TooLarge => true,
        End::Complete => rest.is_empty() || coding == Coding::Zlib,
        End::Broken(_) => false,
    };
    let has_members = matches!(coding, Coding::Gzip | Coding::Zstd);
    let mut padded =
        if has_members && !is_whole { whole_members(coding, body, limit).await } else { None };
    if coding == Coding::Gzip && !is_whole && padded.is_none() {
        padded = without_trailer(body, limit).await;
    }
    padded.map_or((decoded, is_whole), |padded| (padded, true))
}

/// The data of a gzip member whose end is there, but not all of the checksum behind it: curl reads it, too.
async fn without_trailer(body: &[u8], limit: u64) -> Option<Decoded> {
    let (decoded, rest) = decode_one(Coding::Deflate, gzip_data(body)?, limit, false).await;
    let is_read = match decoded.end {
        End::Complete => rest.len() < GZIP_TRAILER,
        End::TooLarge => true,
        End::Broken(_) => false,
    };
    is_read.then_some(decoded)
}

/// The data behind the header of a gzip member (RFC 1952 §2.3).
fn gzip_data(body: &[u8]) -> Option<&[u8]> {
    let (header, mut rest) = body.split_first_chunk::<10>()?;
    let has = |flag: u8| header[3] & flag != 0;
    if has(4) {
        let (length, fields) = rest.split_first_chunk::<2>()?;
        rest = fields.get(usize::from(u16::from_le_bytes(*length))..)?;
    }
    // The name of a file, and a comment.
    for _ in [8, 16].into_iter().filter(|flag| has(*flag)) {
        rest = &rest[memchr::memchr(0, rest)? + 1..];
    }
    if has(2) { rest.get(2..) } else { Some(rest) }
}

/// The members at the beginning of `body`, if something else follows them.
async fn whole_members(coding: Coding, body: &[u8], limit: u64) -> Option<Decoded> {
    let (mut rest, mut decoded) = (body, Vec::new());
    for _ in 0..MAX_MEMBERS {
        let left = limit.saturating_sub(decoded.len() as u64);
        let (member, behind) = decode_one(coding, rest, left, false).await;
        decoded.extend(member.body);
        rest = behind;
        let end = member.end;
        match end {
            End::Broken(_) => return None,
            End::Complete if Coding::marked(rest) == Some(coding) => {}
            End::Complete | End::TooLarge => return Some(Decoded { body: decoded, end }),
        }
    }
    None
}

/// The decoded beginning of `body`, which may have `several` members, and what follows it.
async fn decode_one(coding: Coding, body: &[u8], limit: u64, several: bool) -> (Decoded, &[u8]) {
    match coding {
        Coding::Gzip => {
            let mut decoder = GzipDecoder::new(body);
            decoder.multiple_members(several);
            (read(&mut decoder, limit, coding).await, decoder.into_inner())
        }
        Coding::Zstd => {
            let window = [DParameter::window_log_max(LARGEST_WINDOW)];
            let mut decoder = ZstdDecoder::with_params(body, &window);
            decoder.multiple_members(several);
            (read(&mut decoder, limit, coding).await, decoder.into_inner())
        }
        Coding::Brotli => {
            let mut decoder = BrotliDecoder::new(body);
            (read(&mut decoder, limit, coding).await, decoder.into_inner())
        }
        Coding::Zlib => {
            let mut decoder = ZlibDecoder::new(body);
            (read(&mut decoder, limit, coding).await, decoder.into_inner())
        }
        Coding::Deflate => {
            let mut decoder = DeflateDecoder::new(body);
            (read(&mut decoder, limit, coding).await, decoder.into_inner())
        }
    }
}

fn is_text(body: &[u8]) -> bool {
    std::str::from_utf8(body).is_ok()
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
