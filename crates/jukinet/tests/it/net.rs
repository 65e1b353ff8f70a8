//! The network edge over real sockets on loopback: who gets through, who does not, and what those
//! who do not get to see.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jukinet::net::alarm::{Alarm, Alarms};
use jukinet::net::client::CallerOptions;
use jukinet::net::{
    Book, CallFailure, Caller, Exchange, Identity, PeerEntry, PeerIdentity, PeerState, Responder,
    ServeOptions, SessionLimits, Tls, TlsProfile, serve,
};
use jukinet::{clock, dice};
use law::affair::Epoch;
use law::organ::Organ;
use law::time::Timestamp;
use rustls::pki_types::ServerName;
use token::{KeyName, SoftwareToken, Token};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use wire::connect::ConnectRequest;
use wire::{Directory, Heartbeat, Member, MemberState, NodeId, Reply, Request, Role, SignedQuery};

const CANARY: &str = "canary-9f41c2";
const PATIENCE: Duration = Duration::from_secs(10);

fn id(name: &str) -> NodeId {
    NodeId::parse(name).unwrap()
}

fn new_token() -> Arc<dyn Token> {
    let sealed = SoftwareToken::create(&[KeyName::Node], "0000", &mut dice::fill).unwrap();
    Arc::new(SoftwareToken::open(&sealed, "0000").unwrap())
}

/// One node of the small test country.
struct Party {
    role: Role,
    token: Arc<dyn Token>,
    identity: Identity,
    book: Arc<Book>,
    alarms: Arc<Alarms>,
    listener: Mutex<Option<TcpListener>>,
    address: SocketAddr,
    exchange: Option<NodeId>,
}

impl Party {
    async fn new(name: &str, role: Role, exchange: Option<&str>) -> Self {
        let token = new_token();
        let identity = Identity::new(id(name), Arc::clone(&token)).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Self {
            role,
            token,
            identity,
            book: Book::new(Vec::new(), Vec::new(), clock::now),
            alarms: Arc::new(Alarms::default()),
            listener: Mutex::new(Some(listener)),
            address,
            exchange: exchange.map(id),
        }
    }

    fn tls(&self, profile: TlsProfile) -> Tls {
        let (identity, book) = (self.identity.clone(), Arc::clone(&self.book));
        Tls::new(profile, identity, book, Arc::clone(&self.alarms))
    }

    fn member(&self) -> Member {
        let organ = match self.role {
            Role::Center => Some(Organ::Center),
            Role::Municipality => Some(Organ::parse("municipality:132152").unwrap()),
            Role::Prefecture => Some(Organ::parse("prefecture:13").unwrap()),
            _ => None,
        };
        Member {
            id: self.identity.node().clone(),
            role: self.role,
            organ,
            pin: self.identity.pin(),
            address: self.address.to_string(),
            exchange: self.exchange.clone(),
            state: MemberState::Active,
            ledger_vkey: None,
        }
    }

    fn caller(&self, limits: SessionLimits) -> Caller {
        Caller::new(CallerOptions {
            role: self.role,
            identity: self.identity.clone(),
            tls: self.tls(TlsProfile::Default),
            book: Arc::clone(&self.book),
            exchange: self.exchange.clone(),
            between_municipalities: SessionLimits::ONE_CALL,
            otherwise: limits,
        })
    }

    async fn run(&self, handled: Arc<AtomicUsize>) -> Running {
        let kept = self.listener.lock().unwrap().take();
        let listener = match kept {
            Some(listener) => listener,
            None => TcpListener::bind(self.address).await.unwrap(),
        };
        let (stop, stopped) = watch::channel(false);
        let relay = (self.role == Role::Exchange).then(|| {
            let (node, book) = (self.identity.node().clone(), Arc::clone(&self.book));
            Exchange::new(node, book, Arc::clone(&self.alarms), clock::now)
        });
        let options = ServeOptions {
            role: self.role,
            tls: self.tls(TlsProfile::Default),
            book: Arc::clone(&self.book),
            alarms: Arc::clone(&self.alarms),
            limits: SessionLimits::HELD,
            relay,
        };
        let handler = move |_: PeerIdentity, request: Request, responder: Responder| {
            handled.fetch_add(1, Ordering::Relaxed);
            match request {
                // One kind of request is dropped without an answer.
                Request::DirectoryFetch => drop(responder),
                _ => responder.reply(Reply::HeartbeatAck),
            }
        };
        let task = tokio::spawn(async move {
            serve(listener, options, Arc::new(handler), stopped).await.unwrap();
        });
        Running { stop, task }
    }
}

struct Running {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Running {
    async fn kill(self) {
        self.stop.send_replace(true);
        self.task.await.unwrap();
    }
}

/// A municipality behind exchange-13 and a center behind exchange-national.
struct World {
    city: Party,
    prefecture: Party,
    center: Party,
    near: Party,
    far: Party,
    handled: Arc<AtomicUsize>,
}

impl World {
    async fn new() -> Self {
        let world = Self {
            city: Party::new("municipality-132152", Role::Municipality, Some("exchange-13")).await,
            prefecture: Party::new("prefecture-13", Role::Prefecture, Some("exchange-13")).await,
            center: Party::new("center", Role::Center, Some("exchange-national")).await,
            near: Party::new("exchange-13", Role::Exchange, None).await,
            far: Party::new("exchange-national", Role::Exchange, None).await,
            handled: Arc::default(),
        };
        world.publish(&world.directory(1));
        world
    }

    fn all(&self) -> [&Party; 5] {
        [&self.city, &self.prefecture, &self.center, &self.near, &self.far]
    }

    fn directory(&self, serial: u64) -> Directory {
        let now = clock::now();
        Directory {
            serial,
            issued_at: now,
            expires_at: Timestamp(now.0 + 600_000),
            members: self.all().map(Party::member).to_vec(),
            operators: Vec::new(),
            agreements: Vec::new(),
            epoch: Epoch::Founding,
        }
    }

    fn publish(&self, directory: &Directory) {
        for party in self.all() {
            assert!(party.book.install(directory));
        }
    }

    async fn run(&self) -> Vec<Running> {
        let mut running = Vec::new();
        for party in [&self.center, &self.near, &self.far, &self.prefecture] {
            running.push(party.run(Arc::clone(&self.handled)).await);
        }
        running
    }

    async fn ask(&self, caller: &Caller) -> Result<Reply, CallFailure> {
        caller.call(&id("center"), heartbeat(), PATIENCE).await
    }

    /// The bytes of a connect request of `from`, signed by `signer`.
    fn connect(from: &Party, signer: &Party, to: &str, at: Timestamp) -> Vec<u8> {
        let (from, to, nonce) = (from.identity.node().clone(), id(to), dice::array());
        let signed = ConnectRequest::signing_bytes(&from, &to, at, &nonce);
        let signature = signer.token.sign(KeyName::Node, &signed).unwrap();
        let request = ConnectRequest { from, to, at, nonce, signature };
        [request.encode().as_slice(), signer.identity.public_key()].concat()
    }
}

fn heartbeat() -> Request {
    let software = CANARY.to_owned();
    Request::Heartbeat(Heartbeat { software, queued: 0, residents: 0, entries: 0 })
}

/// Everything that comes back for these first bytes, until the other side closes.
async fn answer_to(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("must close");
    answer
}

/// The first byte of the answer, if any came.
async fn first_byte(stream: &mut TcpStream) -> Option<u8> {
    let mut byte = [0u8; 1];
    match timeout(PATIENCE, stream.read(&mut byte)).await.expect("must answer or close") {
        Ok(1) => Some(byte[0]),
        _ => None,
    }
}

/// A wire tap: forwards both ways and keeps what passes.
async fn tap(target: SocketAddr) -> (SocketAddr, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let record = Arc::clone(&heard);
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let far = TcpStream::connect(target).await.unwrap();
            let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
            for (mut from, mut to) in [(near_in, far_out), (far_in, near_out)] {
                let record = Arc::clone(&record);
                tokio::spawn(async move {
                    let mut buffer = [0; 4096];
                    while let Ok(count @ 1..) = from.read(&mut buffer).await {
                        record.lock().unwrap().extend_from_slice(&buffer[..count]);
                        if to.write_all(&buffer[..count]).await.is_err() {
                            break;
                        }
                    }
                    let _ = to.shutdown().await;
                });
            }
        }
    });
    (address, heard)
}

async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..200 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_exchanges_relay_a_call_that_they_cannot_read() {
    let world = World::new().await;
    let (tapped, heard) = tap(world.center.address).await;
    let mut directory = world.directory(2);
    directory.members[2].address = tapped.to_string();
    world.publish(&directory);
    let _running = world.run().await;
    let caller = world.city.caller(SessionLimits::HELD);
    assert_eq!(world.ask(&caller).await, Ok(Reply::HeartbeatAck));
    let heard = heard.lock().unwrap().clone();
    assert!(heard.len() > 1_000, "the tap heard a handshake");
    assert!(!heard.windows(CANARY.len()).any(|part| part == CANARY.as_bytes()));
    assert!(!heard.windows(9).any(|part| part == b"jukinet/2"));
    assert_eq!(heard.first(), Some(&0x16), "only TLS passes between exchange and center");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_calls_share_few_sessions_and_all_are_answered() {
    let world = World::new().await;
    let _running = world.run().await;
    for limits in [SessionLimits::HELD, SessionLimits { calls: 1, ..SessionLimits::HELD }] {
        let caller = world.city.caller(limits);
        let calls: Vec<_> = (0..100)
            .map(|_| {
                let caller = caller.clone();
                tokio::spawn(async move {
                    caller.call(&id("center"), heartbeat(), Duration::from_secs(30)).await
                })
            })
            .collect();
        for call in calls {
            assert_eq!(call.await.unwrap(), Ok(Reply::HeartbeatAck));
        }
    }
    assert_eq!(world.handled.load(Ordering::Relaxed), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unanswered_request_is_told_unavailable_and_foreign_kinds_are_not_even_sent() {
    let world = World::new().await;
    let _running = world.run().await;
    let caller = world.city.caller(SessionLimits::HELD);
    let fetch = caller.call(&id("center"), Request::DirectoryFetch, PATIENCE).await;
    assert!(matches!(fetch, Ok(Reply::Unavailable { .. })), "{fetch:?}");
    let query = SignedQuery { body: vec![1], signature: vec![2] };
    let refused = caller.call(&id("center"), Request::StatusQuery(query), PATIENCE).await;
    assert!(matches!(refused, Err(CallFailure::NotAllowed(_))), "{refused:?}");
    let unknown = caller.call(&id("prefecture-47"), heartbeat(), PATIENCE).await;
    assert!(matches!(unknown, Err(CallFailure::Unknown(_))), "{unknown:?}");
}

fn lan_entry(party: &Party, pin: [u8; 32]) -> PeerEntry {
    let member = party.member();
    let (node, role, organ) = (member.id, member.role, member.organ);
    PeerEntry {
        identity: PeerIdentity { node, role, organ, state: PeerState::Active, lan: true },
        pin,
        address: Some(party.address.to_string()),
        exchange: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_no_directory_names_is_refused_before_it_can_speak() {
    let world = World::new().await;
    let _running = world.run().await;
    let mut stranger = Party::new("terminal-x", Role::Terminal, None).await;
    let lan = vec![lan_entry(&world.center, world.center.identity.pin())];
    stranger.book = Book::new(Vec::new(), lan, clock::now);
    let caller = stranger.caller(SessionLimits::HELD);
    let query = Request::StatusQuery(SignedQuery { body: vec![1], signature: vec![2] });
    let refused = caller.call(&id("center"), query, PATIENCE).await;
    assert!(
        matches!(refused, Err(CallFailure::RefusedByPeer(_) | CallFailure::NotReachable { .. })),
        "{refused:?}"
    );
    assert_eq!(world.center.alarms.count(Alarm::PeerUnknown), 1);
    assert_eq!(world.handled.load(Ordering::Relaxed), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_of_the_lan_may_say_what_terminals_say_and_nothing_else() {
    let mut world = World::new().await;
    let mut terminal = Party::new("terminal-center", Role::Terminal, None).await;
    let center = vec![lan_entry(&world.center, world.center.identity.pin())];
    terminal.book = Book::new(Vec::new(), center, clock::now);
    let lan = vec![lan_entry(&terminal, terminal.identity.pin())];
    world.center.book = Book::new(Vec::new(), lan, clock::now);
    let _running = world.run().await;
    let query = Request::StatusQuery(SignedQuery { body: vec![1], signature: vec![2] });
    let caller = terminal.caller(SessionLimits::HELD);
    assert_eq!(caller.call(&id("center"), query, PATIENCE).await, Ok(Reply::HeartbeatAck));
    // A terminal with a program of its own says what only a municipality may say.
    let tcp = TcpStream::connect(world.center.address).await.unwrap();
    let name = ServerName::try_from("peer.invalid").unwrap();
    let config = terminal.tls(TlsProfile::Default).client(&id("center")).unwrap();
    let mut stream = TlsConnector::from(config).connect(name, tcp).await.unwrap();
    let frame = wire::Frame { id: 1, body: wire::FrameBody::Request(heartbeat()) };
    stream.write_all(&wire::frame::encode(&frame).unwrap()).await.unwrap();
    let mut answer = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap();
    assert!(answer.is_empty());
    assert_eq!(world.center.alarms.count(Alarm::Conversation), 1);
    assert_eq!(world.handled.load(Ordering::Relaxed), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_another_key_or_another_name_is_not_spoken_to() {
    let world = World::new().await;
    let _running = world.run().await;
    // The directory pins another key for the center than the one that answers.
    let mut directory = world.directory(2);
    directory.members[2].pin = [7; 32];
    assert!(world.city.book.install(&directory));
    let caller = world.city.caller(SessionLimits::HELD);
    assert!(matches!(world.ask(&caller).await, Err(CallFailure::PeerWrong(_))));
    assert_eq!(world.city.alarms.count(Alarm::PeerUnknown), 1);
    // The exchange leads to a genuine member that is not the one that was dialed.
    let mut directory = world.directory(3);
    directory.members[2].address = world.prefecture.address.to_string();
    world.publish(&directory);
    let caller = world.city.caller(SessionLimits::HELD);
    assert!(matches!(world.ask(&caller).await, Err(CallFailure::PeerWrong(_))));
    assert_eq!(world.city.alarms.count(Alarm::PeerWrong), 1);
    assert_eq!(world.handled.load(Ordering::Relaxed), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn isolation_cuts_held_sessions_and_refuses_new_ones_everywhere() {
    let world = World::new().await;
    let _running = world.run().await;
    let caller = world.city.caller(SessionLimits::HELD);
    assert_eq!(world.ask(&caller).await, Ok(Reply::HeartbeatAck));
    let mut directory = world.directory(2);
    directory.members[0].state = MemberState::Isolated;
    // The city itself does not hear of it: it must be cut off without its help.
    for party in [&world.center, &world.near, &world.far] {
        assert!(party.book.install(&directory));
    }
    eventually("the held session is cut", || {
        world.center.alarms.count(Alarm::PeerIsolated) > 0
            || world.far.alarms.count(Alarm::ConnectForbidden) > 0
    })
    .await;
    let refused = world.ask(&caller).await;
    assert!(
        matches!(
            refused,
            Err(CallFailure::RefusedByExchange(_) | CallFailure::NotReachable { .. })
        ),
        "{refused:?}"
    );
    eventually("the exchange names the reason", || {
        world.near.alarms.count(Alarm::ConnectForbidden) > 0
    })
    .await;
    assert_eq!(world.handled.load(Ordering::Relaxed), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_center_refuses_an_isolated_member_even_when_the_exchanges_are_late() {
    let world = World::new().await;
    let _running = world.run().await;
    let mut directory = world.directory(2);
    directory.members[0].state = MemberState::Isolated;
    assert!(world.center.book.install(&directory));
    let caller = world.city.caller(SessionLimits::HELD);
    let refused = world.ask(&caller).await;
    assert!(refused.is_err(), "{refused:?}");
    assert_eq!(world.center.alarms.count(Alarm::PeerIsolated), 1);
    assert_eq!(world.handled.load(Ordering::Relaxed), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_protocol_name_or_none_is_no_session() {
    let world = World::new().await;
    let _running = world.run().await;
    for alpn in [vec![b"h2".to_vec()], vec![]] {
        let tls = world.city.tls(TlsProfile::Default);
        let mut config = tls.client(&id("center")).unwrap().as_ref().clone();
        config.alpn_protocols = alpn;
        let tcp = TcpStream::connect(world.center.address).await.unwrap();
        let name = ServerName::try_from("peer.invalid").unwrap();
        let outcome = TlsConnector::from(Arc::new(config)).connect(name, tcp).await;
        if let Ok(mut stream) = outcome {
            let frame = wire::Frame { id: 1, body: wire::FrameBody::Request(heartbeat()) };
            let _ = stream.write_all(&wire::frame::encode(&frame).unwrap()).await;
            let mut answer = Vec::new();
            let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap();
            assert!(answer.is_empty());
        }
    }
    eventually("both are counted", || world.center.alarms.count(Alarm::Handshake) == 2).await;
    assert_eq!(world.handled.load(Ordering::Relaxed), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn http_and_telnet_get_not_one_byte_from_anyone() {
    let world = World::new().await;
    let _running = world.run().await;
    let probes: [&[u8]; 5] = [
        b"GET / HTTP/1.1\r\nHost: center\r\n\r\n",
        b"\xff\xfb\x1f\xff\xfb\x20\xff\xfb\x18",
        b"JUKEBOX 1.0 hello, is anybody there?",
        b"JUKI\x01\xff\xff and far too much",
        b"SSH-2.0-OpenSSH_9.2\r\n",
    ];
    for party in [&world.center, &world.near, &world.far] {
        for probe in probes {
            assert_eq!(answer_to(party.address, probe).await, b"", "{probe:?}");
        }
        let foreign = party.alarms.count(Alarm::ForeignProtocol);
        let malformed = party.alarms.count(Alarm::ConnectMalformed);
        assert_eq!(foreign + malformed, 5);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connect_request_counts_once_now_and_for_its_signer_only() {
    let world = World::new().await;
    let _running = world.run().await;
    let now = clock::now();
    let (city, near) = (&world.city, &world.near);
    let genuine = World::connect(city, city, "center", now);
    let mut stream = TcpStream::connect(near.address).await.unwrap();
    stream.write_all(&genuine).await.unwrap();
    assert_eq!(first_byte(&mut stream).await, Some(0));
    assert_eq!(answer_to(near.address, &genuine).await, b"", "replayed");
    assert_eq!(near.alarms.count(Alarm::ConnectReplayed), 1);
    let stale = World::connect(city, city, "center", Timestamp(now.0 - 61_000));
    assert_eq!(answer_to(near.address, &stale).await, b"", "stale");
    assert_eq!(near.alarms.count(Alarm::ConnectReplayed), 2);
    let forged = World::connect(city, &world.prefecture, "center", now);
    assert_eq!(answer_to(near.address, &forged).await, b"", "another member's key");
    let mut altered = World::connect(city, city, "center", now);
    let last = altered.len() - 66;
    altered[last] ^= 1;
    assert_eq!(answer_to(near.address, &altered).await, b"", "signature altered");
    assert_eq!(near.alarms.count(Alarm::ConnectForged), 2);
    // No row of the conversation table lets a prefecture call a municipality.
    let upside = World::connect(&world.prefecture, &world.prefecture, "municipality-132152", now);
    assert_eq!(answer_to(near.address, &upside).await, b"", "not in the table");
    // Nor does an exchange pass on what is neither from nor to its own members.
    let astray = World::connect(city, city, "prefecture-13", now);
    assert_eq!(answer_to(world.far.address, &astray).await, b"", "not this exchange's");
    assert_eq!(near.alarms.count(Alarm::ConnectForbidden), 1);
    assert_eq!(world.far.alarms.count(Alarm::ConnectForbidden), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_oversize_frame_ends_its_session_and_nothing_else() {
    let world = World::new().await;
    let _running = world.run().await;
    for (bytes, alarms) in [(vec![0x7f, 0xff, 0xff, 0xff], 1), (vec![0, 0, 0, 2, 0xff, 0xff], 2)] {
        let tls = world.city.tls(TlsProfile::CryptrecStrict);
        let tcp = TcpStream::connect(world.center.address).await.unwrap();
        let name = ServerName::try_from("peer.invalid").unwrap();
        let connector = TlsConnector::from(tls.client(&id("center")).unwrap());
        let mut stream = connector.connect(name, tcp).await.unwrap();
        let connection = stream.get_ref().1;
        let group = connection.negotiated_key_exchange_group().unwrap().name();
        assert_eq!(group, rustls::NamedGroup::secp256r1MLKEM768);
        stream.write_all(&bytes).await.unwrap();
        let mut answer = Vec::new();
        let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap();
        assert!(answer.is_empty());
        assert_eq!(world.center.alarms.count(Alarm::FrameMalformed), alarms);
    }
    let caller = world.city.caller(SessionLimits::HELD);
    assert_eq!(world.ask(&caller).await, Ok(Reply::HeartbeatAck));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_peer_is_not_reachable_and_comes_back() {
    let world = World::new().await;
    let mut running = world.run().await;
    let caller = world.city.caller(SessionLimits::HELD);
    assert_eq!(world.ask(&caller).await, Ok(Reply::HeartbeatAck));
    running.remove(0).kill().await;
    let mut failure = world.ask(&caller).await;
    if failure.is_ok() {
        // A session accepted before the stop may finish what it was asked.
        failure = world.ask(&caller).await;
    }
    assert!(matches!(failure, Err(CallFailure::NotReachable { .. })), "{failure:?}");
    assert!(failure.unwrap_err().is_transient());
    let _center = world.center.run(Arc::clone(&world.handled)).await;
    let mut recovered = world.ask(&caller).await;
    for _ in 0..20 {
        if recovered.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        recovered = world.ask(&caller).await;
    }
    assert_eq!(recovered, Ok(Reply::HeartbeatAck));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_directory_lets_nothing_through_but_the_way_to_the_next() {
    fn late() -> Timestamp {
        Timestamp(clock::now().0 + 700_000)
    }
    let world = World::new().await;
    let anchor = PeerEntry {
        identity: PeerIdentity {
            node: id("center"),
            role: Role::Center,
            organ: Some(Organ::Center),
            state: PeerState::Active,
            lan: false,
        },
        pin: world.center.identity.pin(),
        address: None,
        exchange: Some(id("exchange-national")),
    };
    let book = Book::new(vec![anchor], Vec::new(), late);
    assert!(book.install(&world.directory(1)));
    assert!(!book.install(&world.directory(1)), "an old serial changes nothing");
    assert_eq!(book.by_node(&id("center")).unwrap().identity.state, PeerState::Active);
    assert_eq!(book.by_node(&id("prefecture-13")).unwrap().identity.state, PeerState::Stale);
    assert!(!book.is_active(&id("prefecture-13")));
}
