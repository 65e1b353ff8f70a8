//! A directory that the center signs out of turn: the center takes it when it starts, if it goes on
//! from the one it keeps. So a lost card is revoked while no command does it.

use std::fs;
use std::time::Duration;

use jukinet::config::load_node;
use jukinet::token_file;
use token::KeyName;
use wire::{Directory, SignedDirectory};

use crate::country::{Country, KUNITACHI, Person, eventually};

const CARD: &str = "agency-1-clerk";

/// The first directory with the card revoked, under this number and signed with this key.
fn revoking(country: &Country, serial: u64, key: KeyName) -> Vec<u8> {
    let center = load_node(&country.made.node("center").unwrap().config).unwrap();
    let first = fs::read(country.dir().join("first.signed")).unwrap();
    let mut directory = Directory::decode(&SignedDirectory::decode(&first).unwrap().body).unwrap();
    directory.serial = serial;
    let row = directory.operators.iter_mut().find(|row| row.card.as_str() == CARD).unwrap();
    row.revoked = true;
    let body = directory.encode().unwrap();
    let token = token_file::open(&center.token).unwrap();
    let signature = token.sign(key, &SignedDirectory::signing_bytes(&body)).unwrap();
    SignedDirectory { body, signature }.encode()
}

#[test]
fn a_newer_directory_of_the_center_is_taken_at_start_and_no_other_is() {
    let mut country = Country::with_agency();
    let file = country.made.node("center").unwrap().folder.join("data/directory.signed");
    let first = fs::read(&file).unwrap();
    fs::write(country.dir().join("first.signed"), &first).unwrap();
    let code = Person::number(1, KUNITACHI).code;
    let asked = |country: &Country| country.ask_with("agency-1", CARD, &["--code", &code]);
    assert_eq!(asked(&country).code, 0);
    let revoking = [
        // Signed with another key of the center's token; of the number that is kept; newer.
        revoking(&country, 1_000, KeyName::CardIssuer),
        revoking(&country, 1, KeyName::Directory),
        revoking(&country, 1_000, KeyName::Directory),
    ];
    let mut starts_with = |bytes: &[u8], code: i32, rule: &str| {
        country.stop("center");
        fs::write(&file, bytes).unwrap();
        country.start("center");
        eventually("an answer", Duration::from_secs(20), || {
            let ran = asked(&country);
            assert!(ran.code == code || ran.code == 5, "{ran:?}");
            ran.code == code && (rule.is_empty() || ran.rule() == rule)
        });
    };
    starts_with(&revoking[0], 0, "");
    starts_with(&revoking[1], 0, "");
    starts_with(b"no directory at all", 0, "");
    starts_with(&revoking[2], 4, "card-revoked");
    // The one that was taken stays, whatever becomes of the file.
    starts_with(&first, 4, "card-revoked");
}
