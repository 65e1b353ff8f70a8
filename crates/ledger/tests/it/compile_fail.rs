//! A receipt is proof only while no one can make, copy or alter one: the compiler says so.
//!
//! Not here: who calls the one constructor; tidy holds that list.

#[test]
fn a_receipt_cannot_be_forged() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/receipt_*.rs");
}
