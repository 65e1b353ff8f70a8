//! Entropy of the operating system, for live runs only: what a card and a request number need.

/// Fills `bytes`; stops rather than go on with zeros.
pub(crate) fn fill(bytes: &mut [u8]) {
    if getrandom::fill(bytes).is_err() {
        eprintln!("jukilab: the operating system gave no randomness");
        std::process::abort();
    }
}

/// `N` random bytes.
pub(crate) fn array<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    fill(&mut bytes);
    bytes
}
