//! Faults planted on purpose between a machine and its store or its wire, to prove that the checker
//! can find something. The machines themselves know nothing of them.

/// A fault of the runner or of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The municipality signs, and what it wrote about to whom is lost.
    DepartureNotKept,
    /// The center applies notices and loses how far it came.
    CounterNotKept,
    /// After a crash a municipality's departures are those of an older copy: nobody is gone.
    OlderCopy,
    /// The center takes every moving-in for released.
    NoReleaseNeeded,
}

impl Fault {
    pub const ALL: [Self; 4] =
        [Self::DepartureNotKept, Self::CounterNotKept, Self::OlderCopy, Self::NoReleaseNeeded];
}
