//! The rights table of operator cards is a document: this test compares it with the golden file.

#[test]
fn the_golden_file_is_the_table() {
    assert_eq!(law::organ::card_rights(), include_str!("../../golden/card_rights.txt"));
}
