//! The sessions held with one peer: picked by load, bounded in calls and time, dropped when broken.
//! Not shared between peers, and not filled ahead of need: a session that nobody needs is a session
//! that can be stolen.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWriteExt, WriteHalf};
use tokio::net::TcpStream;
use tokio::sync::{Notify, Semaphore, SemaphorePermit, mpsc, oneshot};
use tokio::time::{Instant, timeout};
use tokio_rustls::client::TlsStream;
use wire::{Frame, FrameBody, NodeId, Reply, Request};

use super::book::Book;
use super::client::CallFailure;
use super::codec::{Ended, FrameReader};
use super::limits::{SessionLimits, WRITE_TIMEOUT};

/// From this many waiting calls on, another session is opened where one more is allowed: one
/// session is one task, and one task is one core.
const SPREAD_AT: usize = 16;

/// Requests are gathered up to this size before one write.
const WRITE_GATHER_BYTES: usize = 64 * 1024;

/// How long a call whose request could not be written waits to learn the reason.
const END_GRACE: Duration = Duration::from_secs(1);

type Answer = Result<Reply, CallFailure>;

/// All sessions with one peer.
pub(super) struct Pool {
    peer: NodeId,
    limits: SessionLimits,
    turns: Semaphore,
    state: Mutex<PoolState>,
    freed: Notify,
}

#[derive(Default)]
struct PoolState {
    held: Vec<Arc<Held>>,
    opening: usize,
}

/// What to do for the next call.
pub(super) enum Pick {
    Use(Call),
    Open(Opening),
    Wait,
}

impl Pool {
    pub(super) fn new(peer: NodeId, limits: SessionLimits) -> Arc<Self> {
        let turns = Semaphore::new(limits.sessions.saturating_mul(limits.in_flight));
        Arc::new(Self { peer, limits, turns, state: Mutex::default(), freed: Notify::new() })
    }

    /// First come, first served, within the bound of waiting calls.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.turns.acquire().await.ok()
    }

    /// Resolves at the next change; create it before [`Pool::pick`], so that none is missed.
    pub(super) fn freed(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let mut freed = Box::pin(self.freed.notified());
        freed.as_mut().enable();
        freed
    }

    fn state(&self) -> MutexGuard<'_, PoolState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn pick(self: &Arc<Self>) -> Pick {
        let mut state = self.state();
        state.held.retain(|held| held.is_usable());
        let room = state.held.len() + state.opening < self.limits.sessions;
        let least = state.held.iter().min_by_key(|held| held.waiting()).cloned();
        if let Some(held) = least
            && (!room || held.waiting() < SPREAD_AT)
            && let Some(call) = held.reserve(self)
        {
            return Pick::Use(call);
        }
        if room {
            state.opening += 1;
            return Pick::Open(Opening { pool: Arc::clone(self) });
        }
        Pick::Wait
    }
}

/// A session being opened; gives its place back however that ends.
pub(super) struct Opening {
    pool: Arc<Pool>,
}

impl Opening {
    /// The new session, with the opener's own call on it. Whoever opens a session uses it: if the
    /// peer ends it at once (TLS 1.3 judges the client after the client's handshake is over), that
    /// is the answer, and no second session is tried.
    pub(super) fn opened(
        self,
        stream: TlsStream<TcpStream>,
        book: Arc<Book>,
    ) -> Result<Call, CallFailure> {
        let held = Held::start(stream, Arc::clone(&self.pool), book);
        let call = held.reserve(&self.pool).ok_or_else(|| held.why(&self.pool.peer))?;
        self.pool.state().held.push(held);
        Ok(call)
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        let mut state = self.pool.state();
        state.opening = state.opening.saturating_sub(1);
        drop(state);
        self.pool.freed.notify_waiters();
    }
}

/// One open session.
struct Held {
    state: Mutex<HeldState>,
    in_flight: usize,
    retire_at: Instant,
}

struct HeldState {
    outgoing: Option<mpsc::Sender<Vec<u8>>>,
    waiting: HashMap<u64, oneshot::Sender<Answer>>,
    next_id: u64,
    calls_left: u64,
    ended: Option<CallFailure>,
}

impl Held {
    fn start(stream: TlsStream<TcpStream>, pool: Arc<Pool>, book: Arc<Book>) -> Arc<Self> {
        let (reading, writing) = tokio::io::split(stream);
        let (outgoing, requests) = mpsc::channel(pool.limits.in_flight);
        let held = Arc::new(Self {
            state: Mutex::new(HeldState {
                outgoing: Some(outgoing),
                waiting: HashMap::new(),
                next_id: 1,
                calls_left: pool.limits.calls,
                ended: None,
            }),
            in_flight: pool.limits.in_flight,
            retire_at: Instant::now() + Duration::from_secs(pool.limits.seconds),
        });
        tokio::spawn(write(writing, requests));
        tokio::spawn(read(reading, Arc::clone(&held), pool, book));
        held
    }

    fn state(&self) -> MutexGuard<'_, HeldState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn why(&self, peer: &NodeId) -> CallFailure {
        self.state().ended.clone().unwrap_or_else(|| session_ended(peer))
    }

    fn is_usable(&self) -> bool {
        let state = self.state();
        state.outgoing.is_some() && state.calls_left > 0 && Instant::now() < self.retire_at
    }

    fn waiting(&self) -> usize {
        self.state().waiting.len()
    }

    fn reserve(self: &Arc<Self>, pool: &Arc<Pool>) -> Option<Call> {
        let mut state = self.state();
        if state.waiting.len() >= self.in_flight || state.calls_left == 0 {
            return None;
        }
        let outgoing = state.outgoing.clone()?;
        let (way, answer) = oneshot::channel();
        let id = state.next_id;
        state.next_id += 1;
        state.calls_left -= 1;
        state.waiting.insert(id, way);
        drop(state);
        let (held, pool) = (Arc::clone(self), Arc::clone(pool));
        Some(Call { id, outgoing, answer, held, pool })
    }

    /// Whether nothing more will be asked and nothing is awaited.
    fn is_done(&self) -> bool {
        let state = self.state();
        state.waiting.is_empty() && (state.calls_left == 0 || Instant::now() >= self.retire_at)
    }

    /// No call is accepted any more; whoever waits is told why. Dropping the sender closes the
    /// writing half with a close_notify.
    fn end(&self, why: &CallFailure) {
        let mut state = self.state();
        state.outgoing = None;
        state.ended = Some(why.clone());
        for (_, way) in state.waiting.drain() {
            let _ = way.send(Err(why.clone()));
        }
    }
}

/// A reserved place on a session.
pub(super) struct Call {
    id: u64,
    outgoing: mpsc::Sender<Vec<u8>>,
    answer: oneshot::Receiver<Answer>,
    held: Arc<Held>,
    pool: Arc<Pool>,
}

impl Call {
    pub(super) async fn exchange(mut self, request: Request) -> Answer {
        let frame = Frame { id: self.id, body: FrameBody::Request(request) };
        let bytes = wire::frame::encode(&frame)
            .map_err(|error| CallFailure::Malformed(format!("this node: {error}")))?;
        if self.outgoing.send(bytes).await.is_err() {
            // The writer is gone; the reader is about to learn why.
            let why = timeout(END_GRACE, &mut self.answer).await;
            return Err(match why {
                Ok(Ok(Err(failure))) => failure,
                _ => session_ended(&self.pool.peer),
            });
        }
        (&mut self.answer).await.unwrap_or_else(|_| Err(session_ended(&self.pool.peer)))
    }
}

impl Drop for Call {
    /// Also when the caller gave up: a late reply to this id is then ignored.
    fn drop(&mut self) {
        self.held.state().waiting.remove(&self.id);
        self.pool.freed.notify_waiters();
    }
}

async fn write(mut stream: WriteHalf<TlsStream<TcpStream>>, mut requests: mpsc::Receiver<Vec<u8>>) {
    while let Some(mut gathered) = requests.recv().await {
        while gathered.len() < WRITE_GATHER_BYTES
            && let Ok(more) = requests.try_recv()
        {
            gathered.extend_from_slice(&more);
        }
        let sent = timeout(WRITE_TIMEOUT, async {
            stream.write_all(&gathered).await?;
            stream.flush().await
        });
        if !matches!(sent.await, Ok(Ok(()))) {
            break;
        }
    }
    let _ = timeout(WRITE_TIMEOUT, stream.shutdown()).await;
}

async fn read<R>(reading: R, held: Arc<Held>, pool: Arc<Pool>, book: Arc<Book>)
where
    R: AsyncRead + Unpin,
{
    let peer = pool.peer.as_str().to_owned();
    let mut frames = FrameReader::new(reading);
    let mut directory = book.watch();
    // The directory may have changed between the handshake and the watch.
    if !book.is_active(&pool.peer) {
        held.end(&CallFailure::NotActive(peer));
        return;
    }
    let why = loop {
        tokio::select! {
            frame = frames.next() => match frame {
                Ok(Frame { id, body: FrameBody::Reply(reply) }) => {
                    let way = held.state().waiting.remove(&id);
                    // None: the caller has given up.
                    if let Some(way) = way {
                        let _ = way.send(Ok(reply));
                    }
                    if held.is_done() {
                        break CallFailure::NotReachable { to: peer, why: "retired".to_owned() };
                    }
                }
                Ok(_) => break CallFailure::Malformed(peer),
                Err(ended) => break failure(&peer, ended),
            },
            () = tokio::time::sleep_until(held.retire_at), if !held.is_retired() => {
                if held.is_done() {
                    break CallFailure::NotReachable { to: peer, why: "retired".to_owned() };
                }
            },
            _ = directory.changed() => if !book.is_active(&pool.peer) {
                break CallFailure::NotActive(peer);
            },
        }
    };
    held.end(&why);
    pool.state().held.retain(|each| !Arc::ptr_eq(each, &held));
    pool.freed.notify_waiters();
}

impl Held {
    fn is_retired(&self) -> bool {
        Instant::now() >= self.retire_at
    }
}

fn session_ended(peer: &NodeId) -> CallFailure {
    let to = peer.as_str().to_owned();
    CallFailure::NotReachable { to, why: "the session ended".to_owned() }
}

fn failure(peer: &str, ended: Ended) -> CallFailure {
    let to = peer.to_owned();
    match ended {
        Ended::Malformed(_) => CallFailure::Malformed(to),
        Ended::Closed => CallFailure::NotReachable { to, why: "it closed the session".to_owned() },
        Ended::Broken(error) => match rustls_error(&error) {
            // TLS 1.3: the client's handshake ends before the server has judged its certificate.
            Some(rustls::Error::AlertReceived(_)) => CallFailure::RefusedByPeer(to),
            _ => CallFailure::NotReachable { to, why: error.to_string() },
        },
    }
}

fn rustls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref().and_then(|inner| inner.downcast_ref())
}
