//! The first bytes of an accepted connection: TLS, a connect request, or something foreign.
//! Not a negotiation: nothing is answered before the first bytes were understood, so a scanner that
//! speaks HTTP or Telnet gets no byte to learn from.

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use wire::connect::{CONNECT_BYTES_MAX, CONNECT_MAGIC, ConnectRequest};

use super::alarm::Alarm;
use super::limits::PREAMBLE_TIMEOUT;

/// The type byte of a TLS handshake record.
const TLS_HANDSHAKE: u8 = 0x16;

/// Magic and length.
const HEADER_BYTES: usize = CONNECT_MAGIC.len() + 2;

/// What came first.
#[derive(Debug)]
pub(super) enum Opening {
    /// A ClientHello; nothing of it was consumed.
    Tls,
    /// A whole connect request; not yet judged.
    Connect(Box<SignedConnect>),
}

/// Looks at the first bytes under a deadline. `relay`: whether this node takes connect requests.
pub(super) async fn read(stream: &mut TcpStream, relay: bool) -> Result<Opening, Alarm> {
    timeout(PREAMBLE_TIMEOUT, classify(stream, relay)).await.unwrap_or(Err(Alarm::PreambleTimeout))
}

async fn classify(stream: &mut TcpStream, relay: bool) -> Result<Opening, Alarm> {
    let mut first = [0u8; 1];
    match stream.peek(&mut first).await {
        Ok(1) => {}
        _ => return Err(Alarm::PreambleTimeout),
    }
    if first == [TLS_HANDSHAKE] {
        return Ok(Opening::Tls);
    }
    if !relay || CONNECT_MAGIC.first() != first.first() {
        return Err(Alarm::ForeignProtocol);
    }
    let mut bytes = vec![0u8; HEADER_BYTES];
    stream.read_exact(&mut bytes).await.map_err(|_| Alarm::ForeignProtocol)?;
    let length = match bytes.split_at_checked(CONNECT_MAGIC.len()) {
        Some((magic, &[high, low])) if magic == CONNECT_MAGIC => u16::from_be_bytes([high, low]),
        _ => return Err(Alarm::ForeignProtocol),
    };
    let end = HEADER_BYTES + usize::from(length);
    if end > CONNECT_BYTES_MAX {
        return Err(Alarm::ConnectMalformed);
    }
    bytes.resize(end, 0);
    let body = bytes.get_mut(HEADER_BYTES..).unwrap_or_default();
    stream.read_exact(body).await.map_err(|_| Alarm::ConnectMalformed)?;
    let mut public_key = [0; 65];
    stream.read_exact(&mut public_key).await.map_err(|_| Alarm::ConnectMalformed)?;
    match ConnectRequest::decode(&bytes) {
        Ok(Some((request, taken))) if taken == end => {
            Ok(Opening::Connect(Box::new(SignedConnect { request, public_key })))
        }
        _ => Err(Alarm::ConnectMalformed),
    }
}

/// A connect request with the key it is signed by. The directory holds only the pin of that key, so
/// it travels along (65 bytes, SEC1) and counts only if its pin is the member's.
#[derive(Debug)]
pub(super) struct SignedConnect {
    pub(super) request: ConnectRequest,
    pub(super) public_key: [u8; 65],
}

impl SignedConnect {
    pub(super) fn encode(&self) -> Vec<u8> {
        [self.request.encode().as_slice(), &self.public_key].concat()
    }
}
