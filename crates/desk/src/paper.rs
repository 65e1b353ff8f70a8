//! Papers of the resident register, to be printed: the copy of a record, and the notice that tells
//! one resident her record code. Not pages of a desk: each is one file that needs no other.

use askama::Template;
use law::Epoch;
use law::code::RecordCode;
use law::people::{Address, Name};
use law::register::{AllotmentKind, RecordCopy};
use law::time::{Date, wareki};

/// A page could not be made.
#[derive(Debug, thiserror::Error)]
#[error("the paper could not be set")]
pub struct PaperError;

#[derive(Template)]
#[template(path = "paper/record_copy.html")]
struct CopyPage<'a> {
    title: &'static str,
    lines: Vec<(&'static str, &'a str)>,
    statement: &'static str,
    place: &'a str,
    issued: String,
}

/// A copy of a resident record (住民票の写し), with the statement of 令15条.
///
/// # Errors
/// When the template cannot be filled.
pub fn record_copy(copy: &RecordCopy, place: &str, issued_on: Date) -> Result<String, PaperError> {
    let page = CopyPage {
        title: copy.title(),
        lines: copy.expose_lines().collect(),
        statement: copy.statement(),
        place,
        issued: wareki(&issued_on),
    };
    page.render().map_err(|_| PaperError)
}

/// One person, and nobody else: a notice for a household would show each member the others' codes.
#[derive(Clone, Copy)]
pub struct Allotment<'a> {
    pub kind: AllotmentKind,
    /// The law whose articles the letter names.
    pub epoch: Epoch,
    pub name: &'a Name,
    pub address: &'a Address,
    pub code: &'a RecordCode,
}

impl std::fmt::Debug for Allotment<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Allotment(…)")
    }
}

#[derive(Template)]
#[template(path = "paper/allotment.html")]
struct AllotmentPage<'a> {
    title: &'static str,
    law: &'static str,
    sentence: &'static str,
    name: &'a str,
    address: &'a str,
    groups: [&'a str; 3],
    change_article: &'static str,
    ban_articles: &'static str,
    place: &'a str,
    issued: String,
}

/// 住民票コード通知票: a letter that is folded and sealed; the code stands inside the fold only.
///
/// # Errors
/// When the template cannot be filled.
pub fn allotment(
    allotment: &Allotment<'_>,
    place: &str,
    issued_on: Date,
) -> Result<String, PaperError> {
    let now = allotment.epoch == Epoch::Today;
    let then_or_now = |then, today| if now { today } else { then };
    let (title, law, sentence) = match allotment.kind {
        AllotmentKind::New => (
            "住民票コード通知票",
            then_or_now("住民基本台帳法第30条の2第3項", "住民基本台帳法第30条の3第3項"),
            "あなたの住民票に、次の住民票コードを記載しましたので通知します。",
        ),
        AllotmentKind::Changed => (
            "住民票コード変更通知票",
            then_or_now("住民基本台帳法第30条の3第4項", "住民基本台帳法第30条の4第4項"),
            "請求により、あなたの住民票に記載されている住民票コードを次のとおり変更しました。",
        ),
        AllotmentKind::Corrected => (
            "住民票コード修正通知票",
            "住民基本台帳法施行令第30条の4第2項",
            "あなたの住民票に記載されている住民票コードを、職権で次のとおり修正しました。",
        ),
    };
    let code = allotment.code.expose();
    let part = |from: usize, to: usize| code.get(from..to).unwrap_or_default();
    let page = AllotmentPage {
        title,
        law,
        sentence,
        name: allotment.name.expose(),
        address: allotment.address.expose(),
        groups: [part(0, 4), part(4, 8), part(8, 11)],
        change_article: then_or_now("第30条の3", "第30条の4"),
        ban_articles: then_or_now("第30条の42、第30条の43", "第30条の37、第30条の38"),
        place,
        issued: wareki(&issued_on),
    };
    page.render().map_err(|_| PaperError)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_is_text_and_each_letter_names_the_articles_of_its_epoch() {
        let name = Name::parse("<script>alert(1)</script>").unwrap();
        let address = Address::parse("国立市\"><img src=x>").unwrap();
        let code = RecordCode::parse("12345678903").unwrap();
        for (epoch, article) in
            [(Epoch::Founding, "第30条の2第3項"), (Epoch::Today, "第30条の3第3項")]
        {
            let kind = AllotmentKind::New;
            let letter = Allotment { kind, epoch, name: &name, address: &address, code: &code };
            let page = allotment(&letter, "国立市", Date::parse("2026-11-22").unwrap()).unwrap();
            assert!(!page.contains("<script>") && !page.contains("<img"), "{page}");
            assert!(page.contains(article) && page.contains("令和8年11月22日"));
        }
    }
}
