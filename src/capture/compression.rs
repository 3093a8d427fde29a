//! Decoders between a stored file and its capture.

use std::io::{self, Read};
use std::sync::Arc;

use flate2::bufread::GzDecoder;

use super::buffer::Buffer;
use super::error::{Breakage, Compression};

/// The largest window a zstd stream may ask for, as a power of two: 32 MiB, four times what every
/// decoder has to support [RFC 8878 section 3.1.1.1.2]; levels up to 20 ask for no more. The window is
/// memory of its own for each file that is being read.
const MAX_ZSTD_WINDOW_LOG: u32 = 25;

/// `ZSTD_error_frameParameter_windowTooLarge`, as a function of the library returns it.
const WINDOW_TOO_LARGE: usize = 0_usize.wrapping_sub(16);

/// The window over what is inside `stored`.
pub(super) fn decode(compression: Compression, stored: Buffer) -> io::Result<Buffer> {
    let (state, capacity) = (Arc::clone(stored.stored()), stored.capacity());
    let decoder: Box<dyn Read + Send> = match compression {
        Compression::Gzip => Box::new(Members { decoder: Some(GzDecoder::new(stored)) }),
        Compression::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(stored)?;
            decoder.window_log_max(MAX_ZSTD_WINDOW_LOG)?;
            Box::new(decoder)
        }
    };
    Ok(Buffer::decoded(decoder, state, compression, capacity))
}

/// What an error of a decoder means.
pub(super) fn breakage(error: &io::Error) -> Breakage {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Breakage::CutOff,
        // The crate passes the words of the library on, and no number.
        _ if error.to_string() == zstd::zstd_safe::get_error_name(WINDOW_TOO_LARGE) => Breakage::LargeWindow,
        _ => Breakage::Corrupt,
    }
}

/// The members of a gzip file one after the other (RFC 1952 section 2.2). Zeros behind the last one
/// are padding; anything else there is an error.
struct Members {
    /// `None` at the end.
    decoder: Option<GzDecoder<Buffer>>,
}

impl Read for Members {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while let Some(decoder) = &mut self.decoder {
            let count = decoder.read(out)?;
            if count > 0 || out.is_empty() {
                return Ok(count);
            }
            let Some(decoder) = self.decoder.take() else { break };
            let mut rest = decoder.into_inner();
            rest.fill(2)?;
            if rest.available().starts_with(&[0x1f, 0x8b]) {
                self.decoder = Some(GzDecoder::new(rest));
                continue;
            }
            while rest.fill(1)? {
                if rest.available().iter().any(|&byte| byte != 0) {
                    return Err(io::Error::from(io::ErrorKind::InvalidData));
                }
                rest.consume_bytes(rest.available().len());
            }
        }
        Ok(0)
    }
}
