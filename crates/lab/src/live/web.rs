//! An HTTP client of the peer: lasting connections over mutual TLS 1.3, each used by one request at
//! a time, the next free one taken by whoever comes first.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, header};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::TlsConnector;

use super::{LiveError, clock};

/// The name in the peer's certificate.
pub(crate) const NAME: &str = "peer.invalid";
/// Longest answer that is read: fifty persons and their names are far below.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// How long the peer may take to come up.
const PATIENCE: Duration = Duration::from_secs(30);

type Connection = SendRequest<Full<Bytes>>;

/// Connections that are free, and how many there are.
#[derive(Clone)]
pub(crate) struct Web {
    address: SocketAddr,
    tls: Arc<ClientConfig>,
    free: Arc<Mutex<Vec<Connection>>>,
    turns: Arc<Semaphore>,
}

fn fault(what: impl std::fmt::Display) -> LiveError {
    LiveError::Peer(what.to_string())
}

impl Web {
    /// Opens `count` connections, as soon as the peer takes the first.
    pub(crate) async fn open(
        address: SocketAddr,
        tls: &Arc<ClientConfig>,
        count: usize,
    ) -> Result<Self, LiveError> {
        let until = clock::monotonic() + PATIENCE;
        let mut connections = Vec::with_capacity(count);
        while connections.len() < count {
            match connect(address, tls).await {
                Ok(connection) => connections.push(connection),
                Err(error) if clock::monotonic() > until => return Err(error),
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
        Ok(Self {
            address,
            tls: Arc::clone(tls),
            free: Arc::new(Mutex::new(connections)),
            turns: Arc::new(Semaphore::new(count)),
        })
    }

    /// Posts a body on the next free connection: status, answer, and when it was read.
    pub(crate) async fn post(&self, body: Bytes) -> Result<(u16, Bytes, Instant), LiveError> {
        let turn = self.turns.acquire().await.map_err(fault)?;
        let taken = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut connection = taken.ok_or_else(|| fault("no connection is free"))?;
        let request = Request::post("/provision")
            .header(header::HOST, NAME)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(fault)?;
        // The peer may have closed a connection that nobody used; the request is not sent twice.
        if connection.ready().await.is_err() {
            connection = connect(self.address, &self.tls).await?;
            connection.ready().await.map_err(fault)?;
        }
        let response = connection.send_request(request).await.map_err(fault)?;
        let status = response.status().as_u16();
        let answer = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
        let answer = answer.map_err(fault)?.to_bytes();
        let at = clock::monotonic();
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        drop(turn);
        Ok((status, answer, at))
    }
}

async fn connect(address: SocketAddr, tls: &Arc<ClientConfig>) -> Result<Connection, LiveError> {
    let tcp = TcpStream::connect(address).await.map_err(fault)?;
    tcp.set_nodelay(true).map_err(fault)?;
    let name = ServerName::try_from(NAME).map_err(fault)?;
    let stream = TlsConnector::from(Arc::clone(tls)).connect(name, tcp).await.map_err(fault)?;
    let (connection, driver) = handshake(TokioIo::new(stream)).await.map_err(fault)?;
    tokio::spawn(driver);
    Ok(connection)
}
