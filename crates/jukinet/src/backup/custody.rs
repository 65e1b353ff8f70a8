//! The backup key pair and its custodians: any two of them open a backup, one opens nothing.
//!
//! The private half is split once (Shamir's scheme, crate `blahaj`) and exists nowhere else; it is
//! put together in memory for one restore. What it opens is in `vault`.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use blahaj::{Share, Sharks};
use rustls::crypto::aws_lc_rs::hpke::DH_KEM_P256_HKDF_SHA256_AES_256;
use rustls::crypto::hpke::{EncapsulatedSecret, Hpke, HpkePrivateKey, HpkePublicKey};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::{BackupError, hex};
use crate::{dice, disk};

/// Custodians who have to come together (issue of every key ceremony: never one alone).
pub const THRESHOLD_COUNT_MIN: u8 = 2;
/// More custodians than an office has officers.
pub const CUSTODIANS_COUNT_MAX: u8 = 16;
/// Name of the public half in the folder of a key ceremony.
pub const PUBLIC_NAME: &str = "backup.pub";
const PUBLIC_HEAD: &str = "jukinet backup key 1";
const SHARE_HEAD: &str = "jukinet backup share 1";
const SHARE_PURPOSE: &[u8] = b"jukinet/1 backup share\n";
/// A share file is a handful of lines.
const KEY_FILE_BYTES_MAX: u64 = 4_096;
/// An encapsulated key of DHKEM(P-256): one uncompressed point.
const ENCAPSULATED_BYTES: usize = 65;

/// RFC 9180 in base mode, with what CRYPTREC lists: P-256, SHA-256, AES-256-GCM.
fn suite() -> &'static dyn Hpke {
    DH_KEM_P256_HKDF_SHA256_AES_256
}

/// The public half: seals, opens nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupKey {
    public: Vec<u8>,
}

/// The private half, put together from shares; wiped when dropped.
pub struct OpeningKey {
    private: HpkePrivateKey,
    set: String,
}

impl std::fmt::Debug for OpeningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OpeningKey({})", self.set)
    }
}

impl BackupKey {
    /// Reads `backup.pub`.
    ///
    /// # Errors
    /// When the file is not such a key.
    pub fn read(path: &Path) -> Result<Self, BackupError> {
        let text = disk::read_text(path, KEY_FILE_BYTES_MAX)?;
        let bad = || BackupError::Form { path: path.to_path_buf(), what: "a backup key" };
        let public = match text.lines().collect::<Vec<_>>().as_slice() {
            [PUBLIC_HEAD, key, ..] => BASE64_STANDARD.decode(key).map_err(|_| bad())?,
            _ => return Err(bad()),
        };
        if public.len() == ENCAPSULATED_BYTES { Ok(Self { public }) } else { Err(bad()) }
    }

    /// What shares and manifests call it by.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let full: [u8; 32] = Sha256::digest(&self.public).into();
        hex(&full).chars().take(16).collect()
    }

    /// Seals for the custodians. `aad` binds the sealed bytes to their place.
    ///
    /// # Errors
    /// When the key is no point of the curve.
    pub fn seal(&self, aad: &[u8], plain: &[u8]) -> Result<Vec<u8>, BackupError> {
        let key = HpkePublicKey(self.public.clone());
        let (EncapsulatedSecret(head), body) = suite()
            .seal(SHARE_PURPOSE, aad, plain, &key)
            .map_err(|error| BackupError::Key(error.to_string()))?;
        Ok([head, body].concat())
    }
}

impl OpeningKey {
    /// Opens what [`BackupKey::seal`] sealed; `None` when it is another key's, or altered.
    #[must_use]
    pub fn open(&self, aad: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (head, body) = sealed.split_at_checked(ENCAPSULATED_BYTES)?;
        let head = EncapsulatedSecret(head.to_vec());
        suite().open(&head, SHARE_PURPOSE, aad, body, &self.private).ok()
    }

    /// The fingerprint that its shares carry.
    #[must_use]
    pub fn set(&self) -> &str {
        &self.set
    }

    /// Puts two shares together. `passphrases` are asked for shares that are sealed.
    ///
    /// # Errors
    /// Names the share that is none, is altered, is of another key, or is the same twice.
    pub fn from_shares(
        shares: &[PathBuf],
        passphrases: &[Option<Zeroizing<String>>],
    ) -> Result<Self, BackupError> {
        let mut read: Vec<(ShareFile, PathBuf)> = Vec::new();
        for (at, path) in shares.iter().enumerate() {
            let passphrase = passphrases.get(at).and_then(Option::as_ref);
            let share = ShareFile::read(path, passphrase.map(|text| text.as_str()))?;
            let wrong = |why: String| BackupError::Share { path: path.clone(), why };
            if let Some((first, of)) = read.first()
                && first.set != share.set
            {
                return Err(wrong(format!(
                    "share of key {}, but {} is of key {}",
                    share.set,
                    of.display(),
                    first.set
                )));
            }
            if read.iter().any(|(other, _)| other.number == share.number) {
                return Err(wrong(format!("share {} twice; bring another one", share.number)));
            }
            read.push((share, path.clone()));
        }
        let Some((first, path)) = read.first() else {
            return Err(BackupError::Key("no share was given".to_owned()));
        };
        let needed = first.threshold;
        if read.len() < usize::from(needed) {
            let why = format!("{needed} shares are needed, {} given", read.len());
            return Err(BackupError::Share { path: path.clone(), why });
        }
        let parts: Vec<Share> = read
            .iter()
            .filter_map(|(share, _)| Share::try_from(share.bytes.as_slice()).ok())
            .collect();
        let secret = Sharks(needed)
            .recover(&parts)
            .map(Zeroizing::new)
            .map_err(|why| BackupError::Key(why.to_owned()))?;
        let private = HpkePrivateKey::from(secret.to_vec());
        Ok(Self { private, set: first.set.clone() })
    }
}

/// Makes a key pair and writes the public half and one file per custodian into `out`. Given
/// passphrases, one per custodian, each share is sealed under its own.
///
/// # Errors
/// When the counts cannot be, or a file cannot be written.
pub fn ceremony(
    custodians: u8,
    threshold: u8,
    passphrases: &[Zeroizing<String>],
    out: &Path,
) -> Result<BackupKey, BackupError> {
    if threshold < THRESHOLD_COUNT_MIN || custodians < threshold {
        let why = format!("{threshold} of {custodians}: at least 2, and no more than there are");
        return Err(BackupError::Key(why));
    }
    if custodians > CUSTODIANS_COUNT_MAX {
        return Err(BackupError::Key(format!("at most {CUSTODIANS_COUNT_MAX} custodians")));
    }
    let public_path = out.join(PUBLIC_NAME);
    if public_path.exists() {
        return Err(BackupError::Taken(public_path));
    }
    disk::make_folder(out)?;
    let pair = suite().generate_key_pair().map_err(|error| BackupError::Key(error.to_string()))?;
    let key = BackupKey { public: pair.0.0.clone() };
    let set = key.fingerprint();
    let mut number = 0u8;
    for share in Sharks(threshold).dealer(pair.1.secret_bytes()).take(usize::from(custodians)) {
        number += 1;
        let passphrase = passphrases.get(usize::from(number - 1));
        let bytes = Zeroizing::new(Vec::from(&share));
        let share = ShareFile { number, custodians, threshold, set: set.clone(), bytes };
        let path = out.join(format!("share-{number}.txt"));
        let text = share.write(passphrase.map(|text| text.as_str()))?;
        disk::write_private(&path, text.as_bytes())?;
    }
    let text = format!("{PUBLIC_HEAD}\n{}\n", BASE64_STANDARD.encode(&key.public));
    disk::write_private(&public_path, text.as_bytes())?;
    Ok(key)
}

/// One custodian's file.
struct ShareFile {
    number: u8,
    custodians: u8,
    threshold: u8,
    set: String,
    bytes: Zeroizing<Vec<u8>>,
}

impl ShareFile {
    fn write(&self, passphrase: Option<&str>) -> Result<String, BackupError> {
        let (form, data) = match passphrase {
            None => ("plain: keep this file as you would keep the key itself", self.bytes.to_vec()),
            Some(passphrase) => {
                let mut dice = dice::fill;
                let purpose = self.purpose();
                let sealed =
                    token::seal_under_passphrase(&purpose, &self.bytes, passphrase, &mut dice)
                        .map_err(|error| BackupError::Key(error.to_string()))?;
                ("sealed under the custodian's passphrase", sealed)
            }
        };
        let head = self.head();
        let data = BASE64_STANDARD.encode(&data);
        let check = hex(&Sha256::digest(data.as_bytes()));
        Ok(format!("{head}form: {form}\ndata: {data}\ncheck: {check}\n"))
    }

    fn head(&self) -> String {
        let Self { number, custodians, threshold, set, .. } = self;
        format!("{SHARE_HEAD}\nshare: {number} of {custodians}, {threshold} open\nkey: {set}\n")
    }

    fn purpose(&self) -> Vec<u8> {
        [SHARE_PURPOSE, self.head().as_bytes()].concat()
    }

    fn read(path: &Path, passphrase: Option<&str>) -> Result<Self, BackupError> {
        let text = disk::read_text(path, KEY_FILE_BYTES_MAX)?;
        let none = || BackupError::Form { path: path.to_path_buf(), what: "a backup share" };
        let wrong = |why: &str| BackupError::Share { path: path.to_path_buf(), why: why.into() };
        let lines: Vec<&str> = text.lines().collect();
        let [SHARE_HEAD, share, key, form, data, check] = lines.as_slice() else {
            return Err(none());
        };
        let field = |line: &str, name: &str| line.strip_prefix(name).map(str::to_owned);
        let numbers: Vec<u8> = share
            .split(|c: char| !c.is_ascii_digit())
            .filter_map(|part| part.parse().ok())
            .collect();
        let ([number, custodians, threshold], Some(set), Some(form), Some(data), Some(check)) = (
            numbers.as_slice(),
            field(key, "key: "),
            field(form, "form: "),
            field(data, "data: "),
            field(check, "check: "),
        ) else {
            return Err(none());
        };
        if hex(&Sha256::digest(data.as_bytes())) != check {
            return Err(wrong("the share was altered or mistyped"));
        }
        let data = BASE64_STANDARD.decode(data).map_err(|_| none())?;
        let mut share = Self {
            number: *number,
            custodians: *custodians,
            threshold: *threshold,
            set,
            bytes: Zeroizing::new(Vec::new()),
        };
        share.bytes = if form.starts_with("plain") {
            Zeroizing::new(data)
        } else {
            let passphrase = passphrase
                .ok_or_else(|| wrong("the share is sealed; give its passphrase file as well"))?;
            token::open_under_passphrase(&share.purpose(), &data, passphrase)
                .map_err(|_| wrong("the passphrase does not open this share"))?
        };
        Ok(share)
    }
}
