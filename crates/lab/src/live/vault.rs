//! A store of the laboratory's own, with a software token beside it in the same folder: for benches
//! that need the production store and no node. And the store of a node that does not run, for a
//! bench that fills it before the node is started.

use std::any::Any;
use std::fs::{File, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use store::{KeyError, KeySource, SqliteStore};
use token::retention::RetentionShelf;
use token::{KeyName, SoftwareToken, Token, TokenError};
use zeroize::Zeroizing;

use super::{LiveError, dice, place};

/// Nobody guesses it in the minutes that the folder lives.
const PIN: &str = "0000000000000000";

/// Makes a store and its token in an empty folder.
pub(crate) fn make(folder: &Path) -> Result<SqliteStore, LiveError> {
    std::fs::create_dir_all(folder.join("ledger")).map_err(LiveError::file(folder))?;
    let sealed = SoftwareToken::create(&[KeyName::Ledger, KeyName::Storage], PIN, &mut dice::fill)?;
    let path = folder.join("token");
    std::fs::write(&path, &sealed).map_err(LiveError::file(&path))?;
    let shelf = Box::new(Shelf(folder.join("token.retention")));
    let token = SoftwareToken::open(&sealed, PIN)?.with_retention(shelf)?;
    let keys = VaultKeys(Arc::new(token));
    let (store, ledger) = (folder.join("store.sqlite"), folder.join("ledger"));
    SqliteStore::open(&store, &ledger, &keys, "jukinet.example/bench", &mut dice::fill)
        .map_err(|error| LiveError::Store { node: "the bench".to_owned(), why: error.to_string() })
}

/// The store of a node that does not run, opened for loading: made where there is none. The node
/// goes on with it as with its own.
pub(crate) fn of_node(node: &str, folder: &Path) -> Result<SqliteStore, LiveError> {
    let token = place::node_token_with(&folder.join("config.toml"), |file| Box::new(Shelf(file)))?;
    let (data, ledger) = (folder.join("data"), folder.join("ledger"));
    for path in [&data, &ledger] {
        std::fs::create_dir_all(path).map_err(LiveError::file(path))?;
        let owner = Permissions::from_mode(0o700);
        std::fs::set_permissions(path, owner).map_err(LiveError::file(path))?;
    }
    let origin = format!("jukinet.example/{node}");
    let database = data.join("register.sqlite");
    SqliteStore::open(&database, &ledger, &VaultKeys(token), &origin, &mut dice::fill)
        .map_err(|error| LiveError::Store { node: node.to_owned(), why: error.to_string() })
}

struct VaultKeys(Arc<dyn Token>);

fn refused(error: &TokenError) -> KeyError {
    KeyError(error.to_string())
}

impl KeySource for VaultKeys {
    fn wrap(&self, plain: &[u8], nonce: [u8; 12]) -> Result<Vec<u8>, KeyError> {
        self.0.wrap(KeyName::Storage, plain, nonce).map_err(|error| refused(&error))
    }

    fn unwrap(&self, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        self.0.unwrap(KeyName::Storage, wrapped).map_err(|error| refused(&error))
    }

    fn retention_create(&self, name: &str) -> Result<(), KeyError> {
        self.0.retention_create(name).map_err(|error| refused(&error))
    }

    fn retention_wrap(
        &self,
        name: &str,
        plain: &[u8],
        nonce: [u8; 12],
    ) -> Result<Vec<u8>, KeyError> {
        self.0.retention_wrap(name, plain, nonce).map_err(|error| refused(&error))
    }

    fn retention_unwrap(
        &self,
        name: &str,
        wrapped: &[u8],
    ) -> Result<Option<Zeroizing<Vec<u8>>>, KeyError> {
        match self.0.retention_unwrap(name, wrapped) {
            Ok(plain) => Ok(Some(plain)),
            Err(TokenError::RetentionGone { .. }) => Ok(None),
            Err(error) => Err(refused(&error)),
        }
    }

    fn retention_destroy(&self, name: &str) -> Result<(), KeyError> {
        self.0.retention_destroy(name).map_err(|error| refused(&error))
    }

    fn retention_names(&self) -> Result<Vec<String>, KeyError> {
        self.0.retention_names().map_err(|error| refused(&error))
    }

    fn share(&self) -> Arc<dyn KeySource + Send + Sync> {
        Arc::new(Self(Arc::clone(&self.0)))
    }
}

/// The token's keys for terms: one file, replaced whole and durably. Nobody else changes it.
struct Shelf(PathBuf);

impl RetentionShelf for Shelf {
    fn load(&self) -> Result<Option<Vec<u8>>, String> {
        match std::fs::read(&self.0) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }

    fn keep(&self, sealed: &[u8]) -> Result<(), String> {
        let draft = self.0.with_extension("new");
        let options = File::options().write(true).create(true).truncate(true).mode(0o600).clone();
        let written = options.open(&draft).and_then(|mut file| {
            file.write_all(sealed)?;
            file.sync_all()?;
            std::fs::rename(&draft, &self.0)?;
            File::open(self.0.parent().unwrap_or_else(|| Path::new("/")))?.sync_all()
        });
        written.map_err(|error| error.to_string())
    }

    fn exclusively(&self) -> Result<Box<dyn Any>, String> {
        Ok(Box::new(()))
    }

    fn fill(&self, bytes: &mut [u8]) {
        dice::fill(bytes);
    }
}
