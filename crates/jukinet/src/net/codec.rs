//! Frames over an async stream: bytes in, frames out, within `wire`'s bounds.
//! Not the decoding itself: that is total and lives in `wire::frame`.

use tokio::io::{AsyncRead, AsyncReadExt};
use wire::{Frame, FrameDecoder, FrameError};

/// One read asks the stream for at most this; a TLS record is 16 KiB.
const READ_BYTES: usize = 16 * 1024;

/// Why no further frame comes.
#[derive(Debug)]
pub(super) enum Ended {
    /// The peer closed between two frames.
    Closed,
    /// The stream broke, or closed inside a frame.
    Broken(std::io::Error),
    /// What came is not a frame.
    Malformed(FrameError),
}

/// Reads frames from one half of a session.
pub(super) struct FrameReader<R> {
    stream: R,
    decoder: FrameDecoder,
    buffer: Vec<u8>,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    pub(super) fn new(stream: R) -> Self {
        Self { stream, decoder: FrameDecoder::new(), buffer: vec![0; READ_BYTES] }
    }

    /// The next frame. Safe to drop between polls: bytes are kept in the decoder.
    pub(super) async fn next(&mut self) -> Result<Frame, Ended> {
        loop {
            if let Some(frame) = self.decoder.next().map_err(Ended::Malformed)? {
                return Ok(frame);
            }
            let count = self.stream.read(&mut self.buffer).await.map_err(Ended::Broken)?;
            if count == 0 {
                return Err(if self.decoder.pending() == 0 {
                    Ended::Closed
                } else {
                    Ended::Broken(std::io::ErrorKind::UnexpectedEof.into())
                });
            }
            self.decoder.push(self.buffer.get(..count).unwrap_or_default());
        }
    }
}
