//! Who may say what to whom: one table. The machines, the exchange, its firewall, the simulator and
//! the documents read it; nobody repeats it. What is not in it is refused.
//!
//! It says who may *speak*. Whether a particular inquiry is answered is `law`'s decision.

use crate::id::Role;
use crate::message::MessageKind;

/// How the two are connected. There is no third way, and no row for HTTP, SMTP, FTP or Telnet: on
/// the network only this application's own protocol is spoken (S1: 通信プロトコルの制限).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Via {
    /// Over the network, joined by an exchange (専用交換装置).
    Exchange,
    /// Inside one office.
    Lan,
}

impl Via {
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Exchange => "exchange",
            Self::Lan => "lan",
        }
    }
}

/// One permission to speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conversation {
    pub from: Role,
    pub to: Role,
    pub message: MessageKind,
    pub via: Via,
    /// Article of the Basic Resident Registration Act (as of 2013), or the seed's words.
    pub basis: &'static str,
}

const fn row(
    from: Role,
    to: Role,
    message: MessageKind,
    via: Via,
    basis: &'static str,
) -> Conversation {
    Conversation { from, to, message, via, basis }
}

const NOTICE_UP: &str = "法30条の5第1項・第2項: 市町村長から都道府県知事への本人確認情報の通知";
const NOTICE_ON: &str = "法30条の11第1項・第2項: 委任都道府県知事から指定情報処理機関への通知";
const TABLE_1: &str = "法30条の7第3項・30条の10第1項3号、別表第一: 国の機関等への提供";
const TABLE_2: &str = "法30条の7第4項、別表第二: 区域内の市町村への提供";
const TABLE_3: &str = "法30条の7第5項・30条の10第1項5号、別表第三: 他の都道府県への提供";
const TABLE_4: &str = "法30条の7第6項・30条の10第1項6号、別表第四: 他の都道府県の市町村への提供";
const DISCLOSE: &str = "S1 本人確認情報提供状況の開示: 開示用データの都道府県への送信";
const VIEW: &str = "S1 本人確認情報提供状況の開示: 住民の請求による開示";
const DIRECTORY: &str = "S1 通信相手の相互認証: 意図した通信相手であることの確認";
const WATCH: &str = "S1 不正な通信の遮断と監視: 24時間常時監視";
const TERMINAL: &str = "S1 操作者識別カード認証: 端末機からサーバへのアクセス";
const MOVING: &str = "法9条1項: 転入地市町村長から転出地市町村長への転入の通知";
const POOL: &str = "法30条の7第1項・第2項、規則14条: 住民票コードの指定";
const TAKE: &str = "法30条の2第2項: 指定された住民票コードのうちからの記載";
const COMPARE_UP: &str = "法30条の5第1項: 都道府県知事が保存する本人確認情報との継続的照合";
const COMPARE_ON: &str = "法30条の11第1項: 指定情報処理機関が保存する本人確認情報との継続的照合";
const FEED: &str = "S1 コミュニケーションサーバ: 既存住基システムとの接続";

/// The table. Sorted by who speaks, then to whom.
pub const CONVERSATIONS: &[Conversation] = &[
    row(Role::Feed, Role::Municipality, MessageKind::Feed, Via::Lan, FEED),
    row(Role::Feed, Role::Municipality, MessageKind::TakeCode, Via::Lan, TAKE),
    row(Role::Terminal, Role::Municipality, MessageKind::Inquiry, Via::Lan, TERMINAL),
    row(Role::Terminal, Role::Prefecture, MessageKind::Inquiry, Via::Lan, TERMINAL),
    row(Role::Terminal, Role::Prefecture, MessageKind::ViewQuery, Via::Lan, VIEW),
    row(Role::Terminal, Role::Agency, MessageKind::Inquiry, Via::Lan, TERMINAL),
    row(Role::Terminal, Role::Center, MessageKind::StatusQuery, Via::Lan, WATCH),
    row(Role::Municipality, Role::Prefecture, MessageKind::Notices, Via::Exchange, NOTICE_UP),
    row(Role::Municipality, Role::Prefecture, MessageKind::Inquiry, Via::Exchange, TABLE_2),
    row(Role::Municipality, Role::Prefecture, MessageKind::Compare, Via::Exchange, COMPARE_UP),
    row(Role::Municipality, Role::Prefecture, MessageKind::Suspicion, Via::Exchange, COMPARE_UP),
    row(Role::Municipality, Role::Prefecture, MessageKind::Repair, Via::Exchange, COMPARE_UP),
    row(Role::Municipality, Role::Center, MessageKind::Inquiry, Via::Exchange, TABLE_4),
    row(Role::Municipality, Role::Center, MessageKind::PoolRequest, Via::Exchange, POOL),
    row(Role::Municipality, Role::Center, MessageKind::DirectoryFetch, Via::Exchange, DIRECTORY),
    row(Role::Municipality, Role::Center, MessageKind::Heartbeat, Via::Exchange, WATCH),
    row(Role::Municipality, Role::Municipality, MessageKind::MoveClaim, Via::Exchange, MOVING),
    row(Role::Prefecture, Role::Center, MessageKind::Notices, Via::Exchange, NOTICE_ON),
    row(Role::Prefecture, Role::Center, MessageKind::Compare, Via::Exchange, COMPARE_ON),
    row(Role::Prefecture, Role::Center, MessageKind::Suspicion, Via::Exchange, COMPARE_ON),
    row(Role::Prefecture, Role::Center, MessageKind::Repair, Via::Exchange, COMPARE_ON),
    row(Role::Prefecture, Role::Center, MessageKind::Inquiry, Via::Exchange, TABLE_3),
    row(Role::Prefecture, Role::Center, MessageKind::DirectoryFetch, Via::Exchange, DIRECTORY),
    row(Role::Prefecture, Role::Center, MessageKind::Heartbeat, Via::Exchange, WATCH),
    row(Role::Agency, Role::Center, MessageKind::Inquiry, Via::Exchange, TABLE_1),
    row(Role::Agency, Role::Center, MessageKind::DirectoryFetch, Via::Exchange, DIRECTORY),
    row(Role::Agency, Role::Center, MessageKind::Heartbeat, Via::Exchange, WATCH),
    row(Role::Exchange, Role::Center, MessageKind::DirectoryFetch, Via::Exchange, DIRECTORY),
    row(Role::Exchange, Role::Center, MessageKind::Heartbeat, Via::Exchange, WATCH),
    row(Role::Center, Role::Prefecture, MessageKind::Disclosures, Via::Exchange, DISCLOSE),
    row(Role::Center, Role::Prefecture, MessageKind::DirectoryPush, Via::Exchange, DIRECTORY),
    row(Role::Center, Role::Municipality, MessageKind::DirectoryPush, Via::Exchange, DIRECTORY),
    row(Role::Center, Role::Agency, MessageKind::DirectoryPush, Via::Exchange, DIRECTORY),
    row(Role::Center, Role::Exchange, MessageKind::DirectoryPush, Via::Exchange, DIRECTORY),
];

/// Whether a node of role `from` may say this to a node of role `to`, and how it must reach it.
#[must_use]
pub fn may_say(from: Role, to: Role, message: MessageKind) -> Option<Via> {
    CONVERSATIONS
        .iter()
        .find(|row| row.from == from && row.to == to && row.message == message)
        .map(|row| row.via)
}

/// Whether an exchange may join a line from a node of role `from` to one of role `to`: if there is
/// anything at all that the first may say to the second over the network.
#[must_use]
pub fn may_connect(from: Role, to: Role) -> bool {
    CONVERSATIONS.iter().any(|row| row.from == from && row.to == to && row.via == Via::Exchange)
}

/// The table as people read it; the golden file and the documents are this text.
#[must_use]
pub fn table() -> String {
    let mut text = String::from(
        "# Who may say what to whom, and under which provision. What is not here is refused.\n\
         # 法 = 住民基本台帳法 (November 2013). S1 = 住民基本台帳ネットワークシステム\
         個人情報保護の取組み.\n\n",
    );
    let line = |from: &str, to: &str, message: &str, via: &str, basis: &str| {
        format!("{from:<13} {to:<13} {message:<16} {via:<9} {basis}\n")
    };
    text.push_str(&line("from", "to", "message", "via", "basis"));
    for row in CONVERSATIONS {
        let (from, to, message) = (row.from.key(), row.to.key(), row.message.key());
        text.push_str(&line(from, to, message, row.via.key(), row.basis));
    }
    text
}
