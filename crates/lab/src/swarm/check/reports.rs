//! What nodes say about themselves, whom they listen to, and what the size of a reply tells:
//! heartbeats, directories, isolated members, lengths on the wire.

use node::outbox::OutgoingCall;
use node::ports::Reads;
use wire::directory::Directory;
use wire::{NodeId, Reply, Request};

use super::super::country::{PLACES, Place};
use super::{Checker, Violation, unreadable};

/// Sizes that an answer may have, whatever it tells, and a refusal.
const ANSWER_SIZES_COUNT: usize = 4;
const REFUSAL_SIZES_COUNT: usize = 1;

impl Checker {
    /// A heartbeat says what its node holds (J4, J10: the monitoring room sees what is).
    pub(in super::super) fn reports(
        &self,
        place: Place,
        calls: &[OutgoingCall],
        store: &dyn Reads,
    ) -> Result<(), Violation> {
        for call in calls {
            let Request::Heartbeat(beat) = &call.request else { continue };
            let mut waiting = 0;
            for (node, _) in PLACES {
                let Ok(to) = NodeId::parse(node) else { continue };
                let (acknowledged, last) = store.queue_bounds(&to).map_err(unreadable)?;
                waiting += last - acknowledged;
            }
            let rows = store.residents_after(0, usize::MAX).map_err(unreadable)?;
            let present = rows.iter().filter(|(_, held)| !held.removed).count() as u64;
            let entries = store.entries_count().map_err(unreadable)?;
            if (beat.queued, beat.residents, beat.entries) != (waiting, present, entries) {
                let detail =
                    format!("place {place} reports {} waiting, {waiting} are", beat.queued);
                return Err(Violation::new("heartbeat", detail));
            }
        }
        Ok(())
    }

    /// A directory comes into force: none that is older than the one before it.
    pub(in super::super) fn adopts(
        &mut self,
        place: Place,
        adopted: Option<&Directory>,
    ) -> Result<(), Violation> {
        let Some(directory) = adopted else { return Ok(()) };
        let (serial, before) = (directory.serial, self.serials.insert(place, directory.serial));
        match before {
            Some(before) if before > serial => {
                let detail = format!("place {place} puts {serial} in force after {before}");
                Err(Violation::new("directory-forward", detail))
            }
            _ => Ok(()),
        }
    }

    /// A reply goes to a member that the directory calls isolated: it may only say no.
    pub(in super::super) fn cut_off(
        &self,
        isolated: bool,
        place: Place,
        reply: &Reply,
    ) -> Result<(), Violation> {
        if !isolated || matches!(reply, Reply::Unavailable { .. }) {
            return Ok(());
        }
        let detail = format!("place {place} says {} to an isolated member", reply.kind());
        Err(Violation::new("isolated", detail))
    }

    /// The length of a reply on the wire tells no more than its class.
    pub(in super::super) fn sized(
        &mut self,
        place: Place,
        reply: &Reply,
        bytes: usize,
    ) -> Result<(), Violation> {
        let (kind, most) = match reply {
            Reply::Answer(_) => (0, ANSWER_SIZES_COUNT),
            Reply::Refusal(_) => (1, REFUSAL_SIZES_COUNT),
            _ => return Ok(()),
        };
        let Some(sizes) = self.sizes.get_mut(kind) else { return Ok(()) };
        sizes.insert(bytes);
        if sizes.len() <= most {
            return Ok(());
        }
        let detail = format!("place {place}: {} sizes of {}", sizes.len(), reply.kind());
        Err(Violation::new("answer-size", detail))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unavailable() -> Reply {
        Reply::Unavailable { reason: "no".to_owned() }
    }

    #[test]
    fn an_isolated_member_hears_no() {
        let checker = Checker::new(false, true);
        assert!(checker.cut_off(true, 0, &unavailable()).is_ok());
        assert!(checker.cut_off(false, 0, &Reply::HeartbeatAck).is_ok());
        let found = checker.cut_off(true, 0, &Reply::HeartbeatAck).unwrap_err();
        assert_eq!(found.rule, "isolated");
    }

    #[test]
    fn sizes_are_few() {
        let mut checker = Checker::new(false, true);
        let refusal = Reply::Refusal(wire::Refusal {
            digest: [0; 32],
            rule: "request-stale".to_owned(),
            law: String::new(),
            hint: String::new(),
            hint_en: String::new(),
        });
        assert!(checker.sized(0, &refusal, 4_000).is_ok());
        assert!(checker.sized(0, &refusal, 4_000).is_ok());
        assert_eq!(checker.sized(0, &refusal, 4_001).unwrap_err().rule, "answer-size");
        assert!(checker.sized(0, &unavailable(), 7).is_ok());
    }
}
