//! Points in time and calendar dates as values. Not a clock: nothing here asks what time it is.
//!
//! Dates are Gregorian and start at 1873-01-01: the day before was 明治5年12月2日 of the lunisolar
//! calendar, on which this code refuses to calculate.

use std::fmt;

use thiserror::Error;
use unicode_normalization::UnicodeNormalization;

/// First Gregorian year of Japan (明治6年). Earlier dates cannot be added to or compared.
pub const GREGORIAN_FIRST_YEAR: u16 = 1873;
/// Last year with four digits, which every text form here assumes.
pub const GREGORIAN_LAST_YEAR: u16 = 9999;
/// The longest text any date or timestamp form needs; longer input is refused unread.
const DATE_TEXT_BYTES_MAX: usize = 64;

const MS_PER_DAY: u64 = 86_400_000;
/// Japan has had one offset and no summer time since 1951; the network began in 2002.
const JAPAN_OFFSET_MS: u64 = 9 * 3_600_000;
/// 9999-12-31T14:59:59.999Z, the last instant whose Japanese date still has four digits.
const TIMESTAMP_MS_MAX: u64 = 253_402_268_399_999;

/// Why a text or a triple of numbers is not a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DateError {
    #[error("date is not in a known form; write 2026-11-22 or S60.4.1")]
    Form,
    #[error("date does not exist in the calendar; check month and day")]
    NoSuchDay,
    #[error(
        "date lies before 1873-01-01 or after 9999-12-31; such dates cannot be calculated with"
    )]
    OutOfRange,
    #[error("date lies outside the era it names; check era and year")]
    OutsideEra,
}

/// An instant, in milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// `2026-11-22T03:04:05.006Z`, always with milliseconds so that every text has one length.
    #[must_use]
    pub fn to_rfc3339(&self) -> String {
        let ms = self.0.min(TIMESTAMP_MS_MAX);
        let date = Date::from_day_number(i64::try_from(ms / MS_PER_DAY).unwrap_or(0));
        let rest = ms % MS_PER_DAY;
        let (h, m, s) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1000 % 60);
        format!("{date}T{h:02}:{m:02}:{s:02}.{:03}Z", rest % 1000)
    }

    /// Reads `YYYY-MM-DDThh:mm:ss[.fraction](Z|±hh:mm)`; digits after the millisecond are dropped.
    pub fn parse_rfc3339(text: &str) -> Result<Self, DateError> {
        if text.len() > DATE_TEXT_BYTES_MAX {
            return Err(DateError::Form);
        }
        let (date, clock) = text.split_once(['T', 't']).ok_or(DateError::Form)?;
        let date = Date::parse(date)?;
        let at = clock.find(['Z', 'z', '+', '-']).ok_or(DateError::Form)?;
        let (clock, zone) = clock.split_at_checked(at).ok_or(DateError::Form)?;
        let (whole, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
        let mut parts = whole.split(':');
        let mut next = |max: u64| -> Result<u64, DateError> {
            let value = u64::from(digits(parts.next().ok_or(DateError::Form)?, 2)?);
            if value > max { Err(DateError::Form) } else { Ok(value) }
        };
        let (h, m, s) = (next(23)?, next(59)?, next(59)?);
        if parts.next().is_some()
            || fraction.is_empty()
            || !fraction.bytes().all(|b| b.is_ascii_digit())
        {
            return Err(DateError::Form);
        }
        let millis: String = fraction.chars().chain("00".chars()).take(3).collect();
        let millis = u64::from(digits(&millis, 3)?);
        let local =
            i64::try_from(((h * 60 + m) * 60 + s) * 1000 + millis).map_err(|_| DateError::Form)?;
        let instant = date.day_number() * 86_400_000 + local - zone_offset_ms(zone)?;
        let instant = u64::try_from(instant).map_err(|_| DateError::OutOfRange)?;
        if instant > TIMESTAMP_MS_MAX { Err(DateError::OutOfRange) } else { Ok(Self(instant)) }
    }

    /// The calendar date in Japan at this instant; legal terms begin and end there.
    #[must_use]
    pub fn date_in_japan(&self) -> Date {
        let ms = self.0.min(TIMESTAMP_MS_MAX) + JAPAN_OFFSET_MS;
        Date::from_day_number(i64::try_from(ms / MS_PER_DAY).unwrap_or(0))
    }

    /// This instant moved by `ms`, staying inside the range of the type.
    #[must_use]
    pub fn plus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// How far two instants lie apart, whichever comes first.
    #[must_use]
    pub fn distance_ms(self, other: Self) -> u64 {
        self.0.abs_diff(other.0)
    }
}

fn zone_offset_ms(zone: &str) -> Result<i64, DateError> {
    if zone.eq_ignore_ascii_case("z") {
        return Ok(0);
    }
    let (sign, rest) = match zone.strip_prefix('+') {
        Some(rest) => (1, rest),
        None => (-1, zone.strip_prefix('-').ok_or(DateError::Form)?),
    };
    let (h, m) = rest.split_once(':').ok_or(DateError::Form)?;
    let (h, m) = (digits(h, 2)?, digits(m, 2)?);
    if h > 23 || m > 59 {
        return Err(DateError::Form);
    }
    Ok(sign * i64::from(h * 60 + m) * 60_000)
}

/// A Gregorian calendar date from 1873-01-01 to 9999-12-31.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

impl Date {
    /// The date of these numbers, if there is one that can be calculated with.
    pub fn new(year: u16, month: u8, day: u8) -> Result<Self, DateError> {
        if !(GREGORIAN_FIRST_YEAR..=GREGORIAN_LAST_YEAR).contains(&year) {
            return Err(DateError::OutOfRange);
        }
        if day == 0 || day > days_in_month(year, month) {
            return Err(DateError::NoSuchDay);
        }
        Ok(Self { year, month, day })
    }

    /// Reads `2026-11-22`, nothing shorter and nothing else.
    pub fn parse(text: &str) -> Result<Self, DateError> {
        let (year, month, day) = iso_numbers(text)?;
        Self::new(year, month, day)
    }

    #[must_use]
    pub fn year(self) -> u16 {
        self.year
    }

    #[must_use]
    pub fn month(self) -> u8 {
        self.month
    }

    #[must_use]
    pub fn day(self) -> u8 {
        self.day
    }

    /// The date `days` later (earlier if negative); refuses to leave the range of the type.
    pub fn add_days(self, days: i64) -> Result<Self, DateError> {
        let number = self.day_number().checked_add(days).ok_or(DateError::OutOfRange)?;
        let first = civil_day_number(i64::from(GREGORIAN_FIRST_YEAR), 1, 1);
        let last = civil_day_number(i64::from(GREGORIAN_LAST_YEAR), 12, 31);
        if !(first..=last).contains(&number) {
            return Err(DateError::OutOfRange);
        }
        Ok(Self::from_day_number(number))
    }

    /// Days since 1970-01-01.
    #[must_use]
    pub fn day_number(self) -> i64 {
        civil_day_number(i64::from(self.year), i64::from(self.month), i64::from(self.day))
    }

    /// When this day begins in Japan; the earliest time there is for days before 1970.
    #[must_use]
    pub fn starts_in_japan(self) -> Timestamp {
        let days = u64::try_from(self.day_number()).unwrap_or(0);
        Timestamp((days * MS_PER_DAY).saturating_sub(JAPAN_OFFSET_MS))
    }

    /// Inverse of [`Date::day_number`]; callers have checked the range.
    fn from_day_number(number: i64) -> Self {
        let z = number + 719_468;
        let era = z.div_euclid(146_097);
        let doe = z.rem_euclid(146_097);
        let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
        let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        let mp = (5 * doy + 2) / 153;
        let day = doy - (153 * mp + 2) / 5 + 1;
        let month = if mp < 10 { mp + 3 } else { mp - 9 };
        let year = yoe + era * 400 + i64::from(month <= 2);
        Self {
            year: u16::try_from(year).unwrap_or(GREGORIAN_LAST_YEAR),
            month: u8::try_from(month).unwrap_or(1),
            day: u8::try_from(day).unwrap_or(1),
        }
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

fn civil_day_number(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let yoe = y.rem_euclid(400);
    let mp = if month > 2 { month - 3 } else { month + 9 };
    let doy = (153 * mp + 2) / 5 + day - 1;
    era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468
}

/// Days of a month; 0 when the month does not exist.
#[must_use]
pub fn days_in_month(year: u16, month: u8) -> u8 {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        _ => 0,
    }
}

/// The three numbers of `YYYY-MM-DD`, not yet checked against the calendar.
pub(crate) fn iso_numbers(text: &str) -> Result<(u16, u8, u8), DateError> {
    if text.len() != 10 {
        return Err(DateError::Form);
    }
    let mut parts = text.split('-');
    let mut next = |len| digits(parts.next().ok_or(DateError::Form)?, len);
    let (year, month, day) = (next(4)?, next(2)?, next(2)?);
    if parts.next().is_some() {
        return Err(DateError::Form);
    }
    Ok((
        u16::try_from(year).map_err(|_| DateError::Form)?,
        u8::try_from(month).map_err(|_| DateError::Form)?,
        u8::try_from(day).map_err(|_| DateError::Form)?,
    ))
}

fn digits(text: &str, len: usize) -> Result<u32, DateError> {
    if text.len() != len || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(DateError::Form);
    }
    text.parse().map_err(|_| DateError::Form)
}

/// One row of the era table (元号).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Era {
    /// The digit that JPKI and register files use: 1 明治 … 5 令和.
    pub digit: u8,
    pub letter: char,
    pub name: &'static str,
    /// First day; it belongs to this era, not to the one before.
    pub first: (u16, u8, u8),
}

impl Era {
    /// Gregorian year of the year 1 (元年) of this era.
    const fn first_year(&self) -> u16 {
        self.first.0
    }
}

/// The five eras since the restoration. 明治 is counted from 1868-01-25 retroactively.
pub const ERAS: [Era; 5] = [
    Era { digit: 1, letter: 'M', name: "明治", first: (1868, 1, 25) },
    Era { digit: 2, letter: 'T', name: "大正", first: (1912, 7, 30) },
    Era { digit: 3, letter: 'S', name: "昭和", first: (1926, 12, 25) },
    Era { digit: 4, letter: 'H', name: "平成", first: (1989, 1, 8) },
    Era { digit: 5, letter: 'R', name: "令和", first: (2019, 5, 1) },
];

/// The era a date lies in.
#[must_use]
pub fn era_of(date: &Date) -> &'static Era {
    let key = (date.year, date.month, date.day);
    ERAS.iter().rev().find(|era| era.first <= key).unwrap_or(&ERAS[0])
}

/// A date in the Japanese calendar, `令和8年11月22日`; year 1 is written 元年.
#[must_use]
pub fn wareki(date: &Date) -> String {
    format!("{}{}月{}日", wareki_year(era_of(date), date.year), date.month, date.day)
}

/// Era and year, `昭和60年`.
pub(crate) fn wareki_year(era: &Era, year: u16) -> String {
    match year.saturating_sub(era.first_year()) + 1 {
        1 => format!("{}元年", era.name),
        n => format!("{}{n}年", era.name),
    }
}

/// Reads what is typed at a counter: `S60.4.1`, `昭60-4-1`, `昭和60年4月1日`, `平成元年1月8日`,
/// `3600401` (era digit, then YYMMDD) or ISO. Full-width characters are accepted.
pub fn parse_wareki(text: &str) -> Result<Date, DateError> {
    if text.len() > DATE_TEXT_BYTES_MAX {
        return Err(DateError::Form);
    }
    let text: String = text.trim().nfkc().collect();
    if let Ok(date) = Date::parse(&text) {
        return Ok(date);
    }
    if text.len() == 7 && text.bytes().all(|b| b.is_ascii_digit()) {
        let number = digits(&text, 7)?;
        let era = ERAS.iter().find(|era| u32::from(era.digit) == number / 1_000_000);
        let (y, m, d) = (number / 10_000 % 100, number / 100 % 100, number % 100);
        return in_era(era.ok_or(DateError::Form)?, y, m, d);
    }
    let (era, rest) = ERAS
        .iter()
        .find_map(|era| era_prefix(era, &text).map(|rest| (era, rest)))
        .ok_or(DateError::Form)?;
    let rest = rest.replacen("元", "1", 1);
    let rest = rest.strip_suffix('日').unwrap_or(&rest);
    let numbers = rest
        .split(['.', '-', '/', '年', '月'])
        .map(|part| {
            let part = part.trim();
            if part.is_empty() || part.len() > 2 { Err(DateError::Form) } else { number(part) }
        })
        .collect::<Result<Vec<u32>, _>>()?;
    match numbers.as_slice() {
        [y, m, d] => in_era(era, *y, *m, *d),
        _ => Err(DateError::Form),
    }
}

fn era_prefix<'t>(era: &Era, text: &'t str) -> Option<&'t str> {
    let short: String = era.name.chars().take(1).collect();
    text.strip_prefix(era.name)
        .or_else(|| text.strip_prefix(short.as_str()))
        .or_else(|| text.strip_prefix(era.letter))
        .or_else(|| text.strip_prefix(era.letter.to_ascii_lowercase()))
}

fn number(text: &str) -> Result<u32, DateError> {
    digits(text, text.len())
}

fn in_era(era: &Era, year: u32, month: u32, day: u32) -> Result<Date, DateError> {
    if year == 0 {
        return Err(DateError::Form);
    }
    let year = u16::try_from(u32::from(era.first_year()) + year - 1);
    let (month, day) = (u8::try_from(month), u8::try_from(day));
    let (Ok(year), Ok(month), Ok(day)) = (year, month, day) else {
        return Err(DateError::NoSuchDay);
    };
    let date = Date::new(year, month, day)?;
    if era_of(&date) == era { Ok(date) } else { Err(DateError::OutsideEra) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_midnight_in_japan() {
        let day = Date::parse("2026-11-22").unwrap();
        let begins = day.starts_in_japan();
        assert_eq!(begins.date_in_japan(), day);
        assert_eq!(Timestamp(begins.0 - 1).date_in_japan(), Date::parse("2026-11-21").unwrap());
        assert_eq!(Date::parse("1930-01-01").unwrap().starts_in_japan(), Timestamp(0));
    }

    #[test]
    fn era_boundaries_belong_to_the_new_era() {
        for (iso, text) in [
            ("1873-01-01", "明治6年1月1日"),
            ("1912-07-29", "明治45年7月29日"),
            ("1912-07-30", "大正元年7月30日"),
            ("1926-12-24", "大正15年12月24日"),
            ("1926-12-25", "昭和元年12月25日"),
            ("1989-01-07", "昭和64年1月7日"),
            ("1989-01-08", "平成元年1月8日"),
            ("2019-04-30", "平成31年4月30日"),
            ("2019-05-01", "令和元年5月1日"),
            ("2026-11-22", "令和8年11月22日"),
        ] {
            let date = Date::parse(iso).unwrap();
            assert_eq!(wareki(&date), text);
            assert_eq!(parse_wareki(text), Ok(date), "{text}");
        }
    }

    #[test]
    fn counter_forms_mean_one_day() {
        let day = Date::new(1985, 4, 1).unwrap();
        for text in ["S60.4.1", "s60/4/1", "昭60-4-1", "3600401", "1985-04-01", "Ｓ６０．４．１"]
        {
            assert_eq!(parse_wareki(text), Ok(day), "{text}");
        }
        assert_eq!(parse_wareki("S64.1.8"), Err(DateError::OutsideEra));
        assert_eq!(parse_wareki("M5.12.2"), Err(DateError::OutOfRange));
        for text in ["", "S60", "S60.4", "S60.4.1.1", "6600401", "60.4.1", "S0.4.1"] {
            assert!(parse_wareki(text).is_err(), "{text}");
        }
    }

    #[test]
    fn dates_that_do_not_exist_are_refused() {
        assert_eq!(Date::parse("2023-02-29"), Err(DateError::NoSuchDay));
        assert_eq!(Date::parse("1872-12-31"), Err(DateError::OutOfRange));
        for text in ["2026-1-1", "2026-11-22 ", "+026-11-22", "20261122", "二〇二六"] {
            assert_eq!(Date::parse(text), Err(DateError::Form), "{text}");
        }
        let first = Date::parse("1873-01-01").unwrap();
        assert_eq!(first.add_days(-1), Err(DateError::OutOfRange));
        assert_eq!(first.add_days(i64::MAX), Err(DateError::OutOfRange));
    }

    #[test]
    fn day_numbers_round_trip() {
        assert_eq!(Date::parse("1970-01-01").unwrap().day_number(), 0);
        let mut date = Date::parse("1873-01-01").unwrap();
        for _ in 0..120_000 {
            let next = date.add_days(1).unwrap();
            assert_eq!(next.day_number(), date.day_number() + 1);
            assert_eq!(Date::new(next.year, next.month, next.day), Ok(next));
            date = next;
        }
    }

    #[test]
    fn timestamps_read_back() {
        let at = Timestamp(1_795_363_445_006);
        assert_eq!(Timestamp::parse_rfc3339(&at.to_rfc3339()), Ok(at));
        assert_eq!(Timestamp(0).to_rfc3339(), "1970-01-01T00:00:00.000Z");
        assert_eq!(
            Timestamp::parse_rfc3339("2026-11-22T09:00:00+09:00"),
            Timestamp::parse_rfc3339("2026-11-22T00:00:00Z")
        );
        let late = Timestamp::parse_rfc3339("2026-11-22T15:00:00Z").unwrap();
        assert_eq!(late.date_in_japan().to_string(), "2026-11-23");
        assert!(Timestamp(u64::MAX).to_rfc3339().starts_with("9999-12-31"));
        for text in [
            "2026-11-22",
            "2026-11-22T24:00:00Z",
            "2026-11-22T00:00:00",
            "T",
            "2026-11-22T00:00:00.Z",
        ] {
            assert!(Timestamp::parse_rfc3339(text).is_err(), "{text}");
        }
    }
}
