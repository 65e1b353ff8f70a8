//! What keeps a process from going on where it is no longer the store's one writer, or where the
//! store is an older one: asked of every new session before it is used. No table is changed here.
//!
//! A fence that has shut stays shut: whatever the database holds later, this process answered for
//! what it saw before. Only a start, which looks at everything anew, goes on.

use std::cell::Cell;

use node::ports::StoreError;
use postgres::Client;

use super::link::store_error;
use crate::schema::from_sql;

/// Why the fence has shut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shut {
    /// Another writer opened the store.
    Replaced,
    /// The database has fewer entries than this process committed or found at its start.
    Behind { ledger: u64, store: u64 },
    /// Statements of one session went to several: then the writer's lock binds nobody.
    Shared,
}

impl From<Shut> for StoreError {
    fn from(shut: Shut) -> Self {
        match shut {
            Shut::Replaced => Self::Damaged(
                "another process wrote to this store while the line was lost; start again".into(),
            ),
            Shut::Behind { ledger, store } => Self::LedgerAhead { ledger, store },
            Shut::Shared => Self::Damaged(
                "a pooler shares the server's sessions: set it to session pooling, or name the \
                 server itself"
                    .into(),
            ),
        }
    }
}

/// What a session must show, and whether one failed to.
#[derive(Debug, Default)]
pub(super) struct Fence {
    /// What this process wrote when it opened the store for writing.
    writer: Cell<Option<i64>>,
    /// Entries that must be there: those found at the start, and those committed since. A
    /// checkpoint never covers more.
    entries_min: Cell<u64>,
    shut: Cell<Option<Shut>>,
}

impl Fence {
    /// Refuse everything once it has shut.
    pub(super) fn pass(&self) -> Result<(), StoreError> {
        self.shut.get().map_or(Ok(()), |shut| Err(shut.into()))
    }

    /// This process writes from now on.
    pub(super) fn claimed(&self, writer: i64) {
        self.writer.set(Some(writer));
    }

    /// So many entries are durable.
    pub(super) fn expect_entries(&self, entries: u64) {
        self.entries_min.set(self.entries_min.get().max(entries));
    }

    /// Ask a session, before anything else is asked of it. A session that does not answer proves
    /// nothing: the fence stays as it is.
    pub(super) fn admit(&self, client: &mut Client) -> Result<(), StoreError> {
        let (writer, least) = (self.writer.get(), self.entries_min.get());
        if writer.is_none() && least == 0 {
            return Ok(());
        }
        let row = client
            .query_one(
                "SELECT (SELECT value FROM engine WHERE name = 'writer'),
                        (SELECT max(idx) FROM entry)",
                &[],
            )
            .map_err(store_error)?;
        let number = |place: usize| row.try_get::<_, Option<i64>>(place).map_err(store_error);
        let (found, last) = (number(0)?, number(1)?);
        if writer.is_some() && found != writer {
            return self.shut(Shut::Replaced);
        }
        let held = last.map_or(0, |last| from_sql(last).saturating_add(1));
        if held < least {
            return self.shut(Shut::Behind { ledger: least, store: held });
        }
        Ok(())
    }

    /// A transaction must run in the session that holds the writer's lock.
    pub(super) fn same_session(&self, connected: i32, found: i32) -> Result<(), StoreError> {
        if found == connected { Ok(()) } else { self.shut(Shut::Shared) }
    }

    fn shut(&self, why: Shut) -> Result<(), StoreError> {
        self.shut.set(Some(why));
        Err(why.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_in_another_session_shuts_the_fence_for_good() {
        let fence = Fence::default();
        fence.same_session(7, 7).unwrap();
        fence.pass().unwrap();
        let why = fence.same_session(7, 8).unwrap_err();
        assert!(matches!(why, StoreError::Damaged(why) if why.contains("session pooling")));
        fence.same_session(7, 7).unwrap();
        assert!(matches!(fence.pass(), Err(StoreError::Damaged(_))));
    }
}
