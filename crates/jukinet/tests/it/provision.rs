//! The key ceremony of the demonstration country: what it writes is read by what reads it.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use jukinet::card_file::{CardFile, InsertError, pin_path};
use jukinet::config::{load_node, load_terminal};
use jukinet::provision::{Plan, PlanError, ProvisionError, country};
use jukinet::{clock, dice, disk, token_file};
use token::card::{CardError, CardTrust, TerminalIdentity, login};
use token::verify;
use wire::{Directory, SignedDirectory};

#[test]
fn a_country_is_made_whole() {
    let folder = tempfile::tempdir().unwrap();
    let now = clock::now();
    let mut plan = Plan::demo((20_000..20_100).collect(), now).unwrap();
    let country = country(folder.path(), &plan, &mut dice::fill).unwrap();
    assert_eq!(country.nodes.len(), 12);
    assert_eq!(country.terminals.len(), 9);
    assert_eq!(plan.ports_needed(), 21);
    only_the_owner_reads(folder.path());
    for node in &country.nodes {
        let config = load_node(&node.config).unwrap();
        assert_eq!(config.node, node.node);
        token_file::open(&config.token).unwrap();
        let bytes = disk::read(&config.directory, 1 << 20).unwrap();
        let signed = SignedDirectory::decode(&bytes).unwrap();
        let key = config.center.directory_key;
        let directory = Directory::verify(&signed, key, now, verify::p256).unwrap();
        assert_eq!(directory.members.len(), 12);
        assert_eq!(directory.serial, 1);
    }
    for terminal in &country.terminals {
        let config = load_terminal(&terminal.config).unwrap();
        assert_eq!(config.ledgers.len(), 12);
        let server = country.node(config.server.node.as_str()).unwrap();
        let server = load_node(&server.config).unwrap();
        assert!(server.lan.iter().any(|peer| peer.node == config.node));
    }
    let agency = country.terminal("agency-1").unwrap();
    assert!(agency.cards[0].affairs.len() >= 30, "the pension agency has many affairs");
    assert!(country.terminal("municipality-132152").unwrap().cards[0].affairs.len() > 10);
    plan.ports.truncate(20);
    let short = jukinet::provision::country(folder.path(), &plan, &mut dice::fill);
    assert!(matches!(short, Err(ProvisionError::Plan(PlanError::Ports { .. }))));
}

#[test]
fn its_cards_log_in_where_they_should_and_only_there() {
    let folder = tempfile::tempdir().unwrap();
    let plan = Plan::demo((20_000..20_100).collect(), clock::now()).unwrap();
    let country = country(folder.path(), &plan, &mut dice::fill).unwrap();
    let place = country.terminal("agency-1").unwrap();
    let config = load_terminal(&place.config).unwrap();
    let certificate = disk::read(&config.certificate, 4096).unwrap();
    let token = token_file::open(&config.token).unwrap();
    let identity = TerminalIdentity::new(certificate, token).unwrap();
    let trust = CardTrust::new(config.card_issuer_key, clock::now().date_in_japan());
    let card = |operator: &str| place.cards.iter().find(|each| each.operator == operator).unwrap();
    let enter = |operator: &str| {
        let card = card(operator);
        assert_eq!(pin_path(&card.file), card.pin);
        let pin = disk::read_pin(&card.pin).unwrap();
        let mut reader = CardFile::insert(&card.file).unwrap();
        login(&mut reader, &identity, &trust, &pin, dice::array())
    };
    assert_eq!(enter("clerk").unwrap().card, card("clerk").card);
    assert!(matches!(enter("expired"), Err(CardError::Expired { .. })));
    // The wrong card is genuine: it opens, and what it signs is refused by law.
    assert_ne!(enter("wrong").unwrap().organ, config.organ);
}

#[test]
fn a_card_is_in_one_reader_and_remembers_wrong_pins() {
    let folder = tempfile::tempdir().unwrap();
    let plan = Plan::demo((20_000..20_100).collect(), clock::now()).unwrap();
    let country = country(folder.path(), &plan, &mut dice::fill).unwrap();
    let place = country.terminal("agency-2").unwrap();
    let config = load_terminal(&place.config).unwrap();
    let certificate = disk::read(&config.certificate, 4096).unwrap();
    let token = token_file::open(&config.token).unwrap();
    let identity = TerminalIdentity::new(certificate, token).unwrap();
    let trust = CardTrust::new(config.card_issuer_key, clock::now().date_in_japan());
    let file = &place.cards[0].file;
    let pin = disk::read_pin(&place.cards[0].pin).unwrap();
    let wrong = if pin.as_str() == "123456" { "654321" } else { "123456" };
    for left in [2, 1] {
        let mut reader = CardFile::insert(file).unwrap();
        assert!(matches!(CardFile::insert(file), Err(InsertError::InUse { .. })));
        let refused = login(&mut reader, &identity, &trust, wrong, dice::array());
        assert!(
            matches!(refused, Err(CardError::PinWrong { left: found }) if found == left),
            "{refused:?}"
        );
    }
    let mut reader = CardFile::insert(file).unwrap();
    login(&mut reader, &identity, &trust, &pin, dice::array()).unwrap();
    std::fs::remove_file(file).unwrap();
    assert!(!reader.is_present());
    assert!(login(&mut reader, &identity, &trust, &pin, dice::array()).is_err());
}

fn only_the_owner_reads(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o077;
        assert_eq!(mode, 0, "{}", entry.path().display());
        if entry.path().is_dir() {
            only_the_owner_reads(&entry.path());
        }
    }
}
