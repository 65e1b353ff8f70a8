//! The peer of B1 as processes: PostgreSQL with pgaudit, an HTTP service for each core, nginx with
//! mutual TLS 1.3 in front, all on loopback and in one folder. Its configuration is kept with the
//! code; its keys are made for the run.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair,
    KeyUsagePurpose,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore};

use super::postgres::Cluster;
use super::{LiveError, clock, packages, web};

const NGINX: &str = include_str!("../../peers/nginx.conf");
const AUDIT: &str = include_str!("../../peers/postgresql-audit.conf");
const SCHEMA: &str = include_str!("../../peers/schema.sql");
const SERVICE: &str = include_str!("../../peers/service.py");
/// Where all of it stands in this repository, for the record.
pub(crate) const CONFIGURATION_FOLDER: &str = "crates/lab/peers/";
/// How long the services may take to listen.
const PATIENCE: Duration = Duration::from_secs(60);

/// The running peer. Dropping it stops it.
pub(crate) struct Office {
    pub(crate) cluster: Cluster,
    children: Vec<(&'static str, Child)>,
    pub(crate) address: SocketAddr,
    pub(crate) tls: Arc<ClientConfig>,
}

fn fault(what: impl std::fmt::Display) -> LiveError {
    LiveError::Peer(what.to_string())
}

impl Office {
    /// Makes and starts everything below `folder`, with empty tables.
    pub(crate) fn make(folder: &Path, cores: u32) -> Result<Self, LiveError> {
        packages::require()?;
        super::files::make_folder(folder)?;
        let cluster = Cluster::make(&folder.join("database"), AUDIT)?;
        cluster.session()?.run(&format!("CREATE EXTENSION pgaudit; {SCHEMA}"))?;
        let port = free_port()?;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let tls = keys(folder)?;
        let mut office = Self { cluster, children: Vec::new(), address, tls };
        let sockets = office.services(folder, cores)?;
        put(&folder.join("nginx.conf"), &nginx(folder, port, &sockets))?;
        let mut nginx = Command::new(packages::nginx());
        nginx.arg("-e").arg(folder.join("nginx-error.log"));
        nginx.arg("-c").arg(folder.join("nginx.conf"));
        office.start("nginx", &mut nginx)?;
        Ok(office)
    }

    /// One service for each core, each on a socket of its own.
    fn services(&mut self, folder: &Path, cores: u32) -> Result<Vec<PathBuf>, LiveError> {
        put(&folder.join("service.py"), SERVICE)?;
        let sockets: Vec<PathBuf> =
            (0..cores.max(1)).map(|core| folder.join(format!("service-{core}.sock"))).collect();
        for socket in &sockets {
            let mut service = Command::new(packages::uvicorn());
            service
                .args(["service:app", "--loop", "uvloop", "--http", "httptools", "--lifespan"])
                .args(["on", "--no-access-log", "--log-level", "error", "--timeout-keep-alive"])
                .args(["600", "--uds"])
                .arg(socket)
                .env("PEER_DATABASE", folder.join("database"))
                .current_dir(folder);
            self.start("http-service", &mut service)?;
        }
        let until = clock::monotonic() + PATIENCE;
        while sockets.iter().any(|socket| std::os::unix::net::UnixStream::connect(socket).is_err())
        {
            if clock::monotonic() > until {
                return Err(fault("the HTTP services did not come up"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(sockets)
    }

    fn start(&mut self, party: &'static str, command: &mut Command) -> Result<(), LiveError> {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.children.push((party, child.spawn().map_err(fault)?));
        Ok(())
    }

    /// The first process of each part.
    pub(crate) fn processes(&self) -> Vec<(&'static str, u32)> {
        let database = self.cluster.process().map(|process| ("postgresql", process));
        let children = self.children.iter().map(|(party, child)| (*party, child.id()));
        database.into_iter().chain(children).collect()
    }
}

impl Drop for Office {
    fn drop(&mut self) {
        for (_, child) in &mut self.children {
            let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap_or(i32::MAX));
            // nginx and the services end their own workers on this.
            let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
        }
        let until = clock::monotonic() + Duration::from_secs(5);
        for (_, child) in &mut self.children {
            while matches!(child.try_wait(), Ok(None)) && clock::monotonic() < until {
                std::thread::sleep(Duration::from_millis(20));
            }
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A port of loopback that nobody has now.
fn free_port() -> Result<u16, LiveError> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(fault)?;
    Ok(listener.local_addr().map_err(fault)?.port())
}

fn nginx(folder: &Path, port: u16, sockets: &[PathBuf]) -> String {
    let line = |socket: &PathBuf| format!("        server unix:{};", socket.display());
    let lines: Vec<String> = sockets.iter().map(line).collect();
    NGINX
        .replace("@FOLDER@", &folder.display().to_string())
        .replace("@PORT@", &port.to_string())
        .replace("@SERVICES@", &lines.join("\n"))
}

fn put(path: &Path, text: &str) -> Result<(), LiveError> {
    std::fs::write(path, text).map_err(LiveError::file(path))
}

/// An authority, a server's and a client's key, all P-256 as ours; the client's side of TLS 1.3.
fn keys(folder: &Path) -> Result<Arc<ClientConfig>, LiveError> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    // Names of their own: what has its issuer's name is taken for self-signed.
    params.distinguished_name = named("authority.invalid");
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    let signed = |name: &str| -> Result<_, LiveError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(vec![name.to_owned()])?;
        params.distinguished_name = named(name);
        Ok((params.signed_by(&key, &authority)?, key))
    };
    let (server, server_key) = signed(web::NAME)?;
    let (client, client_key) = signed("client.invalid")?;
    put(&folder.join("authority.pem"), &pem("CERTIFICATE", authority.as_ref().der()))?;
    put(&folder.join("server.pem"), &pem("CERTIFICATE", server.der()))?;
    put(&folder.join("server.key"), &pem("PRIVATE KEY", &server_key.serialize_der()))?;
    let mut roots = RootCertStore::empty();
    roots.add(authority.as_ref().der().clone())?;
    let chain: Vec<CertificateDer<'static>> = vec![client.der().clone()];
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(client_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)?;
    Ok(Arc::new(config))
}

fn named(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

/// The text form that nginx reads; OpenSSL takes lines of 64 letters.
fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut pem = format!("-----BEGIN {label}-----\n");
    for (place, letter) in text.chars().enumerate() {
        if place > 0 && place.is_multiple_of(64) {
            pem.push('\n');
        }
        pem.push(letter);
    }
    pem + &format!("\n-----END {label}-----\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_front_asks_for_a_certificate_and_names_every_service() {
        let sockets = [PathBuf::from("/x/service-0.sock"), PathBuf::from("/x/service-1.sock")];
        let text = nginx(Path::new("/x"), 4_000, &sockets);
        assert!(!text.contains('@'), "a word was left in place");
        assert_eq!(text.matches("server unix:/x/service-").count(), 2);
        for line in ["ssl_verify_client on;", "ssl_protocols TLSv1.3;", "listen 127.0.0.1:4000"] {
            assert!(text.contains(line), "{line}");
        }
    }

    #[test]
    fn the_keys_of_a_run_are_of_one_authority() {
        let folder = tempfile::tempdir().unwrap();
        assert!(keys(folder.path()).is_ok());
        for name in ["authority.pem", "server.pem", "server.key"] {
            assert!(folder.path().join(name).is_file(), "{name}");
        }
    }

    #[test]
    fn the_audit_row_is_written_where_the_answer_is_found() {
        for word in ["MATERIALIZED", "INSERT INTO audit", "LIMIT 51", "LEFT JOIN found ON true"] {
            assert!(SERVICE.contains(word), "{word}");
        }
        assert!(AUDIT.contains("shared_preload_libraries = 'pgaudit'"));
    }
}
