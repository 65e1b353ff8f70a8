//! An entry in one sentence, for the person it is about and for whoever audits.
//!
//! Not here: names of organs and texts of affairs, which `law` knows; they come through [`Words`].

use law::time::Timestamp;

use crate::entry::{Entry, EntryKind};

/// The language of a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lang {
    /// Japanese.
    Ja,
    /// English.
    En,
}

/// What the ledger does not know by itself. None leaves the identifier as it stands.
#[derive(Clone, Copy)]
pub struct Words<'a> {
    /// The name of an organ, from its text form.
    pub organ: &'a dyn Fn(&str) -> Option<String>,
    /// The words of an affair, from its number.
    pub affair: &'a dyn Fn(&str) -> Option<String>,
}

impl std::fmt::Debug for Words<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Words")
    }
}

/// Japan is nine hours ahead of the times in the ledger and has no summer time.
const JAPAN_MINUTES: u64 = 9 * 60;

/// Date and minute in Japan: `2026-11-22 10:03`.
pub fn when(at: Timestamp) -> String {
    let minute = (at.0 / 60_000 + JAPAN_MINUTES) % (24 * 60);
    format!("{} {:02}:{:02}", at.date_in_japan(), minute / 60, minute % 60)
}

/// The entry in one sentence, without a full stop.
pub fn sentence(entry: &Entry, lang: Lang, words: Words<'_>) -> String {
    let said = match lang {
        Lang::Ja => japanese(entry, words),
        Lang::En => english(entry, words),
    };
    format!("{} {said}", when(entry.at()))
}

fn organ(entry: &Entry, words: Words<'_>, unknown: &str) -> String {
    let named = |organ: &str| (words.organ)(organ).unwrap_or_else(|| organ.to_owned());
    entry.asker().map_or_else(|| unknown.to_owned(), named)
}

fn japanese(entry: &Entry, words: Words<'_>) -> String {
    let who = organ(entry, words, "照会者不明");
    let node = entry.node();
    let count = entry.count().map_or_else(String::new, |count| format!("{count}件"));
    let purpose = match (entry.affair(), entry.affair().and_then(|id| (words.affair)(id))) {
        (Some(id), Some(text)) => format!("、事務{id}（{text}）のため"),
        (Some(id), None) => format!("、事務{id}のため"),
        (None, _) => String::new(),
    };
    match entry.kind() {
        EntryKind::Provision => {
            let items = items(entry, "・", item_ja)
                .map_or_else(String::new, |items| format!("（{items}）"));
            format!("{who}が{purpose}、あなたの本人確認情報{items}の提供を受けました")
        }
        EntryKind::NoProvision => {
            format!("{who}が{purpose}、照会しましたが、該当者はなく、提供はありませんでした")
        }
        EntryKind::Refusal => {
            let rule = entry.rule().unwrap_or_default();
            format!("{who}からの照会を拒否しました（理由: {rule}）")
        }
        EntryKind::NoticesReceived => format!("{node}が本人確認情報の通知を{count}受けました"),
        EntryKind::FeedReceived => {
            format!("{node}が既存住基システムから異動を{count}受け取りました")
        }
        EntryKind::Loaded => format!("{node}に住民の記録が{count}、ファイルから登録されました"),
        EntryKind::Erased => format!("{node}が保存期間の終わった記録を{count}消去しました"),
        EntryKind::DirectoryIssued => format!("{node}が接続先の名簿を発行しました"),
        EntryKind::DisclosuresReceived => format!("{node}が提供の記録を{count}受け取りました"),
        EntryKind::ViewOpened if entry.subject().is_some() => {
            format!("{who}で、あなたの情報の提供状況が開示されました")
        }
        EntryKind::ViewOpened => format!("{who}で、情報の提供状況が開示されました"),
        EntryKind::StatusShown => format!("{who}に、ネットワークの状況を表示しました"),
        EntryKind::Forwarded => format!("{node}が{count}送り届けました"),
        EntryKind::ResidentReleased => {
            format!("{node}が、あなたの転出を確定し、{who}の転入を認めました")
        }
        EntryKind::ReleaseRefused => {
            let rule = entry.rule().unwrap_or_default();
            format!("{node}が、{who}からの転入通知に応じませんでした（理由: {rule}）")
        }
        EntryKind::ResidentArrived => format!("{node}が、あなたの転入を記録しました"),
        EntryKind::NoticesSetAside => {
            let rule = entry.rule().unwrap_or_default();
            format!("{node}が通知{count}を保留しました（理由: {rule}）")
        }
        EntryKind::CodesDesignated => format!("{node}が{who}に住民票コードを{count}指定しました"),
        EntryKind::CodesReceived => {
            format!("{node}が指定された住民票コードを{count}受け取りました")
        }
        EntryKind::CodeTaken => {
            format!("{node}で住民票コードが{count}、既存住基システムに渡されました")
        }
        EntryKind::Diverged => {
            format!("{node}が、あなたの記録が他の記録と一致しないことを見つけました")
        }
        EntryKind::Repaired => format!("{node}で、あなたの記録の不一致が修復されました"),
        EntryKind::Started => format!("{node}が動き始めました"),
        EntryKind::Stopped => format!("{node}が止まりました"),
    }
}

fn english(entry: &Entry, words: Words<'_>) -> String {
    let who = organ(entry, words, "an unknown asker");
    let node = entry.node();
    let count = entry.count().unwrap_or_default();
    let purpose = match (entry.affair(), entry.affair().and_then(|id| (words.affair)(id))) {
        (Some(id), Some(text)) => format!(" for affair {id} ({text})"),
        (Some(id), None) => format!(" for affair {id}"),
        (None, _) => String::new(),
    };
    match entry.kind() {
        EntryKind::Provision => {
            let items =
                items(entry, ", ", item_en).map_or_else(String::new, |items| format!(" ({items})"));
            format!(
                "{who} was provided with your identity confirmation information{items}{purpose}"
            )
        }
        EntryKind::NoProvision => {
            format!("{who} inquired{purpose}; no one was found and nothing was provided")
        }
        EntryKind::Refusal => {
            let rule = entry.rule().unwrap_or_default();
            format!("an inquiry by {who} was refused (reason: {rule})")
        }
        EntryKind::NoticesReceived => {
            format!("{node} received notices of identity confirmation information: {count}")
        }
        EntryKind::FeedReceived => {
            format!("{node} received changes from the existing resident register system: {count}")
        }
        EntryKind::Loaded => format!("{node} was loaded with residents from a file: {count}"),
        EntryKind::Erased => format!("{node} erased records whose term had ended: {count}"),
        EntryKind::DirectoryIssued => format!("{node} issued a directory of members"),
        EntryKind::DisclosuresReceived => format!("{node} received provision entries: {count}"),
        EntryKind::ViewOpened if entry.subject().is_some() => {
            format!("the provisions of your information were disclosed at {who}")
        }
        EntryKind::ViewOpened => format!("provisions of information were disclosed at {who}"),
        EntryKind::StatusShown => format!("the state of the network was shown to {who}"),
        EntryKind::Forwarded => format!("{node} sent on: {count}"),
        EntryKind::ResidentReleased => {
            format!("{node} confirmed that you moved out and let {who} enter you")
        }
        EntryKind::ReleaseRefused => {
            let rule = entry.rule().unwrap_or_default();
            format!("{node} did not let a resident go to {who} (reason: {rule})")
        }
        EntryKind::ResidentArrived => format!("{node} recorded that you moved in"),
        EntryKind::NoticesSetAside => {
            let rule = entry.rule().unwrap_or_default();
            format!("{node} set notices aside: {count} (reason: {rule})")
        }
        EntryKind::CodesDesignated => {
            format!("{node} designated resident record codes for {who}: {count}")
        }
        EntryKind::CodesReceived => format!("{node} received resident record codes: {count}"),
        EntryKind::CodeTaken => {
            format!("the register system took resident record codes from {node}: {count}")
        }
        EntryKind::Diverged => {
            format!("{node} found that your record differs from the one another tier holds")
        }
        EntryKind::Repaired => format!("your record at {node} was repaired"),
        EntryKind::Started => format!("{node} started"),
        EntryKind::Stopped => format!("{node} stopped"),
    }
}

fn items(entry: &Entry, joint: &str, word: fn(&str) -> &str) -> Option<String> {
    let words: Vec<&str> = entry.items()?.split(',').map(|item| word(item.trim())).collect();
    Some(words.join(joint))
}

fn item_ja(key: &str) -> &str {
    match key {
        "code" | "record-code" => "住民票コード",
        "name" => "氏名",
        "kana" => "ふりがな",
        "address" => "住所",
        "sex" => "性別",
        "birth" => "生年月日",
        "change" => "変更情報",
        other => other,
    }
}

fn item_en(key: &str) -> &str {
    match key {
        "code" | "record-code" => "resident record code",
        "birth" => "date of birth",
        "change" => "change information",
        other => other,
    }
}
