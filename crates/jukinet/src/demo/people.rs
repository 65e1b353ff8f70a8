//! The demonstration's residents: 20,000 people who do not exist, embedded, and a naive scan over
//! them that every answer of the network is compared with.
//!
//! The file is what `jukilab population --residents 20000 --seed 2003 --municipalities …` writes; a
//! test of the lab compares the two.

use std::io::Read;

use csv::ReaderBuilder;
use flate2::read::GzDecoder;
use law::query::{Query, QueryDraft};

/// Residents in the embedded file.
pub const EMBEDDED_RESIDENTS: u64 = 20_000;
/// Seed that the embedded file was made with.
pub const EMBEDDED_SEED: u64 = 2003;
static EMBEDDED: &[u8] = include_bytes!("../../assets/residents-demo.csv.gz");
/// People of the crowded address that a smaller population keeps: one more than may be provided.
const CROWD_COUNT: usize = law::query::PROVISION_PERSONS_MAX + 1;
/// Unpacked it is about 3 MB.
const EMBEDDED_BYTES_MAX: u64 = 64 << 20;

/// One line of the residents' CSV, as text.
#[derive(Clone)]
pub struct Line {
    pub code: String,
    pub family: String,
    pub given: String,
    pub birth: String,
    pub municipality: String,
    pub address: String,
    /// The line itself, as it stands in the file.
    pub text: String,
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Line(…)")
    }
}

impl Line {
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}\u{3000}{}", self.family, self.given)
    }
}

/// The whole population of a demonstration.
pub struct People {
    pub header: String,
    pub lines: Vec<Line>,
}

impl std::fmt::Debug for People {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "People({})", self.lines.len())
    }
}

impl People {
    /// `count` of the embedded residents, of every municipality.
    ///
    /// # Errors
    /// When the embedded file cannot be read, or holds fewer.
    pub fn embedded(count: u64) -> Result<Self, String> {
        let mut text = String::new();
        GzDecoder::new(EMBEDDED)
            .take(EMBEDDED_BYTES_MAX)
            .read_to_string(&mut text)
            .map_err(|error| format!("the embedded residents cannot be read: {error}"))?;
        if count > EMBEDDED_RESIDENTS {
            return Err(format!(
                "{EMBEDDED_RESIDENTS} residents are embedded, {count} were asked for; make more \
                    with jukilab population"
            ));
        }
        Ok(Self::parse(&text, EMBEDDED_RESIDENTS)?.thinned(count))
    }

    /// `count` of these people, evenly from the whole file, so that nobody's municipality is left
    /// out; first of all those at one crowded address, which the story needs.
    #[must_use]
    pub fn thinned(self, count: u64) -> Self {
        let Self { header, lines } = self;
        let count = usize::try_from(count).unwrap_or(usize::MAX).min(lines.len());
        let whole = Self { header, lines };
        let crowd = whole.crowded();
        let is_crowd = |line: &Line| {
            crowd.as_ref().is_some_and(|draft| {
                draft.address.as_ref() == Some(&line.address)
                    && draft.name.as_ref().is_some_and(|name| line.family.starts_with(name))
            })
        };
        let Self { header, lines } = whole;
        let crowded =
            lines.iter().filter(|line| is_crowd(line)).count().min(CROWD_COUNT).min(count);
        let (wanted, others) = (count - crowded, lines.len() - crowded);
        let (mut of_crowd, mut of_others) = (0, 0);
        let mut keep = |line: &Line| {
            if of_crowd < crowded && is_crowd(line) {
                of_crowd += 1;
                return true;
            }
            of_others += 1;
            of_others * wanted / others != (of_others - 1) * wanted / others
        };
        let lines = lines.into_iter().filter(|line| keep(line)).collect();
        Self { header, lines }
    }

    /// From the text of a residents' CSV.
    ///
    /// # Errors
    /// When it is no such file, or holds fewer than `count` residents.
    pub fn parse(text: &str, count: u64) -> Result<Self, String> {
        let mut reader = ReaderBuilder::new().from_reader(text.as_bytes());
        let header = text.lines().next().unwrap_or_default().to_owned();
        let mut lines = Vec::new();
        for record in reader.records() {
            if lines.len() as u64 == count {
                break;
            }
            let record = record.map_err(|_| "the residents' file is no CSV".to_owned())?;
            let cell = |at: usize| record.get(at).unwrap_or_default().to_owned();
            let position = record.position().map_or(0, csv::Position::byte);
            let start = usize::try_from(position).unwrap_or(usize::MAX);
            let text = text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
            lines.push(Line {
                code: cell(0),
                family: cell(1),
                given: cell(2),
                birth: cell(6),
                municipality: cell(7),
                address: cell(8),
                text: text.to_owned(),
            });
        }
        if (lines.len() as u64) < count {
            return Err(format!(
                "only {} residents are there, {count} were asked for; make more with jukilab \
                    population",
                lines.len()
            ));
        }
        Ok(Self { header, lines })
    }

    /// The file's text, for the lines that `keep` chooses.
    #[must_use]
    pub fn csv(&self, keep: impl Fn(&Line) -> bool) -> String {
        let mut text = format!("{}\n", self.header);
        for line in self.lines.iter().filter(|line| keep(line)) {
            text.push_str(&line.text);
            text.push('\n');
        }
        text
    }

    /// Codes that a naive scan finds for a query: plain text comparison, nothing shared with the
    /// network's own search. `None`: more than fifty.
    #[must_use]
    pub fn scan(&self, draft: &QueryDraft) -> Option<Vec<String>> {
        let plain = |text: &str| text.replace(['\u{3000}', ' '], "");
        let name = draft.name.as_deref().map(plain);
        let fits = |line: &&Line| {
            let own = plain(&line.name());
            let named = name
                .as_deref()
                .is_none_or(|name| if draft.prefix { own.starts_with(name) } else { own == name });
            named
                && draft.code.as_deref().is_none_or(|code| code == line.code)
                && draft.birth.as_deref().is_none_or(|birth| birth == line.birth)
                && draft.address.as_deref().is_none_or(|address| {
                    if draft.prefix {
                        line.address.starts_with(address)
                    } else {
                        line.address == address
                    }
                })
        };
        let mut codes: Vec<String> =
            self.lines.iter().filter(fits).map(|line| line.code.clone()).collect();
        codes.sort();
        (codes.len() <= law::query::PROVISION_PERSONS_MAX).then_some(codes)
    }

    /// A name's first character and a whole address under which more than fifty people are found:
    /// the dormitory that every synthetic population has.
    #[must_use]
    pub fn crowded(&self) -> Option<QueryDraft> {
        let mut by_address: std::collections::HashMap<(char, &str), usize> =
            std::collections::HashMap::new();
        for line in &self.lines {
            let Some(first) = line.family.chars().next() else { continue };
            let count = by_address.entry((first, line.address.as_str())).or_default();
            *count += 1;
            if *count > law::query::PROVISION_PERSONS_MAX {
                return Some(QueryDraft {
                    code: None,
                    name: Some(first.to_string()),
                    address: Some(line.address.clone()),
                    birth: None,
                    prefix: true,
                });
            }
        }
        None
    }

    /// Residents whose name and birth date, asked exactly, fold to nobody else's: for a story whose
    /// answer can be told beforehand.
    #[must_use]
    pub fn plain(&self, municipality: &str) -> Option<&Line> {
        self.lines.iter().find(|line| {
            line.municipality == municipality && !line.birth.contains("-00") && {
                let draft = QueryDraft {
                    code: None,
                    name: Some(line.name()),
                    address: None,
                    birth: Some(line.birth.clone()),
                    prefix: false,
                };
                Query::parse(&draft).is_ok()
                    && self.scan(&draft).is_some_and(|codes| codes.len() == 1)
            }
        })
    }
}

/// Whether any of the needles stands in `bytes`. One pass over the bytes: the first four bytes of
/// each needle lead to the few that may match.
#[must_use]
pub fn contains_any(bytes: &[u8], needles: &[Vec<u8>]) -> bool {
    let mut by_start: std::collections::HashMap<&[u8], Vec<&[u8]>> =
        std::collections::HashMap::new();
    for needle in needles.iter().filter(|needle| needle.len() >= 4) {
        if let Some(start) = needle.get(..4) {
            by_start.entry(start).or_default().push(needle);
        }
    }
    bytes.windows(4).enumerate().any(|(at, window)| {
        by_start.get(window).is_some_and(|candidates| {
            let rest = bytes.get(at..).unwrap_or_default();
            candidates.iter().any(|needle| rest.starts_with(needle))
        })
    })
}
