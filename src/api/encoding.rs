//! Bodies that arrive compressed: taken apart as they arrive, in bounded memory.

use std::io;
use std::sync::Arc;

use async_compression::tokio::bufread::{GzipDecoder, ZstdDecoder};
use async_compression::zstd::DParameter;
use axum::body::{Body, BodyDataStream, Bytes};
use axum::http::{HeaderMap, HeaderValue, header};
use futures_util::stream::MapErr;
use futures_util::{FutureExt, StreamExt, TryStreamExt};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt};
use tokio::task::yield_now;
use tokio_util::io::StreamReader;

use super::body_memory::MemoryPermit;
use super::error::ApiError;
use super::openapi::{Input, Operation};
use super::shared::Shared;
use super::shares::Owner;
use super::turns::Turns;
use ferry_types::causes::chain;
use ferry_types::contract::ProblemKind;

/// The encodings that are accepted, as `Accept-Encoding` has them.
const TAKEN: HeaderValue = HeaderValue::from_static("gzip, zstd");

/// The largest window of zstd, as a power of two: what RFC 9659 allows in HTTP.
const LARGEST_WINDOW: u32 = 23;

/// A body is taken apart in pieces of this size.
const PIECE: usize = 64 << 10;

/// The encoding of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Identity,
    Gzip,
    Zstd,
}

impl Encoding {
    /// Reads the headers.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, ApiError> {
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
                let error = ApiError::new(ProblemKind::UnsupportedMediaType, what);
                Err(error.with(header::ACCEPT_ENCODING, TAKEN))
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

impl Input for Encoding {
    fn describe(operation: Operation<'_>) -> Operation<'_> {
        let encoding =
            serde_json::json!({ "type": "string", "enum": ["gzip", "zstd", "identity"] });
        let meaning = "Compression of the body; the limits are for its content";
        operation.parameter("header", "Content-Encoding", &encoding, meaning)
    }
}

/// The content of a body, as it arrives.
pub(super) struct Decoded {
    chunks: DecodedChunks,
    turns: Arc<Turns<Owner>>,
    owner: Owner,
    /// The memory that taking it apart needs.
    _share: MemoryPermit,
}

/// A body as a reader wants it.
type CompressedBody = StreamReader<MapErr<BodyDataStream, fn(axum::Error) -> io::Error>, Bytes>;

enum DecodedChunks {
    Plain(BodyDataStream),
    Gzip(GzipDecoder<CompressedBody>),
    Zstd(ZstdDecoder<CompressedBody>),
}

impl std::fmt::Debug for Decoded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decoded").finish_non_exhaustive()
    }
}

impl Decoded {
    pub(super) fn new(
        body: Body,
        encoding: Encoding,
        shared: &Shared,
        owner: &Owner,
    ) -> Result<Self, ApiError> {
        let memory = shared.body_memory.permit(owner);
        memory.resize(shared.body_memory.part(encoding.window(), owner))?;
        let bytes = body.into_data_stream();
        let raw = |bytes: BodyDataStream| -> CompressedBody {
            StreamReader::new(bytes.map_err(io::Error::other as fn(_) -> _))
        };
        let chunks = match encoding {
            Encoding::Identity => DecodedChunks::Plain(bytes),
            Encoding::Gzip => {
                let mut decoder = GzipDecoder::new(raw(bytes));
                decoder.multiple_members(true);
                DecodedChunks::Gzip(decoder)
            }
            Encoding::Zstd => {
                let window = [DParameter::window_log_max(LARGEST_WINDOW)];
                let mut decoder = ZstdDecoder::with_params(raw(bytes), &window);
                decoder.multiple_members(true);
                DecodedChunks::Zstd(decoder)
            }
        };
        Ok(Self { chunks, turns: shared.decoders.clone(), owner: owner.clone(), _share: memory })
    }

    /// The next piece, none at the end; an error if it breaks off. Nothing is lost if this is not waited
    /// for.
    pub(super) async fn next(&mut self) -> Option<Result<Bytes, ()>> {
        let turn = (&*self.turns, &self.owner);
        match &mut self.chunks {
            DecodedChunks::Plain(bytes) => {
                bytes.next().await.map(|read| read.map_err(|error| broke(&error)))
            }
            DecodedChunks::Gzip(decoder) => piece(decoder, GzipDecoder::get_mut, turn).await,
            DecodedChunks::Zstd(decoder) => piece(decoder, ZstdDecoder::get_mut, turn).await,
        }
    }

    /// The rest that has not arrived yet, as it is.
    pub(super) fn into_rest(self) -> BodyDataStream {
        match self.chunks {
            DecodedChunks::Plain(bytes) => bytes,
            DecodedChunks::Gzip(decoder) => decoder.into_inner().into_inner().into_inner(),
            DecodedChunks::Zstd(decoder) => decoder.into_inner().into_inner().into_inner(),
        }
    }

    /// The error of a body that breaks off.
    pub(super) fn broken(&self) -> ApiError {
        ApiError::invalid(match self.chunks {
            DecodedChunks::Plain(_) => "the body ended too early",
            DecodedChunks::Gzip(_) => "the body ended too early, or is not gzip",
            DecodedChunks::Zstd(_) => {
                "the body ended too early, or is not zstd with a window of at most 8 MiB"
            }
        })
    }
}

/// The next piece that a decoder makes of its source. A kilobyte may be a megabyte then, and more of it
/// always there: each piece waits for a turn of its owner, and lets other requests go first.
async fn piece<D: AsyncRead + Unpin>(
    decoder: &mut D,
    source: impl Fn(&mut D) -> &mut CompressedBody,
    (turns, owner): (&Turns<Owner>, &Owner),
) -> Option<Result<Bytes, ()>> {
    let mut piece = Vec::with_capacity(PIECE);
    loop {
        // Before the piece, which would be lost behind it if this is not waited for.
        yield_now().await;
        let turn = turns.take(owner).await;
        let read = decoder.read_buf(&mut piece).now_or_never();
        drop(turn);
        let read = match read {
            Some(read) => read.map(|_| ()),
            // A slow client has no turn meanwhile.
            None => match source(decoder).fill_buf().await {
                Ok(_) => continue,
                Err(error) => Err(error),
            },
        };
        return match read {
            Ok(()) if piece.is_empty() => None,
            Ok(()) => Some(Ok(piece.into())),
            Err(error) => {
                broke(&error);
                Some(Err(()))
            }
        };
    }
}

/// Logs why a body broke off; its client only learns that it did.
fn broke(error: &dyn std::error::Error) {
    tracing::debug!(error = chain(error), "a body broke off");
}
