//! Frames: a length, then one message with the number that ties a reply to its request.
//!
//! [`FrameDecoder`] takes bytes as they come and never reads a socket. After its first error it
//! stays in error: there is no way to find the next frame in a stream that was once wrong.

pub use crate::error::FrameError;
use crate::error::{DecodeError, EncodeError};
use crate::field::{At, count_fields, for_each_field};
use crate::generated as twin;
use crate::limits::{
    BATCH_NOTICES_COUNT_MAX, COMPARE_PERSONS_COUNT_MAX, DIRECTORY_BYTES_MAX, FEED_ROWS_COUNT_MAX,
    FRAME_BUFFER_BYTES_MAX, FRAME_BYTES_MAX, FRAME_HEADER_BYTES, REASON_BYTES_MAX,
};
use crate::message::{Reply, Request};

/// One message on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Chosen by the asker, unique within the session, repeated in the reply.
    pub id: u64,
    pub body: FrameBody,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FrameBody {
    Request(Request),
    Reply(Reply),
}

/// The frame's bytes with their length in front.
pub fn encode(frame: &Frame) -> Result<Vec<u8>, EncodeError> {
    let bytes = crate::field::encode::<twin::Frame, Frame>("frame", frame, FRAME_BYTES_MAX)?;
    let too_long =
        EncodeError::TooLong { message: "frame", bytes: bytes.len(), max: FRAME_BYTES_MAX };
    let length = u32::try_from(bytes.len()).map_err(|_| too_long)?;
    let mut framed = Vec::with_capacity(FRAME_HEADER_BYTES + bytes.len());
    framed.extend_from_slice(&length.to_be_bytes());
    framed.extend_from_slice(&bytes);
    Ok(framed)
}

/// One frame's content, without the length.
pub fn decode(bytes: &[u8]) -> Result<Frame, DecodeError> {
    let whole = At("frame", "");
    // The lists are one level down, in the body; they are counted before memory is made for them.
    if bytes.len() <= FRAME_BYTES_MAX {
        for_each_field(whole, bytes, |content| count_fields(At("frame", "body"), content))?;
    }
    crate::field::decode::<twin::Frame, Frame>("frame", bytes, FRAME_BYTES_MAX)
}

/// Finds frames in a stream of bytes.
#[derive(Default)]
pub struct FrameDecoder {
    buffer: Vec<u8>,
    /// Bytes at the front that were handed out already.
    taken: usize,
    failed: Option<FrameError>,
}

impl std::fmt::Debug for FrameDecoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FrameDecoder({} bytes, {:?})", self.pending(), self.failed)
    }
}

impl FrameDecoder {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes bytes. What is wrong with them is said by [`FrameDecoder::next`].
    pub fn push(&mut self, bytes: &[u8]) {
        if self.failed.is_some() {
            return;
        }
        if self.pending().saturating_add(bytes.len()) > FRAME_BUFFER_BYTES_MAX {
            self.fail(FrameError::Undrained);
            return;
        }
        self.buffer.drain(..self.taken.min(self.buffer.len()));
        self.taken = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole frame; `None` until there are enough bytes.
    #[allow(clippy::should_implement_trait, reason = "an iterator would end at the first `None`")]
    pub fn next(&mut self) -> Result<Option<Frame>, FrameError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let outcome = self.split();
        match outcome {
            Ok(None) => Ok(None),
            Ok(Some(length)) => {
                let start = self.taken + FRAME_HEADER_BYTES;
                let end = start + length;
                let decoded = decode(self.buffer.get(start..end).unwrap_or_default());
                self.taken = end;
                decoded.map(Some).map_err(|error| self.fail(FrameError::Refused(error)))
            }
            Err(error) => Err(self.fail(error)),
        }
    }

    /// To be called at the end of the stream: an end inside a frame is an error, not an end.
    pub fn finish(&self) -> Result<(), FrameError> {
        match (self.failed, self.pending()) {
            (Some(error), _) => Err(error),
            (None, 0) => Ok(()),
            (None, bytes) => Err(FrameError::Truncated { bytes }),
        }
    }

    /// Bytes held that no frame was made of yet.
    #[must_use]
    pub const fn pending(&self) -> usize {
        self.buffer.len().saturating_sub(self.taken)
    }

    /// Length of the next frame, if all of it is here.
    fn split(&self) -> Result<Option<usize>, FrameError> {
        let waiting = self.buffer.get(self.taken..).unwrap_or_default();
        let Some((header, rest)) = waiting.split_first_chunk::<FRAME_HEADER_BYTES>() else {
            return Ok(None);
        };
        let announced = u32::from_be_bytes(*header);
        match usize::try_from(announced) {
            Ok(0) => Err(FrameError::Empty),
            Ok(length) if length <= FRAME_BYTES_MAX => Ok((rest.len() >= length).then_some(length)),
            _ => Err(FrameError::TooLong { bytes: announced }),
        }
    }

    /// Drops what is held; personal data is not kept for a session that is over.
    fn fail(&mut self, error: FrameError) -> FrameError {
        self.buffer = Vec::new();
        self.taken = 0;
        self.failed = Some(error);
        error
    }
}

fn directory_bytes(value: twin::DirectoryBytes) -> Result<Vec<u8>, DecodeError> {
    // The envelope of a SignedDirectory: two tags, two lengths, the signature.
    At("directory_bytes", "signed").bytes(value.signed, DIRECTORY_BYTES_MAX + 128)
}

impl From<&Request> for twin::frame::Body {
    fn from(value: &Request) -> Self {
        match value {
            Request::Notices(batch) => Self::Notices(batch.into()),
            Request::Inquiry(inquiry) => Self::Inquiry(inquiry.into()),
            Request::Disclosures(batch) => Self::Disclosures(batch.into()),
            Request::DirectoryPush(signed) => {
                Self::DirectoryPush(twin::DirectoryBytes { signed: signed.clone() })
            }
            Request::DirectoryFetch => Self::DirectoryFetch(twin::Nothing {}),
            Request::Feed(batch) => Self::Feed(batch.into()),
            Request::Heartbeat(heartbeat) => Self::Heartbeat(heartbeat.into()),
            Request::StatusQuery(query) => Self::StatusQuery(query.into()),
            Request::ViewQuery(query) => Self::ViewQuery(query.into()),
            Request::MoveClaim(claim) => Self::MoveClaim(claim.into()),
            Request::PoolRequest(request) => Self::PoolRequest(request.into()),
            Request::TakeCode(request) => Self::TakeCode(request.into()),
            Request::Compare(compare) => Self::Compare(compare.into()),
            Request::Suspicion(suspicion) => Self::Suspicion(suspicion.into()),
            Request::Repair(repair) => Self::Repair(repair.into()),
        }
    }
}

impl From<&Reply> for twin::frame::Body {
    fn from(value: &Reply) -> Self {
        match value {
            Reply::NoticeAck { applied, set_aside } => Self::NoticeAck(twin::Applied {
                applied: *applied,
                set_aside: set_aside.iter().map(Into::into).collect(),
            }),
            Reply::Answer(answer) => Self::Answer(answer.into()),
            Reply::Refusal(refusal) => Self::Refusal(refusal.into()),
            Reply::DisclosureAck { applied } => {
                Self::DisclosureAck(twin::Applied { applied: *applied, set_aside: Vec::new() })
            }
            Reply::DirectoryAck { serial } => {
                Self::DirectoryAck(twin::DirectorySerial { serial: *serial })
            }
            Reply::Directory(signed) => {
                Self::Directory(twin::DirectoryBytes { signed: signed.clone() })
            }
            Reply::FeedResult(outcomes) => Self::FeedResult(twin::FeedResult {
                outcomes: outcomes.iter().map(Into::into).collect(),
            }),
            Reply::HeartbeatAck => Self::HeartbeatAck(twin::Nothing {}),
            Reply::Status(status) => Self::Status(status.into()),
            Reply::View(view) => Self::View(view.into()),
            Reply::MoveReleased(release) => Self::MoveReleased(release.into()),
            Reply::MoveRefused => Self::MoveRefused(twin::MoveRefused {}),
            Reply::Pool(pool) => Self::Pool(pool.into()),
            Reply::CodeTaken(taken) => Self::CodeTaken(taken.into()),
            Reply::Compared(compared) => Self::Compared(compared.into()),
            Reply::Suspected(persons) => Self::Suspected(twin::Suspected {
                persons: persons.iter().map(Into::into).collect(),
            }),
            Reply::Repaired { applied } => Self::Repaired(twin::Repaired { applied: *applied }),
            Reply::Unavailable { reason } => {
                Self::Unavailable(twin::Unavailable { reason: reason.clone() })
            }
        }
    }
}

impl From<&Frame> for twin::Frame {
    fn from(value: &Frame) -> Self {
        let body = match &value.body {
            FrameBody::Request(request) => request.into(),
            FrameBody::Reply(reply) => reply.into(),
        };
        Self { id: Some(value.id), body: Some(body) }
    }
}

impl TryFrom<twin::Frame> for Frame {
    type Error = DecodeError;

    fn try_from(value: twin::Frame) -> Result<Self, DecodeError> {
        const M: &str = "frame";
        let id = At(M, "id").required(value.id)?;
        let body = At(M, "body").required(value.body)?;
        Ok(Self { id, body: body.try_into()? })
    }
}

impl TryFrom<twin::frame::Body> for FrameBody {
    type Error = DecodeError;

    fn try_from(value: twin::frame::Body) -> Result<Self, DecodeError> {
        use twin::frame::Body as B;
        Ok(match value {
            B::Notices(batch) => Self::Request(Request::Notices(batch.try_into()?)),
            B::Inquiry(inquiry) => Self::Request(Request::Inquiry(inquiry.try_into()?)),
            B::Disclosures(batch) => Self::Request(Request::Disclosures(batch.try_into()?)),
            B::DirectoryPush(signed) => {
                Self::Request(Request::DirectoryPush(directory_bytes(signed)?))
            }
            B::DirectoryFetch(_) => Self::Request(Request::DirectoryFetch),
            B::Feed(batch) => Self::Request(Request::Feed(batch.try_into()?)),
            B::Heartbeat(heartbeat) => Self::Request(Request::Heartbeat(heartbeat.try_into()?)),
            B::StatusQuery(query) => Self::Request(Request::StatusQuery(query.try_into()?)),
            B::ViewQuery(query) => Self::Request(Request::ViewQuery(query.try_into()?)),
            B::MoveClaim(claim) => Self::Request(Request::MoveClaim(claim.try_into()?)),
            B::PoolRequest(request) => Self::Request(Request::PoolRequest(request.try_into()?)),
            B::TakeCode(request) => Self::Request(Request::TakeCode(request.try_into()?)),
            B::Compare(compare) => Self::Request(Request::Compare(compare.try_into()?)),
            B::Suspicion(suspicion) => Self::Request(Request::Suspicion(suspicion.try_into()?)),
            B::Repair(repair) => Self::Request(Request::Repair(repair.try_into()?)),
            B::NoticeAck(ack) => Self::Reply(Reply::NoticeAck {
                applied: ack.applied,
                set_aside: At("applied", "set_aside")
                    .list(ack.set_aside, BATCH_NOTICES_COUNT_MAX)?,
            }),
            B::Answer(answer) => Self::Reply(Reply::Answer(answer.try_into()?)),
            B::Refusal(refusal) => Self::Reply(Reply::Refusal(refusal.try_into()?)),
            B::DisclosureAck(ack) => Self::Reply(Reply::DisclosureAck { applied: ack.applied }),
            B::DirectoryAck(ack) => Self::Reply(Reply::DirectoryAck { serial: ack.serial }),
            B::Directory(signed) => Self::Reply(Reply::Directory(directory_bytes(signed)?)),
            B::FeedResult(result) => Self::Reply(Reply::FeedResult(
                At("feed_result", "outcomes").rows(result.outcomes, FEED_ROWS_COUNT_MAX)?,
            )),
            B::HeartbeatAck(_) => Self::Reply(Reply::HeartbeatAck),
            B::Status(status) => Self::Reply(Reply::Status(status.try_into()?)),
            B::View(view) => Self::Reply(Reply::View(view.try_into()?)),
            B::MoveReleased(release) => Self::Reply(Reply::MoveReleased(release.try_into()?)),
            B::MoveRefused(_) => Self::Reply(Reply::MoveRefused),
            B::Pool(pool) => Self::Reply(Reply::Pool(pool.try_into()?)),
            B::CodeTaken(taken) => Self::Reply(Reply::CodeTaken(taken.try_into()?)),
            B::Compared(compared) => Self::Reply(Reply::Compared(compared.try_into()?)),
            B::Suspected(suspected) => Self::Reply(Reply::Suspected(
                At("suspected", "persons").rows(suspected.persons, COMPARE_PERSONS_COUNT_MAX)?,
            )),
            B::Repaired(repaired) => Self::Reply(Reply::Repaired { applied: repaired.applied }),
            B::Unavailable(unavailable) => Self::Reply(Reply::Unavailable {
                reason: At("unavailable", "reason").text(unavailable.reason, REASON_BYTES_MAX)?,
            }),
        })
    }
}
