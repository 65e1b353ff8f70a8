//! Why a request from the browser is turned away before any page sees it.
//!
//! These are the rules of the loopback listener, not of the Act: what the law refuses comes from
//! `law` through the backend.

use axum::http::StatusCode;

use crate::backend::Refused;

/// One broken loopback rule. The order is the order in which they are checked.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, thiserror::Error)]
pub(crate) enum LoopbackFault {
    #[error("the host header names another host; use the address of this terminal")]
    HostForeign,
    #[error("the method is not GET, HEAD or POST")]
    MethodUnknown,
    #[error("the address carries a query this desk does not know; use the form")]
    QueryUnknown,
    #[error("the request came from another site; open the page at this terminal")]
    SiteForeign,
    #[error("the origin header is missing or foreign; send the form from its own page")]
    OriginForeign,
    #[error("the form is not url-encoded, too large or malformed; send it from its own page")]
    FormMalformed,
    #[error("the session is missing; open the start page of this terminal")]
    SessionMissing,
    #[error("the form token is missing or stale; load the page again")]
    TokenWrong,
    #[error("the page does not exist at this desk")]
    PageUnknown,
}

impl LoopbackFault {
    pub(crate) const ALL: [Self; 9] = [
        Self::HostForeign,
        Self::MethodUnknown,
        Self::QueryUnknown,
        Self::SiteForeign,
        Self::OriginForeign,
        Self::FormMalformed,
        Self::SessionMissing,
        Self::TokenWrong,
        Self::PageUnknown,
    ];

    pub(crate) const fn status(self) -> StatusCode {
        match self {
            Self::HostForeign => StatusCode::MISDIRECTED_REQUEST,
            Self::MethodUnknown => StatusCode::METHOD_NOT_ALLOWED,
            Self::QueryUnknown | Self::FormMalformed => StatusCode::BAD_REQUEST,
            Self::PageUnknown => StatusCode::NOT_FOUND,
            Self::SiteForeign | Self::OriginForeign | Self::SessionMissing | Self::TokenWrong => {
                StatusCode::FORBIDDEN
            }
        }
    }

    /// The same three lines as every other refusal: rule, law, what you may do (U6).
    pub(crate) fn refused(self) -> Refused {
        let (rule, law, hint, hint_en) = self.words();
        Refused {
            rule: rule.to_owned(),
            law: law.to_owned(),
            hint: hint.to_owned(),
            hint_en: hint_en.to_owned(),
            left: None,
        }
    }

    const fn words(self) -> (&'static str, &'static str, &'static str, &'static str) {
        const S1: &str = "S1: 端末機の認証";
        const C1: &str = "S1: 端末機に本人確認情報は存在しない";
        match self {
            Self::HostForeign => (
                "desk-host-foreign",
                S1,
                "この端末のアドレスで開いてください。",
                "Open the page at the address of this terminal.",
            ),
            Self::MethodUnknown => (
                "desk-method",
                S1,
                "画面のボタンを使ってください。",
                "Use the buttons of the page.",
            ),
            Self::QueryUnknown => (
                "desk-address-data",
                C1,
                "アドレスに情報を書かず、画面の欄に入力してください。",
                "Put nothing into the address; type it into the form.",
            ),
            Self::SiteForeign => (
                "desk-site-foreign",
                S1,
                "他のサイトからではなく、この端末で開いてください。",
                "Open the page at this terminal, not from another site.",
            ),
            Self::OriginForeign => (
                "desk-origin-foreign",
                S1,
                "この端末の画面から送ってください。",
                "Send the form from a page of this terminal.",
            ),
            Self::FormMalformed => (
                "desk-form",
                S1,
                "画面の欄に入力し直してください。",
                "Fill in the form of the page again.",
            ),
            Self::SessionMissing => (
                "desk-session",
                S1,
                "端末の起動時に示されたアドレスから開いてください。",
                "Open the start address that the terminal printed.",
            ),
            Self::TokenWrong => (
                "desk-form-token",
                S1,
                "画面を読み込み直して、もう一度送ってください。",
                "Load the page again and send it once more.",
            ),
            Self::PageUnknown => (
                "desk-page-unknown",
                S1,
                "この窓口にない画面です。はじめに戻ってください。",
                "This desk has no such page. Go back to the start.",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_says_rule_law_and_what_to_do_in_both_languages() {
        let mut rules = Vec::new();
        for fault in LoopbackFault::ALL {
            let refused = fault.refused();
            assert!(!refused.law.is_empty() && !refused.hint.is_empty());
            assert!(refused.hint_en.is_ascii(), "{fault:?}");
            assert!(fault.status().is_client_error());
            rules.push(refused.rule);
        }
        rules.sort();
        rules.dedup();
        assert_eq!(rules.len(), LoopbackFault::ALL.len());
    }
}
