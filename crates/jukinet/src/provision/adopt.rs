//! Puts a device in the place of a node's sealed file, before the country first starts.
//!
//! The device has made its keys by itself; what is written down anew is what the ceremony writes of
//! every node: its pin, its ledger's verifier key, and the first directory under the center's
//! signature. Not a change of keys in a running network: a store is sealed under the key it began
//! with.

use std::path::{Path, PathBuf};

use token::{KeyName, PublicKey, TokenError};
use wire::{Directory, EncodeError, NodeId, Role, SignedDirectory};

use super::files::{quoted, token_text};
use super::{Country, Made, ProvisionError, sign_directory};
use crate::config::reader::base64_text;
use crate::config::{self, CONFIG_BYTES_MAX, ConfigError, TokenConfig};
use crate::disk::{self, DiskError};
use crate::runner::process::store_path;
use crate::token_file::{self, TokenOpenError};

/// A signed directory travels in one frame.
const DIRECTORY_FILE_BYTES_MAX: u64 = 1 << 20;

/// Why a device was not put in a sealed file's place. Nothing was written then, except where a disk
/// failed half-way: make the country again.
#[derive(Debug, thiserror::Error)]
pub enum AdoptError {
    #[error("the country has no node {0}")]
    NoNode(NodeId),
    #[error(
        "the center's keys stand under every card; make them in its device before the ceremony"
    )]
    Center,
    #[error("{path}: the country ran already; adopt devices before its first \
        start", path = .0.display())]
    Ran(PathBuf),
    #[error("{path}: not as the ceremony wrote it; make the country again", path = .0.display())]
    Edited(PathBuf),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Open(#[from] TokenOpenError),
    #[error("the device's key {} does not do its work: {source}", .key.key())]
    Key { key: KeyName, source: TokenError },
    #[error("what the device's key {} makes does not verify; use another device", .0.key())]
    KeyWrong(KeyName),
    #[error("the first directory was not made: {0}")]
    Directory(#[from] EncodeError),
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error(transparent)]
    Ceremony(#[from] ProvisionError),
}

/// Lets `node` run on the keys of `adopted`, and removes its sealed file. `nonce` is drawn afresh.
///
/// # Errors
/// When the country ran already, when the token does not open, or when one of its keys fails a
/// trial.
pub fn adopt_token(
    country: &mut Country,
    node: &NodeId,
    adopted: &TokenConfig,
    nonce: [u8; 12],
) -> Result<(), AdoptError> {
    let chosen = country.nodes.iter().find(|each| each.node == *node);
    let chosen = chosen.ok_or_else(|| AdoptError::NoNode(node.clone()))?.clone();
    if chosen.role == Role::Center {
        return Err(AdoptError::Center);
    }
    let made = |node: &NodeId, config: &TokenConfig| -> Result<Made, AdoptError> {
        let token = token_file::open(config)?;
        Ok(Made { node: node.clone(), folder: chosen.folder.clone(), token })
    };
    let center = made(&NodeId::center(), &center_token(country)?)?;
    let config = config::load_node(&chosen.config)?;
    let (old, new) = (made(node, &config.token)?, made(node, adopted)?);
    try_keys(&new, nonce)?;
    let vkey = new.ledger_vkey()?;
    let mut drafts = configurations(country, &old, &new)?;
    for (path, text) in drafts.iter_mut().filter(|(path, _)| *path == chosen.config) {
        let sealed = token_text("token", "");
        if text.matches(&sealed).count() != 1 {
            return Err(AdoptError::Edited(path.clone()));
        }
        *text = text.replace(&sealed, &adopted_text(adopted));
    }
    drafts.push((chosen.folder.join("ledger.vkey"), format!("{vkey}\n")));
    let signed = directory(&config.directory, &new, &center)?;
    for (path, text) in drafts {
        disk::write_private(&path, text.as_bytes())?;
    }
    for each in &country.nodes {
        disk::write_private(&each.folder.join("data/directory.signed"), &signed)?;
    }
    for sealed in ["token", "token.pin"].map(|name| chosen.folder.join(name)) {
        disk::remove(&sealed)?;
    }
    for each in country.nodes.iter_mut().filter(|each| each.node == *node) {
        each.ledger_vkey.clone_from(&vkey);
    }
    Ok(())
}

/// Where the center's keys are, once it is known that no node of the country ever ran.
fn center_token(country: &Country) -> Result<TokenConfig, AdoptError> {
    let mut center = Err(AdoptError::NoNode(NodeId::center()));
    for each in &country.nodes {
        let config = config::load_node(&each.config)?;
        let store = store_path(&config);
        if store.exists() {
            return Err(AdoptError::Ran(store));
        }
        if each.role == Role::Center {
            center = Ok(config.token);
        }
    }
    center
}

/// Every configuration with the new pin and verifier key: they stand in those of others too.
fn configurations(
    country: &Country,
    old: &Made,
    new: &Made,
) -> Result<Vec<(PathBuf, String)>, AdoptError> {
    let (pin, vkey) = (base64_text(&old.pin()?), old.ledger_vkey()?);
    let (new_pin, new_vkey) = (base64_text(&new.pin()?), new.ledger_vkey()?);
    let nodes = country.nodes.iter().map(|node| &node.config);
    let files = nodes.chain(country.terminals.iter().map(|terminal| &terminal.config));
    files
        .map(|path| {
            let text = disk::read_text(path, CONFIG_BYTES_MAX)?;
            Ok((path.clone(), text.replace(&pin, &new_pin).replace(&vkey, &new_vkey)))
        })
        .collect()
}

/// A key that is there and cannot do its work is found here and not in service.
fn try_keys(made: &Made, nonce: [u8; 12]) -> Result<(), AdoptError> {
    const TRIAL: &[u8] = b"jukinet/1 key trial\n";
    let failed = |key| move |source| AdoptError::Key { key, source };
    for key in [KeyName::Node, KeyName::Ledger] {
        let public = made.token.public_key(key).map_err(failed(key))?;
        let signature = made.token.sign(key, TRIAL).map_err(failed(key))?;
        let verifies = match public {
            PublicKey::P256(point) => token::verify::p256(&point, TRIAL, &signature),
            PublicKey::Ed25519(point) => token::verify::ed25519(&point, TRIAL, &signature),
        };
        if !verifies {
            return Err(AdoptError::KeyWrong(key));
        }
    }
    let key = KeyName::Storage;
    let wrapped = made.token.wrap(key, TRIAL, nonce).map_err(failed(key))?;
    let plain = made.token.unwrap(key, &wrapped).map_err(failed(key))?;
    if plain.as_slice() == TRIAL { Ok(()) } else { Err(AdoptError::KeyWrong(key)) }
}

/// The first directory with this node's new keys in it. Its serial stays: nobody has seen it yet.
fn directory(path: &Path, made: &Made, center: &Made) -> Result<Vec<u8>, AdoptError> {
    let edited = || AdoptError::Edited(path.to_owned());
    let bytes = disk::read(path, DIRECTORY_FILE_BYTES_MAX)?;
    let signed = SignedDirectory::decode(&bytes).map_err(|_| edited())?;
    let mut directory = Directory::decode(&signed.body).map_err(|_| edited())?;
    let member = directory.members.iter_mut().find(|member| member.id == made.node);
    let member = member.ok_or_else(edited)?;
    member.pin = made.pin()?;
    member.ledger_vkey = Some(made.ledger_vkey()?);
    Ok(sign_directory(&directory, center)?)
}

fn adopted_text(token: &TokenConfig) -> String {
    let shown = |path: &Path| quoted(&path.display().to_string());
    match token {
        TokenConfig::Software { file, pin_file } => format!(
            "\n[token]\nkind = \"software\"\nfile = {}\npin_file = {}\n",
            shown(file),
            shown(pin_file)
        ),
        TokenConfig::Pkcs11 { module, label, pin_file } => format!(
            "\n# The keys were made in the device and do not leave it.\n[token]\n\
             kind = \"pkcs11\"\nmodule = {}\nlabel = {}\npin_file = {}\n",
            shown(module),
            quoted(label),
            shown(pin_file)
        ),
    }
}
