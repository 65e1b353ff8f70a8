//! A vendor's system for tests: a gateway process in front of a municipality's server, and an HTTPS
//! client with a certificate of its own. Small enough to read: it shows what a vendor has to do.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use jukinet::config::{load_node, reader::base64_text};
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::country::{BINARY, Country, KUNITACHI, Person, tool};

/// A key and its certificate, as a vendor makes them.
pub(crate) struct VendorKey {
    pub(crate) key: KeyPair,
    pub(crate) certificate: rcgen::Certificate,
}

impl VendorKey {
    pub(crate) fn new(algorithm: &'static rcgen::SignatureAlgorithm) -> Self {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let params = CertificateParams::new(vec!["vendor.example".to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self { key, certificate }
    }

    fn pem(&self) -> String {
        let text = base64_text(self.certificate.der());
        format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
    }
}

/// What a request was answered.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answered {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    pub(crate) fn rule(&self) -> String {
        self.json()["refusal"]["rule"].as_str().unwrap_or_default().to_owned()
    }
}

/// A gateway that runs, in a folder of its own.
pub(crate) struct Gateway {
    child: Child,
    address: String,
    pem: String,
    /// Its working directory and home; must stay empty.
    pub(crate) home: TempDir,
    log: PathBuf,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The configuration of a gateway for 国立市, with this one client and these further lines.
pub(crate) fn configure(country: &Country, client: &VendorKey, more: &str) -> PathBuf {
    let node = country.made.node("municipality-132152").unwrap();
    let own = load_node(&node.config).unwrap();
    let certificate = country.write("vendor.pem", client.pem().as_bytes());
    let pin = tool(&["gateway", "pin", "--certificate", &certificate.display().to_string()]);
    let text = format!(
        "role = \"feed\"\nnode = \"feed-132152\"\norgan = \"municipality:132152\"\n\
         listen = \"127.0.0.1:0\"\nnames = [\"gateway.example\", \"127.0.0.1\"]\n\
         tls_profile = \"default\"\n{more}\n\
         [token]\nkind = \"software\"\nfile = \"feed/token\"\npin_file = \"feed/token.pin\"\n\
         [server]\nnode = \"municipality-132152\"\nrole = \"municipality\"\n\
         organ = \"municipality:132152\"\naddress = \"{}\"\npin = \"{}\"\n\
         [[client]]\nname = \"register-system\"\npin = \"{}\"\n",
        own.listen,
        base64_text(&own.feed.unwrap().server_pin),
        pin.stdout.trim(),
    );
    let path = node.folder.join("gateway.toml");
    fs::write(&path, text).unwrap();
    path
}

impl Gateway {
    pub(crate) fn start(config: &Path) -> Self {
        let home = tempfile::tempdir().unwrap();
        let log = config.with_extension("log");
        let file = OpenOptions::new().create(true).append(true).open(&log).unwrap();
        let mut child = Command::new(BINARY)
            .args(["gateway", "serve", "--config", &config.display().to_string()])
            .current_dir(home.path())
            .env("HOME", home.path())
            .env("TMPDIR", home.path())
            .env("JUKINET_LOG", "trace")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(file)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("ready feed-132152 https://").map(str::to_owned);
        let address = address.unwrap_or_else(|| panic!("{line} {:?}", fs::read_to_string(&log)));
        let pem = tool(&["gateway", "certificate", "--config", &config.display().to_string()]);
        Self { child, address, pem: pem.stdout, home, log }
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    fn client(&self, key: Option<&VendorKey>) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.pem.as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots);
        match key {
            None => builder.with_no_client_auth(),
            Some(key) => {
                let private = PrivateKeyDer::try_from(key.key.serialize_der()).unwrap();
                let chain = vec![key.certificate.der().clone()];
                builder.with_client_auth_cert(chain, private).unwrap()
            }
        }
    }

    pub(crate) fn dial(&self, key: Option<&VendorKey>) -> StreamOwned<ClientConnection, TcpStream> {
        let name = ServerName::try_from("gateway.example").unwrap();
        let connection = ClientConnection::new(Arc::new(self.client(key)), name).unwrap();
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        StreamOwned::new(connection, stream)
    }

    /// One request on a connection of its own; an error when the gateway does not speak.
    pub(crate) fn ask(
        &self,
        key: Option<&VendorKey>,
        request: &str,
        kind: &str,
        body: &[u8],
    ) -> std::io::Result<Answered> {
        let mut stream = self.dial(key);
        let head = format!(
            "{request} HTTP/1.1\r\nHost: gateway.example\r\nContent-Type: {kind}\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes())?;
        // A body that is refused half-way: what was answered counts.
        let _ = stream.write_all(body).and_then(|()| stream.flush());
        answered(&mut stream)
    }

    pub(crate) fn get(&self, key: &VendorKey, path: &str) -> Answered {
        self.ask(Some(key), &format!("GET {path}"), "text/plain", b"").unwrap()
    }

    pub(crate) fn post(&self, key: &VendorKey, body: &Value) -> Answered {
        let body = body.to_string();
        let request = "POST /v1/change-batches";
        self.ask(Some(key), request, "application/json", body.as_bytes()).unwrap()
    }
}

pub(crate) fn answered(stream: &mut impl Read) -> std::io::Result<Answered> {
    let mut bytes = Vec::new();
    let read = stream.read_to_end(&mut bytes);
    let text = String::from_utf8(bytes).unwrap();
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return Err(read.err().unwrap_or_else(|| std::io::Error::other("no answer")));
    };
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap();
    Ok(Answered { status, head: head.to_lowercase(), body: body.to_owned() })
}

/// A person as a row of a batch.
pub(crate) fn row(person: &Person, sequence: u64, reason: &str, on: &str) -> Value {
    json!({
        "sequence": sequence, "reason": reason, "changed_on": on,
        "record_code": person.code, "family_name": person.family, "given_name": person.given,
        "family_kana": "シケン", "given_kana": "カナ", "sex": 2, "birth": person.birth,
        "municipality_code": person.municipality, "address": person.address,
    })
}

/// Every file below a folder, with its bytes.
pub(crate) fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if let Ok(bytes) = fs::read(&path) {
            found.push((path, bytes));
        }
    }
    found
}

pub(crate) fn person(number: u64) -> Person {
    Person::number(number, KUNITACHI)
}
