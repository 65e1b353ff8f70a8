//! What strangers and broken peers get from the ports of real nodes: nothing, or a TLS alert; the
//! node lives, counts the alarm in its log, and writes down not a byte of what they sent.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jukinet::config::load_terminal;
use jukinet::net::{Alarms, Book, Identity, Tls, TlsProfile};
use jukinet::{clock, dice, token_file};
use rustls::client::ResolvesClientCert;
use rustls::pki_types::ServerName;
use rustls::sign::CertifiedKey;
use rustls::{ClientConnection, SignatureScheme, StreamOwned};
use token::{KeyName, SoftwareToken, Token};
use wire::{Frame, FrameBody, Heartbeat, NodeId, Reply, Request};

use crate::country::{Country, KUNITACHI, Person, eventually, residents_csv};

const PATIENCE: Duration = Duration::from_secs(20);
/// What strangers write: somebody's data, for all a node knows.
const CANARY: &str = "鰐鵺\u{3000}鸞麒 東京都国立市";

fn dial(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Everything that comes back until the other side closes.
fn answer_to(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = dial(address);
    // The other side may close while we still write.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    if let Err(error) = stream.read_to_end(&mut answer) {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "not closed in time");
    }
    answer
}

/// The same bytes at every run.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed;
    let next = |_| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    (0..length).map(next).collect()
}

fn alarms(country: &Country, node: &str, name: &str) -> usize {
    let event = format!("\"event\":\"{name}\"");
    country.log(node).lines().filter(|line| line.contains(&event)).count()
}

#[test]
fn noise_and_foreign_protocols_get_not_one_byte_and_are_counted() {
    let mut country = Country::with_agency();
    let mut probes: Vec<Vec<u8>> = vec![
        format!("GET /?name={CANARY} HTTP/1.1\r\nHost: center\r\n\r\n").into_bytes(),
        format!("HELO {CANARY}\r\n").into_bytes(),
        b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(),
        b"\xff\xfb\x1f\xff\xfb\x20".to_vec(),
        [&b"JUKI\x01\xff\xff"[..], CANARY.as_bytes()].concat(),
        [&b"JUKI\x01\x00\x80"[..], &noise(7, 1_000)].concat(),
    ];
    probes.extend((1..=10).map(|seed| {
        let mut bytes = noise(seed, 1 << seed);
        // Not the first byte of a TLS handshake: those are answered by an alert.
        bytes[0] |= 0x80;
        bytes
    }));
    let nodes = ["center", "municipality-132152", "prefecture-13", "agency-1", "exchange-13"];
    for node in nodes {
        let address = country.made.node(node).unwrap().address;
        for probe in &probes {
            assert_eq!(answer_to(address, probe), b"", "{node} answers {:?}", &probe[..8]);
        }
        // A record that begins as TLS and is none: an alert at most.
        let answer = answer_to(address, &[&[0x16, 3, 1, 0, 40][..], &noise(3, 40)].concat());
        assert!(answer.len() <= 7 && answer.first().is_none_or(|first| *first == 0x15));
        eventually("every probe is counted", PATIENCE, || {
            let foreign = alarms(&country, node, "foreign-protocol");
            foreign + alarms(&country, node, "connect-malformed") == probes.len()
                && alarms(&country, node, "handshake-failed") == 1
        });
        assert!(country.runs(node));
        assert!(!country.log(node).contains("鵺"), "what was sent is in the log of {node}");
    }
    // Who says nothing is not waited for.
    let started = Instant::now();
    let silent = country.made.node("center").unwrap().address;
    assert_eq!(answer_to(silent, b""), b"");
    assert!(started.elapsed() < Duration::from_secs(10));
    assert_eq!(alarms(&country, "center", "preamble-timeout"), 1);
    assert_eq!(country.ask(&["--code", &Person::number(1, KUNITACHI).code]).code, 0);
}

#[derive(Debug)]
struct NoCertificate;

impl ResolvesClientCert for NoCertificate {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}

/// A client with this token that expects the agency's own server.
fn client(country: &Country, token: Arc<dyn Token>) -> (SocketAddr, rustls::ClientConfig) {
    let terminal = country.dir().join("terminals/agency-1.toml");
    let config = load_terminal(&terminal).unwrap();
    let book = Book::new(Vec::new(), vec![config.server.entry()], clock::now);
    let identity = Identity::new(config.node, token).unwrap();
    let tls = Tls::new(TlsProfile::Default, identity, book, Arc::new(Alarms::default()));
    let server = NodeId::parse("agency-1").unwrap();
    (config.server.address, tls.client(&server).unwrap().as_ref().clone())
}

/// What comes back over TLS for these bytes until the other side ends the session.
fn answer_over_tls((address, config): (SocketAddr, rustls::ClientConfig), bytes: &[u8]) -> Vec<u8> {
    let name = ServerName::try_from("peer.invalid").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = StreamOwned::new(connection, dial(address));
    let _ = stream.write_all(bytes).and_then(|()| stream.flush());
    let mut answer = Vec::new();
    if let Err(error) = stream.read_to_end(&mut answer) {
        let timed_out = [std::io::ErrorKind::WouldBlock, std::io::ErrorKind::TimedOut];
        assert!(!timed_out.contains(&error.kind()), "the session was not ended: {error}");
    }
    answer
}

fn heartbeat() -> FrameBody {
    FrameBody::Request(Request::Heartbeat(Heartbeat {
        software: "jukinet/0".to_owned(),
        queued: 0,
        residents: 0,
        entries: 0,
    }))
}

#[test]
fn without_a_known_key_nothing_is_heard_and_nothing_is_said() {
    let mut country = Country::make();
    country.start_all(&["agency-1"]);
    let frame = wire::frame::encode(&Frame { id: 1, body: heartbeat() }).unwrap();
    let stranger = SoftwareToken::create(&[KeyName::Node], "0000", &mut dice::fill).unwrap();
    let stranger: Arc<dyn Token> = Arc::new(SoftwareToken::open(&stranger, "0000").unwrap());
    let (address, mut config) = client(&country, Arc::clone(&stranger));
    assert_eq!(answer_over_tls((address, config.clone()), &frame), b"");
    eventually("the unknown key is counted", PATIENCE, || {
        alarms(&country, "agency-1", "peer-unknown") == 1
    });
    config.client_auth_cert_resolver = Arc::new(NoCertificate);
    assert_eq!(answer_over_tls((address, config), &frame), b"");
    eventually("the missing certificate is counted", PATIENCE, || {
        alarms(&country, "agency-1", "handshake-failed") == 2
    });
    assert!(country.runs("agency-1"));
}

#[test]
fn a_genuine_terminal_that_talks_nonsense_loses_its_session_and_nothing_else_happens() {
    let country = Country::with_agency();
    let person = Person::number(1, KUNITACHI);
    let file = country.write("one.csv", residents_csv(std::slice::from_ref(&person)).as_bytes());
    assert_eq!(country.notice(KUNITACHI, &file).code, 0);
    let terminal = load_terminal(&country.dir().join("terminals/agency-1.toml")).unwrap();
    let token = token_file::open(&terminal.token).unwrap();
    let framed = |body| wire::frame::encode(&Frame { id: 9, body }).unwrap();
    let ack = framed(FrameBody::Reply(Reply::HeartbeatAck));
    let nonsense: [(Vec<u8>, &str); 6] = [
        (vec![0x7f, 0xff, 0xff, 0xff], "frame-malformed"),
        (vec![0, 0, 0, 2, 0xff, 0xff], "frame-malformed"),
        ([&[0, 0, 1, 0][..], &noise(5, 256)].concat(), "frame-malformed"),
        (
            [&100u32.to_be_bytes()[..], &CANARY.repeat(3).as_bytes()[..100]].concat(),
            "frame-malformed",
        ),
        (ack, "frame-malformed"),
        (framed(heartbeat()), "conversation-forbidden"),
    ];
    for (bytes, alarm) in &nonsense {
        let before = alarms(&country, "agency-1", alarm);
        let answer = answer_over_tls(client(&country, Arc::clone(&token)), bytes);
        assert_eq!(answer, b"", "{alarm}: {:?}", &bytes[..4]);
        eventually("it is counted", PATIENCE, || alarms(&country, "agency-1", alarm) == before + 1);
    }
    // Half a frame and gone.
    let (address, config) = client(&country, token);
    let name = ServerName::try_from("peer.invalid").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = StreamOwned::new(connection, dial(address));
    stream.write_all(&[0, 0, 1, 0, 8]).and_then(|()| stream.flush()).unwrap();
    drop(stream);
    country.await_tiers(KUNITACHI, 1);
    assert_eq!(country.ask(&["--code", &person.code]).codes(), vec![person.code]);
    assert!(!country.log("agency-1").contains("鵺"));
}
