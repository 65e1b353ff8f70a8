//! The lower side of the comparison: asks the tier above, follows what differs down to one person,
//! looks twice, and sends the signed repair.
//!
//! One call is under way at a time. What is still on its way up is no difference: a suspect counts
//! only when everything queued at the first look was acknowledged before the second, and both sides
//! still say the same. Nothing is repaired from a register with a row that does not open, from one
//! that may be an older copy, or when so many differ that somebody has to look.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use law::code::{LocalGovernmentCode, RecordCode};
use law::inquiry::Held;
use law::time::Timestamp;
use ledger::entry::EntryKind;
use token::KeyName;
use wire::limits::COMPARE_RANGES_COUNT_MAX;
use wire::{
    Compare, Compared, NodeId, RangeDigest, RepairBody, Reply, SignedRepair, Standing, Suspect,
    Suspicion,
};

use super::forest::{Forest, Side};
use super::tree::{Key, Tree};
use super::unsettled::unsettled;
use crate::machine::{CallFailure, CallId, DrawId, SignId};
use crate::member::{CALL_LOST_MS, Member};
use crate::outbox::Outbox;
use crate::ports::{Looked, Reads};

/// The key is drawn anew after so long, milliseconds: a day.
const KEY_MS_MAX: u64 = 86_400_000;
/// First comparison after the start: the directory and the queue come first.
const FIRST_ROUND_MS: u64 = 1_000;
/// Between the first and the second look, milliseconds.
const SECOND_LOOK_MS: u64 = 2_000;
/// Wait after an answer that brought nothing, milliseconds.
const RETRY_WAIT_MS: u64 = 1_000;
/// Wait after a call that failed, milliseconds.
const LOST_WAIT_MS: u64 = 5_000;
/// Suspects of one round; more than these are for people to look into.
pub(crate) const SUSPECTS_COUNT_MAX: usize = 32;
/// A difference that could not be repaired is not tried again before this time, milliseconds.
const GIVEN_UP_MS: u64 = 3_600_000;
/// Differences given up that are remembered.
const GIVEN_UP_COUNT_MAX: usize = 4_096;
/// Draws and signatures of this module are numbered from here.
const KEY_DRAW: DrawId = DrawId(1 << 34);
const FIRST_SIGN: u64 = 1 << 34;

/// What one municipality's comparison is at.
#[derive(Debug)]
enum Stage {
    Resting,
    /// These ranges are to be asked about.
    Asking {
        ranges: Vec<RangeDigest>,
        found: Vec<Suspect>,
        quiet: bool,
    },
    /// The suspects wait for the second look.
    Waiting {
        since: Timestamp,
        queued: u64,
        suspects: Vec<Suspect>,
    },
    /// The second look is under way.
    Looking {
        suspects: Vec<Suspect>,
    },
    /// These are to be repaired, one after the other.
    Repairing {
        repairs: VecDeque<RepairBody>,
    },
}

#[derive(Debug)]
struct Round {
    due: Timestamp,
    began: Timestamp,
    stage: Stage,
    /// Rounds in a row with more suspects than are followed.
    crowded: u32,
}

#[derive(Debug)]
struct UnderWay {
    call: Option<CallId>,
    sign: Option<(SignId, Vec<u8>)>,
    municipality: LocalGovernmentCode,
    until: Timestamp,
}

/// What the asking side must know of its node for one step.
pub(crate) struct Here<'a> {
    pub(crate) now: Timestamp,
    pub(crate) reads: &'a dyn Reads,
    /// The tier above.
    pub(crate) to: &'a NodeId,
    /// Whether what is held about a municipality may be told on as the truth.
    pub(crate) vouched: &'a dyn Fn(&Forest, &LocalGovernmentCode) -> bool,
}

/// The asking side at the municipality and at the prefecture.
#[derive(Debug)]
pub(crate) struct Asking {
    every_ms: u64,
    key: Option<(Key, Timestamp)>,
    drawing: bool,
    rounds: BTreeMap<LocalGovernmentCode, Round>,
    under_way: Option<UnderWay>,
    given_up: BTreeMap<(LocalGovernmentCode, u64), (Suspect, Timestamp)>,
    signs: u64,
    stopped: bool,
}

impl Asking {
    pub(crate) fn new(every_ms: u64) -> Self {
        Self {
            every_ms,
            key: None,
            drawing: false,
            rounds: BTreeMap::new(),
            under_way: None,
            given_up: BTreeMap::new(),
            signs: 0,
            stopped: false,
        }
    }

    /// The tier below agrees about this municipality now: a good time to ask above.
    pub(crate) fn nudge(&mut self, now: Timestamp, municipality: &LocalGovernmentCode) {
        let Some(round) = self.rounds.get_mut(municipality) else { return };
        if now.0 >= round.began.0.saturating_add(self.every_ms / 2) {
            round.due = round.due.min(now);
        }
    }

    /// The key is here. `false`: it was drawn for somebody else.
    pub(crate) fn drawn(
        &mut self,
        now: Timestamp,
        (draw, bytes): (DrawId, &[u8]),
        forest: &mut Forest,
    ) -> bool {
        if draw != KEY_DRAW {
            return false;
        }
        self.drawing = false;
        if let Ok(key) = Key::try_from(bytes) {
            self.key = Some((key, now));
            forest.clear(Side::Asking);
            self.rounds.clear();
            self.under_way = None;
            self.given_up.clear();
        }
        true
    }

    /// Go on with what is due.
    pub(crate) fn tick(
        &mut self,
        member: &mut Member,
        here: &Here<'_>,
        (forest, municipalities): (&mut Forest, &[LocalGovernmentCode]),
        out: &mut Outbox,
    ) {
        let now = here.now;
        let Some((key, _)) = self.key.filter(|(_, at)| now.0 < at.0.saturating_add(KEY_MS_MAX))
        else {
            if !self.drawing {
                self.drawing = true;
                out.draw(KEY_DRAW, 32);
            }
            return;
        };
        for municipality in municipalities {
            let _ = forest.tree((*municipality, Side::Asking), &key, now);
            self.rounds.entry(*municipality).or_insert_with(|| Round {
                due: now.plus_ms(FIRST_ROUND_MS),
                began: Timestamp(0),
                stage: Stage::Resting,
                crowded: 0,
            });
        }
        if self.is_damaged(member, (now, forest), out) || self.is_busy(now) {
            return;
        }
        let next = self
            .rounds
            .iter()
            .filter(|(code, round)| {
                round.due <= now && forest.filled(&(**code, Side::Asking)).is_some()
            })
            .min_by_key(|(_, round)| round.due)
            .map(|(code, _)| *code);
        if let Some(municipality) = next {
            self.go_on(member, here, (forest, municipality), out);
        }
    }

    /// A register with a row that does not open is no measure for another.
    fn is_damaged(
        &mut self,
        member: &mut Member,
        (now, forest): (Timestamp, &Forest),
        out: &mut Outbox,
    ) -> bool {
        let damaged = forest.damaged() > 0;
        if damaged && !self.stopped {
            let entry = member.entry(EntryKind::Stopped, now);
            member.note(entry.note("comparison stopped: a row of the register does not open"), out);
        }
        self.stopped = damaged;
        damaged
    }

    fn is_busy(&mut self, now: Timestamp) -> bool {
        let Some(under_way) = &self.under_way else { return false };
        if now < under_way.until {
            return true;
        }
        let municipality = under_way.municipality;
        self.under_way = None;
        self.rest(municipality, now);
        false
    }

    fn rest(&mut self, municipality: LocalGovernmentCode, now: Timestamp) {
        let every_ms = self.every_ms;
        if let Some(round) = self.rounds.get_mut(&municipality) {
            round.stage = Stage::Resting;
            round.due = round.began.plus_ms(every_ms).max(now.plus_ms(RETRY_WAIT_MS));
        }
    }

    /// Where this municipality's round goes from here.
    fn go_on(
        &mut self,
        member: &mut Member,
        here: &Here<'_>,
        (forest, municipality): (&Forest, LocalGovernmentCode),
        out: &mut Outbox,
    ) {
        let (Some((key, _)), Some(tree)) = (self.key, forest.filled(&(municipality, Side::Asking)))
        else {
            return;
        };
        let (now, every_ms) = (here.now, self.every_ms);
        let Some(round) = self.rounds.get_mut(&municipality) else { return };
        let Ok((acknowledged, queued)) = here.reads.queue_bounds(here.to) else { return };
        match &mut round.stage {
            Stage::Resting => {
                let quiet = acknowledged >= queued;
                let waited = now.0 >= round.due.0.saturating_add(every_ms);
                if quiet || waited {
                    round.began = now;
                    let ranges = vec![tree.sum(0, 0)];
                    round.stage = Stage::Asking { ranges, found: Vec::new(), quiet };
                }
            }
            Stage::Waiting { since, queued, suspects } => {
                retain_judged(suspects, tree, here.reads);
                let patience = since.0.saturating_add(3 * every_ms);
                if suspects.is_empty() || now.0 >= patience.saturating_add(every_ms) {
                    self.rest(municipality, now);
                    return;
                }
                let vouched = (here.vouched)(forest, &municipality) || now.0 >= patience;
                if acknowledged < *queued || !vouched {
                    round.due = now.plus_ms(RETRY_WAIT_MS);
                    return;
                }
                round.stage = Stage::Looking { suspects: std::mem::take(suspects) };
            }
            _ => {}
        }
        self.say(member, (now, here.to), (municipality, key, queued), out);
    }

    /// The next call of this municipality's round, or the signature under it.
    fn say(
        &mut self,
        member: &mut Member,
        (now, to): (Timestamp, &NodeId),
        (municipality, key, queued): (LocalGovernmentCode, Key, u64),
        out: &mut Outbox,
    ) {
        let Some(round) = self.rounds.get(&municipality) else { return };
        let until = now.plus_ms(CALL_LOST_MS);
        let (call, sign) = match &round.stage {
            Stage::Resting | Stage::Waiting { .. } => return,
            Stage::Asking { ranges, .. } => {
                let call = member.call_id();
                let ranges = ranges.clone();
                out.compare(call, to.clone(), Compare { municipality, key, ranges });
                (Some(call), None)
            }
            Stage::Looking { suspects } => {
                let call = member.call_id();
                let persons = suspects.clone();
                out.suspect(call, to.clone(), Suspicion { municipality, key, persons });
                (Some(call), None)
            }
            Stage::Repairing { repairs } => {
                let Some(repair) = repairs.front() else {
                    self.rest(municipality, now);
                    return;
                };
                let body = RepairBody { after: queued, repaired_at: now, ..repair.clone() };
                let Ok(body) = body.encode() else {
                    self.rest(municipality, now);
                    return;
                };
                self.signs = self.signs.saturating_add(1);
                let sign = SignId(FIRST_SIGN.saturating_add(self.signs));
                out.sign(sign, KeyName::Node, SignedRepair::signing_bytes(&body));
                (None, Some((sign, body)))
            }
        };
        self.under_way = Some(UnderWay { call, sign, municipality, until });
    }

    /// The token signed a repair. `false`: it signed something else.
    pub(crate) fn signed(
        &mut self,
        member: &mut Member,
        here: &Here<'_>,
        (sign, signature): (SignId, Option<[u8; 64]>),
        out: &mut Outbox,
    ) -> bool {
        let ours = |under_way: &&mut UnderWay| {
            under_way.sign.as_ref().is_some_and(|(waiting, _)| *waiting == sign)
        };
        let Some(under_way) = self.under_way.as_mut().filter(ours) else {
            return sign.0 > FIRST_SIGN;
        };
        let Some(((_, body), signature)) = under_way.sign.take().zip(signature) else {
            let municipality = under_way.municipality;
            self.under_way = None;
            self.rest(municipality, here.now);
            return true;
        };
        let call = member.call_id();
        under_way.call = Some(call);
        let public_key = member.identity.node_key;
        out.repair(call, here.to.clone(), SignedRepair { body, signature, public_key });
        true
    }

    pub(crate) fn owns(&self, call: CallId) -> bool {
        self.under_way.as_ref().is_some_and(|under_way| under_way.call == Some(call))
    }

    /// The tier above answered, or did not.
    pub(crate) fn replied(
        &mut self,
        member: &mut Member,
        (here, forest): (&Here<'_>, &Forest),
        outcome: Result<Reply, CallFailure>,
        out: &mut Outbox,
    ) {
        let Some(UnderWay { municipality, .. }) = self.under_way.take() else { return };
        let Some(round) = self.rounds.get_mut(&municipality) else { return };
        let stage = std::mem::replace(&mut round.stage, Stage::Resting);
        match (stage, outcome) {
            (Stage::Asking { found, quiet, .. }, Ok(Reply::Compared(told))) => {
                self.followed(member, here, (forest, municipality), (&told, found, quiet), out);
            }
            (Stage::Looking { suspects }, Ok(Reply::Suspected(standings))) => {
                self.confirmed(member, here, (forest, municipality), (&suspects, &standings), out);
            }
            (Stage::Repairing { mut repairs }, Ok(Reply::Repaired { applied })) => {
                if let Some(repair) = repairs.pop_front() {
                    self.repaired(member, (here, forest), &repair, applied, out);
                }
                self.set(municipality, Stage::Repairing { repairs }, here.now);
            }
            // Not now: what was found is looked for again, from the beginning.
            (_, Ok(Reply::Unavailable { .. })) => {
                self.set(municipality, Stage::Resting, here.now.plus_ms(RETRY_WAIT_MS));
            }
            _ => self.set(municipality, Stage::Resting, here.now.plus_ms(LOST_WAIT_MS)),
        }
        if !self.is_busy(here.now) {
            let due = self.rounds.get(&municipality).is_some_and(|round| round.due <= here.now);
            if due {
                self.go_on(member, here, (forest, municipality), out);
            }
        }
    }

    fn set(&mut self, municipality: LocalGovernmentCode, stage: Stage, due: Timestamp) {
        if let Some(round) = self.rounds.get_mut(&municipality) {
            round.stage = stage;
            round.due = due;
        }
    }

    /// One level further down.
    fn followed(
        &mut self,
        member: &mut Member,
        here: &Here<'_>,
        (forest, municipality): (&Forest, LocalGovernmentCode),
        (told, mut found, quiet): (&Compared, Vec<Suspect>, bool),
        out: &mut Outbox,
    ) {
        let now = here.now;
        let Some(tree) = forest.filled(&(municipality, Side::Asking)) else {
            self.rest(municipality, now);
            return;
        };
        for range in &told.persons {
            let given_up = |suspect: &Suspect| {
                let known = self.given_up.get(&(municipality, suspect.place));
                known.is_some_and(|(was, until)| was == suspect && now < *until)
            };
            found.extend(suspects(tree, range).into_iter().filter(|found| !given_up(found)));
        }
        let ranges = differing(tree, &told.parts);
        if ranges.len() > COMPARE_RANGES_COUNT_MAX || found.len() > SUSPECTS_COUNT_MAX {
            self.crowded(member, now, municipality, quiet, out);
        } else if !ranges.is_empty() {
            self.set(municipality, Stage::Asking { ranges, found, quiet }, now);
        } else if found.is_empty() {
            if let Some(round) = self.rounds.get_mut(&municipality) {
                round.crowded = 0;
            }
            self.rest(municipality, now);
        } else {
            let Ok((_, queued)) = here.reads.queue_bounds(here.to) else {
                self.rest(municipality, now);
                return;
            };
            let stage = Stage::Waiting { since: now, queued, suspects: found };
            self.set(municipality, stage, now.plus_ms(SECOND_LOOK_MS));
        }
    }

    /// More differences than one after the other can explain. Said once, when it is not only what
    /// is on its way.
    fn crowded(
        &mut self,
        member: &mut Member,
        now: Timestamp,
        municipality: LocalGovernmentCode,
        quiet: bool,
        out: &mut Outbox,
    ) {
        if let Some(round) = self.rounds.get_mut(&municipality).filter(|_| quiet) {
            round.crowded = round.crowded.saturating_add(1);
            if round.crowded == 2 {
                let entry = member.entry(EntryKind::Stopped, now);
                let remark = format!(
                    "nothing is repaired in {municipality}: more than {SUSPECTS_COUNT_MAX} \
                     residents differ; somebody has to look"
                );
                member.note(entry.note(remark), out);
            }
        }
        self.rest(municipality, now);
    }

    /// Two looks, the same difference on both sides: it is one.
    fn confirmed(
        &mut self,
        member: &mut Member,
        here: &Here<'_>,
        (forest, municipality): (&Forest, LocalGovernmentCode),
        (suspects, standings): (&[Suspect], &[Standing]),
        out: &mut Outbox,
    ) {
        let (Some(tree), Some((key, _))) = (forest.filled(&(municipality, Side::Asking)), self.key)
        else {
            self.rest(municipality, here.now);
            return;
        };
        if !(here.vouched)(forest, &municipality) {
            // Withheld above; what stands here is not known to be right.
            self.rest(municipality, here.now);
            return;
        }
        let mut repairs = VecDeque::new();
        for suspect in suspects {
            let Some(standing) = standings.iter().find(|s| s.place == suspect.place) else {
                continue;
            };
            let now_own = tree.digest_at(suspect.place);
            if standing.digest != suspect.other || now_own != suspect.own {
                continue;
            }
            let code = tree.code_at(suspect.place).or(standing.code);
            let code = code.filter(|code| tree.place(code) == suspect.place);
            let Some(code) = code else { continue };
            let Ok(state) = own_state(&code, municipality, here.reads) else {
                continue;
            };
            let reason = match (suspect.own, suspect.other) {
                (Some(_), Some(_)) => "altered",
                (_, None) => "missing",
                (None, Some(_)) => "surplus",
            };
            let entry = member.entry(EntryKind::Diverged, here.now).terminal(here.to.as_str());
            let id = member.entry_id();
            let leaf = out.leaf(entry.rule(reason), Some(code));
            out.record(id, leaf);
            repairs.push_back(RepairBody {
                municipality,
                code,
                key,
                seen: suspect.other,
                state,
                reason: reason.to_owned(),
                after: 0,
                repaired_at: here.now,
            });
        }
        if repairs.is_empty() {
            self.rest(municipality, here.now);
        } else {
            self.set(municipality, Stage::Repairing { repairs }, here.now);
        }
    }

    fn repaired(
        &mut self,
        member: &mut Member,
        (here, forest): (&Here<'_>, &Forest),
        repair: &RepairBody,
        applied: bool,
        out: &mut Outbox,
    ) {
        let entry = member.entry(EntryKind::Repaired, here.now).terminal(here.to.as_str());
        if applied {
            let id = member.entry_id();
            let leaf = out.leaf(entry.rule(repair.reason.clone()), Some(repair.code));
            out.record(id, leaf);
            return;
        }
        let Some(tree) = forest.filled(&(repair.municipality, Side::Asking)) else { return };
        let place = tree.place(&repair.code);
        let suspect = Suspect { place, own: tree.digest_at(place), other: repair.seen };
        self.given_up.retain(|_, (_, until)| here.now < *until);
        if self.given_up.len() < GIVEN_UP_COUNT_MAX {
            let until = here.now.plus_ms(GIVEN_UP_MS);
            self.given_up.insert((repair.municipality, place), (suspect, until));
        }
    }
}

/// How the person stands here, as the tier above is to hold it; none: not a resident of this
/// municipality here.
fn own_state(
    code: &RecordCode,
    municipality: LocalGovernmentCode,
    reads: &dyn Reads,
) -> Looked<Option<Held>> {
    let held = reads.resident(code)?;
    Ok(held.filter(|held| held.identity.municipality == municipality))
}

/// Who is still under suspicion here: unchanged since the first look, and no notice waits.
fn retain_judged(suspects: &mut Vec<Suspect>, tree: &Tree, reads: &dyn Reads) {
    let Ok(unsettled) = unsettled(reads) else {
        suspects.clear();
        return;
    };
    let unsettled: BTreeSet<u64> = unsettled.iter().map(|code| tree.place(code)).collect();
    suspects.retain(|suspect| {
        tree.digest_at(suspect.place) == suspect.own && !unsettled.contains(&suspect.place)
    });
}

/// Persons of one range about whom the two sides say different things.
fn suspects(tree: &Tree, range: &wire::RangePersons) -> Vec<Suspect> {
    let theirs: BTreeMap<u64, u64> =
        range.persons.iter().map(|person| (person.place, person.digest)).collect();
    let ours: BTreeMap<u64, u64> = tree
        .persons(range.depth, range.prefix)
        .into_iter()
        .map(|person| (person.place, person.digest))
        .collect();
    let places = ours.keys().chain(theirs.keys().filter(|place| !ours.contains_key(place)));
    places
        .map(|place| Suspect {
            place: *place,
            own: ours.get(place).copied(),
            other: theirs.get(place).copied(),
        })
        .filter(|suspect| suspect.own != suspect.other)
        .collect()
}

/// The parts to go on with: those that differ, and those with nobody in them above.
fn differing(tree: &Tree, parts: &[RangeDigest]) -> Vec<RangeDigest> {
    let told: BTreeMap<(u8, u64), RangeDigest> =
        parts.iter().map(|part| ((part.depth, part.prefix), *part)).collect();
    let parents: BTreeSet<(u8, u64)> = parts
        .iter()
        .filter_map(|part| {
            let depth = part.depth.checked_sub(1)?;
            Some((depth, super::tree::prefix(part.prefix, depth)))
        })
        .collect();
    let ours = parents.iter().flat_map(|(depth, prefix)| tree.parts(*depth, *prefix));
    let unequal = |ours: &RangeDigest| told.get(&(ours.depth, ours.prefix)) != Some(ours);
    let mut ranges: Vec<RangeDigest> = ours.filter(unequal).collect();
    // Somebody above where nobody is here.
    let empty = |part: &&RangeDigest| tree.sum(part.depth, part.prefix).count == 0;
    let nobody = |part: &RangeDigest| RangeDigest { count: 0, digest: 0, ..*part };
    ranges.extend(parts.iter().filter(empty).map(nobody));
    ranges
}
