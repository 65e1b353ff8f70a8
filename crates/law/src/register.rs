//! The resident record (住民票) and the rules of its keeping: what stands in it (法7条, 30条の45),
//! which filings and acts change it (法22条-25条, 職権), and which change is told to the network.
//!
//! Not where records are kept (`store::register`) and not what the network holds: of everything
//! here only [`ResidentRecord::identity`] ever leaves the municipality, in a notice.

mod apply;
mod copy;
mod deadline;
mod fault;
mod filing;
mod household;
mod item;
mod record;

pub use apply::{
    AllotmentKind, Change, Context, HouseholdDue, Outcome, Outgoing, Residents, apply,
};
pub use copy::{CopyRequest, Extra, RecordCopy, Requester};
pub use deadline::{Lateness, deleted_kept_until};
pub use fault::{Fault, Rule};
pub use filing::{
    Act, CodeOrigin, Edit, FILING_PERSONS_COUNT_MAX, Filing, FilingNumber, MinorKind, Newcomer,
    Origin,
};
pub use item::{Group, HOUSEHOLDER, Item, Sheet};
pub use record::{Deletion, HouseholdId, ResidentRecord};
