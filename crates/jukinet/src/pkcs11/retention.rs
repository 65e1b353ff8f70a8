//! Keys for terms in the device: one AES key per term, by its label, destroyed as an object.
//! Which of them has to go is not decided here.

use cryptoki::error::Error;
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use token::TokenError;
use token::retention::{check_retention_name, retention_aad};
use zeroize::Zeroizing;

use super::link::{Fault, Line, Link, fault, fault_of_mechanism, stays_inside_as};
use super::shape::is_tag_refusal;
use super::{NONCE_BYTES, TAG_BYTES, gcm};

/// What every label begins with, so that they are told from the named keys.
const LABEL_PREFIX: &str = "retention-";
const AES_KEY_BYTES: u64 = 32;

pub(super) fn create(line: &Line, name: &str) -> Result<(), TokenError> {
    check_retention_name(name)?;
    line.call(|link| {
        if !find(link, name)?.is_empty() {
            return Ok(());
        }
        line.require((MechanismType::AES_KEY_GEN, "CKM_AES_KEY_GEN"))?;
        link.session.generate_key(&Mechanism::AesKeyGen, &template(name)).map(|_| ()).map_err(
            |error| fault_of_mechanism("making a key for a term", "CKM_AES_KEY_GEN", error),
        )
    })
}

pub(super) fn wrap(
    line: &Line,
    name: &str,
    plain: &[u8],
    nonce: [u8; NONCE_BYTES],
) -> Result<Vec<u8>, TokenError> {
    let aad = retention_aad(name);
    let sealed = line.call(|link| {
        let handle = key(link, name)?;
        let mut used = nonce;
        let sealed = {
            let parameters = gcm(&mut used, &aad)?;
            link.session
                .encrypt(&Mechanism::AesGcm(parameters), handle, plain)
                .map_err(|error| fault_of_mechanism("wrapping", "CKM_AES_GCM", error))?
        };
        Ok([used.as_slice(), &sealed].concat())
    })?;
    if sealed.len() != NONCE_BYTES + plain.len() + TAG_BYTES {
        return Err(TokenError::Malformed { what: "wrapped value" });
    }
    Ok(sealed)
}

pub(super) fn unwrap(
    line: &Line,
    name: &str,
    wrapped: &[u8],
) -> Result<Zeroizing<Vec<u8>>, TokenError> {
    let refused = TokenError::RetentionRefused { name: name.to_owned() };
    let (nonce, sealed) =
        wrapped.split_first_chunk::<NONCE_BYTES>().ok_or_else(|| refused.clone())?;
    if sealed.len() < TAG_BYTES {
        return Err(refused);
    }
    let aad = retention_aad(name);
    line.call(|link| {
        let handle = key(link, name)?;
        let mut nonce = *nonce;
        let parameters = gcm(&mut nonce, &aad)?;
        match link.session.decrypt(&Mechanism::AesGcm(parameters), handle, sealed) {
            Ok(plain) => Ok(Zeroizing::new(plain)),
            Err(Error::Pkcs11(error, _)) if is_tag_refusal(&error) => Err(refused.clone().into()),
            Err(error) => Err(fault_of_mechanism("unwrapping", "CKM_AES_GCM", error)),
        }
    })
}

pub(super) fn destroy(line: &Line, name: &str) -> Result<(), TokenError> {
    check_retention_name(name)?;
    line.call(|link| {
        for handle in find(link, name)? {
            link.session
                .destroy_object(handle)
                .map_err(|error| fault("destroying a key for a term", error))?;
        }
        Ok(())
    })
}

pub(super) fn names(line: &Line) -> Result<Vec<String>, TokenError> {
    const ATTEMPT: &str = "listing the keys for terms";
    line.call(|link| {
        let class = [Attribute::Token(true), Attribute::Class(ObjectClass::SECRET_KEY)];
        let found = link.session.find_objects(&class).map_err(|error| fault(ATTEMPT, error))?;
        let mut names = Vec::new();
        for handle in found {
            let label = link
                .session
                .get_attributes(handle, &[AttributeType::Label])
                .map_err(|error| fault(ATTEMPT, error))?;
            let [Attribute::Label(label)] = label.as_slice() else { continue };
            let name = std::str::from_utf8(label).ok().and_then(|l| l.strip_prefix(LABEL_PREFIX));
            names.extend(name.map(str::to_owned));
        }
        names.sort();
        Ok(names)
    })
}

fn key(link: &Link, name: &str) -> Result<ObjectHandle, Fault> {
    match find(link, name)?.as_slice() {
        [] => Err(TokenError::RetentionGone { name: name.to_owned() }.into()),
        [handle] => {
            let extractable = TokenError::RetentionShelf {
                cause: format!("the key {LABEL_PREFIX}{name} can leave the device"),
            };
            stays_inside_as(&link.session, *handle, extractable)?;
            Ok(*handle)
        }
        [_, _, ..] => Err(TokenError::Malformed { what: "set of key labels" }.into()),
    }
}

fn find(link: &Link, name: &str) -> Result<Vec<ObjectHandle>, Fault> {
    let template = [
        Attribute::Token(true),
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::Label(format!("{LABEL_PREFIX}{name}").into_bytes()),
    ];
    link.session.find_objects(&template).map_err(|error| fault("looking for a key", error))
}

/// As the storage key's, and destroyable: that is what it is for.
fn template(name: &str) -> Vec<Attribute> {
    vec![
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Label(format!("{LABEL_PREFIX}{name}").into_bytes()),
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::AES),
        Attribute::ValueLen(AES_KEY_BYTES.into()),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Encrypt(true),
        Attribute::Decrypt(true),
        Attribute::Wrap(false),
        Attribute::Unwrap(false),
        Attribute::Destroyable(true),
    ]
}
