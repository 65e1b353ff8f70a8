//! Shares that are kept exactly: so many of a kind for so many residents, whatever comes by chance.
//!
//! What one municipality is too small for is carried on to the next.

/// A share of the residents, earned by everybody who is registered and spent on those of the kind.
#[derive(Clone, Debug)]
pub(crate) struct Share {
    /// Of so many residents …
    of: u64,
    /// … so many are of the kind.
    are: u64,
    /// Earned and not spent, in `of`-ths of a resident; below 0 where a household was larger than
    /// what was left.
    open: i64,
}

impl Share {
    pub(crate) const fn new(are: u64, of: u64) -> Self {
        Self { of, are, open: 0 }
    }

    /// So many residents have come.
    pub(crate) fn earn(&mut self, residents: u64) {
        self.open = self.open.saturating_add_unsigned(residents.saturating_mul(self.are));
    }

    /// So many of the kind have come.
    pub(crate) fn spend(&mut self, residents: u64) {
        self.open = self.open.saturating_sub_unsigned(residents.saturating_mul(self.of));
    }

    /// Whole residents of the kind who are due.
    pub(crate) fn due(&self) -> u64 {
        u64::try_from(self.open).unwrap_or(0) / self.of.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_met_to_the_last_resident() {
        let mut share = Share::new(2, 1_000);
        let mut found = 0;
        for _ in 0..10_000 {
            share.earn(3);
            if share.due() > 0 {
                // A whole household of four comes at once.
                share.spend(4);
                found += 4;
            }
        }
        assert_eq!(found, 60);
    }
}
