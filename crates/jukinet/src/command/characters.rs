//! `jukinet characters`: the table of Juki-net unified characters (住基ネット統一文字): taken over from
//! a file, looked up, and a register checked against it.

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand};
use law::character::{CharacterClass, CharacterTable, JukiChar, JukiRange, MjName};
use serde_json::{Value, json};

use crate::feed::Profile;
use crate::talk::{Exit, Talk};
use crate::{character_file, disk};

/// The columns of a register that hold text of a person.
const COLUMNS: [&str; 7] = [
    "family_name",
    "given_name",
    "family_kana",
    "given_kana",
    "address",
    "alternative_name",
    "former_surname",
];

#[derive(Debug, Args)]
pub struct CharactersArgs {
    #[command(subcommand)]
    verb: CharactersVerb,
}

#[derive(Debug, Subcommand)]
enum CharactersVerb {
    /// Take over MJ文字情報一覧表 (tab-separated): check it and write the table nodes read
    #[command(after_help = "Example:\n  \
        jukinet characters load --table mji.tsv --out tables\n\n\
        The list is no part of this program: it is published by 文字情報技術促進協議会 under\n\
        CC BY-SA 2.1 JP. The file written is under the same licence.")]
    Load {
        /// The list, exported as tab-separated UTF-8 with its header
        #[arg(long, value_name = "FILE")]
        table: PathBuf,
        /// Where characters.tsv is written
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// One JSON document on stdout
        #[arg(long)]
        json: bool,
    },
    /// Report the rows of a register that hold characters outside the table
    #[command(after_help = "Example:\n  \
        jukinet characters check --file residents.csv --table tables/characters.tsv\n\n\
        Exit codes: 0 none, 6 some rows.")]
    Check {
        /// CSV with a header, as for jukinet notice
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
        /// The table; the small one of the program when absent
        #[arg(long, value_name = "FILE")]
        table: Option<PathBuf>,
        /// How the file is written
        #[arg(long, value_name = "PROFILE", default_value = "utf-8")]
        profile: Profile,
        /// One JSON document on stdout
        #[arg(long)]
        json: bool,
    },
    /// Look up a character: J+9AD9, U+9AD9, MJ028902 or the character itself
    #[command(after_help = "Examples:\n  \
        jukinet characters show J+9AD9\n  \
        jukinet characters show 髙 --table tables/characters.tsv --json\n\n\
        Exit codes: 0 found, 1 not in the table.")]
    Show {
        #[arg(value_name = "CHARACTER")]
        character: String,
        /// The table; the small one of the program when absent
        #[arg(long, value_name = "FILE")]
        table: Option<PathBuf>,
        /// One JSON document on stdout
        #[arg(long)]
        json: bool,
    },
}

pub fn run(args: &CharactersArgs, talk: Talk) -> Exit {
    let done = match &args.verb {
        CharactersVerb::Load { table, out, json } => load(table, out, *json, talk),
        CharactersVerb::Check { file, table, profile, json } => table_of(table.as_ref())
            .and_then(|table| Check { table, profile: *profile }.run(file, *json, talk)),
        CharactersVerb::Show { character, table, json } => {
            table_of(table.as_ref()).map(|table| show(character, &table, *json, talk))
        }
    };
    done.unwrap_or_else(|why| {
        talk.fail(why);
        Exit::Usage
    })
}

fn table_of(path: Option<&PathBuf>) -> Result<Arc<CharacterTable>, String> {
    match path {
        Some(path) => character_file::read(path).map_err(|error| error.to_string()),
        None => Ok(Arc::new(CharacterTable::small().clone())),
    }
}

fn load(
    file: &std::path::Path,
    out: &std::path::Path,
    as_json: bool,
    talk: Talk,
) -> Result<Exit, String> {
    let table = character_file::read(file).map_err(|error| error.to_string())?;
    disk::make_folder(out).map_err(|error| error.to_string())?;
    let path = out.join("characters.tsv");
    disk::write_private(&path, table.to_tsv().as_bytes()).map_err(|error| error.to_string())?;
    let count = |of| table.codes().filter(|code| code.range() == Some(of)).count();
    if as_json {
        let ranges: Vec<Value> = JukiRange::ALL
            .iter()
            .map(|(range, first, last)| {
                json!({"first": format!("J+{first:04X}"), "last": format!("J+{last:04X}"),
                    "characters": count(*range)})
            })
            .collect();
        talk.json(&json!({
            "characters": table.len(), "ranges": ranges, "file": path.display().to_string(),
        }));
    } else {
        for (range, first, last) in JukiRange::ALL {
            let count = count(range);
            talk.data(format!("J+{first:04X}-{last:04X}\t{count}\t{}", range.japanese()));
        }
        talk.say(format!("{} characters: {}", table.len(), path.display()));
    }
    Ok(Exit::Ok)
}

struct Check {
    table: Arc<CharacterTable>,
    profile: Profile,
}

/// A cell with a character outside: where, and which kind; never which.
struct Outside {
    row: u64,
    line: u64,
    column: &'static str,
    problem: String,
}

impl Check {
    fn run(&self, file: &std::path::Path, as_json: bool, talk: Talk) -> Result<Exit, String> {
        let told = |what: &dyn std::fmt::Display| format!("{}: {what}", file.display());
        let source = File::open(file).map_err(|error| told(&error))?;
        let mut reader =
            csv::ReaderBuilder::new().flexible(true).from_reader(BufReader::new(source));
        let header = reader.byte_headers().map_err(|_| told(&"not CSV with a header"))?;
        let columns: Vec<(&'static str, usize)> = COLUMNS
            .iter()
            .filter_map(|name| Some((*name, header.iter().position(|c| c == name.as_bytes())?)))
            .collect();
        if columns.is_empty() {
            return Err(told(&"the header names no column of a register, as family_name"));
        }
        let (mut record, mut row, mut found) = (csv::ByteRecord::new(), 1_u64, Vec::new());
        let mut outside = 0_u64;
        while reader.read_byte_record(&mut record).map_err(|_| told(&"not CSV"))? {
            row += 1;
            let line = record.position().map_or(0, csv::Position::line);
            for (column, place) in &columns {
                let cell = record.get(*place).unwrap_or_default();
                let Some(problem) = self.problem(cell) else { continue };
                outside += 1;
                let each = Outside { row, line, column, problem };
                if as_json {
                    found.push(each);
                    if found.len() >= FOUND_COUNT_MAX {
                        return Err(told(&"too many rows for one JSON document; leave --json out"));
                    }
                } else {
                    let Outside { row, line, column, problem } = each;
                    talk.data(format!("{row}\t{line}\t{column}\t{problem}"));
                }
            }
        }
        if as_json {
            let list: Vec<Value> = found
                .iter()
                .map(|each| {
                    json!({"row": each.row, "line": each.line, "column": each.column,
                        "problem": each.problem})
                })
                .collect();
            talk.json(&json!({"rows": row - 1, "outside": outside, "found": list}));
        } else {
            talk.say(format!("{} rows, {outside} cells with a character outside", row - 1));
        }
        Ok(if outside == 0 { Exit::Ok } else { Exit::Partial })
    }

    fn problem(&self, cell: &[u8]) -> Option<String> {
        match self.profile.decode(cell) {
            None => Some(format!("a byte that is no {} character", self.profile.name())),
            Some(text) => self.table.check(&text).err().map(|error| error.to_string()),
        }
    }
}

/// Cells told in one JSON document.
const FOUND_COUNT_MAX: usize = 100_000;

fn show(character: &str, table: &CharacterTable, as_json: bool, talk: Talk) -> Exit {
    let codes = sought(character, table);
    if codes.is_empty() {
        talk.fail("not in the table; give J+xxxx, U+xxxx, MJxxxxxx or one character");
        return Exit::Failed;
    }
    let glyphs = codes.iter().filter_map(|code| Some((*code, table.glyph(*code)?)));
    if as_json {
        let list: Vec<Value> = glyphs
            .map(|(code, glyph)| {
                json!({
                    "juki": code.to_string(), "text": glyph.text(),
                    "ucs": points(&glyph.text()),
                    "mj": glyph.mj.map(|mj| mj.to_string()),
                    "range": code.range().map(JukiRange::japanese),
                })
            })
            .collect();
        talk.json(&json!(list));
    } else {
        for (code, glyph) in glyphs {
            let mj = glyph.mj.map_or_else(|| "-".to_owned(), |mj| mj.to_string());
            let range = code.range().map_or("", JukiRange::japanese);
            let class = CharacterClass::of(glyph.base).words();
            let points = points(&glyph.text());
            talk.data(format!("{code}\t{}\t{points}\t{mj}\t{range}\t{class}", glyph.text()));
        }
    }
    Exit::Ok
}

/// The codes meant: one for a code, a name or a sequence; all shapes of a plain character.
fn sought(text: &str, table: &CharacterTable) -> Vec<JukiChar> {
    let known = |code: &JukiChar| table.glyph(*code).is_some();
    if text.starts_with("J+") {
        return JukiChar::parse(text).filter(known).into_iter().collect();
    }
    if let Some(name) = MjName::parse(text) {
        return table.by_mj(name).into_iter().collect();
    }
    let point = text.strip_prefix("U+").and_then(|hex| u32::from_str_radix(hex, 16).ok());
    let mut chars = text.chars();
    match (point, chars.next(), chars.next()) {
        (Some(point), ..) => {
            char::from_u32(point).map(|c| table.by_base(c).collect()).unwrap_or_default()
        }
        (None, Some(c), None) => table.by_base(c).collect(),
        _ => table.encode(text).ok().filter(|codes| codes.len() == 1).unwrap_or_default(),
    }
}

fn points(text: &str) -> String {
    let points: Vec<String> = text.chars().map(|c| format!("U+{:04X}", u32::from(c))).collect();
    points.join(" ")
}
