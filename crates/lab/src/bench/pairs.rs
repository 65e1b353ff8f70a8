//! Pairs of ours and the peer in one run, in the order A B B A, so that what else the machine does
//! falls on both; and the ratio of each pair. Pure.

use serde_json::{Value, json};

/// Pairs of one run: fewer tell nothing about the spread.
pub(crate) const PAIRS_COUNT: usize = 5;

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Ours,
    Peer,
}

/// Both sides of each pair: ours first in the odd ones, the peer first in the even ones.
pub(crate) fn order() -> impl Iterator<Item = [Side; 2]> {
    (0..PAIRS_COUNT).map(|pair| {
        if pair.is_multiple_of(2) { [Side::Ours, Side::Peer] } else { [Side::Peer, Side::Ours] }
    })
}

/// One figure of both sides, pair by pair.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pairs {
    ours: Vec<f64>,
    peer: Vec<f64>,
}

impl Pairs {
    pub(crate) fn add(&mut self, side: Side, figure: f64) {
        match side {
            Side::Ours => self.ours.push(figure),
            Side::Peer => self.peer.push(figure),
        }
    }

    /// Takes the peer's side from another list of pairs.
    pub(crate) fn take_peer(&mut self, other: &Self) {
        self.peer.clone_from(&other.peer);
    }

    /// How many times less ours needs than the peer: time, CPU, bytes.
    pub(crate) fn less(&self) -> Value {
        spread(self.ours.iter().zip(&self.peer).map(|(ours, peer)| peer / ours))
    }

    /// How many times more ours does than the peer: operations a second.
    pub(crate) fn more(&self) -> Value {
        spread(self.ours.iter().zip(&self.peer).map(|(ours, peer)| ours / peer))
    }

    /// The middle figure of a side.
    pub(crate) fn median(&self, side: Side) -> f64 {
        let mut figures = match side {
            Side::Ours => self.ours.clone(),
            Side::Peer => self.peer.clone(),
        };
        figures.sort_by(f64::total_cmp);
        rounded(figures.get(figures.len() / 2).copied().unwrap_or(0.0))
    }
}

fn spread(ratios: impl Iterator<Item = f64>) -> Value {
    let mut ratios: Vec<f64> = ratios.filter(|ratio| ratio.is_finite()).collect();
    ratios.sort_by(f64::total_cmp);
    let at = |place: usize| ratios.get(place).copied().map(rounded);
    json!({
        "median": at(ratios.len() / 2),
        "min": at(0),
        "max": at(ratios.len().saturating_sub(1)),
        "pairs": ratios.len(),
    })
}

/// Three digits are as many as such a figure has.
pub(crate) fn rounded(figure: f64) -> f64 {
    let scale = if figure.abs() >= 100.0 { 10.0 } else { 1_000.0 };
    (figure * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_a_b_b_a() {
        use Side::{Ours, Peer};
        let order: Vec<Side> = order().take(2).flatten().collect();
        assert_eq!(order, [Ours, Peer, Peer, Ours]);
    }

    #[test]
    fn the_median_and_the_spread_are_those_of_the_pairs() {
        let mut pairs = Pairs::default();
        for (ours, peer) in [(1.0, 2.0), (1.0, 9.0), (2.0, 6.0)] {
            pairs.add(Side::Ours, ours);
            pairs.add(Side::Peer, peer);
        }
        assert_eq!(pairs.less(), json!({"median": 3.0, "min": 2.0, "max": 9.0, "pairs": 3}));
        assert_eq!(pairs.more()["max"], 0.5);
        assert!((pairs.median(Side::Peer) - 6.0).abs() < 1e-9);
    }
}
