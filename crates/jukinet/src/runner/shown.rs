//! What a terminal makes of a reply for its pages: names of organs, sentences, and the outcome of
//! verifying every proof with the keys this terminal trusts. No page claims what was not computed.

use desk::{LedgerSeen, LookKind, NetworkView, NodeState, NodeView, Timeline, TimelineRow};
use law::affair::{self, AffairId, Epoch};
use law::organ::Organ;
use law::time::Timestamp;
use ledger::entry::{Entry, EntryKind};
use ledger::note::VerifierKey;
use ledger::sentence::{Lang, Words, sentence, when};
use ledger::view::{ViewedRow, open_row};
use wire::directory::MemberState;
use wire::{NetworkStatus, NodeStatus, ResidentView, Role, ViewRow};

/// Heard from within three heartbeats: working.
const LATE_AFTER_MS: u64 = 15_000;
/// Not heard from for a minute: silent.
const SILENT_AFTER_MS: u64 = 60_000;

/// An organ as people say it.
#[must_use]
pub fn organ_name(organ: &Organ) -> String {
    match organ {
        Organ::Center => "指定情報処理機関".to_owned(),
        Organ::Agency(code) => affair::agencies(Epoch::Founding)
            .into_iter()
            .find(|agency| agency.code == *code)
            .map_or_else(|| organ.to_string(), |agency| agency.name.to_owned()),
        Organ::Municipality(code) => law::municipality::find(code)
            .map_or_else(|| organ.to_string(), |found| found.name.to_owned()),
        Organ::Prefecture(code) => law::municipality::prefecture_name(*code)
            .map_or_else(|| organ.to_string(), str::to_owned),
    }
}

/// A resident's records for the page, each row verified here and now.
#[must_use]
pub fn timeline(view: &ResidentView, trusted: &[String], epoch: Epoch) -> Timeline {
    let keys: Vec<VerifierKey> =
        trusted.iter().filter_map(|text| VerifierKey::parse(text).ok()).collect();
    let mut ledgers: Vec<LedgerSeen> = Vec::new();
    let mut rows = Vec::new();
    for row in &view.rows {
        let Ok(entry) = Entry::parse(&row.entry) else { continue };
        let (index, verified) = match verify(row, &keys) {
            Ok((index, seen)) => {
                ledgers.retain(|held| held.origin != seen.origin || held.size > seen.size);
                if !ledgers.iter().any(|held| held.origin == seen.origin) {
                    ledgers.push(seen);
                }
                (index, Ok(()))
            }
            Err(why) => (0, Err(why)),
        };
        rows.push(timeline_row(&entry, row, (index, verified), epoch));
    }
    let day = |date: law::time::Date| {
        Timestamp::parse_rfc3339(&format!("{date}T00:00:00+09:00")).unwrap_or(Timestamp(0))
    };
    let last = rows.iter().map(|row| row.at).max();
    let period_to = last.unwrap_or(Timestamp(0)).max(day(view.period_to));
    Timeline { period_from: day(view.period_from), period_to, rows, ledgers }
}

fn verify(row: &ViewRow, keys: &[VerifierKey]) -> Result<(u64, LedgerSeen), String> {
    if row.proof.is_empty() {
        return Err("まだ台帳の署名前です / not yet under a signed checkpoint".to_owned());
    }
    let key = keys.iter().find(|key| key.name() == row.ledger);
    let key =
        key.ok_or_else(|| "この端末が信頼する台帳ではありません / unknown ledger".to_owned())?;
    let viewed = ViewedRow { entry: row.entry.clone(), salt: row.salt, proof: row.proof.clone() };
    let opened = open_row(&viewed, key, &[]).map_err(|error| error.to_string())?;
    let checkpoint = opened.checkpoint.checkpoint;
    let root = checkpoint.root.0.iter().map(|byte| format!("{byte:02x}")).collect();
    let seen = LedgerSeen { origin: key.name().to_owned(), size: checkpoint.size, root };
    Ok((opened.index, seen))
}

fn timeline_row(
    entry: &Entry,
    row: &ViewRow,
    (index, verified): (u64, Result<(), String>),
    epoch: Epoch,
) -> TimelineRow {
    let organ = |text: &str| Organ::parse(text).ok().map(|organ| organ_name(&organ));
    let affair_text = |text: &str| {
        let id = AffairId::parse(text).ok()?;
        affair::find(epoch, &id).map(|affair| affair.text.to_owned())
    };
    let words = Words { organ: &organ, affair: &affair_text };
    let kind = match entry.kind() {
        EntryKind::Provision | EntryKind::NoProvision => LookKind::Provision,
        EntryKind::Refusal => LookKind::Refusal,
        EntryKind::NoticesReceived | EntryKind::FeedReceived | EntryKind::Loaded => {
            LookKind::Notice
        }
        EntryKind::ViewOpened => LookKind::View,
        _ => LookKind::Other,
    };
    let affair = entry.affair().and_then(|id| AffairId::parse(id).ok());
    let affair = affair.and_then(|id| affair::find(epoch, &id));
    let law = affair.map_or_else(
        || "S1: 本人確認情報提供状況の開示".to_owned(),
        |affair| format!("{} {}", affair.article(), affair.id.no()),
    );
    TimelineRow {
        at: entry.at(),
        kind,
        sentence_ja: said(entry, Lang::Ja, words),
        sentence_en: said(entry, Lang::En, words),
        asker: entry.asker().and_then(organ).unwrap_or_default(),
        affair_text: entry.affair().and_then(affair_text).unwrap_or_default(),
        law,
        case: entry.case().unwrap_or_default().to_owned(),
        ledger: row.ledger.clone(),
        index,
        verified,
    }
}

/// The sentence without its time: the page has the time beside it.
fn said(entry: &Entry, lang: Lang, words: Words<'_>) -> String {
    let sentence = sentence(entry, lang, words);
    let time = when(entry.at());
    sentence.strip_prefix(&time).map_or(sentence.as_str(), str::trim_start).to_owned()
}

/// The network for the map.
#[must_use]
pub fn network(status: &NetworkStatus) -> NetworkView {
    let nodes = status.nodes.iter().map(|node| node_view(node, status.at)).collect();
    NetworkView { nodes, at: status.at }
}

fn node_view(node: &NodeStatus, at: Timestamp) -> NodeView {
    let age = node.last_seen_ms.map(|seen| at.0.saturating_sub(seen));
    let state = match (node.state, age) {
        (MemberState::Isolated, _) => NodeState::Isolated,
        (MemberState::Active, Some(age)) if age <= LATE_AFTER_MS => NodeState::Working,
        (MemberState::Active, Some(age)) if age <= SILENT_AFTER_MS => NodeState::Late,
        (MemberState::Active, _) => NodeState::Silent,
    };
    NodeView {
        id: node.id.to_string(),
        role: node.role.to_string(),
        name: node_name(node),
        exchange: node.exchange.as_ref().map(ToString::to_string),
        last_seen_ms: node.last_seen_ms,
        queued: node.queued,
        residents: node.residents,
        entries: node.entries,
        state,
    }
}

fn node_name(node: &NodeStatus) -> String {
    let id = node.id.as_str();
    let code = id.rsplit('-').next().unwrap_or_default();
    match node.role {
        Role::Center => "全国センター".to_owned(),
        Role::Municipality => law::code::LocalGovernmentCode::parse(code)
            .map_or_else(|_| id.to_owned(), |code| organ_name(&Organ::Municipality(code))),
        Role::Prefecture => prefecture_of(code).unwrap_or_else(|| id.to_owned()),
        Role::Exchange => prefecture_of(code)
            .map_or_else(|| "交換装置 全国".to_owned(), |p| format!("交換装置 {p}")),
        _ => id.to_owned(),
    }
}

fn prefecture_of(code: &str) -> Option<String> {
    let code = law::code::PrefectureCode::new(code.parse().ok()?).ok()?;
    Some(organ_name(&Organ::Prefecture(code)))
}
