//! What a notice of change does to what is held about a person: the same at every tier.
//!
//! Pure bookkeeping, no permission: whether a notice may be believed is checked by the role that
//! receives it. A municipality's late deletion never undoes the entry made elsewhere meanwhile.

use std::collections::BTreeMap;

use law::change::{ChangeKind, ChangeNotice};
use law::code::{LocalGovernmentCode, RecordCode};
use law::inquiry::{Held, LastChange};
use law::time::Timestamp;

use crate::outbox::Outbox;
use crate::ports::{HistoryRow, Looked, Reads, Write};

/// What is held, as it will stand after the writes of this step: several notices in one batch may
/// concern one person.
pub(crate) struct Overlay<'a> {
    reads: &'a dyn Reads,
    changed: BTreeMap<RecordCode, Option<Held>>,
}

impl<'a> Overlay<'a> {
    pub(crate) fn new(reads: &'a dyn Reads) -> Self {
        Self { reads, changed: BTreeMap::new() }
    }

    pub(crate) fn resident(&self, code: &RecordCode) -> Looked<Option<Held>> {
        match self.changed.get(code) {
            Some(held) => Ok(held.clone()),
            None => self.reads.resident(code),
        }
    }

    /// Bring the person to the state after `notice`, as writes in `out`.
    ///
    /// The values before are kept as history (異動前の本人確認情報). A notice from a municipality that
    /// no longer has the person (a deletion that arrives after the entry elsewhere) changes only the
    /// history.
    pub(crate) fn apply(
        &mut self,
        from: LocalGovernmentCode,
        notice: &ChangeNotice,
        now: Timestamp,
        out: &mut Outbox,
    ) -> Looked<()> {
        let code = notice.record.code;
        let before_code = notice.previous_code.unwrap_or(code);
        let before = self.resident(&before_code)?;
        let kind = notice.reason.kind();
        let elsewhere =
            before.as_ref().is_some_and(|held| !held.removed && held.identity.municipality != from);
        let history = before.clone().map(|before| HistoryRow {
            before,
            reason: notice.reason,
            on: notice.changed_on,
            recorded_at: now,
        });
        if elsewhere && kind != ChangeKind::Entry {
            if let Some(row) = history {
                out.write(Write::AppendHistory { code: before_code, row });
            }
            return Ok(());
        }
        let held = Held {
            identity: notice.record.clone(),
            change: Some(LastChange { reason: notice.reason, on: notice.changed_on }),
            removed: kind == ChangeKind::Deletion,
        };
        if before_code == code {
            out.write(Write::PutResident(held.clone()));
        } else {
            out.write(Write::ReplaceCode { previous: before_code, held: held.clone() });
            self.changed.insert(before_code, None);
        }
        if let Some(row) = history {
            out.write(Write::AppendHistory { code, row });
        }
        self.changed.insert(code, Some(held));
        Ok(())
    }
}

impl std::fmt::Debug for Overlay<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Overlay({} changed)", self.changed.len())
    }
}
