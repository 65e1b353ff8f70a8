//! What a node says to an exchange (専用交換装置) before the exchange joins two lines: who, to whom,
//! signed. Everything after it is ciphertext between the two, which the exchange neither reads nor
//! keeps (S1). Fixed layout, no protobuf: an exchange should have little to understand.
//!
//! `"JUKI" 01 | u16 length | u8 n, from | u8 n, to | u64 at | nonce 16 | signature 64`, big-endian.

use law::time::Timestamp;

use crate::id::NodeId;

/// First bytes on the line; the last one is the version. TLS begins with 0x16, so the two differ.
pub const CONNECT_MAGIC: &[u8; 5] = b"JUKI\x01";
/// The whole request, header included.
pub const CONNECT_BYTES_MAX: usize = 512;
/// Stands before the body under the node's signature.
pub const CONNECT_SIGNING_PREFIX: &[u8] = b"jukinet/1 connect\n";
/// How old or how far in the future a request may be; within it the exchange remembers nonces.
pub const CONNECT_SKEW_MS_MAX: u64 = 60_000;

const HEADER_BYTES: usize = CONNECT_MAGIC.len() + 2;
const NONCE_BYTES: usize = 16;
const SIGNATURE_BYTES: usize = 64;

/// A node's wish to be joined with another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectRequest {
    pub from: NodeId,
    pub to: NodeId,
    pub at: Timestamp,
    pub nonce: [u8; NONCE_BYTES],
    /// By the key `from` has in the directory, over [`ConnectRequest::signing_bytes`].
    pub signature: [u8; SIGNATURE_BYTES],
}

/// The exchange's one byte. After `Accepted` the line is the other node's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[repr(u8)]
pub enum ConnectReply {
    #[error("accepted")]
    Accepted = 0,
    #[error("the request could not be read; both sides need the same version")]
    Malformed = 1,
    #[error("the caller is not in the exchange's directory; wait for the next one or enroll it")]
    CallerUnknown = 2,
    #[error("the signature is not by the caller's key in the directory")]
    SignatureInvalid = 3,
    #[error("the request is older than 60 s or from the future; check the clocks")]
    Stale = 4,
    #[error("the request was seen before; make a new nonce")]
    Replayed = 5,
    #[error("the caller or the called node is isolated")]
    Isolated = 6,
    #[error("the called node is not in the exchange's directory")]
    CalledUnknown = 7,
    #[error("the conversation table has no row for these two roles")]
    NotAllowed = 8,
    #[error("the called node does not answer; try again later")]
    Unreachable = 9,
    #[error("the exchange has no room for another line; try again later")]
    Busy = 10,
}

impl ConnectReply {
    pub const ALL: [Self; 11] = [
        Self::Accepted,
        Self::Malformed,
        Self::CallerUnknown,
        Self::SignatureInvalid,
        Self::Stale,
        Self::Replayed,
        Self::Isolated,
        Self::CalledUnknown,
        Self::NotAllowed,
        Self::Unreachable,
        Self::Busy,
    ];

    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|reply| reply.code() == code)
    }
}

/// Why bytes are not a connect request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    #[error("the line does not begin as a connect request")]
    Magic,
    #[error("a connect request of {bytes} bytes, more than {CONNECT_BYTES_MAX}")]
    TooLong { bytes: usize },
    #[error("a connect request is cut short or has bytes too many")]
    Length,
    #[error("field {field} is not a node id")]
    NodeId { field: &'static str },
}

impl ConnectRequest {
    /// What the caller's key signs: a prefix of its own, then everything but the signature.
    #[must_use]
    pub fn signing_bytes(from: &NodeId, to: &NodeId, at: Timestamp, nonce: &[u8; 16]) -> Vec<u8> {
        [CONNECT_SIGNING_PREFIX, &unsigned(from, to, at, nonce)].concat()
    }

    /// [`ConnectRequest::signing_bytes`] of a request that was received.
    #[must_use]
    pub fn signed_bytes(&self) -> Vec<u8> {
        Self::signing_bytes(&self.from, &self.to, self.at, &self.nonce)
    }

    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let body = unsigned(&self.from, &self.to, self.at, &self.nonce);
        let length = u16::try_from(body.len() + SIGNATURE_BYTES).unwrap_or(u16::MAX);
        [CONNECT_MAGIC.as_slice(), &length.to_be_bytes(), &body, &self.signature].concat()
    }

    /// The request and how many bytes it took; `None` until there are enough. Wrong bytes are
    /// refused as soon as they are seen, so a line that speaks something else is closed at once.
    pub fn decode(bytes: &[u8]) -> Result<Option<(Self, usize)>, ConnectError> {
        if !bytes.iter().zip(CONNECT_MAGIC).all(|(byte, magic)| byte == magic) {
            return Err(ConnectError::Magic);
        }
        let Some((header, rest)) = bytes.split_first_chunk::<HEADER_BYTES>() else {
            return Ok(None);
        };
        let [.., high, low] = *header;
        let length = usize::from(u16::from_be_bytes([high, low]));
        let total = HEADER_BYTES + length;
        if total > CONNECT_BYTES_MAX {
            return Err(ConnectError::TooLong { bytes: total });
        }
        match rest.get(..length) {
            None => Ok(None),
            Some(body) => Ok(Some((Self::body(body)?, total))),
        }
    }

    fn body(mut bytes: &[u8]) -> Result<Self, ConnectError> {
        let from = name(&mut bytes, "from")?;
        let to = name(&mut bytes, "to")?;
        let at = Timestamp(u64::from_be_bytes(take(&mut bytes)?));
        let (nonce, signature) = (take(&mut bytes)?, take(&mut bytes)?);
        if !bytes.is_empty() {
            return Err(ConnectError::Length);
        }
        Ok(Self { from, to, at, nonce, signature })
    }
}

fn unsigned(from: &NodeId, to: &NodeId, at: Timestamp, nonce: &[u8; NONCE_BYTES]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(CONNECT_BYTES_MAX);
    for id in [from, to] {
        // A node id has at most 64 bytes by construction.
        bytes.push(u8::try_from(id.as_str().len()).unwrap_or(u8::MAX));
        bytes.extend_from_slice(id.as_str().as_bytes());
    }
    bytes.extend_from_slice(&at.0.to_be_bytes());
    bytes.extend_from_slice(nonce);
    bytes
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], ConnectError> {
    let (head, rest) = bytes.split_first_chunk::<N>().ok_or(ConnectError::Length)?;
    *bytes = rest;
    Ok(*head)
}

fn name(bytes: &mut &[u8], field: &'static str) -> Result<NodeId, ConnectError> {
    let [length] = take(bytes)?;
    let (text, rest) = bytes.split_at_checked(usize::from(length)).ok_or(ConnectError::Length)?;
    *bytes = rest;
    let text = std::str::from_utf8(text).map_err(|_| ConnectError::NodeId { field })?;
    NodeId::parse(text).map_err(|_| ConnectError::NodeId { field })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> ConnectRequest {
        ConnectRequest {
            from: NodeId::parse("municipality-132152").unwrap(),
            to: NodeId::parse("prefecture-13").unwrap(),
            at: Timestamp(1_382_313_600_000),
            nonce: [7; 16],
            signature: [9; 64],
        }
    }

    #[test]
    fn it_comes_back_as_it_went() {
        let bytes = request().encode();
        assert!(bytes.len() <= CONNECT_BYTES_MAX);
        assert_eq!(ConnectRequest::decode(&bytes), Ok(Some((request(), bytes.len()))));
        let mut more = bytes.clone();
        more.extend_from_slice(b"\x16\x03\x01");
        assert_eq!(ConnectRequest::decode(&more), Ok(Some((request(), bytes.len()))));
        for cut in 0..bytes.len() {
            assert_eq!(ConnectRequest::decode(&bytes[..cut]), Ok(None), "cut at {cut}");
        }
    }

    #[test]
    fn longest_names_fit() {
        let id = NodeId::parse(&format!("terminal-{}", "9".repeat(55))).unwrap();
        let longest = ConnectRequest { from: id.clone(), to: id, ..request() };
        assert!(longest.encode().len() <= CONNECT_BYTES_MAX);
    }

    #[test]
    fn other_protocols_are_refused_at_once() {
        for line in [&b"GET / HTTP/1.1\r\n"[..], b"\x16\x03\x01", b"SSH-2.0", b"JUKI\x02", b"EHLO"]
        {
            assert_eq!(ConnectRequest::decode(line), Err(ConnectError::Magic));
        }
    }

    #[test]
    fn lengths_and_names_are_checked() {
        let bytes = request().encode();
        let change = |edit: &dyn Fn(&mut Vec<u8>)| {
            let mut changed = bytes.clone();
            edit(&mut changed);
            ConnectRequest::decode(&changed).map(|_| ())
        };
        assert_eq!(change(&|b| b[5] = 2), Err(ConnectError::TooLong { bytes: 512 + bytes.len() }));
        assert_eq!(change(&|b| b[6] -= 1), Err(ConnectError::Length));
        assert_eq!(
            change(&|b| {
                b[6] += 1;
                b.push(0);
            }),
            Err(ConnectError::Length)
        );
        assert_eq!(change(&|b| b[7] = 255), Err(ConnectError::Length));
        assert_eq!(change(&|b| b[8] = b'M'), Err(ConnectError::NodeId { field: "from" }));
        assert_eq!(change(&|b| b[7] = 0), Err(ConnectError::NodeId { field: "from" }));
    }

    #[test]
    fn the_signature_covers_every_field() {
        let base = request().signed_bytes();
        assert!(base.starts_with(CONNECT_SIGNING_PREFIX));
        let other = NodeId::parse("center").unwrap();
        for changed in [
            ConnectRequest { from: other.clone(), ..request() },
            ConnectRequest { to: other, ..request() },
            ConnectRequest { at: Timestamp(1), ..request() },
            ConnectRequest { nonce: [8; 16], ..request() },
        ] {
            assert_ne!(changed.signed_bytes(), base);
        }
        assert_eq!(ConnectRequest { signature: [1; 64], ..request() }.signed_bytes(), base);
    }

    #[test]
    fn reply_codes_are_distinct() {
        for (index, reply) in ConnectReply::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(reply.code()), index);
            assert_eq!(ConnectReply::from_code(reply.code()), Some(reply));
        }
        assert_eq!(ConnectReply::from_code(11), None);
    }
}
