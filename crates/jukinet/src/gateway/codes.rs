//! A record code (住民票コード) for a resident who has none, taken from the municipality's pool at the
//! request of its register system. The code is answered and forgotten.

use serde_json::{Value, json};
use wire::{CodeTaken, TakeCode};

use super::refusal::Refusal;

/// `request` as hexadecimal digits.
pub(crate) const REQUEST_DIGITS: usize = 32;
/// A name and its number.
pub(crate) const BODY_BYTES_MAX: usize = 256;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    request: String,
}

/// Read a request's body.
pub(crate) fn read(body: &[u8]) -> Result<TakeCode, Refusal> {
    let asked: Asked = serde_json::from_slice(body).map_err(|_| Refusal::Malformed)?;
    let request = number(&asked.request).ok_or(Refusal::RequestId)?;
    Ok(TakeCode { request })
}

/// 32 digits of 0-9 and a-f: one spelling for one request.
fn number(text: &str) -> Option<[u8; 16]> {
    let digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    if text.len() != REQUEST_DIGITS || !text.bytes().all(digit) {
        return None;
    }
    Some(u128::from_str_radix(text, 16).ok()?.to_be_bytes())
}

/// What the register system is answered.
pub(crate) fn answer(taken: &CodeTaken) -> Value {
    let request: String = taken.request.iter().map(|byte| format!("{byte:02x}")).collect();
    json!({ "request": request, "record_code": taken.code.expose() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_one_spelling() {
        let body = |text: &str| format!("{{\"request\": \"{text}\"}}");
        let read = |text: &str| read(body(text).as_bytes()).map(|asked| asked.request);
        assert_eq!(read("000102030405060708090a0b0c0d0e0f").unwrap()[10], 10);
        for odd in ["", "000102030405060708090A0B0C0D0E0F", "+00102030405060708090a0b0c0d0e0f"] {
            assert_eq!(read(odd), Err(Refusal::RequestId), "{odd}");
        }
    }
}
