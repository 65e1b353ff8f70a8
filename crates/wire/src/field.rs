//! Checks of single fields and the one way from bytes to values and back. Not a place for rules of
//! the domain: those are in `law`, and are asked through the types' own `parse`.

use prost::Message;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

use crate::error::{DecodeError, DecodeRule, EncodeError};
use crate::limits::{MESSAGE_FIELDS_COUNT_MAX, SHORT_TEXT_BYTES_MAX};

/// Where a field stands, for the error.
#[derive(Clone, Copy)]
pub(crate) struct At(pub(crate) &'static str, pub(crate) &'static str);

impl At {
    pub(crate) const fn error(self, rule: DecodeRule) -> DecodeError {
        DecodeError { message: self.0, field: self.1, rule }
    }

    /// Text that may be empty.
    pub(crate) fn text(self, value: String, max: usize) -> Result<String, DecodeError> {
        if value.len() > max { Err(self.error(DecodeRule::TooLong { max })) } else { Ok(value) }
    }

    /// Text that must say something.
    pub(crate) fn filled(self, value: String, max: usize) -> Result<String, DecodeError> {
        if value.is_empty() {
            return Err(self.error(DecodeRule::Missing));
        }
        self.text(value, max)
    }

    /// Bytes that must be there.
    pub(crate) fn bytes(self, value: Vec<u8>, max: usize) -> Result<Vec<u8>, DecodeError> {
        if value.is_empty() {
            return Err(self.error(DecodeRule::Missing));
        }
        if value.len() > max { Err(self.error(DecodeRule::TooLong { max })) } else { Ok(value) }
    }

    pub(crate) fn fixed<const N: usize>(self, value: &[u8]) -> Result<[u8; N], DecodeError> {
        value.try_into().map_err(|_| self.error(DecodeRule::WrongSize { expected: N }))
    }

    pub(crate) fn required<T>(self, value: Option<T>) -> Result<T, DecodeError> {
        value.ok_or_else(|| self.error(DecodeRule::Missing))
    }

    /// A type's own `parse`; its reason is dropped, because it may quote the value.
    pub(crate) fn parsed<T, E>(
        self,
        value: &str,
        max: usize,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, DecodeError> {
        if value.len() > max {
            return Err(self.error(DecodeRule::TooLong { max }));
        }
        parse(value).map_err(|_| self.error(DecodeRule::Invalid))
    }

    /// [`At::parsed`] for ids, codes and dates.
    pub(crate) fn short<T, E>(
        self,
        value: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, DecodeError> {
        self.parsed(value, SHORT_TEXT_BYTES_MAX, parse)
    }

    /// [`At::short`] where the field may be absent.
    pub(crate) fn short_if<T, E>(
        self,
        value: Option<&str>,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, DecodeError> {
        value.map(|text| self.short(text, parse)).transpose()
    }

    pub(crate) fn list<P, T>(self, rows: Vec<P>, max: usize) -> Result<Vec<T>, DecodeError>
    where
        T: TryFrom<P, Error = DecodeError>,
    {
        if rows.len() > max {
            return Err(self.error(DecodeRule::TooMany { max }));
        }
        rows.into_iter().map(T::try_from).collect()
    }

    /// [`At::list`] for messages that mean nothing without rows.
    pub(crate) fn rows<P, T>(self, rows: Vec<P>, max: usize) -> Result<Vec<T>, DecodeError>
    where
        T: TryFrom<P, Error = DecodeError>,
    {
        if rows.is_empty() {
            return Err(self.error(DecodeRule::Missing));
        }
        self.list(rows, max)
    }
}

/// Writes the two directions between a domain enum and its schema twin of the same variant names.
macro_rules! mirrored {
    ($to:ident, $from:ident, $domain:ty, $twin:ty, [$($variant:ident),+ $(,)?]) => {
        pub(crate) const fn $to(value: &$domain) -> i32 {
            match value {
                $(<$domain>::$variant => <$twin>::$variant as i32,)+
            }
        }
        pub(crate) fn $from(
            at: $crate::field::At,
            value: i32,
        ) -> Result<$domain, $crate::error::DecodeError> {
            match <$twin>::try_from(value) {
                $(Ok(<$twin>::$variant) => Ok(<$domain>::$variant),)+
                _ => Err(at.error($crate::error::DecodeRule::UnknownValue)),
            }
        }
    };
}
pub(crate) use mirrored;

/// Bytes to value: bounded, counted, decoded, converted, and encoded again to see that nothing was
/// added, left out or written differently.
pub(crate) fn decode<P, T>(
    message: &'static str,
    bytes: &[u8],
    max: usize,
) -> Result<T, DecodeError>
where
    P: Message + Default + for<'a> From<&'a T>,
    T: TryFrom<P, Error = DecodeError>,
{
    let whole = At(message, "");
    if bytes.len() > max {
        return Err(whole.error(DecodeRule::TooLong { max }));
    }
    count_fields(whole, bytes)?;
    let parsed = P::decode(bytes).map_err(|_| whole.error(DecodeRule::Malformed))?;
    let value = T::try_from(parsed)?;
    if P::from(&value).encode_to_vec() == bytes {
        Ok(value)
    } else {
        Err(whole.error(DecodeRule::NotCanonical))
    }
}

/// Value to bytes. What the receiver would refuse is not sent; so each limit is written once.
pub(crate) fn encode<P, T>(
    message: &'static str,
    value: &T,
    max: usize,
) -> Result<Vec<u8>, EncodeError>
where
    P: Message + for<'a> From<&'a T>,
    T: TryFrom<P, Error = DecodeError>,
{
    let twin = P::from(value);
    let bytes = twin.encode_to_vec();
    if bytes.len() > max {
        return Err(EncodeError::TooLong { message, bytes: bytes.len(), max });
    }
    T::try_from(twin)?;
    Ok(bytes)
}

/// Refuses more fields than any message has, before the decoder makes room for them.
pub(crate) fn count_fields(whole: At, bytes: &[u8]) -> Result<(), DecodeError> {
    for_each_field(whole, bytes, |_| Ok(()))
}

/// Walks the fields of one message without keeping any; `visit` gets the content of the
/// length-delimited ones.
pub(crate) fn for_each_field<'a>(
    whole: At,
    mut bytes: &'a [u8],
    mut visit: impl FnMut(&'a [u8]) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    let malformed = |_| whole.error(DecodeRule::Malformed);
    let mut count = 0_usize;
    while !bytes.is_empty() {
        count += 1;
        if count > MESSAGE_FIELDS_COUNT_MAX {
            return Err(whole.error(DecodeRule::TooMany { max: MESSAGE_FIELDS_COUNT_MAX }));
        }
        let (number, wire_type) = decode_key(&mut bytes).map_err(malformed)?;
        match wire_type {
            WireType::LengthDelimited => {
                let length = decode_varint(&mut bytes).map_err(malformed)?;
                let content = usize::try_from(length).ok().and_then(|n| bytes.split_at_checked(n));
                let (content, rest) = content.ok_or_else(|| whole.error(DecodeRule::Malformed))?;
                visit(content)?;
                bytes = rest;
            }
            // Groups are not in proto3, and skipping them would recurse.
            WireType::StartGroup | WireType::EndGroup => {
                return Err(whole.error(DecodeRule::Malformed));
            }
            WireType::Varint | WireType::SixtyFourBit | WireType::ThirtyTwoBit => {
                skip_field(wire_type, number, &mut bytes, DecodeContext::default())
                    .map_err(malformed)?;
            }
        }
    }
    Ok(())
}
