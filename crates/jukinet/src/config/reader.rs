//! Reads one TOML document field by field and keeps every finding with its line.
//! Not serde: serde stops at the first error, and an administrator wants the whole list at once.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Findings of one file; beyond it the file is something else altogether.
pub const FINDINGS_MAX: usize = 200;

/// What `show` prints instead of a value that leads to a secret.
pub const REDACTED: &str = "(redacted)";

/// One error of a configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub file: PathBuf,
    pub line: usize,
    /// Dotted name of the field.
    pub field: String,
    /// What is wrong and what to do.
    pub problem: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.file.display(), self.line, self.field, self.problem)
    }
}

/// One effective setting, in the order in which the program reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    pub field: String,
    pub value: String,
    /// Not in the file: the stated default of an operating bound.
    pub defaulted: bool,
}

/// Collects findings and settings while typed code reads its fields.
#[derive(Debug)]
pub struct Findings<'t> {
    file: &'t Path,
    text: &'t str,
    pub found: Vec<Finding>,
    pub settings: Vec<Setting>,
}

impl<'t> Findings<'t> {
    pub fn new(file: &'t Path, text: &'t str) -> Self {
        Self { file, text, found: Vec::new(), settings: Vec::new() }
    }

    pub fn add(&mut self, at: usize, field: &str, problem: impl fmt::Display) {
        if self.found.len() < FINDINGS_MAX {
            let before = self.text.as_bytes().get(..at).unwrap_or_default();
            let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
            self.found.push(Finding {
                file: self.file.to_path_buf(),
                line,
                field: field.to_owned(),
                problem: problem.to_string(),
            });
        }
    }

    fn set(&mut self, field: &str, value: impl fmt::Display, defaulted: bool) {
        let (field, value) = (field.to_owned(), value.to_string());
        self.settings.push(Setting { field, value, defaulted });
    }
}

/// One table being read. Every read names its field; [`Table::close`] reports what was not read.
#[derive(Debug)]
pub struct Table<'a, 'i> {
    path: String,
    at: usize,
    values: &'a DeTable<'i>,
    read: BTreeSet<String>,
}

impl<'a, 'i> Table<'a, 'i> {
    pub fn root(values: &'a Spanned<DeTable<'i>>) -> Self {
        Self { path: String::new(), at: 0, values: values.get_ref(), read: BTreeSet::new() }
    }

    fn dotted(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    fn raw(&mut self, name: &str) -> Option<(&'a DeValue<'i>, Range<usize>)> {
        self.read.insert(name.to_owned());
        let value: &'a Spanned<DeValue<'i>> = self.values.get(name)?;
        Some((value.get_ref(), value.span()))
    }

    pub fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    fn missing(&self, name: &str, out: &mut Findings<'_>) {
        out.add(self.at, &self.dotted(name), "missing; it has no default");
    }

    /// A required text, parsed by `parse`, whose error becomes the finding.
    pub fn parsed<T, E: fmt::Display>(
        &mut self,
        name: &str,
        out: &mut Findings<'_>,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        if !self.has(name) {
            self.read.insert(name.to_owned());
            self.missing(name, out);
            return None;
        }
        self.optional(name, out, parse)
    }

    /// A text that may be absent.
    pub fn optional<T, E: fmt::Display>(
        &mut self,
        name: &str,
        out: &mut Findings<'_>,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let (value, span) = self.raw(name)?;
        let field = self.dotted(name);
        let Some(text) = value.as_str() else {
            out.add(span.start, &field, format!("is {}, must be text", value.type_str()));
            return None;
        };
        match parse(text) {
            Ok(parsed) => {
                out.set(&field, text, false);
                Some(parsed)
            }
            Err(problem) => {
                out.add(span.start, &field, problem);
                None
            }
        }
    }

    /// A path beside the configuration file.
    pub fn path(&mut self, name: &str, out: &mut Findings<'_>) -> Option<PathBuf> {
        let folder = out.file.parent().map(Path::to_path_buf).unwrap_or_default();
        self.parsed(name, out, |text| beside(&folder, text))
    }

    /// A path to a secret: a file that only its owner may read. Redacted where settings are shown.
    pub fn secret(&mut self, name: &str, out: &mut Findings<'_>) -> Option<PathBuf> {
        let path = self.path(name, out)?;
        if let Some(shown) = out.settings.last_mut() {
            shown.value = REDACTED.to_owned();
        }
        if path.exists()
            && let Err(error) = crate::disk::check_private(&path)
        {
            let at = self.raw(name).map_or(self.at, |(_, span)| span.start);
            out.add(at, &self.dotted(name), error);
        }
        Some(path)
    }

    /// Bytes in base64, of exactly `N`.
    pub fn bytes<const N: usize>(&mut self, name: &str, out: &mut Findings<'_>) -> Option<[u8; N]> {
        self.parsed(name, out, base64_array)
    }

    /// An operating bound: its default is stated here, its ceiling in code.
    pub fn bound(&mut self, name: &str, default: u64, max: u64, out: &mut Findings<'_>) -> u64 {
        let field = self.dotted(name);
        let Some((value, span)) = self.raw(name) else {
            out.set(&field, default, true);
            return default;
        };
        let number = value
            .as_integer()
            .and_then(|number| u64::from_str_radix(number.as_str(), number.radix()).ok());
        match number {
            Some(number) if (1..=max).contains(&number) => {
                out.set(&field, number, false);
                number
            }
            _ => {
                out.add(span.start, &field, format!("must be a whole number from 1 to {max}"));
                default
            }
        }
    }

    /// A list of texts.
    pub fn texts(&mut self, name: &str, max: usize, out: &mut Findings<'_>) -> Vec<String> {
        let Some((value, span)) = self.raw(name) else {
            self.missing(name, out);
            return Vec::new();
        };
        let field = self.dotted(name);
        let list: Option<Vec<String>> = value.as_array().and_then(|array| {
            array.iter().map(|each| each.get_ref().as_str().map(str::to_owned)).collect()
        });
        match list {
            Some(list) if list.len() <= max => {
                out.set(&field, list.join(", "), false);
                list
            }
            _ => {
                out.add(span.start, &field, format!("must be a list of at most {max} texts"));
                Vec::new()
            }
        }
    }

    /// A required sub-table.
    pub fn table(&mut self, name: &str, out: &mut Findings<'_>) -> Option<Self> {
        if !self.has(name) {
            self.read.insert(name.to_owned());
            out.add(self.at, &self.dotted(name), "missing table; it has no default");
            return None;
        }
        self.optional_table(name, out)
    }

    /// A sub-table that may be absent.
    pub fn optional_table(&mut self, name: &str, out: &mut Findings<'_>) -> Option<Self> {
        let (value, span) = self.raw(name)?;
        let path = self.dotted(name);
        let Some(values) = value.as_table() else {
            out.add(span.start, &path, format!("is {}, must be a table", value.type_str()));
            return None;
        };
        Some(Self { path, at: span.start, values, read: BTreeSet::new() })
    }

    /// A list of tables (`[[name]]`), possibly empty.
    pub fn tables(&mut self, name: &str, max: usize, out: &mut Findings<'_>) -> Vec<Self> {
        let Some((value, span)) = self.raw(name) else { return Vec::new() };
        let path = self.dotted(name);
        let Some(array) = value.as_array().filter(|array| array.len() <= max) else {
            out.add(span.start, &path, format!("must be a list of at most {max} tables"));
            return Vec::new();
        };
        let mut list = Vec::new();
        for (number, each) in array.iter().enumerate() {
            let path = format!("{path}[{number}]");
            match each.get_ref().as_table() {
                Some(values) => {
                    let at = each.span().start;
                    list.push(Self { path, at, values, read: BTreeSet::new() });
                }
                None => out.add(each.span().start, &path, "must be a table"),
            }
        }
        list
    }

    /// Reports a problem of this table as a whole, or of one of its fields.
    pub fn report(&mut self, name: &str, out: &mut Findings<'_>, problem: impl fmt::Display) {
        let at = self.raw(name).map_or(self.at, |(_, span)| span.start);
        out.add(at, &self.dotted(name), problem);
    }

    /// Fields that are known here but cannot be judged.
    pub fn pass_over(&mut self, names: &[&str]) {
        self.read.extend(names.iter().map(|name| (*name).to_owned()));
    }

    /// Unknown fields are errors: a misspelt safeguard would otherwise be a missing one.
    pub fn close(self, out: &mut Findings<'_>) {
        for (key, _) in self.values {
            let name = key.get_ref().as_ref();
            if !self.read.contains(name) {
                out.add(
                    key.span().start,
                    &self.dotted(name),
                    "unknown field; remove or correct it",
                );
            }
        }
    }
}

fn beside(folder: &Path, text: &str) -> Result<PathBuf, &'static str> {
    if text.is_empty() || text.contains('\0') {
        return Err("must be a path");
    }
    Ok(folder.join(text))
}

fn base64_array<const N: usize>(text: &str) -> Result<[u8; N], String> {
    let bytes = STANDARD.decode(text).map_err(|_| "is not base64".to_owned())?;
    <[u8; N]>::try_from(bytes).map_err(|bytes| format!("has {} bytes, must have {N}", bytes.len()))
}

/// The base64 form used in configuration files.
#[must_use]
pub fn base64_text(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}
