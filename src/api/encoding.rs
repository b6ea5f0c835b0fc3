//! Bodies that arrive compressed: taken apart as they arrive, in bounded memory.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use async_compression::tokio::bufread::{GzipDecoder, ZstdDecoder};
use async_compression::zstd::DParameter;
use axum::body::{Body, BodyDataStream, Bytes};
use axum::http::{HeaderMap, HeaderValue, header};
use futures_util::{Stream, StreamExt, TryStreamExt};
use tokio::io::AsyncRead;
use tokio_util::io::{ReaderStream, StreamReader};

use super::Shared;
use super::body::Share;
use super::fault::Fault;
use crate::contract::ProblemKind;

/// What is taken, in the words of `Accept-Encoding`.
const TAKEN: HeaderValue = HeaderValue::from_static("gzip, zstd");

/// The largest window of zstd, as a power of two: what RFC 9659 allows in HTTP.
const LARGEST_WINDOW: u32 = 23;

/// A body is taken apart in pieces of this size.
const PIECE: usize = 64 << 10;

/// How a body is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Identity,
    Gzip,
    Zstd,
}

impl Encoding {
    /// What the headers say.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Fault> {
        let mut said = headers.get_all(header::CONTENT_ENCODING).iter();
        let encoding = match (said.next(), said.next()) {
            (None, _) => return Ok(Self::Identity),
            (Some(one), None) => one.to_str().unwrap_or_default().trim().to_ascii_lowercase(),
            (Some(_), Some(_)) => String::new(),
        };
        match encoding.as_str() {
            "identity" => Ok(Self::Identity),
            "gzip" | "x-gzip" => Ok(Self::Gzip),
            "zstd" => Ok(Self::Zstd),
            _ => {
                let what = "the `Content-Encoding` must be gzip, zstd or identity, and one of them";
                let fault = Fault::new(ProblemKind::UnsupportedMediaType, what);
                Err(fault.with(header::ACCEPT_ENCODING, TAKEN))
            }
        }
    }

    /// The memory that it takes apart from what comes out.
    fn window(self) -> u64 {
        match self {
            Self::Identity => 0,
            Self::Gzip => PIECE as u64,
            Self::Zstd => 1 << LARGEST_WINDOW,
        }
    }
}

/// What a body holds, as it arrives.
pub(super) struct Decoded {
    encoding: Encoding,
    pieces: Pieces,
    /// The memory that taking it apart needs.
    _share: Share,
}

enum Pieces {
    Plain(BodyDataStream),
    Decoded(ReaderStream<Box<dyn AsyncRead + Send + Unpin>>),
}

impl std::fmt::Debug for Decoded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decoded").field("encoding", &self.encoding).finish_non_exhaustive()
    }
}

impl Decoded {
    pub(super) fn new(body: Body, encoding: Encoding, shared: &Shared) -> Result<Self, Fault> {
        let mut share = Share::default();
        if !share.grow_to(shared.budget.most_for_one(encoding.window()), &shared.budget) {
            return Err(super::body::out_of_memory());
        }
        let bytes = body.into_data_stream();
        let decoder: Box<dyn AsyncRead + Send + Unpin> = match encoding {
            Encoding::Identity => {
                return Ok(Self { encoding, pieces: Pieces::Plain(bytes), _share: share });
            }
            Encoding::Gzip => {
                let mut decoder =
                    GzipDecoder::new(StreamReader::new(bytes.map_err(io::Error::other)));
                decoder.multiple_members(true);
                Box::new(decoder)
            }
            Encoding::Zstd => {
                let window = [DParameter::window_log_max(LARGEST_WINDOW)];
                let bytes = StreamReader::new(bytes.map_err(io::Error::other));
                let mut decoder = ZstdDecoder::with_params(bytes, &window);
                decoder.multiple_members(true);
                Box::new(decoder)
            }
        };
        let pieces = Pieces::Decoded(ReaderStream::with_capacity(decoder, PIECE));
        Ok(Self { encoding, pieces, _share: share })
    }

    /// What has not arrived yet, if it is not encoded.
    pub(super) fn into_plain(self) -> Option<BodyDataStream> {
        match self.pieces {
            Pieces::Plain(bytes) => Some(bytes),
            Pieces::Decoded(_) => None,
        }
    }

    /// What to say when it breaks off.
    pub(super) fn broken(&self) -> Fault {
        Fault::invalid(match self.encoding {
            Encoding::Identity => "the body ended too early",
            Encoding::Gzip => "the body ended too early, or is not gzip",
            Encoding::Zstd => {
                "the body ended too early, or is not zstd with a window of at most 8 MiB"
            }
        })
    }
}

impl Stream for Decoded {
    type Item = Result<Bytes, ()>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match &mut self.pieces {
            Pieces::Plain(bytes) => bytes.poll_next_unpin(context).map_err(drop),
            Pieces::Decoded(pieces) => pieces.poll_next_unpin(context).map_err(drop),
        }
    }
}
