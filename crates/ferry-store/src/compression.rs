//! Compresses datasets and results, for every store: they are read far more rarely than the records
//! beside them.

use std::cell::RefCell;

use zstd::bulk::{Compressor, Decompressor};

use super::accepting::Payload;

/// The zstd level: beyond it, time grows faster than CSV shrinks.
const LEVEL: i32 = 3;

thread_local! {
    // A context is dear to make: for small datasets, more than its use.
    static COMPRESSOR: RefCell<Compressor<'static>> =
        RefCell::new(compressor().expect("there is memory for a context"));
    static DECOMPRESSOR: RefCell<Decompressor<'static>> =
        RefCell::new(Decompressor::new().expect("there is memory for a context"));
}

/// With a checksum in each frame: a changed byte is an error when it is read, and not another dataset.
fn compressor() -> std::io::Result<Compressor<'static>> {
    let mut compressor = Compressor::new(LEVEL)?;
    compressor.include_checksum(true)?;
    Ok(compressor)
}

/// Size below which compression is not worth the time: a frame has a head of its own.
const SMALL: usize = 128;

/// Compressed bytes, with the size that they had; or as they are, where that is no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Compressed {
    pub(super) bytes: Vec<u8>,
    pub(super) unpacked: u64,
}

/// The bytes are not what was packed.
#[derive(Debug, thiserror::Error)]
#[error("the stored payload cannot be decompressed: {0}")]
pub(super) struct DecompressError(String);

impl DecompressError {
    pub(super) fn new(cause: impl std::fmt::Display) -> Self {
        Self(cause.to_string())
    }
}

impl Compressed {
    pub(super) fn new(bytes: &[u8]) -> Self {
        let compressed = (bytes.len() >= SMALL).then(|| {
            let packed = COMPRESSOR.with_borrow_mut(|zstd| zstd.compress(bytes));
            packed.expect("zstd compresses anything")
        });
        let packed = compressed.filter(|packed| packed.len() < bytes.len());
        Self { bytes: packed.unwrap_or_else(|| bytes.to_vec()), unpacked: bytes.len() as u64 }
    }

    pub(super) fn decompress(&self) -> Result<Vec<u8>, DecompressError> {
        let size = usize::try_from(self.unpacked).map_err(DecompressError::new)?;
        if size == self.bytes.len() {
            return Ok(self.bytes.clone());
        }
        // The size is as the store has it: a damaged one may be larger than the memory.
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(size).map_err(DecompressError::new)?;
        DECOMPRESSOR
            .with_borrow_mut(|zstd| zstd.decompress_to_buffer(&self.bytes, &mut bytes))
            .map_err(DecompressError::new)?;
        if bytes.len() != size {
            let found = bytes.len();
            return Err(DecompressError(format!("it has {found} bytes instead of {size}")));
        }
        Ok(bytes)
    }

    fn decompress_text(&self) -> Result<String, DecompressError> {
        String::from_utf8(self.decompress()?).map_err(DecompressError::new)
    }
}

/// A compressed dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CompressedPayload {
    pub(super) data: Compressed,
    pub(super) event_data: Option<Compressed>,
}

impl CompressedPayload {
    pub(super) fn new(payload: &Payload) -> Self {
        Self {
            data: Compressed::new(payload.data.as_bytes()),
            event_data: payload.event_data.as_ref().map(|text| Compressed::new(text.as_bytes())),
        }
    }

    pub(super) fn decompress(&self) -> Result<Payload, DecompressError> {
        Ok(Payload {
            data: self.data.decompress_text()?,
            event_data: self.event_data.as_ref().map(Compressed::decompress_text).transpose()?,
        })
    }
}

/// Bytes that are compressed in less time than it takes to use another thread.
const AT_ONCE: u64 = 32 * 1024;

/// Runs work on so many bytes: on a thread for long work if they are many.
pub async fn compute<T: Send + 'static>(
    bytes: u64,
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    if bytes <= AT_ONCE {
        return work();
    }
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_was_packed_is_unpacked(
            bytes in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..1000),
                prop::collection::vec(b'a'..b'c', 0..1000),
            ],
        ) {
            let packed = Compressed::new(&bytes);
            prop_assert!(packed.bytes.len() <= bytes.len());
            prop_assert_eq!(packed.decompress().unwrap(), bytes);
        }

        #[test]
        fn a_changed_byte_is_never_other_data(
            bytes in prop::collection::vec(b'a'..b'c', 200..1000),
            at in any::<prop::sample::Index>(),
            flip in 1_u8..,
        ) {
            let mut packed = Compressed::new(&bytes);
            let at = at.index(packed.bytes.len());
            packed.bytes[at] ^= flip;
            if let Ok(unpacked) = packed.decompress() {
                prop_assert_eq!(unpacked, bytes);
            }
        }
    }
}
