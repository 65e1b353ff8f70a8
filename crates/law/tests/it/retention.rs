//! The terms of retention are a document: this test compares the table with the golden file,
//! which a reviewer holds against the articles.

#[test]
fn the_golden_file_is_the_table() {
    let table = law::retention::table();
    if std::env::var_os("JUKINET_GOLDEN_WRITE").is_some() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/golden/retention.txt"), &table)
            .unwrap();
    }
    let golden =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/golden/retention.txt"));
    assert_eq!(
        golden.unwrap_or_default(),
        table,
        "run with JUKINET_GOLDEN_WRITE=1 and read git diff"
    );
}
