//! One accepted session: frames in, requests to the handler, replies out as they become ready.
//! Not the decision what a peer may ask: that it may *say* this kind of message is checked here by
//! the conversation table, everything further by the machine.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::{Instant, timeout};
use wire::{Frame, FrameBody, Reply, Request, Role, Via, may_say};

use super::alarm::{Alarm, Alarms};
use super::book::{Book, PeerIdentity};
use super::codec::{Ended, FrameReader};
use super::limits::{SESSION_IDLE_MAX, SessionLimits, WRITE_TIMEOUT};
use super::server::Handler;

/// Replies are gathered up to this size before one write.
const WRITE_GATHER_BYTES: usize = 64 * 1024;

/// How long a session that is being closed waits for the answers it still owes.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(20);

struct Ready {
    id: u64,
    reply: Reply,
    // Held until the reply is written, so that the bound covers unsent answers as well.
    _place: OwnedSemaphorePermit,
}

/// The one way to answer one request. Dropped unused, the peer is told "unavailable".
#[derive(Debug)]
pub struct Responder {
    id: u64,
    way: Option<(mpsc::Sender<Ready>, OwnedSemaphorePermit)>,
}

impl Responder {
    /// Hands the reply to the session's writer; if the session has ended, it is lost (the peer asks
    /// again, and what was recorded stays recorded).
    pub fn reply(mut self, reply: Reply) {
        self.send(reply);
    }

    fn send(&mut self, reply: Reply) {
        if let Some((way, place)) = self.way.take() {
            // The channel is as long as there are places: it is never full.
            let _ = way.try_send(Ready { id: self.id, reply, _place: place });
        }
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        self.send(Reply::Unavailable { reason: "not-handled".to_owned() });
    }
}

/// What a session needs to know of the process around it.
pub(super) struct Surroundings<H> {
    pub(super) role: Role,
    pub(super) book: Arc<Book>,
    pub(super) alarms: Arc<Alarms>,
    pub(super) limits: SessionLimits,
    pub(super) handler: Arc<H>,
    pub(super) stop: watch::Receiver<bool>,
}

/// Runs one session to its end.
pub(super) async fn run<S, H>(stream: S, peer: PeerIdentity, around: &Surroundings<H>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    H: Handler,
{
    let (reading, writing) = tokio::io::split(stream);
    let (way, ready) = mpsc::channel(around.limits.in_flight);
    let mut writer = tokio::spawn(write(writing, ready));
    let name = peer.node.clone();
    let cut = read(FrameReader::new(reading), &peer, around, way).await;
    // What is owed to a member that was cut off is not paid.
    if cut || timeout(DRAIN_TIMEOUT, &mut writer).await.is_err() {
        writer.abort();
    }
    tracing::debug!(event = "session-end", peer = %name.as_str(), "session ended");
}

/// Take requests until the session ends. `true`: the peer was cut off by the directory.
async fn read<R, H>(
    mut frames: FrameReader<R>,
    peer: &PeerIdentity,
    around: &Surroundings<H>,
    way: mpsc::Sender<Ready>,
) -> bool
where
    R: AsyncRead + Unpin,
    H: Handler,
{
    let places = Arc::new(Semaphore::new(around.limits.in_flight));
    let mut directory = around.book.watch();
    let mut stop = around.stop.clone();
    let end = Instant::now() + Duration::from_secs(around.limits.seconds);
    let cut = || {
        let gone = !around.book.is_active(&peer.node);
        if gone {
            let detail = format!("{} is no longer active", peer.node.as_str());
            around.alarms.raise(Alarm::PeerIsolated, None, &detail);
        }
        gone
    };
    // The directory may have changed between the handshake and the watch.
    if cut() {
        return true;
    }
    for _ in 0..around.limits.calls {
        let place = loop {
            tokio::select! {
                place = Arc::clone(&places).acquire_owned() => match place {
                    Ok(place) => break place,
                    Err(_) => return false,
                },
                _ = directory.changed() => if cut() { return true },
            }
        };
        let frame = loop {
            tokio::select! {
                frame = timeout(SESSION_IDLE_MAX, frames.next()) => break frame,
                _ = directory.changed() => if cut() { return true },
                _ = stop.wait_for(|stop| *stop) => return false,
                () = tokio::time::sleep_until(end) => return false,
            }
        };
        let Ok(frame) = frame else { return false };
        let Some((id, request)) = accept(frame, peer, around) else { return false };
        let responder = Responder { id, way: Some((way.clone(), place)) };
        around.handler.handle(peer.clone(), request, responder);
    }
    false
}

/// A request that this peer may say to this node, or the end of the session with a named line.
fn accept<H>(
    frame: Result<Frame, Ended>,
    peer: &PeerIdentity,
    around: &Surroundings<H>,
) -> Option<(u64, Request)> {
    let node = peer.node.as_str();
    match frame {
        Ok(Frame { id, body: FrameBody::Request(request) }) => {
            let via = if peer.lan { Via::Lan } else { Via::Exchange };
            if may_say(peer.role, around.role, request.kind()) == Some(via) {
                return Some((id, request));
            }
            let detail = format!("{node} may not say {:?} here", request.kind());
            around.alarms.raise(Alarm::Conversation, None, &detail);
        }
        Ok(_) => {
            let detail = format!("{node} sent a reply where a request belongs");
            around.alarms.raise(Alarm::FrameMalformed, None, &detail);
        }
        Err(Ended::Malformed(error)) => {
            around.alarms.raise(Alarm::FrameMalformed, None, &format!("{node}: {error}"));
        }
        Err(Ended::Broken(error)) => {
            tracing::debug!(event = "session-broken", peer = node, %error, "session broke");
        }
        Err(Ended::Closed) => {}
    }
    None
}

async fn write<W: AsyncWrite + Unpin>(mut stream: W, mut ready: mpsc::Receiver<Ready>) {
    let mut gathered = Vec::new();
    while let Some(first) = ready.recv().await {
        let mut places = Vec::new();
        let mut next = Some(first);
        while let Some(one) = next {
            let frame = Frame { id: one.id, body: FrameBody::Reply(one.reply) };
            match wire::frame::encode(&frame) {
                Ok(bytes) => gathered.extend_from_slice(&bytes),
                Err(error) => tracing::error!(event = "reply-lost", %error, "reply not encoded"),
            }
            places.push(one._place);
            next = (gathered.len() < WRITE_GATHER_BYTES).then(|| ready.try_recv().ok()).flatten();
        }
        let sent = timeout(WRITE_TIMEOUT, async {
            stream.write_all(&gathered).await?;
            stream.flush().await
        });
        if !matches!(sent.await, Ok(Ok(()))) {
            return;
        }
        gathered.clear();
    }
    // close_notify: the peer can tell an end from a cut.
    let _ = timeout(WRITE_TIMEOUT, stream.shutdown()).await;
}
