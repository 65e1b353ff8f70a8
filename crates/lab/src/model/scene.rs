//! What can happen in one small world besides machines, clocks and the network: who may file what
//! at which municipality, and what a municipality that cheats may say.

use law::change::{ChangeNotice, ChangeReason};
use law::code::{LocalGovernmentCode, RecordCode};
use law::people::{
    Address, BirthDate, FourItems, IdentityInformation, Kana, Name, OtherNames, Sex,
};
use law::time::{Date, Timestamp};
use wire::{FeedRow, MoveClaim, RelayedNotice, ReleaseBody, SignedRelease};

use crate::swarm::country::{PLACES, Place};
use crate::swarm::keys::node_key;

/// 国立市: where the resident stands at the start.
pub(super) const A: Place = 3;
/// 松本市, of the other prefecture.
pub(super) const B: Place = 5;
/// 三鷹市, of the first prefecture.
pub(super) const C: Place = 4;
/// 安曇野市, of the other prefecture: no machine of ours runs there, it says what it likes.
pub(super) const CHEAT: Place = 6;
/// The prefecture of the cheat.
pub(super) const CHEATS_PREFECTURE: Place = 2;

/// The day of everything but planned movings-out.
const TODAY: &str = "2026-11-22";
/// 転出の予定年月日: the move may be filed at the new address before it.
const PLANNED: &str = "2026-11-25";

/// A small world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scene {
    /// A moves to B; the moving-out may be taken back.
    Pair,
    /// The same, and somebody files the move at C as well.
    Wrong,
    /// A moves to B and comes back.
    Return,
    /// A moves to B and on to C.
    Chain,
    /// A moves to B; another municipality claims and notifies whatever helps it.
    Cheat,
}

impl Scene {
    pub const ALL: [Self; 5] = [Self::Pair, Self::Wrong, Self::Return, Self::Chain, Self::Cheat];

    /// The word for it in reports.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Pair => "pair",
            Self::Wrong => "wrong",
            Self::Return => "return",
            Self::Chain => "chain",
            Self::Cheat => "cheat",
        }
    }

    /// How many municipalities have a machine of ours.
    #[must_use]
    pub const fn municipalities_count(self) -> usize {
        self.municipalities().len()
    }

    /// Municipalities with a machine of ours.
    pub(super) const fn municipalities(self) -> &'static [Place] {
        match self {
            Self::Pair | Self::Return | Self::Cheat => &[A, B],
            Self::Wrong | Self::Chain => &[A, B, C],
        }
    }
}

/// One row that the register system of a municipality may hand in, again and again.
#[derive(Clone, Debug)]
pub(super) struct Filing {
    pub(super) at: Place,
    pub(super) what: &'static str,
    pub(super) row: FeedRow,
}

/// What the cheat may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Trick {
    /// A moving-in without any release.
    Bare,
    /// With a release that it signed itself.
    OwnKey,
    /// With the release that A signed for B.
    MeantForB,
    /// It claims the resident from A, with the right particulars.
    Claim,
    /// With the release that its claim brought.
    Brought,
}

impl Trick {
    pub(super) const ALL: [Self; 5] =
        [Self::Bare, Self::OwnKey, Self::MeantForB, Self::Claim, Self::Brought];
}

/// The municipality at a place.
pub(super) fn town(place: Place) -> Option<LocalGovernmentCode> {
    let (_, organ) = PLACES.get(place)?;
    LocalGovernmentCode::parse(organ.strip_prefix("municipality:")?).ok()
}

/// The place of a municipality.
pub(super) fn place_of(town: &LocalGovernmentCode) -> Option<Place> {
    let named =
        |(_, organ): &(&str, &str)| organ.strip_prefix("municipality:") == Some(town.as_str());
    PLACES.iter().position(named)
}

/// A place as a story names it.
pub(super) const fn name(place: Place) -> &'static str {
    match place {
        0 => "the center",
        1 => "prefecture 13",
        2 => "prefecture 20",
        A => "A",
        B => "B",
        C => "C",
        _ => "the cheat",
    }
}

/// The one resident.
pub(super) fn code() -> Option<RecordCode> {
    RecordCode::from_ten_digits(1).ok()
}

/// The resident as the municipality at `place` writes the record.
pub(super) fn record(place: Place) -> Option<IdentityInformation> {
    let address = match place {
        A => "東京都国立市東1丁目",
        B => "長野県松本市丸の内3番",
        C => "東京都三鷹市野崎1丁目",
        _ => "長野県安曇野市豊科2番",
    };
    Some(IdentityInformation {
        code: code()?,
        items: FourItems {
            name: Name::parse("住基\u{3000}花子").ok()?,
            kana: Kana::parse("ジュウキ\u{3000}ハナコ").ok()?,
            address: Address::parse(address).ok()?,
            sex: Sex::Female,
            birth: BirthDate::parse("1985-04-01").ok()?,
        },
        municipality: town(place)?,
        other_names: OtherNames::default(),
    })
}

fn notice(reason: ChangeReason, on: &str, place: Place) -> Option<ChangeNotice> {
    Some(ChangeNotice {
        reason,
        changed_on: Date::parse(on).ok()?,
        record: record(place)?,
        previous_code: None,
        foreign: false,
    })
}

fn filing(
    at: Place,
    what: &'static str,
    reason: ChangeReason,
    on: &str,
    former: Option<Place>,
) -> Option<Filing> {
    let former_municipality = former.and_then(town);
    let notice = notice(reason, on, at)?;
    Some(Filing { at, what, row: FeedRow { row: 1, sequence: None, notice, former_municipality } })
}

/// What may be filed in a scene, in any order and as often as anybody likes.
pub(super) fn filings(scene: Scene) -> Option<Vec<Filing>> {
    use ChangeReason::{EnteredExOfficio, MovedIn, MovedOut};
    let mut rows = vec![
        filing(A, "moving-out filed at A, planned for a later day", MovedOut, PLANNED, None)?,
        filing(B, "moving-in from A filed at B", MovedIn, TODAY, Some(A))?,
    ];
    let more = match scene {
        Scene::Cheat => vec![],
        Scene::Pair => vec![taken_back()?],
        Scene::Wrong => vec![
            filing(C, "moving-in from A filed at C, wrongly", MovedIn, TODAY, Some(A))?,
            taken_back()?,
        ],
        Scene::Return => vec![
            filing(B, "moving-out filed at B", MovedOut, TODAY, None)?,
            filing(A, "moving-in from B filed at A", MovedIn, TODAY, Some(B))?,
        ],
        Scene::Chain => vec![
            filing(B, "moving-out filed at B", MovedOut, TODAY, None)?,
            filing(C, "moving-in from B filed at C", MovedIn, TODAY, Some(B))?,
        ],
    };
    rows.extend(more);
    return Some(rows);

    fn taken_back() -> Option<Filing> {
        let what = "moving-out taken back at A (entered ex officio)";
        filing(A, what, EnteredExOfficio, TODAY, None)
    }
}

/// The cheat's claim on the resident.
pub(super) fn claim() -> Option<MoveClaim> {
    let record = record(A)?;
    Some(MoveClaim {
        code: record.code,
        name: record.items.name,
        birth: record.items.birth,
        from: town(A)?,
        to: town(CHEAT)?,
        moved_on: Date::parse(TODAY).ok()?,
    })
}

/// The cheat's notice, with whatever release the trick has.
pub(super) fn cheats_notice(
    trick: Trick,
    sequence: u64,
    brought: Option<&SignedRelease>,
    now: Timestamp,
) -> Option<RelayedNotice> {
    let release = match trick {
        Trick::Bare => None,
        Trick::OwnKey => Some(word(A, CHEAT, CHEAT, now)?),
        Trick::MeantForB => Some(word(A, B, A, now)?),
        Trick::Claim | Trick::Brought => Some(brought?.clone()),
    };
    let notice = notice(ChangeReason::MovedIn, TODAY, CHEAT)?;
    Some(RelayedNotice { municipality: town(CHEAT)?, sequence, notice, release })
}

/// A release of `from` to `to`, signed with the key of `signer`.
pub(super) fn word(from: Place, to: Place, signer: Place, now: Timestamp) -> Option<SignedRelease> {
    let left_on = Date::parse(PLANNED).ok()?;
    let body =
        ReleaseBody { code: code()?, from: town(from)?, to: town(to)?, left_on, released_at: now };
    let body = body.encode().ok()?;
    let (node, _) = PLACES.get(signer)?;
    let key = node_key(&wire::NodeId::parse(node).ok()?)?;
    let signature = key.sign(&SignedRelease::signing_bytes(&body))?;
    Some(SignedRelease { body, signature, public_key: key.public() })
}
