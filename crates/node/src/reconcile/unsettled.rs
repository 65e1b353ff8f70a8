//! Whom a tier cannot judge now: residents about whom a notice waits for the one before it, or was
//! set aside until somebody looks. What stands about them may differ between the tiers and be right
//! on both sides; a repair would overrule a rule.

use std::collections::BTreeSet;

use law::change::ChangeNotice;
use law::code::RecordCode;
use wire::{Arrival, SetAsideNotice, WaitingNotices};

use crate::ports::{Looked, ReadError, Reads, Space};

/// Notices looked through; with more, nobody is judged.
const UNSETTLED_COUNT_MAX: usize = 2_000;

/// The record codes, old and new, that such notices name.
pub(super) fn unsettled(reads: &dyn Reads) -> Looked<BTreeSet<RecordCode>> {
    let mut codes = BTreeSet::new();
    let mut name = |notice: &ChangeNotice| {
        codes.insert(notice.record.code);
        codes.extend(notice.previous_code);
    };
    for (_, kept) in all(reads, Space::SetAside)? {
        let aside = SetAsideNotice::decode(&kept).map_err(|_| unreadable())?;
        name(&aside.notice.notice);
    }
    for (_, kept) in all(reads, Space::Arrival)? {
        match WaitingNotices::decode(&kept) {
            Ok(waiting) => waiting.notices.iter().for_each(|one| name(&one.notice.notice)),
            // A municipality keeps its own arrivals there.
            Err(_) => name(&Arrival::decode(&kept).map_err(|_| unreadable())?.notice),
        }
    }
    Ok(codes)
}

fn all(reads: &dyn Reads, space: Space) -> Looked<Vec<(crate::ports::FactPlace, Vec<u8>)>> {
    let kept = reads.facts(space, None, UNSETTLED_COUNT_MAX + 1)?;
    if kept.len() > UNSETTLED_COUNT_MAX { Err(unreadable()) } else { Ok(kept) }
}

fn unreadable() -> ReadError {
    ReadError::Store("notices that wait cannot be looked through".to_owned())
}
