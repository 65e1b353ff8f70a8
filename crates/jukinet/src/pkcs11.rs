//! The tamper-resistant device (耐タンパー装置) behind PKCS#11: the adapter that gives a role its keys.
//!
//! Any module path works; SoftHSM2 is what the tests use. Keys are generated inside the device,
//! sensitive and non-extractable, and the adapter refuses to use a key that could leave it. The device
//! hashes nothing (many know raw ECDSA only), so SHA-256 is computed here. A lost session is opened
//! again once per call; beyond that the caller hears of it.
//!
//! It does not set devices up (slots, security officer), holds no PIN policy and keeps no key material.
//! A module runs inside this process: to keep its memory out of the role's, point the path at
//! `p11-kit-client.so` with a token server under another user.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{
    Attribute, AttributeInfo, AttributeType, KeyType, ObjectClass, ObjectHandle,
};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use sha2::{Digest as _, Sha256};
use token::{
    KeyKind, KeyName, PublicKey, Token, TokenError, TokenKind, WRAP_VALUE_BYTES_MAX, wrap_aad,
};
use zeroize::Zeroizing;

/// DER of the object identifier prime256v1.
const P256_PARAMETERS: [u8; 10] = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
/// DER of the object identifier id-Ed25519 (RFC 8410), as PKCS#11 3.0 prefers.
const ED25519_PARAMETERS: [u8; 5] = [0x06, 0x03, 0x2b, 0x65, 0x70];
/// DER PrintableString "edwards25519", as modules older than that want it.
const ED25519_PARAMETERS_NAMED: [u8; 14] = *b"\x13\x0cedwards25519";
const AES_KEY_BYTES: u64 = 32;
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;

/// Which token of a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenPlace {
    /// By its label, which survives a reboot.
    Label(String),
    /// By slot number, which some modules renumber.
    Slot(u64),
}

/// A PKCS#11 token, logged in.
pub struct Pkcs11Token {
    module: Pkcs11,
    place: TokenPlace,
    pin: AuthPin,
    kind: TokenKind,
    link: Mutex<Option<Link>>,
}

impl fmt::Debug for Pkcs11Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pkcs11Token(…)")
    }
}

/// One open session, and the keys already found and checked in it.
struct Link {
    session: Session,
    keys: BTreeMap<KeyName, ObjectHandle>,
}

/// Whether trying once more over a new session can help.
enum Fault {
    SessionLost(TokenError),
    Final(TokenError),
}

impl From<TokenError> for Fault {
    fn from(error: TokenError) -> Self {
        Self::Final(error)
    }
}

impl Pkcs11Token {
    /// Loads the module, finds the token and logs in.
    ///
    /// # Errors
    /// [`TokenError::PinWrong`] and [`TokenError::PinLocked`] by name; [`TokenError::Device`] when
    /// the module does not load or the token is not there.
    pub fn open(module: &Path, place: TokenPlace, pin: &str) -> Result<Self, TokenError> {
        let module: PathBuf = module.to_owned();
        let module = Pkcs11::new(module).map_err(|error| named("loading the module", &error))?;
        initialize(&module)?;
        let slot = find_slot(&module, &place)?;
        let info = module
            .get_token_info(slot)
            .map_err(|error| named("reading the token's description", &error))?;
        let label = info.label().trim_end().to_owned();
        let maker = (info.manufacturer_id().trim_end(), info.model().trim_end());
        let kind = TokenKind::Device { label, model: format!("{} {}", maker.0, maker.1) };
        let token = Self { module, place, pin: AuthPin::from(pin), kind, link: Mutex::new(None) };
        token.call(|_| Ok(()))?;
        Ok(token)
    }

    /// Generates keys in the device, none of which can leave it.
    ///
    /// # Errors
    /// [`TokenError::KeyExists`] when one of the names is taken (nothing is generated then),
    /// [`TokenError::MechanismMissing`] when the device cannot make a key of that kind.
    pub fn generate(&self, keys: &[KeyName]) -> Result<(), TokenError> {
        self.call(|link| {
            for &key in keys {
                self.require(generation_mechanism(key.kind()))?;
                if !find(&link.session, key, private_class(key))?.is_empty() {
                    return Err(TokenError::KeyExists { key }.into());
                }
            }
            for &key in keys {
                generate(&link.session, key)?;
            }
            Ok(())
        })
    }

    /// Runs one operation in the open session. When the session turns out to be lost (token pulled,
    /// server restarted), opens it again and tries once more.
    fn call<T>(&self, work: impl Fn(&mut Link) -> Result<T, Fault>) -> Result<T, TokenError> {
        let mut guard = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        match work(self.linked(&mut guard)?) {
            Ok(value) => return Ok(value),
            Err(Fault::Final(error)) => return Err(error),
            // The lost session is dropped before the new one is opened: a module may give the new
            // one the same number, and closing the old would close it.
            Err(Fault::SessionLost(_)) => *guard = None,
        }
        work(self.linked(&mut guard)?).map_err(|fault| {
            let (Fault::SessionLost(error) | Fault::Final(error)) = fault;
            error
        })
    }

    fn linked<'a>(&self, slot: &'a mut Option<Link>) -> Result<&'a mut Link, TokenError> {
        match slot {
            Some(link) => Ok(link),
            empty => Ok(empty.insert(self.connect()?)),
        }
    }

    fn connect(&self) -> Result<Link, TokenError> {
        initialize(&self.module)?;
        let slot = find_slot(&self.module, &self.place)?;
        let session = self
            .module
            .open_rw_session(slot)
            .map_err(|error| named("opening a session", &error))?;
        match session.login(UserType::User, Some(&self.pin)) {
            // Login is per process and token: another session of this process did it.
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {}
            Err(Error::Pkcs11(RvError::PinIncorrect | RvError::PinLenRange, _)) => {
                return Err(TokenError::PinWrong);
            }
            Err(Error::Pkcs11(RvError::PinLocked, _)) => return Err(TokenError::PinLocked),
            Err(error) => return Err(named("logging in", &error)),
        }
        Ok(Link { session, keys: BTreeMap::new() })
    }

    fn require(&self, mechanism: (MechanismType, &'static str)) -> Result<(), TokenError> {
        let slot = find_slot(&self.module, &self.place)?;
        let offered = self
            .module
            .get_mechanism_list(slot)
            .map_err(|error| named("reading the token's mechanisms", &error))?;
        if offered.contains(&mechanism.0) {
            return Ok(());
        }
        Err(TokenError::MechanismMissing { mechanism: mechanism.1 })
    }
}

impl Link {
    /// The private or secret key of this name, once it is known that it cannot leave the device.
    fn key(&mut self, key: KeyName) -> Result<ObjectHandle, Fault> {
        if let Some(handle) = self.keys.get(&key) {
            return Ok(*handle);
        }
        let handle = match find(&self.session, key, private_class(key))?.as_slice() {
            [] => return Err(TokenError::KeyMissing { key }.into()),
            [handle] => *handle,
            // Two keys of one name: which one was certified cannot be known.
            [_, _, ..] => return Err(TokenError::Malformed { what: "set of key labels" }.into()),
        };
        stays_inside(&self.session, key, handle)?;
        self.keys.insert(key, handle);
        Ok(handle)
    }
}

impl Token for Pkcs11Token {
    fn public_key(&self, key: KeyName) -> Result<PublicKey, TokenError> {
        if key.kind() == KeyKind::Aes256 {
            return Err(TokenError::KeyUse { key, operation: "a public key" });
        }
        self.call(|link| {
            let handles = find(&link.session, key, ObjectClass::PUBLIC_KEY)?;
            let [handle] = handles.as_slice() else {
                return Err(TokenError::KeyMissing { key }.into());
            };
            let attributes = link
                .session
                .get_attributes(*handle, &[AttributeType::EcPoint])
                .map_err(|error| fault("reading a public key", error))?;
            match attributes.as_slice() {
                [Attribute::EcPoint(point)] => Ok(public_key(key.kind(), point)?),
                _ => Err(TokenError::Malformed { what: "public key" }.into()),
            }
        })
    }

    fn sign(&self, key: KeyName, message: &[u8]) -> Result<[u8; 64], TokenError> {
        let kind = key.kind();
        let digest: [u8; 32] = Sha256::digest(message).into();
        let (mechanism, data) = match kind {
            KeyKind::P256 => (Mechanism::Ecdsa, digest.as_slice()),
            KeyKind::Ed25519 => {
                let pure = EddsaParams::new(EddsaSignatureScheme::Ed25519);
                (Mechanism::Eddsa(pure), message)
            }
            KeyKind::Aes256 => return Err(TokenError::KeyUse { key, operation: "signing" }),
        };
        let signature = self.call(|link| {
            let handle = link.key(key)?;
            link.session
                .sign(&mechanism, handle, data)
                .map_err(|error| fault_of_mechanism("signing", signing_mechanism(kind), error))
        })?;
        signature.try_into().map_err(|_| TokenError::Malformed { what: "signature" })
    }

    fn wrap(&self, key: KeyName, plain: &[u8], nonce: [u8; 12]) -> Result<Vec<u8>, TokenError> {
        if key.kind() != KeyKind::Aes256 {
            return Err(TokenError::KeyUse { key, operation: "wrapping" });
        }
        if plain.len() > WRAP_VALUE_BYTES_MAX {
            let found = plain.len();
            return Err(TokenError::WrapTooLong { found, max: WRAP_VALUE_BYTES_MAX });
        }
        let aad = wrap_aad(key);
        let sealed = self.call(|link| {
            let handle = link.key(key)?;
            let mut used = nonce;
            let sealed = {
                let parameters = gcm(&mut used, &aad)?;
                link.session
                    .encrypt(&Mechanism::AesGcm(parameters), handle, plain)
                    .map_err(|error| fault_of_mechanism("wrapping", "CKM_AES_GCM", error))?
            };
            // Some devices put in a nonce of their own; then ours would not open the value.
            Ok([used.as_slice(), &sealed].concat())
        })?;
        if sealed.len() != NONCE_BYTES + plain.len() + TAG_BYTES {
            return Err(TokenError::Malformed { what: "wrapped value" });
        }
        Ok(sealed)
    }

    fn unwrap(&self, key: KeyName, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, TokenError> {
        if key.kind() != KeyKind::Aes256 {
            return Err(TokenError::KeyUse { key, operation: "unwrapping" });
        }
        let refused = TokenError::WrapRefused { key };
        let (nonce, sealed) =
            wrapped.split_first_chunk::<NONCE_BYTES>().ok_or_else(|| refused.clone())?;
        if sealed.len() < TAG_BYTES || sealed.len() > WRAP_VALUE_BYTES_MAX + TAG_BYTES {
            return Err(refused);
        }
        let aad = wrap_aad(key);
        self.call(|link| {
            let handle = link.key(key)?;
            let mut nonce = *nonce;
            let parameters = gcm(&mut nonce, &aad)?;
            match link.session.decrypt(&Mechanism::AesGcm(parameters), handle, sealed) {
                Ok(plain) => Ok(Zeroizing::new(plain)),
                Err(Error::Pkcs11(error, _)) if is_tag_refusal(&error) => {
                    Err(refused.clone().into())
                }
                Err(error) => Err(fault_of_mechanism("unwrapping", "CKM_AES_GCM", error)),
            }
        })
    }

    fn describe(&self) -> TokenKind {
        self.kind.clone()
    }
}

/// Initializing twice is no error: the module belongs to the whole process.
fn initialize(module: &Pkcs11) -> Result<(), TokenError> {
    match module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(()),
        Err(error) => Err(named("initializing the module", &error)),
    }
}

fn find_slot(module: &Pkcs11, place: &TokenPlace) -> Result<Slot, TokenError> {
    const ATTEMPT: &str = "looking for the token";
    let slots =
        module.get_slots_with_initialized_token().map_err(|error| named(ATTEMPT, &error))?;
    let mut found = slots.into_iter().filter(|slot| match place {
        TokenPlace::Slot(number) => slot.id() == *number,
        TokenPlace::Label(label) => {
            module.get_token_info(*slot).is_ok_and(|info| info.label().trim_end() == label)
        }
    });
    match (found.next(), found.next()) {
        (Some(slot), None) => Ok(slot),
        (None, _) => Err(device(ATTEMPT, "no token by that label or slot")),
        (Some(_), Some(_)) => Err(device(ATTEMPT, "several tokens have that label")),
    }
}

const fn private_class(key: KeyName) -> ObjectClass {
    match key.kind() {
        KeyKind::P256 | KeyKind::Ed25519 => ObjectClass::PRIVATE_KEY,
        KeyKind::Aes256 => ObjectClass::SECRET_KEY,
    }
}

fn find(session: &Session, key: KeyName, class: ObjectClass) -> Result<Vec<ObjectHandle>, Fault> {
    let template = [
        Attribute::Token(true),
        Attribute::Class(class),
        Attribute::Label(key.key().as_bytes().to_vec()),
    ];
    session.find_objects(&template).map_err(|error| fault("looking for a key", error))
}

/// A key that could leave the device is not used at all. The value is asked for through the
/// attribute-info call: the ordinary call silently leaves a sensitive attribute out, which would look
/// the same as a key without a value.
fn stays_inside(session: &Session, key: KeyName, handle: ObjectHandle) -> Result<(), Fault> {
    const ATTEMPT: &str = "checking that a key stays inside";
    let flags = session
        .get_attributes(handle, &[AttributeType::Sensitive, AttributeType::Extractable])
        .map_err(|error| fault(ATTEMPT, error))?;
    let bound = flags.contains(&Attribute::Sensitive(true))
        && flags.contains(&Attribute::Extractable(false));
    let value = session
        .get_attribute_info(handle, &[AttributeType::Value])
        .map_err(|error| fault(ATTEMPT, error))?;
    if bound && matches!(value.as_slice(), [AttributeInfo::Sensitive]) {
        return Ok(());
    }
    Err(TokenError::KeyExtractable { key }.into())
}

fn generate(session: &Session, key: KeyName) -> Result<(), Fault> {
    const ATTEMPT: &str = "generating a key";
    let (_, mechanism) = generation_mechanism(key.kind());
    let failed = |error| fault_of_mechanism(ATTEMPT, mechanism, error);
    let pair = |mechanism: &Mechanism<'_>, curve: &[u8]| {
        session
            .generate_key_pair(mechanism, &public_template(key, curve), &private_template(key))
            .map(|_| ())
    };
    match key.kind() {
        KeyKind::P256 => pair(&Mechanism::EccKeyPairGen, &P256_PARAMETERS).map_err(failed),
        KeyKind::Ed25519 => {
            let mechanism = Mechanism::EccEdwardsKeyPairGen;
            // Modules differ in how they want this curve named.
            pair(&mechanism, &ED25519_PARAMETERS)
                .or_else(|_| pair(&mechanism, &ED25519_PARAMETERS_NAMED))
                .map_err(failed)
        }
        KeyKind::Aes256 => {
            session.generate_key(&Mechanism::AesKeyGen, &secret_template(key)).map_err(failed)?;
            Ok(())
        }
    }
}

/// What every key has: it lives in the token under our name.
fn common(key: KeyName, private: bool) -> Vec<Attribute> {
    vec![
        Attribute::Token(true),
        Attribute::Private(private),
        Attribute::Label(key.key().as_bytes().to_vec()),
        Attribute::Id(vec![key.number()]),
    ]
}

fn public_template(key: KeyName, curve: &[u8]) -> Vec<Attribute> {
    let mut template = common(key, false);
    template.extend([Attribute::Verify(true), Attribute::EcParams(curve.to_vec())]);
    template
}

fn private_template(key: KeyName) -> Vec<Attribute> {
    let mut template = common(key, true);
    template.extend([
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Sign(true),
        Attribute::Derive(false),
    ]);
    template
}

/// Encrypt and decrypt, but not wrap and unwrap: what this key seals are bytes, and a key that can
/// wrap could be told to wrap other keys of the device.
fn secret_template(key: KeyName) -> Vec<Attribute> {
    let mut template = common(key, true);
    template.extend([
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::AES),
        Attribute::ValueLen(AES_KEY_BYTES.into()),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Encrypt(true),
        Attribute::Decrypt(true),
        Attribute::Wrap(false),
        Attribute::Unwrap(false),
    ]);
    template
}

const fn generation_mechanism(kind: KeyKind) -> (MechanismType, &'static str) {
    match kind {
        KeyKind::P256 => (MechanismType::ECC_KEY_PAIR_GEN, "CKM_EC_KEY_PAIR_GEN"),
        KeyKind::Ed25519 => {
            (MechanismType::ECC_EDWARDS_KEY_PAIR_GEN, "CKM_EC_EDWARDS_KEY_PAIR_GEN")
        }
        KeyKind::Aes256 => (MechanismType::AES_KEY_GEN, "CKM_AES_KEY_GEN"),
    }
}

const fn signing_mechanism(kind: KeyKind) -> &'static str {
    match kind {
        KeyKind::P256 | KeyKind::Aes256 => "CKM_ECDSA",
        KeyKind::Ed25519 => "CKM_EDDSA",
    }
}

/// `CKA_EC_POINT` is a DER OCTET STRING by the book, and the bare point in some modules.
fn public_key(kind: KeyKind, point: &[u8]) -> Result<PublicKey, TokenError> {
    let bad = |_| TokenError::Malformed { what: "public key" };
    match (kind, point) {
        (KeyKind::Ed25519, [0x04, 0x20, bare @ ..] | bare) if bare.len() == 32 => {
            bare.try_into().map(PublicKey::Ed25519).map_err(bad)
        }
        (_, [0x04, 0x41, bare @ ..] | bare) => bare.try_into().map(PublicKey::P256).map_err(bad),
    }
}

fn gcm<'a>(nonce: &'a mut [u8; NONCE_BYTES], aad: &'a [u8]) -> Result<GcmParams<'a>, TokenError> {
    let tag_bits = 128_u64;
    GcmParams::new(nonce, aad, tag_bits.into()).map_err(|error| named("preparing AES-GCM", &error))
}

/// How modules say that a GCM tag does not match. SoftHSM2 says `GeneralError`.
const fn is_tag_refusal(error: &RvError) -> bool {
    matches!(
        error,
        RvError::EncryptedDataInvalid
            | RvError::EncryptedDataLenRange
            | RvError::DataInvalid
            | RvError::SignatureInvalid
            | RvError::GeneralError
    )
}

/// Sorts a module's error into "the session is gone" and the rest.
fn fault(attempt: &'static str, error: Error) -> Fault {
    let lost = matches!(
        error,
        Error::Pkcs11(
            RvError::SessionHandleInvalid
                | RvError::SessionClosed
                | RvError::DeviceRemoved
                | RvError::TokenNotPresent
                | RvError::UserNotLoggedIn
                | RvError::CryptokiNotInitialized
                | RvError::KeyHandleInvalid
                | RvError::ObjectHandleInvalid,
            _
        )
    );
    let error = named(attempt, &error);
    if lost { Fault::SessionLost(error) } else { Fault::Final(error) }
}

fn fault_of_mechanism(attempt: &'static str, mechanism: &'static str, error: Error) -> Fault {
    match error {
        Error::Pkcs11(RvError::MechanismInvalid, _) => {
            Fault::Final(TokenError::MechanismMissing { mechanism })
        }
        error => fault(attempt, error),
    }
}

/// The error's name, not the standard's paragraph about it.
fn named(attempt: &'static str, error: &Error) -> TokenError {
    match error {
        Error::Pkcs11(code, _) => device(attempt, &format!("{code:?}")),
        other => device(attempt, &other.to_string()),
    }
}

fn device(attempt: &'static str, cause: &str) -> TokenError {
    TokenError::Device { attempt, cause: cause.to_owned() }
}
