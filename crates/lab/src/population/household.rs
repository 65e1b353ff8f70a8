//! Composes households out of the persons a municipality still has to place.
//!
//! The counts by sex and age class are fixed beforehand (`quota`); composing only decides who lives
//! with whom, so the margins hold whatever is decided here. Relationships are those of 続柄.

use super::tables::{AGE_CLASSES_COUNT, CELLS_COUNT};
use crate::draw::Draw;

/// Index of men and of women in every table by sex.
pub(crate) const MALE: usize = 0;
pub(crate) const FEMALE: usize = 1;

/// First five-year class of adults (20–24), of usual parents (25–29), last of them (50–54).
const ADULT_CLASS_FIRST: usize = 4;
const PARENT_CLASS_FIRST: usize = 5;
const PARENT_CLASS_LAST: usize = 10;

/// A parent is at least this many classes older than the child.
const GENERATION_CLASSES_MIN: usize = 4;

/// Single heads in a thousand, classes 20–24 to 50–54; the young live alone, the others seldom.
const SINGLE_RATES: [u32; 7] = [750, 550, 350, 300, 280, 280, 280];

/// 続柄, as the register prints it.
pub(crate) const HEAD: &str = "世帯主";
pub(crate) const LODGER: &str = "同居人";

/// A place in a household, not yet a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) sex: usize,
    pub(crate) class: usize,
    pub(crate) relationship: &'static str,
    /// Born with the member before.
    pub(crate) twin: bool,
}

/// Persons still to be placed, by sex and five-year class.
#[derive(Debug)]
pub(crate) struct Cells {
    counts: [u32; CELLS_COUNT],
    total: u32,
    minors: u32,
    parents: u32,
}

impl Cells {
    pub(crate) fn new(counts: [u32; CELLS_COUNT]) -> Self {
        let mut cells = Self { counts, total: 0, minors: 0, parents: 0 };
        cells.total = counts.iter().sum();
        cells.minors = cells.sum(0, ADULT_CLASS_FIRST - 1);
        cells.parents = cells.sum(PARENT_CLASS_FIRST, PARENT_CLASS_LAST);
        cells
    }

    pub(crate) fn total(&self) -> u32 {
        self.total
    }

    /// Persons of both sexes in the classes `low..=high`.
    pub(crate) fn sum(&self, low: usize, high: usize) -> u32 {
        let halves = self.counts.chunks(AGE_CLASSES_COUNT);
        halves.flat_map(|half| half.iter().skip(low).take(high + 1 - low)).sum()
    }

    fn has(&self, sex: usize, class: usize) -> bool {
        self.counts.get(sex * AGE_CLASSES_COUNT + class).is_some_and(|count| *count > 0)
    }

    fn take(&mut self, sex: usize, class: usize) -> bool {
        let Some(count) = self.counts.get_mut(sex * AGE_CLASSES_COUNT + class) else {
            return false;
        };
        if *count == 0 {
            return false;
        }
        *count -= 1;
        self.total -= 1;
        self.minors -= u32::from(class < ADULT_CLASS_FIRST);
        self.parents -= u32::from((PARENT_CLASS_FIRST..=PARENT_CLASS_LAST).contains(&class));
        true
    }

    /// Takes somebody of `sex` in the class nearest to `wanted` within `low..=high`.
    fn take_near(&mut self, sex: usize, wanted: usize, low: usize, high: usize) -> Option<usize> {
        for distance in 0..=high.saturating_sub(low) {
            for class in [wanted.checked_sub(distance), Some(wanted + distance)] {
                let class = class.filter(|class| (low..=high).contains(class));
                if let Some(class) = class.filter(|class| self.take(sex, *class)) {
                    return Some(class);
                }
            }
        }
        None
    }

    /// Takes somebody at random in the classes `low..=high`.
    pub(crate) fn take_any(
        &mut self,
        low: usize,
        high: usize,
        draw: &mut Draw,
    ) -> Option<(usize, usize)> {
        let mut nth = draw.below(self.sum(low, high));
        for sex in [MALE, FEMALE] {
            for class in low..=high {
                let count = self.counts.get(sex * AGE_CLASSES_COUNT + class).copied()?;
                if nth < count {
                    return self.take(sex, class).then_some((sex, class));
                }
                nth -= count;
            }
        }
        None
    }
}

/// Fills `members` with the next household; empty only when nobody is left.
pub(crate) fn compose(cells: &mut Cells, draw: &mut Draw, members: &mut Vec<Member>) {
    members.clear();
    let oldest = AGE_CLASSES_COUNT - 1;
    let Some((sex, class)) = cells.take_any(ADULT_CLASS_FIRST, oldest, draw) else {
        // Only minors are left: each is placed alone, as in a children's home.
        if let Some((sex, class)) = cells.take_any(0, ADULT_CLASS_FIRST - 1, draw) {
            members.push(Member { sex, class, relationship: HEAD, twin: false });
        }
        return;
    };
    let mut house = House { cells, draw, members };
    house.add(sex, class, HEAD);
    if class <= PARENT_CLASS_LAST {
        house.younger(sex, class);
    } else {
        house.older(sex, class);
    }
    house.put_man_first();
}

struct House<'a> {
    cells: &'a mut Cells,
    draw: &'a mut Draw,
    members: &'a mut Vec<Member>,
}

impl House<'_> {
    fn add(&mut self, sex: usize, class: usize, relationship: &'static str) {
        self.members.push(Member { sex, class, relationship, twin: false });
    }

    fn younger(&mut self, sex: usize, class: usize) {
        let single = SINGLE_RATES.get(class - ADULT_CLASS_FIRST).copied().unwrap_or(280);
        let spouse = if self.draw.permille(single) { None } else { self.spouse(sex, class) };
        let Some(spouse) = spouse else {
            if class > PARENT_CLASS_FIRST && self.draw.permille(120) {
                let wanted = 1 + self.draw.below(2);
                self.children(class, wanted, "子");
            } else if class < 8 && self.draw.permille(15) {
                let sex = usize::from(self.draw.permille(500));
                if self.cells.take(sex, class) {
                    self.add(sex, class, LODGER);
                }
            }
            return;
        };
        let mother = if sex == FEMALE { class } else { spouse };
        // Families keep pace with the children who still need a home: 1.88 children for each, and
        // three parents in ten live in no couple.
        let pace = u64::from(self.cells.minors) * 200_000;
        let pace = pace / (u64::from(self.cells.parents.max(1)) * 132);
        if self.draw.permille(u32::try_from(pace).unwrap_or(950).min(950)) {
            let wanted = match self.draw.below(100) {
                0..35 => 1,
                35..80 => 2,
                80..97 => 3,
                _ => 4,
            };
            self.children(mother, wanted, "子");
        }
        if class >= 9 && self.draw.permille(200) {
            self.grown_child(mother);
        }
        if class > PARENT_CLASS_FIRST && self.draw.permille(60) {
            self.parent(class);
        }
    }

    fn older(&mut self, sex: usize, class: usize) {
        let single = if class >= 17 { 500 } else { 330 };
        let spouse = if self.draw.permille(single) { None } else { self.spouse(sex, class) };
        let mother = if sex == FEMALE { class } else { spouse.unwrap_or(class) };
        if self.draw.permille(if spouse.is_some() { 280 } else { 180 }) {
            self.grown_child(mother);
        }
        if self.cells.minors > self.cells.parents.saturating_mul(2) {
            let wanted = 1 + self.draw.below(3);
            self.children(PARENT_CLASS_LAST, wanted, "子の子");
        }
    }

    fn spouse(&mut self, sex: usize, class: usize) -> Option<usize> {
        let other = 1 - sex;
        let wanted = (class + usize::from(self.draw.permille(250)))
            .saturating_sub(usize::from(self.draw.permille(350)));
        let low = class.saturating_sub(2).max(ADULT_CLASS_FIRST);
        let high = (class + 2).min(AGE_CLASSES_COUNT - 1);
        let found = self.cells.take_near(other, wanted, low, high)?;
        self.add(other, found, if other == FEMALE { "妻" } else { "夫" });
        Some(found)
    }

    /// Up to `count` minors; a twin directly follows its sibling.
    fn children(&mut self, parent: usize, count: u32, relationship: &'static str) {
        let Some(high) = parent.checked_sub(GENERATION_CLASSES_MIN) else { return };
        let high = high.min(ADULT_CLASS_FIRST - 1);
        let mut last: Option<usize> = None;
        for _ in 0..count {
            let sex = usize::from(self.draw.below(1_000) >= 512);
            if let Some(class) = last.filter(|_| self.draw.permille(12))
                && self.cells.has(sex, class)
                && self.cells.take(sex, class)
            {
                self.members.push(Member { sex, class, relationship, twin: true });
                continue;
            }
            let spread = usize::try_from(self.draw.below(3)).unwrap_or(0);
            let wanted = (parent.saturating_sub(7) + spread).min(high);
            let taken = [sex, 1 - sex]
                .into_iter()
                .find_map(|sex| Some((sex, self.cells.take_near(sex, wanted, 0, high)?)));
            let Some((sex, class)) = taken else { return };
            self.add(sex, class, relationship);
            last = Some(class);
        }
    }

    fn grown_child(&mut self, parent: usize) {
        let wanted = parent.saturating_sub(6).max(ADULT_CLASS_FIRST);
        let high = parent.saturating_sub(GENERATION_CLASSES_MIN).max(ADULT_CLASS_FIRST);
        let sex = usize::from(self.draw.permille(450));
        if let Some(class) = self.cells.take_near(sex, wanted, ADULT_CLASS_FIRST, high) {
            self.add(sex, class, "子");
        }
    }

    fn parent(&mut self, head: usize) {
        let sex = usize::from(self.draw.permille(750));
        let low = head + GENERATION_CLASSES_MIN;
        if let Some(class) = self.cells.take_near(sex, head + 5, low, AGE_CLASSES_COUNT - 1) {
            self.add(sex, class, if sex == FEMALE { "母" } else { "父" });
        }
    }

    /// Most couples name the husband 世帯主; about one in twelve of those drawn otherwise do not.
    fn put_man_first(&mut self) {
        if let [head, spouse, ..] = self.members.as_mut_slice()
            && spouse.relationship == "夫"
            && self.draw.permille(920)
        {
            std::mem::swap(head, spouse);
            head.relationship = HEAD;
            spouse.relationship = "妻";
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_is_placed_once_and_few_minors_alone() {
        let mut counts = [0_u32; CELLS_COUNT];
        for (index, count) in counts.iter_mut().enumerate() {
            let class = index % AGE_CLASSES_COUNT;
            *count =
                [40, 44, 46, 48, 52, 52, 54, 60, 68, 80, 72, 66, 62, 68, 76, 58, 45, 31, 15, 4, 1]
                    [class];
        }
        let mut placed = [0_u32; CELLS_COUNT];
        let mut cells = Cells::new(counts);
        let mut draw = Draw::new([0; 24], 1, 2);
        let (mut members, mut alone, mut houses) = (Vec::new(), 0, 0);
        while cells.total() > 0 {
            compose(&mut cells, &mut draw, &mut members);
            assert_eq!(members[0].relationship, HEAD);
            houses += 1;
            alone += u32::from(members[0].class < ADULT_CLASS_FIRST);
            for member in &members {
                placed[member.sex * AGE_CLASSES_COUNT + member.class] += 1;
            }
        }
        assert_eq!(placed, counts);
        assert_eq!((cells.minors, cells.parents), (0, 0));
        assert!(alone < 10, "{alone} minors live alone");
        let persons: u32 = counts.iter().sum();
        assert!((persons * 10 / houses) > 18, "{persons} persons in {houses} households");
    }
}
