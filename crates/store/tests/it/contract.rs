//! The contract of the port: every test runs on the real store and on the model.

use law::code::RecordCode;
use law::inquiry::Held;
use law::query::{IndexKind, Probe, terms};
use law::time::Timestamp;
use ledger::{commitment, proof};
use node::ports::{Counter, Reads, StoreError, Write};
use wire::NodeId;

use crate::bench::{Bench, ModelBench, ORIGIN, SqliteBench, TestSigner, signer};
use crate::people::{
    NOW, code, entry, foreign, held, history, kept, moved, provision_text, removed,
};
use crate::postgres_bench::PostgresBench;

macro_rules! contract {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[test] fn $name() { super::$name(&mut super::SqliteBench::new()); })*
        }
        mod postgres {
            $(#[test] fn $name() { super::$name(&mut super::PostgresBench::new()); })*
        }
        mod model {
            $(#[test] fn $name() { super::$name(&mut super::ModelBench::new()); })*
        }
    };
}

contract!(
    residents_are_put_replaced_and_found_by_code,
    candidates_come_by_legal_keys_only_and_are_bounded,
    a_new_code_takes_history_and_entries_along,
    two_codes_that_become_one_person,
    earlier_codes_of_both_come_along,
    history_needs_a_person_and_comes_newest_first,
    counters_only_grow,
    queues_number_without_gaps_and_forget_what_is_acknowledged,
    requests_are_remembered_until_forgotten,
    the_directory_is_the_last_one,
    entries_are_contiguous_and_found_by_subject,
    foreign_entries_are_found_newest_first,
    a_group_is_seen_before_commit_and_gone_after_rollback,
    what_is_committed_survives_a_crash_and_nothing_else,
    a_failed_apply_fails_the_group_until_it_is_rolled_back,
    proofs_verify_against_the_checkpoint,
    publication_waits_for_commit_and_signs_nothing_twice,
    a_signer_that_fails_changes_nothing,
);

fn node(text: &str) -> NodeId {
    NodeId::parse(text).unwrap()
}

fn put(number: u64) -> Write {
    Write::PutResident(held(number))
}

fn all_by(reads: &dyn Reads, held: &Held, kind: IndexKind) -> Vec<RecordCode> {
    let term = terms(&held.identity).into_iter().find(|term| term.kind == kind).unwrap();
    let found = reads.candidates(&term, 100).unwrap();
    found.iter().map(|held| held.identity.code).collect()
}

fn residents_are_put_replaced_and_found_by_code(b: &mut dyn Bench) {
    assert_eq!(b.reads().resident(&code(1)).unwrap(), None);
    b.put(&[put(1), put(2), Write::PutResident(removed(3))]);
    assert_eq!(b.reads().resident(&code(1)).unwrap(), Some(held(1)));
    assert_eq!(b.reads().resident(&code(3)).unwrap(), Some(removed(3)));
    assert_eq!(b.reads().resident(&code(4)).unwrap(), None);
    assert_eq!(b.reads().residents_count().unwrap(), 2);

    let new = moved(1, "東京都三鷹市野崎一丁目1番1号");
    let (by_old, by_new) = (held(1), new.clone());
    b.put(&[Write::PutResident(new.clone()), Write::PutResident(removed(2))]);
    assert_eq!(b.reads().resident(&code(1)).unwrap(), Some(new));
    assert_eq!(b.reads().residents_count().unwrap(), 1);
    assert_eq!(all_by(b.reads(), &by_old, IndexKind::NameAddress), vec![]);
    assert_eq!(all_by(b.reads(), &by_new, IndexKind::NameAddress), vec![code(1)]);
    b.put(&[put(2)]);
    assert_eq!(b.reads().residents_count().unwrap(), 2);
}

fn candidates_come_by_legal_keys_only_and_are_bounded(b: &mut dyn Bench) {
    b.put(&(0..40).map(put).collect::<Vec<_>>());
    let person = held(9);
    for term in terms(&person.identity) {
        let found = b.reads().candidates(&term, 100).unwrap();
        let expected: Vec<Held> =
            (0..40).map(held).filter(|other| terms(&other.identity).contains(&term)).collect();
        assert_eq!(found, expected, "by {:?}", term.kind);
        let other = Probe { text: format!("{} ", term.text), ..term };
        assert_eq!(b.reads().candidates(&other, 100).unwrap(), vec![]);
    }
    let crowd: Vec<Write> = (100..120)
        .map(|n| {
            let mut one = held(n);
            one.identity.items = person.identity.items.clone();
            Write::PutResident(one)
        })
        .collect();
    b.put(&crowd);
    let term = terms(&person.identity).pop().unwrap();
    assert_eq!(b.reads().candidates(&term, 5).unwrap().len(), 6);
    assert_eq!(b.reads().candidates(&term, 0).unwrap().len(), 1);
}

fn a_new_code_takes_history_and_entries_along(b: &mut dyn Bench) {
    let new = held(50);
    b.put(&[put(1), Write::AppendHistory { code: code(1), row: history(1, NOW), until: kept() }]);
    b.put(&[Write::PutForeign { subject: code(1), entry: foreign(1, NOW) }]);
    b.record(&[entry(1, &[1])]);
    // History may be named by the new code before the code is replaced in the same call.
    b.put(&[
        Write::AppendHistory { code: code(50), row: history(2, NOW), until: kept() },
        Write::ReplaceCode { previous: code(1), held: new.clone() },
    ]);
    b.record(&[entry(2, &[50])]);
    assert_eq!(b.reads().resident(&code(1)).unwrap(), None);
    assert_eq!(b.reads().resident(&code(50)).unwrap(), Some(new));
    assert_eq!(b.reads().residents_count().unwrap(), 1);
    assert_eq!(b.reads().history(&code(50), 9).unwrap(), vec![history(2, NOW), history(1, NOW)]);
    assert_eq!(b.reads().history(&code(1), 9).unwrap(), vec![]);
    let about = b.reads().entries_about(&code(50), 9).unwrap();
    assert_eq!(about.iter().map(|entry| entry.index).collect::<Vec<_>>(), vec![1, 0]);
    assert_eq!(b.reads().entries_about(&code(50), 1).unwrap().len(), 1);
    assert_eq!(b.reads().entries_about(&code(1), 9).unwrap().len(), 1);
    assert_eq!(b.reads().foreign_about(&code(50), 9).unwrap(), vec![foreign(1, NOW)]);
    // Kept through an ordinary change, too, and through a second change of code.
    b.put(&[put(50), Write::ReplaceCode { previous: code(50), held: held(51) }]);
    assert_eq!(b.reads().entries_about(&code(51), 9).unwrap().len(), 2);
    assert_eq!(b.reads().history(&code(51), 9).unwrap().len(), 2);
}

fn two_codes_that_become_one_person(b: &mut dyn Bench) {
    b.put(&[put(1), put(2), put(3)]);
    b.put(&[
        Write::AppendHistory { code: code(1), row: history(1, NOW), until: kept() },
        Write::AppendHistory { code: code(2), row: history(2, NOW), until: kept() },
    ]);
    b.put(&[Write::ReplaceCode { previous: code(1), held: held(2) }]);
    assert_eq!(b.reads().residents_count().unwrap(), 2);
    assert_eq!(b.reads().resident(&code(1)).unwrap(), None);
    assert_eq!(b.reads().resident(&code(2)).unwrap(), Some(held(2)));
    assert_eq!(b.reads().history(&code(2), 9).unwrap(), vec![history(2, NOW), history(1, NOW)]);
    // Unknown or equal previous codes make it an ordinary put.
    b.put(&[Write::ReplaceCode { previous: code(99), held: held(4) }]);
    b.put(&[Write::ReplaceCode { previous: code(4), held: removed(4) }]);
    assert_eq!(b.reads().resident(&code(4)).unwrap(), Some(removed(4)));
    assert_eq!(b.reads().residents_count().unwrap(), 2);
}

fn earlier_codes_of_both_come_along(b: &mut dyn Bench) {
    b.put(&[put(1), put(9)]);
    b.record(&[entry(1, &[9]), entry(2, &[1])]);
    b.put(&[Write::ReplaceCode { previous: code(9), held: held(2) }]);
    b.put(&[Write::ReplaceCode { previous: code(1), held: held(2) }]);
    let about = b.reads().entries_about(&code(2), 9).unwrap();
    assert_eq!(about.iter().map(|entry| entry.index).collect::<Vec<_>>(), vec![1, 0]);
}

fn history_needs_a_person_and_comes_newest_first(b: &mut dyn Bench) {
    let append =
        |n: u64| Write::AppendHistory { code: code(1), row: history(n, NOW), until: kept() };
    b.put(&[append(5), put(1)]);
    b.put(&[append(6), append(7)]);
    let found = b.reads().history(&code(1), 2).unwrap();
    assert_eq!(found, vec![history(7, NOW), history(6, NOW)]);
    let orphan = Write::AppendHistory { code: code(9), row: history(9, NOW), until: kept() };
    assert!(matches!(b.try_apply(&[orphan], &[]), Err(StoreError::Damaged(_))));
}

fn counters_only_grow(b: &mut dyn Bench) {
    let from = |text: &str| Counter::AppliedFrom(node(text));
    let all = [
        from("prefecture-13"),
        from("prefecture-20"),
        Counter::Feed,
        Counter::DirectorySerial,
        Counter::RequestsForgotten,
        Counter::Disclosed,
    ];
    for (counter, value) in all.iter().zip([3u64, 4, 5, 6, 7, u64::MAX >> 1]) {
        assert_eq!(b.reads().counter(counter).unwrap(), 0);
        b.put(&[Write::SetCounter(counter.clone(), value)]);
        b.put(&[Write::SetCounter(counter.clone(), value - 1)]);
        assert_eq!(b.reads().counter(counter).unwrap(), value);
    }
    assert_eq!(b.reads().counter(&all[0]).unwrap(), 3);
}

fn queues_number_without_gaps_and_forget_what_is_acknowledged(b: &mut dyn Bench) {
    let (near, far) = (node("center"), node("prefecture-13"));
    assert_eq!(b.reads().queue_bounds(&near).unwrap(), (0, 0));
    let enqueue = |to: &NodeId, byte: u8| Write::Enqueue { to: to.clone(), payload: vec![byte] };
    b.put(&[enqueue(&near, 1), enqueue(&far, 9), enqueue(&near, 2), enqueue(&near, 3)]);
    assert_eq!(b.reads().queue_bounds(&near).unwrap(), (0, 3));
    assert_eq!(b.reads().queued(&near, 0, 2).unwrap(), vec![(1, vec![1]), (2, vec![2])]);
    assert_eq!(b.reads().queued(&near, 2, 9).unwrap(), vec![(3, vec![3])]);
    assert_eq!(b.reads().queued(&near, u64::MAX, 9).unwrap(), vec![]);
    assert_eq!(b.reads().queued(&far, 0, 9).unwrap(), vec![(1, vec![9])]);
    let acknowledge = |up_to| Write::Acknowledge { to: near.clone(), up_to };
    b.put(&[acknowledge(2)]);
    assert_eq!(b.reads().queue_bounds(&near).unwrap(), (2, 3));
    assert_eq!(b.reads().queued(&near, 0, 9).unwrap(), vec![(3, vec![3])]);
    // Late and exaggerated acknowledgements change no more than they may.
    b.put(&[acknowledge(1), acknowledge(77)]);
    assert_eq!(b.reads().queue_bounds(&near).unwrap(), (3, 3));
    b.put(&[enqueue(&near, 4)]);
    assert_eq!(b.reads().queue_bounds(&near).unwrap(), (3, 4));
    assert_eq!(b.reads().queued(&near, 3, 9).unwrap(), vec![(4, vec![4])]);
    assert_eq!(b.reads().queue_bounds(&far).unwrap(), (0, 1));
}

fn requests_are_remembered_until_forgotten(b: &mut dyn Bench) {
    let seen =
        |byte: u8, until: u64| Write::RequestSeen { request: [byte; 16], until: Timestamp(until) };
    b.put(&[seen(1, 100), seen(2, 200)]);
    b.put(&[seen(2, 150)]);
    assert!(b.reads().request_seen(&[1; 16]).unwrap());
    assert!(!b.reads().request_seen(&[3; 16]).unwrap());
    let forgotten = |b: &mut dyn Bench| b.reads().counter(&Counter::RequestsForgotten).unwrap();
    b.put(&[Write::ForgetRequestsBefore(Timestamp(100))]);
    assert_eq!(forgotten(b), 0, "nobody was forgotten");
    // How late the clock says it is does not count; how long they were to be remembered does.
    b.put(&[Write::ForgetRequestsBefore(Timestamp(199))]);
    assert_eq!(forgotten(b), 100);
    assert!(!b.reads().request_seen(&[1; 16]).unwrap());
    b.put(&[seen(4, 150), Write::ForgetRequestsBefore(Timestamp(160))]);
    assert_eq!(forgotten(b), 150);
    b.put(&[Write::ForgetRequestsBefore(Timestamp(200))]);
    assert!(b.reads().request_seen(&[2; 16]).unwrap());
    b.crash();
    assert!(b.reads().request_seen(&[2; 16]).unwrap());
}

fn the_directory_is_the_last_one(b: &mut dyn Bench) {
    assert_eq!(b.reads().directory().unwrap(), None);
    b.put(&[Write::PutDirectory(vec![1]), Write::PutDirectory(vec![2, 3])]);
    b.crash();
    assert_eq!(b.reads().directory().unwrap(), Some(vec![2, 3]));
}

fn entries_are_contiguous_and_found_by_subject(b: &mut dyn Bench) {
    let recorded = b.record(&[entry(10, &[1, 2]), entry(11, &[])]);
    let places: Vec<_> = recorded.iter().map(|r| (r.entry.0, r.first_index, r.count)).collect();
    assert_eq!(places, vec![(10, 0, 2), (11, 2, 1)]);
    let recorded = b.record(&[entry(12, &[1])]);
    assert_eq!((recorded[0].first_index, recorded[0].count), (3, 1));
    assert_eq!(b.reads().entries_count().unwrap(), 4);

    let about = b.reads().entries_about(&code(1), 9).unwrap();
    assert_eq!(about.iter().map(|entry| entry.index).collect::<Vec<_>>(), vec![3, 0]);
    assert_eq!(about[1].entry, provision_text(&code(1), 10, NOW));
    assert_eq!(b.reads().entries_about(&code(1), 1).unwrap().len(), 1);
    assert_eq!(b.reads().entries_about(&code(5), 9).unwrap(), vec![]);
    let from = b.reads().entries_from(1, 2).unwrap();
    assert_eq!(from.iter().map(|entry| entry.index).collect::<Vec<_>>(), vec![1, 2]);
    assert_eq!(b.reads().entries_from(4, 2).unwrap(), vec![]);
    let salts: std::collections::BTreeSet<_> =
        b.reads().entries_from(0, 9).unwrap().iter().map(|entry| entry.salt).collect();
    assert_eq!(salts.len(), 4, "every entry has a salt of its own");
}

fn foreign_entries_are_found_newest_first(b: &mut dyn Bench) {
    let put =
        |subject: u64, n: u64| Write::PutForeign { subject: code(subject), entry: foreign(n, NOW) };
    b.put(&[put(1, 1), put(2, 2), put(1, 3)]);
    let found = b.reads().foreign_about(&code(1), 9).unwrap();
    assert_eq!(found, vec![foreign(3, NOW), foreign(1, NOW)]);
    assert_eq!(b.reads().foreign_about(&code(1), 1).unwrap(), vec![foreign(3, NOW)]);
    assert_eq!(b.reads().foreign_about(&code(9), 9).unwrap(), vec![]);
}

fn a_group_is_seen_before_commit_and_gone_after_rollback(b: &mut dyn Bench) {
    b.put(&[put(1)]);
    b.apply(&[put(2), Write::SetCounter(Counter::Feed, 7)]);
    b.try_apply(&[put(3)], &[entry(1, &[1])]).unwrap();
    assert!(b.reads().resident(&code(2)).unwrap().is_some());
    assert_eq!(b.reads().entries_count().unwrap(), 1);
    assert_eq!(b.reads().residents_count().unwrap(), 3);
    b.rollback();
    assert!(b.reads().resident(&code(2)).unwrap().is_none());
    assert_eq!(b.reads().entries_about(&code(1), 9).unwrap(), vec![]);
    assert_eq!(b.reads().entries_count().unwrap(), 0);
    assert_eq!(b.reads().residents_count().unwrap(), 1);
    assert_eq!(b.reads().counter(&Counter::Feed).unwrap(), 0);
    // The numbers are free again, and cohort keys drawn in the lost group do not linger.
    let recorded = b.record(&[entry(2, &[1])]);
    assert_eq!(recorded[0].first_index, 0);
    b.crash();
    assert_eq!(b.reads().entries_about(&code(1), 9).unwrap().len(), 1);
}

fn what_is_committed_survives_a_crash_and_nothing_else(b: &mut dyn Bench) {
    b.try_apply(&[put(1)], &[entry(1, &[1])]).unwrap();
    b.try_apply(&[put(2)], &[entry(2, &[2])]).unwrap();
    b.try_commit().unwrap();
    b.publish(&signer()).unwrap();
    b.try_apply(&[put(3)], &[entry(3, &[3])]).unwrap();
    b.crash();
    assert_eq!(b.reads().resident(&code(2)).unwrap(), Some(held(2)));
    assert_eq!(b.reads().resident(&code(3)).unwrap(), None);
    assert_eq!(b.reads().entries_count().unwrap(), 2);
    assert!(b.reads().proof(1).unwrap().is_some());
    b.record(&[entry(4, &[1])]);
    assert_eq!(b.publish(&signer()).unwrap().size, 3);
    b.crash();
    assert_eq!(b.reads().entries_about(&code(1), 9).unwrap().len(), 2);
}

fn a_failed_apply_fails_the_group_until_it_is_rolled_back(b: &mut dyn Bench) {
    b.try_apply(&[put(1)], &[entry(1, &[1])]).unwrap();
    let mut bad = entry(2, &[2]);
    bad.leaves[0].entry = b"no time in it".to_vec();
    assert!(b.try_apply(&[put(2)], &[bad]).is_err());
    // A commit now would let a receipt be made for the first entry, which is gone.
    assert!(b.try_commit().is_err());
    assert!(b.try_apply(&[put(3)], &[]).is_err());
    b.rollback();
    assert_eq!(b.reads().resident(&code(1)).unwrap(), None);
    assert_eq!(b.reads().resident(&code(2)).unwrap(), None);
    assert_eq!(b.reads().entries_count().unwrap(), 0);
    b.put(&[put(4)]);
    assert!(b.reads().resident(&code(4)).unwrap().is_some());
}

fn proofs_verify_against_the_checkpoint(b: &mut dyn Bench) {
    assert_eq!(b.reads().checkpoint().unwrap(), None);
    let signer = signer();
    let key = ledger::note::NoteSigner::verifier_key(&signer).clone();
    let mut id = 0;
    for (entries, published) in [(1usize, 1u64), (2, 3), (300, 303), (209, 512), (1, 513)] {
        let batch: Vec<_> = (0..entries)
            .map(|_| {
                id += 1;
                entry(id, &[1])
            })
            .collect();
        b.record(&batch);
        assert_eq!(b.reads().proof(published - 1).unwrap(), None, "not covered yet");
        assert_eq!(b.publish(&signer).unwrap().size, published);
        for opened in b.reads().entries_from(0, 9_999).unwrap() {
            let text = b.reads().proof(opened.index).unwrap().unwrap();
            let parsed = proof::parse(&text).unwrap();
            let data = commitment(&opened.salt, &opened.entry);
            let seen = parsed.verify(&data, &key, &[]).unwrap();
            assert_eq!((parsed.index, seen.checkpoint.size), (opened.index, published));
            assert!(parsed.verify(&[0; 32], &key, &[]).is_err());
        }
        assert_eq!(b.reads().proof(published).unwrap(), None);
        b.crash();
        assert!(b.reads().proof(0).unwrap().is_some());
    }
}

fn publication_waits_for_commit_and_signs_nothing_twice(b: &mut dyn Bench) {
    b.record(&[entry(1, &[1])]);
    b.try_apply(&[], &[entry(2, &[1])]).unwrap();
    assert_eq!(b.unpublished(), 1);
    assert_eq!(b.publish(&signer()).unwrap().size, 1, "the open group is not published");
    let first = b.reads().checkpoint().unwrap();
    b.rollback();
    let mut out = signer();
    out.broken = true;
    assert_eq!(b.publish(&out).unwrap().size, 1, "nothing new, so the device is not asked");
    assert_eq!(b.reads().checkpoint().unwrap(), first);
    assert_eq!(b.unpublished(), 0);
}

fn a_signer_that_fails_changes_nothing(b: &mut dyn Bench) {
    b.record(&[entry(1, &[1]), entry(2, &[2])]);
    b.publish(&signer()).unwrap();
    b.record(&[entry(3, &[1])]);
    let mut out = signer();
    out.broken = true;
    assert!(matches!(b.publish(&out), Err(StoreError::Key(_))));
    let other = TestSigner::new("jukinet.example/prefecture-13", 6);
    assert!(matches!(b.publish(&other), Err(StoreError::Key(_))));
    assert!(b.reads().proof(1).unwrap().is_some(), "the last checkpoint still proves");
    assert_eq!(b.reads().proof(2).unwrap(), None);
    assert_eq!(b.publish(&signer()).unwrap().size, 3);
    assert!(b.reads().proof(2).unwrap().is_some());
    assert!(b.reads().checkpoint().unwrap().unwrap().starts_with(ORIGIN));
}
