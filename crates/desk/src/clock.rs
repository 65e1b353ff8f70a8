//! Moments as people in Japan read them. It reads no clock; moments are handed in.

use law::time::{Date, Timestamp, wareki};

use crate::texts::{Lang, Texts, fill};

const MS_PER_SECOND: u64 = 1000;
const SECONDS_PER_DAY: u64 = 86_400;
/// Japan Standard Time has no summer time.
const JST_OFFSET_SECONDS: u64 = 9 * 3600;

/// "14:05", in Japan.
pub(crate) fn hour_minute(at: Timestamp) -> String {
    let (hour, minute, _) = parts(at);
    format!("{hour:02}:{minute:02}")
}

/// "14:05:09", in Japan.
pub(crate) fn hour_minute_second(at: Timestamp) -> String {
    let (hour, minute, second) = parts(at);
    format!("{hour:02}:{minute:02}:{second:02}")
}

fn parts(at: Timestamp) -> (u64, u64, u64) {
    let second = (at.0 / MS_PER_SECOND + JST_OFFSET_SECONDS) % SECONDS_PER_DAY;
    (second / 3600, second / 60 % 60, second % 60)
}

/// 令和8年11月22日, or the ISO form in English.
pub(crate) fn date(lang: Lang, date: &Date) -> String {
    match lang {
        Lang::Ja => wareki(date),
        Lang::En => date.to_string(),
    }
}

/// Day and minute.
pub(crate) fn moment(lang: Lang, at: Timestamp) -> String {
    format!("{} {}", date(lang, &at.date_in_japan()), hour_minute(at))
}

/// "3秒前".
pub(crate) fn ago(texts: &Texts, then_ms: Option<u64>, now: Timestamp) -> String {
    let Some(then_ms) = then_ms else {
        return texts.never.to_owned();
    };
    let seconds = now.0.saturating_sub(then_ms) / MS_PER_SECOND;
    match seconds {
        0..120 => fill(texts.seconds_ago, seconds),
        120..7200 => fill(texts.minutes_ago, seconds / 60),
        7200..172_800 => fill(texts.hours_ago, seconds / 3600),
        _ => fill(texts.days_ago, seconds / SECONDS_PER_DAY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn midnight_in_japan_is_nine_hours_before_that_of_the_epoch() {
        assert_eq!(hour_minute_second(Timestamp(0)), "09:00:00");
        assert_eq!(hour_minute(Timestamp(15 * 3600 * 1000)), "00:00");
    }

    #[test]
    fn ages_use_the_unit_people_would_use() {
        let texts = Lang::En.texts();
        let now = Timestamp(1_000_000_000);
        assert_eq!(ago(texts, Some(now.0 - 3_000), now), "3 s ago");
        assert_eq!(ago(texts, Some(now.0 - 180_000), now), "3 min ago");
        assert_eq!(ago(texts, Some(now.0 - 3 * 3_600_000), now), "3 h ago");
        assert_eq!(ago(texts, Some(now.0 - 3 * 86_400_000), now), "3 d ago");
        assert_eq!(ago(texts, Some(now.0 + 5_000), now), "0 s ago");
        assert_eq!(ago(texts, None, now), "never");
    }
}
