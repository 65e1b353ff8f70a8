//! The gateway's own description (OpenAPI 3.1), made from the tables and limits that the program
//! itself uses, so that it cannot say anything else.

use law::change::ChangeReason;
use serde_json::{Map, Value, json};
use wire::limits::{ADDRESS_BYTES_MAX, FEED_ROWS_COUNT_MAX, NAME_BYTES_MAX};

use super::BODY_BYTES_MAX;
use super::codes::REQUEST_DIGITS;
use super::refusal::Refusal;
use super::rows::{BATCH_ID_BYTES_MAX, FIELDS, Kind};

/// The refusals of each path, beside what every path may answer.
const OF_BATCHES: &[Refusal] = &[
    Refusal::Busy,
    Refusal::NotJson,
    Refusal::TooLarge,
    Refusal::TooSlow,
    Refusal::Malformed,
    Refusal::BatchId,
    Refusal::TooManyRows,
    Refusal::NoRows,
    Refusal::SurplusField,
    Refusal::ServerUnavailable,
    Refusal::ServerRefuses,
    Refusal::OutcomeUnknown,
];
const OF_CODES: &[Refusal] = &[
    Refusal::Busy,
    Refusal::NotJson,
    Refusal::TooLarge,
    Refusal::TooSlow,
    Refusal::Malformed,
    Refusal::RequestId,
    Refusal::PoolEmpty,
    Refusal::ServerUnavailable,
    Refusal::ServerRefuses,
    Refusal::OutcomeUnknown,
];
const OF_HEALTH: &[Refusal] = &[Refusal::ServerUnavailable, Refusal::ServerRefuses];

/// The whole document.
#[must_use]
pub fn document() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "jukinet vendor gateway",
            "version": "1",
            "description": "Change notices (本人確認情報の通知) from the existing resident register \
                system to the municipality's communication server. Mutual TLS 1.3 on the municipal \
                LAN: the client is known by the key of its certificate. The gateway keeps nothing; \
                a row that holds more than a notice has is refused with its whole batch.",
        },
        "paths": {
            "/v1/change-batches": { "post": batches() },
            "/v1/record-codes": { "post": record_codes() },
            "/v1/health": { "get": health() },
            "/openapi.json": { "get": {
                "operationId": "document",
                "summary": "This document",
                "responses": { "200": { "description": "OpenAPI 3.1", "content": {
                    "application/json": { "schema": { "type": "object" } } } } },
            } },
        },
        "components": {
            "schemas": {
                "CodeRequest": code_request(),
                "CodeTaken": code_taken(),
                "Batch": batch(),
                "Row": row(),
                "Outcomes": outcomes(),
                "Outcome": outcome(),
                "Refusal": refusal(),
            },
            "securitySchemes": { "client": { "type": "mutualTLS" } },
        },
        "security": [ { "client": [] } ],
    })
}

fn batches() -> Value {
    json!({
        "operationId": "sendChanges",
        "summary": "Send changes in the order in which they were made",
        "description": "Every row is recorded once, however often its batch is sent: rows are \
            known by their sequence. The same batch again has the same outcome. One batch of a \
            client at a time. What was answered `recorded` is durable at the communication \
            server.",
        "requestBody": { "required": true, "content": { "application/json": {
            "schema": { "$ref": "#/components/schemas/Batch" } } } },
        "responses": responses("Every row with what became of it", "Outcomes", OF_BATCHES),
    })
}

fn record_codes() -> Value {
    json!({
        "operationId": "takeCode",
        "summary": "Take a record code for a resident who has none",
        "description": "The codes are those that the center designated at random for this \
            municipality (法30条の7). The same request brings the same code, until the code stands \
            in a record.",
        "requestBody": { "required": true, "content": { "application/json": {
            "schema": { "$ref": "#/components/schemas/CodeRequest" } } } },
        "responses": responses("The code", "CodeTaken", OF_CODES),
    })
}

fn code_request() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["request"],
        "properties": { "request": { "type": "string",
            "pattern": format!("^[0-9a-f]{{{REQUEST_DIGITS}}}$"),
            "description": "A random number of the client's, new for each resident" } },
    })
}

fn code_taken() -> Value {
    json!({
        "type": "object",
        "required": ["request", "record_code"],
        "properties": {
            "request": { "type": "string" },
            "record_code": { "type": "string", "pattern": "^[0-9]{11}$" },
        },
    })
}

fn health() -> Value {
    json!({
        "operationId": "health",
        "summary": "Whether changes can be taken now",
        "responses": responses("They can", "Health", OF_HEALTH),
    })
}

/// 200 and the refusals, grouped by status as the document wants them.
fn responses(well: &str, schema: &str, refusals: &[Refusal]) -> Value {
    let mut all = Map::new();
    let content = if schema == "Health" {
        json!({ "type": "object", "required": ["status", "server"], "properties": {
            "status": { "const": "ok" }, "server": { "type": "string" } } })
    } else {
        json!({ "$ref": format!("#/components/schemas/{schema}") })
    };
    all.insert(
        "200".to_owned(),
        json!({ "description": well, "content": { "application/json": { "schema": content } } }),
    );
    for refusal in refusals {
        let words = format!("`{}`: {}", refusal.rule(), refusal.hint_en());
        let entry = all.entry(refusal.status().to_string()).or_insert_with(|| {
            let schema = json!({ "$ref": "#/components/schemas/Refusal" });
            json!({ "description": "", "content": { "application/json": { "schema": schema } } })
        });
        if let Some(description) = entry.get_mut("description") {
            let before = description.as_str().filter(|text| !text.is_empty());
            let told = before.map_or_else(|| words.clone(), |text| format!("{text}; {words}"));
            *description = json!(told);
        }
    }
    Value::Object(all)
}

fn batch() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["batch", "rows"],
        "description": format!("At most {BODY_BYTES_MAX} bytes"),
        "properties": {
            "batch": { "type": "string",
                "pattern": format!("^[A-Za-z0-9._-]{{1,{BATCH_ID_BYTES_MAX}}}$"),
                "description": "The client's own name for it; repeated in the answer, not kept" },
            "rows": { "type": "array", "minItems": 1, "maxItems": FEED_ROWS_COUNT_MAX,
                "items": { "$ref": "#/components/schemas/Row" } },
        },
    })
}

fn row() -> Value {
    let properties: Map<String, Value> =
        FIELDS.iter().map(|(name, kind, _)| ((*name).to_owned(), field(name, *kind))).collect();
    let required: Vec<&str> =
        FIELDS.iter().filter(|(.., required)| *required).map(|(name, ..)| *name).collect();
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": required,
        "description": "One change, its fields as the residents' CSV names them, with the values \
            after the change; for a deletion those that stood. At least one of the two names and \
            of the two readings.",
        "properties": properties,
    })
}

fn field(name: &str, kind: Kind) -> Value {
    let mut schema = Map::new();
    let mut put = |key: &str, value: Value| {
        schema.insert(key.to_owned(), value);
    };
    match kind {
        Kind::Text => put("type", json!("string")),
        Kind::Number => put("type", json!("integer")),
        Kind::Flag => put("type", json!("boolean")),
    }
    let text = match name {
        "sequence" => {
            put("minimum", json!(1));
            "The register system's own number of the change, from 1, ascending without gaps"
        }
        "reason" => {
            let keys: Vec<&str> = ChangeReason::ALL.iter().map(|reason| reason.key()).collect();
            put("enum", json!(keys));
            "異動事由 (規則11条)"
        }
        "changed_on" => {
            put("format", json!("date"));
            "異動年月日; for a moving-out the planned day"
        }
        "record_code" | "previous_code" => {
            put("pattern", json!("^[0-9]{11}$"));
            "住民票コード with its check digit"
        }
        "sex" => {
            put("enum", json!([1, 2]));
            "JIS X 0303: 1 male, 2 female"
        }
        "birth" => {
            put("pattern", json!("^[0-9]{4}-[0-9]{2}-[0-9]{2}$"));
            "出生の年月日, ISO with 00 for unknown parts"
        }
        "municipality_code" | "former_municipality_code" => {
            put("pattern", json!("^[0-9]{6}$"));
            "全国地方公共団体コード; the former one with moved-in, where the former address lies"
        }
        "address" => {
            put("maxLength", json!(ADDRESS_BYTES_MAX / 4));
            "住所 as the register writes it"
        }
        "foreign" => "外国人住民に係る住民票 (令30条の32)",
        "alternative_name" => {
            put("maxLength", json!(NAME_BYTES_MAX / 4));
            "通称"
        }
        "former_surname" => {
            put("maxLength", json!(NAME_BYTES_MAX / 8));
            "旧氏"
        }
        _ => {
            put("maxLength", json!(NAME_BYTES_MAX / 4));
            "Part of the name or of its reading, as stored; never normalised"
        }
    };
    put("description", json!(text));
    Value::Object(schema)
}

fn outcomes() -> Value {
    json!({
        "type": "object",
        "required": ["batch", "recorded", "waiting", "rejected", "rows"],
        "properties": {
            "batch": { "type": "string" },
            "recorded": { "type": "integer" },
            "waiting": { "type": "integer" },
            "rejected": { "type": "integer" },
            "rows": { "type": "array", "items": { "$ref": "#/components/schemas/Outcome" } },
        },
    })
}

fn outcome() -> Value {
    json!({
        "type": "object",
        "required": ["row", "sequence", "outcome"],
        "properties": {
            "row": { "type": "integer", "description": "Place in the batch, from 1" },
            "sequence": { "type": ["integer", "null"] },
            "outcome": { "enum": ["recorded", "waiting", "rejected"],
                "description": "waiting: kept until the former municipality lets the resident go" },
            "column": { "type": "string" },
            "rule": { "type": "string" },
            "remedy": { "type": "string" },
        },
    })
}

fn refusal() -> Value {
    json!({
        "type": "object",
        "required": ["refusal"],
        "properties": {
            "refusal": { "type": "object", "required": ["rule", "law", "hint", "hint_en"],
                "properties": {
                    "rule": { "type": "string" }, "law": { "type": "string" },
                    "hint": { "type": "string" }, "hint_en": { "type": "string" } } },
            "row": { "type": "integer" },
            "field": { "type": "string" },
        },
    })
}
