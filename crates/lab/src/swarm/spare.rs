//! Synthetic residents who may be put into a nation, by municipality. Not the residents themselves
//! (`nation`), nor how they are invented (`population`).

use std::collections::BTreeMap;
use std::sync::LazyLock;

use law::code::RecordCode;
use law::people::{Address, BirthDate, FourItems, Kana, Name, Sex};

use super::SwarmError;
use super::country::{MUNICIPALITIES, Place};
use super::nation::municipality;
use crate::population;

/// Somebody who may be put into a nation.
pub(super) struct Spare {
    pub(super) code: RecordCode,
    pub(super) items: FourItems,
}

/// Spare residents by municipality, made once per process.
static POOL: LazyLock<Option<BTreeMap<Place, Vec<Spare>>>> = LazyLock::new(|| pool().ok());

fn pool() -> Result<BTreeMap<Place, Vec<Spare>>, SwarmError> {
    let codes = MUNICIPALITIES.map(|place| municipality(place).map(|code| code.to_string()));
    let options = population::Options {
        residents: 800,
        seed: 1,
        municipalities: codes.into_iter().collect::<Option<_>>().ok_or(SwarmError::Country)?,
    };
    let mut csv = Vec::new();
    population::generate(&options, &mut csv, &mut |_| ())?;
    let mut pool: BTreeMap<Place, Vec<Spare>> = BTreeMap::new();
    for row in csv::Reader::from_reader(csv.as_slice()).records() {
        let row = row.map_err(|_| SwarmError::Country)?;
        let spare = spare(&row).ok_or(SwarmError::Country)?;
        let place = MUNICIPALITIES.into_iter().find(|place| {
            municipality(*place).is_some_and(|code| row.get(7) == Some(code.as_str()))
        });
        pool.entry(place.ok_or(SwarmError::Country)?).or_default().push(spare);
    }
    Ok(pool)
}

fn spare(row: &csv::StringRecord) -> Option<Spare> {
    let cell = |index: usize| row.get(index).unwrap_or("");
    let items = FourItems {
        name: Name::parse(&format!("{}\u{3000}{}", cell(1), cell(2))).ok()?,
        kana: Kana::parse(&format!("{}\u{3000}{}", cell(3), cell(4))).ok()?,
        address: Address::parse(cell(8)).ok()?,
        sex: Sex::from_code(cell(5).parse().ok()?).ok()?,
        birth: BirthDate::parse(cell(6)).ok()?,
    };
    Some(Spare { code: RecordCode::parse(cell(0)).ok()?, items })
}

/// Those of one municipality.
pub(super) fn spares(place: Place) -> &'static [Spare] {
    POOL.as_ref().and_then(|pool| pool.get(&place)).map_or(&[], Vec::as_slice)
}
