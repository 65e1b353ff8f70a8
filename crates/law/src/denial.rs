//! Why an inquiry is refused: one enum in order of precedence, and the smaller mapping that
//! travels. Not the checks themselves (`inquiry`, `query`).

use thiserror::Error;

/// A refusal. The order of the variants is the order of precedence: who asks, then whether the
/// request is this one and fresh, then by what right, then what is asked. An asker who breaks
/// several rules learns only the first, so nobody explores the data rules with a card that may not
/// ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Error)]
pub enum Denial {
    #[error("operator card is not in the directory; ask with a registered card")]
    OperatorUnknown,
    #[error("operator card is revoked; ask with another card")]
    CardRevoked,
    #[error("operator card is outside its term; renew the card")]
    CardExpired,
    #[error("operator card belongs to another organ; ask from its own terminal")]
    CardOfAnotherOrgan,
    #[error("signature does not cover this request; sign it again on the terminal")]
    SignatureInvalid,
    #[error("request is not of this minute; send it again")]
    RequestStale,
    #[error("request was seen before; make a new one")]
    RequestReplayed,
    #[error("class of card does not include inquiries; use a register or inquiry card")]
    CardClass,
    #[error("affair is in no appended table; choose one of the tables")]
    AffairUnknown,
    #[error("affair is not given to this organ here; choose an affair of its own table")]
    AffairNotOfRecipient,
    #[error("affair is not in force on this day; choose one that is")]
    AffairNotInForce,
    #[error("agreement with the center is missing or has ended; conclude it first")]
    AgreementMissing,
    #[error("affair is not on the operator card; ask with a card of that affair")]
    AffairNotOnCard,
    #[error("case number is missing or malformed; state the case, 1 to 40 characters")]
    CaseNumberMissing,
    #[error("query is none of the lawful combinations; give code, name+address or name+birth")]
    QueryShape,
    #[error("prefix is shorter than the lawful minimum; add what is missing")]
    PrefixTooShort,
    #[error("more persons match than may be provided; ask more exactly")]
    MoreThan50,
    /// Not a decision of law: an edge could not reach, record or read what it must.
    #[error("no answer can be given now; ask again later")]
    Unavailable,
}

/// What a refused asker is told: the rule, its source, what would be allowed. Never a number of
/// persons, never whether somebody exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicRefusal {
    pub rule: &'static str,
    pub law: &'static str,
    /// Japanese.
    pub hint: &'static str,
    pub hint_en: &'static str,
}

const S1_CARD: &str = "S1: 操作者識別カード認証によるアクセス制御";
const S1_QUERY: &str = "S1: 照会条件の限定";
const S1_MUTUAL: &str = "S1: 通信相手の相互認証・暗号通信";

impl Denial {
    pub const ALL: [Self; 18] = [
        Self::OperatorUnknown,
        Self::CardRevoked,
        Self::CardExpired,
        Self::CardOfAnotherOrgan,
        Self::SignatureInvalid,
        Self::RequestStale,
        Self::RequestReplayed,
        Self::CardClass,
        Self::AffairUnknown,
        Self::AffairNotOfRecipient,
        Self::AffairNotInForce,
        Self::AgreementMissing,
        Self::AffairNotOnCard,
        Self::CaseNumberMissing,
        Self::QueryShape,
        Self::PrefixTooShort,
        Self::MoreThan50,
        Self::Unavailable,
    ];

    /// Precedence, 0 first.
    #[must_use]
    pub const fn rank(self) -> u8 {
        self as u8
    }

    /// The rule's identifier, kebab-case.
    #[must_use]
    pub const fn rule(self) -> &'static str {
        self.public().rule
    }

    #[must_use]
    pub fn parse_rule(rule: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|denial| denial.rule() == rule)
    }

    /// The part that may leave the machine.
    #[must_use]
    pub const fn public(self) -> PublicRefusal {
        match self {
            Self::OperatorUnknown
            | Self::CardRevoked
            | Self::CardExpired
            | Self::CardOfAnotherOrgan
            | Self::SignatureInvalid
            | Self::CardClass => self.public_of_card(),
            Self::AffairUnknown
            | Self::AffairNotOfRecipient
            | Self::AffairNotInForce
            | Self::AgreementMissing
            | Self::AffairNotOnCard => self.public_of_affair(),
            _ => self.public_of_request(),
        }
    }

    const fn public_of_card(self) -> PublicRefusal {
        match self {
            Self::OperatorUnknown => refusal(
                "operator-unknown",
                S1_CARD,
                "登録されている操作者識別カードで照会してください。",
                "Ask with an operator card that is registered in the directory.",
            ),
            Self::CardRevoked => refusal(
                "card-revoked",
                S1_CARD,
                "このカードは失効しています。有効なカードで照会してください。",
                "This card is revoked. Ask with a card that is valid.",
            ),
            Self::CardExpired => refusal(
                "card-expired",
                S1_CARD,
                "カードの有効期間外です。期間内のカードで照会してください。",
                "The card is outside its term. Ask with a card within its term.",
            ),
            Self::CardOfAnotherOrgan => refusal(
                "card-of-another-organ",
                S1_CARD,
                "カードを交付した機関の端末から照会してください。",
                "Ask from a terminal of the organ that issued the card.",
            ),
            Self::SignatureInvalid => refusal(
                "signature-invalid",
                S1_MUTUAL,
                "端末でカードの署名をやり直してください。",
                "Sign this request again with the card at the terminal.",
            ),
            _ => refusal(
                "card-class",
                "S1: 操作者識別カードの種別",
                "照会は業務用又は照会用のカードで行ってください。",
                "Inquiries are made with a register-business or an inquiry-only card.",
            ),
        }
    }

    const fn public_of_affair(self) -> PublicRefusal {
        match self {
            Self::AffairUnknown => refusal(
                "affair-unknown",
                "法30条の7、別表第一から別表第五",
                "別表に掲げる事務の番号（例 1-74-3）を指定してください。",
                "Name an affair of the appended tables, for example 1-74-3.",
            ),
            Self::AffairNotOfRecipient => refusal(
                "affair-not-of-recipient",
                "法30条の7第3項から第6項まで、30条の8第1項、30条の30",
                "照会先に対し、自らの機関が別表の上欄に掲げられている事務を指定してください。",
                "Name an affair whose table gives it to your organ at this responder.",
            ),
            Self::AffairNotInForce => refusal(
                "affair-not-in-force",
                "法30条の7、平成14年総務省令13号",
                "照会日に施行されている事務を指定してください。",
                "Name an affair that is in force on the day of the inquiry.",
            ),
            Self::AgreementMissing => refusal(
                "agreement-missing",
                "S1: 責任体制の確立（協定書）",
                "協定書の期間内に照会してください。",
                "Ask while an agreement with the center is in force.",
            ),
            _ => refusal(
                "affair-not-on-card",
                S1_CARD,
                "カードに登録された事務、又はその事務のカードで照会してください。",
                "Ask for an affair on this card, or with a card of that affair.",
            ),
        }
    }

    const fn public_of_request(self) -> PublicRefusal {
        match self {
            Self::RequestStale => refusal(
                "request-stale",
                S1_MUTUAL,
                "もう一度照会を送信してください。時計のずれは60秒以内とします。",
                "Send the inquiry again; clocks may differ by at most 60 seconds.",
            ),
            Self::RequestReplayed => refusal(
                "request-replayed",
                S1_MUTUAL,
                "同じ照会は一度だけ受け付けます。新しい照会を作成してください。",
                "A request is accepted once. Make a new one.",
            ),
            Self::CaseNumberMissing => refusal(
                "case-number-missing",
                "S1: 本人確認情報提供状況の開示（利用目的等）",
                "事案番号を1文字以上40文字以内で入力してください。",
                "Give the case number: 1 to 40 printable characters.",
            ),
            Self::QueryShape => refusal(
                "query-shape",
                S1_QUERY,
                "「住民票コード」、「氏名＋住所」、「氏名＋生年月日」のいずれか一つを入力してください。",
                "Give exactly one of: record code; name and address; name and date of birth.",
            ),
            Self::PrefixTooShort => refusal(
                "prefix-too-short",
                S1_QUERY,
                "前方一致は「氏名1字＋住所全部」、「氏名全部＋都道府県・市町村名を除いた住所1字」、\
                 「氏名1字＋生年月日全部」以上を入力してください。",
                "A prefix needs at least: one character of the name and the whole address; the \
                 whole name and one character of the address after the municipality; or one \
                 character of the name and the whole date of birth.",
            ),
            Self::MoreThan50 => refusal(
                "more-than-50",
                S1_QUERY,
                "該当者が50人を超えるため提供できません。条件を追加してください。",
                "More than 50 persons match, so none is provided. Ask more exactly.",
            ),
            _ => refusal(
                "unavailable",
                "法30条の29（安全確保）",
                "現在回答できません。しばらくしてから照会してください。",
                "No answer can be given now. Ask again later.",
            ),
        }
    }
}

const fn refusal(
    rule: &'static str,
    law: &'static str,
    hint: &'static str,
    hint_en: &'static str,
) -> PublicRefusal {
    PublicRefusal { rule, law, hint, hint_en }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_a_name_a_source_and_a_way_on() {
        for (rank, denial) in (0_u8..).zip(Denial::ALL) {
            assert_eq!(denial.rank(), rank);
            let public = denial.public();
            assert_eq!(Denial::parse_rule(public.rule), Some(denial));
            assert!(public.law.contains('法') || public.law.starts_with("S1: "), "{}", public.rule);
            assert!(public.hint.ends_with('。') && public.hint_en.ends_with('.'));
            assert!(public.rule.bytes().all(|b| b.is_ascii_lowercase() || b"-50".contains(&b)));
        }
    }
}
