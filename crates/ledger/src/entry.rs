//! One line of the ledger: who did what, when, under which affair. There is no field for a name, an
//! address or a birth date, so none can be written down.
//!
//! Not here: the text form (`entry_text`), the words for people (`sentence`), the leaf
//! (`commitment`).

use std::collections::BTreeMap;
use std::fmt;

use law::code::RecordCode;
use law::time::Timestamp;

pub use crate::entry_field::{
    ENTRY_NOTE_CHARACTERS_MAX, ENTRY_TEXT_CHARACTERS_MAX, ENTRY_WORD_CHARACTERS_MAX, recordable,
};
use crate::entry_field::{Field, WORD_RULE, is_word};
use crate::tree::hex;

/// Bytes of one entry's text: every field at its longest fits, with room to spare.
pub const ENTRY_BYTES_MAX: usize = 4096;

/// The last millisecond that RFC 3339 can write: the end of the year 9999.
const AT_MS_MAX: u64 = 253_402_300_799_999;

const AT_RULE: &str = "has to be a time before the year 10000";

/// Why an entry was refused. Names the field, never what stood in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// The text is not an entry.
    #[error("entry is malformed: {0}")]
    Malformed(&'static str),
    /// A field's value cannot stand there.
    #[error("entry field {field} {rule}")]
    Field {
        /// The key.
        field: &'static str,
        /// What it has to be.
        rule: &'static str,
    },
    /// The kind cannot do without this field.
    #[error("entry of kind {kind} needs the field {field}")]
    Needs {
        /// The kind.
        kind: &'static str,
        /// The key.
        field: &'static str,
    },
    /// An entry about no one in particular names a resident.
    #[error("entry of kind {kind} is not about one person and may not name a resident")]
    NotAboutOnePerson {
        /// The kind.
        kind: &'static str,
    },
    /// The text is longer than [`ENTRY_BYTES_MAX`].
    #[error("entry is longer than 4096 bytes; shorten its fields")]
    TooLong,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntryKind {
    /// 提供: identity confirmation information about one person was provided.
    Provision,
    /// An inquiry was proper and found no one.
    NoProvision,
    /// An inquiry was refused.
    Refusal,
    /// 通知の受領: notices arrived and were applied.
    NoticesReceived,
    /// The existing resident register system handed over changes.
    FeedReceived,
    /// 初期登録: a register was loaded from a file before the node first served.
    Loaded,
    /// 確実な消去: what had reached the end of its term was erased, keys and rows.
    Erased,
    /// The center signed a directory.
    DirectoryIssued,
    /// Provision entries of the center arrived at the prefecture that discloses them.
    DisclosuresReceived,
    /// 開示: a resident's own view was opened.
    ViewOpened,
    /// The state of the network was shown to an operator.
    StatusShown,
    /// Something was sent on to the next tier.
    Forwarded,
    /// 転出確定: a resident was let go to another municipality, which asked.
    ResidentReleased,
    /// Another municipality claimed a resident who was not let go.
    ReleaseRefused,
    /// 転入: a resident came in with the former municipality's word.
    ResidentArrived,
    /// Notices could not be applied as they stand and were set aside.
    NoticesSetAside,
    /// 住民票コードの指定: the center designated codes for a municipality.
    CodesDesignated,
    /// Designated codes arrived in the municipality's pool.
    CodesReceived,
    /// The existing resident register system took a code out of the pool.
    CodeTaken,
    /// 不一致: two tiers hold different records about one person; not provided until repaired.
    Diverged,
    /// 修復: what the tier below holds about one person was put in place of what differed.
    Repaired,
    /// The machine started.
    Started,
    /// The machine stopped.
    Stopped,
}

impl EntryKind {
    /// All kinds, in the order of this list.
    pub const ALL: [Self; 23] = [
        Self::Provision,
        Self::NoProvision,
        Self::Refusal,
        Self::NoticesReceived,
        Self::FeedReceived,
        Self::Loaded,
        Self::Erased,
        Self::DirectoryIssued,
        Self::DisclosuresReceived,
        Self::ViewOpened,
        Self::StatusShown,
        Self::Forwarded,
        Self::ResidentReleased,
        Self::ReleaseRefused,
        Self::ResidentArrived,
        Self::NoticesSetAside,
        Self::CodesDesignated,
        Self::CodesReceived,
        Self::CodeTaken,
        Self::Diverged,
        Self::Repaired,
        Self::Started,
        Self::Stopped,
    ];

    /// The word in the text form.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Provision => "provision",
            Self::NoProvision => "no-provision",
            Self::Refusal => "refusal",
            Self::NoticesReceived => "notices-received",
            Self::FeedReceived => "feed-received",
            Self::Loaded => "loaded",
            Self::Erased => "erased",
            Self::DirectoryIssued => "directory-issued",
            Self::DisclosuresReceived => "disclosures-received",
            Self::ViewOpened => "view-opened",
            Self::StatusShown => "status-shown",
            Self::Forwarded => "forwarded",
            Self::ResidentReleased => "resident-released",
            Self::ReleaseRefused => "release-refused",
            Self::ResidentArrived => "resident-arrived",
            Self::NoticesSetAside => "notices-set-aside",
            Self::CodesDesignated => "codes-designated",
            Self::CodesReceived => "codes-received",
            Self::CodeTaken => "code-taken",
            Self::Diverged => "diverged",
            Self::Repaired => "repaired",
            Self::Started => "started",
            Self::Stopped => "stopped",
        }
    }

    /// The kind of that key.
    pub fn parse_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.key() == key)
    }

    /// Whether an entry of this kind is about one person and may name that person's code.
    pub const fn is_about_one_person(self) -> bool {
        matches!(
            self,
            Self::Provision
                | Self::ResidentReleased
                | Self::ResidentArrived
                | Self::Diverged
                | Self::Repaired
                | Self::ViewOpened
        )
    }

    /// Fields without which an entry of this kind would not tell what happened.
    const fn needs(self) -> &'static [Field] {
        match self {
            Self::Provision => &[Field::Asker, Field::Affair, Field::Request, Field::Resident],
            Self::NoProvision => &[Field::Asker, Field::Request],
            Self::Refusal => &[Field::Rule],
            Self::ReleaseRefused => &[Field::Asker, Field::Rule],
            Self::ResidentReleased => &[Field::Asker, Field::Resident],
            Self::ResidentArrived | Self::Diverged | Self::Repaired => &[Field::Resident],
            Self::CodesDesignated => &[Field::Asker, Field::Count],
            Self::NoticesSetAside => &[Field::Terminal, Field::Count, Field::Rule],
            Self::NoticesReceived
            | Self::FeedReceived
            | Self::DisclosuresReceived
            | Self::CodesReceived
            | Self::CodeTaken
            | Self::Erased => &[Field::Count],
            Self::Loaded => &[Field::Request, Field::Count],
            _ => &[],
        }
    }
}

/// One entry, complete and valid.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    kind: EntryKind,
    at: Timestamp,
    node: String,
    values: BTreeMap<Field, String>,
}

/// Prints everything but whom it is about.
impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Entry");
        shown.field("kind", &self.kind).field("at", &self.at).field("node", &self.node);
        for (field, value) in &self.values {
            match field {
                Field::Resident => shown.field(field.key(), &format_args!("RecordCode(…)")),
                _ => shown.field(field.key(), value),
            };
        }
        shown.finish()
    }
}

impl Entry {
    /// Begins an entry that `node` writes at `at`.
    pub fn build(kind: EntryKind, at: Timestamp, node: impl Into<String>) -> EntryBuilder {
        EntryBuilder { entry: Self { kind, at, node: node.into(), values: BTreeMap::new() } }
    }

    /// What was done.
    pub const fn kind(&self) -> EntryKind {
        self.kind
    }

    /// When, by the clock of the node.
    pub const fn at(&self) -> Timestamp {
        self.at
    }

    /// Who wrote it: a node's text id.
    pub fn node(&self) -> &str {
        &self.node
    }

    /// Who asked: an organ's text form.
    pub fn asker(&self) -> Option<&str> {
        self.value(Field::Asker)
    }

    /// At which terminal.
    pub fn terminal(&self) -> Option<&str> {
        self.value(Field::Terminal)
    }

    /// With which operator card.
    pub fn card(&self) -> Option<&str> {
        self.value(Field::Card)
    }

    /// For which affair (事務).
    pub fn affair(&self) -> Option<&str> {
        self.value(Field::Affair)
    }

    /// Under which case number.
    pub fn case(&self) -> Option<&str> {
        self.value(Field::Case)
    }

    /// Immediate or batch.
    pub fn channel(&self) -> Option<&str> {
        self.value(Field::Channel)
    }

    /// By which legal key the query was made.
    pub fn mode(&self) -> Option<&str> {
        self.value(Field::Mode)
    }

    /// Which items were provided, joined by commas.
    pub fn items(&self) -> Option<&str> {
        self.value(Field::Items)
    }

    /// The digest of the signed request, in hexadecimal.
    pub fn request(&self) -> Option<&str> {
        self.value(Field::Request)
    }

    /// The rule a refusal names.
    pub fn rule(&self) -> Option<&str> {
        self.value(Field::Rule)
    }

    /// How many.
    pub fn count(&self) -> Option<u64> {
        self.number(Field::Count)
    }

    /// The first sequence number.
    pub fn first(&self) -> Option<u64> {
        self.number(Field::First)
    }

    /// The last sequence number.
    pub fn last(&self) -> Option<u64> {
        self.number(Field::Last)
    }

    /// Whom it is about.
    pub fn subject(&self) -> Option<RecordCode> {
        RecordCode::parse(self.value(Field::Resident)?).ok()
    }

    /// A machine's remark.
    pub fn note(&self) -> Option<&str> {
        self.value(Field::Note)
    }

    pub(crate) fn value(&self, field: Field) -> Option<&str> {
        self.values.get(&field).map(String::as_str)
    }

    fn number(&self, field: Field) -> Option<u64> {
        self.value(field)?.parse().ok()
    }
}

/// An entry that is being written; nothing is checked before [`Self::finish`].
#[derive(Debug, Clone)]
#[must_use = "an entry that is not finished is not recorded"]
pub struct EntryBuilder {
    entry: Entry,
}

impl EntryBuilder {
    pub(crate) fn set(mut self, field: Field, value: impl Into<String>) -> Self {
        self.entry.values.insert(field, value.into());
        self
    }

    /// Who asked: an organ's text form.
    pub fn asker(self, organ: impl Into<String>) -> Self {
        self.set(Field::Asker, organ)
    }

    /// At which terminal.
    pub fn terminal(self, node: impl Into<String>) -> Self {
        self.set(Field::Terminal, node)
    }

    /// With which operator card.
    pub fn card(self, card: impl Into<String>) -> Self {
        self.set(Field::Card, card)
    }

    /// For which affair; text from outside goes through [`recordable`] first.
    pub fn affair(self, affair: impl Into<String>) -> Self {
        self.set(Field::Affair, affair)
    }

    /// Under which case number; text from outside goes through [`recordable`] first.
    pub fn case(self, case: impl Into<String>) -> Self {
        self.set(Field::Case, case)
    }

    /// `immediate` or `batch`.
    pub fn channel(self, channel: impl Into<String>) -> Self {
        self.set(Field::Channel, channel)
    }

    /// `code`, `name-address` or `name-birth`.
    pub fn mode(self, mode: impl Into<String>) -> Self {
        self.set(Field::Mode, mode)
    }

    /// Item keys joined by commas: `name,address,sex,birth`.
    pub fn items(self, items: impl Into<String>) -> Self {
        self.set(Field::Items, items)
    }

    /// The digest of the signed request.
    pub fn request(self, digest: &[u8; 32]) -> Self {
        self.set(Field::Request, hex(digest))
    }

    /// The rule id of a refusal.
    pub fn rule(self, rule: impl Into<String>) -> Self {
        self.set(Field::Rule, rule)
    }

    /// How many.
    pub fn count(self, count: u64) -> Self {
        self.set(Field::Count, count.to_string())
    }

    /// The first sequence number.
    pub fn first(self, first: u64) -> Self {
        self.set(Field::First, first.to_string())
    }

    /// The last sequence number.
    pub fn last(self, last: u64) -> Self {
        self.set(Field::Last, last.to_string())
    }

    /// Whom it is about: only where the kind is about one person.
    pub fn subject(self, code: &RecordCode) -> Self {
        self.set(Field::Resident, code.expose())
    }

    /// A machine's remark in ASCII.
    pub fn note(self, note: impl Into<String>) -> Self {
        self.set(Field::Note, note)
    }

    /// Checks every field and the entry as a whole.
    ///
    /// # Errors
    /// [`EntryError`], naming the field.
    pub fn finish(self) -> Result<Entry, EntryError> {
        let entry = self.entry;
        let kind = entry.kind.key();
        if entry.at.0 > AT_MS_MAX {
            return Err(EntryError::Field { field: "at", rule: AT_RULE });
        }
        if !is_word(&entry.node) {
            return Err(EntryError::Field { field: "node", rule: WORD_RULE });
        }
        for (field, value) in &entry.values {
            field.check(value)?;
        }
        if entry.values.contains_key(&Field::Resident) && !entry.kind.is_about_one_person() {
            return Err(EntryError::NotAboutOnePerson { kind });
        }
        let missing = entry.kind.needs().iter().find(|field| !entry.values.contains_key(field));
        if let Some(field) = missing {
            return Err(EntryError::Needs { kind, field: field.key() });
        }
        if entry.encode().len() > ENTRY_BYTES_MAX {
            return Err(EntryError::TooLong);
        }
        Ok(entry)
    }
}
