//! The network between the nodes: delay, loss, duplication, reordering, partitions. Every message
//! goes through the wire format on its way.
//!
//! It stands for sessions and exchanges together; who may speak to whom is checked by the same
//! table that the exchanges use, and a machine that says anything else has broken a rule.

use std::collections::BTreeSet;

use wire::frame::{self, Frame, FrameBody, FrameDecoder};
use wire::{Reply, Request, Role};

use super::check::Violation;
use super::country::Place;
use super::faults::Faults;
use crate::draw::Draw;

/// What becomes of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Arrives after these milliseconds, and perhaps once more.
    Arrives {
        after_ms: u64,
        again_after_ms: Option<u64>,
    },
    /// Arrives after the next one between the same two places.
    Overtaken,
    Lost,
    /// The sender learns at once that nobody is there.
    NotReachable,
    /// A bit flipped on the line: the receiver's side ends the connection (TLS 1.3 does).
    Damaged,
}

#[derive(Debug)]
pub(super) struct Network {
    pub(super) faults: Faults,
    /// Places on the far side of the present partition.
    pub(super) cut_off: BTreeSet<Place>,
}

impl Network {
    pub(super) fn new(faults: Faults) -> Self {
        Self { faults, cut_off: BTreeSet::new() }
    }

    /// The fate of a message between two places; inside one office only the machines fail. `twice`:
    /// in how many of a thousand cases it arrives once more.
    pub(super) fn fate(&self, from: Place, to: Place, twice: u32, draw: &mut Draw) -> Fate {
        if from == to {
            let after_ms = u64::from(1 + draw.below(5));
            return Fate::Arrives { after_ms, again_after_ms: None };
        }
        let parted = self.cut_off.contains(&from) != self.cut_off.contains(&to);
        if parted {
            return if draw.permille(500) { Fate::NotReachable } else { Fate::Lost };
        }
        if draw.permille(self.faults.loss) {
            return Fate::Lost;
        }
        if draw.permille(self.faults.flip) {
            return Fate::Damaged;
        }
        if draw.permille(self.faults.reorder) {
            return Fate::Overtaken;
        }
        let after_ms = self.delay(draw);
        let again = draw.permille(twice);
        Fate::Arrives { after_ms, again_after_ms: again.then(|| self.delay(draw)) }
    }

    fn delay(&self, draw: &mut Draw) -> u64 {
        let lagging = draw.permille(self.faults.lag);
        u64::from(if lagging { 200 + draw.below(8_000) } else { 2 + draw.below(40) })
    }
}

/// Through the wire and out again, with the bytes that lay on the line.
pub(super) fn carried(body: FrameBody) -> Result<(FrameBody, Vec<u8>), Violation> {
    let broken = |what: &str| Violation::new("wire", format!("a message does not {what}"));
    let bytes = frame::encode(&Frame { id: 1, body }).map_err(|_| broken("encode"))?;
    let mut decoder = FrameDecoder::new();
    let (head, tail) = bytes.split_at(bytes.len() / 2);
    decoder.push(head);
    decoder.push(tail);
    let frame = decoder.next().map_err(|_| broken("decode"))?;
    frame.map(|frame| (frame.body, bytes)).ok_or_else(|| broken("end"))
}

/// A message of which one bit flipped. The line's own check ends the connection; what the decoder
/// would have made of it is nobody's concern, so long as it comes to an end.
pub(super) fn damaged(body: FrameBody, draw: &mut Draw) {
    let Ok(mut bytes) = frame::encode(&Frame { id: 1, body }) else { return };
    let bits = u32::try_from(bytes.len() * 8).unwrap_or(u32::MAX);
    let bit = draw.below(bits);
    if let Some(byte) = bytes.get_mut(usize::try_from(bit / 8).unwrap_or(0)) {
        *byte ^= 1 << (bit % 8);
    }
    let mut decoder = FrameDecoder::new();
    decoder.push(&bytes);
    let _ = decoder.next();
}

/// A request on the wire, if the table lets `from` say it to `to`.
pub(super) fn request(
    from: Role,
    to: Role,
    request: Request,
) -> Result<(Request, Vec<u8>), Violation> {
    if wire::may_say(from, to, request.kind()).is_none() {
        let said = format!("{from} said {} to {to}", request.kind());
        return Err(Violation::new("conversation", said));
    }
    match carried(FrameBody::Request(request))? {
        (FrameBody::Request(request), bytes) => Ok((request, bytes)),
        (FrameBody::Reply(_), _) => {
            Err(Violation::new("wire", "a request became a reply".to_owned()))
        }
    }
}

pub(super) fn reply(reply: Reply) -> Result<(Reply, Vec<u8>), Violation> {
    match carried(FrameBody::Reply(reply))? {
        (FrameBody::Reply(reply), bytes) => Ok((reply, bytes)),
        _ => Err(Violation::new("wire", "a reply became a request".to_owned())),
    }
}
