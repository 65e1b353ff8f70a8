//! Personal data: no way to print it by accident, and every place that turns it into text or
//! vouches for a record stands on a list.

use super::allow::{Power, breaches, everything};
use super::scan::words;
use super::{Finding, Tree};

/// Types that hold something about one person.
const PERSONAL: &[&str] = &[
    "Name",
    "Kana",
    "Address",
    "Sex",
    "BirthDate",
    "RecordCode",
    "FourItems",
    "IdentityInformation",
    "Held",
    "LastChange",
    "ProvidedPerson",
    "ChangeNotice",
    "QueryDraft",
    "Query",
    "Probe",
    "Release",
    "ResidentRecord",
    "RecordCopy",
    "Sheet",
];

/// Of these, the leaves whose `Debug` must be written by hand, so that it prints `Name(…)`.
const LEAVES: &[&str] =
    &["Name", "Kana", "Address", "Sex", "BirthDate", "RecordCode", "QueryDraft", "Probe"];

/// Law 30条の24 ff. (安全確保): what has no `Display` cannot reach a log line or an error message.
pub(super) fn personal_display(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for (file, rust) in tree.rust() {
        let mut derives_debug = false;
        for (index, line) in rust.code.lines().enumerate() {
            let list: Vec<&str> = words(line).collect();
            let named =
                |names: &[&str], word: Option<&&str>| word.is_some_and(|word| names.contains(word));
            let shows = list.first() == Some(&"impl") && line.contains("Display for");
            let mut target = list.iter().skip_while(|word| **word != "for");
            if shows && target.any(|word| PERSONAL.contains(word)) {
                let what = "Display on a personal type; text comes out through expose() only";
                found.push(Finding::new(&file.path, index + 1, what));
            }
            if line.trim_start().starts_with("#[derive") {
                derives_debug = list.contains(&"Debug");
            }
            let item = list.iter().position(|word| ["struct", "enum"].contains(word));
            if let Some(at) = item {
                let law = file.path.starts_with("crates/law/");
                if law && derives_debug && named(LEAVES, list.get(at + 1)) {
                    let what = "derived Debug on a personal type prints the person";
                    found.push(Finding::new(&file.path, index + 1, what));
                }
                derives_debug = false;
            }
        }
    }
    found
}

const EXPOSE: Power = Power {
    what: "personal data becomes text only in the files listed for it",
    signs: &[".expose()", "::expose", ".expose_item(", ".expose_items(", ".expose_lines("],
    allowed: &[
        ("crates/law/src/query.rs", "folds the legal search keys"),
        ("crates/law/src/moving.rs", "compares a claimed name with the record's"),
        ("crates/law/src/register/", "the items of a resident record, as the register writes them"),
        ("crates/wire/src/person.rs", "writes messages"),
        ("crates/wire/src/moving.rs", "writes messages"),
        ("crates/wire/src/pool.rs", "writes messages"),
        ("crates/wire/src/compare.rs", "writes messages"),
        ("crates/node/src/ports.rs", "keys of facts, of which a store keeps a keyed digest"),
        ("crates/node/src/center/pool.rs", "codes that are nobody's yet, as they are kept"),
        ("crates/node/src/municipality/pool.rs", "codes that are nobody's yet, as they are kept"),
        ("crates/node/src/reconcile/", "digests of records under a key of the day"),
        ("crates/wire/src/disclosure.rs", "writes messages"),
        ("crates/wire/src/desk.rs", "writes messages"),
        ("crates/ledger/src/entry.rs", "the subject line of an entry about one person"),
        ("crates/ledger/src/entry_field.rs", "the same, as one field"),
        ("crates/store/src/compact.rs", "residents' rows, sealed before they touch the disk"),
        ("crates/store/src/row.rs", "rows, sealed before they touch the disk"),
        ("crates/store/src/register/", "the register's rows and keyed digests"),
        ("crates/store/src/model/state.rs", "keys of the model in memory"),
        ("crates/store/src/sealing.rs", "keyed digests of codes"),
        ("crates/store/src/sqlite/", "keyed digests of the legal search keys"),
        ("crates/desk/src/shown.rs", "the one way onto a page"),
        ("crates/desk/src/paper.rs", "papers that the register's office prints"),
        ("crates/jukinet/src/register/", "filings in, the file of notices out, the clerk's screen"),
        ("crates/jukinet/src/command/code.rs", "prints record codes it has just drawn"),
        ("crates/jukinet/src/command/inquire.rs", "the command twin of the result page"),
        ("crates/jukinet/src/gateway/codes.rs", "a code of the pool, to the register system"),
        ("crates/jukinet/src/resident_file.rs", "the resident's own file"),
        ("crates/lab/src/population/", "invented residents, as CSV"),
        ("crates/lab/src/codes.rs", "statistics of codes that are nobody's"),
        ("crates/lab/src/model/", "the model's invented resident"),
        ("crates/lab/src/swarm/", "the simulator's oracle over invented residents"),
        ("crates/lab/src/bench/", "questions about invented residents"),
        ("crates/lab/src/crash/", "a day of invented residents"),
        ("crates/lab/src/scenario/", "scripts about invented residents"),
    ],
};

/// Callers of `expose()`.
pub(super) fn expose(tree: &Tree) -> Vec<Finding> {
    breaches(tree, &EXPOSE, |file| match file.krate() {
        Some("xtask") => String::new(),
        _ => file.product_code(),
    })
}

const SHOWN: Power = Power {
    what: "personal data reaches a page only through the pages listed for it",
    signs: &["Shown"],
    allowed: &[
        ("crates/desk/src/shown.rs", "defines it"),
        ("crates/desk/src/lib.rs", "names it for the documentation"),
        ("crates/desk/src/inquiry.rs", "gives the clerk's own words back to the form"),
        ("crates/desk/src/meter.rs", "the same, without a script"),
        ("crates/desk/src/result.rs", "the answer"),
        ("crates/desk/src/disclosure.rs", "the resident's own timeline"),
    ],
};

/// Users of the desk's wrapper.
pub(super) fn shown(tree: &Tree) -> Vec<Finding> {
    breaches(tree, &SHOWN, |file| match file.krate() {
        Some("desk") => file.product_code(),
        _ => String::new(),
    })
}

const RECEIPT: Power = Power {
    what: "only who has seen the entry become durable may say so",
    signs: &["assert_durable"],
    allowed: &[
        ("crates/ledger/src/receipt.rs", "defines it"),
        ("crates/ledger/tests/", "tests of the receipt itself"),
        ("crates/node/tests/", "tests that play the runner over a model of the store"),
        ("crates/jukinet/src/runner/engine.rs", "the runner, after the commit returned"),
        ("crates/lab/src/swarm/serve.rs", "the simulated runner, after its store committed"),
        ("crates/lab/src/model/node.rs", "the model's runner, after its store committed"),
    ],
};

/// Callers of `Receipt::assert_durable`, tests included: one origin per proof.
pub(super) fn receipt_origin(tree: &Tree) -> Vec<Finding> {
    breaches(tree, &RECEIPT, everything)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_on_a_person_is_found() {
        let count = |text| personal_display(&Tree::of(&[("crates/law/src/a.rs", text)])).len();
        assert_eq!(count("impl fmt::Display for Name {"), 1);
        assert_eq!(count("impl std::fmt::Display for law::RecordCode {"), 1);
        assert_eq!(count("impl Display for RecordCode {"), 1);
        assert_eq!(count("impl fmt::Display for Organ {"), 0);
        assert_eq!(count("#[derive(Debug, Clone)]\npub struct RecordCode([u8; 11]);"), 1);
        assert_eq!(count("#[derive(Clone)]\npub struct RecordCode([u8; 11]);"), 0);
    }

    #[test]
    fn personal_text_elsewhere_is_found() {
        let place = "crates/node/src/center/mod.rs";
        for code in ["let text = name.expose();", "names.map(Name::expose)"] {
            let found = expose(&Tree::of(&[(place, code)]));
            let here = found.iter().filter(|finding| finding.path == place).count();
            assert_eq!(here, 1, "{code}");
        }
    }

    #[test]
    fn a_page_that_shows_people_without_being_listed_is_found() {
        let bad = ("crates/desk/src/network.rs", "Shown::name(&name)");
        let found = shown(&Tree::of(&[bad]));
        assert!(found.iter().any(|finding| finding.path == bad.0), "{found:?}");
    }

    #[test]
    fn a_receipt_made_elsewhere_is_found() {
        for path in ["crates/node/src/provider.rs", "crates/desk/tests/it/main.rs"] {
            let bad = (path, "Receipt::assert_durable(entry, origin, 0, 1)");
            let found = receipt_origin(&Tree::of(&[bad]));
            assert!(found.iter().any(|finding| finding.path == path), "{path}");
        }
    }
}
