//! Steps that say what must have come of it: at the terminal, in the ledgers, in the resident's own
//! view, at the three tiers, and in no file at all.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::time::Duration;

use law::denial::Denial;
use ledger::entry::{Entry, EntryKind};
use node::terminal::Outcome;
use wire::{Answer, NodeId, Role};

use super::people::Person;
use super::phrase::Slots;
use super::stage::{Done, Last, Miss, Stage, TIER_PATIENCE, until_it_holds};
use super::world::today;
use crate::live::{clock, files};

fn answer<'s>(stage: &'s Stage<'_>) -> Result<&'s Answer, Miss> {
    match &stage.last {
        Last::Outcome(outcome) => match outcome.as_ref() {
            Outcome::Answered(answer) => Ok(answer),
            _ => Err(Miss::differs("an answer", super::inquire::seen(&stage.last))),
        },
        other => Err(Miss::differs("an answer", super::inquire::seen(other))),
    }
}

pub(super) fn is_exactly(stage: &mut Stage<'_>, slots: &Slots) -> Done {
    let person = stage.person(slots.text("who"))?;
    let answer = answer(stage)?;
    match answer.persons.as_slice() {
        [told] if person.is_told_by(told) => {
            Ok("one person: four items and code, as they stand in the register".to_owned())
        }
        [_] => Err(Miss::differs("this one, as the register has her", "other items or another")),
        all => Err(Miss::differs("one person", format!("{} persons", all.len()))),
    }
}

pub(super) fn nobody(stage: &mut Stage<'_>, _: &Slots) -> Done {
    match answer(stage)?.persons.len() {
        0 => Ok("an answer with nobody in it".to_owned()),
        count => Err(Miss::differs("nobody", format!("{count} persons"))),
    }
}

pub(super) fn says_reason(stage: &mut Stage<'_>, slots: &Slots) -> Done {
    let expected = slots.text("reason");
    let told = answer(stage)?.persons.first().and_then(|told| told.change.as_ref());
    match told.map(|change| (change.reason.key(), change.on)) {
        Some((key, on)) if key == expected && on == today() => Ok(format!("{key}, today")),
        Some((key, on)) => Err(Miss::differs(expected, format!("{key}, {on}"))),
        None => Err(Miss::differs(expected, "no change information")),
    }
}

pub(super) fn refused(stage: &mut Stage<'_>, slots: &Slots) -> Done {
    let rule = slots.text("rule");
    let Some(denial) = Denial::parse_rule(rule) else {
        return Err(Miss::Broken(format!("no rule of law is called {rule}")));
    };
    let public = denial.public();
    if let Last::Outcome(outcome) = &stage.last
        && let Outcome::Refused(refusal) = outcome.as_ref()
        && refusal.rule == rule
    {
        if refusal.law == public.law && refusal.hint == public.hint {
            return Ok(format!("{}; hint: {}", public.law, public.hint_en));
        }
        return Err(Miss::differs("the law's own words", "other words"));
    }
    Err(Miss::differs(format!("refused: {rule}"), super::inquire::seen(&stage.last)))
}

/// Neither a person nor a number of persons.
pub(super) fn nothing_shown(stage: &mut Stage<'_>, _: &Slots) -> Done {
    let shown = match &stage.last {
        Last::Outcome(outcome) => match outcome.as_ref() {
            Outcome::Answered(answer) => answer.persons.len(),
            Outcome::View(view) => view.rows.len(),
            Outcome::Refused(refusal) => {
                let known = Denial::parse_rule(&refusal.rule).map(Denial::public);
                let same = known.is_some_and(|known| known.hint == refusal.hint);
                usize::from(!same)
            }
            Outcome::Status(_) | Outcome::Unavailable(_) => 0,
        },
        Last::Many(all) => all.iter().filter(|asked| asked.came.is_ok()).count(),
        _ => 0,
    };
    match shown {
        0 => Ok("not a person, not a number of persons".to_owned()),
        count => Err(Miss::differs("nothing", format!("{count} things about people"))),
    }
}

pub(super) fn no_answer(stage: &mut Stage<'_>, _: &Slots) -> Done {
    match &stage.last {
        Last::NoAnswer(reason) => Ok(reason.clone()),
        other => Err(Miss::differs("no answer", super::inquire::seen(other))),
    }
}

pub(super) fn not_taken(stage: &mut Stage<'_>, _: &Slots) -> Done {
    match &stage.last {
        Last::NotTaken(fault) => Ok(fault.clone()),
        other => Err(Miss::differs("refused by the terminal", super::inquire::seen(other))),
    }
}

pub(super) fn each_right(stage: &mut Stage<'_>, _: &Slots) -> Done {
    let Last::Many(all) = &stage.last else {
        return Err(Miss::differs("many inquiries", super::inquire::seen(&stage.last)));
    };
    let mut crossed = 0;
    let mut right = 0;
    for asked in all {
        if let Ok(Outcome::Answered(answer)) = &asked.came {
            let fits = |told| asked.about.is_told_by(told);
            if answer.persons.len() == 1 && answer.persons.iter().all(fits) {
                right += 1;
            } else {
                crossed += 1;
            }
        }
    }
    if crossed == 0 && right > 0 {
        Ok(format!("{right} answers, each about the one who was asked for"))
    } else {
        Err(Miss::differs("no crossed answer", format!("{crossed} crossed, {right} right")))
    }
}

pub(super) fn all_answered(stage: &mut Stage<'_>, _: &Slots) -> Done {
    let Last::Many(all) = &stage.last else {
        return Err(Miss::differs("many inquiries", super::inquire::seen(&stage.last)));
    };
    let open = all.iter().find(|asked| !matches!(asked.came, Ok(Outcome::Answered(_))));
    let why = match open.map(|asked| &asked.came) {
        None => return Ok(super::inquire::seen(&stage.last)),
        Some(Ok(Outcome::Refused(refusal))) => format!("refused: {}", refusal.rule),
        Some(Ok(_)) => "put off".to_owned(),
        Some(Err(why)) => why.clone(),
    };
    let seen = super::inquire::seen(&stage.last);
    Err(Miss::differs("all answered", format!("{seen}; one of the others: {why}")))
}

pub(super) fn some_gave_up(stage: &mut Stage<'_>, _: &Slots) -> Done {
    let Last::Many(all) = &stage.last else {
        return Err(Miss::differs("many inquiries", super::inquire::seen(&stage.last)));
    };
    match all.iter().map(|asked| asked.given_up).sum::<usize>() {
        0 => Err(Miss::differs("timeouts", "everybody was answered in time")),
        count => Ok(format!("{count} inquiries were given up and asked again")),
    }
}

fn kind(words: &str) -> EntryKind {
    match words {
        "refusal" | "refusals" | "拒否" => EntryKind::Refusal,
        "provision" | "provisions" | "提供" => EntryKind::Provision,
        _ => EntryKind::NoProvision,
    }
}

pub(super) fn recorded(stage: &mut Stage<'_>, slots: &Slots) -> Done {
    let node = stage.node(slots.text("node"))?;
    let (kind, case, since) = (kind(slots.text("kind")), slots.text("case"), stage.since);
    let counted = |entry: &&Entry| {
        entry.kind() == kind && entry.at() >= since && entry.case().unwrap_or_default() == case
    };
    let entries = stage.world.keeping(&node)?.every_entry()?;
    let found = entries.iter().filter(counted).count();
    let expected = slots.number("n");
    if found == expected {
        return Ok(format!("{found} in the ledger of {node}"));
    }
    Err(Miss::differs(format!("{expected}"), format!("{found}")))
}

/// The prefecture that shows a resident her records.
fn prefecture(stage: &Stage<'_>, person: &Person) -> Result<String, Miss> {
    let code = person.municipality.get(..2).unwrap_or_default();
    stage.node(&format!("prefecture-{code}"))
}

/// Records of provisions about a person, as she is shown them.
fn shown(stage: &mut Stage<'_>, person: &Person) -> Result<Vec<Entry>, Miss> {
    let node = prefecture(stage, person)?;
    let operator = stage.world.operator(&node, None)?;
    let way = operator.way.clone();
    let signed = operator.sign_view(person.record_code()?)?;
    let reply = stage.world.call(&way, signed.request)?;
    match signed.prepared.accept(reply) {
        Ok(Outcome::View(view)) => {
            let entries = view.rows.iter().filter_map(|row| Entry::parse(&row.entry).ok());
            Ok(entries.filter(|entry| entry.kind() == EntryKind::Provision).collect())
        }
        Ok(Outcome::Refused(refusal)) => Err(Miss::differs("her records", refusal.rule)),
        Ok(Outcome::Unavailable(reason)) => Err(Miss::differs("her records", reason)),
        _ => Err(Miss::Broken("the view was answered with something else".to_owned())),
    }
}

pub(super) fn sees(stage: &mut Stage<'_>, slots: &Slots) -> Done {
    let person = stage.person(slots.text("who"))?;
    let organ = stage.world.organ(slots.text("place"))?;
    if kind(slots.text("kind")) != EntryKind::Provision {
        return Err(Miss::Broken("a resident is shown provisions and nothing else".to_owned()));
    }
    let (case, since, expected) = (slots.text("case"), stage.since, slots.number("n"));
    until_it_holds(TIER_PATIENCE, || {
        let ours = |entry: &&Entry| {
            entry.at() >= since && entry.case() == Some(case) && entry.asker() == Some(&organ)
        };
        let found = shown(stage, &person)?.iter().filter(ours).count();
        if found == expected {
            return Ok(format!("{found} records name asker, affair and case"));
        }
        Err(Miss::differs(format!("{expected} records"), format!("{found}")))
    })
}

/// Nothing of this case is shown, although everything was handed over.
pub(super) fn sees_nothing(stage: &mut Stage<'_>, slots: &Slots) -> Done {
    let person = stage.person(slots.text("who"))?;
    let prefectures: Vec<NodeId> = (stage.world.servers.iter())
        .filter(|server| server.node.starts_with("prefecture-"))
        .filter_map(|server| NodeId::parse(&server.node).ok())
        .collect();
    until_it_holds(TIER_PATIENCE, || {
        match stage.world.keeping("center")?.not_handed_over(&prefectures)? {
            0 => Ok("handed over".to_owned()),
            left => Err(Miss::differs("handed over", format!("{left} entries wait"))),
        }
    })?;
    let case = slots.text("case");
    let found = shown(stage, &person)?.iter().filter(|entry| entry.case() == Some(case)).count();
    match found {
        0 => Ok("no record of that case in her view".to_owned()),
        count => Err(Miss::differs("nothing", format!("{count} records"))),
    }
}

/// The file a resident takes home, checked with the ledgers' public keys and nothing else.
/// The newest entries have no proof before the next checkpoint is published.
pub(super) fn file_verifies(stage: &mut Stage<'_>, slots: &Slots) -> Done {
    let person = stage.person(slots.text("who"))?;
    until_it_holds(TIER_PATIENCE, || verifies(stage, &person))
}

fn verifies(stage: &Stage<'_>, person: &Person) -> Done {
    let place = prefecture(stage, person)?;
    let dir = stage.world.dir.clone();
    let (code, out) = (dir.join("code.txt"), dir.join("own-view.json"));
    files::write(&code, person.code.as_bytes())?;
    files::make_private(&code)?;
    let config = dir.join("terminals").join(format!("{place}.toml"));
    let card = dir.join("cards").join(format!("{place}-disclosure.card"));
    let words: [&OsStr; 12] = [
        "resident".as_ref(),
        "view".as_ref(),
        "--config".as_ref(),
        config.as_os_str(),
        "--card".as_ref(),
        card.as_os_str(),
        "--code-file".as_ref(),
        code.as_os_str(),
        "--identified-by".as_ref(),
        "運転免許証".as_ref(),
        "--out".as_ref(),
        out.as_os_str(),
    ];
    let viewed = stage.world.command(&words);
    files::remove(&code);
    let viewed = viewed?;
    if viewed.code != Some(0) {
        return Err(Miss::differs("her file", viewed.said));
    }
    let words: [&OsStr; 4] =
        ["ledger".as_ref(), "verify".as_ref(), out.as_os_str(), "--json".as_ref()];
    let ran = stage.world.command(&words);
    files::remove(&out);
    match ran? {
        ran if ran.code == Some(0) => Ok("jukinet ledger verify finds every proof".to_owned()),
        ran => Err(Miss::differs("a file that verifies", ran.json.to_string())),
    }
}

/// `ledger verify` over one published ledger, with the key that stands beside it.
fn verify(stage: &Stage<'_>, node: &str) -> Result<Option<i32>, Miss> {
    let config = &stage.world.server(node)?.config;
    let ledger = config.with_file_name("ledger");
    let key = files::text(&config.with_file_name("ledger.vkey"))?;
    let words: [&OsStr; 6] = [
        "ledger".as_ref(),
        "verify".as_ref(),
        ledger.as_os_str(),
        "--key".as_ref(),
        key.trim().as_ref(),
        "--json".as_ref(),
    ];
    Ok(stage.world.command(&words)?.code)
}

pub(super) fn verify_notices(stage: &mut Stage<'_>, slots: &Slots) -> Done {
    match verify(stage, &stage.node(slots.text("node"))?)? {
        Some(3) => Ok("jukinet ledger verify: exit 3, a defect".to_owned()),
        code => Err(Miss::differs("exit 3", format!("exit {code:?}"))),
    }
}

pub(super) fn verify_finds_sound(stage: &mut Stage<'_>, slots: &Slots) -> Done {
    match verify(stage, &stage.node(slots.text("node"))?)? {
        Some(0) => Ok("jukinet ledger verify: exit 0".to_owned()),
        code => Err(Miss::differs("exit 0", format!("exit {code:?}"))),
    }
}

fn fsck(stage: &Stage<'_>, node: &str) -> Result<crate::live::tool::Ran, Miss> {
    let config = stage.world.server(node)?.config.as_os_str();
    let words: [&OsStr; 4] = ["fsck".as_ref(), "--json".as_ref(), "--config".as_ref(), config];
    Ok(stage.world.command(&words)?)
}

pub(super) fn fsck_notices(stage: &mut Stage<'_>, slots: &Slots) -> Done {
    let ran = fsck(stage, &stage.node(slots.text("node"))?)?;
    match ran.code {
        Some(3) => Ok("jukinet fsck: exit 3, a defect".to_owned()),
        code => Err(Miss::differs("exit 3", format!("exit {code:?}"))),
    }
}

pub(super) fn fsck_finds_sound(stage: &mut Stage<'_>, slots: &Slots) -> Done {
    let ran = fsck(stage, &stage.node(slots.text("node"))?)?;
    match ran.code {
        Some(0) => Ok("jukinet fsck: exit 0".to_owned()),
        _ => Err(Miss::differs("exit 0", ran.json.to_string())),
    }
}

/// Municipality, prefecture and center hold the same people, by digest.
pub(super) fn tiers_agree(stage: &mut Stage<'_>, slots: &Slots) -> Done {
    let patience = Duration::from_secs(slots.number("n") as u64);
    let nodes: Vec<String> = stage.world.servers.iter().map(|one| one.node.clone()).collect();
    until_it_holds(patience, || {
        let mut digests: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        let tier = |node: &&String| {
            *node == "center"
                || ["municipality-", "prefecture-"].iter().any(|t| node.starts_with(t))
        };
        for node in nodes.iter().filter(tier) {
            let report = stage.world.keeping(node)?.check()?;
            for (code, digest) in report.population_digest {
                digests.entry(code.to_string()).or_default().insert(node.clone(), digest);
            }
        }
        for (code, by_node) in &digests {
            let distinct: std::collections::BTreeSet<&String> = by_node.values().collect();
            if distinct.len() != 1 || by_node.len() != 3 {
                return Err(Miss::differs("the tiers agree", format!("they differ about {code}")));
            }
        }
        Ok(format!("{} municipalities equal in three tiers", digests.len()))
    })
}

/// Where the three tiers have somebody as current.
pub(super) fn current_in(stage: &mut Stage<'_>, slots: &Slots) -> Done {
    let person = stage.person(slots.text("who"))?;
    current(stage, &person, slots.text("place"))
}

/// Where the former municipality has somebody who only claims to have moved.
pub(super) fn still_current_in(stage: &mut Stage<'_>, slots: &Slots) -> Done {
    let who = slots.text("who");
    let name = super::register::left(who);
    let person = stage.person(&name).or_else(|_| stage.person(who))?;
    current(stage, &person, slots.text("place"))
}

fn current(stage: &mut Stage<'_>, person: &Person, place: &str) -> Done {
    let municipality = stage.world.municipality(place)?;
    let code = person.record_code()?;
    let above = [format!("municipality-{municipality}"), prefecture(stage, person)?];
    let tiers = [&above[0], &above[1], &"center".to_owned()].map(String::clone);
    until_it_holds(TIER_PATIENCE, || {
        for node in &tiers {
            let held = stage.world.keeping(node)?.reads().resident(&code);
            let held = held.map_err(|error| Miss::Broken(error.to_string()))?;
            let here = held.is_some_and(|held| {
                !held.removed && held.identity.municipality.as_str() == municipality
            });
            if !here {
                return Err(Miss::differs(place, format!("not so at {node}")));
            }
        }
        Ok("current there in all three tiers".to_owned())
    })
}

/// Nobody of the scenario stands in any file a node or terminal keeps, logs included.
pub(super) fn no_name_in_files(stage: &mut Stage<'_>, _: &Slots) -> Done {
    let mut searched = 0;
    for folder in ["nodes", "terminals"] {
        searched += search(stage, &stage.world.dir.join(folder))?;
    }
    Ok(format!("{searched} files searched"))
}

pub(super) fn stolen_names_nobody(stage: &mut Stage<'_>, _: &Slots) -> Done {
    let Some(stolen) = stage.stolen.clone() else {
        return Err(super::faults::nothing_stolen());
    };
    Ok(format!("{} files searched", search(stage, &stolen)?))
}

/// Names, addresses and codes, as UTF-8 and UTF-16.
fn search(stage: &Stage<'_>, folder: &std::path::Path) -> Result<usize, Miss> {
    let mut needles: Vec<Vec<u8>> = Vec::new();
    for person in stage.everybody() {
        let plain = format!("{}{}", person.family, person.given);
        for text in [person.name(), plain, person.address.clone(), person.code.clone()] {
            needles.push(text.encode_utf16().flat_map(u16::to_le_bytes).collect());
            needles.push(text.into_bytes());
        }
    }
    if needles.is_empty() {
        return Err(Miss::Broken("nobody plays a part whose name could be searched".to_owned()));
    }
    match files::first_with(folder, &needles)? {
        (_, Some(file)) => {
            let file = file.strip_prefix(&stage.world.dir).unwrap_or(&file).display().to_string();
            Err(Miss::differs("nobody", format!("somebody stands in {file}")))
        }
        (searched, None) => Ok(searched),
    }
}

pub(super) fn fails(stage: &mut Stage<'_>, _: &Slots) -> Done {
    match &stage.last {
        Last::Command(ran) if ran.code.is_some_and(|code| code != 0) => Ok(ran.said.clone()),
        Last::Entered(Err(why)) => Ok(why.clone()),
        other => Err(Miss::differs("it does not", super::inquire::seen(other))),
    }
}

pub(super) fn succeeds(stage: &mut Stage<'_>, _: &Slots) -> Done {
    match &stage.last {
        Last::Command(ran) if ran.code == Some(0) => Ok("exit 0".to_owned()),
        other => Err(Miss::differs("it does", super::inquire::seen(other))),
    }
}

pub(super) fn not_one_byte(stage: &mut Stage<'_>, _: &Slots) -> Done {
    match &stage.last {
        Last::Heard(0) => Ok("the connection was closed without a byte".to_owned()),
        other => Err(Miss::differs("0 bytes", super::inquire::seen(other))),
    }
}

/// The monitoring room has not heard a node for longer than a heartbeat and a half.
pub(super) fn is_missed(stage: &mut Stage<'_>, slots: &Slots) -> Done {
    let node = stage.node(slots.text("node"))?;
    let patience = Duration::from_secs(slots.number("n") as u64);
    let silent_ms = slots.number("ms") as u64;
    until_it_holds(patience, || {
        let Outcome::Status(status) = super::inquire::status(stage, None)? else {
            return Err(Miss::Broken("the state of the network was not shown".to_owned()));
        };
        let found = status.nodes.iter().find(|one| one.id.as_str() == node);
        let seen = found.filter(|one| one.role != Role::Center).and_then(|one| one.last_seen_ms);
        let seen = seen.ok_or_else(|| Miss::Broken(format!("{node} was never heard")))?;
        let silent = clock::now().0.saturating_sub(seen);
        if silent >= silent_ms {
            return Ok(format!("not heard for {silent} ms"));
        }
        Err(Miss::differs(format!("silent for {silent_ms} ms"), format!("heard {silent} ms ago")))
    })
}
