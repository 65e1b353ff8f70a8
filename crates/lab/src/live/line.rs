//! A session as a terminal or feed holds it: TLS 1.3, frames with numbers, many requests in flight.
//!
//! Replies carry the moment at which they were read, so that whoever waits late measures rightly.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use wire::{Frame, FrameBody, FrameDecoder, Reply, Request};

use super::place::Way;
use super::{LiveError, clock};

/// One TLS record at a time.
const READ_BYTES: usize = 16 * 1024;
/// Frames are gathered up to this size before one write.
const WRITE_GATHER_BYTES: usize = 64 * 1024;

type Waiting = Mutex<HashMap<u64, oneshot::Sender<(Reply, Instant)>>>;

/// One session. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Line {
    outgoing: mpsc::UnboundedSender<Vec<u8>>,
    waiting: Arc<Waiting>,
    next: Arc<AtomicU64>,
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Line({} waiting)", lock(&self.waiting).len())
    }
}

impl Line {
    /// Dials the server and proves who each is to the other.
    pub(crate) async fn open(way: &Way) -> Result<Self, LiveError> {
        let stream = dial(way.address, way).await?;
        let (reading, writing) = tokio::io::split(stream);
        let (outgoing, frames) = mpsc::unbounded_channel();
        let waiting: Arc<Waiting> = Arc::default();
        tokio::spawn(write(writing, frames));
        tokio::spawn(read(reading, Arc::clone(&waiting)));
        Ok(Self { outgoing, waiting, next: Arc::new(AtomicU64::new(1)) })
    }

    /// One request and its reply, with the moment the reply was read.
    pub(crate) async fn call(&self, request: Request) -> Result<(Reply, Instant), LiveError> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let bytes = wire::frame::encode(&Frame { id, body: FrameBody::Request(request) })?;
        let (tell, told) = oneshot::channel();
        lock(&self.waiting).insert(id, tell);
        self.outgoing.send(bytes).map_err(|_| LiveError::SessionEnded)?;
        told.await.map_err(|_| LiveError::SessionEnded)
    }
}

async fn dial(address: SocketAddr, way: &Way) -> Result<TlsStream<TcpStream>, LiveError> {
    let failed = |source| LiveError::Unreachable { to: way.server.to_string(), source };
    let tcp = TcpStream::connect(address).await.map_err(failed)?;
    tcp.set_nodelay(true).map_err(failed)?;
    // The name is never sent and never verified: the pin is what counts.
    let name = ServerName::try_from("peer.invalid")
        .map_err(|error| LiveError::Tls(rustls::Error::General(error.to_string())))?;
    TlsConnector::from(Arc::clone(&way.tls)).connect(name, tcp).await.map_err(failed)
}

fn lock(waiting: &Waiting) -> MutexGuard<'_, HashMap<u64, oneshot::Sender<(Reply, Instant)>>> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn write(
    mut stream: WriteHalf<TlsStream<TcpStream>>,
    mut frames: mpsc::UnboundedReceiver<Vec<u8>>,
) {
    while let Some(mut gathered) = frames.recv().await {
        while gathered.len() < WRITE_GATHER_BYTES
            && let Ok(more) = frames.try_recv()
        {
            gathered.extend_from_slice(&more);
        }
        if stream.write_all(&gathered).await.is_err() || stream.flush().await.is_err() {
            return;
        }
    }
    let _ = stream.shutdown().await;
}

/// Ends at the first thing that is wrong; whoever still waits then learns that the session ended.
async fn read(mut stream: ReadHalf<TlsStream<TcpStream>>, waiting: Arc<Waiting>) {
    let mut frames = FrameDecoder::new();
    let mut buffer = vec![0; READ_BYTES];
    while let Ok(count) = stream.read(&mut buffer).await
        && count > 0
    {
        frames.push(buffer.get(..count).unwrap_or_default());
        if !deliver(&mut frames, &waiting, clock::monotonic()) {
            break;
        }
    }
    lock(&waiting).clear();
}

/// Hands every whole reply to who waits for it. `false`: the stream is not of the protocol.
fn deliver(frames: &mut FrameDecoder, waiting: &Waiting, at: Instant) -> bool {
    loop {
        match frames.next() {
            Ok(Some(Frame { id, body: FrameBody::Reply(reply) })) => {
                if let Some(tell) = lock(waiting).remove(&id) {
                    let _ = tell.send((reply, at));
                }
            }
            Ok(None) => return true,
            Ok(Some(_)) | Err(_) => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(id: u64) -> Vec<u8> {
        wire::frame::encode(&Frame { id, body: FrameBody::Reply(Reply::HeartbeatAck) }).unwrap()
    }

    #[test]
    fn replies_reach_who_asked_in_any_order_and_in_pieces() {
        let waiting = Waiting::default();
        let (first, mut first_told) = oneshot::channel();
        let (second, mut second_told) = oneshot::channel();
        lock(&waiting).extend([(1, first), (2, second)]);
        let mut frames = FrameDecoder::new();
        let bytes = [reply(2), reply(9), reply(1)].concat();
        let (head, tail) = bytes.split_at(reply(2).len() + 3);
        frames.push(head);
        assert!(deliver(&mut frames, &waiting, clock::monotonic()));
        assert!(second_told.try_recv().is_ok());
        assert!(first_told.try_recv().is_err());
        frames.push(tail);
        assert!(deliver(&mut frames, &waiting, clock::monotonic()));
        assert!(first_told.try_recv().is_ok());
        assert!(lock(&waiting).is_empty());
    }

    #[test]
    fn a_request_where_a_reply_belongs_ends_the_session() {
        let request = Frame { id: 1, body: FrameBody::Request(Request::DirectoryFetch) };
        let mut frames = FrameDecoder::new();
        frames.push(&wire::frame::encode(&request).unwrap());
        assert!(!deliver(&mut frames, &Waiting::default(), clock::monotonic()));
    }
}
