//! What the register's commands print: a record to the clerk who asked for it, and what a filing
//! brought about, without a personal value.

use law::register::{AllotmentKind, Outcome};
use serde_json::{Map, Value, json};
use store::register::Version;

/// A version with every item: the command twin of the record on the screen.
#[must_use]
pub fn version_json(version: &Version) -> Value {
    let items: Map<String, Value> = version
        .resident
        .sheet()
        .expose_items()
        .map(|(item, text)| (item.key().to_owned(), Value::from(text)))
        .collect();
    json!({
        "valid_from": version.valid_from.to_string(),
        "recorded_at": version.recorded_at.to_rfc3339(),
        "act": version.act,
        "filing": version.filing,
        "current": version.resident.is_current(),
        "items": items,
    })
}

/// The same as lines.
#[must_use]
pub fn version_text(version: &Version) -> String {
    let mut lines = vec![format!(
        "from {}  by {} {}  recorded {}",
        version.valid_from,
        version.act,
        version.filing,
        version.recorded_at.to_rfc3339()
    )];
    for (item, text) in version.resident.sheet().expose_items() {
        lines.push(format!("  {:<20} {}", item.key(), text.replace(['\n', '\t'], " ")));
    }
    lines.join("\n")
}

/// What followed from a filing: counts, terms and reasons, nobody's items.
#[must_use]
pub fn outcome_json(outcome: &Outcome) -> Value {
    let notices: Vec<&str> = outcome
        .changes
        .iter()
        .filter_map(|change| Some(change.outgoing.as_ref()?.notice.reason.key()))
        .collect();
    let late = outcome.lateness.map(
        |late| json!({"article": late.article, "due": late.due.to_string(), "days": late.days}),
    );
    let due: Vec<Value> = outcome
        .due
        .iter()
        .map(|due| json!({"household": due.household.as_str(), "until": due.until.to_string()}))
        .collect();
    let papers: Vec<&str> = outcome.allotments.iter().map(|(_, kind)| paper(*kind)).collect();
    json!({
        "records": outcome.changes.len(),
        "notices": notices,
        "late": late,
        "householder_due": due,
        "allotment_notices": papers,
    })
}

fn paper(kind: AllotmentKind) -> &'static str {
    match kind {
        AllotmentKind::New => "new",
        AllotmentKind::Changed => "changed",
        AllotmentKind::Corrected => "corrected",
    }
}
