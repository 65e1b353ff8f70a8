//! The two certificates of the card world: the operator card's and the terminal's.
//!
//! Not X.509: a card must check the terminal's certificate itself and both must fit one short APDU,
//! so they are a fixed list of fields and one signature. There is one issuer for each, the center,
//! and no chain. The card's certificate states what the card is, never what it may do: that is
//! decided by the center's directory and `law`, at every inquiry. A terminal certificate has no
//! term, because a card has no clock, and it is in no directory: a terminal is taken out of service
//! by its own server, which no longer lists its key. A card still proves itself to a terminal that
//! was stolen with its token.

use law::organ::{CARD_ID_BYTES_MAX, CardClass, CardId, Organ};
use law::time::Date;
use wire::NodeId;

use crate::card::tlv::{Fields, put};
use crate::error::TokenError;
use crate::key::{KeyName, Token};
use crate::verify;

/// Longest terminal name in a certificate, so that it and the proof fit one EXTERNAL AUTHENTICATE.
pub const TERMINAL_NAME_BYTES_MAX: usize = 52;
/// Longest organ name: `municipality:` and six digits are 19.
const ORGAN_BYTES_MAX: usize = 24;
/// Longest name of a card class.
const CLASS_BYTES_MAX: usize = 24;

const VERSION: u8 = 1;
const TAG_VERSION: u8 = 0x80;
const TAG_NAME: u8 = 0x81;
const TAG_ORGAN: u8 = 0x82;
const TAG_CLASS: u8 = 0x83;
const TAG_SIGN_KEY: u8 = 0x84;
const TAG_AUTH_KEY: u8 = 0x85;
const TAG_FROM: u8 = 0x86;
const TAG_TO: u8 = 0x87;
const TAG_SIGNATURE: u8 = 0x9e;

/// The longest terminal certificate: version, name, organ, compressed key, signature.
pub(crate) const TERMINAL_CERTIFICATE_BYTES_MAX: usize =
    3 + (2 + TERMINAL_NAME_BYTES_MAX) + (2 + ORGAN_BYTES_MAX) + (2 + 33) + (2 + 64);
/// Certificate and proof, each with tag and length, must fit the data field of a short command.
const _: () = assert!(
    2 + TERMINAL_CERTIFICATE_BYTES_MAX + 2 + 64 <= super::apdu::COMMAND_DATA_BYTES_MAX,
    "terminal certificate and proof must fit one short APDU"
);
/// The longest card certificate.
pub(crate) const OPERATOR_CERTIFICATE_BYTES_MAX: usize = 3
    + (2 + CARD_ID_BYTES_MAX)
    + (2 + ORGAN_BYTES_MAX)
    + (2 + CLASS_BYTES_MAX)
    + 2 * (2 + 33)
    + 2 * (2 + 10)
    + (2 + 64);

const OPERATOR_DOMAIN: &[u8] = b"jukinet/1 operator-card-certificate\n";
const TERMINAL_DOMAIN: &[u8] = b"jukinet/1 terminal-certificate\n";

/// Why a certificate was not made or not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateFault {
    /// The bytes are not a certificate of this kind.
    #[error("the certificate's {field} is malformed; have it issued again")]
    Malformed {
        /// Which field.
        field: &'static str,
    },
    /// The issuer did not sign it.
    #[error("the certificate is not signed by the expected issuer; check whose key is trusted")]
    SignatureInvalid,
    /// A field does not fit a card.
    #[error("the certificate's {field} is longer than {max} bytes; choose a shorter one")]
    TooLong {
        /// Which field.
        field: &'static str,
        /// Most bytes.
        max: usize,
    },
    /// The last day lies before the first.
    #[error("the card's last day lies before its first; correct the term")]
    TermEmpty,
    /// The certificate is for another key than the token holds.
    #[error("the certificate is for another key than the token holds; have it issued again")]
    KeyMismatch,
    /// The issuer's token failed.
    #[error("the issuing token did not sign")]
    Token(#[from] TokenError),
}

/// What the center says about an operator card (操作者識別カード).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorCertificate {
    /// The card's own identifier.
    pub card: CardId,
    /// The organ whose operators use it.
    pub organ: Organ,
    /// The kind of card (カードの種別).
    pub class: CardClass,
    /// Verifies what the operator signs.
    pub sign_public: [u8; 65],
    /// Verifies that the card is genuine.
    pub auth_public: [u8; 65],
    /// First day of use.
    pub from: Date,
    /// Last day of use.
    pub to: Date,
}

impl OperatorCertificate {
    /// The signed bytes that go onto the card.
    ///
    /// # Errors
    /// When a field does not fit, the term is empty, or the issuer's token fails.
    pub fn issue(&self, issuer: &dyn Token) -> Result<Vec<u8>, CertificateFault> {
        if self.to < self.from {
            return Err(CertificateFault::TermEmpty);
        }
        let card = self.card.to_string();
        let organ = self.organ.to_string();
        bounded("card identifier", &card, CARD_ID_BYTES_MAX)?;
        bounded("organ", &organ, ORGAN_BYTES_MAX)?;
        bounded("card class", self.class.key(), CLASS_BYTES_MAX)?;
        let mut body = Vec::with_capacity(OPERATOR_CERTIFICATE_BYTES_MAX);
        field(&mut body, TAG_VERSION, &[VERSION], "version")?;
        field(&mut body, TAG_NAME, card.as_bytes(), "card identifier")?;
        field(&mut body, TAG_ORGAN, organ.as_bytes(), "organ")?;
        field(&mut body, TAG_CLASS, self.class.key().as_bytes(), "card class")?;
        field(&mut body, TAG_SIGN_KEY, &compressed(&self.sign_public)?, "public key")?;
        field(&mut body, TAG_AUTH_KEY, &compressed(&self.auth_public)?, "public key")?;
        field(&mut body, TAG_FROM, self.from.to_string().as_bytes(), "first day")?;
        field(&mut body, TAG_TO, self.to.to_string().as_bytes(), "last day")?;
        signed(body, OPERATOR_DOMAIN, issuer, KeyName::CardIssuer)
    }

    /// Parses without checking the signature: what the card does with its own.
    ///
    /// # Errors
    /// [`CertificateFault::Malformed`].
    pub fn decode(bytes: &[u8]) -> Result<Self, CertificateFault> {
        decode_operator(bytes).map(|(certificate, _, _)| certificate)
    }

    /// Parses and checks the issuer's signature. The term is the caller's to check.
    ///
    /// # Errors
    /// [`CertificateFault::Malformed`] or [`CertificateFault::SignatureInvalid`].
    pub fn verify(bytes: &[u8], issuer_public: &[u8; 65]) -> Result<Self, CertificateFault> {
        let (certificate, body, signature) = decode_operator(bytes)?;
        check(issuer_public, OPERATOR_DOMAIN, body, &signature)?;
        Ok(certificate)
    }
}

/// What the center says about a terminal (端末).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TerminalCertificate {
    /// The terminal's name on the network.
    pub terminal: NodeId,
    /// The organ it belongs to.
    pub organ: Organ,
    /// Its node key.
    pub public_key: [u8; 65],
}

impl TerminalCertificate {
    /// The signed bytes the terminal shows to a card.
    ///
    /// # Errors
    /// When a field does not fit or the authority's token fails.
    pub fn issue(&self, authority: &dyn Token) -> Result<Vec<u8>, CertificateFault> {
        let terminal = self.terminal.to_string();
        let organ = self.organ.to_string();
        bounded("terminal name", &terminal, TERMINAL_NAME_BYTES_MAX)?;
        bounded("organ", &organ, ORGAN_BYTES_MAX)?;
        let mut body = Vec::with_capacity(TERMINAL_CERTIFICATE_BYTES_MAX);
        field(&mut body, TAG_VERSION, &[VERSION], "version")?;
        field(&mut body, TAG_NAME, terminal.as_bytes(), "terminal name")?;
        field(&mut body, TAG_ORGAN, organ.as_bytes(), "organ")?;
        field(&mut body, TAG_AUTH_KEY, &compressed(&self.public_key)?, "public key")?;
        signed(body, TERMINAL_DOMAIN, authority, KeyName::TerminalAuthority)
    }

    /// Parses without checking the signature: what the terminal does with its own.
    ///
    /// # Errors
    /// [`CertificateFault::Malformed`].
    pub fn decode(bytes: &[u8]) -> Result<Self, CertificateFault> {
        decode_terminal(bytes).map(|(certificate, _, _)| certificate)
    }

    /// Parses and checks the authority's signature: what a card does.
    ///
    /// # Errors
    /// [`CertificateFault::Malformed`] or [`CertificateFault::SignatureInvalid`].
    pub fn verify(bytes: &[u8], authority_public: &[u8; 65]) -> Result<Self, CertificateFault> {
        let (certificate, body, signature) = decode_terminal(bytes)?;
        check(authority_public, TERMINAL_DOMAIN, body, &signature)?;
        Ok(certificate)
    }
}

type Decoded<'a, T> = (T, &'a [u8], [u8; 64]);

fn decode_operator(bytes: &[u8]) -> Result<Decoded<'_, OperatorCertificate>, CertificateFault> {
    if bytes.len() > OPERATOR_CERTIFICATE_BYTES_MAX {
        return Err(malformed("length"));
    }
    let mut fields = Fields::new(bytes);
    version(&mut fields)?;
    let card = text(&mut fields, TAG_NAME, "card identifier", CARD_ID_BYTES_MAX)?;
    let organ = organ(&mut fields)?;
    let class = text(&mut fields, TAG_CLASS, "card class", CLASS_BYTES_MAX)?;
    let certificate = OperatorCertificate {
        card: CardId::parse(card).map_err(|_| malformed("card identifier"))?,
        organ,
        class: CardClass::parse(class).ok_or(malformed("card class"))?,
        sign_public: point(&mut fields, TAG_SIGN_KEY)?,
        auth_public: point(&mut fields, TAG_AUTH_KEY)?,
        from: date(&mut fields, TAG_FROM, "first day")?,
        to: date(&mut fields, TAG_TO, "last day")?,
    };
    let (body, signature) = end(bytes, fields)?;
    Ok((certificate, body, signature))
}

fn decode_terminal(bytes: &[u8]) -> Result<Decoded<'_, TerminalCertificate>, CertificateFault> {
    if bytes.len() > TERMINAL_CERTIFICATE_BYTES_MAX {
        return Err(malformed("length"));
    }
    let mut fields = Fields::new(bytes);
    version(&mut fields)?;
    let terminal = text(&mut fields, TAG_NAME, "terminal name", TERMINAL_NAME_BYTES_MAX)?;
    let certificate = TerminalCertificate {
        terminal: NodeId::parse(terminal).map_err(|_| malformed("terminal name"))?,
        organ: organ(&mut fields)?,
        public_key: point(&mut fields, TAG_AUTH_KEY)?,
    };
    let (body, signature) = end(bytes, fields)?;
    Ok((certificate, body, signature))
}

const fn malformed(field: &'static str) -> CertificateFault {
    CertificateFault::Malformed { field }
}

fn version(fields: &mut Fields<'_>) -> Result<(), CertificateFault> {
    match fields.next_array(TAG_VERSION) {
        Some([VERSION]) => Ok(()),
        _ => Err(malformed("version")),
    }
}

fn text<'a>(
    fields: &mut Fields<'a>,
    tag: u8,
    name: &'static str,
    max: usize,
) -> Result<&'a str, CertificateFault> {
    fields.next_text(tag).filter(|text| text.len() <= max).ok_or_else(|| malformed(name))
}

fn organ(fields: &mut Fields<'_>) -> Result<Organ, CertificateFault> {
    let organ = text(fields, TAG_ORGAN, "organ", ORGAN_BYTES_MAX)?;
    Organ::parse(organ).map_err(|_| malformed("organ"))
}

fn date(fields: &mut Fields<'_>, tag: u8, name: &'static str) -> Result<Date, CertificateFault> {
    let day = text(fields, tag, name, 10)?;
    Date::parse(day).map_err(|_| malformed(name))
}

fn point(fields: &mut Fields<'_>, tag: u8) -> Result<[u8; 65], CertificateFault> {
    let compressed = fields.next_array::<33>(tag).ok_or(malformed("public key"))?;
    verify::p256_point(&compressed).ok_or(malformed("public key"))
}

fn compressed(public: &[u8; 65]) -> Result<[u8; 33], CertificateFault> {
    verify::p256_compressed(public).ok_or(malformed("public key"))
}

/// Splits the signed body from the signature, which must be the last field.
fn end<'a>(
    bytes: &'a [u8],
    mut fields: Fields<'a>,
) -> Result<(&'a [u8], [u8; 64]), CertificateFault> {
    let body = bytes.len().checked_sub(fields.rest().len()).and_then(|length| bytes.get(..length));
    let signature = fields.next_array(TAG_SIGNATURE);
    match (body, signature, fields.end()) {
        (Some(body), Some(signature), Some(())) => Ok((body, signature)),
        _ => Err(malformed("signature")),
    }
}

fn check(
    public: &[u8; 65],
    domain: &[u8],
    body: &[u8],
    signature: &[u8; 64],
) -> Result<(), CertificateFault> {
    if verify::p256(public, &[domain, body].concat(), signature) {
        return Ok(());
    }
    Err(CertificateFault::SignatureInvalid)
}

fn signed(
    mut body: Vec<u8>,
    domain: &[u8],
    token: &dyn Token,
    key: KeyName,
) -> Result<Vec<u8>, CertificateFault> {
    let signature = token.sign(key, &[domain, &body].concat())?;
    field(&mut body, TAG_SIGNATURE, &signature, "signature")?;
    Ok(body)
}

const fn bounded(field: &'static str, text: &str, max: usize) -> Result<(), CertificateFault> {
    if text.len() <= max { Ok(()) } else { Err(CertificateFault::TooLong { field, max }) }
}

fn field(
    out: &mut Vec<u8>,
    tag: u8,
    value: &[u8],
    name: &'static str,
) -> Result<(), CertificateFault> {
    put(out, tag, value).ok_or(CertificateFault::TooLong { field: name, max: 255 })
}
