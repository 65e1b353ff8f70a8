//! What was done: an append-only ledger whose every line can be checked by someone who trusts none
//! of us.
//!
//! Leaves are salted commitments to entries, so that the published log says nothing about anyone;
//! an entry opens with its salt, for the resident it is about, and proves its place in the log.
//! Formats are those of the C2SP specifications (tlog-tiles, signed-note, tlog-checkpoint,
//! tlog-cosignature, tlog-proof) over the Merkle tree of RFC 6962, so that tools no one here wrote
//! can verify them.
//!
//! This crate knows no disk, clock, network or randomness: files come through [`LedgerFiles`],
//! signatures through [`note::NoteSigner`], salts and times as arguments. It decides nothing about
//! who may read an entry; that is `law`.
//!
//! - `tree`, `proofs`: hashes, the frontier, inclusion and consistency
//! - `tile`, `files`, `publication`: the published files, read and written
//! - `note`, `checkpoint`, `proof`: the signed texts
//! - `entry`, `commitment`, `receipt`, `view`, `sentence`: what an entry says and proves
//! - `verify`: everything above, recomputed from the published files alone

pub mod checkpoint;
mod commitment;
pub mod entry;
mod entry_field;
mod entry_text;
mod files;
pub mod note;
pub mod proof;
mod proofs;
pub mod publication;
pub mod receipt;
pub mod sentence;
pub mod tile;
mod tree;
pub mod verify;
pub mod view;

pub use commitment::commitment;
pub use entry::{Entry, EntryKind};
pub use files::{CHECKPOINT_PATH, LedgerFiles, TileHashes, VERIFIER_KEY_PATH};
pub use proofs::{
    HashError, HashReader, ProofFault, consistency_proof, inclusion_proof, root,
    verify_consistency, verify_inclusion,
};
pub use publication::Publication;
pub use receipt::{EntryId, Receipt};
pub use tree::{Frontier, Hash, MemoryTree, empty_root, leaf_hash, node_hash};
