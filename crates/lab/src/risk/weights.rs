//! Weights of incidents by place, threat type and attack (S3 §8: 場所、攻撃手法、脅威種別により点数付),
//! as shares of the rows, smoothed because the rows are few.
//!
//! place × class of incident (each of one threat type) × difficulty of the attack; all cells add
//! up to 1. One use at a place carries the sum of the place's cells.

use super::incidents::{Class, Country, Difficulty, Incident, Place};
use crate::draw::{Draw, SeedLabel};

/// Of the draws with replacement.
const SEED_LABEL: SeedLabel = *b"jukinet risk, again/1\0\0\0";

/// One row's worth of ignorance, spread evenly over the cells that are possible: what was not
/// seen in so few rows is not taken for impossible.
pub const SMOOTHING_ROWS: f64 = 1.0;

/// How rows become weights.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub smoothing: f64,
    /// Shares of places from all countries. Else from the United States and Korea only: where an
    /// identifier has no private use, rows say nothing about private places (S3 §7).
    pub places_of_all: bool,
}

impl Default for Shape {
    fn default() -> Self {
        Self { smoothing: SMOOTHING_ROWS, places_of_all: false }
    }
}

/// One cell.
#[derive(Clone, Copy, Debug)]
pub struct Cell {
    pub place: Place,
    /// Index of the class.
    pub class: usize,
    pub difficulty: Difficulty,
    pub weight: f64,
}

/// The cells in a fixed order: place, class, difficulty.
#[must_use]
pub fn weigh(classes: &[Class], rows: &[&Incident], shape: Shape) -> Vec<Cell> {
    let share = |count: usize, of: usize, cells: usize| {
        (count as f64 + shape.smoothing / cells as f64) / (of as f64 + shape.smoothing)
    };
    let abroad = |row: &&&Incident| shape.places_of_all || row.country != Country::Jp;
    let all = rows.iter().filter(abroad).count();
    let mut cells = Vec::new();
    for place in Place::ALL {
        let here = rows.iter().filter(abroad).filter(|row| row.place == place).count();
        let of_place = share(here, all, Place::ALL.len());
        let possible = classes.iter().filter(|class| class.places.contains(&place)).count();
        let at_place = rows.iter().filter(|row| row.place == place).count();
        for (index, class) in classes.iter().enumerate() {
            let of_class: Vec<_> = rows.iter().filter(|row| row.class == class.class).collect();
            let there = of_class.iter().filter(|row| row.place == place).count();
            let of_threat =
                if class.places.contains(&place) { share(there, at_place, possible) } else { 0.0 };
            for difficulty in Difficulty::ALL {
                let such = of_class.iter().filter(|row| row.difficulty == difficulty).count();
                let of_attack = share(such, of_class.len(), Difficulty::ALL.len());
                let weight = of_place * of_threat * of_attack;
                cells.push(Cell { place, class: index, difficulty, weight });
            }
        }
    }
    cells
}

/// The rows drawn again with replacement, each country as often as it has rows: what the paper
/// might as well have found.
#[must_use]
pub fn again(rows: &[Incident], seed: u64, round: u64) -> Vec<&Incident> {
    let mut draw = Draw::new(SEED_LABEL, seed, round);
    let mut drawn = Vec::with_capacity(rows.len());
    for country in Country::ALL {
        let own: Vec<&Incident> = rows.iter().filter(|row| row.country == country).collect();
        drawn.extend(own.iter().filter_map(|_| draw.pick(&own).copied()));
    }
    drawn
}

#[cfg(test)]
mod tests {
    use super::super::Model;
    use super::*;

    #[test]
    fn the_cells_add_up_to_one_and_keep_their_order_whatever_is_drawn() {
        let model = Model::load().unwrap();
        let all: Vec<&Incident> = model.incidents.iter().collect();
        let order = |cells: &[Cell]| -> Vec<(Place, usize, Difficulty)> {
            cells.iter().map(|cell| (cell.place, cell.class, cell.difficulty)).collect()
        };
        let first = weigh(&model.classes, &all, Shape::default());
        for round in 0..20 {
            let rows = again(&model.incidents, 5, round);
            assert_eq!(rows.len(), 57);
            assert_eq!(rows.iter().filter(|row| row.country == Country::Kr).count(), 7);
            for places_of_all in [false, true] {
                let shape = Shape { smoothing: 0.5, places_of_all };
                let cells = weigh(&model.classes, &rows, shape);
                let sum: f64 = cells.iter().map(|cell| cell.weight).sum();
                assert!((sum - 1.0).abs() < 1e-9, "{sum}");
                assert_eq!(order(&cells), order(&first));
            }
        }
    }

    #[test]
    fn what_cannot_happen_at_a_place_weighs_nothing_and_what_was_not_seen_weighs_little() {
        let model = Model::load().unwrap();
        let all: Vec<&Incident> = model.incidents.iter().collect();
        let cells = weigh(&model.classes, &all, Shape::default());
        let sum = |place, class: &str| -> f64 {
            let of = |cell: &&Cell| cell.place == place && model.classes[cell.class].class == class;
            cells.iter().filter(of).map(|cell| cell.weight).sum()
        };
        assert!(sum(Place::Company, "altered_face").abs() < 1e-12);
        let unseen = sum(Place::Company, "forgotten_database");
        assert!(unseen > 0.0 && unseen < 0.1 * sum(Place::Company, "hacking"), "{unseen}");
        let cards = sum(Place::LocalGovernment, "card_by_impersonation");
        assert!(cards > 5.0 * sum(Place::LocalGovernment, "hacking"), "{cards}");
    }
}
