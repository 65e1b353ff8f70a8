//! Streams of frames: whole, in pieces, and wrong from the first byte.

use crate::sample;
use wire::limits::{FRAME_BUFFER_BYTES_MAX, FRAME_BYTES_MAX, MESSAGE_FIELDS_COUNT_MAX};
use wire::*;

fn stream() -> (Vec<Frame>, Vec<u8>) {
    let frames = sample::frames();
    let bytes = frames.iter().flat_map(|frame| frame::encode(frame).unwrap()).collect();
    (frames, bytes)
}

#[test]
fn pieces_of_any_size_make_the_same_frames() {
    let (frames, bytes) = stream();
    for size in [1, 2, 3, 5, 64, 1_000, bytes.len()] {
        let mut decoder = FrameDecoder::new();
        let mut got = Vec::new();
        for piece in bytes.chunks(size) {
            decoder.push(piece);
            while let Some(frame) = decoder.next().unwrap() {
                got.push(frame);
            }
        }
        assert_eq!(got, frames, "pieces of {size}");
        assert_eq!(decoder.finish(), Ok(()));
    }
}

#[test]
fn an_end_inside_a_frame_is_an_error() {
    let (_, bytes) = stream();
    let mut decoder = FrameDecoder::new();
    decoder.push(&bytes[..bytes.len() - 1]);
    while decoder.next().unwrap().is_some() {}
    assert!(matches!(decoder.finish(), Err(FrameError::Truncated { .. })));
}

#[test]
fn a_wrong_length_is_refused_before_its_bytes_come() {
    let over = u32::try_from(FRAME_BYTES_MAX + 1).unwrap();
    let rows = [
        (0_u32, FrameError::Empty),
        (over, FrameError::TooLong { bytes: over }),
        (u32::MAX, FrameError::TooLong { bytes: u32::MAX }),
    ];
    for (length, error) in rows {
        let mut decoder = FrameDecoder::new();
        decoder.push(&length.to_be_bytes());
        assert_eq!(decoder.next(), Err(error));
        // It stays so, whatever follows.
        decoder.push(&stream().1);
        assert_eq!(decoder.next(), Err(error));
        assert_eq!(decoder.finish(), Err(error));
        assert_eq!(decoder.pending(), 0);
    }
    let mut decoder = FrameDecoder::new();
    decoder.push(&u32::try_from(FRAME_BYTES_MAX).unwrap().to_be_bytes());
    assert_eq!(decoder.next(), Ok(None));
}

#[test]
fn a_decoder_holds_a_bounded_number_of_bytes() {
    let mut decoder = FrameDecoder::new();
    let piece = vec![0; 1 << 16];
    decoder.push(&u32::try_from(FRAME_BYTES_MAX).unwrap().to_be_bytes());
    for _ in 0..FRAME_BUFFER_BYTES_MAX / piece.len() + 1 {
        decoder.push(&piece);
    }
    assert_eq!(decoder.next(), Err(FrameError::Undrained));
}

/// Half a million empty rows fit into one frame; they are counted before memory is made for them.
#[test]
fn a_frame_of_empty_rows_is_refused_by_count() {
    let rows = [0x12, 0x00].repeat(MESSAGE_FIELDS_COUNT_MAX + 1);
    let mut message = vec![0x09, 7, 0, 0, 0, 0, 0, 0, 0, 0x52];
    let mut length = rows.len();
    while length >= 0x80 {
        message.push((length % 0x80) as u8 | 0x80);
        length /= 0x80;
    }
    message.push(length as u8);
    message.extend_from_slice(&rows);
    let error = frame::decode(&message).unwrap_err();
    let too_many = DecodeRule::TooMany { max: MESSAGE_FIELDS_COUNT_MAX };
    assert_eq!(error.rule, too_many);
    // The same for what is not in a frame: a directory of empty members, a frame of empty bodies.
    let members = [0x22, 0x00].repeat(MESSAGE_FIELDS_COUNT_MAX + 1);
    assert_eq!(Directory::decode(&members).unwrap_err().rule, too_many);
    let bodies = [0x72, 0x00].repeat(MESSAGE_FIELDS_COUNT_MAX + 1);
    assert_eq!(frame::decode(&bodies).unwrap_err().rule, too_many);
}

#[test]
fn there_is_one_encoding_only() {
    let heartbeat = || frame::encode(&sample::frames()[6]).unwrap()[4..].to_vec();
    let id = [0x09, 7, 0, 0, 0, 0, 0, 0, 0];
    let twice = [id.as_slice(), &heartbeat()].concat();
    let behind = [&heartbeat()[9..], &id].concat();
    let unknown = [heartbeat().as_slice(), &[0xf8, 0x07, 0x01]].concat();
    let ack_zero = [id.as_slice(), &[0xf2, 0x01, 0x02, 0x08, 0x00]].concat();
    let ack_wide = [id.as_slice(), &[0xf2, 0x01, 0x03, 0x08, 0x81, 0x00]].concat();
    for bytes in [twice, behind, unknown, ack_zero, ack_wide] {
        assert_eq!(frame::decode(&bytes).unwrap_err().rule, DecodeRule::NotCanonical);
    }
}

#[test]
fn a_frame_needs_a_number_and_a_body() {
    let missing = |bytes: &[u8]| {
        let error = frame::decode(bytes).unwrap_err();
        assert_eq!(error.rule, DecodeRule::Missing);
        error.field
    };
    assert_eq!(missing(&[]), "id");
    assert_eq!(missing(&[0x72, 0x00]), "id");
    assert_eq!(missing(&[0x09, 7, 0, 0, 0, 0, 0, 0, 0]), "body");
}

#[test]
fn what_a_receiver_would_refuse_is_not_sent() {
    let send = |body| frame::encode(&Frame { id: 1, body }).unwrap_err();
    let rows = vec![sample::relayed(); limits::BATCH_NOTICES_COUNT_MAX + 1];
    let batch =
        |notices| FrameBody::Request(Request::Notices(NoticeBatch { first_sequence: 1, notices }));
    let rule = |error| match error {
        EncodeError::Refused(error) => (error.field, error.rule),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        rule(send(batch(rows))),
        ("notices", DecodeRule::TooMany { max: limits::BATCH_NOTICES_COUNT_MAX })
    );
    assert_eq!(rule(send(batch(Vec::new()))), ("notices", DecodeRule::Missing));
    let reason = "x".repeat(limits::REASON_BYTES_MAX + 1);
    assert_eq!(
        rule(send(FrameBody::Reply(Reply::Unavailable { reason }))),
        ("reason", DecodeRule::TooLong { max: limits::REASON_BYTES_MAX })
    );
    let row = ViewRow {
        entry: vec![1; limits::ENTRY_BYTES_MAX],
        salt: [0; 32],
        proof: "p".repeat(limits::PROOF_BYTES_MAX),
        ledger: "jukinet.example/center".to_owned(),
    };
    let view = ResidentView {
        code: sample::code(),
        period_from: sample::date("2008-10-21"),
        period_to: sample::date("2013-10-21"),
        ledgers: Vec::new(),
        rows: vec![row; limits::VIEW_ROWS_COUNT_MAX],
    };
    assert!(matches!(
        send(FrameBody::Reply(Reply::View(view))),
        EncodeError::TooLong { message: "frame", .. }
    ));
}

#[test]
fn errors_and_debug_say_nothing_personal() {
    let mut shown = String::new();
    for frame in sample::frames() {
        shown.push_str(&format!("{frame:?}"));
    }
    shown.push_str(&format!("{:?} {:?}", sample::inquiry_body(), sample::relayed()));
    shown.push_str(&format!("{:?}", sample::query_body(sample::resident_view_purpose())));
    shown.push_str(&format!("{:?} {:?}", sample::disclosure_row(), sample::person()));
    let mut body = sample::inquiry_body();
    body.case_number = "花子".repeat(100);
    shown.push_str(&InquiryBody::decode(&body.encode()).unwrap_err().to_string());
    for word in ["花子", "ハナコ", "富士見台", "12345678903", "1930", "住基カード", "裁定"]
    {
        assert!(!shown.contains(word), "{word}");
    }
}
