//! The binary stream says what the CSV says, and a damaged one is refused by name.

use lab::population::stream::{Reader, StreamError};
use lab::population::{Format, HEADER, Options, write};
use proptest::prelude::*;

fn options() -> Options {
    Options { residents: 3_000, seed: 5, municipalities: vec!["132152".to_owned()] }
}

fn made(format: Format) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(&options(), format, &mut bytes, &mut std::io::sink(), &mut |_| ()).unwrap();
    bytes
}

/// Reads a stream to its end, as CSV.
fn read(bytes: &[u8]) -> Result<String, StreamError> {
    let mut reader = Reader::new(bytes)?;
    let mut csv = format!("{HEADER}\n");
    while let Some(resident) = reader.next()? {
        resident.write_csv(&mut csv);
    }
    assert!(reader.next()?.is_none(), "the end stays the end");
    Ok(csv)
}

#[test]
fn the_stream_reads_back_as_the_csv_to_the_byte() {
    let (csv, binary) = (made(Format::Csv), made(Format::Binary));
    assert!(read(&binary).unwrap().as_bytes() == csv);
    assert!(binary.len() * 3 < csv.len() * 2, "{} of {} bytes", binary.len(), csv.len());
    let reader = Reader::new(binary.as_slice()).unwrap();
    assert_eq!((reader.options().residents, reader.options().seed), (3_000, 5));
    assert_eq!(reader.options().municipalities, ["132152"]);
}

#[test]
fn each_kind_of_damage_has_its_name() {
    let whole = made(Format::Binary);
    let error = |bytes: &[u8]| read(bytes).unwrap_err();
    assert!(matches!(error(b"record_code,fam"), StreamError::NotAStream));
    assert!(matches!(error(b""), StreamError::NotAStream));
    let mut other = whole.clone();
    other[8] = 9;
    assert!(matches!(error(&other), StreamError::Version { found: 9 }));
    let mut other = whole.clone();
    other[18..26].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(matches!(error(&other), StreamError::Header { field: "residents" }));
    assert!(matches!(error(&whole[..whole.len() / 2]), StreamError::Cut { records: 1_000.. }));
    let mut other = whole.clone();
    let last = other.len() - 1;
    other[last] ^= 1;
    assert!(matches!(error(&other), StreamError::Digest));
    let mut other = whole.clone();
    other.push(0);
    assert!(matches!(error(&other), StreamError::AfterEnd));
    // The first record begins after the header: 8 + 2 + 8 + 8 + 2 + 1 + 6 bytes.
    let mut other = whole.clone();
    other[35..37].copy_from_slice(&u16::MAX.to_le_bytes());
    assert!(matches!(error(&other), StreamError::Record { record: 0, field: "length" }));
    let mut other = whole;
    other[37] |= 0x80;
    assert!(matches!(error(&other), StreamError::Record { record: 0, field: "flags" }));
}

#[test]
fn every_cut_and_a_flip_of_any_byte_are_seen() {
    let mut small = Vec::new();
    let few = Options { residents: 12, ..options() };
    write(&few, Format::Binary, &mut small, &mut std::io::sink(), &mut |_| ()).unwrap();
    for cut in 0..small.len() {
        assert!(read(&small[..cut]).is_err(), "cut at {cut}");
    }
    for place in 0..small.len() {
        let mut other = small.clone();
        other[place] ^= 0x10;
        assert!(read(&other).is_err(), "flipped at {place}");
    }
}

proptest! {
    #[test]
    fn whatever_comes_is_answered(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let mut framed = b"jukipop\n\x01\x00".to_vec();
        framed.extend_from_slice(&bytes);
        prop_assert!(read(&framed).is_err());
        prop_assert!(read(&bytes).is_err());
    }
}
