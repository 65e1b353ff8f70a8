//! A receipt taken over with another entry in it.
use ledger::{EntryId, Receipt};

fn main() {
    let receipt = Receipt::assert_durable(EntryId(1), "jukinet.example/center", 0, 1);
    let _ = Receipt { entry: EntryId(3), ..receipt };
}
