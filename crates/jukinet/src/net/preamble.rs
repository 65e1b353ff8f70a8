//! The first bytes of an accepted connection: TLS, a connect request, or something foreign.
//! Not a negotiation: nothing is answered before the first bytes were understood, so a scanner that
//! speaks HTTP or Telnet gets no byte to learn from.

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use wire::connect::{CONNECT_BYTES_MAX, ConnectRequest, MAGIC};

use super::alarm::Alarm;
use super::limits::PREAMBLE_TIMEOUT;

/// The type byte of a TLS handshake record.
const TLS_HANDSHAKE: u8 = 0x16;

/// What came first.
#[derive(Debug)]
pub(super) enum Opening {
    /// A ClientHello; nothing of it was consumed.
    Tls,
    /// A whole connect request, and its bytes as they came (they are forwarded unchanged).
    Connect(Box<ConnectRequest>, Vec<u8>),
}

/// Looks at the first bytes under a deadline. `relay`: whether connect requests are understood here.
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
    if !relay || MAGIC.first() != first.first() {
        return Err(Alarm::ForeignProtocol);
    }
    let mut bytes = vec![0u8; MAGIC.len() + 2];
    stream.read_exact(&mut bytes).await.map_err(|_| Alarm::ForeignProtocol)?;
    let length = match bytes.split_at_checked(MAGIC.len()) {
        Some((magic, &[high, low])) if magic == MAGIC => u16::from_be_bytes([high, low]),
        _ => return Err(Alarm::ForeignProtocol),
    };
    let start = bytes.len();
    let end = start + usize::from(length);
    if end > CONNECT_BYTES_MAX {
        return Err(Alarm::ConnectMalformed);
    }
    bytes.resize(end, 0);
    let body = bytes.get_mut(start..).unwrap_or_default();
    stream.read_exact(body).await.map_err(|_| Alarm::ConnectMalformed)?;
    let request = ConnectRequest::decode(&bytes).map_err(|_| Alarm::ConnectMalformed)?;
    Ok(Opening::Connect(Box::new(request), bytes))
}
