//! One node as one process: token, store, directory, listener, machine; until it is told to stop.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use law::organ::Organ;
use node::machine::{Machine, Peer};
use node::member::Identity as MemberIdentity;
use node::ports::Store as _;
use node::ports::{Reads, StoreError, Write};
use store::{NodeStore, Place};
use tokio::net::TcpListener;
use tokio::sync::watch;
use wire::directory::{Directory, SignedDirectory};
use wire::{NodeId, Reply, Role};

use super::edge::NodeEdge;
use super::engine::{EVENTS_COUNT_MAX, Engine, EngineError, Event, MachineMaker};
use super::keys::{LedgerSigner, StoreKeys, origin};
use super::sweep::regime;
use crate::config::{NodeConfig, StoreConfig};
use crate::disk::DiskError;
use crate::net::{
    self, Alarms, Book, Caller, CallerOptions, Exchange, Identity, IdentityError, PeerIdentity,
    Responder, ServeOptions, Tls,
};
use crate::token_file::{self, TokenOpenError};
use crate::{clock, dice, disk};

/// Most bytes of a signed directory on disk: a frame carries it.
const DIRECTORY_FILE_BYTES_MAX: u64 = 1 << 20;

/// Why a node does not start, or stopped by itself.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    #[error(transparent)]
    Token(#[from] TokenOpenError),
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error("the store at {place} cannot be used: {source}")]
    Store { place: String, source: StoreError },
    #[error("the ledger key cannot be used: {0}")]
    Ledger(#[from] ledger::note::SignError),
    #[error("{path}: the directory is not signed by the center's key", path = .path.display())]
    Directory { path: PathBuf },
    #[error("cannot listen on {address}: {source}")]
    Listen { address: String, source: io::Error },
    #[error("this role is not served: {0}")]
    Role(Role),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error("the operating system would not: {0}")]
    System(#[from] io::Error),
}

/// Where a node's database file lies, if it has one.
#[must_use]
pub fn store_path(config: &NodeConfig) -> PathBuf {
    config.data.join("register.sqlite")
}

/// Where a node's store is kept, on whichever engine its configuration names.
pub fn store_place(config: &NodeConfig) -> Result<Place, ProcessError> {
    Ok(match &config.store {
        StoreConfig::Sqlite => Place::Sqlite(store_path(config)),
        StoreConfig::Postgresql { target, password_file: None } => {
            Place::Postgresql(target.clone())
        }
        StoreConfig::Postgresql { target, password_file: Some(file) } => {
            let password = disk::read_pin(file)?;
            Place::Postgresql(target.clone().with_password(&password))
        }
    })
}

/// Open a node's store for writing. The token must be there.
pub fn open_store(
    config: &NodeConfig,
    token: &Arc<dyn token::Token>,
) -> Result<NodeStore, ProcessError> {
    disk::make_folder(&config.data)?;
    disk::make_folder(&config.ledger)?;
    let place = store_place(config)?;
    let keys = StoreKeys(Arc::clone(token));
    let mut dice = dice::fill;
    NodeStore::open(&place, &config.ledger, &keys, &origin(&config.node), &mut dice)
        .map_err(|source| ProcessError::Store { place: place.to_string(), source })
}

/// Open a node's store for reading, also beside the process that writes it.
pub fn open_store_read_only(
    config: &NodeConfig,
    token: &Arc<dyn token::Token>,
) -> Result<NodeStore, ProcessError> {
    let place = store_place(config)?;
    let keys = StoreKeys(Arc::clone(token));
    NodeStore::open_read_only(&place, &config.ledger, &keys)
        .map_err(|source| ProcessError::Store { place: place.to_string(), source })
}

/// Serve until `stop` turns true. `ready` is called once requests are accepted.
pub async fn serve(
    config: NodeConfig,
    stop: watch::Receiver<bool>,
    ready: impl FnOnce(),
) -> Result<(), ProcessError> {
    let token = token_file::open(&config.token)?;
    // A store may wait for a server of its own: this thread is none of the runtime's meanwhile.
    let (store, directory) = tokio::task::block_in_place(|| open_with_directory(&config, &token))?;
    let book = Book::new(config.anchors(), config.lan_entries(), clock::now);
    book.install(&directory);
    let identity = Identity::new(config.node.clone(), Arc::clone(&token))?;
    let node_key = *identity.public_key();
    let alarms = Arc::new(Alarms::default());
    let (profile, peers) = (config.tls_profile, Arc::clone(&book));
    let tls = Tls::new(profile, identity.clone(), peers, Arc::clone(&alarms));
    let caller = Caller::new(CallerOptions {
        role: config.role,
        identity,
        tls: tls.clone(),
        book: Arc::clone(&book),
        exchange: config.exchange.as_ref().map(|way| way.node.clone()),
        between_municipalities: config.sessions.between_municipalities,
        otherwise: config.sessions.otherwise,
    });
    let signer = Arc::new(LedgerSigner::new(&config.node, Arc::clone(&token))?);
    let (events, inbox) = sync_channel(EVENTS_COUNT_MAX);
    let handle = tokio::runtime::Handle::current();
    let edge = Box::new(NodeEdge { handle, caller, book: Arc::clone(&book), token });
    let make = maker(&config, node_key)?;
    let engine = tokio::task::block_in_place(|| {
        let regime = regime(&config, &store);
        Engine::new(make, store, signer, edge, events.clone()).erasing(regime)
    });
    let address = config.listen.to_string();
    let listener = TcpListener::bind(config.listen)
        .await
        .map_err(|source| ProcessError::Listen { address, source })?;
    let relay = (config.role == Role::Exchange).then(|| {
        Exchange::new(config.node.clone(), Arc::clone(&book), Arc::clone(&alarms), clock::now)
    });
    let limits = config.sessions.otherwise;
    let options = ServeOptions { role: config.role, tls, book, alarms, limits, relay };
    let requests = events.clone();
    let handler = Arc::new(move |peer: PeerIdentity, request, responder: Responder| {
        let peer = Peer { node: peer.node, role: peer.role, organ: peer.organ };
        let reply = Box::new(move |reply: Reply| responder.reply(reply));
        // A full inbox drops the event, and with it the responder, which tells the peer so.
        let _ = requests.try_send(Event::Request { peer, request, reply });
    });
    let mut machine = std::thread::Builder::new()
        .name("machine".to_owned())
        .spawn(move || engine.run(&inbox))
        .map(|thread| tokio::task::spawn_blocking(move || thread.join()))?;
    ready();
    let outcome = tokio::select! {
        served = net::serve(listener, options, handler, stop) => {
            served?;
            let tell = move || drop(events.send(Event::Stop));
            let _ = tokio::task::spawn_blocking(tell).await;
            machine.await
        }
        outcome = &mut machine => outcome,
    };
    match outcome {
        Ok(Ok(result)) => Ok(result?),
        _ => Err(EngineError::Broken("the machine's thread ended".to_owned()).into()),
    }
}

/// The node's store, and the directory to begin with.
fn open_with_directory(
    config: &NodeConfig,
    token: &Arc<dyn token::Token>,
) -> Result<(NodeStore, Directory), ProcessError> {
    let mut store = open_store(config, token)?;
    let directory = first_directory(config, &mut store)?;
    Ok((store, directory))
}

/// The directory to begin with: the one kept, or the configured file where that is newer. The key
/// ceremony left the first one; a later one is how the center revokes a card or isolates a node
/// while no command does: whoever holds the center's directory key signs it, with a higher number.
fn first_directory(config: &NodeConfig, store: &mut NodeStore) -> Result<Directory, ProcessError> {
    let place = store_place(config)?.to_string();
    let failed = |source| ProcessError::Store { place: place.clone(), source };
    let kept =
        store.reads().directory().map_err(|error| failed(StoreError::Io(error.to_string())))?;
    let unsigned = || ProcessError::Directory { path: config.directory.clone() };
    let key = &config.center.directory_key;
    let kept = match kept {
        Some(bytes) => Some(signed_directory(key, &bytes).ok_or_else(unsigned)?),
        None => None,
    };
    let filed = disk::read(&config.directory, DIRECTORY_FILE_BYTES_MAX);
    let (directory, bytes) = match kept {
        // What is kept counts, whatever became of the file, unless the file goes on from it.
        Some(kept) => {
            let newer = filed.ok().and_then(|bytes| Some((signed_directory(key, &bytes)?, bytes)));
            match newer.filter(|(directory, _)| directory.serial > kept.serial) {
                Some(newer) => newer,
                None => return Ok(kept),
            }
        }
        None => {
            let bytes = filed?;
            (signed_directory(key, &bytes).ok_or_else(unsigned)?, bytes)
        }
    };
    let mut dice = dice::fill;
    store.apply(&[Write::PutDirectory(bytes)], &[], &mut dice).map_err(failed)?;
    store.commit().map_err(failed)?;
    Ok(directory)
}

/// A directory that the center's key signed.
fn signed_directory(key: &[u8; 65], bytes: &[u8]) -> Option<Directory> {
    let signed = SignedDirectory::decode(bytes).ok()?;
    let message = SignedDirectory::signing_bytes(&signed.body);
    token::verify::p256(key, &message, &signed.signature)
        .then(|| Directory::decode(&signed.body).ok())?
}

/// How to make this role's machine from what is durable.
fn maker(config: &NodeConfig, node_key: [u8; 65]) -> Result<MachineMaker, ProcessError> {
    let identity = MemberIdentity {
        node_key,
        node: config.node.clone(),
        role: config.role,
        organ: config.organ,
        directory_key: config.center.directory_key,
        software: concat!("jukinet/", env!("CARGO_PKG_VERSION")).to_owned(),
    };
    let center = config.center.node.clone();
    let every_ms = config.comparing_ms;
    let make: MachineMaker = match (config.role, config.organ) {
        (Role::Center, _) => boxed(identity, move |identity, reads| {
            node::center::Center::new(identity, reads).comparing_every(every_ms)
        }),
        (Role::Agency, _) => boxed(identity, node::agency::Agency::new),
        (Role::Exchange, _) => boxed(identity, node::exchange::Exchange::new),
        (Role::Prefecture, Some(Organ::Prefecture(code))) => {
            boxed(identity, move |identity, reads| {
                node::prefecture::Prefecture::new(identity, code, center.clone(), reads)
                    .comparing_every(every_ms)
            })
        }
        (Role::Municipality, Some(Organ::Municipality(code))) => {
            let prefecture = NodeId::parse(&format!("prefecture-{}", code.prefecture()))
                .map_err(|_| ProcessError::Role(config.role))?;
            boxed(identity, move |identity, reads| {
                let to = prefecture.clone();
                node::municipality::Municipality::new(identity, code, to, reads)
                    .comparing_every(every_ms)
            })
        }
        _ => return Err(ProcessError::Role(config.role)),
    };
    Ok(make)
}

fn boxed<M: Machine + 'static>(
    identity: MemberIdentity,
    make: impl Fn(MemberIdentity, &dyn Reads) -> M + Send + 'static,
) -> MachineMaker {
    Box::new(move |reads| Box::new(make(identity.clone(), reads)))
}
