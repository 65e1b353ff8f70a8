//! The dice: randomness of the operating system, handed down to crates that have none of their own.
//! Not a generator: there is no state here and nothing to seed.

/// Fills `bytes` from the operating system's generator.
///
/// A machine without entropy cannot make a nonce or a key. Going on with zeros would be a silent
/// break of every key in the house, so the process stops instead.
pub fn fill(bytes: &mut [u8]) {
    if getrandom::fill(bytes).is_err() {
        eprintln!("the operating system gave no randomness; stopping before a weak key is made");
        std::process::abort();
    }
}

/// An array of `N` random bytes.
#[must_use]
pub fn array<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    fill(&mut bytes);
    bytes
}
