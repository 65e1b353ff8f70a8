//! The one thing that leaves a register: notices, as the CSV that `jukinet notice` takes. Its
//! columns are those of the network's items; there is none for anything else in a resident record.

use law::people::Name;
use store::register::OutboxRow;

/// The columns, in order.
pub const HEADER: [&str; 17] = [
    "record_code",
    "family_name",
    "given_name",
    "family_kana",
    "given_kana",
    "sex",
    "birth",
    "municipality_code",
    "address",
    "sequence",
    "reason",
    "changed_on",
    "previous_code",
    "former_municipality_code",
    "alternative_name",
    "former_surname",
    "foreign",
];

/// UTF-8 CSV with a header.
///
/// # Errors
/// When a row cannot be written; the library's words name no value.
pub fn notices_csv(rows: &[OutboxRow]) -> Result<Vec<u8>, String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let told = |_: csv::Error| "a row of notices could not be written".to_owned();
    writer.write_record(HEADER).map_err(told)?;
    for row in rows {
        let notice = &row.outgoing.notice;
        let (record, items) = (&notice.record, &notice.record.items);
        let (family_name, given_name) = parted(items.name.expose());
        let (family_kana, given_kana) = parted(items.kana.expose());
        let previous = notice.previous_code;
        let former = row.outgoing.former_municipality;
        writer
            .write_record([
                record.code.expose(),
                family_name,
                given_name,
                family_kana,
                given_kana,
                &items.sex.code().to_string(),
                &items.birth.expose(),
                record.municipality.as_str(),
                items.address.expose(),
                &row.sequence.to_string(),
                notice.reason.key(),
                &notice.changed_on.to_string(),
                previous.as_ref().map_or("", |code| code.expose()),
                former.as_ref().map_or("", |code| code.as_str()),
                record.other_names.alternative.as_ref().map_or("", Name::expose),
                record.other_names.former_surname.as_ref().map_or("", |name| name.expose()),
                if notice.foreign { "1" } else { "0" },
            ])
            .map_err(told)?;
    }
    writer.into_inner().map_err(|_| "the notices could not be written".to_owned())
}

fn parted(text: &str) -> (&str, &str) {
    text.split_once('\u{3000}').unwrap_or((text, ""))
}
