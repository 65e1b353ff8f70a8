//! Goldens: text files a reviewer reads. `JUKINET_GOLDEN=write` writes them anew, for `git diff`.

use std::path::PathBuf;

/// Compares `text` with `golden/<name>`.
pub(crate) fn compare(name: &str, text: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden").join(name);
    if std::env::var("JUKINET_GOLDEN").as_deref() == Ok("write") {
        std::fs::write(&path, text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(golden == text, "golden/{name} differs; this run made:\n{text}");
}
