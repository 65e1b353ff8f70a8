//! What rows of one file or batch must not do among themselves: sequence numbers that repeat, go
//! back or leave a gap, and two changes of one resident that cannot both be true. Not a comparison
//! with what the server holds: that is the server's.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

use law::change::ChangeReason;
use law::code::RecordCode;
use law::time::Date;
use wire::FeedRow;

use super::cells::RowFault;

/// Changes that are remembered for comparison. A file of changes has some thousands a day; of a
/// longer one the latest are compared, so that a file of any length is read in constant memory.
const CHANGES_REMEMBERED_COUNT_MAX: usize = 65_536;
/// Gaps that are remembered; in a file with more, a number that comes late is called a repetition.
const GAPS_REMEMBERED_COUNT_MAX: usize = 1_024;

/// What the earlier rows said.
#[derive(Default)]
pub(crate) struct Between {
    /// First and highest number so far.
    numbers: Option<(u64, u64)>,
    /// Missing numbers, as first → last.
    gaps: BTreeMap<u64, u64>,
    /// A row's number could not be read since the highest.
    unsure: bool,
    changes: HashMap<RecordCode, (Date, ChangeReason, u64)>,
    order: VecDeque<RecordCode>,
}

impl std::fmt::Debug for Between {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Between({} changes)", self.changes.len())
    }
}

impl Between {
    /// Whether the row can stand beside the earlier ones; remembers it.
    pub(crate) fn admit(&mut self, row: &FeedRow) -> Result<(), RowFault> {
        if let Some(sequence) = row.sequence {
            self.number(sequence)?;
        }
        self.change(row)
    }

    /// A row that was refused for another reason has used its number all the same. Where that
    /// cannot be read, what follows is no gap.
    pub(crate) fn pass_over(&mut self, sequence: Option<u64>) {
        match sequence {
            Some(sequence) => {
                let _ = self.number(sequence);
            }
            None => self.unsure = true,
        }
    }

    fn number(&mut self, sequence: u64) -> Result<(), RowFault> {
        let fault = |rule, remedy| Err(RowFault::new("sequence", rule, remedy));
        let Some((first, high)) = self.numbers else {
            self.numbers = Some((sequence, sequence));
            return Ok(());
        };
        if sequence > high {
            self.numbers = Some((first, sequence));
            if std::mem::take(&mut self.unsure) || sequence == high + 1 {
                return Ok(());
            }
            if self.gaps.len() < GAPS_REMEMBERED_COUNT_MAX {
                self.gaps.insert(high + 1, sequence - 1);
            }
            return fault(
                "sequence-gap",
                "numbers before this row are missing: send those changes and then this one, under \
                 new numbers without a gap",
            );
        }
        let late = sequence < first
            || self.gaps.range(..=sequence).next_back().is_some_and(|(_, last)| sequence <= *last);
        if late {
            fault("sequence-order", "numbers ascend: send this change under a new number")
        } else {
            fault(
                "sequence-duplicate",
                "another row of this file has this number: give it a new one",
            )
        }
    }

    fn change(&mut self, row: &FeedRow) -> Result<(), RowFault> {
        let notice = &row.notice;
        let code = notice.record.code;
        let made = (notice.changed_on, notice.reason, fingerprint(row));
        match self.changes.get(&code) {
            Some((on, reason, other)) if (*on, *reason) == (made.0, made.1) && *other != made.2 => {
                Err(RowFault::new(
                    "record_code",
                    "conflicting-change",
                    "an earlier row changes this resident on this day for this reason to something \
                     else: send the one that is true under a new number",
                ))
            }
            _ => {
                if self.changes.insert(code, made).is_none() {
                    self.order.push_back(code);
                }
                if self.order.len() > CHANGES_REMEMBERED_COUNT_MAX
                    && let Some(oldest) = self.order.pop_front()
                {
                    self.changes.remove(&oldest);
                }
                Ok(())
            }
        }
    }
}

/// Equal for rows that say the same about the person. Not stored and not sent.
fn fingerprint(row: &FeedRow) -> u64 {
    let notice = &row.notice;
    let record = &notice.record;
    let mut hasher = DefaultHasher::new();
    record.items.name.hash(&mut hasher);
    record.items.kana.hash(&mut hasher);
    record.items.address.hash(&mut hasher);
    record.items.sex.hash(&mut hasher);
    record.items.birth.hash(&mut hasher);
    record.municipality.hash(&mut hasher);
    record.other_names.alternative.hash(&mut hasher);
    record.other_names.former_surname.hash(&mut hasher);
    (notice.previous_code, notice.foreign).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::{Cells, Reading};

    struct Person(u64, &'static str);

    impl Cells for Person {
        fn cell(&self, column: &str) -> Option<&str> {
            Some(match column {
                "record_code" => return CODES.get(usize::try_from(self.0).ok()?).copied(),
                "family_name" => "住基",
                "family_kana" => "ジュウキ",
                "sex" => "1",
                "birth" => "1985-04-01",
                "municipality_code" => "132152",
                "address" => self.1,
                "reason" => "moved-within",
                "changed_on" => "2024-04-01",
                _ => return None,
            })
        }
    }

    const CODES: [&str; 2] = ["00000000019", "00000000027"];
    const HERE: &str = "東京都国立市東一丁目1番";
    const THERE: &str = "東京都国立市東二丁目2番";

    fn row(sequence: Option<u64>, person: u64, address: &'static str) -> FeedRow {
        let reading = Reading { list: false, characters: None };
        let mut row = reading.row(2, &Person(person, address)).unwrap();
        row.sequence = sequence;
        row
    }

    fn rules(rows: &[Option<u64>]) -> Vec<String> {
        let mut between = Between::default();
        let mut rule = |sequence: &Option<u64>| match between.admit(&row(*sequence, 0, HERE)) {
            Ok(()) => String::new(),
            Err(fault) => fault.rule,
        };
        rows.iter().map(&mut rule).collect()
    }

    #[test]
    fn numbers_ascend_by_one_and_each_break_has_its_name() {
        let some = |numbers: &[u64]| rules(&numbers.iter().copied().map(Some).collect::<Vec<_>>());
        assert_eq!(some(&[7, 8, 9]), ["", "", ""]);
        assert_eq!(some(&[1, 1, 2]), ["", "sequence-duplicate", ""]);
        assert_eq!(
            some(&[1, 4, 5, 2, 4, 6]),
            ["", "sequence-gap", "", "sequence-order", "sequence-duplicate", ""]
        );
        assert_eq!(some(&[5, 3]), ["", "sequence-order"]);
        assert_eq!(rules(&[None, None, Some(3)]), ["", "", ""]);
    }

    #[test]
    fn a_row_refused_for_something_else_leaves_no_gap() {
        let mut between = Between::default();
        between.admit(&row(Some(1), 0, HERE)).unwrap();
        between.pass_over(Some(2));
        between.admit(&row(Some(3), 0, HERE)).unwrap();
        between.pass_over(None);
        between.admit(&row(Some(5), 0, HERE)).unwrap();
        assert_eq!(between.admit(&row(Some(7), 0, HERE)).unwrap_err().rule, "sequence-gap");
    }

    #[test]
    fn two_changes_that_cannot_both_be_true_are_named_and_a_repeated_one_is_not() {
        let mut between = Between::default();
        between.admit(&row(None, 0, HERE)).unwrap();
        between.admit(&row(None, 0, HERE)).unwrap();
        between.admit(&row(None, 1, THERE)).unwrap();
        let fault = between.admit(&row(None, 0, THERE)).unwrap_err();
        assert_eq!(
            (fault.column.as_str(), fault.rule.as_str()),
            ("record_code", "conflicting-change")
        );
        let mut later = row(None, 0, THERE);
        later.notice.changed_on = Date::parse("2024-04-02").unwrap();
        between.admit(&later).unwrap();
    }
}
