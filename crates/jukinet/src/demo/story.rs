//! The story of the demonstration: each step is a command of this binary run as its user would, and
//! each outcome is compared with what must be.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use law::query::QueryDraft;
use serde_json::{Value, json};

use super::people::Line;
use super::raise::Raised;
use crate::{clock, disk};

/// How long a step may wait for another tier.
const STEP_PATIENCE: Duration = Duration::from_secs(20);
/// Residents whose names are searched for in every file of the country.
const NAMES_SEARCHED_COUNT: usize = 400;

/// What was told and what was checked.
#[derive(Debug, Default)]
pub struct Told {
    pub story: Vec<Value>,
    pub checks: Vec<Value>,
    pub failed: usize,
}

impl Told {
    fn step(&mut self, step: &str, outcome: impl Into<String>) {
        self.story.push(json!({"step": step, "outcome": outcome.into()}));
    }

    fn check(&mut self, name: &str, result: Result<String, String>) {
        let (ok, detail) = match result {
            Ok(detail) => (true, detail),
            Err(detail) => (false, detail),
        };
        self.failed += usize::from(!ok);
        self.step(name, detail.clone());
        self.checks.push(json!({"name": name, "ok": ok, "detail": detail}));
    }
}

/// One run of a command.
pub(super) struct Ran {
    code: i32,
    pub(super) json: Value,
}

/// An inquiry from one place with one of its cards.
struct Ask<'a> {
    place: &'a str,
    operator: &'a str,
    affair: &'a str,
    draft: QueryDraft,
}

/// Tell the whole story. Nothing here stops at the first failure: every check is listed.
pub fn tell(raised: &Raised, say: &dyn Fn(&str)) -> Told {
    let mut told = Told::default();
    let mut run = |name: &str, step: fn(&Raised) -> Result<String, String>| {
        let result = step(raised);
        let mark = if result.is_ok() { "✔" } else { "✘" };
        let (Ok(words) | Err(words)) = &result;
        say(&format!("{mark} {name}: {words}"));
        told.check(name, result);
    };
    run("move-in-reaches-center", move_in);
    run("query-by-name-and-birth", name_and_birth);
    run("queries-equal-naive-scan", all_shapes);
    run("more-than-50-refused", crowded);
    run("short-prefix-refused", short_prefix);
    run("affair-outside-table-refused", foreign_affair);
    run("wrong-card-refused", wrong_card);
    run("municipality-asks-prefecture-and-center", municipality_asks);
    run("move-waits-for-the-former-city", moves);
    run("resident-opens-timeline", resident_view);
    run("proofs-verify-offline", proofs_verify);
    run("stores-clean-and-tiers-equal", stores_clean);
    run("no-name-in-any-file", no_name_on_disk);
    told
}

/// 1: a move-in, notified at the counter, is found at the center by an agency.
fn move_in(raised: &Raised) -> Result<String, String> {
    let line = newcomer(raised)?;
    let today = clock::now().date_in_japan();
    let file = raised.country.dir.join("move-in.csv");
    let header = &raised.people.header;
    let text = format!("{header},reason,changed_on\n{},moved-in,{today}\n", line.text);
    disk::write_private(&file, text.as_bytes()).map_err(|error| error.to_string())?;
    let node = format!("municipality-{}", line.municipality);
    let config = &raised.country.node(&node).ok_or("no such municipality")?.config;
    let started = clock::monotonic();
    let sent = raised.tool(&[
        "notice".as_ref(),
        "--json".as_ref(),
        "--config".as_ref(),
        config.as_os_str(),
        "--file".as_ref(),
        file.as_os_str(),
    ])?;
    let _ = std::fs::remove_file(&file);
    if sent.json.get("accepted") != Some(&json!(1)) {
        return Err(format!("the notice was not taken: {}", sent.json));
    }
    loop {
        let ran = raised.ask(&raised.by_agency(by_code(&line.code)))?;
        if codes(&ran.json) == vec![line.code.clone()] {
            let reason = ran.json.pointer("/hits/0/change/reason").cloned();
            if reason != Some(json!("moved-in")) {
                return Err("found, but without its reason".to_owned());
            }
            let elapsed = clock::monotonic().duration_since(started).as_millis();
            return Ok(format!(
                "notified at 国立市, answered by the center after {elapsed} ms, both commands included"
            ));
        }
        if clock::monotonic().duration_since(started) > STEP_PATIENCE {
            return Err("the newcomer did not reach the center in time".to_owned());
        }
    }
}

/// The newcomer moves on: see [`super::moving`].
fn moves(raised: &Raised) -> Result<String, String> {
    super::moving::moves(raised, newcomer(raised)?)
}

/// 2: the agency finds one person by name and birth date, and gets exactly the lawful items.
fn name_and_birth(raised: &Raised) -> Result<String, String> {
    let line = subject(raised)?;
    let ran = raised.ask(&raised.by_agency(by_name_and_birth(line)))?;
    if codes(&ran.json) != vec![line.code.clone()] {
        return Err(format!("exit {}, not the one person expected", ran.code));
    }
    let hit = ran.json.pointer("/hits/0").and_then(Value::as_object).ok_or("no hit")?;
    let mut items: Vec<&str> = hit.keys().map(String::as_str).collect();
    items.sort_unstable();
    let lawful = ["address", "birth", "change", "kana", "name", "record_code", "sex"];
    if items != lawful {
        return Err(format!("items are {}", items.join(", ")));
    }
    if hit.get("address") != Some(&json!(line.address)) {
        return Err("the address is another".to_owned());
    }
    let index = ran.json.pointer("/receipt/index").cloned().unwrap_or_default();
    Ok(format!("1 person, four items, code and change; recorded as #{index} before it left"))
}

/// 3: all three keys, whole and as prefixes, find what a naive scan over the residents' file finds.
fn all_shapes(raised: &Raised) -> Result<String, String> {
    let mut compared = 0;
    for municipality in ["132152", "202029", "202207"] {
        let line = raised.people.plain(municipality).ok_or("nobody to ask about")?;
        let initial: String = line.family.chars().take(1).collect();
        let town: String =
            line.address.chars().take(line.address.chars().count() / 2 + 2).collect();
        let with =
            |name: Option<String>, address: Option<String>, birth: Option<&String>, prefix| {
                QueryDraft { code: None, name, address, birth: birth.cloned(), prefix }
            };
        let (name, address) = (Some(line.name()), Some(line.address.clone()));
        let drafts = [
            by_code(&line.code),
            with(name.clone(), address.clone(), None, false),
            with(name.clone(), None, Some(&line.birth), false),
            with(Some(initial.clone()), address, None, true),
            with(name, Some(town), None, true),
            with(Some(initial), None, Some(&line.birth), true),
        ];
        for (shape, draft) in drafts.into_iter().enumerate() {
            let expected = raised.people.scan(&draft);
            let ran = raised.ask(&raised.by_agency(draft))?;
            let answered = (ran.code == 0).then(|| codes(&ran.json));
            if answered != expected {
                return Err(format!("shape {shape} at {municipality} differs from the scan"));
            }
            compared += 1;
        }
    }
    Ok(format!("{compared} queries equal a naive scan"))
}

/// 4: more than fifty people share an initial at one address: refused, without a number.
fn crowded(raised: &Raised) -> Result<String, String> {
    let draft = raised.people.crowded().ok_or("no crowded address in this population")?;
    refused(&raised.ask(&raised.by_agency(draft))?, "more-than-50")
}

/// 5: a prefix that names no more than a municipality.
fn short_prefix(raised: &Raised) -> Result<String, String> {
    let line = subject(raised)?;
    let draft = QueryDraft {
        code: None,
        name: Some(line.family.chars().take(1).collect()),
        address: Some("東京都三鷹市".to_owned()),
        birth: None,
        prefix: true,
    };
    refused(&raised.ask(&raised.by_agency(draft))?, "prefix-too-short")
}

/// 6: an affair that is in no table, and one that is another agency's.
fn foreign_affair(raised: &Raised) -> Result<String, String> {
    let line = subject(raised)?;
    let nowhere = Ask { affair: "1-999-1", ..raised.by_agency(by_code(&line.code)) };
    refused(&raised.ask(&nowhere)?, "affair-unknown")?;
    let other = raised.first_affair("agency-2", "1-").ok_or("agency-2 has no affair")?;
    let other = Ask { affair: &other, ..raised.by_agency(by_code(&line.code)) };
    refused(&raised.ask(&other)?, "affair-not-of-recipient")
}

/// 7: a genuine card of another organ, and one whose term is over.
fn wrong_card(raised: &Raised) -> Result<String, String> {
    let line = subject(raised)?;
    let wrong = Ask { operator: "wrong", ..raised.by_agency(by_code(&line.code)) };
    refused(&raised.ask(&wrong)?, "card-of-another-organ")?;
    let expired = Ask { operator: "expired", ..raised.by_agency(by_code(&line.code)) };
    refused(&raised.ask(&expired)?, "card-expired")
}

/// 8: a municipality's clerk asks its prefecture about a resident of the same prefecture (別表第二),
/// and the center about one of another (別表第四). Table 4 about the own prefecture finds nobody.
fn municipality_asks(raised: &Raised) -> Result<String, String> {
    let place = "municipality-132152";
    let here = subject(raised)?;
    let elsewhere = raised.people.plain("202029").ok_or("nobody in 松本市 to ask about")?;
    for (table, line, told) in [("2-", here, true), ("4-", elsewhere, true), ("4-", here, false)] {
        let affair = raised.first_affair(place, table).ok_or("the card has no such affair")?;
        let draft = by_name_and_birth(line);
        let ask = Ask { place, operator: "clerk", affair: &affair, draft };
        let ran = raised.ask(&ask)?;
        let expected: Vec<String> = told.then(|| line.code.clone()).into_iter().collect();
        if ran.code != 0 || codes(&ran.json) != expected {
            return Err(format!("affair {affair}: exit {}, not the person expected", ran.code));
        }
    }
    Ok("別表第二 at the prefecture, 別表第四 at the center: each reaches whom it may".to_owned())
}

/// 9: the resident of step 2 sees who got what, center and prefecture alike.
fn resident_view(raised: &Raised) -> Result<String, String> {
    let line = subject(raised)?;
    let dir = &raised.country.dir;
    let code_file = dir.join("code.txt");
    disk::write_private(&code_file, line.code.as_bytes()).map_err(|error| error.to_string())?;
    let started = clock::monotonic();
    loop {
        let rows = raised.view(&code_file)?;
        let from = |origin: &str| {
            let end = format!("/{origin}");
            rows.iter().filter(|ledger| ledger.ends_with(&end)).count()
        };
        let (center, prefecture) = (from("center"), from("prefecture-13"));
        // Step 2 at the center, table 2 at the prefecture, both with their proofs.
        if center >= 1 && prefecture >= 1 {
            let _ = std::fs::remove_file(&code_file);
            return Ok(format!("{center} records of the center, {prefecture} of the prefecture"));
        }
        if clock::monotonic().duration_since(started) > STEP_PATIENCE {
            return Err(format!("only {center} and {prefecture} records with proofs"));
        }
        std::thread::sleep(Duration::from_millis(300));
    }
}

/// 10: the file and the center's ledger verify with nothing but the ledgers' public keys.
fn proofs_verify(raised: &Raised) -> Result<String, String> {
    let view = raised.country.dir.join("resident-view.json");
    let ran = raised.tool(&[
        "ledger".as_ref(),
        "verify".as_ref(),
        view.as_os_str(),
        "--json".as_ref(),
    ])?;
    if ran.code != 0 {
        return Err(format!("the resident's file does not verify: {}", ran.json));
    }
    let mut entries = 0;
    for node in &raised.country.nodes {
        let ledger = node.folder.join("ledger");
        let ran = raised.tool(&[
            "ledger".as_ref(),
            "verify".as_ref(),
            ledger.as_os_str(),
            "--key".as_ref(),
            node.ledger_vkey.as_ref(),
            "--json".as_ref(),
        ])?;
        if ran.code != 0 {
            return Err(format!("the ledger of {} does not verify: {}", node.node, ran.json));
        }
        entries += ran.json.get("size").and_then(Value::as_u64).unwrap_or(0);
    }
    let ledgers = raised.country.nodes.len();
    Ok(format!("the resident's file and {ledgers} ledgers, {entries} entries"))
}

/// 11: every store is sound, and the three tiers hold the same people.
fn stores_clean(raised: &Raised) -> Result<String, String> {
    let mut digests: Vec<(String, Value)> = Vec::new();
    for node in &raised.country.nodes {
        let ran = raised.tool(&[
            "fsck".as_ref(),
            "--config".as_ref(),
            node.config.as_os_str(),
            "--json".as_ref(),
        ])?;
        if ran.code != 0 {
            return Err(format!("{}: {}", node.node, ran.json));
        }
        let digest = ran.json.get("population_digest").cloned().unwrap_or_default();
        digests.push((node.node.to_string(), digest));
    }
    let of = |node: &str, municipality: &str| {
        let found = digests.iter().find(|(name, _)| name == node);
        found.and_then(|(_, digest)| digest.get(municipality).cloned())
    };
    let mut compared = 0;
    for node in raised.country.nodes.iter().filter(|n| n.role == wire::Role::Municipality) {
        let code = node.code.as_str();
        let prefecture = format!("prefecture-{}", code.get(..2).unwrap_or_default());
        let own = of(node.node.as_str(), code).ok_or("a municipality holds nobody")?;
        if of(&prefecture, code).as_ref() != Some(&own) || of("center", code) != Some(own) {
            return Err(format!("the tiers differ about {code}"));
        }
        compared += 1;
    }
    let stores = digests.len();
    Ok(format!("{stores} stores clean, {compared} municipalities equal in all three tiers"))
}

/// 12: no resident's name or address stands in any file that a node or terminal keeps.
fn no_name_on_disk(raised: &Raised) -> Result<String, String> {
    let people = &raised.people.lines;
    let step = (people.len() / NAMES_SEARCHED_COUNT).max(1);
    let chosen: Vec<&Line> = people.iter().step_by(step).collect();
    let mut needles: Vec<Vec<u8>> = Vec::new();
    for line in &chosen {
        let whole = [line.name(), format!("{}{}", line.family, line.given), line.address.clone()];
        for text in whole {
            needles.push(text.encode_utf16().flat_map(u16::to_le_bytes).collect());
            needles.push(text.into_bytes());
        }
    }
    let mut files = 0;
    let dir = &raised.country.dir;
    for folder in ["nodes", "terminals"] {
        files += search(&dir.join(folder), &needles)?;
    }
    Ok(format!("{} people searched for in {files} files", chosen.len()))
}

/// Count the files below `folder`; an error names the file that holds a needle, never the needle.
fn search(folder: &Path, needles: &[Vec<u8>]) -> Result<usize, String> {
    let mut files = 0;
    let entries = std::fs::read_dir(folder).map_err(|error| error.to_string())?;
    for entry in entries {
        let path = entry.map_err(|error| error.to_string())?.path();
        if path.is_dir() {
            files += search(&path, needles)?;
            continue;
        }
        let Ok(bytes) = std::fs::read(&path) else { continue };
        files += 1;
        if super::people::contains_any(&bytes, needles) {
            return Err(format!("a resident's name or address stands in {}", path.display()));
        }
    }
    Ok(files)
}

fn newcomer(raised: &Raised) -> Result<&Line, String> {
    raised.people.lines.get(raised.newcomer).ok_or_else(|| "no newcomer".to_owned())
}

/// The resident of 三鷹市 whom the story follows.
fn subject(raised: &Raised) -> Result<&Line, String> {
    raised.people.plain("132047").ok_or_else(|| "nobody to ask about".to_owned())
}

fn by_code(code: &str) -> QueryDraft {
    QueryDraft {
        code: Some(code.to_owned()),
        name: None,
        address: None,
        birth: None,
        prefix: false,
    }
}

fn by_name_and_birth(line: &Line) -> QueryDraft {
    QueryDraft {
        code: None,
        name: Some(line.name()),
        address: None,
        birth: Some(line.birth.clone()),
        prefix: false,
    }
}

fn codes(json: &Value) -> Vec<String> {
    let hits = json.get("hits").and_then(Value::as_array);
    let code = |hit: &Value| hit.get("record_code")?.as_str().map(str::to_owned);
    let mut codes: Vec<String> = hits.into_iter().flatten().filter_map(code).collect();
    codes.sort();
    codes
}

fn refused(ran: &Ran, rule: &str) -> Result<String, String> {
    let told = ran.json.pointer("/refusal/rule").and_then(Value::as_str).unwrap_or("none");
    let law = ran.json.pointer("/refusal/law").and_then(Value::as_str).unwrap_or_default();
    let has_hint = ran.json.pointer("/refusal/hint").is_some_and(Value::is_string);
    if ran.code == 4 && told == rule && has_hint && !law.is_empty() {
        Ok(format!("refused: {rule} ({law})"))
    } else {
        Err(format!("expected {rule}, got exit {} and {told}", ran.code))
    }
}

impl Raised {
    /// Run this binary; its JSON and its exit code.
    pub(super) fn tool(&self, arguments: &[&std::ffi::OsStr]) -> Result<Ran, String> {
        let output = Command::new(&self.binary)
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| error.to_string())?;
        let json = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
        Ok(Ran { code: output.status.code().unwrap_or(-1), json })
    }

    fn by_agency(&self, draft: QueryDraft) -> Ask<'_> {
        Ask { place: "agency-1", operator: "clerk", affair: "1-74-1", draft }
    }

    /// The first affair of a place's ordinary card that begins so.
    fn first_affair(&self, place: &str, start: &str) -> Option<String> {
        let card = self.country.terminal(place)?.cards.first()?;
        card.affairs.iter().map(ToString::to_string).find(|affair| affair.starts_with(start))
    }

    /// What an agency is told about the person with this code; nothing when nobody is.
    pub(super) fn hit_by_code(&self, code: &str) -> Result<Value, String> {
        let ran = self.ask(&self.by_agency(by_code(code)))?;
        Ok(ran.json.pointer("/hits/0").cloned().unwrap_or_default())
    }

    fn ask(&self, ask: &Ask<'_>) -> Result<Ran, String> {
        let terminal = self.country.terminal(ask.place).ok_or("no such terminal")?;
        let card = terminal.cards.iter().find(|card| card.operator == ask.operator);
        let card = card.ok_or("no such card")?;
        let mut arguments: Vec<&std::ffi::OsStr> = vec![
            "inquire".as_ref(),
            "--json".as_ref(),
            "--config".as_ref(),
            terminal.config.as_os_str(),
            "--card".as_ref(),
            card.file.as_os_str(),
            "--affair".as_ref(),
            ask.affair.as_ref(),
            "--case".as_ref(),
            "demo-2026".as_ref(),
        ];
        let given = [
            ("--code", &ask.draft.code),
            ("--name", &ask.draft.name),
            ("--address", &ask.draft.address),
            ("--birth", &ask.draft.birth),
        ];
        for (option, value) in given {
            if let Some(value) = value {
                arguments.push(std::ffi::OsStr::new(option));
                arguments.push(std::ffi::OsStr::new(value));
            }
        }
        if ask.draft.prefix {
            arguments.push("--prefix".as_ref());
        }
        self.tool(&arguments)
    }

    /// Write the resident's file; the ledgers of the rows that carry a proof.
    fn view(&self, code_file: &Path) -> Result<Vec<String>, String> {
        let terminal = self.country.terminal("prefecture-13").ok_or("no disclosure desk")?;
        let card = terminal.cards.first().ok_or("the disclosure desk has no card")?;
        let out = self.country.dir.join("resident-view.json");
        let ran = self.tool(&[
            "resident".as_ref(),
            "view".as_ref(),
            "--json".as_ref(),
            "--config".as_ref(),
            terminal.config.as_os_str(),
            "--card".as_ref(),
            card.file.as_os_str(),
            "--code-file".as_ref(),
            code_file.as_os_str(),
            "--identified-by".as_ref(),
            "運転免許証".as_ref(),
            "--out".as_ref(),
            out.as_os_str(),
        ])?;
        if ran.code != 0 {
            return Err(format!("the view was not opened: exit {}, {}", ran.code, ran.json));
        }
        let text = std::fs::read_to_string(&out).map_err(|error| error.to_string())?;
        let document: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        let rows = document.get("rows").and_then(Value::as_array).cloned().unwrap_or_default();
        let proven = |row: &Value| {
            let proof = row.get("proof")?.as_str()?;
            let ledger = row.get("ledger")?.as_str()?;
            (!proof.is_empty()).then(|| ledger.to_owned())
        };
        Ok(rows.iter().filter_map(proven).collect())
    }
}
