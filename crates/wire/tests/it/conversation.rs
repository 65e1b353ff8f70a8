//! The table of who may speak, against its golden and against what it must never contain.

use crate::golden;
use wire::conversation::{CONVERSATIONS, Via, may_connect, may_say, table};
use wire::{MessageKind, Role};

fn golden_rows() -> Vec<Vec<String>> {
    let text = golden::read("conversations.txt");
    text.lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty() && !line.starts_with("from "))
        .map(|line| line.split_whitespace().take(4).map(str::to_owned).collect())
        .collect()
}

#[test]
fn the_table_is_as_reviewed() {
    golden::check("conversations.txt", &table());
}

/// All sentences, every role to every role: those the reviewed file has are allowed, all others
/// refused.
#[test]
fn what_is_not_in_the_table_is_refused() {
    let rows = golden_rows();
    let (mut allowed, mut refused) = (0, 0);
    for from in Role::ALL {
        for to in Role::ALL {
            let mut lines = 0;
            for kind in MessageKind::ALL {
                let found: Vec<_> = rows
                    .iter()
                    .filter(|row| row[..3] == [from.key(), to.key(), kind.key()])
                    .collect();
                assert!(found.len() <= 1, "{from} {to} {kind} stands twice");
                let expected = found.first().map(|row| row[3].as_str());
                assert_eq!(may_say(from, to, kind).map(Via::key), expected, "{from} {to} {kind}");
                lines += usize::from(expected == Some("exchange"));
                if expected.is_some() { allowed += 1 } else { refused += 1 }
            }
            assert_eq!(may_connect(from, to), lines > 0, "{from} {to}");
        }
    }
    let sentences = Role::ALL.len() * Role::ALL.len() * MessageKind::ALL.len();
    assert_eq!((allowed, refused), (CONVERSATIONS.len(), sentences - CONVERSATIONS.len()));
    assert_eq!(allowed, rows.len());
}

/// S1: what passes between two municipalities passes neither through a prefecture nor through the
/// center. No message they take in or give out carries anything addressed to another municipality.
#[test]
fn nothing_between_municipalities_passes_a_prefecture_or_the_center() {
    for row in CONVERSATIONS {
        if matches!(row.to, Role::Prefecture | Role::Center) && row.from == Role::Municipality {
            assert!(
                matches!(
                    row.message,
                    MessageKind::Notices
                        | MessageKind::Inquiry
                        | MessageKind::Compare
                        | MessageKind::Suspicion
                        | MessageKind::Repair
                        | MessageKind::PoolRequest
                        | MessageKind::DirectoryFetch
                        | MessageKind::Heartbeat
                ),
                "{row:?}"
            );
        }
        if matches!(row.from, Role::Prefecture | Role::Center) && row.to == Role::Municipality {
            assert_eq!(row.message, MessageKind::DirectoryPush, "{row:?}");
        }
        if row.from == Role::Municipality && row.to == Role::Municipality {
            assert_eq!(row.via, Via::Exchange, "{row:?}");
        }
    }
}

/// S1: no general-purpose protocol of the internet on the network; a person's data never by one.
#[test]
fn no_row_carries_an_internet_protocol() {
    for row in CONVERSATIONS {
        assert!(matches!(row.via, Via::Exchange | Via::Lan));
        for protocol in ["http", "smtp", "ftp", "telnet", "ssh"] {
            for word in [row.message.key(), row.via.key(), row.from.key(), row.to.key()] {
                assert!(!word.contains(protocol), "{row:?}");
            }
            assert!(!row.basis.to_lowercase().contains(protocol), "{row:?}");
        }
    }
}

#[test]
fn every_row_names_its_basis_and_offices_do_not_reach_over_the_lan() {
    for row in CONVERSATIONS {
        assert!(row.basis.starts_with("法") || row.basis.starts_with("S1 "), "{row:?}");
        let local = matches!(row.from, Role::Terminal | Role::Feed);
        assert_eq!(row.via == Via::Lan, local, "{row:?}");
        assert!(!matches!(row.to, Role::Terminal | Role::Feed), "{row:?}");
    }
}

/// An agency is told by the center, asks only the center, and never speaks with another agency
/// (S1: 国の機関等と他の国の機関等との間).
#[test]
fn agencies_speak_with_the_center_only() {
    for row in CONVERSATIONS {
        if row.from == Role::Agency {
            assert_eq!(row.to, Role::Center, "{row:?}");
        }
        if row.to == Role::Agency {
            assert!(matches!(row.from, Role::Center | Role::Terminal), "{row:?}");
        }
    }
}
