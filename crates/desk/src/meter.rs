//! The live rule meter (T03): which of the three lawful ways to ask is complete, what is missing.
//!
//! It decides nothing. `law::query::meter` measures; this file only finds the words. The script of
//! the page sends the draft here and shows what comes back, so the browser knows no rule either.

use law::people::BirthDate;
use law::query::{self, QueryDraft, QueryMode};
use law::time::parse_wareki;

use crate::inquiry::Draft;
use crate::shown::Shown;
use crate::texts::{Lang, Texts};

/// One line of the meter.
pub(crate) struct ModeLine {
    pub(crate) title: &'static str,
    pub(crate) selected: bool,
    pub(crate) reached: bool,
    pub(crate) empty: bool,
    pub(crate) missing: Vec<&'static str>,
    /// The parts of this way, each reached or not: the small lamps.
    pub(crate) lamps: Vec<(&'static str, bool)>,
}

/// The whole meter.
pub(crate) struct MeterView {
    pub(crate) lines: Vec<ModeLine>,
    /// Affair and case number, as far as they are missing.
    pub(crate) basis_missing: Vec<&'static str>,
    /// The chosen way is complete, and so is the reason for asking.
    pub(crate) ready: bool,
    /// How the typed birth date was read.
    pub(crate) birth: Option<Shown<'static>>,
}

/// Measures a draft.
pub(crate) fn view(lang: Lang, draft: &Draft) -> MeterView {
    let t = lang.texts();
    let lines: Vec<ModeLine> =
        QueryMode::ALL.into_iter().map(|mode| line(t, draft, mode)).collect();
    let mut basis_missing = Vec::new();
    if draft.affair.is_empty() {
        basis_missing.push(t.missing_affair);
    }
    if draft.case_number.is_empty() {
        basis_missing.push(t.missing_case);
    }
    let reached = lines.iter().any(|line| line.selected && line.reached);
    MeterView {
        ready: reached && basis_missing.is_empty(),
        lines,
        basis_missing,
        birth: read_birth(&draft.birth).map(|birth| Shown::birth(&birth, lang)),
    }
}

/// The clerk sees how 3600401 was understood before it is asked.
fn read_birth(text: &str) -> Option<BirthDate> {
    let text = text.trim();
    BirthDate::parse(text).ok().or_else(|| parse_wareki(text).ok().map(BirthDate::from))
}

fn line(t: &'static Texts, draft: &Draft, mode: QueryMode) -> ModeLine {
    let asked: QueryDraft = draft.query(mode);
    let meter = query::meter(&asked);
    let meter = meter.of(mode);
    let missing_keys = meter.map(|meter| meter.missing.clone()).unwrap_or_default();
    let parts: &[(&'static str, &'static str)] = match mode {
        QueryMode::Code => &[("code", t.code_field)],
        QueryMode::NameAddress => &[("name", t.name_field), ("address", t.address_field)],
        QueryMode::NameBirth => &[("name", t.name_field), ("birth", t.birth_field)],
    };
    ModeLine {
        title: title(t, mode),
        selected: draft.mode == mode,
        reached: meter.is_some_and(|meter| meter.reached),
        empty: parts.iter().all(|(key, _)| draft.field(key).is_empty()),
        missing: missing_keys.iter().map(|key| missing(t, draft, key)).collect(),
        lamps: parts.iter().map(|(key, text)| (*text, !missing_keys.contains(key))).collect(),
    }
}

pub(crate) const fn title(t: &Texts, mode: QueryMode) -> &'static str {
    match mode {
        QueryMode::Code => t.mode_code,
        QueryMode::NameAddress => t.mode_name_address,
        QueryMode::NameBirth => t.mode_name_birth,
    }
}

/// Words for a key of `law::query::meter`. An unknown key still says that something is missing.
fn missing(t: &'static Texts, draft: &Draft, key: &str) -> &'static str {
    let begun = !draft.field(key).is_empty();
    match (key, draft.prefix, begun) {
        ("code", _, false) => t.missing_code,
        ("code", _, true) => t.missing_code_shape,
        ("name", false, _) => t.missing_name,
        ("name", true, _) => t.missing_name_first,
        ("address", false, false) => t.missing_address,
        ("address", false, true) => t.missing_address_rest,
        ("address", true, _) => t.missing_address_first,
        ("birth", ..) => t.missing_birth,
        _ => t.missing_other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(name: &str, address: &str, birth: &str, prefix: bool) -> Draft {
        Draft {
            affair: "1-74-3".into(),
            case_number: "令8-1".into(),
            mode: QueryMode::NameAddress,
            name: name.into(),
            address: address.into(),
            birth: birth.into(),
            prefix,
            ..Draft::default()
        }
    }

    #[test]
    fn a_municipality_alone_misses_the_rest_of_the_address() {
        let view = view(Lang::Ja, &draft("試験　花子", "東京都国立市", "", false));
        assert!(!view.ready);
        let line = &view.lines[1];
        assert!(line.selected && !line.reached);
        assert_eq!(line.missing, ["住所の残り全部"]);
        assert_eq!(line.lamps, [("氏名", true), ("住所", false)]);
    }

    #[test]
    fn each_way_is_measured_by_itself() {
        let view = view(Lang::Ja, &draft("試験　花子", "", "昭60-4-1", false));
        assert!(!view.lines[1].reached);
        assert!(view.lines[2].reached);
        assert!(!view.ready, "the chosen way is not the complete one");
        let read = view.birth.map(|birth| birth.to_string());
        assert_eq!(read.as_deref(), Some("昭和60年4月1日（1985-04-01）"));
    }

    #[test]
    fn without_a_reason_nothing_is_ready() {
        let mut draft = draft("試験　花子", "東京都国立市富士見台1-1", "", false);
        assert!(view(Lang::Ja, &draft).ready);
        draft.case_number.clear();
        let view = view(Lang::Ja, &draft);
        assert!(!view.ready);
        assert_eq!(view.basis_missing, ["受付番号"]);
    }

    #[test]
    fn a_prefix_never_spoils_the_code() {
        let mut draft = draft("", "", "", true);
        draft.mode = QueryMode::Code;
        draft.code = "10000000017".into();
        let wrong = view(Lang::En, &draft).lines[0].missing.clone();
        let code = (0..10).map(|digit| format!("1000000001{digit}"));
        let right = code.into_iter().any(|code| {
            draft.code = code;
            view(Lang::En, &draft).lines[0].reached
        });
        assert!(right && wrong.len() <= 1);
    }
}
