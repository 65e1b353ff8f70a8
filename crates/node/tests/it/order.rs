//! Municipalities send in their own time. Whatever the order of arrival, a person is current in one
//! place, and nobody's late word undoes another's later one.

use law::change::{ChangeNotice, ChangeReason};
use ledger::entry::EntryKind;
use node::ports::{Reads as _, Space};
use wire::{NoticeBatch, RelayedNotice, Reply, Request, SignedRelease};

use crate::fixture::{KUNITACHI, MATSUMOTO, MITAKA, NOW, code, notice, release};
use crate::world::{Node, peer};

struct Center {
    node: Node,
    sent: [u64; 2],
}

impl Center {
    fn new() -> Self {
        Self { node: Node::of("center"), sent: [0, 0] }
    }

    /// One notice, by way of its prefecture.
    fn take(&mut self, notice: ChangeNotice) {
        self.hear((notice, None));
    }

    /// One notice with the former municipality's word, if it comes with one.
    fn hear(&mut self, (notice, release): (ChangeNotice, Option<SignedRelease>)) {
        let nagano = notice.record.municipality.as_str() == MATSUMOTO;
        let (place, from) = if nagano { (1, "prefecture-20") } else { (0, "prefecture-13") };
        self.sent[place] += 1;
        let sequence = self.sent[place];
        let municipality = notice.record.municipality;
        let notices = vec![RelayedNotice { municipality, sequence, notice, release }];
        let batch = NoticeBatch { first_sequence: sequence, notices };
        let reply = self.node.ask(NOW, &peer(from), Request::Notices(batch));
        assert!(matches!(reply, Reply::NoticeAck { applied, .. } if applied == sequence));
    }

    fn current_at(&self, number: u64) -> Option<String> {
        let held = self.node.store.resident(&code(number)).unwrap();
        held.filter(|held| !held.removed).map(|held| held.identity.municipality.as_str().to_owned())
    }

    fn last_remark(&self) -> String {
        let entry = self.node.entries_of(EntryKind::NoticesReceived).pop().unwrap();
        entry.note().unwrap_or_default().to_owned()
    }
}

fn says(town_code: &str, reason: ChangeReason, on: &str) -> ChangeNotice {
    let address = match town_code {
        MATSUMOTO => "長野県松本市丸の内3",
        MITAKA => "東京都三鷹市野崎1",
        _ => "東京都国立市東1",
    };
    notice(reason, on, 1, address, town_code)
}

/// Moved in from there, where the moving-out says this day.
fn came(to: &str, on: &str, from: &str, left_on: &str) -> (ChangeNotice, Option<SignedRelease>) {
    (says(to, ChangeReason::MovedIn, on), Some(release(1, from, to, left_on)))
}

#[test]
fn an_entry_waits_for_the_moving_out_that_was_sent_before_it() {
    let mut center = Center::new();
    center.take(says(KUNITACHI, ChangeReason::MovedIn, "2026-04-01"));
    center.hear(came(MATSUMOTO, "2026-09-02", KUNITACHI, "2026-09-01"));
    assert_eq!(center.current_at(1).as_deref(), Some(KUNITACHI));
    assert!(center.last_remark().contains("1 early"));
    center.take(says(KUNITACHI, ChangeReason::CorrectedExOfficio, "2026-09-03"));
    center.take(says(KUNITACHI, ChangeReason::MovedOut, "2026-09-01"));
    assert_eq!(center.current_at(1).as_deref(), Some(MATSUMOTO));
    assert_eq!(center.node.store.history(&code(1), 10).unwrap().len(), 3);
}

#[test]
fn a_municipality_that_was_away_keeps_nobody_and_brings_nobody_back() {
    // Kunitachi was cut off for days with all it had to say; Matsumoto's entry came first.
    let mut center = Center::new();
    center.hear(came(MATSUMOTO, "2026-05-02", KUNITACHI, "2026-05-01"));
    center.take(says(MATSUMOTO, ChangeReason::Died, "2026-06-01"));
    assert_eq!(center.current_at(1), None);
    for late in [
        says(KUNITACHI, ChangeReason::MovedIn, "2026-04-01"),
        says(KUNITACHI, ChangeReason::MovedWithin, "2026-04-02"),
        says(KUNITACHI, ChangeReason::MovedOut, "2026-05-01"),
    ] {
        center.take(late);
    }
    let held = center.node.store.resident(&code(1)).unwrap().unwrap();
    assert_eq!(held.identity.municipality.as_str(), MATSUMOTO);
    assert_eq!((held.removed, held.change.unwrap().reason), (true, ChangeReason::Died));
    assert_eq!(center.node.store.history(&code(1), 10).unwrap().len(), 4);
}

#[test]
fn every_interleaving_of_a_move_ends_in_the_same_place() {
    let plain = |notice: ChangeNotice| (notice, None);
    let queues = [
        vec![
            plain(says(KUNITACHI, ChangeReason::MovedIn, "2026-04-01")),
            plain(says(KUNITACHI, ChangeReason::MovedOut, "2026-05-01")),
        ],
        vec![
            came(MATSUMOTO, "2026-05-02", KUNITACHI, "2026-05-01"),
            plain(says(MATSUMOTO, ChangeReason::MovedOut, "2026-06-01")),
        ],
        vec![came(MITAKA, "2026-06-02", MATSUMOTO, "2026-06-01")],
    ];
    let mut tried = 0;
    for order in 0..3_u32.pow(5) {
        let mut center = Center::new();
        let mut next = [0; 3];
        let choice = |place: u32| (order / 3_u32.pow(place) % 3) as usize;
        let orders: Vec<usize> = (0..5).map(choice).collect();
        let all_once = |n: usize| orders.iter().filter(|o| **o == n).count() == queues[n].len();
        if !(0..3).all(all_once) {
            continue;
        }
        for queue in orders {
            center.hear(queues[queue][next[queue]].clone());
            next[queue] += 1;
        }
        assert_eq!(center.current_at(1).as_deref(), Some(MITAKA));
        assert!(center.node.store.facts(Space::Arrival, None, 1).unwrap().is_empty());
        assert!(center.node.store.facts(Space::SetAside, None, 1).unwrap().is_empty());
        tried += 1;
    }
    assert_eq!(tried, 30);
}

#[test]
fn a_code_of_somebody_else_cannot_be_taken_by_a_change_of_code() {
    let mut center = Center::new();
    let mut victim = says(MATSUMOTO, ChangeReason::MovedIn, "2026-04-01");
    victim.record.code = code(9);
    center.take(victim.clone());
    center.take(says(KUNITACHI, ChangeReason::MovedIn, "2026-04-01"));
    let mut grab = says(KUNITACHI, ChangeReason::CodeChangedOnRequest, "2026-06-01");
    grab.previous_code = Some(code(1));
    grab.record.code = code(9);
    center.take(grab);
    let held = center.node.store.resident(&code(9)).unwrap().unwrap();
    assert_eq!(held.identity, victim.record, "the victim's record is untouched");
    assert!(center.node.store.history(&code(9), 10).unwrap().is_empty());
    assert_eq!(center.current_at(1), None);
    assert!(center.last_remark().contains("1 set aside"));
}

#[test]
fn a_change_of_code_by_a_stranger_changes_nothing() {
    let mut center = Center::new();
    let one = says(MATSUMOTO, ChangeReason::MovedIn, "2026-04-01");
    center.take(one.clone());
    let mut theft = says(KUNITACHI, ChangeReason::CodeChangedOnRequest, "2026-06-01");
    theft.previous_code = Some(code(1));
    theft.record.code = code(77);
    center.take(theft);
    assert_eq!(center.node.store.resident(&code(1)).unwrap().unwrap().identity, one.record);
    assert_eq!(center.node.store.resident(&code(77)).unwrap(), None);
}

#[test]
fn a_late_word_under_an_old_code_makes_no_second_person() {
    let mut center = Center::new();
    center.take(says(KUNITACHI, ChangeReason::MovedIn, "2026-04-01"));
    center.take(says(KUNITACHI, ChangeReason::MovedOut, "2026-05-01"));
    center.hear(came(MATSUMOTO, "2026-05-02", KUNITACHI, "2026-05-01"));
    let mut recoded = says(MATSUMOTO, ChangeReason::CodeChangedOnRequest, "2026-05-03");
    recoded.previous_code = Some(code(1));
    recoded.record.code = code(2);
    center.take(recoded);
    center.take(says(KUNITACHI, ChangeReason::MovedWithin, "2026-04-20"));
    assert_eq!(center.node.store.resident(&code(1)).unwrap(), None);
    assert_eq!(center.current_at(2).as_deref(), Some(MATSUMOTO));
    assert!(center.last_remark().contains("1 set aside"));
    assert_eq!(center.node.store.residents_count().unwrap(), 1);
}
