//! The configuration of a terminal (端末): its server, its desk, its reader, the ledgers it checks.

use std::net::SocketAddr;
use std::path::PathBuf;

use law::affair::Epoch;
use law::organ::Organ;
use wire::NodeId;

use super::parts::{ServerConfig, TokenConfig, loopback, non_empty, tls_profile};
use super::reader::{Findings, Table};
use crate::net::TlsProfile;

/// Ledgers a terminal may verify proofs of: every prefecture and the center fit.
const LEDGERS_MAX: usize = 128;

/// One terminal. All paths are relative to the file's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TerminalConfig {
    /// `node`: its name in the server's `[[lan]]`, as `terminal-agency-1`.
    pub node: NodeId,
    /// `place`: what people call it, as `agency-1`.
    pub place: String,
    /// `organ`: in whose office it stands.
    pub organ: Organ,
    /// `epoch`: the edition of the appended tables offered at the desk, "2013" or "today".
    pub epoch: Epoch,
    /// `desk_listen`: the desk's address; loopback only.
    pub desk_listen: SocketAddr,
    /// `tls_profile`: "default" or "cryptrec-strict".
    pub tls_profile: TlsProfile,
    /// `certificate`: this terminal's certificate by the terminal authority, shown to cards.
    pub certificate: PathBuf,
    /// `[token]`
    pub token: TokenConfig,
    /// `[server]`: the one node it speaks with.
    pub server: ServerConfig,
    /// `[card_reader]`
    pub card_reader: CardReader,
    /// `ledgers`: verifier keys (C2SP note) whose proofs the desk accepts.
    pub ledgers: Vec<String>,
    /// `card_issuer_key`: the key that operator cards must be certified by.
    pub card_issuer_key: [u8; 65],
}

/// Where a card is inserted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CardReader {
    /// `kind = "file"`: a folder; a card is inserted by naming a card file in it.
    File {
        /// `folder`: where card files (`*.card`) lie.
        folder: PathBuf,
    },
}

impl TerminalConfig {
    pub(super) fn read(table: &mut Table<'_, '_>, out: &mut Findings<'_>) -> Option<Self> {
        let _ = table.parsed("role", out, super::parts::role);
        let node = table.parsed("node", out, NodeId::parse);
        let place = table.parsed("place", out, non_empty);
        let organ = table.parsed("organ", out, Organ::parse);
        let epoch = table.parsed("epoch", out, Epoch::parse);
        let desk_listen = table.parsed("desk_listen", out, loopback);
        let tls_profile = table.parsed("tls_profile", out, tls_profile);
        let certificate = table.path("certificate", out);
        let card_issuer_key = table.bytes("card_issuer_key", out);
        let ledgers = table.texts("ledgers", LEDGERS_MAX, out);
        for vkey in &ledgers {
            if let Err(error) = ledger::note::VerifierKey::parse(vkey) {
                table.report("ledgers", out, error);
            }
        }
        let token = TokenConfig::read(table, out);
        let server = ServerConfig::read(table, out);
        let card_reader = CardReader::read(table, out);
        Some(Self {
            node: node?,
            place: place?,
            organ: organ?,
            epoch: epoch?,
            desk_listen: desk_listen?,
            tls_profile: tls_profile?,
            certificate: certificate?,
            token: token?,
            server: server?,
            card_reader: card_reader?,
            ledgers,
            card_issuer_key: card_issuer_key?,
        })
    }
}

impl CardReader {
    fn read(table: &mut Table<'_, '_>, out: &mut Findings<'_>) -> Option<Self> {
        let mut reader = table.table("card_reader", out)?;
        let kind = reader.parsed("kind", out, |text| match text {
            "file" => Ok(()),
            _ => Err("must be \"file\""),
        });
        let folder = reader.path("folder", out);
        reader.close(out);
        kind?;
        Some(Self::File { folder: folder? })
    }
}
