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

/// Writes the address of a dwelling; a flat carries its room after the number of the house.
pub(crate) fn dwelling(unit: &Unit, flat: bool, draw: &mut Draw, out: &mut String) {
    begin(unit, draw, out);
    let (block, house) = (1 + draw.below(BLOCKS_COUNT), 1 + draw.below(24));
    let written = if flat {
        let room = (1 + draw.below(6)) * 100 + 1 + draw.below(8);
        write!(out, "{block}番{house}-{room}号")
    } else {
        write!(out, "{block}番{house}号")
    };
    // Writing to a String cannot fail.
    written.unwrap_or(());
}

/// Writes the address of the `nth` facility of a unit: no other dwelling has it.
pub(crate) fn facility(unit: &Unit, nth: u32, draw: &mut Draw, out: &mut String) {
    begin(unit, draw, out);
    let block = FACILITY_BLOCK_FIRST + nth % FACILITY_BLOCKS_COUNT;
    let house = 1 + nth / FACILITY_BLOCKS_COUNT;
    write!(out, "{block}番{house}号").unwrap_or(());
}

fn begin(unit: &Unit, draw: &mut Draw, out: &mut String) {
    out.clear();
    out.push_str(&unit.place);
    if let Some(town) = draw.pick(&unit.towns) {
        out.push_str(town.name);
        if town.chome {
            out.push_str(draw.pick(&CHOME).copied().unwrap_or("一丁目"));
        }
    }
}
