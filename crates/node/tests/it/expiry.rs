//! What no longer stands gets its end by the law's table, in the machines: seen by what an erasure
//! of a later day leaves.

use law::change::ChangeReason;
use law::time::Timestamp;
use node::ports::Reads as _;
use store::Month;
use wire::{NoticeBatch, RelayedNotice, Reply, Request};

use crate::fixture::{KUNITACHI, NOW, code, notice};
use crate::world::{Node, peer};

const YEAR_MS: u64 = 365 * 24 * 3_600_000;

/// One notice after another about person 1, and the node that heard them.
fn heard(name: &str, reasons: &[(ChangeReason, u64)]) -> Node {
    let mut node = Node::of(name);
    let from = peer(if name == "center" { "prefecture-13" } else { "municipality-132152" });
    for (sequence, (reason, years)) in (1u64..).zip(reasons) {
        let on = format!("20{}-04-01", 26 + years);
        let notice = notice(*reason, &on, 1, "東京都国立市東1", KUNITACHI);
        let municipality = notice.record.municipality;
        let relayed = RelayedNotice { municipality, sequence, notice, release: None };
        let batch = NoticeBatch { first_sequence: sequence, notices: vec![relayed] };
        let now = Timestamp(NOW.0 + years * YEAR_MS);
        let reply = node.ask(now, &from, Request::Notices(batch));
        assert!(matches!(reply, Reply::NoticeAck { applied, .. } if applied == sequence));
    }
    node
}

/// Whether person 1 is still held, and how many earlier states are, `years` and a month later.
fn left(node: &mut Node, years: i32) -> (bool, usize) {
    let now = Month::of(NOW).to_string();
    let (year, month) = now.split_once('-').unwrap();
    let (year, month): (i32, u8) = (year.parse().unwrap(), month.parse().unwrap());
    let (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    let month = Month::new(u16::try_from(year + years).unwrap(), month).unwrap();
    node.store.erase_cohorts_before(month).unwrap();
    let held = node.store.resident(&code(1)).unwrap().is_some();
    (held, node.store.history(&code(1), 9).unwrap().len())
}

#[test]
fn the_dead_go_after_five_years_and_who_left_is_waited_for_above() {
    use ChangeReason::{Died, MovedIn, MovedOut};
    for tier in ["prefecture-13", "center"] {
        let mut dead = heard(tier, &[(MovedIn, 0), (Died, 0)]);
        assert_eq!(left(&mut dead, 4), (true, 1));
        assert_eq!(left(&mut dead, 5), (false, 0));
        let mut away = heard(tier, &[(MovedIn, 0), (MovedOut, 0)]);
        assert_eq!(left(&mut away, 5), (true, 0), "history goes, the deletion stays");
        assert_eq!(left(&mut away, 79), (true, 0));
        assert_eq!(left(&mut away, 80), (false, 0));
    }
}

#[test]
fn what_stood_goes_five_years_after_what_replaced_it_and_what_stands_stays() {
    use ChangeReason::{CorrectedExOfficio, MovedIn, MovedOut};
    let mut stands = heard("center", &[(MovedIn, 0), (CorrectedExOfficio, 3)]);
    assert_eq!(left(&mut stands, 7), (true, 1), "five years begin with the next notice");
    assert_eq!(left(&mut stands, 8), (true, 0));
    assert_eq!(left(&mut stands, 200), (true, 0));
    // Somebody who came back: the deletion is kept no longer than its own term, then.
    let mut back = heard("center", &[(MovedIn, 0), (MovedOut, 0), (MovedIn, 2)]);
    assert_eq!(left(&mut back, 4), (true, 2));
    assert_eq!(left(&mut back, 5), (true, 0));
}
