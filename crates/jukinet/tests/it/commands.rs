//! The command line as scripts see it: exit codes, JSON shapes, help texts.

use std::path::Path;
use std::process::{Command, Output};

use ledger::checkpoint::{Checkpoint, signed_checkpoint};
use ledger::note::VerifierKey;
use serde_json::Value;

fn jukinet(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_jukinet")).args(arguments).output().unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

#[test]
fn codes_are_drawn_and_checked() {
    let drawn = jukinet(&["code", "new", "--count", "50", "--json"]);
    assert_eq!(code(&drawn), Some(0));
    let codes = json(&drawn)["codes"].as_array().unwrap().clone();
    assert_eq!(codes.len(), 50);
    let first = codes[0].as_str().unwrap();
    assert_eq!(first.len(), 11);
    let checked = jukinet(&["code", "check", first, "--json"]);
    assert_eq!((code(&checked), json(&checked)["ok"].as_bool()), (Some(0), Some(true)));
    let last = first.chars().last().unwrap().to_digit(10).unwrap();
    let wrong = format!("{}{}", &first[..10], (last + 1) % 10);
    let refused = jukinet(&["code", "check", &wrong, "--json"]);
    assert_eq!((code(&refused), json(&refused)["ok"].as_bool()), (Some(3), Some(false)));
    assert_eq!(code(&jukinet(&["code", "check", "123"])), Some(3));
    assert_eq!(code(&jukinet(&["code", "new", "--count", "0"])), Some(2));
}

#[test]
fn the_tables_are_data_and_the_decision_cites_them() {
    let rows = json(&jukinet(&["law", "affairs", "--epoch", "2013", "--json"]));
    let rows = rows.as_array().unwrap();
    let keys: Vec<&str> = rows[0].as_object().unwrap().keys().map(String::as_str).collect();
    for key in ["epoch", "table", "item", "recipient", "affair_no", "affair", "from", "to"] {
        assert!(keys.contains(&key), "{key}");
    }
    let row = rows.iter().find(|row| row["recipient"] == "厚生労働省及び日本年金機構").unwrap();
    let affair = format!("{}-{}-{}", row["table"], row["item"].as_str().unwrap(), row["affair_no"]);
    let agency = law::affair::agencies(law::Epoch::Founding)
        .into_iter()
        .find(|each| each.name == row["recipient"].as_str().unwrap())
        .unwrap()
        .code
        .to_string();
    let may = |affair: &str| {
        jukinet(&[
            "law",
            "may",
            "--agency",
            &agency,
            "--affair",
            affair,
            "--channel",
            "immediate",
            "--on",
            "2013-11-22",
            "--json",
        ])
    };
    let allowed = may(&affair);
    assert_eq!(code(&allowed), Some(0));
    assert!(json(&allowed)["law"].as_str().unwrap().contains("別表第一"));
    let refused = may("2-1-1");
    assert_eq!(code(&refused), Some(4));
    let refusal = &json(&refused)["refusal"];
    for key in ["rule", "law", "hint"] {
        assert!(!refusal[key].as_str().unwrap().is_empty());
    }
    let unknown = jukinet(&["law", "may", "--agency", "74", "--affair", "x", "--channel", "fax"]);
    assert_eq!(code(&unknown), Some(2));
}

#[test]
fn config_check_and_show_end_as_the_contract_says() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/municipality.toml");
    let example = example.to_str().unwrap();
    let checked = jukinet(&["config", "check", "--config", example, "--json"]);
    assert_eq!((code(&checked), json(&checked)["ok"].as_bool()), (Some(0), Some(true)));
    let shown = jukinet(&["config", "show", "--effective", "--config", example, "--json"]);
    assert_eq!(json(&shown)["token.pin_file"], "(redacted)");
    let missing = jukinet(&["config", "check", "--config", "/nonexistent/x.toml"]);
    assert_eq!(code(&missing), Some(2));
    assert!(String::from_utf8(missing.stdout).unwrap().contains("/nonexistent/x.toml:1: file"));
    assert_eq!(code(&jukinet(&["municipality", "serve"])), Some(2));
}

/// A ledger's key in a software token.
struct Signer(token::SoftwareToken, VerifierKey);

impl ledger::note::NoteSigner for Signer {
    fn name(&self) -> &str {
        self.1.name()
    }

    fn verifier_key(&self) -> &VerifierKey {
        &self.1
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], ledger::note::SignError> {
        let signed = token::Token::sign(&self.0, token::KeyName::Ledger, message);
        signed.map_err(|error| ledger::note::SignError::new(error.to_string()))
    }
}

fn a_signer() -> Signer {
    let keys = [token::KeyName::Ledger];
    let sealed = token::SoftwareToken::create(&keys, "0000", &mut jukinet::dice::fill).unwrap();
    let token = token::SoftwareToken::open(&sealed, "0000").unwrap();
    let public = token::Token::public_key(&token, token::KeyName::Ledger).unwrap();
    let key = VerifierKey::ed25519("jukinet.example/test", public.ed25519().unwrap()).unwrap();
    Signer(token, key)
}

/// A ledger of 300 leaves, written with the ledger crate's own publication.
fn a_ledger(folder: &Path) -> VerifierKey {
    let signer = a_signer();
    let key = signer.1.clone();
    let mut publication = ledger::Publication::new();
    (0..300u16).for_each(|number| publication.append([number.to_le_bytes()[0]; 32]));
    for file in publication.files() {
        let path = folder.join("ledger").join(file.path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, file.bytes).unwrap();
    }
    let checkpoint =
        Checkpoint { origin: key.name().to_owned(), size: 300, root: publication.root() };
    let note = signed_checkpoint(&checkpoint, &signer).unwrap();
    std::fs::write(folder.join("ledger/checkpoint"), note).unwrap();
    std::fs::write(folder.join("ledger.vkey"), format!("{key}\n")).unwrap();
    key
}

#[test]
fn a_ledger_is_sound_until_one_byte_changes() {
    let folder = tempfile::tempdir().unwrap();
    let key = a_ledger(folder.path()).to_string();
    let ledger = folder.path().join("ledger");
    let verify = |path: &Path, more: &[&str]| {
        let mut arguments = vec!["ledger", "verify", path.to_str().unwrap(), "--json"];
        arguments.extend(more);
        jukinet(&arguments)
    };
    for (path, key) in [
        (ledger.clone(), vec![]),
        (ledger.clone(), vec!["--key", key.as_str()]),
        (ledger.join("checkpoint"), vec!["--key", key.as_str()]),
    ] {
        let sound = verify(&path, &key);
        assert_eq!(code(&sound), Some(0), "{sound:?}");
        let report = json(&sound);
        assert_eq!(report["ok"], true);
        assert_eq!(report["size"], 300);
        assert_eq!(report["origin"], "jukinet.example/test");
        assert!(report["root"].is_string() && report["cosignatures"].is_array());
        assert!(report.get("first_bad").is_none());
    }
    let other = tempfile::tempdir().unwrap();
    let foreign = a_ledger(other.path()).to_string();
    assert_eq!(code(&verify(&ledger, &["--key", &foreign])), Some(3));
    let tile = ledger.join("tile/entries/000");
    let mut bytes = std::fs::read(&tile).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&tile, bytes).unwrap();
    let damaged = verify(&ledger, &[]);
    assert_eq!(code(&damaged), Some(3));
    assert_eq!(json(&damaged)["ok"], false);
    assert!(json(&damaged)["first_bad"]["path"].is_string());
    assert_eq!(code(&verify(&folder.path().join("nothing"), &[])), Some(2));
}

/// A resident's file with one row, as a prefecture would hand it out.
fn a_resident_file(signer: &Signer) -> Value {
    let at = law::time::Timestamp(1_385_000_000_000);
    let entry = ledger::Entry::build(ledger::EntryKind::Started, at, "center").finish().unwrap();
    let (entry, salt) = (entry.encode(), [7; 32]);
    let mut tree = ledger::MemoryTree::new();
    tree.append(ledger::leaf_hash(&ledger::commitment(&salt, &entry)));
    tree.append(ledger::leaf_hash(b"another"));
    let root = ledger::root(&tree, 2).unwrap();
    let origin = signer.1.name().to_owned();
    let checkpoint = Checkpoint { origin: origin.clone(), size: 2, root };
    let note = signed_checkpoint(&checkpoint, signer).unwrap();
    let hashes = ledger::inclusion_proof(&tree, 0, 2).unwrap();
    let proof = ledger::proof::encode(0, &hashes, &note);
    let code = law::code::RecordCode::from_ten_digits(1_234_567_890).unwrap();
    let day = law::time::Date::parse("2013-11-21").unwrap();
    jukinet::resident_file::encode(&wire::ResidentView {
        code,
        period_from: day,
        period_to: day,
        ledgers: vec![wire::ViewLedger {
            origin: origin.clone(),
            vkey: signer.1.to_string(),
            size: 2,
        }],
        rows: vec![wire::ViewRow { entry, salt, proof, ledger: origin }],
    })
}

#[test]
fn a_resident_file_verifies_offline_and_not_after_a_change() {
    let folder = tempfile::tempdir().unwrap();
    let signer = a_signer();
    let document = a_resident_file(&signer);
    let path = folder.path().join("view.json");
    let verify = |document: &Value, key: &str| {
        std::fs::write(&path, document.to_string()).unwrap();
        let mut arguments = vec!["ledger", "verify", path.to_str().unwrap(), "--json"];
        if !key.is_empty() {
            arguments.extend(["--key", key]);
        }
        jukinet(&arguments)
    };
    let own = signer.1.to_string();
    for key in ["", &own] {
        let sound = verify(&document, key);
        assert_eq!((code(&sound), json(&sound)["rows"].as_u64()), (Some(0), Some(1)), "{sound:?}");
        assert_eq!(json(&sound)["origin"], "jukinet.example/test");
    }
    // The key in the file is not the one the reader brought: a forger's ledger.
    assert_eq!(code(&verify(&document, &a_signer().1.to_string())), Some(3));
    let mut altered = document.clone();
    altered["rows"][0]["salt"] = Value::from("CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg=");
    let damaged = verify(&altered, "");
    assert_eq!(code(&damaged), Some(3));
    assert_eq!(json(&damaged)["first_bad"]["path"], "rows[0]");
    let mut cut = document;
    cut["rows"][0].as_object_mut().unwrap().remove("proof");
    assert_eq!(code(&verify(&cut, "")), Some(3));
}

#[test]
fn help_texts_are_a_document() {
    let mut text = String::new();
    for path in jukinet::cli::paths() {
        let names: Vec<&str> = path.iter().map(String::as_str).collect();
        text.push_str(&format!(
            "=== jukinet {}\n{}\n",
            names.join(" "),
            jukinet::cli::help(&names)
        ));
    }
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/help.txt");
    if std::env::var_os("JUKINET_GOLDEN_WRITE").is_some() {
        std::fs::create_dir_all(golden.parent().unwrap()).unwrap();
        std::fs::write(&golden, &text).unwrap();
    }
    let kept = std::fs::read_to_string(&golden).unwrap_or_default();
    assert!(kept == text, "run with JUKINET_GOLDEN_WRITE=1 and read the difference in git");
}
