//! A receipt used for two releases.
use ledger::{EntryId, Receipt};

fn main() {
    let receipt = Receipt::assert_durable(EntryId(1), "jukinet.example/center", 0, 1);
    let _ = (receipt.clone(), receipt);
}
