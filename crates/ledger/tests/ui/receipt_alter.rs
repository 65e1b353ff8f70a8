//! A receipt turned to another entry.
use ledger::{EntryId, Receipt};

fn main() {
    let mut receipt = Receipt::assert_durable(EntryId(1), "jukinet.example/center", 0, 1);
    receipt.entry = EntryId(2);
}
