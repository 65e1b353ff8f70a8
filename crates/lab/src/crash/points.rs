//! The points at which a process is killed: its N-th call of one kind, before or after it is ready.
//! Pure: which points there are follows from counts, which are tried from a seed.

use std::collections::BTreeMap;

use crate::draw::Draw;

/// Calls that make something durable, take it away, or send it.
pub(crate) const CALLS: &[&str] = &[
    "fdatasync",
    "fsync",
    "pwrite64",
    "write",
    "writev",
    "sendto",
    "sendmsg",
    "rename",
    "unlink",
    "ftruncate",
    "mkdir",
];

/// Separates the sample from every other use of a seed.
const SAMPLE_LABEL: [u8; 24] = *b"jukinet crash sample/1\0\0";

/// When in the life of a process a call is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// From the first instruction: the store is made or opened, the first entry written.
    Start,
    /// From the moment it is ready: the day's work. Each thread counts from there.
    Day,
}

impl Phase {
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Day => "day",
        }
    }
}

/// One place to die.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    pub node: String,
    pub phase: Phase,
    pub call: String,
    pub nth: u32,
}

impl std::fmt::Display for Point {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { node, phase, call, nth } = self;
        write!(f, "{node}:{}:{call}:{nth}", phase.key())
    }
}

impl Point {
    /// Whether the call belongs to the database's commits at work; `whole`: calls are counted from
    /// the first instruction on, the day's among them.
    pub(crate) fn is_of_a_commit(&self, whole: bool) -> bool {
        let at_work = whole || self.phase == Phase::Day;
        at_work && matches!(self.call.as_str(), "fdatasync" | "pwrite64")
    }

    /// Reads back what [`Point`] prints.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let node = parts.next().filter(|node| !node.is_empty())?.to_owned();
        let phase = match parts.next()? {
            "start" => Phase::Start,
            "day" => Phase::Day,
            _ => return None,
        };
        let call = parts.next().filter(|call| CALLS.contains(call))?.to_owned();
        let nth = parts.next()?.parse().ok().filter(|nth| *nth > 0)?;
        parts.next().is_none().then_some(Self { node, phase, call, nth })
    }
}

/// How often each kind of call was made, by node and phase.
pub(crate) type Counts = BTreeMap<(String, Phase), BTreeMap<String, u32>>;

/// Every point, node by node.
pub(crate) fn all(counts: &Counts) -> Vec<Point> {
    let mut points = Vec::new();
    for ((node, phase), calls) in counts {
        for (call, count) in calls {
            points.extend((1..=*count).map(|nth| Point {
                node: node.clone(),
                phase: *phase,
                call: call.clone(),
                nth,
            }));
        }
    }
    points
}

/// The last point of each kind.
pub(crate) fn last(counts: &Counts) -> Vec<Point> {
    let mut last: BTreeMap<(String, Phase, String), Point> = BTreeMap::new();
    for point in all(counts) {
        last.insert((point.node.clone(), point.phase, point.call.clone()), point);
    }
    last.into_values().collect()
}

/// The same points in an order of which every beginning is a fair sample: one of each kind in turn,
/// each kind's own order drawn from the seed.
pub(crate) fn sampled(counts: &Counts, seed: u64) -> Vec<Point> {
    let mut kinds: BTreeMap<(String, Phase, String), Vec<Point>> = BTreeMap::new();
    for point in all(counts) {
        let kind = (point.call.clone(), point.phase, point.node.clone());
        kinds.entry(kind).or_default().push(point);
    }
    let mut draw = Draw::new(SAMPLE_LABEL, seed, 0);
    let mut piles: Vec<Vec<Point>> = kinds.into_values().collect();
    shuffle(&mut piles, &mut draw);
    piles.iter_mut().for_each(|pile| shuffle(pile, &mut draw));
    let mut ordered = Vec::new();
    while piles.iter().any(|pile| !pile.is_empty()) {
        ordered.extend(piles.iter_mut().filter_map(Vec::pop));
    }
    ordered
}

fn shuffle<T>(list: &mut [T], draw: &mut Draw) {
    for last in (1..list.len()).rev() {
        let bound = u32::try_from(last + 1).unwrap_or(u32::MAX);
        let other = usize::try_from(draw.below(bound)).unwrap_or(0);
        list.swap(last, other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts() -> Counts {
        let calls = |list: &[(&str, u32)]| {
            list.iter().map(|(call, count)| ((*call).to_owned(), *count)).collect()
        };
        Counts::from([
            (("center".to_owned(), Phase::Day), calls(&[("fsync", 9), ("rename", 1)])),
            (("center".to_owned(), Phase::Start), calls(&[("pwrite64", 40)])),
        ])
    }

    #[test]
    fn a_sample_is_the_same_for_the_same_seed_and_begins_with_every_kind() {
        let sample = sampled(&counts(), 7);
        assert_eq!(sample, sampled(&counts(), 7));
        assert_ne!(sample, sampled(&counts(), 8));
        let kinds: std::collections::BTreeSet<&str> =
            sample.iter().take(3).map(|point| point.call.as_str()).collect();
        assert_eq!(kinds.len(), 3, "each kind is there before any comes again");
        let mut sorted = sample;
        sorted.sort();
        let mut everything = all(&counts());
        everything.sort();
        assert_eq!(sorted, everything, "and nothing is left out");
    }

    #[test]
    fn a_point_is_read_back_and_nothing_else_is() {
        for point in all(&counts()) {
            assert_eq!(Point::parse(&point.to_string()), Some(point));
        }
        for odd in ["", "center:day:fsync:0", "center:day:exit:1", "center:fsync:1", "a:b:c:d:e"] {
            assert_eq!(Point::parse(odd), None, "{odd}");
        }
    }
}
