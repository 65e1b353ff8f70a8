//! The step of the story in which a resident moves to another prefecture: on the way in between,
//! and entered only with the former municipality's signed word.

use std::time::Duration;

use serde_json::{Value, json};

use super::people::Line;
use super::raise::Raised;
use super::story::Ran;
use crate::{clock, disk};

/// The city that the newcomer moves to.
const NEW: &str = "202029";
/// How long the two cities and the tiers may take together.
const PATIENCE: Duration = Duration::from_secs(20);

/// The newcomer of the first step moves from 国立市 to 松本市: filed there first, it waits; as soon as
/// the moving-out is recorded, both cities, both prefectures and the center agree.
pub(super) fn moves(raised: &Raised, line: &Line) -> Result<String, String> {
    let today = clock::now().date_in_japan().to_string();
    let before = [("reason", "moved-out"), ("changed_on", today.as_str())];
    let leaving = row(raised, line, &before);
    let address = "長野県松本市丸の内3番7号";
    let here = [
        ("municipality_code", NEW),
        ("address", address),
        ("reason", "moved-in"),
        ("changed_on", today.as_str()),
        ("former_municipality_code", line.municipality.as_str()),
    ];
    let arriving = row(raised, line, &here);
    let filed = send(raised, NEW, "arriving.csv", &arriving)?;
    if filed.json.get("waiting") != Some(&json!(1)) {
        return Err(format!("the moving-in does not wait: {}", filed.json));
    }
    if current_at(raised, line)? != Some(line.address.clone()) {
        return Err("entered on the new city's own word".to_owned());
    }
    let left = send(raised, &line.municipality, "leaving.csv", &leaving)?;
    if left.json.get("accepted") != Some(&json!(1)) {
        return Err(format!("the moving-out was not taken: {}", left.json));
    }
    let started = clock::monotonic();
    while current_at(raised, line)?.as_deref() != Some(address) {
        if clock::monotonic().duration_since(started) > PATIENCE {
            return Err("the resident did not arrive".to_owned());
        }
    }
    let elapsed = clock::monotonic().duration_since(started).as_millis();
    Ok(format!("waited at 松本市, let go by 国立市, and entered {elapsed} ms after the moving-out"))
}

/// The address under which the center has the person as current.
fn current_at(raised: &Raised, line: &Line) -> Result<Option<String>, String> {
    let hit = raised.hit_by_code(&line.code)?;
    let text = |pointer: &str| hit.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let leaving = text("/change/reason").as_deref() == Some("moved-out");
    Ok(text("/address").filter(|_| !leaving))
}

/// The person's row with some columns set, under its own header.
fn row(raised: &Raised, line: &Line, set: &[(&str, &str)]) -> String {
    let names = raised.people.header.split(',');
    let mut cells: Vec<(&str, &str)> = names.zip(line.text.split(',')).collect();
    for (name, value) in set {
        match cells.iter_mut().find(|(of, _)| of == name) {
            Some(cell) => cell.1 = value,
            None => cells.push((name, value)),
        }
    }
    let (names, values): (Vec<&str>, Vec<&str>) = cells.into_iter().unzip();
    format!("{}\n{}\n", names.join(","), values.join(","))
}

fn send(raised: &Raised, city: &str, name: &str, text: &str) -> Result<Ran, String> {
    let file = raised.country.dir.join(name);
    disk::write_private(&file, text.as_bytes()).map_err(|error| error.to_string())?;
    let node = format!("municipality-{city}");
    let config = &raised.country.node(&node).ok_or("no such municipality")?.config;
    let arguments = ["notice".as_ref(), "--json".as_ref(), "--config".as_ref()];
    let rest = [config.as_os_str(), "--file".as_ref(), file.as_os_str()];
    let sent = raised.tool(&[&arguments[..], &rest[..]].concat());
    let _ = std::fs::remove_file(&file);
    sent
}
