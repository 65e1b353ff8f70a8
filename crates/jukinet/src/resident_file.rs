//! The resident's file: her provision records with their proofs, one self-contained JSON document.
//! Not how the records are chosen (`law`, `node`) and not how they look (`desk`): the outer form,
//! and its verification offline.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use law::code::RecordCode;
use law::time::Date;
use ledger::note::VerifierKey;
use ledger::view::{VerifiedRow, ViewedRow, open_row};
use serde_json::{Value, json};
use wire::{ResidentView, ViewLedger, ViewRow};

/// The first field of every such file.
pub const FORMAT: &str = "jukinet-resident-file/1";

/// The file is read whole: a lifetime of records with their proofs is far below.
pub const RESIDENT_FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

#[derive(Debug, thiserror::Error)]
pub enum ResidentFileError {
    #[error("not a resident's file: {0}; ask for it again at the disclosure desk")]
    Form(&'static str),
}

/// A row that does not hold.
#[derive(Clone, PartialEq, Eq)]
pub struct BadRow {
    /// Place in the file, from 0.
    pub row: usize,
    pub problem: String,
}

impl fmt::Debug for BadRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BadRow({}: {})", self.row, self.problem)
    }
}

/// The document. This is a place where a record code becomes text: it goes to its own resident.
#[must_use]
pub fn encode(view: &ResidentView) -> Value {
    let ledgers: Vec<Value> = view
        .ledgers
        .iter()
        .map(|each| json!({"origin": each.origin, "vkey": each.vkey, "size": each.size}))
        .collect();
    let rows: Vec<Value> = view
        .rows
        .iter()
        .map(|row| {
            json!({
                "ledger": row.ledger,
                "entry": STANDARD.encode(&row.entry),
                "salt": STANDARD.encode(row.salt),
                "proof": row.proof,
            })
        })
        .collect();
    json!({
        "format": FORMAT,
        "code": view.code.expose(),
        "period": {"from": view.period_from.to_string(), "to": view.period_to.to_string()},
        "ledgers": ledgers,
        "rows": rows,
    })
}

/// Whether a document claims to be such a file.
#[must_use]
pub fn is_one(document: &Value) -> bool {
    document.get("format").and_then(Value::as_str) == Some(FORMAT)
}

/// Reads the document back; nothing in it is believed yet.
pub fn decode(document: &Value) -> Result<ResidentView, ResidentFileError> {
    let form = ResidentFileError::Form;
    if !is_one(document) {
        return Err(form("format line"));
    }
    let date = |name: &str| {
        let text = document.get("period").and_then(|period| period.get(name)?.as_str());
        text.and_then(|text| Date::parse(text).ok())
    };
    let code = document.get("code").and_then(Value::as_str).ok_or_else(|| form("code"))?;
    let ledgers =
        document.get("ledgers").and_then(Value::as_array).ok_or_else(|| form("ledgers"))?;
    let rows = document.get("rows").and_then(Value::as_array).ok_or_else(|| form("rows"))?;
    Ok(ResidentView {
        code: RecordCode::parse(code).map_err(|_| form("code"))?,
        period_from: date("from").ok_or_else(|| form("period"))?,
        period_to: date("to").ok_or_else(|| form("period"))?,
        ledgers: ledgers
            .iter()
            .map(ledger_of)
            .collect::<Option<_>>()
            .ok_or_else(|| form("ledgers"))?,
        rows: rows.iter().map(row_of).collect::<Option<_>>().ok_or_else(|| form("rows"))?,
    })
}

fn text(value: &Value, name: &str) -> Option<String> {
    value.get(name)?.as_str().map(str::to_owned)
}

fn ledger_of(value: &Value) -> Option<ViewLedger> {
    let size = value.get("size")?.as_u64()?;
    Some(ViewLedger { origin: text(value, "origin")?, vkey: text(value, "vkey")?, size })
}

fn row_of(value: &Value) -> Option<ViewRow> {
    let bytes = |name| STANDARD.decode(text(value, name)?).ok();
    Some(ViewRow {
        entry: bytes("entry")?,
        salt: bytes("salt")?.try_into().ok()?,
        proof: text(value, "proof")?,
        ledger: text(value, "ledger")?,
    })
}

/// Verifies every row against the ledger keys of the file, or, where `trusted` is not empty, only
/// against keys the reader brought. The other keys given count as witnesses.
pub fn verify(view: &ResidentView, trusted: &[VerifierKey]) -> Result<Vec<VerifiedRow>, BadRow> {
    let mut keys = Vec::new();
    for ledger in &view.ledgers {
        let key = VerifierKey::parse(&ledger.vkey)
            .map_err(|error| BadRow { row: 0, problem: format!("{}: {error}", ledger.origin) })?;
        if !trusted.is_empty() && !trusted.contains(&key) {
            let problem = format!("{}: the key in the file is not one of yours", ledger.origin);
            return Err(BadRow { row: 0, problem });
        }
        if key.name() != ledger.origin {
            let problem = format!("{}: names another ledger than its key", ledger.origin);
            return Err(BadRow { row: 0, problem });
        }
        keys.push(key);
    }
    let mut verified = Vec::new();
    for (number, row) in view.rows.iter().enumerate() {
        let bad = |problem: String| BadRow { row: number, problem };
        let key = keys
            .iter()
            .find(|key| key.name() == row.ledger)
            .ok_or_else(|| bad(format!("{}: no key for this ledger", row.ledger)))?;
        let witnesses: Vec<VerifierKey> =
            trusted.iter().filter(|each| *each != key).cloned().collect();
        let viewed =
            ViewedRow { entry: row.entry.clone(), salt: row.salt, proof: row.proof.clone() };
        let row = open_row(&viewed, key, &witnesses).map_err(|error| bad(error.to_string()))?;
        verified.push(row);
    }
    Ok(verified)
}
