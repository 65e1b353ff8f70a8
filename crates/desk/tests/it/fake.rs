//! A terminal process that is none: synthetic people, ledgers and nodes, so that the pages can be
//! looked at and tested without a network. Everyone in here is invented.
//!
//! It decides with the real `law` where it can (the shape of a query), and refuses as the center
//! would for more than 50 persons.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use desk::{
    AffairChoice, Backend, DeskSettings, Fut, InquiryForm, InquiryResult, Lang, LedgerSeen,
    LinkState, LookKind, NetworkView, NodeState, NodeView, OperatorSession, PlaceInfo, PlaceKind,
    Refused, Timeline, TimelineRow,
};
use law::change::ChangeReason;
use law::code::RecordCode;
use law::denial::Denial;
use law::inquiry::{LastChange, ProvidedPerson};
use law::organ::CardClass;
use law::people::{Address, BirthDate, Kana, Name, Sex};
use law::query::Query;
use law::time::{Date, Timestamp};

/// 2026-11-22 14:05:09 in Japan.
pub(crate) const START_MS: u64 = 1_795_323_909_000;
/// The only PIN that opens the card.
pub(crate) const PIN: &str = "2468";
/// Names that tests look for where they must not be.
pub(crate) const NAMES: [&str; 3] = ["試験　花子", "架空　一郎", "見本　さくら"];
/// A name that would be markup if a page forgot to escape.
pub(crate) const HOSTILE: &str = "<script>alert('試験')</script>";
/// The record code of the resident with a timeline, and of the one with none.
pub(crate) const CODES: [u64; 2] = [1_234_567_890, 2_345_678_901];

/// The record code with these first ten digits.
pub(crate) fn code(ten: u64) -> String {
    RecordCode::from_ten_digits(ten).expect("ten digits").expose().to_owned()
}

/// See the module.
pub(crate) struct Fake {
    kind: PlaceKind,
    card_in: AtomicBool,
    /// Has the card of the session stayed in?
    unbroken: AtomicBool,
    now: Arc<AtomicU64>,
    tries: AtomicU64,
    /// How often something was really asked.
    pub(crate) asked: AtomicU64,
    /// The last case number, to prove that a form arrived whole.
    pub(crate) last_case: Mutex<String>,
}

impl Fake {
    pub(crate) fn new(kind: PlaceKind) -> Arc<Self> {
        Arc::new(Self {
            kind,
            card_in: AtomicBool::new(true),
            unbroken: AtomicBool::new(true),
            now: Arc::new(AtomicU64::new(START_MS)),
            tries: AtomicU64::new(3),
            asked: AtomicU64::new(0),
            last_case: Mutex::new(String::new()),
        })
    }

    pub(crate) fn settings(&self, host: &str, token: &str) -> DeskSettings {
        let now = Arc::clone(&self.now);
        let count = AtomicU64::new(1);
        DeskSettings {
            host_allowed: vec![host.to_owned()],
            start_token: token.to_owned(),
            clock: Arc::new(move || Timestamp(now.load(Ordering::SeqCst))),
            // Counting dice: goldens stay the same, and no two values are equal.
            dice: Arc::new(move |bytes: &mut [u8]| {
                bytes.fill(0xda);
                let number = count.fetch_add(1, Ordering::SeqCst).to_be_bytes();
                bytes.iter_mut().zip(number).for_each(|(byte, digit)| *byte = digit);
            }),
        }
    }

    pub(crate) fn advance(&self, ms: u64) {
        self.now.fetch_add(ms, Ordering::SeqCst);
    }

    #[allow(dead_code, reason = "the gallery starts at the real time")]
    pub(crate) fn set_now(&self, ms: u64) {
        self.now.store(ms, Ordering::SeqCst);
    }

    pub(crate) fn card(&self, present: bool) {
        self.card_in.store(present, Ordering::SeqCst);
        if !present {
            self.unbroken.store(false, Ordering::SeqCst);
        }
    }

    fn at(&self, ms_ago: u64) -> Timestamp {
        Timestamp(self.now.load(Ordering::SeqCst).saturating_sub(ms_ago))
    }
}

fn refused(denial: Denial) -> Refused {
    Refused::from(denial.public())
}

fn ready<T: Send + 'static>(value: T) -> Fut<T> {
    Box::pin(std::future::ready(value))
}

impl Backend for Fake {
    fn place(&self) -> PlaceInfo {
        let (node, organ_name) = match self.kind {
            PlaceKind::Clerk => ("terminal-municipality-132152", "国立市"),
            PlaceKind::Disclosure => ("terminal-prefecture-13", "東京都"),
            PlaceKind::NetworkRoom => ("terminal-center", "全国センター"),
        };
        let link = |ja: &str, en: &str, up, ago| LinkState {
            label: (ja.to_owned(), en.to_owned()),
            up,
            at: self.at(ago),
        };
        PlaceInfo {
            node: node.to_owned(),
            organ_name: organ_name.to_owned(),
            kind: self.kind,
            lang: Lang::Ja,
            links: vec![
                link("県", "prefecture", true, 4_000),
                link("全国", "national", true, 11_000),
            ],
        }
    }

    fn card_present(&self) -> bool {
        self.card_in.load(Ordering::SeqCst) && self.unbroken.load(Ordering::SeqCst)
    }

    fn login(&self, pin: String) -> Fut<Result<OperatorSession, Refused>> {
        if pin != PIN {
            let left = self.tries.load(Ordering::SeqCst).saturating_sub(1);
            self.tries.store(left, Ordering::SeqCst);
            return ready(Err(Refused {
                rule: "pin-wrong".into(),
                law: "S1: 操作者識別カード認証によるアクセス制御".into(),
                hint: "暗証番号を確かめて、もう一度入力してください。".into(),
                hint_en: "Check the PIN and enter it again.".into(),
                left: u8::try_from(left).ok(),
            }));
        }
        self.tries.store(3, Ordering::SeqCst);
        let class = match self.kind {
            PlaceKind::Clerk => CardClass::RegisterBusiness,
            PlaceKind::Disclosure => CardClass::Disclosure,
            PlaceKind::NetworkRoom => CardClass::Observer,
        };
        let affair = |id: &str, text: &str| AffairChoice {
            id: id.into(),
            recipient: "市町村長".into(),
            text: text.into(),
        };
        ready(Ok(OperatorSession {
            card: "OP-132152-0007".into(),
            class,
            affairs: vec![
                affair("4-1-1", "住民基本台帳に関する事務であって総務省令で定めるもの"),
                affair("4-2-1", "児童手当法による児童手当の支給に関する事務"),
                affair("4-5-1", "公営住宅法による公営住宅の入居者の決定に関する事務"),
            ],
        }))
    }

    fn logout(&self) {
        self.unbroken.store(true, Ordering::SeqCst);
    }

    fn inquire(&self, form: InquiryForm) -> Fut<Result<InquiryResult, Refused>> {
        let number = self.asked.fetch_add(1, Ordering::SeqCst);
        if let Ok(mut last) = self.last_case.lock() {
            last.clone_from(&form.case_number);
        }
        if let Err(denial) = Query::parse(&form.draft) {
            return ready(Err(refused(denial)));
        }
        let name = form.draft.name.unwrap_or_default();
        let persons = match name.as_str() {
            "佐" => return ready(Err(refused(Denial::MoreThan50))),
            "不在 太郎" => Vec::new(),
            "敵対" => vec![person(HOSTILE, "てきたい", "東京都国立市<b>1-1</b>", CODES[0])],
            "見" => vec![
                person(
                    NAMES[2],
                    "みほん　さくら",
                    "東京都国立市富士見台二丁目四十七番地の一",
                    CODES[1],
                ),
                person(
                    "見本　太",
                    "みほん　ふとし",
                    "東京都国立市富士見台二丁目四十七番地の一",
                    3_456_789_012,
                ),
                person(
                    "見田　次郎",
                    "みた　じろう",
                    "東京都国立市富士見台二丁目四十七番地の一",
                    4_567_890_123,
                ),
            ],
            _ => vec![person(
                NAMES[0],
                "しけん　はなこ",
                "東京都国立市富士見台二丁目四十七番地の一",
                CODES[0],
            )],
        };
        ready(Ok(InquiryResult {
            receipt_ledger: "jukinet.example/center".into(),
            receipt_index: 48_211 + number,
            persons,
        }))
    }

    fn timeline(&self, asked: String, _identified_by: String) -> Fut<Result<Timeline, Refused>> {
        let rows = if asked == code(CODES[0]) { rows() } else { Vec::new() };
        let ledger = |origin: &str, size, root: &str| LedgerSeen {
            origin: origin.into(),
            size,
            root: root.into(),
        };
        ready(Ok(Timeline {
            period_from: Timestamp(START_MS - 3 * 365 * DAY_MS),
            period_to: Timestamp(START_MS),
            rows,
            ledgers: vec![
                ledger(
                    "jukinet.example/center",
                    48_230,
                    "mQ7u2Zt1F0sV3o8pTq9dJ4yXh6Kc5WbLr2NeAiGx0Uk=",
                ),
                ledger(
                    "jukinet.example/prefecture-13",
                    9_144,
                    "Tf0cYp5eWn8hZ3jRk1vDqL6uMs2xB9aOiG7tE4lNw5Q=",
                ),
            ],
        }))
    }

    fn network(&self) -> Fut<Result<NetworkView, Refused>> {
        ready(Ok(NetworkView { nodes: nodes(self.at(0).0), at: self.at(0) }))
    }
}

const DAY_MS: u64 = 86_400_000;

fn person(name: &str, kana: &str, address: &str, ten: u64) -> ProvidedPerson {
    ProvidedPerson::received(
        Some(RecordCode::parse(&code(ten)).expect("code")),
        Name::parse(name).expect("name"),
        Kana::parse(kana).expect("kana"),
        Address::parse(address).expect("address"),
        Sex::Female,
        BirthDate::parse("1985-04-01").expect("birth"),
        Some(LastChange {
            reason: ChangeReason::MovedIn,
            on: Date::new(2024, 4, 2).expect("date"),
            foreign: false,
        }),
    )
}

/// One entry of the synthetic timeline: how long ago, what, in both languages, who and why, where.
fn row(
    (days, minutes): (u64, u64),
    kind: LookKind,
    (ja, en): (&str, &str),
    (asker, affair, law): (&str, &str, &str),
    (ledger, index): (&str, u64),
) -> TimelineRow {
    TimelineRow {
        at: Timestamp(START_MS - days * DAY_MS - minutes * 60_000),
        kind,
        sentence_ja: ja.into(),
        sentence_en: en.into(),
        asker: asker.into(),
        affair_text: affair.into(),
        law: law.into(),
        case: format!("令8-{index}"),
        ledger: format!("jukinet.example/{ledger}"),
        index,
        verified: Ok(()),
    }
}

fn rows() -> Vec<TimelineRow> {
    let mut rows = vec![
        row(
            (0, 32),
            LookKind::View,
            (
                "あなたの求めで、東京都の窓口がこの記録を開きました。",
                "At your request the desk of Tokyo opened these records.",
            ),
            ("東京都（開示窓口）", "提供状況の開示", "法30条の37"),
            ("prefecture-13", 9_143),
        ),
        row(
            (12, 180),
            LookKind::Provision,
            (
                "国立市が、児童手当の手続きのために、あなたの氏名・住所・生年月日・性別を受け取りました。",
                "Kunitachi City received your name, address, birth date and sex for an allowance.",
            ),
            ("国立市", "児童手当法による児童手当の支給に関する事務", "法30条の7第6項・別表第四"),
            ("center", 48_102),
        ),
        row(
            (12, 174),
            LookKind::Refusal,
            (
                "国立市が、同じ手続きのためにもう一度調べようとしましたが、条件が足りないので断られました。",
                "Kunitachi City asked again for it and was refused for a missing condition.",
            ),
            ("国立市", "児童手当法による児童手当の支給に関する事務", "S1: 照会条件の限定"),
            ("center", 48_109),
        ),
        row(
            (96, 900),
            LookKind::Provision,
            (
                "日本年金機構が、年金の支払いのために、あなたの住所を受け取りました。",
                "The Japan Pension Service received your address in order to pay a pension.",
            ),
            (
                "日本年金機構",
                "厚生年金保険法による年金の支給に関する事務",
                "法30条の7第3項・別表第一",
            ),
            ("center", 31_870),
        ),
        row(
            (590, 40),
            LookKind::Notice,
            (
                "あなたの引っこしを、国立市が東京都と全国センターに知らせました。",
                "Kunitachi City told Tokyo and the national center that you had moved.",
            ),
            ("国立市", "転入の通知", "法30条の5"),
            ("prefecture-13", 2_210),
        ),
    ];
    if let Some(last) = rows.last_mut() {
        last.case = String::new();
    }
    rows
}

fn nodes(now: u64) -> Vec<NodeView> {
    let node = |id: &str,
                name: &str,
                exchange: Option<&str>,
                ago: u64,
                queued,
                residents,
                entries,
                state| NodeView {
        id: id.into(),
        role: id.split('-').next().unwrap_or("").into(),
        name: name.into(),
        exchange: exchange.map(str::to_owned),
        last_seen_ms: Some(now.saturating_sub(ago)),
        queued,
        residents,
        entries,
        state,
    };
    use NodeState::{Isolated, Late, Silent, Working};
    let (national, tokyo, nagano) =
        (Some("exchange-national"), Some("exchange-13"), Some("exchange-20"));
    vec![
        node("center", "全国センター", national, 0, 0, 12_000, 48_230, Working),
        node("exchange-national", "全国交換装置", None, 1_000, 0, 0, 311, Working),
        node("exchange-13", "東京都交換装置", None, 2_000, 0, 0, 402, Working),
        node("exchange-20", "長野県交換装置", None, 1_000, 0, 0, 377, Working),
        node("prefecture-13", "東京都", tokyo, 2_000, 0, 6_800, 9_144, Working),
        node("prefecture-20", "長野県", nagano, 9_000, 14, 5_200, 7_020, Late),
        node("municipality-132152", "国立市", tokyo, 1_000, 0, 3_100, 5_120, Working),
        node("municipality-132047", "三鷹市", tokyo, 3_000, 0, 3_700, 4_871, Working),
        node("municipality-202029", "松本市", nagano, 94_000, 27, 2_900, 3_990, Silent),
        node("municipality-202207", "安曇野市", nagano, 260_000, 3, 2_300, 2_850, Isolated),
        node("agency-1", "日本年金機構", national, 2_000, 0, 0, 640, Working),
        node("agency-2", "地方公務員共済組合", national, 4_000, 0, 0, 212, Working),
        node("terminal-agency-1", "年金窓口端末", national, 4_000, 0, 0, 0, Working),
    ]
}
