//! A receipt written down as a literal.
use ledger::{EntryId, Receipt};

fn main() {
    let _ = Receipt { entry: EntryId(1), ledger: String::new(), first_index: 0, count: 1 };
}
