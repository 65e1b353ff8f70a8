//! Addresses: prefecture, municipality, town, block and number as one string.
//!
//! Every address ends in 号 and holds no other 号, so that no whole address is the beginning of
//! another one: "name and whole address" then means one place.

use std::fmt::Write as _;

use super::tables::Unit;
use crate::draw::Draw;

const CHOME: [&str; 5] = ["一丁目", "二丁目", "三丁目", "四丁目", "五丁目"];

/// Blocks of dwellings; facilities stand beyond them, so that each has its address for itself.
const BLOCKS_COUNT: u32 = 40;
const FACILITY_BLOCK_FIRST: u32 = 61;
const FACILITY_BLOCKS_COUNT: u32 = 39;

/// Where somebody lives within a unit, in eight bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Dwelling {
    /// Place in the unit's list of towns.
    town: u8,
    /// 0 where the town has none.
    chome: u8,
    block: u8,
    house: u16,
    /// 0 where it is a house.
    room: u16,
}

impl Dwelling {
    /// A dwelling; a flat carries its room after the number of the house.
    pub(crate) fn draw(unit: &Unit, flat: bool, draw: &mut Draw) -> Self {
        let mut dwelling = Self::in_town(unit, draw);
        dwelling.block = small(1 + draw.below(BLOCKS_COUNT));
        dwelling.house = u16::from(small(1 + draw.below(24)));
        if flat {
            let room = (1 + draw.below(6)) * 100 + 1 + draw.below(8);
            dwelling.room = u16::try_from(room).unwrap_or(u16::MAX);
        }
        dwelling
    }

    /// The `nth` facility of a unit: no other dwelling has its address.
    pub(crate) fn facility(unit: &Unit, nth: u32, draw: &mut Draw) -> Self {
        let mut dwelling = Self::in_town(unit, draw);
        dwelling.block = small(FACILITY_BLOCK_FIRST + nth % FACILITY_BLOCKS_COUNT);
        dwelling.house = u16::try_from(1 + nth / FACILITY_BLOCKS_COUNT).unwrap_or(u16::MAX);
        dwelling
    }

    fn in_town(unit: &Unit, draw: &mut Draw) -> Self {
        let towns = u32::try_from(unit.towns.len()).unwrap_or(u32::MAX);
        let town = small(draw.below(towns));
        let divided = unit.towns.get(usize::from(town)).is_some_and(|town| town.chome);
        let chome = if divided { small(1 + draw.below(5)) } else { 0 };
        Self { town, chome, ..Self::default() }
    }

    /// Place in the unit's list of towns.
    pub(crate) const fn town(&self) -> u8 {
        self.town
    }

    /// Writes the address.
    pub(crate) fn write(&self, unit: &Unit, out: &mut String) {
        out.clear();
        out.push_str(&unit.place);
        if let Some(town) = unit.towns.get(usize::from(self.town)) {
            out.push_str(town.name);
        }
        let chome = usize::from(self.chome).checked_sub(1).and_then(|nth| CHOME.get(nth));
        out.push_str(chome.copied().unwrap_or_default());
        let Self { block, house, room, .. } = self;
        let written = if *room > 0 {
            write!(out, "{block}番{house}-{room}号")
        } else {
            write!(out, "{block}番{house}号")
        };
        // Writing to a String cannot fail.
        written.unwrap_or(());
    }
}

fn small(number: u32) -> u8 {
    u8::try_from(number).unwrap_or(u8::MAX)
}
