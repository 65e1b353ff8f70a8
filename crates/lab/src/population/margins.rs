//! Margins: the residents of a file counted against the tables they were made from, as a page to
//! read and an age pyramid to look at.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use law::people::Sex;

use super::household::{FEMALE, MALE};
use super::tables::{AGE_CLASSES_COUNT, CELLS_COUNT, Tables, Unit};
use super::{FOREIGN_SHARE, Options, PopulationError, Resident, select};

/// The margin within which a part of the population has to be that of its table.
pub const MARGIN_PERMILLE_MAX: u64 = 10;

/// Parts smaller than this are not judged by a percentage: one person is one in so many.
pub const MARGIN_RESIDENTS_MIN: u64 = 1_000;

/// Family names and towns that are drawn, not counted out: their number scatters. Judged from this
/// size on, where a hundredth is four times the scatter of whole households.
pub const DRAWN_RESIDENTS_MIN: u64 = 400_000;

/// Family names of the page.
const SURNAMES_SHOWN_COUNT: usize = 20;

/// One part: how many there are, and how many the table says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub name: String,
    pub found: u64,
    pub wanted: u64,
    /// Drawn by chance, so that small numbers scatter.
    pub drawn: bool,
}

impl Part {
    /// Thousandths that the number differs from its table.
    #[must_use]
    pub fn off_permille(&self) -> u64 {
        self.found.abs_diff(self.wanted) * 1_000 / self.wanted.max(1)
    }

    /// Whether it is large enough to be judged, and too far off.
    #[must_use]
    pub fn is_off(&self) -> bool {
        let least = if self.drawn { DRAWN_RESIDENTS_MIN } else { MARGIN_RESIDENTS_MIN };
        self.wanted >= least && self.found.abs_diff(self.wanted) * 1_000 > self.wanted * 10
    }
}

/// All margins of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Margins {
    pub residents: u64,
    /// Men, then women, by five-year class.
    pub cells: Vec<Part>,
    pub sexes: Vec<Part>,
    pub municipalities: Vec<Part>,
    pub nationality: Vec<Part>,
    pub surnames: Vec<Part>,
    /// Towns of all municipalities.
    pub towns: Vec<Part>,
}

impl Margins {
    /// Every part, with the name of its margin.
    pub fn parts(&self) -> impl Iterator<Item = (&'static str, &Part)> {
        let groups: [(&'static str, &[Part]); 6] = [
            ("sex", &self.sexes),
            ("sex and age", &self.cells),
            ("municipality", &self.municipalities),
            ("nationality", &self.nationality),
            ("family name", &self.surnames),
            ("town", &self.towns),
        ];
        groups.into_iter().flat_map(|(name, parts)| parts.iter().map(move |part| (name, part)))
    }
}

/// Counts residents as they come.
pub struct MarginCount<'t> {
    tables: &'t Tables,
    units: Vec<&'t Unit>,
    cells: [u64; CELLS_COUNT],
    by_unit: BTreeMap<&'t str, u64>,
    by_town: BTreeMap<(u16, u8), u64>,
    nations: Vec<u64>,
    surnames: BTreeMap<&'static str, u64>,
    shapes: BTreeMap<&'static str, &'static str>,
    residents: u64,
    unit: usize,
}

impl std::fmt::Debug for MarginCount<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MarginCount({})", self.residents)
    }
}

impl<'t> MarginCount<'t> {
    /// # Errors
    /// Options that name nothing.
    pub fn new(options: &Options, tables: &'t Tables) -> Result<Self, PopulationError> {
        let mut shapes = BTreeMap::new();
        for surname in &tables.surnames {
            let variants = surname.variants.iter().map(|(shape, _)| *shape);
            for shape in variants.chain([surname.name]) {
                shapes.entry(shape).or_insert(surname.name);
            }
        }
        Ok(Self {
            tables,
            units: select(&tables.units, &options.municipalities)?,
            cells: [0; CELLS_COUNT],
            by_unit: BTreeMap::new(),
            by_town: BTreeMap::new(),
            nations: vec![0; tables.nations.len()],
            surnames: BTreeMap::new(),
            shapes,
            residents: 0,
            unit: 0,
        })
    }

    /// One more.
    pub fn see(&mut self, resident: &Resident<'_>) {
        self.residents += 1;
        while self.units.get(self.unit).is_some_and(|u| u.code != resident.municipality_code) {
            self.unit += 1;
        }
        if let Some(unit) = self.units.get(self.unit) {
            *self.by_unit.entry(unit.code).or_default() += 1;
            let unit = u16::try_from(self.unit).unwrap_or(u16::MAX);
            *self.by_town.entry((unit, resident.dwelling.town())).or_default() += 1;
        }
        let sex = if resident.sex == Sex::Male { MALE } else { FEMALE };
        // The class of an unknown day is that of its year; of an unknown year, nobody's.
        let cell = class(resident.birth).map(|class| sex * AGE_CLASSES_COUNT + class);
        if let Some(count) = cell.and_then(|cell| self.cells.get_mut(cell)) {
            *count += 1;
        }
        if resident.nationality.is_empty() {
            if let Some(name) = self.shapes.get(resident.family_name) {
                *self.surnames.entry(name).or_default() += 1;
            }
        } else {
            let nation = self.tables.nations.iter().position(|n| n.name == resident.nationality);
            if let Some(count) = nation.and_then(|nation| self.nations.get_mut(nation)) {
                *count += 1;
            }
        }
    }

    /// The counts beside what the tables say for as many residents.
    #[must_use]
    pub fn finish(self) -> Margins {
        let all: u64 = self.units.iter().map(|unit| unit.persons()).sum::<u64>().max(1);
        let share = |persons: u64| rounded(persons, self.residents, all);
        let cell = |index: usize| -> u64 {
            self.units.iter().filter_map(|unit| unit.cells.get(index)).map(|n| u64::from(*n)).sum()
        };
        let part = |name: String, found, wanted| Part { name, found, wanted, drawn: false };
        let mut margins = Margins { residents: self.residents, ..Margins::default() };
        for (sex, name) in [(MALE, "men"), (FEMALE, "women")] {
            let (mut found, mut wanted) = (0, 0);
            for class in 0..AGE_CLASSES_COUNT {
                let index = sex * AGE_CLASSES_COUNT + class;
                let count = self.cells.get(index).copied().unwrap_or(0);
                (found, wanted) = (found + count, wanted + cell(index));
                let name = format!("{name} {}", class_name(class));
                margins.cells.push(part(name, count, share(cell(index))));
            }
            margins.sexes.push(part(name.to_owned(), found, share(wanted)));
        }
        for (index, unit) in self.units.iter().enumerate() {
            let found = self.by_unit.get(unit.code).copied().unwrap_or(0);
            margins.municipalities.push(part(unit.code.to_owned(), found, share(unit.persons())));
            let index = u16::try_from(index).unwrap_or(u16::MAX);
            for town in 0..u8::try_from(unit.towns.len()).unwrap_or(u8::MAX) {
                let count = self.by_town.get(&(index, town)).copied().unwrap_or(0);
                // Every town of a municipality is as likely as another: no table says more.
                let wanted = found / (unit.towns.len() as u64).max(1);
                let name = unit.towns.get(usize::from(town)).map_or("", |town| town.name);
                let name = format!("{} {name}", unit.code);
                margins.towns.push(Part { name, found: count, wanted, drawn: true });
            }
        }
        self.by_name(&mut margins);
        margins
    }

    fn by_name(&self, margins: &mut Margins) {
        let foreign: u64 = self.nations.iter().sum();
        let (are, of) = FOREIGN_SHARE;
        let wanted = rounded(are, self.residents, of);
        let name = "foreign residents".to_owned();
        margins.nationality.push(Part { name, found: foreign, wanted, drawn: false });
        let weights: u64 = self.tables.nations.iter().map(|n| u64::from(n.weight)).sum();
        for (nation, found) in self.tables.nations.iter().zip(&self.nations) {
            let wanted = rounded(u64::from(nation.weight), foreign, weights);
            let name = nation.name.to_owned();
            margins.nationality.push(Part { name, found: *found, wanted, drawn: true });
        }
        let japanese = self.surnames.values().sum();
        let weights: u64 = self.tables.surnames.iter().map(|s| u64::from(s.weight)).sum();
        for surname in self.tables.surnames.iter().take(SURNAMES_SHOWN_COUNT) {
            let found = self.surnames.get(surname.name).copied().unwrap_or(0);
            let wanted = rounded(u64::from(surname.weight), japanese, weights);
            let name = surname.name.to_owned();
            margins.surnames.push(Part { name, found, wanted, drawn: true });
        }
    }
}

fn rounded(part: u64, times: u64, of: u64) -> u64 {
    let exact = u128::from(part) * u128::from(times) + u128::from(of / 2);
    u64::try_from(exact / u128::from(of.max(1))).unwrap_or(0)
}

/// Five-year class on the census day; `None` where the year is unknown.
fn class(birth: &str) -> Option<usize> {
    let year: usize = birth.get(..4)?.parse().ok().filter(|year| *year > 0)?;
    let age = 2020_usize.checked_sub(year + usize::from(birth.get(5..) > Some("10-01")))?;
    Some((age / 5).min(AGE_CLASSES_COUNT - 1))
}

fn class_name(class: usize) -> String {
    let first = class * 5;
    if class + 1 == AGE_CLASSES_COUNT {
        format!("{first} and over")
    } else {
        format!("{first} to {}", first + 4)
    }
}

impl Margins {
    /// The page: each margin with its parts, and what is off.
    #[must_use]
    pub fn page(&self) -> String {
        let mut text = format!(
            "{} residents against the tables. Judged: parts of {MARGIN_RESIDENTS_MIN} and more, \
             and names, nationalities\nand towns (drawn, not counted out) of \
             {DRAWN_RESIDENTS_MIN} and more; within one in a hundred.\n",
            self.residents
        );
        let mut last = "";
        for (margin, part) in self.parts() {
            // Municipalities and towns are many: only those that are off are shown.
            if matches!(margin, "municipality" | "town") && !part.is_off() {
                continue;
            }
            if margin != last {
                writeln!(text, "\n{margin}").unwrap_or(());
                last = margin;
            }
            let off = if part.is_off() { "  OFF" } else { "" };
            let Part { name, found, wanted, .. } = part;
            let (whole, tenth) = (part.off_permille() / 10, part.off_permille() % 10);
            writeln!(text, "  {found:>11} {wanted:>11} {whole:>3}.{tenth} %  {name}{off}")
                .unwrap_or(());
        }
        let judged = |name: &str| {
            self.parts().filter(|(margin, part)| *margin == name && !part.is_off()).count()
        };
        let off = self.parts().filter(|(_, part)| part.is_off()).count();
        let (municipalities, towns) = (judged("municipality"), judged("town"));
        writeln!(
            text,
            "\n{municipalities} of {} municipalities and {towns} of {} towns are not off; {off} \
             parts are off in all.",
            self.municipalities.len(),
            self.towns.len()
        )
        .unwrap_or(());
        text
    }

    /// The age pyramid: bars are the residents, outlines the census.
    #[must_use]
    pub fn pyramid(&self) -> String {
        const ROW: u64 = 20;
        const HALF: u64 = 300;
        let widest = self.cells.iter().map(|part| part.found.max(part.wanted)).max().unwrap_or(1);
        let width = |count: u64| count * HALF / widest.max(1);
        let height = AGE_CLASSES_COUNT as u64 * ROW;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 740 {}\" \
             font-family=\"sans-serif\" font-size=\"12\" role=\"img\" \
             aria-label=\"Age pyramid\">\n<rect width=\"740\" height=\"{}\" fill=\"#fff\"/>\n",
            height + 70,
            height + 70
        );
        let (men, women) = self.cells.split_at(AGE_CLASSES_COUNT.min(self.cells.len()));
        for (class, (man, woman)) in men.iter().zip(women).enumerate() {
            let y = 40 + height - (class as u64 + 1) * ROW;
            let sides = [(man, true, "#4a7fb0"), (woman, false, "#b0604a")];
            for (part, left, fill) in sides {
                let at = |count: u64| if left { 340 - width(count) } else { 400 };
                writeln!(
                    svg,
                    "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{fill}\"/>\n<rect \
                     x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"none\" stroke=\"#222\"/>",
                    at(part.found),
                    y + 3,
                    width(part.found),
                    ROW - 6,
                    at(part.wanted),
                    y + 1,
                    width(part.wanted),
                    ROW - 2
                )
                .unwrap_or(());
            }
            let years = class * 5;
            writeln!(svg, "<text x=\"370\" y=\"{}\" text-anchor=\"middle\">{years}</text>", y + 14)
                .unwrap_or(());
        }
        let texts = [
            (340, 24, "end", "men".to_owned()),
            (400, 24, "start", "women".to_owned()),
            (
                370,
                height + 60,
                "middle",
                format!(
                    "{} residents; bars: as made, outlines: census of 2020, to the same number",
                    self.residents
                ),
            ),
        ];
        for (x, y, anchor, text) in texts {
            writeln!(svg, "<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\">{text}</text>")
                .unwrap_or(());
        }
        svg.push_str("</svg>\n");
        svg
    }
}
