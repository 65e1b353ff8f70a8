//! What the log holds instead of an entry: a commitment that says nothing until entry and salt are
//! shown together.
//!
//! Not here: where salts come from (handed in) and where they are kept (`store`). Destroying salt
//! and entry makes a leaf unreadable for ever while the tree above it still verifies.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Keeps commitments to entries apart from every other use of the same function.
const DOMAIN: &[u8] = b"jukinet/1 entry\n";

/// HMAC-SHA-256 of the entry under its salt: binding because the hash is, hiding because the salt
/// is 32 random bytes of its own. These 32 bytes are the leaf data of the log.
pub fn commitment(salt: &[u8; 32], entry: &[u8]) -> [u8; 32] {
    // HMAC itself pads a short key with zeros to its block of 64 bytes; done here, no length can
    // fail.
    let mut block = [0; 64];
    for (to, from) in block.iter_mut().zip(salt) {
        *to = *from;
    }
    let mut mac = Hmac::<Sha256>::new(&block.into());
    mac.update(DOMAIN);
    mac.update(entry);
    mac.finalize().into_bytes().into()
}
