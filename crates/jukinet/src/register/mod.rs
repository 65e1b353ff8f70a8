//! The existing resident register (既存住基) as a vendor's system would run it: its configuration, the
//! files of filings that go in, and the file of notices that comes out. The rules are
//! `law::register`'s, the keeping is `store::register`'s.

mod filing;
mod notices;
mod show;

use std::path::{Path, PathBuf};

use law::Epoch;
use law::code::{LocalGovernmentCode, RecordCode};
use store::register::RegisterStore;
use token::{KeyName, SoftwareToken};
use toml::de::DeTable;
use zeroize::Zeroizing;

use crate::config::reader::{Findings, Table};
use crate::config::{CONFIG_BYTES_MAX, ConfigError, TokenConfig};
use crate::runner::keys::StoreKeys;
use crate::{dice, disk, token_file};

pub use filing::{FileFault, FilingFault, read_filings};
pub use notices::{HEADER, notices_csv};
pub use show::{outcome_json, version_json, version_text};

/// Digits of a PIN that `init` draws.
const PIN_DIGITS: usize = 16;

/// One municipality's register. All paths are relative to the file's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisterConfig {
    /// `municipality`: whose register it is, as "132152".
    pub municipality: LocalGovernmentCode,
    /// `epoch`: the law it is kept under, "2013" or "2026".
    pub epoch: Epoch,
    /// `file`: the sealed register.
    pub file: PathBuf,
    /// `[token]`: where its key is; never the communication server's token.
    pub token: TokenConfig,
}

impl RegisterConfig {
    /// Reads a configuration whole or refuses it whole.
    ///
    /// # Errors
    /// Every finding with its line.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        let text = disk::read_text(file, CONFIG_BYTES_MAX).map_err(|error| {
            let mut out = Findings::new(file, "");
            out.add(0, "file", error);
            ConfigError::Findings(out.found)
        })?;
        let mut out = Findings::new(file, &text);
        let (document, errors) = DeTable::parse_recoverable(&text);
        for error in errors {
            out.add(error.span().map_or(0, |span| span.start), "toml", error.message());
        }
        let mut table = Table::root(&document);
        let config = Self::read(&mut table, &mut out);
        table.close(&mut out);
        config.filter(|_| out.found.is_empty()).ok_or(ConfigError::Findings(out.found))
    }

    fn read(table: &mut Table<'_, '_>, out: &mut Findings<'_>) -> Option<Self> {
        let municipality =
            table.parsed("municipality", out, |text| match LocalGovernmentCode::parse(text) {
                Ok(code) if !code.is_prefecture() => Ok(code),
                _ => Err("must be the 6 digits of a municipality"),
            });
        let epoch = table.parsed("epoch", out, Epoch::parse);
        let file = table.path("file", out);
        let token = TokenConfig::read(table, out);
        Some(Self { municipality: municipality?, epoch: epoch?, file: file?, token: token? })
    }

    /// The municipality's name, as papers print it.
    #[must_use]
    pub fn place(&self) -> String {
        law::municipality::find(&self.municipality)
            .map_or_else(String::new, |own| format!("{}{}", own.prefecture_name, own.name))
    }

    fn keys(&self) -> Result<StoreKeys, String> {
        token_file::open(&self.token).map(StoreKeys).map_err(|error| error.to_string())
    }

    /// Opens the register.
    ///
    /// # Errors
    /// When the token or the file does not open.
    pub fn open(&self) -> Result<RegisterStore, String> {
        RegisterStore::open(&self.file, &self.keys()?, self.municipality, self.epoch)
            .map_err(|error| format!("{}: {error}", self.file.display()))
    }

    /// Makes an empty register, and a sealed token for it where the configuration names a file that
    /// is not there yet.
    ///
    /// # Errors
    /// When there is a register already, or the token or the disk refuses.
    pub fn create(&self) -> Result<RegisterStore, String> {
        if let TokenConfig::Software { file, pin_file } = &self.token
            && !file.exists()
        {
            make_token(file, pin_file)?;
        }
        let keys = self.keys()?;
        RegisterStore::create(&self.file, &keys, self.municipality, self.epoch, &mut dice::fill)
            .map_err(|error| format!("{}: {error}", self.file.display()))
    }
}

/// A sealed token with a storage key alone; its PIN is drawn unless its file is there.
fn make_token(file: &Path, pin_file: &Path) -> Result<(), String> {
    if !pin_file.exists() {
        let mut pin = Zeroizing::new(String::with_capacity(PIN_DIGITS));
        while pin.len() < PIN_DIGITS {
            // Bytes above 249 are drawn again: no digit is favoured.
            if let [byte @ ..250] = dice::array::<1>() {
                pin.push(char::from(b'0' + byte % 10));
            }
        }
        disk::write_private(pin_file, format!("{}\n", *pin).as_bytes())
            .map_err(|error| error.to_string())?;
    }
    let pin = disk::read_pin(pin_file).map_err(|error| error.to_string())?;
    let sealed = SoftwareToken::create(&[KeyName::Storage], &pin, &mut dice::fill)
        .map_err(|error| error.to_string())?;
    disk::write_private(file, &sealed).map_err(|error| error.to_string())
}

/// Where an unused record code comes from (法30条の2): today the filing names one that the CS gave
/// out; a line to the CS's pool is another source.
pub trait CodeSource {
    /// An unused code for the person at this place of the filing.
    ///
    /// # Errors
    /// Why there is none, in words for whoever files.
    fn fresh(&mut self, given: Option<&str>) -> Result<RecordCode, &'static str>;
}

/// The code stands in the filing.
#[derive(Clone, Copy, Debug, Default)]
pub struct GivenCodes;

impl CodeSource for GivenCodes {
    fn fresh(&mut self, given: Option<&str>) -> Result<RecordCode, &'static str> {
        let text = given.ok_or("missing; give an unused code of the own pool")?;
        RecordCode::parse(text).map_err(|_| "must be 11 digits with their check digit")
    }
}
