//! The simulated nation's fixed part: nine nodes, their organs, the operator cards, the directory,
//! and what each organ may ask by a plain reading of the appended tables.
//!
//! The reading of the tables shares the table file with `law` and no code: it is what the checkers
//! hold `law`'s decisions against.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use law::affair::{AffairId, AgencyCode, Epoch};
use law::code::{LocalGovernmentCode, PrefectureCode};
use law::inquiry::Agreement;
use law::organ::{CardClass, CardId, Organ};
use law::time::{Date, Timestamp};
use wire::directory::{DIRECTORY_VALID_MS, Directory, Member, MemberState, SignedDirectory};
use wire::{NodeId, OperatorCardRow, Role};

use super::SwarmError;
use super::keys::{CardKey, LedgerKey, card_key, node_key};

/// A node, by its place in [`PLACES`].
pub(crate) type Place = usize;

pub(crate) const CENTER: Place = 0;
/// First and last municipality.
pub(crate) const MUNICIPALITIES: [Place; 4] = [3, 4, 5, 6];
pub(crate) const PREFECTURES: [Place; 2] = [1, 2];

/// (node, organ): 東京都 with 国立市 and 三鷹市, 長野県 with 松本市 and 安曇野市, two agencies.
pub(crate) const PLACES: [(&str, &str); 9] = [
    ("center", "center"),
    ("prefecture-13", "prefecture:13"),
    ("prefecture-20", "prefecture:20"),
    ("municipality-132152", "municipality:132152"),
    ("municipality-132047", "municipality:132047"),
    ("municipality-202029", "municipality:202029"),
    ("municipality-202207", "municipality:202207"),
    ("agency-1", "agency:A074"),
    ("agency-2", "agency:A024"),
];

/// Affairs written on each card.
pub(crate) const CARD_AFFAIRS_COUNT: usize = 4;

/// The tables of the founding epoch, as the law prints them.
const AFFAIRS: &str = include_str!("../../../law/tables/affairs_2013.tsv");

/// What an operator may find in the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CardKind {
    Good,
    Revoked,
    /// Of a class that may look at the network, not at people.
    Observer,
    /// For the desk at which residents see who got what.
    Disclosure,
    /// In no directory.
    Unknown,
}

impl CardKind {
    pub(crate) const ALL: [Self; 5] =
        [Self::Good, Self::Revoked, Self::Observer, Self::Disclosure, Self::Unknown];

    pub(crate) fn name(self, place: Place) -> String {
        let kind = match self {
            Self::Good => "good",
            Self::Revoked => "revoked",
            Self::Observer => "observer",
            Self::Disclosure => "disclosure",
            Self::Unknown => "unknown",
        };
        format!("CARD-{place}-{kind}")
    }
}

/// One node's fixed data.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    pub(crate) node: NodeId,
    pub(crate) role: Role,
    pub(crate) organ: Organ,
    pub(crate) origin: String,
    pub(crate) ledger_key: LedgerKey,
    /// Affairs that the tables give this organ, those on its cards first.
    pub(crate) affairs: Vec<String>,
    /// Affairs that the tables give to somebody else under the same table.
    pub(crate) not_its_own: Vec<String>,
}

/// Everything that is the same in each world.
#[derive(Debug)]
pub(crate) struct Country {
    pub(crate) sites: Vec<Site>,
    pub(crate) directory_key: CardKey,
}

static COUNTRY: LazyLock<Option<Country>> = LazyLock::new(|| Country::new().ok());

/// The country, made once per process.
pub(crate) fn country() -> Result<&'static Country, SwarmError> {
    COUNTRY.as_ref().ok_or(SwarmError::Country)
}

impl Country {
    fn new() -> Result<Self, SwarmError> {
        let directory_key = card_key("the center's directory").ok_or(SwarmError::Country)?;
        let sites = PLACES.iter().map(|(node, organ)| site(node, organ));
        Ok(Self { sites: sites.collect::<Option<_>>().ok_or(SwarmError::Country)?, directory_key })
    }

    /// The first directory, signed. `agreed`: whether the second agency's agreement is in force, or
    /// ended yesterday; `affairs`: how many stand on each card; `isolated`: who is cut off.
    pub(crate) fn directory(
        &self,
        now: Timestamp,
        agreed: bool,
        affairs: usize,
        isolated: Option<Place>,
    ) -> Result<Vec<u8>, SwarmError> {
        let today = now.date_in_japan();
        let last = today.add_days(365).map_err(|_| SwarmError::Country)?;
        let first = today.add_days(-365).map_err(|_| SwarmError::Country)?;
        let members = self.sites.iter().enumerate().map(|(place, site)| Member {
            id: site.node.clone(),
            role: site.role,
            organ: Some(site.organ),
            pin: node_key(&site.node).map_or([0; 32], |key| token::verify::pin(&key.public())),
            address: format!("127.0.0.1:{}", 7_000 + place),
            exchange: None,
            state: match isolated {
                Some(cut_off) if cut_off == place => MemberState::Isolated,
                _ => MemberState::Active,
            },
            ledger_vkey: Some(ledger_key_text(site)),
        });
        let yesterday = today.add_days(-1).map_err(|_| SwarmError::Country)?;
        let agreements = self.sites.iter().filter_map(|site| match site.organ {
            Organ::Agency(agency) if agreed || site.node.as_str() == "agency-1" => {
                Some(Agreement { agency, from: first, to: last })
            }
            Organ::Agency(agency) => Some(Agreement { agency, from: first, to: yesterday }),
            _ => None,
        });
        let directory = Directory {
            serial: 1,
            issued_at: now,
            expires_at: Timestamp(now.0 + DIRECTORY_VALID_MS),
            members: members.collect(),
            operators: self.operators(first, last, affairs)?,
            agreements: agreements.collect(),
            epoch: Epoch::Founding,
        };
        let body = directory.encode().map_err(|_| SwarmError::Country)?;
        let signature = self.directory_key.sign(&SignedDirectory::signing_bytes(&body));
        let signature = signature.ok_or(SwarmError::Country)?;
        Ok(SignedDirectory { body, signature }.encode())
    }

    fn operators(
        &self,
        from: Date,
        to: Date,
        affairs: usize,
    ) -> Result<Vec<OperatorCardRow>, SwarmError> {
        let mut rows = Vec::new();
        for (place, site) in self.sites.iter().enumerate() {
            for kind in CardKind::ALL.into_iter().filter(|kind| *kind != CardKind::Unknown) {
                let name = kind.name(place);
                let key = card_key(&name).ok_or(SwarmError::Country)?;
                let on_card = site.affairs.iter().take(affairs);
                let on_card = on_card.filter_map(|affair| AffairId::parse(affair).ok());
                rows.push(OperatorCardRow {
                    card: CardId::parse(&name).map_err(|_| SwarmError::Country)?,
                    organ: site.organ,
                    class: match kind {
                        CardKind::Observer => CardClass::Observer,
                        CardKind::Disclosure => CardClass::Disclosure,
                        _ => CardClass::InquiryOnly,
                    },
                    public_key: key.public(),
                    affairs: on_card.collect(),
                    revoked: kind == CardKind::Revoked,
                    from,
                    to,
                });
            }
        }
        Ok(rows)
    }
}

/// Whether some row of the tables has this number.
pub(crate) fn names_affair(affair: &str) -> bool {
    static NUMBERS: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
        let rows = AFFAIRS.lines().skip(1).map(|line| line.split('\t').take(3).collect::<Vec<_>>());
        rows.map(|cells| cells.join("-")).collect()
    });
    NUMBERS.contains(affair)
}

/// The name of a card as `law` has it.
pub(crate) fn card_name_of(name: &str) -> Result<CardId, law::organ::OrganError> {
    CardId::parse(name)
}

/// Affairs that are on the card, of those that the tables give the organ.
pub(crate) fn on_card(site: &Site) -> (&[String], &[String]) {
    site.affairs.split_at(CARD_AFFAIRS_COUNT.min(site.affairs.len()))
}

fn ledger_key_text(site: &Site) -> String {
    use ledger::note::NoteSigner as _;
    site.ledger_key.verifier_key().to_string()
}

fn site(node: &str, organ: &str) -> Option<Site> {
    let organ = match organ.split_once(':') {
        None => Organ::Center,
        Some(("prefecture", code)) => Organ::Prefecture(PrefectureCode::parse(code).ok()?),
        Some(("municipality", code)) => Organ::Municipality(LocalGovernmentCode::parse(code).ok()?),
        Some((_, code)) => Organ::Agency(AgencyCode::parse(code).ok()?),
    };
    let node = NodeId::parse(node).ok()?;
    let role = match organ {
        Organ::Center => Role::Center,
        Organ::Prefecture(_) => Role::Prefecture,
        Organ::Municipality(_) => Role::Municipality,
        Organ::Agency(_) => Role::Agency,
    };
    let origin = format!("jukinet.example/{node}");
    let ledger_key = LedgerKey::named(&origin)?;
    let (affairs, not_its_own) = read_tables(&node, role);
    Some(Site { node, role, organ, origin, ledger_key, affairs, not_its_own })
}

/// The plain reading: which rows name this organ in so many words. Rows that name it by a list kept
/// elsewhere are left alone: the script asks for none of them.
fn read_tables(node: &NodeId, role: Role) -> (Vec<String>, Vec<String>) {
    let own: &[(&str, &str)] = match (role, node.as_str()) {
        (Role::Agency, "agency-1") => &[("1", "厚生労働省及び日本年金機構")],
        (Role::Agency, _) => &[("1", "総務省")],
        (Role::Prefecture, _) => &[("3", "都道府県知事"), ("5", "都道府県知事（自己利用）")],
        (Role::Municipality, _) => &[("2", "市町村長"), ("4", "市町村長")],
        _ => &[],
    };
    let others: &[(&str, &str)] = match role {
        Role::Agency => &[("1", "金融庁又は財務省")],
        Role::Prefecture => &[("3", "福島県知事"), ("3", "沖縄県知事")],
        Role::Municipality => &[("4", "広島市又は長崎市の長"), ("2", "広島市又は長崎市の長")],
        _ => &[],
    };
    let rows = |wanted: &[(&str, &str)]| {
        let mut found = Vec::new();
        for line in AFFAIRS.lines().skip(1) {
            let cells: Vec<&str> = line.split('\t').take(4).collect();
            if let [table, item, no, recipient] = cells[..]
                && wanted.contains(&(table, recipient))
            {
                found.push(format!("{table}-{item}-{no}"));
            }
        }
        found
    };
    let mut mine = rows(own);
    // Cards carry affairs of every table their organ stands in: take them in turn.
    if let [(first, _), (second, _)] = own {
        let of = |table: &str, affair: &String| affair.starts_with(&format!("{table}-"));
        let (a, b): (Vec<_>, Vec<_>) = mine.into_iter().partition(|affair| of(first, affair));
        debug_assert!(b.iter().all(|affair| of(second, affair)));
        let longer = a.len().max(b.len());
        let (mut a, mut b) = (a.into_iter(), b.into_iter());
        mine = (0..longer).flat_map(|_| [a.next(), b.next()]).flatten().collect();
    }
    (mine, rows(others))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_country_stands() {
        let country = country().unwrap();
        assert_eq!(country.sites.len(), PLACES.len());
        for site in country.sites.iter().skip(1) {
            assert!(site.affairs.len() > CARD_AFFAIRS_COUNT, "{}", site.node);
            assert!(!site.not_its_own.is_empty(), "{}", site.node);
        }
        let now = Timestamp::parse_rfc3339("2026-11-22T00:00:00Z").unwrap();
        let signed = SignedDirectory::decode(
            &country.directory(now, true, CARD_AFFAIRS_COUNT, None).unwrap(),
        )
        .unwrap();
        let key = country.directory_key.public();
        let directory = Directory::verify(&signed, key, now, token::verify::p256).unwrap();
        assert_eq!(directory.members.len(), 9);
        assert_eq!(directory.agreements.len(), 2);
        assert_eq!(directory.operators.len(), 36);
    }
}
