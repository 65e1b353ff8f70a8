//! A copied directory shows nobody: no personal text in any file of the store, in any encoding.

use std::fs;
use std::path::{Path, PathBuf};

use node::ports::Write;

use crate::bench::{Bench, SqliteBench, signer};
use crate::people::{NOW, code, entry, foreign, held, history, kept};

const PEOPLE: u64 = 500;

fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for item in fs::read_dir(dir).unwrap() {
        let path = item.unwrap().path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

/// The text as UTF-8 and as UTF-16 in both byte orders.
fn encodings(text: &str) -> [Vec<u8>; 3] {
    [
        text.as_bytes().to_vec(),
        text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
    ]
}

fn needles() -> Vec<Vec<u8>> {
    let mut texts = std::collections::BTreeSet::new();
    for n in 0..PEOPLE {
        let person = held(n).identity;
        texts.insert(person.code.expose().to_owned());
        let items = person.items;
        for text in [items.name.expose(), items.kana.expose(), items.address.expose()] {
            texts.insert(text.to_owned());
            // Parts count as well, as long as chance does not make them.
            texts.extend(text.split('　').filter(|part| part.len() >= 6).map(str::to_owned));
        }
        texts.insert(items.birth.expose());
    }
    texts.iter().flat_map(|text| encodings(text)).collect()
}

fn load(bench: &mut SqliteBench) {
    for first in (0..PEOPLE).step_by(100) {
        let writes: Vec<Write> = (first..first + 100)
            .flat_map(|n| {
                [
                    Write::PutResident(held(n)),
                    Write::AppendHistory { code: code(n), row: history(n + 1, NOW), until: kept() },
                    Write::PutForeign { subject: code(n), entry: foreign(n, NOW) },
                    Write::Enqueue {
                        to: wire::NodeId::center(),
                        payload: held(n).identity.items.address.expose().as_bytes().to_vec(),
                    },
                ]
            })
            .collect();
        let entries: Vec<_> = (first..first + 100).map(|n| entry(n, &[n])).collect();
        bench.try_apply(&writes, &entries).unwrap();
        bench.try_commit().unwrap();
        bench.publish(&signer()).unwrap();
    }
}

#[test]
fn no_personal_text_in_any_file() {
    let mut bench = SqliteBench::new();
    load(&mut bench);
    let mut all = Vec::new();
    files(bench.dir.path(), &mut all);
    let names: Vec<String> = all.iter().map(|path| path.display().to_string()).collect();
    for part in ["store.db", "store.db-wal", "store.db-shm", "checkpoint", "tile/entries/"] {
        assert!(names.iter().any(|name| name.contains(part)), "{part} was not looked at");
    }
    let needles = needles();
    for path in all {
        let bytes = fs::read(&path).unwrap();
        assert_eq!(find(&bytes, &needles), None, "{}", path.display());
    }
    // The search itself can find.
    assert!(find(&encodings("xx佐藤　太郎yy")[1], &needles).is_some());
}

/// The first needle found; an index on the first four bytes keeps it quick.
fn find(bytes: &[u8], needles: &[Vec<u8>]) -> Option<usize> {
    let mut by_start: std::collections::HashMap<[u8; 4], Vec<&Vec<u8>>> = Default::default();
    for needle in needles {
        by_start.entry(needle[..4].try_into().unwrap()).or_default().push(needle);
    }
    (0..bytes.len().saturating_sub(3)).find(|&at| {
        let start: [u8; 4] = bytes[at..at + 4].try_into().unwrap();
        by_start.get(&start).is_some_and(|all| all.iter().any(|n| bytes[at..].starts_with(n)))
    })
}

#[test]
fn the_files_belong_to_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let mut bench = SqliteBench::new();
    bench.put(&[Write::PutResident(held(1))]);
    for name in ["store.db", "store.db-wal", "store.db-shm"] {
        let mode = fs::metadata(bench.dir.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name}");
    }
}
