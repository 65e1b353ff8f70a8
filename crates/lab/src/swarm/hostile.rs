//! A node that is somebody else's: it has its place's key and sessions, and says whatever can be
//! said, signed by that key, at any time.
//!
//! What must hold for everybody else: it is told nothing about anyone, and nothing of what it says
//! enters anywhere beyond its own residents. Nobody moves into its area or out of it in such a
//! world; what happens to its own residents is not judged.

use law::change::{ChangeNotice, ChangeReason};
use law::people::BirthDate;
use law::time::Timestamp;
use node::ports::{Counter, Store as _};
use wire::compare::{Suspect, Suspicion};
use wire::directory::SignedDirectory;
use wire::{
    DisclosureBatch, DisclosureRow, FeedBatch, FeedRow, Heartbeat, InquiryBody, MoveClaim,
    NoticeBatch, RelayedNotice, ReleaseBody, Reply, ReplyKind, Request, SignedQuery, SignedRelease,
};

use super::check::Violation;
use super::country::{CENTER, MUNICIPALITIES, PREFECTURES, Place};
use super::keys::node_key;
use super::nation::{Nation, Wrong, municipality};
use super::station::Caller;
use super::world::{Event, START, World};

/// The incarnation of a hostile node's own calls: no machine ever gets so far.
const HOSTILE_INCARNATION: u32 = u32::MAX;

/// What a hostile node may be told: that something arrived, that it is refused, what all members
/// know.
const TOLD: [ReplyKind; 7] = [
    ReplyKind::Unavailable,
    ReplyKind::Refusal,
    ReplyKind::NoticeAck,
    ReplyKind::HeartbeatAck,
    ReplyKind::Directory,
    ReplyKind::DirectoryAck,
    ReplyKind::MoveRefused,
];

/// What enters with an attack on the register.
const REASONS: [ChangeReason; 5] = [
    ChangeReason::MovedIn,
    ChangeReason::MovedOut,
    ChangeReason::Died,
    ChangeReason::CorrectedExOfficio,
    ChangeReason::EnteredExOfficio,
];

impl World {
    /// The hostile node says something.
    pub(super) fn attack(&mut self) -> Result<(), Violation> {
        let (Some(place), true) = (self.faults.hostile, self.storm) else { return Ok(()) };
        let pause = u64::from(100 + self.draws.hostile.below(1_500));
        let pause = self.pace(pause);
        self.at(pause, Event::Attack);
        let others = u32::try_from(self.stations.len()).unwrap_or(1);
        let to = usize::try_from(self.draws.hostile.below(others)).unwrap_or(CENTER);
        if to == place {
            return Ok(());
        }
        let Some((to, request)) = self.attack_of(place, to) else { return Ok(()) };
        let kind = request.kind();
        self.trace.line(self.now_ms, format_args!("hostile place {place} to place {to}: {kind}"));
        let call = self.number();
        let caller = Caller::Node { place, incarnation: HOSTILE_INCARNATION, call };
        // Not by `send`: the exchange refuses what the table does not have. The nodes must, too.
        let body = wire::frame::FrameBody::Request(request);
        if let (wire::frame::FrameBody::Request(request), _) = super::network::carried(body)? {
            self.at(5, Event::Request { to, caller, request });
        }
        Ok(())
    }

    fn attack_of(&mut self, place: Place, to: Place) -> Option<(Place, Request)> {
        let request = match self.draws.hostile.below(10) {
            0..3 => return self.false_notices(place),
            3 => self.false_claim(place, to)?,
            4 => self.false_directory(place)?,
            5 => Request::Heartbeat(Heartbeat {
                software: "jukilab".to_owned(),
                queued: u64::MAX >> 1,
                residents: self.draws.hostile.long() >> 1,
                entries: u64::MAX >> 1,
            }),
            6 => self.recorded()?,
            7 => self.suspicion()?,
            8 => Request::Disclosures(DisclosureBatch {
                first_sequence: 1,
                rows: vec![self.false_disclosure()?],
            }),
            _ => self.false_feed()?,
        };
        Some((to, request))
    }

    /// Somebody who never had anything to do with the hostile place.
    fn victim(&mut self) -> Option<(usize, Place, law::people::IdentityInformation)> {
        let count = u32::try_from(self.nation.persons.len()).unwrap_or(u32::MAX);
        for _ in 0..8 {
            let who = usize::try_from(self.draws.hostile.below(count)).unwrap_or(0);
            let person = self.nation.persons.get(who)?;
            // Of whom everything is known everywhere: a stranger's entry is any mayor's to make.
            let known = MUNICIPALITIES
                .into_iter()
                .filter(|place| Some(*place) != person.home)
                .all(|place| self.checker.settled(&self.nation, who, place));
            if let (Some(home), false, true) = (person.home, self.nation.is_shunned(who), known) {
                return Some((who, home, person.record.clone()));
            }
        }
        None
    }

    /// Notices about residents of others, the next ones in the queue of the hostile place.
    fn false_notices(&mut self, place: Place) -> Option<(Place, Request)> {
        let to = match place {
            1 | 2 => CENTER,
            3 | 4 => 1,
            5 | 6 => 2,
            _ => self.draws.hostile.pick(&[CENTER, 1, 2]).copied()?,
        };
        let from = self.country.sites.get(place)?.node.clone();
        let store = self.stations.get(to)?.store.reads();
        let first_sequence = store.counter(&Counter::AppliedFrom(from)).ok()? + 1;
        let mut notices = Vec::new();
        for sequence in first_sequence..first_sequence + 1 + u64::from(self.draws.hostile.below(3))
        {
            notices.push(self.false_notice(place, sequence)?);
        }
        Some((to, Request::Notices(NoticeBatch { first_sequence, notices })))
    }

    fn false_notice(&mut self, place: Place, sequence: u64) -> Option<RelayedNotice> {
        let (who, home, mut record) = self.victim()?;
        self.nation.intrude(who, home, place);
        let draw = &mut self.draws.hostile;
        let own: Vec<Place> = match place {
            1 => vec![3, 4],
            2 => vec![5, 6],
            3..=6 => vec![place],
            _ => MUNICIPALITIES.to_vec(),
        };
        let own = municipality(*draw.pick(&own)?)?;
        let reason = *draw.pick(&REASONS)?;
        let mut speaks_for = own;
        match draw.below(3) {
            0 => {
                // As if the municipality of the victim had said it.
                speaks_for = municipality(home)?;
            }
            1 => record.municipality = own,
            _ => {
                record.municipality = own;
                record.items.birth = BirthDate::parse("1901-01-01").ok()?;
            }
        }
        let moved = reason == ChangeReason::MovedIn && draw.permille(700);
        let changed_on = Timestamp(START.0 + self.now_ms).date_in_japan();
        let code = record.code;
        let notice =
            ChangeNotice { reason, changed_on, record, previous_code: None, foreign: false };
        let release = if moved { self.own_release(place, code, home, own) } else { None };
        Some(RelayedNotice { municipality: speaks_for, sequence, notice, release })
    }

    /// A release of somebody else's resident, signed by the only key the hostile node has.
    fn own_release(
        &self,
        place: Place,
        code: law::code::RecordCode,
        home: Place,
        to: law::code::LocalGovernmentCode,
    ) -> Option<SignedRelease> {
        let released_at = Timestamp(START.0 + self.now_ms);
        let left_on = released_at.date_in_japan();
        let body = ReleaseBody { code, from: municipality(home)?, to, left_on, released_at };
        let body = body.encode().ok()?;
        let key = node_key(&self.country.sites.get(place)?.node)?;
        let signature = key.sign(&SignedRelease::signing_bytes(&body))?;
        Some(SignedRelease { body, signature, public_key: key.public() })
    }

    /// A moving-in of somebody about whom the hostile place knows the code only.
    fn false_claim(&mut self, place: Place, to: Place) -> Option<Request> {
        let (_, _, record) = self.victim()?;
        let claims = municipality(place).or_else(|| municipality(3))?;
        Some(Request::MoveClaim(MoveClaim {
            code: record.code,
            name: record.items.name,
            birth: BirthDate::parse("1901-01-01").ok()?,
            from: municipality(to).or_else(|| municipality(4))?,
            to: claims,
            moved_on: Timestamp(START.0 + self.now_ms).date_in_japan(),
        }))
    }

    /// The directory of the day with a high serial, signed by the hostile node's own key.
    fn false_directory(&mut self, place: Place) -> Option<Request> {
        let key = node_key(&self.country.sites.get(place)?.node)?;
        let now = Timestamp(START.0 + self.now_ms);
        let genuine = self.country.directory(now, true, 8, None).ok()?;
        let body = SignedDirectory::decode(&genuine).ok()?.body;
        let signature = key.sign(&SignedDirectory::signing_bytes(&body))?;
        Some(Request::DirectoryPush(SignedDirectory { body, signature }.encode()))
    }

    /// What was recorded at some terminal, under a number of its own: no card signed that.
    fn recorded(&mut self) -> Option<Request> {
        let (_, message) = self.draws.hostile.pick(&self.overheard)?.clone();
        let Request::Inquiry(mut signed) = message else { return None };
        let mut body = InquiryBody::decode(&signed.body).ok()?;
        self.draws.hostile.fill(&mut body.request);
        if self.draws.hostile.permille(300) {
            let (body, signature) = (body.encode(), signed.signature);
            return Some(Request::ViewQuery(SignedQuery { body, signature }));
        }
        signed.body = body.encode();
        Some(Request::Inquiry(signed))
    }

    fn suspicion(&mut self) -> Option<Request> {
        let (_, home, _) = self.victim()?;
        let mut key = [0; 32];
        self.draws.hostile.fill(&mut key);
        let suspect = Suspect { place: self.draws.hostile.long(), own: None, other: None };
        let municipality = municipality(home)?;
        Some(Request::Suspicion(Suspicion { municipality, key, persons: vec![suspect] }))
    }

    fn false_disclosure(&mut self) -> Option<DisclosureRow> {
        let (_, _, record) = self.victim()?;
        let entry = b"jukinet/1 entry\nkind provision\n".to_vec();
        let (salt, proof) = ([7; 32], "c2sp.org/tlog-proof@v1\n".to_owned());
        Some(DisclosureRow { sequence: 1, subject: record.code, entry, salt, proof })
    }

    fn false_feed(&mut self) -> Option<Request> {
        let (_, home, record) = self.victim()?;
        let changed_on = Timestamp(START.0 + self.now_ms).date_in_japan();
        let (reason, previous_code) = (ChangeReason::Died, None);
        let notice = ChangeNotice { reason, changed_on, record, previous_code, foreign: false };
        let former_municipality = municipality(home);
        let row = FeedRow { row: 1, sequence: None, notice, former_municipality };
        Some(Request::Feed(FeedBatch { rows: vec![row] }))
    }

    /// At rest: nobody took up a directory that the center did not sign.
    pub(super) fn directories_are_the_centers(&self) -> Result<(), Violation> {
        let key = self.country.directory_key.public();
        for (place, station) in self.stations.iter().enumerate() {
            let kept = station.store.reads().directory().ok().flatten().unwrap_or_default();
            let genuine = SignedDirectory::decode(&kept).is_ok_and(|signed| {
                let message = SignedDirectory::signing_bytes(&signed.body);
                token::verify::p256(&key, &message, &signed.signature)
            });
            if !genuine {
                let detail = format!("place {place} keeps a directory that is not the center's");
                return Err(Violation::new("directory", detail));
            }
        }
        Ok(())
    }
}

impl Nation {
    /// Whether this person is of a hostile node's area.
    pub(super) fn is_shunned(&self, who: usize) -> bool {
        let first = self.persons.get(who).and_then(|person| person.deeds.first());
        let place = first.and_then(|nth| self.deeds.get(*nth)).map(|deed| deed.place);
        place.is_some_and(|place| self.shunned.contains(&place))
    }

    /// Whether this move would lead into such an area or out of it.
    pub(super) fn crosses(&self, who: usize, to: Place) -> bool {
        self.is_shunned(who) != self.shunned.contains(&to)
    }

    /// A hostile place is about to speak of this person, who lives at `home`.
    fn intrude(&mut self, who: usize, home: Place, hostile: Place) {
        let above = |place: Place| if place > 4 { 2 } else { 1 };
        if MUNICIPALITIES.contains(&hostile) && above(home) != above(hostile) {
            self.intruded.insert((who, above(hostile)));
            if let Some(person) = self.persons.get_mut(who) {
                person.frozen = true;
            }
        }
    }

    /// Whether a filing that is not true lies at this place under this code.
    pub(super) fn lies_wrong(&self, place: Place, code: &law::code::RecordCode) -> bool {
        let here = |wrong: &&Wrong| wrong.place == place && !wrong.is_entry();
        self.wrong.iter().filter(here).any(|wrong| wrong.row.notice.record.code == *code)
    }

    /// Whether this place entered this person on its own word.
    pub(super) fn entered_wrongly(&self, who: usize, place: Place) -> bool {
        self.wrong.iter().any(|wrong| (wrong.who, wrong.place) == (who, place) && wrong.is_entry())
    }

    /// Whether what this place holds about this person is a hostile node's own affair.
    pub(super) fn is_beyond(&self, who: usize, place: Place) -> bool {
        self.is_shunned(who) || self.intruded.contains(&(who, place))
    }
}

/// A reply to the hostile node leaves an honest one.
pub(super) fn told_to_hostile(place: Place, reply: &Reply) -> Result<(), Violation> {
    if TOLD.contains(&reply.kind()) {
        return Ok(());
    }
    let kind = reply.kind();
    let detail = format!("place {place} says {kind} to a node that had no right to it");
    Err(Violation::new("hostile-learns", detail))
}

/// Whether this call is of the hostile node itself, not of the machine at its place.
pub(super) fn is_hostile(caller: Caller) -> bool {
    matches!(caller, Caller::Node { incarnation: HOSTILE_INCARNATION, .. })
}

/// The municipalities whose residents a hostile place may lawfully speak of.
pub(super) fn area_of(place: Place) -> Vec<Place> {
    match place {
        1 => vec![3, 4],
        2 => vec![5, 6],
        3..=6 => vec![place],
        _ => Vec::new(),
    }
}

/// Where what it says is kept or set aside: itself, and the tiers above it.
pub(super) fn touched_by(place: Place) -> Vec<Place> {
    match place {
        3 | 4 => vec![place, 1, CENTER],
        5 | 6 => vec![place, 2, CENTER],
        place if PREFECTURES.contains(&place) => vec![place, CENTER],
        _ => vec![place],
    }
}
