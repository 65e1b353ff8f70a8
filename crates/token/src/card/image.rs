//! What the chip remembers: the card image.
//!
//! The image stands in for the memory of a tamper-resistant chip, so whoever holds the file holds
//! what only a chip should hold. The signing key is sealed under the PIN: a stolen file does not
//! sign. The file does not protect against guessing the PIN offline (its counter is only a number
//! in the file), against being copied, or against a copy that passes as the card up to VERIFY: a
//! chip would. The checksum finds damage, not malice.

use zeroize::Zeroizing;

use crate::card::tlv::{Fields, put};
use crate::card::{CARD_PIN_TRIES_MAX, certificate};
use crate::seal::{CHECK_BYTES, NONCE_BYTES, PinKey, SALT_BYTES, TAG_BYTES};
use crate::verify::sha256;

const MAGIC: &[u8; 8] = b"JUKICARD";
const VERSION: u8 = 1;
const CHECK_PURPOSE: &[u8] = b"jukinet/1 card-pin";
const CHECKSUM_BYTES: usize = 32;
/// Bytes of the sealed signing key.
pub(crate) const SEALED_KEY_BYTES: usize = 32 + TAG_BYTES;
/// Longest operator label.
pub(crate) const OPERATOR_LABEL_BYTES_MAX: usize = 120;
/// No image of ours is longer; a longer one is not read at all.
const CARD_IMAGE_BYTES_MAX: usize = 1024;

/// 4 MiB and some 10 ms: a demo starts many cards at once, and no cost saves a four-digit PIN from
/// offline guessing. The chip's counter is what protects it.
const CARD_SCRYPT_LOG_N: u8 = 12;

const TAG_CERTIFICATE: u8 = 0xa0;
const TAG_LABEL: u8 = 0xa1;
const TAG_AUTHORITY: u8 = 0xa2;
const TAG_TRIES: u8 = 0xa3;
const TAG_SALT: u8 = 0xa4;
const TAG_CHECK: u8 = 0xa5;
const TAG_NONCE: u8 = 0xa6;
const TAG_SEALED_KEY: u8 = 0xa7;
const TAG_AUTH_KEY: u8 = 0xa8;

/// Why a card image was not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CardImageError {
    /// Not a card image at all.
    #[error("the file is not an operator card image; choose a file that ends in .card")]
    NotACard,
    /// A newer or unknown version.
    #[error("card image version {found} is not supported, only {supported}; update the software")]
    UnsupportedVersion {
        /// What the file says.
        found: u8,
        /// What this program reads.
        supported: u8,
    },
    /// Damaged on disk.
    #[error("the card image is damaged; have the card issued again")]
    Damaged,
    /// Intact, but one part makes no sense.
    #[error("the card image's {part} is malformed; have the card issued again")]
    Malformed {
        /// Which part.
        part: &'static str,
    },
}

/// The PIN's verifier and the signing key under it.
#[derive(Clone)]
pub(crate) struct PinVault {
    salt: [u8; SALT_BYTES],
    check: [u8; CHECK_BYTES],
    nonce: [u8; NONCE_BYTES],
    sealed: [u8; SEALED_KEY_BYTES],
}

/// What a PIN did to the vault.
pub(crate) enum Opened {
    Key(Zeroizing<[u8; 32]>),
    PinWrong,
    Damaged,
}

impl PinVault {
    /// Seals a signing key under a padded PIN. `None` only if sealing itself fails.
    pub(crate) fn seal(
        pin: &[u8],
        secret: &[u8; 32],
        aad: &[u8],
        dice: crate::Dice<'_>,
    ) -> Option<Self> {
        let mut salt = [0; SALT_BYTES];
        let mut nonce = [0; NONCE_BYTES];
        dice(&mut salt);
        dice(&mut nonce);
        let key = PinKey::derive(pin, &salt, CARD_SCRYPT_LOG_N)?;
        let sealed = key.seal(nonce, secret, aad)?.try_into().ok()?;
        Some(Self { salt, check: key.check_value(CHECK_PURPOSE), nonce, sealed })
    }

    /// Tries a padded PIN; compares in constant time.
    pub(crate) fn open(&self, pin: &[u8], aad: &[u8]) -> Opened {
        let Some(key) = PinKey::derive(pin, &self.salt, CARD_SCRYPT_LOG_N) else {
            return Opened::Damaged;
        };
        if !key.check_matches(CHECK_PURPOSE, &self.check) {
            return Opened::PinWrong;
        }
        let secret = key.open(self.nonce, &self.sealed, aad);
        match secret.and_then(|secret| <[u8; 32]>::try_from(secret.as_slice()).ok()) {
            Some(secret) => Opened::Key(Zeroizing::new(secret)),
            None => Opened::Damaged,
        }
    }
}

/// Everything that outlives a session.
#[derive(Clone)]
pub(crate) struct CardImage {
    pub(crate) certificate: Vec<u8>,
    pub(crate) label: String,
    pub(crate) terminal_authority: [u8; 65],
    pub(crate) tries_left: u8,
    pub(crate) vault: PinVault,
    pub(crate) auth_secret: Zeroizing<[u8; 32]>,
}

impl CardImage {
    /// The bytes to keep. `None` when a field is longer than personalization allows.
    pub(crate) fn encode(&self) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(CARD_IMAGE_BYTES_MAX);
        out.extend_from_slice(MAGIC);
        out.push(VERSION);
        // The certificate may be longer than one length byte can say: two fields, the second often
        // empty.
        let (first, second) = self.certificate.split_at_checked(128)?;
        put(&mut out, TAG_CERTIFICATE, first)?;
        put(&mut out, TAG_CERTIFICATE, second)?;
        put(&mut out, TAG_LABEL, self.label.as_bytes())?;
        put(&mut out, TAG_AUTHORITY, &self.terminal_authority)?;
        put(&mut out, TAG_TRIES, &[self.tries_left])?;
        put(&mut out, TAG_SALT, &self.vault.salt)?;
        put(&mut out, TAG_CHECK, &self.vault.check)?;
        put(&mut out, TAG_NONCE, &self.vault.nonce)?;
        put(&mut out, TAG_SEALED_KEY, &self.vault.sealed)?;
        put(&mut out, TAG_AUTH_KEY, self.auth_secret.as_slice())?;
        let checksum = sha256(&[&out]);
        out.extend_from_slice(&checksum);
        Some(out)
    }

    /// Reads what [`CardImage::encode`] wrote.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, CardImageError> {
        let after_magic = bytes.strip_prefix(MAGIC).ok_or(CardImageError::NotACard)?;
        let (&version, _) = after_magic.split_first().ok_or(CardImageError::Damaged)?;
        if version != VERSION {
            return Err(CardImageError::UnsupportedVersion { found: version, supported: VERSION });
        }
        if bytes.len() > CARD_IMAGE_BYTES_MAX {
            return Err(CardImageError::Damaged);
        }
        let (body, checksum) =
            bytes.split_last_chunk::<CHECKSUM_BYTES>().ok_or(CardImageError::Damaged)?;
        if sha256(&[body]) != *checksum {
            return Err(CardImageError::Damaged);
        }
        let fields = body.get(MAGIC.len() + 1..).ok_or(CardImageError::Damaged)?;
        Self::read(Fields::new(fields))
    }

    fn read(mut fields: Fields<'_>) -> Result<Self, CardImageError> {
        let first = fields.next(TAG_CERTIFICATE).ok_or(malformed("certificate"))?;
        let second = fields.next(TAG_CERTIFICATE).ok_or(malformed("certificate"))?;
        let certificate = [first, second].concat();
        if certificate.len() > certificate::OPERATOR_CERTIFICATE_BYTES_MAX {
            return Err(malformed("certificate"));
        }
        let label = fields
            .next_text(TAG_LABEL)
            .filter(|label| label.len() <= OPERATOR_LABEL_BYTES_MAX)
            .ok_or(malformed("label"))?;
        let terminal_authority =
            fields.next_array(TAG_AUTHORITY).ok_or(malformed("terminal authority"))?;
        let tries_left = match fields.next_array(TAG_TRIES) {
            Some([tries]) if tries <= CARD_PIN_TRIES_MAX => tries,
            _ => return Err(malformed("try counter")),
        };
        let vault = PinVault {
            salt: fields.next_array(TAG_SALT).ok_or(malformed("salt"))?,
            check: fields.next_array(TAG_CHECK).ok_or(malformed("PIN check"))?,
            nonce: fields.next_array(TAG_NONCE).ok_or(malformed("nonce"))?,
            sealed: fields.next_array(TAG_SEALED_KEY).ok_or(malformed("sealed key"))?,
        };
        let auth_secret =
            Zeroizing::new(fields.next_array(TAG_AUTH_KEY).ok_or(malformed("authentication key"))?);
        fields.end().ok_or(malformed("end"))?;
        let label = label.to_owned();
        Ok(Self { certificate, label, terminal_authority, tries_left, vault, auth_secret })
    }
}

const fn malformed(part: &'static str) -> CardImageError {
    CardImageError::Malformed { part }
}
