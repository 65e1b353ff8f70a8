//! Writes bytes as commented hexadecimal, with the names of the schema, and reads them back. It has
//! its own walk over protobuf, so that a golden is a second opinion and not the decoder's own.

use prost::bytes::Buf;
use prost::encoding::{WireType, decode_key, decode_varint};
use protox::prost_reflect::{DescriptorPool, FieldDescriptor, Kind, MessageDescriptor};

/// Bytes of hexadecimal in one line of a golden.
const LINE_BYTES: usize = 40;

pub(crate) fn message(name: &str) -> MessageDescriptor {
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/schema");
    let files = protox::compile(["frame.proto"], [schema]).unwrap();
    let pool = DescriptorPool::from_file_descriptor_set(files).unwrap();
    pool.get_message_by_name(&format!("jukinet.v1.{name}")).unwrap()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for line in bytes.chunks(LINE_BYTES) {
        line.iter().for_each(|byte| text.push_str(&format!("{byte:02x}")));
        text.push('\n');
    }
    text
}

/// The bytes of a golden: every line that does not begin with '#'.
pub(crate) fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .flat_map(|line| line.bytes().filter(u8::is_ascii_hexdigit).collect::<Vec<u8>>())
        .collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// One field after another: a comment with its name and value, then its bytes.
pub(crate) fn fields(descriptor: &MessageDescriptor, bytes: &[u8], depth: usize) -> String {
    let mut text = String::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let start = rest;
        let (number, wire_type) = decode_key(&mut rest).unwrap();
        let field = descriptor.get_field(number).unwrap();
        let label = format!("# {}{}", "  ".repeat(depth), field.name());
        let upto = |rest: &[u8]| hex(&start[..start.len() - rest.len()]);
        match wire_type {
            WireType::Varint => {
                let value = decode_varint(&mut rest).unwrap();
                text.push_str(&format!("{label}: {}\n{}", number_text(&field, value), upto(rest)));
            }
            WireType::SixtyFourBit => {
                let value = rest.get_u64_le();
                text.push_str(&format!("{label}: {value}\n{}", upto(rest)));
            }
            WireType::LengthDelimited => {
                let length = decode_varint(&mut rest).unwrap() as usize;
                let (content, after) = rest.split_at(length);
                match field.kind() {
                    Kind::Message(inner) => {
                        text.push_str(&format!("{label}, {length} bytes\n{}", upto(rest)));
                        text.push_str(&fields(&inner, content, depth + 1));
                    }
                    Kind::String => {
                        let value = std::str::from_utf8(content).unwrap();
                        text.push_str(&format!("{label}: {value:?}\n{}", upto(after)));
                    }
                    _ => text.push_str(&format!("{label}, {length} bytes\n{}", upto(after))),
                }
                rest = after;
            }
            other => panic!("{other:?} is not in the schema"),
        }
    }
    text
}

fn number_text(field: &FieldDescriptor, value: u64) -> String {
    match field.kind() {
        Kind::Enum(kind) => {
            let name = kind.get_value(i32::try_from(value).unwrap()).unwrap();
            format!("{value} {}", name.name())
        }
        Kind::Bool => (value == 1).to_string(),
        _ => value.to_string(),
    }
}
