//! Whether record codes betray anything: draws codes as the center does, for several municipalities
//! in turn, and compares what came with what chance would give (規則1条: 無作為に作成された十けたの数字).
//!
//! Chi-square over leading digits, pairs of neighbouring digits and gaps, correlation from one draw
//! to the next, and a comparison of the municipalities among each other. Every figure has its
//! bound; a planted bias must be found, or the test would prove nothing.

use std::collections::HashSet;

use law::code::RecordCode;
use law::pool::{DrawError, NUMBERS_COUNT, draw, entropy_for};

use crate::draw::Draw;

/// Codes of one designation, as a municipality asks for them.
const BATCH_CODES_COUNT: usize = 1_000;
/// Draws that one run takes at most: all are held to see that none comes twice.
pub const DRAWS_COUNT_MAX: u64 = 20_000_000;
/// A figure of chance lies beyond this many standard deviations once in 500 million runs.
const DEVIATIONS_MAX: f64 = 6.0;
const LABEL: [u8; 24] = *b"jukilab codes/1\0\0\0\0\0\0\0\0\0";
/// Leading digits looked at: a thousand classes.
const LEADING_CLASSES: usize = 1_000;
const GAP_CLASSES: usize = 64;

/// What goes wrong on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Bias {
    /// Each code is the one before and a little more.
    Sequential,
    /// The first two digits follow from the municipality.
    Place,
    /// One number in twenty is even that would be odd.
    Even,
}

/// A run.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    pub draws: u64,
    pub municipalities: u64,
    pub seed: u64,
    pub bias: Option<Bias>,
}

/// One figure and its bound.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    pub name: &'static str,
    /// In standard deviations from what chance gives; for overlaps a count.
    pub value: f64,
    pub bound: f64,
}

impl Figure {
    #[must_use]
    pub fn holds(&self) -> bool {
        self.value.abs() <= self.bound
    }
}

/// What a run came to.
#[derive(Debug, Clone)]
pub struct Report {
    pub draws: u64,
    pub figures: Vec<Figure>,
}

impl Report {
    #[must_use]
    pub fn holds(&self) -> bool {
        self.figures.iter().all(Figure::holds)
    }
}

/// Why a run did not come to an end.
#[derive(Debug, thiserror::Error)]
pub enum CodesError {
    #[error("--draws must be from 10000 to {DRAWS_COUNT_MAX}")]
    Draws,
    #[error("--municipalities must be from 1 to 2000, and each needs at least 1000 draws")]
    Municipalities,
    #[error("codes could not be drawn: {0}")]
    Draw(#[from] DrawError),
}

/// Counts that chi-square is computed from.
struct Tally {
    leading: Vec<u64>,
    pairs: Vec<u64>,
    last: [u64; 10],
    gaps: [u64; GAP_CLASSES],
    /// Leading digit by municipality.
    places: Vec<[u64; 10]>,
    products: f64,
    before: Option<f64>,
    neighbours: u64,
}

/// Draw and look.
///
/// # Errors
/// For options beyond their bounds; when the entropy of the run ends.
pub fn run(options: Options, progress: &mut dyn FnMut(u64)) -> Result<Report, CodesError> {
    let Options { draws, municipalities, .. } = options;
    if !(10_000..=DRAWS_COUNT_MAX).contains(&draws) {
        return Err(CodesError::Draws);
    }
    if !(1..=2_000).contains(&municipalities) || draws / municipalities < 1_000 {
        return Err(CodesError::Municipalities);
    }
    let mut tally = Tally::new(usize::try_from(municipalities).unwrap_or(1));
    let mut all = Vec::with_capacity(usize::try_from(draws).unwrap_or(0));
    let mut designated = HashSet::with_capacity(all.capacity());
    let mut passed_over = 0_u64;
    let mut source = Draw::new(LABEL, options.seed, 0);
    let mut entropy = vec![0; entropy_for(BATCH_CODES_COUNT)];
    let mut place = 0;
    while (all.len() as u64) < draws {
        source.fill(&mut entropy);
        let used = |code: &RecordCode| {
            let known = designated.contains(&ten_digits(code));
            passed_over += u64::from(known);
            Ok::<_, DrawError>(known)
        };
        let codes: Vec<RecordCode> = draw(&entropy, BATCH_CODES_COUNT, used)?;
        for code in codes {
            designated.insert(ten_digits(&code));
            let number = biased(options.bias, ten_digits(&code), (place, all.len() as u64));
            tally.add(number, usize::try_from(place).unwrap_or(0));
            all.push(number);
        }
        place = (place + 1) % municipalities;
        progress(all.len() as u64);
    }
    Ok(Report { draws: all.len() as u64, figures: figures(&tally, all, passed_over) })
}

fn ten_digits(code: &RecordCode) -> u64 {
    code.expose().bytes().take(10).fold(0, |value, byte| value * 10 + u64::from(byte & 0x0F))
}

fn biased(bias: Option<Bias>, number: u64, (place, count): (u64, u64)) -> u64 {
    match bias {
        None => number,
        Some(Bias::Sequential) => (count * 997) % NUMBERS_COUNT,
        Some(Bias::Place) => (place % 47 + 1) * 100_000_000 + number % 100_000_000,
        Some(Bias::Even) if count % 20 == 0 => number & !1,
        Some(Bias::Even) => number,
    }
}

impl Tally {
    fn new(municipalities: usize) -> Self {
        Self {
            leading: vec![0; LEADING_CLASSES],
            pairs: vec![0; 9 * 100],
            last: [0; 10],
            gaps: [0; GAP_CLASSES],
            places: vec![[0; 10]; municipalities],
            products: 0.0,
            before: None,
            neighbours: 0,
        }
    }

    fn add(&mut self, number: u64, place: usize) {
        count(&mut self.leading, number / 10_000_000);
        let mut rest = number;
        for position in 0..9 {
            count(&mut self.pairs, position * 100 + rest % 100);
            rest /= 10;
        }
        count(&mut self.last, number % 10);
        if let Some(classes) = self.places.get_mut(place) {
            count(classes, number / 1_000_000_000);
        }
        // From -1 to 1, with variance 1/3 when every number is as likely as any other.
        let scaled = share(number, NUMBERS_COUNT).mul_add(2.0, -1.0);
        if let Some(before) = self.before.replace(scaled) {
            self.products += before * scaled;
            self.neighbours += 1;
            // The distance round the circle of numbers from one draw to the next is uniform.
            let gap = (scaled - before) / 2.0;
            let gap = if gap < 0.0 { gap + 1.0 } else { gap };
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a share of 64 classes"
            )]
            let class = (gap * GAP_CLASSES as f64) as u64;
            count(&mut self.gaps, class.min(GAP_CLASSES as u64 - 1));
        }
    }
}

fn count(classes: &mut [u64], class: u64) {
    if let Some(class) = usize::try_from(class).ok().and_then(|class| classes.get_mut(class)) {
        *class += 1;
    }
}

#[allow(clippy::cast_precision_loss, reason = "below 2^53")]
fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}

/// How far the counts lie from even ones, in standard deviations: Wilson and Hilferty's cube root
/// makes a chi-square normal.
fn unevenness(classes: &[u64]) -> f64 {
    let total: u64 = classes.iter().sum();
    let expected = share(total, classes.len() as u64);
    let chi: f64 = classes.iter().map(|n| (share(*n, 1) - expected).powi(2) / expected).sum();
    normal(chi, share(classes.len() as u64 - 1, 1))
}

fn normal(chi: f64, freedom: f64) -> f64 {
    let spread = 2.0 / (9.0 * freedom);
    ((chi / freedom).cbrt() - (1.0 - spread)) / spread.sqrt()
}

/// Whether the leading digits are the same whoever asks: chi-square of the table of municipality by
/// digit against one row for all.
fn place_matters(places: &[[u64; 10]]) -> f64 {
    let mut all = [0_u64; 10];
    for row in places {
        all.iter_mut().zip(row).for_each(|(sum, n)| *sum += n);
    }
    let total: u64 = all.iter().sum();
    let mut chi = 0.0;
    for row in places {
        let own: u64 = row.iter().sum();
        for (n, sum) in row.iter().zip(&all) {
            let expected = share(own, total) * share(*sum, 1);
            if expected > 0.0 {
                chi += (share(*n, 1) - expected).powi(2) / expected;
            }
        }
    }
    if places.len() < 2 { 0.0 } else { normal(chi, share(9 * (places.len() as u64 - 1), 1)) }
}

fn figures(tally: &Tally, mut all: Vec<u64>, passed_over: u64) -> Vec<Figure> {
    let deviations = |name, value| Figure { name, value, bound: DEVIATIONS_MAX };
    let worst_pair = tally.pairs.chunks(100).map(unevenness).fold(0.0_f64, f64::max);
    let correlation = tally.products * 3.0 / share(tally.neighbours.max(1), 1).sqrt();
    let drawn = all.len();
    all.sort_unstable();
    let twice = all.windows(2).filter(|two| two.first() == two.last()).count() as u64;
    // Of n(n-1)/2 pairs of draws one in 10^10 is the same number twice.
    let expected = share(drawn as u64, 2) * share(drawn as u64, NUMBERS_COUNT);
    vec![
        deviations("first three digits", unevenness(&tally.leading)),
        deviations("neighbouring digits, worst place", worst_pair),
        deviations("last digit", unevenness(&tally.last)),
        deviations("gap to the draw before", unevenness(&tally.gaps)),
        deviations("correlation with the draw before", correlation),
        deviations("first digit by municipality", place_matters(&tally.places)),
        deviations(
            "numbers passed over, drawn before",
            (share(passed_over, 1) - expected) / expected.max(1.0).sqrt(),
        ),
        Figure { name: "numbers designated twice", value: share(twice, 1), bound: 0.0 },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    const FEW: Options = Options { draws: 200_000, municipalities: 20, seed: 1, bias: None };

    #[test]
    fn chance_is_taken_for_chance() {
        let report = run(FEW, &mut |_| {}).unwrap();
        assert!(report.holds(), "{report:?}");
        assert_eq!(report.figures.len(), 8);
    }

    #[test]
    fn a_planted_bias_is_found() {
        for (bias, by) in [
            (Bias::Sequential, "gap to the draw before"),
            (Bias::Place, "first digit by municipality"),
            (Bias::Even, "last digit"),
        ] {
            let report = run(Options { bias: Some(bias), ..FEW }, &mut |_| {}).unwrap();
            let figure = report.figures.iter().find(|figure| figure.name == by).unwrap();
            assert!(!figure.holds() && !report.holds(), "{bias:?} {report:?}");
        }
    }

    #[test]
    fn options_beyond_their_bounds_are_refused() {
        for options in [
            Options { draws: 9_999, ..FEW },
            Options { draws: DRAWS_COUNT_MAX + 1, ..FEW },
            Options { municipalities: 0, ..FEW },
            Options { municipalities: 300, ..FEW },
        ] {
            assert!(run(options, &mut |_| {}).is_err());
        }
    }
}
