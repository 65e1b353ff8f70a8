//! Pairs of ours and the peer in one run, in the order A B B A, so that what else the machine does
//! falls on both. Pure; the ratios are made in `record`.

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

    /// The figures of a side, in the order in which they were measured.
    pub(crate) fn figures(&self, side: Side) -> &[f64] {
        match side {
            Side::Ours => &self.ours,
            Side::Peer => &self.peer,
        }
    }

    /// The middle figure of a side.
    pub(crate) fn median(&self, side: Side) -> f64 {
        let mut figures = self.figures(side).to_vec();
        figures.sort_by(f64::total_cmp);
        rounded(figures.get(figures.len() / 2).copied().unwrap_or(0.0))
    }
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
    fn the_median_is_that_of_one_side() {
        let mut pairs = Pairs::default();
        for (ours, peer) in [(1.0, 2.0), (1.0, 9.0), (2.0, 6.0)] {
            pairs.add(Side::Ours, ours);
            pairs.add(Side::Peer, peer);
        }
        assert!((pairs.median(Side::Ours) - 1.0).abs() < 1e-9);
        assert!((pairs.median(Side::Peer) - 6.0).abs() < 1e-9);
    }
}
