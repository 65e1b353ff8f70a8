//! A municipal register system as the simulator has it: what it still has to tell its communication
//! server, and the record codes it took out of the pool. Not the residents (`nation`).

use std::collections::VecDeque;

use law::code::RecordCode;

/// A municipal register system.
#[derive(Clone, Debug, Default)]
pub(super) struct Register {
    /// Deeds not acknowledged yet, oldest first.
    pub(super) waiting: VecDeque<usize>,
    pub(super) in_flight: bool,
    pub(super) sequence: u64,
    /// Codes taken out of the municipality's pool and written for nobody yet.
    ready: VecDeque<RecordCode>,
    /// Somebody had to be sent away for lack of a code.
    lacks: bool,
    /// The request for a code that no answer has come to.
    pub(super) taking: Option<[u8; 16]>,
}

impl Register {
    /// A code at hand for somebody who needs one; without one, it is remembered that one lacks.
    pub(super) fn next_code(&mut self) -> Option<RecordCode> {
        let code = self.ready.pop_front();
        self.lacks |= code.is_none();
        code
    }

    /// Whether a code is to be taken out of the pool.
    pub(super) fn lacks_code(&self) -> bool {
        self.lacks || self.taking.is_some()
    }

    /// The communication server gave this code for our request.
    pub(super) fn takes(&mut self, code: RecordCode) {
        (self.lacks, self.taking) = (false, None);
        self.ready.push_back(code);
    }
}
