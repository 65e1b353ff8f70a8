//! How many residents each municipality, sex and age class gets: whole persons, no floats.
//!
//! Municipalities by largest remainder of their census population; within them, cells by largest
//! remainder with the rounding carried on to the next municipality, so that the national margins
//! by sex and age keep as close to the census as those by municipality.

use super::tables::{CELLS_COUNT, Unit};

/// Fixed-point scale of the carried parts of persons.
const SCALE: i64 = 1 << 20;

/// Residents in a file from which one municipality must be able to house a dormitory
/// (`facility::DORMITORY_PERSONS_MIN` foreign residents at one address).
pub const DORMITORY_FROM_RESIDENTS: u64 = 10_000;

/// The dormitory's municipality gets at least this many residents, even where its share of a thin
/// national sample would be smaller: about a quarter of them are of the age that lives there.
pub const DORMITORY_HOST_RESIDENTS_MIN: u64 = 1_000;

/// Residents of each unit; the sum is `residents`. The second value is the dormitory's host.
#[must_use]
pub fn by_unit(units: &[&Unit], residents: u64) -> (Vec<u64>, Option<usize>) {
    let all: Vec<u64> = units.iter().map(|unit| unit.persons()).collect();
    let mut counts = largest_remainder(&all, residents);
    if residents < DORMITORY_FROM_RESIDENTS {
        return (counts, None);
    }
    let largest = counts.iter().copied().max().unwrap_or(0);
    let host = counts.iter().position(|count| *count == largest);
    if let Some(host) = host.filter(|_| largest < DORMITORY_HOST_RESIDENTS_MIN) {
        let mut others = all;
        if let Some(own) = others.get_mut(host) {
            *own = 0;
        }
        counts = largest_remainder(&others, residents - DORMITORY_HOST_RESIDENTS_MIN);
        if let Some(count) = counts.get_mut(host) {
            *count = DORMITORY_HOST_RESIDENTS_MIN;
        }
    }
    (counts, host)
}

/// Whole shares of `seats` in proportion to `weights`; ties go to the earlier weight.
fn largest_remainder(weights: &[u64], seats: u64) -> Vec<u64> {
    let total: u64 = weights.iter().sum::<u64>().max(1);
    let mut shares = Vec::with_capacity(weights.len());
    let mut rests = Vec::with_capacity(weights.len());
    let mut given = 0;
    for (index, weight) in weights.iter().enumerate() {
        let exact = u128::from(*weight) * u128::from(seats);
        let share = u64::try_from(exact / u128::from(total)).unwrap_or(0);
        shares.push(share);
        rests.push((std::cmp::Reverse(exact % u128::from(total)), index));
        given += share;
    }
    rests.sort_unstable();
    let left = usize::try_from(seats.saturating_sub(given)).unwrap_or(0);
    for (_, index) in rests.into_iter().take(left) {
        if let Some(share) = shares.get_mut(index) {
            *share += 1;
        }
    }
    shares
}

/// Rounds the cells of one unit after the other, carrying what was cut off.
#[derive(Debug)]
pub struct CellQuota {
    carried: [i64; CELLS_COUNT],
}

impl Default for CellQuota {
    fn default() -> Self {
        Self { carried: [0; CELLS_COUNT] }
    }
}

impl CellQuota {
    /// Residents of `unit` by cell; the sum is `residents`.
    pub fn next(&mut self, unit: &Unit, residents: u64) -> [u32; CELLS_COUNT] {
        let persons = i128::from(unit.persons()).max(1);
        let mut wanted = [0_i64; CELLS_COUNT];
        let mut counts = [0_i64; CELLS_COUNT];
        let cells = unit.cells.iter().zip(&self.carried);
        for ((want, count), (cell, carried)) in wanted.iter_mut().zip(&mut counts).zip(cells) {
            let share = i128::from(*cell) * i128::from(residents) * i128::from(SCALE) / persons;
            *want = i64::try_from(share).unwrap_or(0) + carried;
            *count = if *cell == 0 { 0 } else { (*want).max(0) / SCALE };
        }
        let residents = i64::try_from(residents).unwrap_or(0);
        while counts.iter().sum::<i64>() != residents {
            let more = counts.iter().sum::<i64>() < residents;
            let open = |(want, (count, cell)): (&i64, (&i64, &u32))| {
                let lack = want - count * SCALE;
                (if more { *cell > 0 } else { *count > 0 }).then_some(lack)
            };
            let lacks = wanted.iter().zip(counts.iter().zip(&unit.cells)).map(open).enumerate();
            let lacks = lacks.filter_map(|(index, lack)| Some((lack?, index)));
            let chosen = if more {
                lacks.max_by_key(|(lack, index)| (*lack, std::cmp::Reverse(*index)))
            } else {
                lacks.min()
            };
            let Some(count) = chosen.and_then(|(_, index)| counts.get_mut(index)) else { break };
            *count += if more { 1 } else { -1 };
        }
        for ((carried, want), count) in self.carried.iter_mut().zip(wanted).zip(counts) {
            *carried = want - count * SCALE;
        }
        counts.map(|count| u32::try_from(count).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::population::tables::Tables;

    #[test]
    fn remainders_are_shared_out() {
        assert_eq!(largest_remainder(&[1, 1, 1], 4), [2, 1, 1]);
        assert_eq!(largest_remainder(&[5, 0, 5], 3), [2, 0, 1]);
    }

    #[test]
    fn national_margins_stay_within_a_few_persons() {
        let tables = Tables::load().unwrap();
        let units: Vec<&Unit> = tables.units.iter().collect();
        let (counts, host) = by_unit(&units, 200_000);
        assert!(host.is_some());
        let mut quota = CellQuota::default();
        let mut sums = [0_u64; CELLS_COUNT];
        for (unit, count) in units.iter().zip(counts) {
            let cells = quota.next(unit, count);
            assert_eq!(cells.iter().map(|n| u64::from(*n)).sum::<u64>(), count);
            for (sum, cell) in sums.iter_mut().zip(cells) {
                *sum += u64::from(cell);
            }
        }
        for (index, sum) in sums.iter().enumerate() {
            let persons: u64 = tables.units.iter().map(|u| u64::from(u.cells[index])).sum();
            let wanted = persons * 200_000 / 126_146_099;
            assert!(sum.abs_diff(wanted) <= 5, "cell {index}: {sum} for {wanted}");
        }
    }

    #[test]
    fn a_thin_sample_still_has_a_host() {
        let tables = Tables::load().unwrap();
        let units: Vec<&Unit> = tables.units.iter().collect();
        let (counts, host) = by_unit(&units, 10_000);
        assert_eq!(counts.iter().sum::<u64>(), 10_000);
        assert_eq!(counts[host.unwrap()], DORMITORY_HOST_RESIDENTS_MIN);
    }
}
