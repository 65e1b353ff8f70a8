//! What the pages need from the terminal process, and the values that pass between them.
//!
//! Not a view model: nothing here is formatted, translated or masked. Only
//! [`InquiryResult::persons`] and [`InquiryForm::draft`] hold identity data, in the types of `law`.

use std::future::Future;
use std::pin::Pin;

use law::inquiry::ProvidedPerson;
use law::organ::CardClass;
use law::query::QueryDraft;
use law::time::Timestamp;

use crate::texts::Lang;

/// A boxed future, so that [`Backend`] can be held as `dyn`.
pub type Fut<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The terminal process behind the pages. One operator card, one session (S1: 端末機の認証).
pub trait Backend: Send + Sync + 'static {
    /// Where this desk stands. Asked for on every page, so the links in it are current.
    fn place(&self) -> PlaceInfo;
    /// Is an operator card in the reader at this moment?
    fn card_present(&self) -> bool;
    /// Mutual authentication of card and terminal, then the PIN.
    fn login(&self, pin: String) -> Fut<Result<OperatorSession, Refused>>;
    /// Ends the card's session. Called as well when the card has gone or nobody was active.
    fn logout(&self);
    /// One immediate inquiry (即時提供), signed by the card.
    fn inquire(&self, form: InquiryForm) -> Fut<Result<InquiryResult, Refused>>;
    /// The records about one resident who stands at the desk (提供状況の開示).
    fn timeline(&self, code: String, identified_by: String) -> Fut<Result<Timeline, Refused>>;
    /// The network as the center sees it.
    fn network(&self) -> Fut<Result<NetworkView, Refused>>;
}

/// Which page set a terminal serves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PlaceKind {
    /// 照会窓口: inquiry and result.
    Clerk,
    /// 開示窓口: the resident's timeline.
    Disclosure,
    /// 監視室: the network map.
    NetworkRoom,
}

/// Where a desk stands.
#[derive(Clone, Debug)]
pub struct PlaceInfo {
    /// The terminal's node id.
    pub node: String,
    /// 団体名, as it stands in the header.
    pub organ_name: String,
    /// Which pages exist.
    pub kind: PlaceKind,
    /// The language before anyone has chosen one.
    pub lang: Lang,
    /// 県 and 全国 links, at most a few.
    pub links: Vec<LinkState>,
}

/// One link of the terminal's network.
#[derive(Clone, Debug)]
pub struct LinkState {
    /// "県", "全国"; and the same in English.
    pub label: (String, String),
    /// Did the last exchange over it work?
    pub up: bool,
    /// When that was.
    pub at: Timestamp,
}

/// An operator who has signed in.
#[derive(Clone, Debug)]
pub struct OperatorSession {
    /// The card's number, as text.
    pub card: String,
    /// Its class.
    pub class: CardClass,
    /// The affairs this card may be used for.
    pub affairs: Vec<AffairChoice>,
}

/// One line of the affair list.
#[derive(Clone, Debug)]
pub struct AffairChoice {
    /// Table, item and number: "1-74-3".
    pub id: String,
    /// Who receives.
    pub recipient: String,
    /// The text of the affair.
    pub text: String,
}

/// A refusal as the other side publishes it; it never carries anything about a person (U6).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refused {
    /// Stable id, the same in page, command and gateway.
    pub rule: String,
    /// Article or seed source.
    pub law: String,
    /// What would be allowed, in Japanese.
    pub hint: String,
    /// The same in English.
    pub hint_en: String,
    /// Tries left, when a PIN was wrong.
    pub left: Option<u8>,
}

/// A filled-in inquiry. Its `Debug` is as silent as that of the draft.
#[derive(Debug)]
pub struct InquiryForm {
    /// The affair's id.
    pub affair: String,
    /// 受付番号
    pub case_number: String,
    /// What is asked.
    pub draft: QueryDraft,
}

/// An answer that arrived.
#[derive(Debug)]
pub struct InquiryResult {
    /// Origin of the ledger that holds the record.
    pub receipt_ledger: String,
    /// Its index there.
    pub receipt_index: u64,
    /// Whom the answer names.
    pub persons: Vec<ProvidedPerson>,
}

/// What happened, as far as the timeline tells kinds apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LookKind {
    /// 提供
    Provision,
    /// A request that was refused.
    Refusal,
    /// 通知 between authorities.
    Notice,
    /// 開示 to the resident.
    View,
    /// Anything newer than this page.
    Other,
}

/// One entry about the resident.
#[derive(Clone, Debug)]
pub struct TimelineRow {
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: LookKind,
    /// One plain sentence in easy Japanese.
    pub sentence_ja: String,
    /// The same in English.
    pub sentence_en: String,
    /// Who.
    pub asker: String,
    /// Why.
    pub affair_text: String,
    /// Under which article or table item.
    pub law: String,
    /// 受付番号, empty if the entry has none.
    pub case: String,
    /// Origin of the ledger.
    pub ledger: String,
    /// Index in it.
    pub index: u64,
    /// The outcome of checking the proof, computed by the caller from `ledger::view`.
    pub verified: Result<(), String>,
}

/// The resident's records over a period.
#[derive(Clone, Debug)]
pub struct Timeline {
    /// First moment covered.
    pub period_from: Timestamp,
    /// Last moment covered.
    pub period_to: Timestamp,
    /// Entries, in any order.
    pub rows: Vec<TimelineRow>,
    /// The ledgers they were checked against.
    pub ledgers: Vec<LedgerSeen>,
}

/// A ledger at the checkpoint used for the check.
#[derive(Clone, Debug)]
pub struct LedgerSeen {
    /// Its origin line.
    pub origin: String,
    /// Number of entries at the checkpoint.
    pub size: u64,
    /// Root hash, as text.
    pub root: String,
}

/// How a node is doing.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum NodeState {
    /// Heard from in time.
    Working,
    /// Heard from, but late.
    Late,
    /// Not heard from.
    Silent,
    /// Taken out of the directory.
    Isolated,
}

/// One node of the map.
#[derive(Clone, Debug)]
pub struct NodeView {
    /// Node id: "prefecture-13".
    pub id: String,
    /// Role key: "center", "exchange", "prefecture", "municipality", "agency", …
    pub role: String,
    /// Name as people say it.
    pub name: String,
    /// The exchange it hangs on.
    pub exchange: Option<String>,
    /// Last heartbeat in ms since 1970, if any.
    pub last_seen_ms: Option<u64>,
    /// Messages waiting there.
    pub queued: u64,
    /// Residents held.
    pub residents: u64,
    /// Ledger entries written.
    pub entries: u64,
    /// How it is doing.
    pub state: NodeState,
}

/// The network at one moment.
#[derive(Clone, Debug)]
pub struct NetworkView {
    /// Its nodes.
    pub nodes: Vec<NodeView>,
    /// When the center said so.
    pub at: Timestamp,
}

impl From<law::denial::PublicRefusal> for Refused {
    fn from(public: law::denial::PublicRefusal) -> Self {
        Self {
            rule: public.rule.to_owned(),
            law: public.law.to_owned(),
            hint: public.hint.to_owned(),
            hint_en: public.hint_en.to_owned(),
            left: None,
        }
    }
}
