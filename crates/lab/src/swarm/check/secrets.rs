//! What must not be seen (V15, V18): private keys anywhere outside their token, residents where
//! nobody holds or asked for them.
//!
//! The keys of the simulated country are known here, and looked for in every message, entry and
//! kept value, as bytes and in hexadecimal. Some residents have names that begin with a character
//! nobody else has, and every record code is eleven digits: both are looked for in the bytes on the
//! line, whatever field they stand in.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use wire::{Reply, Request};

use super::super::country::{CardKind, MUNICIPALITIES, PLACES, Place};
use super::super::keys::sha256;
use super::super::nation::{CANARY_MARK, Nation};
use super::codes::is_code;
use super::talk::{Speaker, Way, above, role};
use super::{Checker, Violation};

/// Digits of a record code.
const CODE_DIGITS: usize = 11;

/// Byte strings that are looked for together: by their first two bytes, then whole.
struct Needles {
    begins: Vec<bool>,
    all: Vec<Vec<u8>>,
}

impl Needles {
    fn of(all: Vec<Vec<u8>>) -> Self {
        let mut begins = vec![false; 1 << 16];
        for needle in &all {
            if let [first, second, ..] = needle[..]
                && let Some(begin) = begins.get_mut(two(first, second))
            {
                *begin = true;
            }
        }
        Self { begins, all }
    }

    fn find(&self, bytes: &[u8]) -> bool {
        bytes.windows(2).enumerate().any(|(at, pair)| {
            let [first, second] = *pair else { return false };
            self.begins.get(two(first, second)).copied().unwrap_or(false)
                && self
                    .all
                    .iter()
                    .any(|needle| bytes.get(at..).is_some_and(|rest| rest.starts_with(needle)))
        })
    }
}

fn two(first: u8, second: u8) -> usize {
    usize::from(first) << 8 | usize::from(second)
}

/// Every private key of the country, as `keys` derives them from names.
static KEYS: LazyLock<Needles> = LazyLock::new(|| {
    let mut found = vec![private_key("the center's directory")];
    for (place, (node, _)) in PLACES.iter().enumerate() {
        found.push(private_key(&format!("the node {node}")));
        let origin = format!("jukinet.example/{node}");
        found.push(sha256(&[b"jukilab ledger\n", origin.as_bytes()]).to_vec());
        found.extend(CardKind::ALL.map(|kind| private_key(&kind.name(place))));
    }
    let written: Vec<Vec<u8>> = found.iter().map(|key| super::lines::hex(key).into()).collect();
    Needles::of([found, written].concat())
});

fn private_key(name: &str) -> Vec<u8> {
    sha256(&[b"jukilab key\n", name.as_bytes()]).to_vec()
}

/// V15: whether a private key stands in these bytes.
pub(super) fn holds_key(bytes: &[u8]) -> bool {
    KEYS.find(bytes)
}

/// The marked names in these bytes.
pub(super) fn marked(bytes: &[u8]) -> BTreeSet<String> {
    let mark = CANARY_MARK.as_bytes();
    let mut found = BTreeSet::new();
    let mut rest = bytes;
    while let Some(at) = rest.windows(mark.len()).position(|window| window == mark) {
        let Some(tail) = rest.get(at..) else { break };
        let name = tail.utf8_chunks().next().map_or("", |chunk| chunk.valid());
        let name: String = name.chars().take_while(|c| c.is_alphanumeric()).collect();
        found.insert(name);
        rest = tail.get(mark.len()..).unwrap_or(&[]);
    }
    found
}

/// Runs of digits that are a record code.
pub(super) fn codes(bytes: &[u8]) -> Vec<&str> {
    let runs = bytes.split(|byte| !byte.is_ascii_digit()).filter(|run| run.len() == CODE_DIGITS);
    let texts = runs.filter_map(|run| std::str::from_utf8(run).ok());
    texts.filter(|text| is_code(text)).collect()
}

/// Messages that may name a resident, and those that may give a code.
const NAMING: [&str; 6] = ["feed", "inquiry", "notices", "move-claim", "repair", "answer"];
const CODING: [&str; 15] = [
    "feed",
    "inquiry",
    "notices",
    "move-claim",
    "repair",
    "answer",
    "disclosures",
    "view-query",
    "view",
    "move-released",
    "pool",
    "code-taken",
    "suspicion",
    "suspected",
    "take-code",
];

fn wrong(rule: &'static str, detail: String) -> Result<(), Violation> {
    Err(Violation::new(rule, detail))
}

/// V15 and V18 on a line: `kind` is what is said.
fn on_the_line(kind: &str, way: Way, bytes: &[u8]) -> Result<BTreeSet<String>, Violation> {
    let Way { from, to, .. } = way;
    if holds_key(bytes) {
        let detail = format!("a private key in {kind} between places {from} and {to}");
        return Err(Violation::new("private-key", detail));
    }
    let names = marked(bytes);
    if !NAMING.contains(&kind) && !names.is_empty() {
        let detail = format!("a name in {kind} between places {from} and {to}");
        return Err(Violation::new("canary", detail));
    }
    if !CODING.contains(&kind) && !codes(bytes).is_empty() {
        let detail = format!("a record code in {kind} between places {from} and {to}");
        return Err(Violation::new("canary", detail));
    }
    Ok(names)
}

/// Whether a municipality ever had this resident, truly or by a false filing.
fn had(nation: &Nation, name: &str, municipality: Place) -> bool {
    let persons = nation.persons.iter().enumerate();
    let mut those = persons.filter(|(_, person)| person.mark.as_deref() == Some(name));
    those.any(|(who, _)| {
        !nation.deeds_at(who, &[municipality]).is_empty()
            || nation.wrong.iter().any(|w| (w.who, w.place) == (who, municipality))
            // What a hostile municipality said, its prefecture passes on: to be set aside above.
            || nation.intruded.iter().any(|(whom, _)| *whom == who)
    })
}

/// Whether a tier holds, or held, this resident: the municipality, what stands above it.
fn holds(nation: &Nation, name: &str, place: Place) -> bool {
    let under = |municipality: &Place| match role(place) {
        "center" => true,
        "prefecture" => above(*municipality) == place,
        "municipality" => *municipality == place,
        _ => false,
    };
    MUNICIPALITIES.iter().filter(|at| under(at)).any(|at| had(nation, name, *at))
}

/// A request as it lies on the line.
pub(super) fn request(
    way: Way,
    request: &Request,
    bytes: &[u8],
    nation: &Nation,
) -> Result<(), Violation> {
    let kind = request.kind().key();
    for name in on_the_line(kind, way, bytes)? {
        let may = match request {
            // Typed at a terminal, handed in at the counter: whoever does it knows the name.
            Request::Inquiry(_) | Request::Feed(_) => true,
            Request::MoveClaim(_) => had(nation, &name, way.from),
            // What is told upwards is told by whoever holds it, to whoever is to hold it.
            _ => holds(nation, &name, way.from) && holds(nation, &name, way.to),
        };
        if !may || (way.speaker == Speaker::Node && role(way.from) == "agency" && kind != "inquiry")
        {
            let Way { from, to, .. } = way;
            let detail = format!("{kind} from place {from} to place {to} tells of a stranger");
            return wrong("canary", detail);
        }
    }
    Ok(())
}

/// A reply as it lies on the line. Whom an answer may name is judged where it leaves.
pub(super) fn reply(way: Way, reply: &Reply, bytes: &[u8]) -> Result<(), Violation> {
    on_the_line(reply.kind().key(), way, bytes).map(|_| ())
}

/// V15 and V18 in an entry: no key, no name; a code in its own line only.
pub(super) fn entry(place: Place, entry: &[u8]) -> Result<(), Violation> {
    if holds_key(entry) {
        return wrong("private-key", format!("in an entry of place {place}"));
    }
    // A digest in hexadecimal has runs of digits, and so may a case number.
    let known: [&[u8]; 3] = [b"resident ", b"case ", b"request "];
    let aside = |line: &&[u8]| !known.iter().any(|begin| line.starts_with(begin));
    let rest: Vec<&[u8]> = entry.split(|byte| *byte == b'\n').filter(aside).collect();
    if !marked(entry).is_empty() || rest.iter().any(|line| !codes(line).is_empty()) {
        return wrong("canary", format!("an entry of place {place} says whom it is not to name"));
    }
    Ok(())
}

impl Checker {
    /// V18: an agency's server keeps nobody.
    pub(super) fn keeps_nobody(
        place: Place,
        writes: &[node::ports::Write],
    ) -> Result<(), Violation> {
        use node::ports::Write;
        let personal = |write: &Write| {
            matches!(
                write,
                Write::PutResident(_)
                    | Write::ReplaceCode { .. }
                    | Write::AppendHistory { .. }
                    | Write::PutForeign { .. }
                    | Write::PutFact { .. }
                    | Write::Enqueue { .. }
            )
        };
        if role(place) == "agency" && writes.iter().any(personal) {
            return wrong("canary", format!("the agency at place {place} keeps a resident"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_as_bytes_and_in_hexadecimal() {
        let key = private_key("the node center");
        for hidden in [key.clone(), super::super::lines::hex(&key).into_bytes()] {
            let bytes = [b"some bytes ".as_slice(), &hidden, b" more"].concat();
            assert!(holds_key(&bytes));
            assert!(!holds_key(&bytes[..bytes.len() - 6]));
        }
    }

    #[test]
    fn a_marked_name_and_a_code_are_found_wherever_they_stand() {
        let bytes = format!("\u{1}{CANARY_MARK}壱　太郎\u{2}x12345678903y123456789012");
        let bytes = [&[0xff, 0xfe], bytes.as_bytes(), &[0xff]].concat();
        assert_eq!(marked(&bytes), BTreeSet::from([format!("{CANARY_MARK}壱")]));
        assert_eq!(codes(&bytes), ["12345678903"]);
    }

    #[test]
    fn a_name_where_no_name_belongs_is_found() {
        let way = Way { from: 3, speaker: Speaker::Node, to: 0 };
        let said = format!("software {CANARY_MARK}壱").into_bytes();
        assert_eq!(on_the_line("heartbeat", way, &said).unwrap_err().rule, "canary");
        assert!(on_the_line("inquiry", way, &said).is_ok());
        let said = b"queued 12345678903".to_vec();
        assert_eq!(on_the_line("refusal", way, &said).unwrap_err().rule, "canary");
        assert!(on_the_line("view", way, &said).is_ok());
    }

    #[test]
    fn an_entry_names_a_code_in_its_own_line_only() {
        let good = b"jukinet-entry/1\nkind provision\nresident 12345678903\n";
        assert_eq!(entry(0, good), Ok(()));
        let bad = b"jukinet-entry/1\nkind refusal\nnote 12345678903\n";
        assert_eq!(entry(0, bad).unwrap_err().rule, "canary");
        let bad = [b"note ".as_slice(), &private_key("the node center")].concat();
        assert_eq!(entry(0, &bad).unwrap_err().rule, "private-key");
    }
}
