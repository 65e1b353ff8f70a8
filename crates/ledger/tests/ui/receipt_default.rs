//! A receipt out of nothing.
fn main() {
    let _ = ledger::Receipt::default();
}
