//! What can be wrong with bytes, and with values that should become bytes. Names the message, the
//! field and the rule; never a value, since most values are personal.

use crate::limits::FRAME_BYTES_MAX;

/// The rule that bytes broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeRule {
    /// Not protobuf of this shape, not UTF-8, or cut short.
    #[error("is not well-formed; send it as the schema says")]
    Malformed,
    /// A required field was absent or empty.
    #[error("is required; send it")]
    Missing,
    /// More bytes than the limit.
    #[error("is longer than {max} bytes; shorten it")]
    TooLong { max: usize },
    /// More rows than the limit.
    #[error("has more than {max} rows; send several messages")]
    TooMany { max: usize },
    /// A value of fixed size has another.
    #[error("must have {expected} bytes")]
    WrongSize { expected: usize },
    /// An enum value that the schema does not have.
    #[error("has a value the schema does not know; both sides need the same schema")]
    UnknownValue,
    /// Well-formed text that is not such a value: a check digit, a date, an id.
    #[error("is not a valid value of its kind; correct it at its source")]
    Invalid,
    /// Two rows with one key.
    #[error("occurs twice; send it once")]
    Duplicate,
    /// Sequence numbers with a gap, or zero.
    #[error("does not follow its predecessor; send sequences from 1 without gaps")]
    OutOfOrder,
    /// The same value has another encoding, or there were unknown fields or trailing bytes.
    #[error("is not in the one canonical form; encode fields in order, without extras")]
    NotCanonical,
}

/// A message was refused. `field` is empty when the message as a whole is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}.{field} {rule}")]
pub struct DecodeError {
    pub message: &'static str,
    pub field: &'static str,
    pub rule: DecodeRule,
}

/// A value cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// Its receiver would refuse it.
    #[error("the receiver would refuse it: {0}")]
    Refused(#[from] DecodeError),
    /// Each part is within its limit, the whole is not.
    #[error("{message} has {bytes} bytes, more than {max}; send fewer rows")]
    TooLong { message: &'static str, bytes: usize, max: usize },
}

/// What can be wrong with a stream of frames. After any of these the session is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    #[error("a frame of zero length; close the session")]
    Empty,
    #[error(
        "a frame of {bytes} bytes was announced, more than {FRAME_BYTES_MAX}; close the session"
    )]
    TooLong { bytes: u32 },
    #[error("the stream ended inside a frame; {bytes} bytes of it had arrived")]
    Truncated { bytes: usize },
    #[error("more bytes were pushed than a decoder holds; take frames out before pushing more")]
    Undrained,
    #[error("a frame was refused: {0}")]
    Refused(#[from] DecodeError),
}
