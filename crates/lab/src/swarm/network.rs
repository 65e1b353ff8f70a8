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
use crate::draw::Draw;

/// How bad the weather is in one world.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weather {
    /// Messages lost and doubled, in a thousand.
    pub(super) loss: u32,
    pub(super) doubling: u32,
    /// Messages that take seconds instead of milliseconds, in a thousand.
    pub(super) lag: u32,
    /// Mean time between crashes and between partitions; 0 = none.
    pub(super) crash_every_ms: u32,
    pub(super) partition_every_ms: u32,
}

impl Weather {
    /// One world in five is calm: what fails there fails without any fault.
    pub(super) fn draw(draw: &mut Draw) -> Self {
        if draw.permille(200) {
            return Self::calm();
        }
        Self {
            loss: draw.below(80),
            doubling: draw.below(80),
            lag: draw.below(120),
            crash_every_ms: 1_500 + draw.below(12_000),
            partition_every_ms: 3_000 + draw.below(20_000),
        }
    }

    pub(super) fn calm() -> Self {
        Self { loss: 0, doubling: 0, lag: 0, crash_every_ms: 0, partition_every_ms: 0 }
    }
}

/// What becomes of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Arrives after these milliseconds, and perhaps once more.
    Arrives {
        after_ms: u64,
        again_after_ms: Option<u64>,
    },
    Lost,
    /// The sender learns at once that nobody is there.
    NotReachable,
}

#[derive(Debug)]
pub(super) struct Network {
    pub(super) weather: Weather,
    /// Places on the far side of the present partition.
    pub(super) cut_off: BTreeSet<Place>,
}

impl Network {
    pub(super) fn new(weather: Weather) -> Self {
        Self { weather, cut_off: BTreeSet::new() }
    }

    /// The fate of a message between two places; inside one office only the machines fail.
    pub(super) fn fate(&self, from: Place, to: Place, draw: &mut Draw) -> Fate {
        if from == to {
            let after_ms = u64::from(1 + draw.below(5));
            return Fate::Arrives { after_ms, again_after_ms: None };
        }
        let parted = self.cut_off.contains(&from) != self.cut_off.contains(&to);
        if parted {
            return if draw.permille(500) { Fate::NotReachable } else { Fate::Lost };
        }
        if draw.permille(self.weather.loss) {
            return Fate::Lost;
        }
        let after_ms = self.delay(draw);
        let again = draw.permille(self.weather.doubling);
        Fate::Arrives { after_ms, again_after_ms: again.then(|| self.delay(draw)) }
    }

    fn delay(&self, draw: &mut Draw) -> u64 {
        let lagging = draw.permille(self.weather.lag);
        u64::from(if lagging { 200 + draw.below(8_000) } else { 2 + draw.below(40) })
    }
}

/// Through the wire and out again.
pub(super) fn carried(body: FrameBody) -> Result<FrameBody, Violation> {
    let broken = |what: &str| Violation::new("wire", format!("a message does not {what}"));
    let bytes = frame::encode(&Frame { id: 1, body }).map_err(|_| broken("encode"))?;
    let mut decoder = FrameDecoder::new();
    let (head, tail) = bytes.split_at(bytes.len() / 2);
    decoder.push(head);
    decoder.push(tail);
    let frame = decoder.next().map_err(|_| broken("decode"))?;
    frame.map(|frame| frame.body).ok_or_else(|| broken("end"))
}

/// A request on the wire, if the table lets `from` say it to `to`.
pub(super) fn request(from: Role, to: Role, request: Request) -> Result<Request, Violation> {
    if wire::may_say(from, to, request.kind()).is_none() {
        let said = format!("{from} said {} to {to}", request.kind());
        return Err(Violation::new("conversation", said));
    }
    match carried(FrameBody::Request(request))? {
        FrameBody::Request(request) => Ok(request),
        FrameBody::Reply(_) => Err(Violation::new("wire", "a request became a reply".to_owned())),
    }
}

pub(super) fn reply(reply: Reply) -> Result<Reply, Violation> {
    match carried(FrameBody::Reply(reply))? {
        FrameBody::Reply(reply) => Ok(reply),
        FrameBody::Request(_) => Err(Violation::new("wire", "a reply became a request".to_owned())),
    }
}
