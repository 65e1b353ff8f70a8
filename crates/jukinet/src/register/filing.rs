//! Files of filings: TOML or JSON becomes filings, or the fault of one filing. Not where they are
//! judged: `law::register` does that.

use std::collections::BTreeSet;
use std::fmt;

use law::code::{LocalGovernmentCode, RecordCode};
use law::people::Address;
use law::register::{
    Act, CodeOrigin, Edit, Filing, FilingNumber, Item, MinorKind, Newcomer, Origin, Sheet,
};
use law::time::Date;
use serde_json::{Map, Value};

use super::CodeSource;

/// Filings of one file: a counter's day.
const FILINGS_COUNT_MAX: usize = 10_000;

/// Why a file cannot be read at all. The library's own words may quote it: only the place is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileFault {
    #[error("neither TOML nor JSON (at byte {0}); see docs/registers.md")]
    Syntax(usize),
    #[error("holds no filing, or more than {FILINGS_COUNT_MAX}")]
    Count,
}

/// Why one filing cannot be read: the field, and what is wrong with it. Never a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilingFault {
    /// The reception number, when that could be read.
    pub number: Option<String>,
    pub field: String,
    pub problem: &'static str,
}

impl fmt::Display for FilingFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.problem)
    }
}

/// Reads a file: one filing, or a list under `filing`.
///
/// # Errors
/// When it is no such file. A filing that cannot be read is a fault of its own.
pub fn read_filings(
    text: &str,
    codes: &mut dyn CodeSource,
) -> Result<Vec<Result<Filing, FilingFault>>, FileFault> {
    let document = document(text)?;
    let list = match &document {
        Value::Object(table) if table.contains_key("filing") && table.len() == 1 => {
            table.get("filing").and_then(Value::as_array).cloned().ok_or(FileFault::Count)?
        }
        Value::Array(list) => list.clone(),
        one => vec![one.clone()],
    };
    if list.is_empty() || list.len() > FILINGS_COUNT_MAX {
        return Err(FileFault::Count);
    }
    Ok(list.iter().map(|each| filing(each, codes)).collect())
}

fn document(text: &str) -> Result<Value, FileFault> {
    if text.trim_start().starts_with(['{', '[']) && serde_json::from_str::<Value>(text).is_ok() {
        return serde_json::from_str(text).map_err(|_| FileFault::Syntax(0));
    }
    match text.parse::<toml::Table>() {
        Ok(table) => Ok(plain(toml::Value::Table(table))),
        Err(error) => Err(FileFault::Syntax(error.span().map_or(0, |span| span.start))),
    }
}

/// TOML's dates and numbers are texts here, as they are in JSON.
fn plain(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Boolean(yes) => Value::Bool(yes),
        toml::Value::Integer(number) => Value::String(number.to_string()),
        toml::Value::Float(number) => Value::String(number.to_string()),
        toml::Value::Datetime(date) => Value::String(date.to_string()),
        toml::Value::Array(list) => Value::Array(list.into_iter().map(plain).collect()),
        toml::Value::Table(table) => {
            Value::Object(table.into_iter().map(|(key, value)| (key, plain(value))).collect())
        }
    }
}

type Read<T> = Result<T, (String, &'static str)>;

/// One table; every read names its field, and what was not read is a fault.
struct Fields<'v> {
    path: String,
    map: &'v Map<String, Value>,
    read: BTreeSet<&'v str>,
}

impl<'v> Fields<'v> {
    fn new(path: &str, value: &'v Value) -> Read<Self> {
        match value.as_object() {
            Some(map) => Ok(Self { path: path.to_owned(), map, read: BTreeSet::new() }),
            None => Err((path.to_owned(), "must be a table")),
        }
    }

    fn at(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    fn value(&mut self, name: &str) -> Option<&'v Value> {
        let (key, value) = self.map.get_key_value(name)?;
        self.read.insert(key);
        Some(value)
    }

    fn optional(&mut self, name: &str) -> Read<Option<&'v str>> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err((self.at(name), "must be text")),
        }
    }

    fn parsed<T>(
        &mut self,
        name: &str,
        problem: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Read<T> {
        let text = self.optional(name)?.ok_or_else(|| (self.at(name), "missing"))?;
        parse(text).ok_or_else(|| (self.at(name), problem))
    }

    fn date(&mut self, name: &str) -> Read<Date> {
        self.parsed(name, "must be a date as 2026-11-22", |text| Date::parse(text).ok())
    }

    fn code(&mut self, name: &str) -> Read<RecordCode> {
        let problem = "must be 11 digits with their check digit";
        self.parsed(name, problem, |text| RecordCode::parse(text).ok())
    }

    fn address(&mut self, name: &str) -> Read<Address> {
        self.parsed(name, "must be an address", |text| Address::parse(text).ok())
    }

    fn flag(&mut self, name: &str) -> Read<bool> {
        match self.value(name) {
            None => Ok(false),
            Some(Value::Bool(yes)) => Ok(*yes),
            Some(_) => Err((self.at(name), "must be true or false")),
        }
    }

    /// All fields that are items of the record; the code has its own ways.
    fn items(&mut self) -> Read<Sheet> {
        let mut sheet = Sheet::default();
        // Above the persons, `filed_on` is the filing's own.
        let own = |item: &Item| *item == Item::FiledOn && self.path.is_empty();
        let items: Vec<Item> =
            Item::ALL.into_iter().filter(|item| *item != Item::Code && !own(item)).collect();
        for item in items {
            match self.value(item.key()) {
                Some(Value::Bool(yes)) => sheet.put(item, if *yes { "yes" } else { "" }),
                Some(Value::Number(number)) => sheet.put(item, number.to_string()),
                Some(Value::String(text)) => sheet.put(item, text),
                Some(_) => return Err((self.at(item.key()), "must be text")),
                None => {}
            }
        }
        Ok(sheet)
    }

    fn close(self) -> Read<()> {
        match self.map.keys().find(|key| !self.read.contains(key.as_str())) {
            Some(key) => {
                // In a file that is something else a key may be a value: only a word is told.
                let word = key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
                let name = if word && key.len() <= 32 { key } else { "?" };
                Err((self.at(name), "is no field of this act; see docs/registers.md"))
            }
            None => Ok(()),
        }
    }
}

fn filing(value: &Value, codes: &mut dyn CodeSource) -> Result<Filing, FilingFault> {
    let number = value.get("number").and_then(Value::as_str).and_then(FilingNumber::parse);
    let told = number.as_ref().map(|number| number.as_str().to_owned());
    let read = || -> Read<Filing> {
        let mut fields = Fields::new("", value)?;
        fields.value("number");
        let problem = "must be 1 to 64 printable characters without spaces";
        let number = number.ok_or_else(|| ("number".to_owned(), problem))?;
        let filed_on = fields.date("filed_on")?;
        let act = act(&mut fields, codes)?;
        fields.close()?;
        Ok(Filing { number, filed_on, act })
    };
    read().map_err(|(field, problem)| FilingFault { number: told, field, problem })
}

fn act(fields: &mut Fields<'_>, codes: &mut dyn CodeSource) -> Read<Act> {
    let key = fields.parsed("act", "must be text", |text| Some(text.to_owned()))?;
    Ok(match key.as_str() {
        "moving-in" => {
            let (moved_on, from) = (fields.date("on")?, origin(fields)?);
            Act::MovingIn { moved_on, from, persons: newcomers(fields, codes)? }
        }
        "birth" => Act::Birth { person: one(newcomers(fields, codes)?)? },
        "entry" => Act::Entry { on: fields.date("on")?, persons: newcomers(fields, codes)? },
        "moving-within" => {
            Act::MovingWithin { moved_on: fields.date("on")?, persons: edits(fields)? }
        }
        "household-change" => {
            Act::HouseholdChange { changed_on: fields.date("on")?, persons: edits(fields)? }
        }
        "moving-out-withdrawn" => {
            Act::MovingOutWithdrawn { on: fields.date("on")?, persons: edits(fields)? }
        }
        "moving-out" => Act::MovingOut {
            leaving_on: fields.date("on")?,
            to: fields.address("to")?,
            abroad: fields.flag("abroad")?,
            persons: edits(fields)?.into_iter().map(only_code).collect::<Read<_>>()?,
        },
        "death" => {
            Act::Death { died_on: fields.date("on")?, person: only_code(one(edits(fields)?)?)? }
        }
        "deletion" => {
            Act::Deletion { on: fields.date("on")?, person: only_code(one(edits(fields)?)?)? }
        }
        "correction" => Act::Correction { on: fields.date("on")?, person: one(edits(fields)?)? },
        "minor-correction" => {
            let problem = "must be one of the seven kinds, as building-name";
            let kind = fields.parsed("kind", problem, MinorKind::parse_key)?;
            Act::MinorCorrection { on: fields.date("on")?, kind, person: one(edits(fields)?)? }
        }
        "immigration-notice" => {
            Act::ImmigrationNotice { on: fields.date("on")?, person: one(edits(fields)?)? }
        }
        "nationality-change" => {
            Act::NationalityChange { on: fields.date("on")?, person: one(edits(fields)?)? }
        }
        "alternative-name" => {
            let (on, person) = (fields.date("on")?, one(edits(fields)?)?);
            let given = person.items.items().next().is_some();
            Act::AlternativeName { on, person: person.code, name: given.then_some(person.items) }
        }
        "code-change" | "code-correction" => {
            let on = fields.date("on")?;
            let given = fields.optional("new_code")?;
            let new_code = codes.fresh(given).map_err(|why| ("new_code".to_owned(), why))?;
            let person = only_code(one(edits(fields)?)?)?;
            match key.as_str() {
                "code-change" => Act::CodeChange { on, person, new_code },
                _ => Act::CodeCorrection { on, person, new_code },
            }
        }
        _ => return Err(("act".to_owned(), "is not an act; see docs/registers.md")),
    })
}

fn origin(fields: &mut Fields<'_>) -> Read<Origin> {
    let value = fields.value("from").ok_or_else(|| ("from".to_owned(), "missing"))?;
    let mut from = Fields::new("from", value)?;
    let (abroad, new_status) = (from.flag("abroad")?, from.flag("new_status")?);
    let origin = match (abroad, new_status) {
        (true, true) => return Err(("from".to_owned(), "give abroad or new_status, not both")),
        (true, false) => Origin::Abroad { place: from.address("address")? },
        (false, true) => Origin::NewStatus,
        (false, false) => Origin::Domestic {
            address: from.address("address")?,
            municipality: match from.optional("municipality")? {
                None => None,
                Some(text) => Some(LocalGovernmentCode::parse(text).map_err(|_| {
                    (from.at("municipality"), "must be 6 digits with their check digit")
                })?),
            },
        },
    };
    from.close()?;
    Ok(origin)
}

/// The persons of a filing: what stands above the list holds for each of them.
fn persons<T>(
    fields: &mut Fields<'_>,
    mut each: impl FnMut(&mut Fields<'_>, Sheet) -> Read<T>,
) -> Read<Vec<T>> {
    let common = fields.items()?;
    let list = fields.value("person").and_then(Value::as_array);
    let list = list.ok_or_else(|| ("person".to_owned(), "missing; a list of persons"))?;
    let mut persons = Vec::new();
    for (at, value) in list.iter().enumerate() {
        let mut person = Fields::new(&format!("person[{at}]"), value)?;
        let mut items = common.clone();
        let own = person.items()?;
        own.expose_items().for_each(|(item, text)| items.put(item, text));
        persons.push(each(&mut person, items)?);
        person.close()?;
    }
    Ok(persons)
}

fn newcomers(fields: &mut Fields<'_>, codes: &mut dyn CodeSource) -> Read<Vec<Newcomer>> {
    persons(fields, |person, mut items| {
        let carried = person.map.contains_key("code");
        let (origin, code) = if carried {
            (CodeOrigin::Carried, person.code("code")?)
        } else {
            let given = person.optional("new_code")?;
            let fresh = codes.fresh(given).map_err(|why| (person.at("new_code"), why))?;
            (CodeOrigin::Fresh, fresh)
        };
        items.put(Item::Code, code.expose());
        Ok(Newcomer { code: origin, items })
    })
}

fn edits(fields: &mut Fields<'_>) -> Read<Vec<Edit>> {
    persons(fields, |person, items| Ok(Edit { code: person.code("code")?, items }))
}

fn one<T>(mut list: Vec<T>) -> Read<T> {
    match (list.pop(), list.is_empty()) {
        (Some(person), true) => Ok(person),
        _ => Err(("person".to_owned(), "this act is about one person")),
    }
}

fn only_code(edit: Edit) -> Read<RecordCode> {
    match edit.items.items().next() {
        None => Ok(edit.code),
        Some(item) => Err((format!("person.{}", item.key()), "this act changes no such item")),
    }
}
