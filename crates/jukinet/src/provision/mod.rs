//! The key ceremony of a whole country, and the folders its nodes run from.
//!
//! For demonstration and tests: all keys are made on one machine, in sealed files, by one person. A
//! real ceremony makes each key inside its own device, with witnesses; what is written down at the
//! end (pins, the center's public keys, certificates, the first directory) is the same.

mod adopt;
mod cards;
mod files;
mod plan;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use law::AffairId;
use law::organ::{CardClass, CardId, Organ, OrganError};
use law::time::{DateError, Timestamp};
use ledger::note::{NoteError, VerifierKey};
use token::card::{CertificateFault, PersonalizeError, TerminalCertificate};
use token::{Dice, KeyName, PublicKey, SoftwareToken, Token, TokenError};
use wire::directory::DIRECTORY_VALID_MS;
use wire::{Directory, EncodeError, Member, MemberState, NodeId, Role, SignedDirectory};
use zeroize::Zeroizing;

use crate::card_file;
use crate::disk::{self, DiskError};

pub use adopt::{AdoptError, adopt_token};
pub use plan::{AgencyPlan, Plan, PlanError, PrefecturePlan};

/// Origins of ledgers: a name that is nobody's on any network.
pub const LEDGER_ORIGIN_PREFIX: &str = "jukinet.example/";

#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error("a key was not made: {0}")]
    Token(#[from] TokenError),
    #[error("{0} holds no key of the kind its use needs")]
    KeyKind(String),
    #[error("a card was not made: {0}")]
    Card(#[from] PersonalizeError),
    #[error("a terminal certificate was not made: {0}")]
    Certificate(#[from] CertificateFault),
    #[error("a card has no lawful name: {0}")]
    CardName(#[from] OrganError),
    #[error("the day of the ceremony cannot be calculated with: {0}")]
    Date(#[from] DateError),
    #[error("a ledger key was not made: {0}")]
    LedgerKey(#[from] NoteError),
    #[error("the first directory was not made: {0}")]
    Directory(#[from] EncodeError),
}

/// A country ready to be started.
#[derive(Clone, Debug)]
pub struct Country {
    pub dir: PathBuf,
    pub nodes: Vec<ProvisionedNode>,
    pub terminals: Vec<ProvisionedTerminal>,
}

impl Country {
    #[must_use]
    pub fn node(&self, id: &str) -> Option<&ProvisionedNode> {
        self.nodes.iter().find(|node| node.node.as_str() == id)
    }

    #[must_use]
    pub fn terminal(&self, place: &str) -> Option<&ProvisionedTerminal> {
        self.terminals.iter().find(|terminal| terminal.place == place)
    }
}

/// A member of the network with its folder.
#[derive(Clone, Debug)]
pub struct ProvisionedNode {
    pub node: NodeId,
    pub role: Role,
    pub organ: Option<Organ>,
    /// Its local government, prefecture or agency code; empty for exchanges and the center.
    pub code: String,
    pub address: SocketAddr,
    pub exchange: Option<NodeId>,
    /// `DIR/nodes/<node>`
    pub folder: PathBuf,
    /// `DIR/nodes/<node>/config.toml`
    pub config: PathBuf,
    /// The note verifier key of its ledger.
    pub ledger_vkey: String,
}

/// A terminal with its folder and its cards.
#[derive(Clone, Debug)]
pub struct ProvisionedTerminal {
    /// role-code, as `agency-1`, `municipality-132152`.
    pub place: String,
    pub node: NodeId,
    pub organ: Organ,
    /// `DIR/terminals/<place>.toml`
    pub config: PathBuf,
    pub desk: SocketAddr,
    /// The first is the one its operator ordinarily uses.
    pub cards: Vec<ProvisionedCard>,
}

/// An operator card file with its PIN beside it.
#[derive(Clone, Debug)]
pub struct ProvisionedCard {
    /// `DIR/cards/<place>-<operator>.card`
    pub file: PathBuf,
    /// `DIR/cards/<place>-<operator>.pin`
    pub pin: PathBuf,
    pub operator: &'static str,
    pub card: CardId,
    pub organ: Organ,
    pub class: CardClass,
    pub affairs: Vec<AffairId>,
}

/// A token made in the ceremony, still open.
struct Made {
    node: NodeId,
    folder: PathBuf,
    token: Arc<dyn Token>,
}

impl Made {
    fn public(&self, key: KeyName) -> Result<[u8; 65], ProvisionError> {
        match self.token.public_key(key)? {
            PublicKey::P256(point) => Ok(point),
            PublicKey::Ed25519(_) => Err(ProvisionError::KeyKind(self.node.to_string())),
        }
    }

    fn pin(&self) -> Result<[u8; 32], ProvisionError> {
        Ok(token::verify::pin(&self.public(KeyName::Node)?))
    }

    fn ledger_vkey(&self) -> Result<String, ProvisionError> {
        match self.token.public_key(KeyName::Ledger)? {
            PublicKey::Ed25519(public) => {
                let origin = format!("{LEDGER_ORIGIN_PREFIX}{}", self.node);
                Ok(VerifierKey::ed25519(&origin, &public)?.to_string())
            }
            PublicKey::P256(_) => Err(ProvisionError::KeyKind(self.node.to_string())),
        }
    }
}

/// What the center fixed at the ceremony, as every configuration states it.
struct CenterKeys {
    pin: [u8; 32],
    exchange: NodeId,
    directory: [u8; 65],
    card_issuer: [u8; 65],
    terminal_authority: [u8; 65],
}

/// Makes every key, card, certificate, configuration and the first directory below `dir`.
pub fn country(dir: &Path, plan: &Plan, dice: Dice<'_>) -> Result<Country, ProvisionError> {
    let layout = plan.layout()?;
    for folder in ["nodes", "terminals", "cards"] {
        disk::make_folder(&dir.join(folder))?;
    }
    let mut made = Vec::new();
    for node in &layout.nodes {
        let folder = dir.join("nodes").join(node.node.as_str());
        made.push(make_token(&node.node, &folder, keys_of(node.role), dice)?);
    }
    let mut nodes = Vec::new();
    for (node, made) in layout.nodes.iter().zip(&made) {
        let folder = made.folder.clone();
        disk::make_folder(&folder.join("data"))?;
        disk::make_folder(&folder.join("ledger"))?;
        let vkey = made.ledger_vkey()?;
        disk::write_private(&folder.join("ledger.vkey"), format!("{vkey}\n").as_bytes())?;
        nodes.push(ProvisionedNode {
            node: node.node.clone(),
            role: node.role,
            organ: node.organ,
            code: node.code.clone(),
            address: node.address,
            exchange: node.exchange.clone(),
            config: folder.join("config.toml"),
            folder,
            ledger_vkey: vkey,
        });
    }
    let at = nodes.iter().position(|node| node.role == Role::Center).ok_or(PlanError::NoCenter)?;
    let center = made.get(at).ok_or(PlanError::NoCenter)?;
    let keys = CenterKeys {
        pin: center.pin()?,
        exchange: nodes
            .get(at)
            .and_then(|node| node.exchange.clone())
            .ok_or(PlanError::NoCenter)?,
        directory: center.public(KeyName::Directory)?,
        card_issuer: center.public(KeyName::CardIssuer)?,
        terminal_authority: center.public(KeyName::TerminalAuthority)?,
    };
    let issued = cards::issue(dir, plan, &layout, center, &keys, dice)?;
    for terminal in &layout.terminals {
        if let Some(card) = issued.of(&terminal.place).first() {
            card_file::put_in_reader(&dir.join("cards"), &terminal.place, &card.file)?;
        }
    }
    let directory = first_directory(plan, &nodes, &made, issued.rows.clone())?;
    let signed = sign_directory(&directory, center)?;
    let lan = make_lan(dir, &layout, center, dice)?;
    files::write(dir, plan, &nodes, &made, &lan, &keys, &signed)?;
    let terminals = layout
        .terminals
        .iter()
        .map(|terminal| ProvisionedTerminal {
            place: terminal.place.clone(),
            node: terminal.node.clone(),
            organ: terminal.organ,
            config: dir.join("terminals").join(format!("{}.toml", terminal.place)),
            desk: terminal.desk,
            cards: issued.of(&terminal.place),
        })
        .collect();
    Ok(Country { dir: dir.to_path_buf(), nodes, terminals })
}

fn keys_of(role: Role) -> &'static [KeyName] {
    match role {
        Role::Center => &KeyName::ALL,
        Role::Terminal | Role::Feed => &[KeyName::Node],
        _ => &[KeyName::Node, KeyName::Ledger, KeyName::Storage],
    }
}

/// A sealed token in `folder/token` with its PIN in `folder/token.pin`.
fn make_token(
    node: &NodeId,
    folder: &Path,
    keys: &[KeyName],
    dice: Dice<'_>,
) -> Result<Made, ProvisionError> {
    disk::make_folder(folder)?;
    let pin = digits(16, dice);
    let sealed = SoftwareToken::create(keys, &pin, dice)?;
    disk::write_private(&folder.join("token"), &sealed)?;
    disk::write_private(&folder.join("token.pin"), format!("{}\n", *pin).as_bytes())?;
    let token = Arc::new(SoftwareToken::open(&sealed, &pin)?);
    Ok(Made { node: node.clone(), folder: folder.to_path_buf(), token })
}

/// `count` random decimal digits. Bytes above 249 are drawn again: no digit is favoured.
fn digits(count: usize, dice: Dice<'_>) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(count));
    while text.len() < count {
        let mut byte = [0u8; 1];
        dice(&mut byte);
        let [byte] = byte;
        if byte < 250 {
            text.push(char::from(b'0' + byte % 10));
        }
    }
    text
}

/// Terminals and feeds: their tokens, and the certificates that cards ask terminals for.
struct Lan {
    terminals: Vec<(plan::Terminal, Made)>,
    feeds: Vec<(plan::Feed, Made)>,
}

fn make_lan(
    dir: &Path,
    layout: &plan::Layout,
    center: &Made,
    dice: Dice<'_>,
) -> Result<Lan, ProvisionError> {
    let mut lan = Lan { terminals: Vec::new(), feeds: Vec::new() };
    for terminal in &layout.terminals {
        let folder = dir.join("terminals").join(&terminal.place);
        let made = make_token(&terminal.node, &folder, keys_of(Role::Terminal), dice)?;
        let certificate = TerminalCertificate {
            terminal: terminal.node.clone(),
            organ: terminal.organ,
            public_key: made.public(KeyName::Node)?,
        };
        let bytes = certificate.issue(center.token.as_ref())?;
        disk::write_private(&folder.join("terminal.cert"), &bytes)?;
        lan.terminals.push((terminal.clone(), made));
    }
    for feed in &layout.feeds {
        let folder = dir.join("nodes").join(feed.server.as_str()).join("feed");
        let made = make_token(&feed.node, &folder, keys_of(Role::Feed), dice)?;
        lan.feeds.push((feed.clone(), made));
    }
    Ok(lan)
}

fn first_directory(
    plan: &Plan,
    nodes: &[ProvisionedNode],
    made: &[Made],
    operators: Vec<wire::OperatorCardRow>,
) -> Result<Directory, ProvisionError> {
    let mut members = Vec::new();
    for (node, made) in nodes.iter().zip(made) {
        members.push(Member {
            id: node.node.clone(),
            role: node.role,
            organ: node.organ,
            pin: made.pin()?,
            address: node.address.to_string(),
            exchange: node.exchange.clone(),
            state: MemberState::Active,
            ledger_vkey: Some(node.ledger_vkey.clone()),
        });
    }
    let (from, to) = plan.term()?;
    let agreements = plan
        .agencies
        .iter()
        .map(|agency| law::inquiry::Agreement { agency: agency.code, from, to })
        .collect();
    Ok(Directory {
        serial: 1,
        issued_at: plan.now,
        expires_at: Timestamp(plan.now.0.saturating_add(DIRECTORY_VALID_MS)),
        members,
        operators,
        agreements,
        epoch: plan.epoch,
    })
}

fn sign_directory(directory: &Directory, center: &Made) -> Result<Vec<u8>, ProvisionError> {
    let body = directory.encode()?;
    let signature =
        center.token.sign(KeyName::Directory, &SignedDirectory::signing_bytes(&body))?;
    Ok(SignedDirectory { body, signature }.encode())
}
