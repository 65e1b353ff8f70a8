//! Acting as an operator at a terminal from the command line: insert the card, log in, sign one
//! request, send it, take the card out. Shared by `inquire` and `resident view`.

use std::path::Path;

use node::terminal::Outcome;
use serde_json::json;
use token::card::CardError;

use crate::card_file;
use crate::config;
use crate::disk;
use crate::net::CallFailure;
use crate::runner::terminal::{Signed, TerminalError, Workplace};
use crate::seclude::seclude;
use crate::talk::{Exit, Talk};

/// Why no outcome was reached.
#[derive(Debug)]
pub enum Stopped {
    /// The card or the terminal does not allow it; in the form of every refusal.
    Refused {
        rule: String,
        law: String,
        hint: String,
        hint_en: String,
    },
    Usage(String),
    Failed(String),
    Unreachable(String),
}

impl Stopped {
    /// Say it, and how to end.
    pub fn tell(&self, as_json: bool, talk: Talk) -> Exit {
        match self {
            Self::Refused { rule, law, hint, hint_en } => {
                if as_json {
                    talk.json(&json!({"refusal": {
                        "rule": rule, "law": law, "hint": hint, "hint_en": hint_en,
                    }}));
                } else {
                    talk.fail(format!("refused ({rule})\n  {law}\n  {hint}\n  {hint_en}"));
                }
                Exit::Refused
            }
            Self::Usage(why) => {
                talk.fail(why);
                Exit::Usage
            }
            Self::Failed(why) => {
                talk.fail(why);
                Exit::Failed
            }
            Self::Unreachable(why) => {
                talk.fail(why);
                Exit::Unreachable
            }
        }
    }
}

/// Log in with a card and do one signed thing.
pub fn act(
    config: &Path,
    card: &Path,
    pin_file: Option<&Path>,
    sign: impl FnOnce(&mut Workplace) -> Result<Signed, TerminalError>,
) -> Result<Outcome, Stopped> {
    seclude().map_err(Stopped::Failed)?;
    let config = config::load_terminal(config).map_err(|e| Stopped::Usage(e.to_string()))?;
    let pin_file = pin_file.map_or_else(|| card_file::pin_path(card), Path::to_path_buf);
    let pin = disk::read_pin(&pin_file).map_err(|e| Stopped::Usage(e.to_string()))?;
    let mut workplace = Workplace::open(config).map_err(|error| stopped(&error))?;
    workplace.log_in(card, &pin).map_err(|error| stopped(&error))?;
    let signed = sign(&mut workplace).map_err(|error| stopped(&error))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Stopped::Failed(e.to_string()))?;
    let outcome =
        runtime.block_on(workplace.sender().send(signed)).map_err(|error| stopped(&error));
    workplace.log_out();
    outcome
}

/// What a terminal's error is to the person in front of it.
#[must_use]
pub fn stopped(error: &TerminalError) -> Stopped {
    match error {
        TerminalError::Card(card) => {
            let (rule, hint) = card_words(card);
            Stopped::Refused {
                rule: rule.to_owned(),
                law: "S1: 操作者識別カード認証によるアクセス制御".to_owned(),
                hint: hint.to_owned(),
                hint_en: card.to_string(),
            }
        }
        TerminalError::Call(
            failure @ (CallFailure::NotReachable { .. }
            | CallFailure::Timeout(_)
            | CallFailure::RefusedByPeer(_)),
        ) => Stopped::Unreachable(failure.to_string()),
        TerminalError::Insert(_) | TerminalError::Disk(_) => Stopped::Usage(error.to_string()),
        other => Stopped::Failed(other.to_string()),
    }
}

/// Stable names and Japanese words for what a card or its reader refuses.
#[must_use]
pub fn card_words(error: &CardError) -> (&'static str, &'static str) {
    match error {
        CardError::PinWrong { .. } => {
            ("pin-wrong", "暗証番号が違います。残り回数に注意してください。")
        }
        CardError::Blocked => ("card-blocked", "カードは閉塞しています。再発行を受けてください。"),
        CardError::PinShape => ("pin-shape", "暗証番号は4桁から12桁の数字です。"),
        CardError::PinTooSimple => ("pin-too-simple", "別の暗証番号を選んでください。"),
        CardError::Expired { .. } | CardError::NotYetValid { .. } => {
            ("card-expired", "有効期間内のカードを使ってください。")
        }
        CardError::Revoked => {
            ("card-revoked", "このカードは失効しています。担当者に返してください。")
        }
        CardError::TerminalRefused | CardError::Terminal(_) => (
            "terminal-refused",
            "この端末はカードに認められません。センターの認証を受けてください。",
        ),
        CardError::SessionEnded | CardError::Port(_) => {
            ("card-left", "カードが抜かれました。もう一度認証してください。")
        }
        _ => ("card-not-genuine", "正規の操作者識別カードではありません。担当者に届けてください。"),
    }
}
