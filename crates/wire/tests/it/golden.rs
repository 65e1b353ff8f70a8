//! The goldens of `wire/golden/`: one file of commented bytes for every message, which a vendor can
//! check an implementation against. `JUKINET_GOLDEN=write` writes them anew; the diff is reviewed.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use crate::{dump, sample};
use wire::connect::ConnectRequest;
use wire::frame::{self, FrameDecoder};
use wire::*;

pub(crate) struct Golden {
    pub(crate) file: String,
    pub(crate) text: String,
    pub(crate) bytes: Vec<u8>,
    /// Decodes and encodes again; `None` if the bytes were refused.
    pub(crate) again: fn(&[u8]) -> Option<Vec<u8>>,
}

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/golden"))
}

fn writing() -> bool {
    std::env::var_os("JUKINET_GOLDEN").is_some_and(|value| value == "write")
}

pub(crate) fn read(file: &str) -> String {
    fs::read_to_string(folder().join(file))
        .unwrap_or_else(|_| panic!("golden/{file} is missing; JUKINET_GOLDEN=write makes it"))
}

/// Compares a file with what it should say, or writes it.
pub(crate) fn check(file: &str, text: &str) {
    if writing() {
        fs::write(folder().join(file), text).unwrap();
    }
    assert!(read(file) == text, "golden/{file} differs; if meant, JUKINET_GOLDEN=write and review");
}

pub(crate) fn file_of(body: &FrameBody) -> String {
    match body {
        FrameBody::Request(request) => format!("request-{}.hex", request.kind().key()),
        FrameBody::Reply(reply) => format!("reply-{}.hex", reply.kind().key()),
    }
}

/// One frame from a stream, and back.
fn frame_again(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut decoder = FrameDecoder::new();
    decoder.push(bytes);
    let decoded = decoder.next().ok()??;
    decoder.finish().ok()?;
    Some(frame::encode(&decoded).unwrap())
}

fn framed(frame: &Frame) -> Golden {
    let bytes = frame::encode(frame).unwrap();
    let (length, message) = bytes.split_at(4);
    let text = format!(
        "# One frame with its length in front.\n# length: {}\n{}{}",
        message.len(),
        dump::hex(length),
        dump::fields(&dump::message("Frame"), message, 0)
    );
    Golden { file: file_of(&frame.body), text, bytes, again: frame_again }
}

fn plain(
    file: &str,
    name: &str,
    head: &str,
    bytes: Vec<u8>,
    again: fn(&[u8]) -> Option<Vec<u8>>,
) -> Golden {
    let body = dump::fields(&dump::message(name), &bytes, 0);
    Golden { file: file.to_owned(), text: format!("# {head}\n{body}"), bytes, again }
}

fn signed_body(file: &str, name: &str, bytes: Vec<u8>, digest: [u8; 32]) -> Golden {
    let head = format!("What the card signs. Digest: {}", dump::hex(&digest).trim_end());
    let again: fn(&[u8]) -> Option<Vec<u8>> = if name == "InquiryBody" {
        |bytes| Some(InquiryBody::decode(bytes).ok()?.encode())
    } else {
        |bytes| Some(QueryBody::decode(bytes).ok()?.encode())
    };
    plain(file, name, &head, bytes, again)
}

fn connect() -> Golden {
    let bytes = sample::connect().encode();
    let text = format!(
        "# What a node sends to an exchange first.\n# magic and version, length, from, to, at, \
         nonce (16), signature (64)\n{}",
        dump::hex(&bytes)
    );
    let again: fn(&[u8]) -> Option<Vec<u8>> = |bytes| {
        let (request, taken) = ConnectRequest::decode(bytes).ok()??;
        (taken == bytes.len()).then(|| request.encode())
    };
    Golden { file: "connect-request.hex".to_owned(), text, bytes, again }
}

pub(crate) fn all() -> Vec<Golden> {
    let inquiry = sample::inquiry_body().encode();
    let status = sample::query_body(Purpose::NetworkStatus).encode();
    let view = sample::query_body(sample::resident_view_purpose()).encode();
    let mut goldens: Vec<Golden> = sample::frames().iter().map(framed).collect();
    goldens.extend([
        signed_body("inquiry-body.hex", "InquiryBody", inquiry.clone(), inquiry_digest(&inquiry)),
        signed_body("query-body-status.hex", "QueryBody", status.clone(), query_digest(&status)),
        signed_body("query-body-view.hex", "QueryBody", view.clone(), query_digest(&view)),
        plain(
            "directory.hex",
            "Directory",
            "What the center signs, after \"jukinet/1 directory\" and a line feed.",
            sample::directory().encode().unwrap(),
            |bytes| Some(Directory::decode(bytes).ok()?.encode().unwrap()),
        ),
        plain(
            "signed-directory.hex",
            "SignedDirectory",
            "The directory as nodes keep it and as an operator imports it.",
            sample::signed_directory().encode(),
            |bytes| Some(SignedDirectory::decode(bytes).ok()?.encode()),
        ),
        plain(
            "queued-notice.hex",
            "RelayedNotice",
            "A notice as it waits in a queue.",
            sample::relayed().encode().unwrap(),
            |bytes| Some(RelayedNotice::decode(bytes).ok()?.encode().unwrap()),
        ),
        plain(
            "release-body.hex",
            "ReleaseBody",
            "What a municipality signs, after \"jukinet/1 release\" and a line feed.",
            sample::release().body,
            |bytes| Some(ReleaseBody::decode(bytes).ok()?.encode().unwrap()),
        ),
        plain(
            "repair-body.hex",
            "RepairBody",
            "What the tier below signs, after \"jukinet/1 repair\" and a line feed.",
            sample::repair_body().encode().unwrap(),
            |bytes| Some(RepairBody::decode(bytes).ok()?.encode().unwrap()),
        ),
        plain(
            "queued-moving-in.hex",
            "RelayedNotice",
            "A moving-in of a foreign resident, with the former municipality's release.",
            sample::moved_in().encode().unwrap(),
            |bytes| Some(RelayedNotice::decode(bytes).ok()?.encode().unwrap()),
        ),
        plain(
            "queued-disclosure.hex",
            "DisclosureRow",
            "A disclosed entry as it waits in the center's queue.",
            sample::disclosure_row().encode().unwrap(),
            |bytes| Some(DisclosureRow::decode(bytes).ok()?.encode().unwrap()),
        ),
        connect(),
    ]);
    goldens
}

#[test]
fn bytes_are_as_written_down() {
    for golden in all() {
        check(&golden.file, &golden.text);
        assert_eq!(dump::unhex(&read(&golden.file)), golden.bytes, "{}", golden.file);
        assert_eq!((golden.again)(&golden.bytes).as_ref(), Some(&golden.bytes), "{}", golden.file);
    }
}

#[test]
fn every_message_has_a_golden() {
    let frames = sample::frames();
    for kind in MessageKind::ALL {
        let has = |f: &&Frame| matches!(&f.body, FrameBody::Request(r) if r.kind() == kind);
        assert_eq!(frames.iter().filter(has).count(), 1, "request {kind}");
    }
    for kind in ReplyKind::ALL {
        let has = |f: &&Frame| matches!(&f.body, FrameBody::Reply(r) if r.kind() == kind);
        assert_eq!(frames.iter().filter(has).count(), 1, "reply {kind}");
    }
    // The schema's own list, so that a message added there alone is noticed as well.
    let bodies = dump::message("Frame").fields().count() - 1;
    assert_eq!(bodies, MessageKind::ALL.len() + ReplyKind::ALL.len());
}

#[test]
fn no_golden_is_left_over() {
    let known: BTreeSet<String> = all()
        .into_iter()
        .map(|golden| golden.file)
        .chain(["conversations.txt".to_owned()])
        .collect();
    let found: BTreeSet<String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(found, known);
}

#[test]
fn samples_come_back_equal() {
    for sample in sample::frames() {
        let bytes = frame::encode(&sample).unwrap();
        assert_eq!(frame::decode(&bytes[4..]), Ok(sample));
    }
    assert_eq!(Directory::decode(&sample::directory().encode().unwrap()), Ok(sample::directory()));
    let body = sample::inquiry_body();
    assert_eq!(InquiryBody::decode(&body.encode()), Ok(body));
}

#[test]
fn a_golden_cut_short_is_refused() {
    for golden in all() {
        for cut in 0..golden.bytes.len() {
            let again = (golden.again)(&golden.bytes[..cut]);
            assert_eq!(again, None, "{} cut at {cut}", golden.file);
        }
        let longer = [golden.bytes.as_slice(), b"\0"].concat();
        assert_eq!((golden.again)(&longer), None, "{} with a byte more", golden.file);
    }
}
