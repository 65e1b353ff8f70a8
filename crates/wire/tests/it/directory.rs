//! The directory: who signed it, when it counts, who is in it.

use crate::sample::{self, AT, date, id};
use law::affair::AgencyCode;
use law::organ::CardId;
use law::time::Timestamp;
use wire::directory::{
    DIRECTORY_SIGNING_PREFIX, DIRECTORY_SKEW_MS_MAX, DIRECTORY_VALID_MS, DirectoryError,
};
use wire::*;

const KEY: [u8; 65] = [4; 65];

/// Stands for a signature: the key must be the center's, the message begin with the prefix, and the
/// signature be its length.
fn signed(public: &[u8; 65], message: &[u8], signature: &[u8; 64]) -> bool {
    *public == KEY
        && message.starts_with(DIRECTORY_SIGNING_PREFIX)
        && signature[..8] == (message.len() as u64).to_be_bytes()
}

fn sign(body: Vec<u8>) -> SignedDirectory {
    let mut signature = [0; 64];
    let length = (DIRECTORY_SIGNING_PREFIX.len() + body.len()) as u64;
    signature[..8].copy_from_slice(&length.to_be_bytes());
    SignedDirectory { body, signature }
}

fn good() -> SignedDirectory {
    sign(sample::directory().encode().unwrap())
}

#[test]
fn a_signed_current_directory_is_taken() {
    for now in [AT.0, AT.0 + DIRECTORY_VALID_MS - 1, AT.0 - DIRECTORY_SKEW_MS_MAX] {
        let taken = Directory::verify(&good(), KEY, Timestamp(now), signed);
        assert_eq!(taken, Ok(sample::directory()));
    }
}

#[test]
fn each_reason_to_refuse_has_its_name() {
    let verify = |signed_directory, key, now: u64| {
        Directory::verify(&signed_directory, key, Timestamp(now), signed).unwrap_err()
    };
    assert_eq!(verify(good(), [5; 65], AT.0), DirectoryError::BadSignature);
    let changed = SignedDirectory { signature: [0; 64], ..good() };
    assert_eq!(verify(changed, KEY, AT.0), DirectoryError::BadSignature);
    assert_eq!(verify(good(), KEY, AT.0 + DIRECTORY_VALID_MS), DirectoryError::Expired);
    let early = AT.0 - DIRECTORY_SKEW_MS_MAX - 1;
    assert_eq!(verify(good(), KEY, early), DirectoryError::NotYet);
    assert!(matches!(
        verify(sign(b"no directory".to_vec()), KEY, AT.0),
        DirectoryError::Malformed(_)
    ));
}

#[test]
fn an_older_serial_is_refused_the_same_or_newer_taken() {
    let after = |held| Directory::verify_after(&good(), KEY, AT, signed, held);
    assert!(after(11).is_ok());
    assert!(after(12).is_ok());
    assert_eq!(after(13), Err(DirectoryError::SerialOlder { held: 13, offered: 12 }));
}

#[test]
fn members_operators_and_agreements_are_found() {
    let directory = sample::directory();
    assert_eq!(directory.member(&id("center")).unwrap().role, Role::Center);
    assert_eq!(directory.member(&id("agency-2")), None);
    assert_eq!(directory.member_by_pin(&[3; 32]).unwrap().state, MemberState::Isolated);
    assert_eq!(directory.member_by_pin(&[9; 32]), None);
    let card = CardId::parse("agency-1-0001").unwrap();
    let standing = directory.operator(&card).unwrap().standing(true);
    assert!(standing.signature_valid && !standing.revoked && standing.card == card);
    assert_eq!(directory.operator(&CardId::parse("agency-1-0002").unwrap()), None);
    let agency = AgencyCode::parse("A074").unwrap();
    let on = |day| directory.agreement(&agency, date(day)).is_some();
    assert!(on("2013-04-01") && on("2014-03-31"));
    assert!(!on("2013-03-31") && !on("2014-04-01"));
    assert_eq!(directory.agreement(&AgencyCode::parse("A001").unwrap(), date("2013-10-01")), None);
}

#[test]
fn lists_travel_sorted_and_without_doubles() {
    let mut shuffled = sample::directory();
    shuffled.members.reverse();
    assert_eq!(shuffled.encode(), sample::directory().encode());

    let refused = |change: &dyn Fn(&mut Directory)| {
        let mut directory = sample::directory();
        change(&mut directory);
        match directory.encode() {
            Err(EncodeError::Refused(error)) => (error.field, error.rule),
            other => panic!("{other:?}"),
        }
    };
    let double = DecodeRule::Duplicate;
    assert_eq!(refused(&|d| d.members[1].id = d.members[0].id.clone()), ("members", double));
    assert_eq!(refused(&|d| d.members[1].pin = d.members[0].pin), ("pin", double));
    assert_eq!(refused(&|d| d.operators.push(d.operators[0].clone())), ("operators", double));
    assert_eq!(refused(&|d| d.agreements.push(d.agreements[0].clone())), ("agreements", double));
    let invalid = DecodeRule::Invalid;
    assert_eq!(refused(&|d| d.expires_at.0 += 1), ("expires_at", invalid));
    assert_eq!(refused(&|d| d.members[0].address = "center:80".to_owned()), ("address", invalid));
}

/// Members out of order are another encoding of the same directory, and so refused.
#[test]
fn an_unsorted_body_is_not_canonical() {
    let member = |name: &str| {
        let mut directory = sample::directory();
        directory.members.retain(|member| member.id == id(name));
        directory.operators.clear();
        directory.agreements.clear();
        directory.encode().unwrap()
    };
    // serial, issued_at, expires_at; one member; epoch: the members are what differs between two.
    let (a, b) = (member("agency-1"), member("center"));
    let head = a.iter().zip(&b).take_while(|(x, y)| x == y).count() - 1;
    let tail = 6;
    let row = |bytes: &[u8]| bytes[head..bytes.len() - tail].to_vec();
    let body = |rows: [Vec<u8>; 2]| [&a[..head], &rows.concat(), &a[a.len() - tail..]].concat();
    assert!(Directory::decode(&body([row(&a), row(&b)])).is_ok());
    let error = Directory::decode(&body([row(&b), row(&a)])).unwrap_err();
    assert_eq!(error.rule, DecodeRule::NotCanonical);
}
