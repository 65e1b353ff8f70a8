//! A part of the country: one of `scale` of its municipalities, people, changes and inquiries, and
//! what whole numbers are made of it.

use law::code::LocalGovernmentCode;
use law::municipality::{self, MunicipalityKind};

use crate::population::RESIDENTS_COUNT_MAX;
use crate::population::tables::Tables;

/// Municipalities of the country (令和5年; wards of designated cities not counted).
pub(super) const MUNICIPALITIES_COUNT: u64 = 1_741;
/// Changes and immediate provisions of a peak day (`docs/scale.md`).
pub(super) const CHANGES_OF_A_PEAK_DAY: u64 = 400_000;
pub(super) const PROVISIONS_OF_A_PEAK_DAY: u64 = 400_000;
/// Where the municipalities of a part are taken from, in turn: Tokyo, Nagano, Fukuoka. Towns and
/// villages too; no designated city, whose wards are no node.
const PREFECTURES: [u8; 3] = [13, 20, 40];

/// A part of the country.
#[derive(Clone, Debug)]
pub(super) struct Size {
    pub(super) scale: u64,
    pub(super) municipalities: Vec<LocalGovernmentCode>,
    pub(super) residents: u64,
    pub(super) changes: u64,
    pub(super) provisions: u64,
}

impl Size {
    /// One `scale`-th of the country; two municipalities at least, or nobody could move.
    pub(super) fn of(scale: u64, residents: Option<u64>) -> Option<Self> {
        let part = |of: u64| of.div_ceil(scale.max(1));
        let count = usize::try_from((MUNICIPALITIES_COUNT / scale.max(1)).max(2)).ok()?;
        let tables = Tables::load().ok()?;
        let mut lists: Vec<std::vec::IntoIter<LocalGovernmentCode>> = PREFECTURES
            .iter()
            .map(|prefecture| {
                let codes = tables.units.iter().filter_map(|unit| {
                    let code = LocalGovernmentCode::parse(unit.code).ok()?;
                    let kind = municipality::find(&code)?.kind;
                    let apart = matches!(
                        kind,
                        MunicipalityKind::DesignatedCity | MunicipalityKind::DesignatedWard
                    );
                    (code.prefecture().number() == *prefecture && !apart).then_some(code)
                });
                codes.collect::<Vec<_>>().into_iter()
            })
            .collect();
        let mut municipalities = Vec::with_capacity(count);
        while municipalities.len() < count {
            let before = municipalities.len();
            for list in &mut lists {
                municipalities.extend(list.next().filter(|_| municipalities.len() < count));
            }
            if municipalities.len() == before {
                return None;
            }
        }
        municipalities.sort_unstable();
        Some(Self {
            scale,
            municipalities,
            residents: residents.unwrap_or_else(|| part(RESIDENTS_COUNT_MAX)),
            changes: part(CHANGES_OF_A_PEAK_DAY),
            provisions: part(PROVISIONS_OF_A_PEAK_DAY),
        })
    }

    /// Codes of the prefectures, each once.
    pub(super) fn prefectures(&self) -> Vec<String> {
        let codes = self.municipalities.iter().map(|code| code.prefecture().to_string());
        let all: std::collections::BTreeSet<String> = codes.collect();
        all.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundredth_of_the_country_has_seventeen_municipalities_in_three_prefectures() {
        let size = Size::of(100, None).unwrap();
        assert_eq!(size.municipalities.len(), 17);
        assert_eq!(size.prefectures(), ["13", "20", "40"]);
        assert_eq!((size.residents, size.changes, size.provisions), (1_261_461, 4_000, 4_000));
        assert!(size.municipalities.is_sorted_by(|one, other| one < other), "each once");
        assert_eq!(Size::of(5_000, Some(900)).unwrap().municipalities.len(), 2);
        assert!(Size::of(1, None).is_none(), "three prefectures have not so many");
    }
}
