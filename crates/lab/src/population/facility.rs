//! Facilities: many residents at one address (dormitories of technical trainees, nursing homes).
//!
//! They are here because of the cap of 50 persons (S1): initial and whole address of a dormitory
//! reach more people than one provision may tell. Each resident is a household of its own.

use super::household::Cells;
use super::tables::AGE_CLASSES_COUNT;
use crate::draw::Draw;

/// Smallest dormitory: with seven in ten named NGUYEN, `N` and the address reach more than 50.
pub(crate) const DORMITORY_PERSONS_MIN: u32 = 124;
const DORMITORY_PERSONS_MAX: u32 = 168;

/// One further dormitory for this many residents of a municipality.
const RESIDENTS_PER_DORMITORY: u32 = 60_000;

const NURSING_HOME_PERSONS_MIN: u32 = 40;
const NURSING_HOME_PERSONS_MAX: u32 = 120;

/// One nursing home for this many residents; none in a municipality of fewer than a third of it.
const RESIDENTS_PER_NURSING_HOME: u32 = 3_000;

/// Classes of trainees (20–39) and of nursing-home residents (75 and over).
const TRAINEE_CLASSES: (usize, usize) = (4, 7);
const NURSING_CLASSES: (usize, usize) = (15, AGE_CLASSES_COUNT - 1);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FacilityKind {
    Dormitory,
    NursingHome,
}

/// A facility and who lives there, by (sex, class).
#[derive(Debug)]
pub(crate) struct Facility {
    pub(crate) kind: FacilityKind,
    pub(crate) residents: Vec<(usize, usize)>,
}

/// The facilities of a municipality; their residents are taken out of `cells`.
pub(crate) fn plan(cells: &mut Cells, host: bool, draw: &mut Draw) -> Vec<Facility> {
    let persons = cells.total();
    let mut facilities = Vec::new();
    for _ in 0..u32::from(host) + persons / RESIDENTS_PER_DORMITORY {
        let size = draw.between(DORMITORY_PERSONS_MIN, DORMITORY_PERSONS_MAX);
        fill(FacilityKind::Dormitory, TRAINEE_CLASSES, size, cells, draw, &mut facilities);
    }
    let homes = if persons * 3 < RESIDENTS_PER_NURSING_HOME {
        0
    } else {
        persons.div_ceil(RESIDENTS_PER_NURSING_HOME)
    };
    for _ in 0..homes {
        let (low, high) = NURSING_CLASSES;
        let size = draw.between(NURSING_HOME_PERSONS_MIN, NURSING_HOME_PERSONS_MAX);
        let size = size.min(cells.sum(low, high) / 3);
        if size >= NURSING_HOME_PERSONS_MIN {
            fill(FacilityKind::NursingHome, NURSING_CLASSES, size, cells, draw, &mut facilities);
        }
    }
    facilities
}

fn fill(
    kind: FacilityKind,
    (low, high): (usize, usize),
    size: u32,
    cells: &mut Cells,
    draw: &mut Draw,
    facilities: &mut Vec<Facility>,
) {
    let residents = (0..size).map_while(|_| cells.take_any(low, high, draw)).collect();
    facilities.push(Facility { kind, residents });
}
