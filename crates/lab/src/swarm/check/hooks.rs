//! Where the world tells the checkers what happens: a request on the line, a request handed to a
//! node, a step's writes, a reply. One place each, so that nothing goes past a checker.

use law::time::Timestamp;
use node::ports::{NewEntry, Reads, Write};
use wire::{Reply, Request};

use super::super::country::{PLACES, Place};
use super::super::nation::Nation;
use super::acts::directory_ends;
use super::answers::digest_of;
use super::lines::hex;
use super::talk::{self, Speaker, Way};
use super::views::{ViewDue, query_digest_of};
use super::{Checker, Handed, Violation, secrets, unreadable};

/// A request that a node is about to be handed.
#[derive(Clone, Copy)]
pub(in super::super) struct Asking<'a> {
    pub(in super::super) way: Way,
    pub(in super::super) ticket: u64,
    /// By the clock of the node.
    pub(in super::super) now: Timestamp,
    /// The latest that this clock ever showed.
    pub(in super::super) latest: Timestamp,
    pub(in super::super) request: &'a Request,
}

/// A reply that leaves a node.
#[derive(Clone, Copy)]
pub(in super::super) struct Leaving<'a> {
    pub(in super::super) place: Place,
    pub(in super::super) ticket: u64,
    pub(in super::super) reply: &'a Reply,
    /// As it lies on the line.
    pub(in super::super) bytes: &'a [u8],
}

/// What a reply has to be held against.
#[derive(Clone, Debug)]
enum Duty {
    Nothing,
    /// This node decides; `None` where the plain reading does not judge it.
    Decides(Option<Handed>),
    /// It passes the inquiry with this digest on.
    PassesOn([u8; 32]),
    Shows([u8; 32], ViewDue),
}

/// A request that waits for its reply.
#[derive(Clone, Debug)]
pub(super) struct Open {
    way: Way,
    kind: &'static str,
    duty: Duty,
    /// The node's directory had ended when it was asked.
    blind: bool,
}

/// Requests that a node without a current directory may not fulfil (V16: unknown, so refused).
const NEEDS_DIRECTORY: [&str; 3] = ["inquiry", "view-query", "move-claim"];

/// Most bytes of entropy that one step asks for, and most rows that it writes (V17).
const WRITES_COUNT_MAX: usize = 20_000;

/// Room of a queue (V17): every resident of the largest municipality at once.
const QUEUED_COUNT_MAX: u64 = 4_000_000;

/// A request is remembered until its time is over for certain, and not much longer.
const REMEMBERED_MS: std::ops::RangeInclusive<u64> = 60_000..=180_000;

impl Checker {
    /// A request lies on the line.
    pub(in super::super) fn said(
        &mut self,
        way: Way,
        request: &Request,
        bytes: &[u8],
        nation: &Nation,
    ) -> Result<(), Violation> {
        if self.lies(way.from) && way.speaker == Speaker::Node {
            return Ok(());
        }
        talk::request(way, request, bytes.len())?;
        secrets::request(way, request, bytes, nation)?;
        if let Request::DirectoryPush(signed) = request {
            self.pushed(way.from, signed)?;
        }
        Ok(())
    }

    /// A request is handed to a node: what must come of it?
    pub(in super::super) fn arrives(
        &mut self,
        asking: Asking<'_>,
        store: &dyn Reads,
        nation: &Nation,
    ) -> Result<(), Violation> {
        let Asking { way, ticket, now, latest, request } = asking;
        let (place, kind) = (way.to, request.kind().key());
        let asker = PLACES.get(way.from).map_or("", |(_, organ)| *organ).to_owned();
        let duty = match request {
            Request::Inquiry(signed) => {
                let digest = digest_of(&signed.body);
                let own = super::conjunction::read(&signed.body).is_none_or(|read| {
                    PLACES.get(place).is_some_and(|(_, organ)| *organ == read.responder)
                });
                if way.speaker == Speaker::Terminal && !own {
                    self.acts.handed(place, "forward", hex(&digest));
                    Duty::PassesOn(digest)
                } else {
                    self.acts.handed(place, "inquiry", hex(&digest));
                    Duty::Decides(self.inquired(way, (now, latest), signed, store)?)
                }
            }
            Request::ViewQuery(signed) => {
                let digest = query_digest_of(&signed.body);
                self.acts.handed(place, "view", hex(&digest));
                match self.view_asked(place, (now, latest), signed, (store, nation))? {
                    Some(due) => Duty::Shows(digest, due),
                    None => Duty::Nothing,
                }
            }
            Request::Feed(_) => {
                self.acts.handed(place, "feed", String::new());
                Duty::Nothing
            }
            Request::TakeCode(_) => {
                self.acts.handed(place, "take-code", String::new());
                Duty::Nothing
            }
            Request::PoolRequest(_) => {
                self.acts.handed(place, "pool", asker);
                Duty::Nothing
            }
            Request::MoveClaim(claim) => {
                self.acts.handed(place, "claim", format!("{} {asker}", claim.code.expose()));
                self.acts.handed(place, "refused-claim", asker);
                Duty::Nothing
            }
            _ => Duty::Nothing,
        };
        let blind = NEEDS_DIRECTORY.contains(&kind) && has_ended(store, now)?;
        self.open.insert((place, ticket), Open { way, kind, duty, blind });
        Ok(())
    }

    /// A request of the hostile node itself is handed to another one: its record, if one is made,
    /// is of an act; what it may be told is judged where it leaves.
    pub(in super::super) fn hostile_arrives(&mut self, place: Place, from: Place, said: &Request) {
        let asker = PLACES.get(from).map_or("", |(_, organ)| *organ).to_owned();
        match said {
            Request::Inquiry(signed) => {
                self.acts.handed(place, "inquiry", hex(&digest_of(&signed.body)));
            }
            Request::ViewQuery(signed) => {
                self.acts.handed(place, "view", hex(&query_digest_of(&signed.body)));
            }
            Request::MoveClaim(claim) => {
                self.acts.handed(place, "claim", format!("{} {asker}", claim.code.expose()));
                self.acts.handed(place, "refused-claim", asker);
            }
            _ => {}
        }
    }

    /// A step's writes and lines went into the open group.
    pub(in super::super) fn kept(
        &mut self,
        place: Place,
        (now, latest): (Timestamp, Timestamp),
        (writes, entries): (&[Write], &[NewEntry]),
        nation: &Nation,
    ) -> Result<(), Violation> {
        if self.lies(place) {
            return Ok(());
        }
        let lines = entries.iter().flat_map(|entry| &entry.leaves);
        for leaf in lines {
            secrets::entry(place, &leaf.entry)?;
        }
        if writes.len() > WRITES_COUNT_MAX {
            let detail = format!("place {place} writes {} rows in one step", writes.len());
            return Err(Violation::new("limits", detail));
        }
        for write in writes {
            let kept: &[u8] = match write {
                Write::Enqueue { payload, .. } => payload,
                Write::PutDirectory(bytes) => bytes,
                Write::PutFact { value, .. } => value,
                Write::RequestSeen { until, .. } => {
                    let least = now.0.saturating_add(*REMEMBERED_MS.start());
                    let most = latest.0.saturating_add(*REMEMBERED_MS.end());
                    if until.0 < least || until.0 > most {
                        let detail = format!("place {place} remembers a request wrongly long");
                        return Err(Violation::new("replay-memory", detail));
                    }
                    &[]
                }
                _ => &[],
            };
            if secrets::holds_key(kept) {
                let detail = format!("place {place} keeps a private key");
                return Err(Violation::new("private-key", detail));
            }
        }
        Self::keeps_nobody(place, writes)?;
        self.taken_over(place, writes, nation)?;
        self.terms_written(place, now, writes)
    }

    /// A reply leaves a place.
    pub(in super::super) fn leaves(
        &mut self,
        leaving: Leaving<'_>,
        store: &dyn Reads,
        nation: &Nation,
    ) -> Result<(), Violation> {
        let Leaving { place, ticket, reply, bytes } = leaving;
        if self.lies(place) {
            self.open.remove(&(place, ticket));
            return Ok(());
        }
        let Some(open) = self.open.remove(&(place, ticket)) else {
            let detail = format!("place {place} replies to what nobody asked");
            return Err(Violation::new("answer-binding", detail));
        };
        talk::reply(open.way, open.kind, reply, bytes.len())?;
        secrets::reply(open.way, reply, bytes)?;
        let said = reply.kind().key();
        if open.blind && !matches!(said, "unavailable") && !matches!(open.duty, Duty::PassesOn(_)) {
            let detail = format!("place {place} replies {said} without a current directory");
            return Err(Violation::new("fail-closed", detail));
        }
        self.goes_on(place, &open, reply)?;
        self.act_left(place, open.way.from, reply)?;
        match reply {
            Reply::MoveReleased(release) => self.releases(place, release, store)?,
            Reply::Pool(pool) => {
                self.acts.handed(open.way.from, "codes", String::new());
                self.designates(open.way.from, pool, nation)?;
            }
            Reply::CodeTaken(taken) => self.code_taken(place, taken)?,
            _ => {}
        }
        match open.duty {
            Duty::Nothing => Ok(()),
            Duty::Decides(Some(handed)) => self.decided(place, handed, reply),
            Duty::Decides(None) => Ok(()),
            // What a hostile prefecture let out is not followed, so neither is what comes of it.
            Duty::PassesOn(_) if self.lies(1) || self.lies(2) => Ok(()),
            Duty::PassesOn(digest) => self.passed_on(place, &digest, reply),
            Duty::Shows(digest, due) => self.view_leaves(place, &digest, &due, reply, nation),
        }
    }

    /// V16: whatever is out of reach above, the counter goes on: a register is heard.
    fn goes_on(&self, place: Place, open: &Open, reply: &Reply) -> Result<(), Violation> {
        let Reply::Unavailable { reason } = reply else { return Ok(()) };
        if open.kind != "feed" || self.unsound.contains(&place) {
            return Ok(());
        }
        let detail = format!("place {place} turns its register away: {reason}");
        Err(Violation::new("fail-operational", detail))
    }

    /// V17: queues within their bounds, and never acknowledged beyond what was put in.
    pub(super) fn queues_bounded(place: Place, store: &dyn Reads) -> Result<(), Violation> {
        for (node, _) in PLACES {
            let Ok(to) = wire::NodeId::parse(node) else { continue };
            let (acknowledged, last) = store.queue_bounds(&to).map_err(unreadable)?;
            if acknowledged > last || last - acknowledged > QUEUED_COUNT_MAX {
                let detail = format!("place {place}: {acknowledged} of {last} told to {node}");
                return Err(Violation::new("limits", detail));
            }
        }
        Ok(())
    }
}

/// Whether the directory that a node holds is over, or whether it holds none.
fn has_ended(store: &dyn Reads, now: Timestamp) -> Result<bool, Violation> {
    let Some(kept) = store.directory().map_err(unreadable)? else { return Ok(true) };
    Ok(directory_ends(&kept).is_none_or(|ends| now.0 > ends))
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::ModelStore;

    const NOW: Timestamp = Timestamp(1_795_305_600_000);

    fn nobody() -> Nation {
        Nation::empty().unwrap()
    }

    fn open(kind: &'static str, blind: bool) -> Checker {
        let mut checker = Checker::default();
        let way = Way { from: 3, speaker: Speaker::Register, to: 3 };
        let way = if kind == "feed" { way } else { Way { from: 4, speaker: Speaker::Node, to: 3 } };
        checker.open.insert((3, 1), Open { way, kind, duty: Duty::Nothing, blind });
        checker
    }

    fn leaves(checker: &mut Checker, ticket: u64, reply: &Reply) -> Result<(), &'static str> {
        let store = ModelStore::new("jukinet.example/municipality-132152");
        let leaving = Leaving { place: 3, ticket, reply, bytes: b"some bytes" };
        checker.leaves(leaving, &store, &nobody()).map_err(|v| v.rule)
    }

    #[test]
    fn a_reply_to_nobody_and_one_without_a_directory_are_found() {
        let no = Reply::Unavailable { reason: "later".to_owned() };
        assert_eq!(leaves(&mut open("move-claim", false), 1, &no), Ok(()));
        assert_eq!(leaves(&mut open("move-claim", false), 2, &no), Err("answer-binding"));
        assert_eq!(leaves(&mut open("move-claim", true), 1, &no), Ok(()));
        let blind = leaves(&mut open("move-claim", true), 1, &Reply::MoveRefused);
        assert_eq!(blind, Err("fail-closed"));
    }

    #[test]
    fn a_register_that_is_turned_away_is_found_unless_the_world_broke_the_node() {
        let no = Reply::Unavailable { reason: "later".to_owned() };
        let mut checker = open("feed", false);
        assert_eq!(leaves(&mut checker.clone(), 1, &no), Err("fail-operational"));
        checker.unsound.insert(3);
        assert_eq!(leaves(&mut checker, 1, &no), Ok(()));
    }

    #[test]
    fn a_request_forgotten_too_early_or_kept_for_ever_is_found() {
        let writes = |ms| [Write::RequestSeen { request: [1; 16], until: Timestamp(NOW.0 + ms) }];
        let rule = |ms| {
            let kept = Checker::default().kept(0, (NOW, NOW), (&writes(ms), &[]), &nobody());
            kept.err().map(|v| v.rule)
        };
        assert_eq!((rule(120_000), rule(60_000)), (None, None));
        assert_eq!(
            (rule(200_000), rule(u64::MAX / 2)),
            (Some("replay-memory"), Some("replay-memory"))
        );
    }

    #[test]
    fn a_private_key_that_is_kept_or_recorded_and_a_register_at_an_agency_are_found() {
        let key = super::super::super::keys::sha256(&[b"jukilab key\n", b"the node center"]);
        let to = wire::NodeId::parse("center").unwrap();
        let writes = [Write::Enqueue { to, payload: key.to_vec() }];
        let rule = |place| {
            let kept = Checker::default().kept(place, (NOW, NOW), (&writes, &[]), &nobody());
            kept.err().map(|v| v.rule)
        };
        assert_eq!(rule(1), Some("private-key"));
        let to = wire::NodeId::parse("center").unwrap();
        let writes = [Write::Enqueue { to, payload: Vec::new() }];
        let kept = Checker::default().kept(7, (NOW, NOW), (&writes, &[]), &nobody());
        assert_eq!(kept.unwrap_err().rule, "canary");
    }

    #[test]
    fn an_ended_or_missing_directory_counts_as_none() {
        let store = ModelStore::new("jukinet.example/center");
        assert_eq!(has_ended(&store, NOW), Ok(true));
    }
}
