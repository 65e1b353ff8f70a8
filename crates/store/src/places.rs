//! Names and places of rows, the same on every engine: what a sealed row is bound to, and what
//! numbers are called. A row keeps its place when a store is moved to another engine.

use node::ports::{Counter, FactPlace, Space};

use crate::seal;

/// Name of the ledger's origin in `meta`.
pub(crate) const ORIGIN_NAME: &str = "origin";

/// Name of the last directory in `meta`.
pub(crate) const DIRECTORY_NAME: &str = "directory";

/// Name of the number of the current row epoch in `counter`.
pub(crate) const EPOCH_NAME: &str = "row-epoch";

/// Name of the month before which everything is erased, in `counter`.
pub(crate) const ERASED_BEFORE_NAME: &str = "erased-before";

/// Name of the number of residents who are not removed, kept beside the rows so that the
/// heartbeat's count costs nothing.
pub(crate) const RESIDENTS_NAME: &str = "residents";

pub(crate) fn resident_place(id: i64, epoch: u32) -> Vec<u8> {
    let mut key = id.to_be_bytes().to_vec();
    key.extend_from_slice(&epoch.to_be_bytes());
    seal::place("resident", &key)
}

/// The person is part of the place: a row moved to another person does not open.
pub(crate) fn history_place(id: i64, resident: i64) -> Vec<u8> {
    let mut key = id.to_be_bytes().to_vec();
    key.extend_from_slice(&resident.to_be_bytes());
    seal::place("history", &key)
}

pub(crate) fn entry_place(index: i64) -> Vec<u8> {
    seal::place("entry", &index.to_be_bytes())
}

pub(crate) fn foreign_place(id: i64) -> Vec<u8> {
    seal::place("foreign_entry", &id.to_be_bytes())
}

pub(crate) fn queue_place(destination: &str, sequence: i64) -> Vec<u8> {
    let mut key = sequence.to_be_bytes().to_vec();
    key.extend_from_slice(destination.as_bytes());
    seal::place("queue_item", &key)
}

pub(crate) fn fact_sealed_at(space: Space, place: &FactPlace) -> Vec<u8> {
    let mut key = vec![space.number()];
    key.extend_from_slice(place);
    seal::place("fact", &key)
}

pub(crate) fn counter_name(counter: &Counter) -> String {
    match counter {
        Counter::AppliedFrom(node) => format!("applied-from/{}", node.as_str()),
        Counter::Feed => "feed".into(),
        Counter::DirectorySerial => "directory-serial".into(),
        Counter::Disclosed => "disclosed".into(),
        Counter::RequestsForgotten => "requests-forgotten".into(),
    }
}

/// The space of this number, if there is one.
pub(crate) fn space_of(number: i64) -> Option<Space> {
    Space::ALL.into_iter().find(|space| i64::from(space.number()) == number)
}
