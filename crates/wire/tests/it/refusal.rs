//! Refusals: one size, whatever they say. Answers: few sizes, the first that of a refusal.

use std::collections::BTreeSet;

use crate::sample;
use law::denial::Denial;
use wire::limits::{HINT_BYTES_MAX, HINT_EN_BYTES_MAX, LAW_BYTES_MAX, RULE_BYTES_MAX};
use wire::*;

fn size(id: u64, refusal: Refusal) -> usize {
    let frame = Frame { id, body: FrameBody::Reply(Reply::Refusal(refusal)) };
    let bytes = frame::encode(&frame).unwrap();
    assert_eq!(frame::decode(&bytes[4..]), Ok(frame));
    bytes.len()
}

#[test]
fn every_rule_has_the_same_size() {
    let mut sizes = BTreeSet::new();
    for denial in Denial::ALL {
        for id in [0, 1, 127, 128, u64::MAX] {
            for digest in [[0; 32], [0xff; 32]] {
                sizes.insert(size(id, Refusal::new(digest, &denial.public())));
            }
        }
    }
    assert_eq!(sizes.len(), 1, "{sizes:?}");
}

/// Every rule id with every length of hint, around each place where a length takes one byte more.
#[test]
fn every_length_of_hint_has_the_same_size() {
    let expected = size(1, sample::refusal(Denial::MoreThan50));
    for denial in Denial::ALL {
        for length in (0..=HINT_BYTES_MAX).step_by(7).chain([1, 127, 128, 129, HINT_BYTES_MAX]) {
            let public = denial.public();
            let refusal = Refusal {
                digest: [7; 32],
                rule: public.rule.to_owned(),
                law: "x".repeat(length.min(LAW_BYTES_MAX)),
                hint: "x".repeat(length),
                hint_en: "x".repeat(length.min(HINT_EN_BYTES_MAX)),
            };
            assert_eq!(size(1, refusal), expected, "{} {length}", public.rule);
        }
    }
    let longest = Refusal {
        digest: [0xff; 32],
        rule: "r".repeat(RULE_BYTES_MAX),
        law: "l".repeat(LAW_BYTES_MAX),
        hint: "h".repeat(HINT_BYTES_MAX),
        hint_en: "e".repeat(HINT_EN_BYTES_MAX),
    };
    assert_eq!(size(1, longest), expected);
}

#[test]
fn one_byte_over_a_limit_is_not_sent() {
    let base = sample::refusal(Denial::MoreThan50);
    let over = [
        ("rule", Refusal { rule: "r".repeat(RULE_BYTES_MAX + 1), ..base.clone() }),
        ("law", Refusal { law: "l".repeat(LAW_BYTES_MAX + 1), ..base.clone() }),
        ("hint", Refusal { hint: "h".repeat(HINT_BYTES_MAX + 1), ..base.clone() }),
        ("hint_en", Refusal { hint_en: "e".repeat(HINT_EN_BYTES_MAX + 1), ..base }),
    ];
    for (field, refusal) in over {
        let frame = Frame { id: 1, body: FrameBody::Reply(Reply::Refusal(refusal)) };
        match frame::encode(&frame) {
            Err(EncodeError::Refused(error)) => {
                assert_eq!(error.field, field);
                assert!(matches!(error.rule, DecodeRule::TooLong { .. }));
            }
            other => panic!("{field}: {other:?}"),
        }
    }
}

#[test]
fn padding_that_says_something_is_refused() {
    let reply = Reply::Refusal(sample::refusal(Denial::MoreThan50));
    let bytes = frame::encode(&Frame { id: 1, body: FrameBody::Reply(reply) }).unwrap();
    let mut message = bytes[4..].to_vec();
    *message.last_mut().unwrap() = 1;
    assert_eq!(frame::decode(&message).unwrap_err().rule, DecodeRule::NotCanonical);
}

/// What a carrier sees of an answer: whether anybody was found must not show in its length.
#[test]
fn found_not_found_and_refused_have_one_size() {
    let refused = size(1, sample::refusal(Denial::MoreThan50));
    let answered = |count: usize, name: usize| {
        let mut person = sample::person();
        person.name = law::people::Name::parse(&"国".repeat(name)).unwrap();
        let persons = vec![person; count];
        let (digest, ledger) = ([7; 32], "jukinet.example/center".to_owned());
        let answer = Answer { digest, ledger, index: count as u64, persons };
        let frame = Frame { id: 1, body: FrameBody::Reply(Reply::Answer(answer)) };
        let bytes = frame::encode(&frame).unwrap();
        assert_eq!(frame::decode(&bytes[4..]), Ok(frame), "{count} {name}");
        bytes.len()
    };
    for count in 0..=5 {
        assert_eq!(answered(count, 4), refused, "{count}");
    }
    let mut sizes = BTreeSet::new();
    for count in 0..=50 {
        for name in 1..=200 {
            sizes.insert(answered(count, name));
        }
    }
    assert_eq!(sizes.len(), 3, "{sizes:?}");
}
