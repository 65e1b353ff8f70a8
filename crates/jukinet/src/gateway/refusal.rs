//! What the gateway says when it does not take a request: rule, source and hint, as everywhere, and
//! never a word of what was sent.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::{Map, Value};

/// Seconds after which a client may try again.
const RETRY_AFTER_SECONDS: u64 = 5;

/// Why a request as a whole is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Refusal {
    NoSuchPath,
    /// Another batch of this client is under way.
    Busy,
    NotJson,
    TooLarge,
    TooSlow,
    Malformed,
    BatchId,
    TooManyRows,
    NoRows,
    RequestId,
    /// The center has to designate codes first.
    PoolEmpty,
    /// A row holds more than a notice has.
    SurplusField,
    ServerUnavailable,
    ServerRefuses,
    OutcomeUnknown,
}

/// One row of the table below.
struct Words {
    status: StatusCode,
    rule: &'static str,
    law: &'static str,
    hint: &'static str,
    hint_en: &'static str,
}

impl Refusal {
    #[cfg(test)]
    const ALL: [Self; 15] = [
        Self::NoSuchPath,
        Self::Busy,
        Self::NotJson,
        Self::TooLarge,
        Self::TooSlow,
        Self::Malformed,
        Self::BatchId,
        Self::TooManyRows,
        Self::NoRows,
        Self::RequestId,
        Self::PoolEmpty,
        Self::SurplusField,
        Self::ServerUnavailable,
        Self::ServerRefuses,
        Self::OutcomeUnknown,
    ];

    fn words(self) -> Words {
        let (status, rule) = self.named();
        let (hint, hint_en) = self.hints();
        let law = match self {
            Self::SurplusField => "法30条の5; S1 保有情報の限定",
            _ => "gateway",
        };
        Words { status, rule, law, hint, hint_en }
    }

    const fn named(self) -> (StatusCode, &'static str) {
        match self {
            Self::NoSuchPath => (StatusCode::NOT_FOUND, "no-such-path"),
            Self::Busy => (StatusCode::TOO_MANY_REQUESTS, "busy"),
            Self::NotJson => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-json"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too-large"),
            Self::TooSlow => (StatusCode::REQUEST_TIMEOUT, "too-slow"),
            Self::Malformed => (StatusCode::BAD_REQUEST, "malformed"),
            Self::BatchId => (StatusCode::BAD_REQUEST, "batch-id"),
            Self::TooManyRows => (StatusCode::PAYLOAD_TOO_LARGE, "too-many-rows"),
            Self::NoRows => (StatusCode::BAD_REQUEST, "no-rows"),
            Self::RequestId => (StatusCode::BAD_REQUEST, "request-id"),
            Self::PoolEmpty => (StatusCode::SERVICE_UNAVAILABLE, "pool-empty"),
            Self::SurplusField => (StatusCode::UNPROCESSABLE_ENTITY, "surplus-field"),
            Self::ServerUnavailable => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
            Self::ServerRefuses => (StatusCode::BAD_GATEWAY, "server-refuses"),
            Self::OutcomeUnknown => (StatusCode::GATEWAY_TIMEOUT, "outcome-unknown"),
        }
    }

    const fn hints(self) -> (&'static str, &'static str) {
        match self {
            Self::NoSuchPath => {
                ("/openapi.json に記載のパスを使ってください。", "use a path of /openapi.json")
            }
            Self::Busy => (
                "前のバッチの応答を待ってから送ってください。",
                "wait for the answer to the batch before",
            ),
            Self::NotJson => (
                "Content-Type を application/json としてください。",
                "send the content type application/json",
            ),
            Self::TooLarge => ("バッチを分けてください。", "send smaller batches"),
            Self::TooSlow => ("同じバッチを再送してください。", "send the same batch again"),
            Self::Malformed => (
                "/openapi.json の形式で送ってください。",
                "send a batch as /openapi.json describes it",
            ),
            Self::BatchId => (
                "batch は英数字と . _ - の1～64文字です。",
                "batch is 1 to 64 letters, digits, dots, underscores or hyphens",
            ),
            Self::TooManyRows => ("バッチを分けてください。", "send smaller batches"),
            Self::NoRows => ("1行以上を送ってください。", "send at least one row"),
            Self::RequestId => (
                "request は16進小文字32桁です。人ごとに新しい値を使ってください。",
                "request is 32 digits of 0-9 and a-f, a new one for each resident",
            ),
            Self::PoolEmpty => (
                "センターからの指定を待って、同じ要求を再送してください。",
                "wait for the center to designate codes, then send the same request again",
            ),
            Self::SurplusField => (
                "本人確認情報と変更情報の項目だけを送ってください。バッチ全体を受け付けていません。",
                "send the items of a notice and nothing else; nothing of the batch was taken",
            ),
            Self::ServerUnavailable => (
                "しばらくしてから同じバッチを再送してください。",
                "send the same batch again later",
            ),
            Self::ServerRefuses => (
                "システム管理者に連絡してください。",
                "tell the administrator: the server does not accept this gateway",
            ),
            Self::OutcomeUnknown => (
                "同じバッチを再送してください。二重に記録されることはありません。",
                "send the same batch again: nothing is recorded twice",
            ),
        }
    }

    pub(crate) fn rule(self) -> &'static str {
        self.words().rule
    }

    pub(crate) fn status(self) -> u16 {
        self.words().status.as_u16()
    }

    pub(crate) fn hint_en(self) -> &'static str {
        self.words().hint_en
    }

    /// The answer; `place` says where, in words of ours.
    pub(crate) fn response(self, place: &[(&'static str, Value)]) -> Response {
        let Words { status, rule, law, hint, hint_en } = self.words();
        let mut body = Map::new();
        let refusal =
            serde_json::json!({"rule": rule, "law": law, "hint": hint, "hint_en": hint_en});
        body.insert("refusal".to_owned(), refusal);
        body.extend(place.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        let mut response = json(status, &Value::Object(body));
        if matches!(
            self,
            Self::Busy | Self::PoolEmpty | Self::ServerUnavailable | Self::OutcomeUnknown
        ) {
            let seconds = HeaderValue::from(RETRY_AFTER_SECONDS);
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}

/// An answer in JSON.
pub(crate) fn json(status: StatusCode, body: &Value) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_has_a_rule_of_its_own_and_a_way_on() {
        let mut rules: Vec<&str> = Refusal::ALL.iter().map(|refusal| refusal.rule()).collect();
        rules.sort_unstable();
        rules.dedup();
        assert_eq!(rules.len(), Refusal::ALL.len());
        for refusal in Refusal::ALL {
            assert!(refusal.status() >= 400 && refusal.hint_en().len() > 10, "{refusal:?}");
        }
    }
}
