//! Protocol Buffers read by hand: varints and length-delimited fields, just enough to see what an
//! operator card signed without the decoder that is being judged. Nothing of `wire`.

/// One field of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'m> {
    Number(u64),
    Bytes(&'m [u8]),
}

/// The fields of a message in their order; `None` when the bytes are no message.
pub(super) fn fields(mut rest: &[u8]) -> Option<Vec<(u64, Value<'_>)>> {
    let mut found = Vec::new();
    while !rest.is_empty() {
        let key = varint(&mut rest)?;
        let value = match key & 7 {
            0 => Value::Number(varint(&mut rest)?),
            1 => Value::Bytes(take(&mut rest, 8)?),
            2 => {
                let length = usize::try_from(varint(&mut rest)?).ok()?;
                Value::Bytes(take(&mut rest, length)?)
            }
            5 => Value::Bytes(take(&mut rest, 4)?),
            _ => return None,
        };
        found.push((key >> 3, value));
    }
    Some(found)
}

fn take<'m>(rest: &mut &'m [u8], length: usize) -> Option<&'m [u8]> {
    let (head, tail) = rest.split_at_checked(length)?;
    *rest = tail;
    Some(head)
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, tail) = rest.split_first()?;
        *rest = tail;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// The last value of a field that is text.
pub(super) fn text<'m>(fields: &[(u64, Value<'m>)], number: u64) -> Option<&'m str> {
    std::str::from_utf8(bytes(fields, number)?).ok()
}

pub(super) fn bytes<'m>(fields: &[(u64, Value<'m>)], number: u64) -> Option<&'m [u8]> {
    fields.iter().rev().find_map(|(of, value)| match value {
        Value::Bytes(bytes) if *of == number => Some(*bytes),
        _ => None,
    })
}

pub(super) fn number(fields: &[(u64, Value<'_>)], number: u64) -> u64 {
    let found = fields.iter().rev().find_map(|(of, value)| match value {
        Value::Number(value) if *of == number => Some(*value),
        _ => None,
    });
    found.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_and_what_is_cut_short_is_not() {
        let message = [0x08, 0xac, 0x02, 0x12, 3, b'a', b'b', b'c'];
        let found = fields(&message).unwrap();
        assert_eq!((number(&found, 1), text(&found, 2)), (300, Some("abc")));
        assert_eq!((number(&found, 7), text(&found, 7)), (0, None));
        for cut in [1, 2, 4, 6, 7] {
            assert_eq!(fields(&message[..cut]), None, "{cut}");
        }
        assert_eq!(fields(&[0xff; 11]), None);
    }
}
