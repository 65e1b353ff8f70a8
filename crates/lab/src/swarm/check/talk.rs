//! Who says what to whom, in what size (V11, V13, V17): a second table of the conversations, typed
//! from the law and the system description, with the geography that the machines' table has not.
//!
//! 続柄 and 戸籍の表示 have no message yet. What municipalities say to one another directly (a claim, a
//! release) may be said to nobody else: that is checked today.

use wire::{Reply, Request};

use super::super::country::{CENTER, MUNICIPALITIES, PREFECTURES, Place};
use super::{Checker, Violation};

/// Who speaks at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) enum Speaker {
    Node,
    Terminal,
    Register,
}

/// From whom to which node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Way {
    pub(in super::super) from: Place,
    pub(in super::super) speaker: Speaker,
    pub(in super::super) to: Place,
}

/// How near two nodes of a conversation must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Near {
    /// In one office.
    Office,
    /// A municipality and its own prefecture.
    Own,
    /// One of them is the center.
    Center,
    /// Two municipalities.
    Neighbours,
}

/// (who, to whom, what, how near, the replies besides "not now").
type Row = (&'static str, &'static str, &'static str, Near, &'static [&'static str]);

const TABLE: [Row; 31] = [
    ("feed", "municipality", "feed", Near::Office, &["feed-result"]),
    ("feed", "municipality", "take-code", Near::Office, &["code-taken"]),
    ("terminal", "municipality", "inquiry", Near::Office, &["answer", "refusal"]),
    ("terminal", "prefecture", "inquiry", Near::Office, &["answer", "refusal"]),
    ("terminal", "agency", "inquiry", Near::Office, &["answer", "refusal"]),
    ("terminal", "prefecture", "view-query", Near::Office, &["view", "refusal"]),
    ("terminal", "center", "status-query", Near::Office, &["status", "refusal"]),
    ("municipality", "prefecture", "notices", Near::Own, &["notice-ack"]),
    ("municipality", "prefecture", "inquiry", Near::Own, &["answer", "refusal"]),
    ("municipality", "prefecture", "compare", Near::Own, &["compared"]),
    ("municipality", "prefecture", "suspicion", Near::Own, &["suspected"]),
    ("municipality", "prefecture", "repair", Near::Own, &["repaired"]),
    ("municipality", "center", "inquiry", Near::Center, &["answer", "refusal"]),
    ("municipality", "center", "pool-request", Near::Center, &["pool"]),
    ("municipality", "center", "directory-fetch", Near::Center, &["directory"]),
    ("municipality", "center", "heartbeat", Near::Center, &["heartbeat-ack"]),
    (
        "municipality",
        "municipality",
        "move-claim",
        Near::Neighbours,
        &["move-released", "move-refused"],
    ),
    ("prefecture", "center", "notices", Near::Center, &["notice-ack"]),
    ("prefecture", "center", "compare", Near::Center, &["compared"]),
    ("prefecture", "center", "suspicion", Near::Center, &["suspected"]),
    ("prefecture", "center", "repair", Near::Center, &["repaired"]),
    ("prefecture", "center", "inquiry", Near::Center, &["answer", "refusal"]),
    ("prefecture", "center", "directory-fetch", Near::Center, &["directory"]),
    ("prefecture", "center", "heartbeat", Near::Center, &["heartbeat-ack"]),
    ("agency", "center", "inquiry", Near::Center, &["answer", "refusal"]),
    ("agency", "center", "directory-fetch", Near::Center, &["directory"]),
    ("agency", "center", "heartbeat", Near::Center, &["heartbeat-ack"]),
    ("center", "prefecture", "disclosures", Near::Center, &["disclosure-ack"]),
    ("center", "prefecture", "directory-push", Near::Center, &["directory-ack"]),
    ("center", "municipality", "directory-push", Near::Center, &["directory-ack"]),
    ("center", "agency", "directory-push", Near::Center, &["directory-ack"]),
];

/// One frame, its length in front of it included.
const FRAME_BYTES_MAX: usize = 4 + (1 << 20);

/// What every refusal takes in its frame: two kilobytes of message, 12 of envelope, 4 of length.
const REFUSAL_FRAME_BYTES: usize = 2_048 + 16;

/// Classes of answers, and what the envelope adds at most.
const ANSWER_CLASSES: [usize; 4] = [2_048, 16_384, 65_536, 262_144];
const ENVELOPE_BYTES: std::ops::RangeInclusive<usize> = 16..=18;

/// Rows of one batch: notices and feed rows, and disclosures.
const NOTICES_COUNT_MAX: usize = 180;
const DISCLOSURES_COUNT_MAX: usize = 64;
/// Codes of one designation.
const POOL_CODES_COUNT_MAX: usize = 10_000;
/// Rows of one view.
const VIEW_ROWS_COUNT_MAX: usize = 300;

pub(super) fn role(place: Place) -> &'static str {
    match place {
        CENTER => "center",
        _ if PREFECTURES.contains(&place) => "prefecture",
        _ if MUNICIPALITIES.contains(&place) => "municipality",
        _ => "agency",
    }
}

/// The prefecture of a municipality's area.
pub(super) fn above(municipality: Place) -> Place {
    if municipality > 4 { 2 } else { 1 }
}

fn row(way: Way, kind: &str) -> Option<&'static Row> {
    let who = match way.speaker {
        Speaker::Node => role(way.from),
        Speaker::Terminal => "terminal",
        Speaker::Register => "feed",
    };
    TABLE.iter().find(|row| (row.0, row.1, row.2) == (who, role(way.to), kind))
}

fn is_near(near: Near, way: Way) -> bool {
    match near {
        Near::Office => way.from == way.to,
        Near::Own => above(way.from) == way.to,
        Near::Center => way.from == CENTER || way.to == CENTER,
        Near::Neighbours => way.from != way.to,
    }
}

fn wrong(rule: &'static str, way: Way, what: &str) -> Result<(), Violation> {
    let Way { from, speaker, to } = way;
    Err(Violation::new(rule, format!("{speaker:?} of place {from} to place {to}: {what}")))
}

/// A request on its way, by the table, the map and the limits.
pub(super) fn request(way: Way, request: &Request, bytes: usize) -> Result<(), Violation> {
    let kind = request.kind().key();
    if !row(way, kind).is_some_and(|row| is_near(row.3, way)) {
        return wrong("conversation", way, &format!("says {kind}, which is not said there"));
    }
    let within = match request {
        Request::Notices(batch) => batch.notices.len() <= NOTICES_COUNT_MAX,
        Request::Feed(batch) => batch.rows.len() <= NOTICES_COUNT_MAX,
        Request::Disclosures(batch) => batch.rows.len() <= DISCLOSURES_COUNT_MAX,
        Request::MoveClaim(claim) => {
            let (from, to) = (claim.to.as_str(), claim.from.as_str());
            return match (municipality_of(way.from), municipality_of(way.to)) {
                (Some(a), Some(b)) if (a, b) == (from, to) => Ok(()),
                _ => wrong("conversation", way, "a claim that names other municipalities"),
            };
        }
        _ => true,
    };
    if !within || bytes > FRAME_BYTES_MAX {
        return wrong("limits", way, &format!("{kind} of {bytes} bytes is larger than may be"));
    }
    Ok(())
}

fn municipality_of(place: Place) -> Option<&'static str> {
    super::super::country::PLACES.get(place)?.1.strip_prefix("municipality:")
}

/// A reply on its way to whoever asked `kind`. Refusals are of one size, answers of four, so that
/// neither tells how many were found (V13, as far as there is anything to hide today).
pub(super) fn reply(way: Way, kind: &str, reply: &Reply, bytes: usize) -> Result<(), Violation> {
    let said = reply.kind().key();
    let known = row(way, kind).is_some_and(|row| row.4.contains(&said));
    if !known && said != "unavailable" {
        return wrong("conversation", way, &format!("is answered {said} to its {kind}"));
    }
    let within = match reply {
        Reply::Refusal(_) if bytes.abs_diff(REFUSAL_FRAME_BYTES) > 1 => {
            return wrong("sizes", way, &format!("a refusal takes {bytes} bytes"));
        }
        Reply::Answer(_) => {
            let class = |class: &usize| {
                bytes.checked_sub(*class).is_some_and(|over| ENVELOPE_BYTES.contains(&over))
            };
            if !ANSWER_CLASSES.iter().any(class) {
                return wrong("sizes", way, &format!("an answer takes {bytes} bytes"));
            }
            true
        }
        Reply::Pool(pool) => pool.codes.len() <= POOL_CODES_COUNT_MAX,
        Reply::View(view) => view.rows.len() <= VIEW_ROWS_COUNT_MAX,
        _ => true,
    };
    if !within || bytes > FRAME_BYTES_MAX {
        return wrong("limits", way, &format!("{said} of {bytes} bytes is larger than may be"));
    }
    Ok(())
}

impl Checker {
    /// What leaves this place is not an honest machine's.
    pub(super) fn lies(&self, place: Place) -> bool {
        self.hostile == Some(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::{Answer, NoticeBatch, Refusal};

    fn way(from: Place, to: Place) -> Way {
        Way { from, speaker: Speaker::Node, to }
    }

    #[test]
    fn a_message_on_a_way_that_is_not_its_own_is_found() {
        let batch = || Request::Notices(NoticeBatch { first_sequence: 1, notices: Vec::new() });
        assert_eq!(request(way(3, 1), &batch(), 100), Ok(()));
        for (from, to) in [(3, 2), (3, 0), (1, 2), (0, 1), (7, 0)] {
            let found = request(way(from, to), &batch(), 100).unwrap_err();
            assert_eq!(found.rule, "conversation", "{from} {to}");
        }
        assert_eq!(request(way(3, 1), &batch(), 1 << 21).unwrap_err().rule, "limits");
    }

    #[test]
    fn what_municipalities_say_to_one_another_goes_nowhere_else() {
        let country = super::super::super::country::country().unwrap();
        let code = |place: Place| match country.sites[place].organ {
            law::organ::Organ::Municipality(code) => code,
            _ => panic!("no municipality"),
        };
        let claim = |from: Place, to: Place| {
            Request::MoveClaim(wire::MoveClaim {
                code: law::code::RecordCode::from_ten_digits(1).unwrap(),
                name: law::people::Name::parse("山田　太郎").unwrap(),
                birth: law::people::BirthDate::parse("1960-01-01").unwrap(),
                from: code(from),
                to: code(to),
                moved_on: law::time::Date::parse("2021-01-01").unwrap(),
            })
        };
        assert_eq!(request(way(4, 5), &claim(5, 4), 100), Ok(()));
        for to in [0, 1, 2, 3, 6, 7] {
            let found = request(way(4, to), &claim(5, 4), 100).unwrap_err();
            assert_eq!(found.rule, "conversation", "{to}");
        }
    }

    #[test]
    fn a_reply_of_another_kind_or_size_is_found() {
        let answer = Reply::Answer(Answer {
            digest: [0; 32],
            ledger: "x".into(),
            index: 0,
            persons: vec![],
        });
        let refusal = Reply::Refusal(Refusal {
            digest: [0; 32],
            rule: "query-shape".into(),
            law: String::new(),
            hint: String::new(),
            hint_en: String::new(),
        });
        let to_center = way(7, 0);
        let size = |reply: &Reply| {
            let body = wire::frame::FrameBody::Reply(reply.clone());
            wire::frame::encode(&wire::frame::Frame { id: 1, body }).unwrap().len()
        };
        for said in [&answer, &refusal] {
            assert_eq!(reply(to_center, "inquiry", said, size(said)), Ok(()));
            let found = reply(to_center, "inquiry", said, size(said) - 40).unwrap_err();
            assert_eq!(found.rule, "sizes");
            let found = reply(to_center, "heartbeat", said, size(said)).unwrap_err();
            assert_eq!(found.rule, "conversation");
        }
    }
}
