//! Names of nodes and the roles they play.

use std::fmt;
use std::str::FromStr;

use law::code::{LocalGovernmentCode, PrefectureCode};

use crate::limits::NODE_ID_BYTES_MAX;

/// What a machine is. Who may say what to whom is a matter of roles ([`crate::conversation`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// A communication server (CS, コミュニケーションサーバ).
    Municipality,
    /// 都道府県サーバ.
    Prefecture,
    /// 指定情報処理機関.
    Center,
    /// 国の機関等.
    Agency,
    /// 専用交換装置.
    Exchange,
    /// 公的個人認証サービス.
    Certifier,
    /// 情報提供ネットワークシステム.
    Linkage,
    /// 端末.
    Terminal,
    /// 既存住基システム.
    Feed,
}

impl Role {
    pub const ALL: [Self; 9] = [
        Self::Municipality,
        Self::Prefecture,
        Self::Center,
        Self::Agency,
        Self::Exchange,
        Self::Certifier,
        Self::Linkage,
        Self::Terminal,
        Self::Feed,
    ];

    /// The word in node names, tables and configuration.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Municipality => "municipality",
            Self::Prefecture => "prefecture",
            Self::Center => "center",
            Self::Agency => "agency",
            Self::Exchange => "exchange",
            Self::Certifier => "certifier",
            Self::Linkage => "linkage",
            Self::Terminal => "terminal",
            Self::Feed => "feed",
        }
    }

    #[must_use]
    pub fn parse(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.key() == key)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

/// Why a text is not a node's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a node id has 1 to {NODE_ID_BYTES_MAX} characters of a-z, 0-9 and '-'")]
pub struct NodeIdError;

/// Name of one node: `center`, `prefecture-13`, `municipality-132152`, `terminal-agency-1`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(String);

impl NodeId {
    pub fn parse(text: &str) -> Result<Self, NodeIdError> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if text.is_empty() || text.len() > NODE_ID_BYTES_MAX || !text.bytes().all(allowed) {
            return Err(NodeIdError);
        }
        Ok(Self(text.to_owned()))
    }

    #[must_use]
    pub fn center() -> Self {
        Self(Role::Center.key().to_owned())
    }

    #[must_use]
    pub fn prefecture(code: PrefectureCode) -> Self {
        Self(format!("prefecture-{code}"))
    }

    #[must_use]
    pub fn municipality(code: &LocalGovernmentCode) -> Self {
        Self(format!("municipality-{}", code.as_str()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The role its name claims: the word before the first '-'. There is one center, so that name
    /// stands alone; every other name goes on. The directory's own role field is what counts for
    /// members; this is for nodes that are not in it.
    #[must_use]
    pub fn role(&self) -> Option<Role> {
        match self.0.split_once('-') {
            None => (self.0 == Role::Center.key()).then_some(Role::Center),
            Some((_, "")) => None,
            Some((prefix, _)) => Role::parse(prefix).filter(|role| *role != Role::Center),
        }
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeId({})", self.0)
    }
}

impl FromStr for NodeId {
    type Err = NodeIdError;

    fn from_str(text: &str) -> Result<Self, NodeIdError> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_its_role() {
        let rows = [
            ("center", Some(Role::Center)),
            ("prefecture-13", Some(Role::Prefecture)),
            ("municipality-132152", Some(Role::Municipality)),
            ("agency-1", Some(Role::Agency)),
            ("exchange-national", Some(Role::Exchange)),
            ("terminal-municipality-132152", Some(Role::Terminal)),
            ("feed-132152", Some(Role::Feed)),
            ("certifier-1", Some(Role::Certifier)),
            ("linkage-1", Some(Role::Linkage)),
            ("center-2", None),
            ("prefecture", None),
            ("prefecture-", None),
            ("centers", None),
            ("-center", None),
            ("mayor-1", None),
        ];
        for (text, role) in rows {
            assert_eq!(NodeId::parse(text).unwrap().role(), role, "{text}");
        }
    }

    #[test]
    fn names_are_bounded() {
        assert!(NodeId::parse(&"a".repeat(64)).is_ok());
        for bad in ["", &"a".repeat(65), "Center", "a_b", "a b", "a.b", "a/b", "センター", "a\n"]
        {
            assert_eq!(NodeId::parse(bad), Err(NodeIdError), "{bad:?}");
        }
    }

    #[test]
    fn constructors_make_valid_names() {
        let code = LocalGovernmentCode::parse("132152").unwrap();
        for id in [
            NodeId::center(),
            NodeId::prefecture(PrefectureCode::new(1).unwrap()),
            NodeId::municipality(&code),
        ] {
            assert_eq!(NodeId::parse(id.as_str()).as_ref(), Ok(&id));
            assert!(id.role().is_some());
        }
        assert_eq!(NodeId::prefecture(PrefectureCode::new(1).unwrap()).as_str(), "prefecture-01");
    }
}
