//! Where a client stands: the configuration files of a demonstration, read for what a terminal or a
//! feed needs of them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use law::organ::Organ;
use rustls::client::ClientConfig;
use token::retention::RetentionShelf;
use token::{KeyName, SoftwareToken, Token};
use wire::NodeId;

use super::LiveError;
use super::identity::client_config;

/// The way from one client to its server.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    pub(crate) server: NodeId,
    pub(crate) address: SocketAddr,
    pub(crate) tls: Arc<ClientConfig>,
}

/// A terminal of a demonstration.
pub(crate) struct TerminalPlace {
    pub(crate) node: NodeId,
    pub(crate) organ: Organ,
    pub(crate) certificate: Vec<u8>,
    pub(crate) token: Arc<dyn Token>,
    pub(crate) card_issuer_key: [u8; 65],
    pub(crate) way: Way,
}

/// Reads a terminal's configuration.
pub(crate) fn terminal(file: &Path) -> Result<TerminalPlace, LiveError> {
    let config = Config::read(file)?;
    let node = config.node("node")?;
    let token = config.token("token")?;
    let way = Way {
        server: config.node("server.node")?,
        address: config.address("server.address")?,
        tls: client_config(&node, Arc::clone(&token), config.bytes("server.pin")?)?,
    };
    let certificate = config.path("certificate")?;
    Ok(TerminalPlace {
        organ: config.parsed("organ", |text| Organ::parse(text).ok())?,
        certificate: std::fs::read(&certificate).map_err(LiveError::file(&certificate))?,
        token,
        card_issuer_key: config.bytes("card_issuer_key")?,
        way,
        node,
    })
}

/// Reads the way of a municipality's register system to its server.
pub(crate) fn feed(file: &Path) -> Result<Way, LiveError> {
    let config = Config::read(file)?;
    let node = config.node("feed.node")?;
    let token = config.token("feed.token")?;
    Ok(Way {
        server: config.node("node")?,
        address: config.address("listen")?,
        tls: client_config(&node, token, config.bytes("feed.server_pin")?)?,
    })
}

/// Opens the token of a node, for reading its store beside it.
pub(crate) fn node_token(file: &Path) -> Result<Arc<dyn Token>, LiveError> {
    Config::read(file)?.token("token")
}

/// Opens the token of a node that does not run, with a shelf for its keys for terms; the file in
/// which they stand is handed to `shelf`.
pub(crate) fn node_token_with(
    file: &Path,
    shelf: impl FnOnce(PathBuf) -> Box<dyn RetentionShelf>,
) -> Result<Arc<dyn Token>, LiveError> {
    let config = Config::read(file)?;
    let (token, path) = config.sealed("token")?;
    Ok(Arc::new(token.with_retention(shelf(retention_path(&path)))?))
}

/// Where a sealed token keeps its keys for terms: beside its own file.
fn retention_path(token: &Path) -> PathBuf {
    let mut path = token.as_os_str().to_owned();
    path.push(".retention");
    PathBuf::from(path)
}

/// Where a node looks for the directory to begin with.
pub(crate) fn directory_file(file: &Path) -> Result<PathBuf, LiveError> {
    Config::read(file)?.path("directory")
}

/// Where a node listens.
pub(crate) fn listens(file: &Path) -> Result<SocketAddr, LiveError> {
    Config::read(file)?.address("listen")
}

/// The organ that a node or terminal belongs to, if it belongs to one.
pub(crate) fn organ(file: &Path) -> Result<Option<Organ>, LiveError> {
    let config = Config::read(file)?;
    Ok(config.text("organ").ok().and_then(|text| Organ::parse(text).ok()))
}

struct Config {
    file: PathBuf,
    table: toml::Table,
}

impl Config {
    fn read(file: &Path) -> Result<Self, LiveError> {
        let text = std::fs::read_to_string(file).map_err(LiveError::file(file))?;
        let table =
            text.parse().map_err(|_| LiveError::content(file, "is not TOML; name another"))?;
        Ok(Self { file: file.to_path_buf(), table })
    }

    /// The text at a dotted name.
    fn text(&self, name: &str) -> Result<&str, LiveError> {
        let (tables, last) = name.rsplit_once('.').unwrap_or(("", name));
        let mut table = &self.table;
        for part in tables.split('.').filter(|part| !part.is_empty()) {
            let inner = table.get(part).and_then(toml::Value::as_table);
            table = inner.ok_or_else(|| self.fault(name))?;
        }
        table.get(last).and_then(toml::Value::as_str).ok_or_else(|| self.fault(name))
    }

    fn parsed<T>(&self, name: &str, parse: fn(&str) -> Option<T>) -> Result<T, LiveError> {
        parse(self.text(name)?).ok_or_else(|| self.fault(name))
    }

    fn node(&self, name: &str) -> Result<NodeId, LiveError> {
        self.parsed(name, |text| NodeId::parse(text).ok())
    }

    fn address(&self, name: &str) -> Result<SocketAddr, LiveError> {
        self.parsed(name, |text| text.parse().ok())
    }

    fn bytes<const N: usize>(&self, name: &str) -> Result<[u8; N], LiveError> {
        self.parsed(name, |text| BASE64_STANDARD.decode(text).ok()?.try_into().ok())
    }

    fn path(&self, name: &str) -> Result<PathBuf, LiveError> {
        Ok(self.file.parent().unwrap_or_else(|| Path::new("")).join(self.text(name)?))
    }

    /// A software token and its file.
    fn sealed(&self, table: &str) -> Result<(SoftwareToken, PathBuf), LiveError> {
        if self.text(&format!("{table}.kind"))? != "software" {
            return Err(LiveError::content(&self.file, "a bench opens software tokens only"));
        }
        let file = self.path(&format!("{table}.file"))?;
        let sealed = std::fs::read(&file).map_err(LiveError::file(&file))?;
        let pin = pin(&self.path(&format!("{table}.pin_file"))?)?;
        Ok((SoftwareToken::open(&sealed, &pin)?, file))
    }

    fn token(&self, table: &str) -> Result<Arc<dyn Token>, LiveError> {
        let (token, file) = self.sealed(table)?;
        // A terminal's or a feed's token keeps no store and has no keys for terms.
        if token.names().any(|name| name == KeyName::Storage) {
            return Ok(Arc::new(token.with_retention(Box::new(BesideToken(file)))?));
        }
        Ok(Arc::new(token))
    }

    fn fault(&self, name: &str) -> LiveError {
        LiveError::content(&self.file, format!("{name} is missing or malformed"))
    }
}

/// One line, its end removed.
pub(crate) fn pin(file: &Path) -> Result<String, LiveError> {
    let text = std::fs::read_to_string(file).map_err(LiveError::file(file))?;
    Ok(text.trim_end().to_owned())
}

/// The keys for terms of a running node, read beside its token and never written.
struct BesideToken(PathBuf);

impl RetentionShelf for BesideToken {
    fn load(&self) -> Result<Option<Vec<u8>>, String> {
        match std::fs::read(retention_path(&self.0)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }

    fn keep(&self, _: &[u8]) -> Result<(), String> {
        Err("a bench makes and destroys no keys of a node".to_owned())
    }

    fn exclusively(&self) -> Result<Box<dyn std::any::Any>, String> {
        Err("a bench makes and destroys no keys of a node".to_owned())
    }

    fn fill(&self, _: &mut [u8]) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dotted_names_are_found_and_what_is_missing_is_named() {
        let config = Config {
            file: PathBuf::from("agency-1.toml"),
            table: "node = \"agency-1\"\n[server]\naddress = \"127.0.0.1:7\"\npin = \"AAEC\""
                .parse()
                .unwrap(),
        };
        assert_eq!(config.node("node").unwrap().as_str(), "agency-1");
        assert_eq!(config.address("server.address").unwrap().port(), 7);
        assert_eq!(config.bytes("server.pin").unwrap(), [0, 1, 2]);
        assert!(config.bytes::<4>("server.pin").is_err());
        let missing = config.text("feed.token.file").unwrap_err().to_string();
        assert!(missing.contains("feed.token.file"), "{missing}");
    }
}
