//! What both engines' bulk loads have in common: how much one transaction takes, and the index
//! terms of one chunk, brought into the order of the index before they are written.

use law::query::IndexKind;
use node::ports::StoreError;

/// People in one transaction of a bulk load: enough that one pass through the index meets each of
/// its pages several times, few enough that their terms (24 bytes each, some six a person) stay
/// below 50 MiB.
pub(crate) const PEOPLE_PER_COMMIT_COUNT_MAX: usize = 250_000;

/// The index terms of one chunk: digest, kind, row.
#[derive(Debug)]
pub(crate) struct ChunkTerms {
    first: i64,
    next: i64,
    terms: Vec<(i64, u8, i64)>,
}

impl ChunkTerms {
    /// Rows are numbered from `first`.
    pub(crate) fn new(first: i64) -> Self {
        Self { first, next: first, terms: Vec::new() }
    }

    /// The number of the next row; its terms are kept for the end.
    pub(crate) fn add(&mut self, terms: Vec<(i64, u8)>) -> i64 {
        let id = self.next;
        self.next = self.next.saturating_add(1);
        self.terms.extend(terms.into_iter().map(|(digest, kind)| (digest, kind, id)));
        id
    }

    pub(crate) fn first(&self) -> i64 {
        self.first
    }

    pub(crate) fn people(&self) -> u64 {
        u64::try_from(self.next.saturating_sub(self.first)).unwrap_or(0)
    }

    /// Sorted as the index is, each once.
    pub(crate) fn in_order(mut self) -> Vec<(i64, u8, i64)> {
        self.terms.sort_unstable();
        self.terms.dedup();
        self.terms
    }
}

pub(crate) fn is_code(kind: u8) -> bool {
    kind == IndexKind::Code.number()
}

/// The refusal of a code that is there already. Says which person of the load, never who.
pub(crate) fn held_already(before: u64, of_chunk: i64) -> StoreError {
    let number = before.saturating_add(u64::try_from(of_chunk).unwrap_or(0)).saturating_add(1);
    StoreError::Io(format!(
        "person {number} of the load has a code that is held already; of the load, {before} people \
            are kept"
    ))
}
