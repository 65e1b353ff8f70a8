//! The peer of immediate provision: nginx with mutual TLS 1.3, an HTTP service, PostgreSQL with
//! pgaudit and an audit row in the same transaction. The same residents, the same mix of inquiries,
//! the same answers, compared item by item; no card signs, nothing is sealed, nothing is proved.
//!
//! The folding of names and addresses is done for it before the clock starts.

use std::path::Path;
use std::time::{Duration, Instant};

use hyper::body::Bytes;
use law::fold::{fold_address_whole, fold_name};
use serde_json::json;
use tokio::runtime::Runtime;

use super::BenchError;
use super::load::{self, Asker, Done as Reply, Judged, Phase};
use super::people::{Asked, People};
use super::provision::{Done, closed_name, open_name, phase_of};
use super::record::Party;
use super::usage::{Meter, Usage};
use crate::live::office::{CONFIGURATION_FOLDER, Office};
use crate::live::web::Web;
use crate::live::{LiveError, clock};

/// Connections of the client: each carries one request at a time.
const CONNECTIONS_COUNT: usize = 64;
/// Inquiries made for one closed phase, a second of it.
const SUPPLY_PER_SECOND: u64 = 6_000;
/// Rows of one statement while the residents are loaded.
const ROWS_PER_STATEMENT: usize = 500;

/// The peer with its connections.
pub(crate) struct Audited {
    pub(crate) office: Office,
    pub(crate) party: Party,
    web: Web,
    meter: Meter,
    streams: u64,
    /// Persons told, and inquiries that found nobody.
    told: u64,
    empty: u64,
}

/// An inquiry as the peer takes it, with the persons who must be in its answer.
#[derive(Debug)]
pub(crate) struct Shot {
    body: Bytes,
    expected: Vec<usize>,
}

impl Asker for Web {
    type Shot = Shot;
    type Reply = (Vec<usize>, u16, Bytes);

    async fn ask(&self, shot: Shot) -> Result<(Self::Reply, Instant), LiveError> {
        let Shot { body, expected } = shot;
        let (status, answer, at) = self.post(body).await?;
        Ok(((expected, status, answer), at))
    }
}

impl Audited {
    /// Starts it below `folder` and loads these people.
    pub(crate) fn make(
        folder: &Path,
        people: &People,
        runtime: &Runtime,
        cores: u32,
    ) -> Result<Self, BenchError> {
        let office = Office::make(folder, cores)?;
        load_residents(&office, people)?;
        let connections = Web::open(office.address, &office.tls, CONNECTIONS_COUNT);
        let web = runtime.block_on(connections)?;
        let meter = Meter::of(office.processes());
        let mut party = Party::named("nginx, HTTP service, PostgreSQL with pgaudit");
        party.lacks = Some(
            "card signatures, sealed rows, a verifiable log, disclosure rows for the resident, \
             hybrid key exchange, relays between the two ends; names arrive folded"
                .to_owned(),
        );
        party.configuration = Some(CONFIGURATION_FOLDER.to_owned());
        Ok(Self { office, party, web, meter, streams: 0, told: 0, empty: 0 })
    }

    /// Inquiries of the same mix as ours.
    fn shots(&mut self, people: &People, seed: u64, count: u64) -> Vec<Shot> {
        self.streams += 1;
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        people.mix(seed, self.streams, count).into_iter().map(shot).collect()
    }

    /// `operators` at once, each asking again as soon as it is answered.
    pub(super) fn closed(
        &mut self,
        people: &People,
        runtime: &Runtime,
        seed: u64,
        operators: usize,
        seconds: u64,
    ) -> Result<Done, BenchError> {
        let shots = self.shots(people, seed, SUPPLY_PER_SECOND * seconds);
        let before = self.meter.read();
        let (web, time) = ([self.web.clone()], Duration::from_secs(seconds));
        let phase = runtime.block_on(load::closed(&web, shots, operators, time))?;
        self.done(people, closed_name(operators), phase, &before)
    }

    /// One inquiry every 1/`rate` seconds.
    pub(super) fn open(
        &mut self,
        people: &People,
        runtime: &Runtime,
        seed: u64,
        rate: u32,
        seconds: u64,
    ) -> Result<Done, BenchError> {
        let shots = self.shots(people, seed, u64::from(rate) * seconds);
        let before = self.meter.read();
        let phase = runtime.block_on(load::open(std::slice::from_ref(&self.web), shots, rate))?;
        self.done(people, open_name(rate), phase, &before)
    }

    fn done(
        &mut self,
        people: &People,
        name: String,
        phase: Phase<<Web as Asker>::Reply>,
        before: &Usage,
    ) -> Result<Done, BenchError> {
        let spent = self.meter.spent_since(before);
        let judged = judge(people, &phase.done);
        if judged.wrong > 0 {
            let what = format!("{} answers of the peer are wrong", judged.wrong);
            return Err(BenchError::Void(what));
        }
        self.told += judged.persons;
        self.empty += judged.empty;
        let seconds = phase.seconds;
        let phase = phase_of(name, &judged, seconds, &spent);
        Ok(Done { phase, latency: judged.latency, follows: None })
    }

    /// The audit table against the answers: a row for each person told, and for each inquiry that
    /// found nobody. How many persons that were.
    pub(crate) fn audited(&self) -> Result<u64, BenchError> {
        let mut session = self.office.cluster.session()?;
        let count = "SELECT count(*) FROM audit WHERE operator = 'operator-1' AND code IS";
        let told = session.number(&format!("{count} NOT NULL"))?;
        let empty = session.number(&format!("{count} NULL"))?;
        if (told, empty) == (self.told, self.empty) {
            return Ok(told);
        }
        Err(BenchError::Void(format!(
            "the peer told {} persons and its audit table has {told}",
            self.told
        )))
    }
}

/// The inquiry in the peer's words.
fn shot(asked: Asked) -> Shot {
    let Asked { query, expected } = asked;
    let mut body = json!({"operator": "operator-1", "affair": "2-1", "case": "2026-0001"});
    let name = query.name.as_deref().map(fold_name);
    let fields = [
        ("code", query.code),
        ("name_key", name),
        ("birth", query.birth),
        ("address_key", query.address.as_deref().map(fold_address_whole)),
    ];
    if let Some(object) = body.as_object_mut() {
        for (field, value) in fields {
            object.extend(value.map(|value| (field.to_owned(), json!(value))));
        }
    }
    Shot { body: Bytes::from(body.to_string()), expected }
}

/// Compares every answer with the oracle.
fn judge(people: &People, done: &[Reply<<Web as Asker>::Reply>]) -> Judged {
    let mut judged = Judged::new();
    for Reply { reply: (expected, status, answer), elapsed, .. } in done {
        let rows: Vec<[String; 6]> = match (status, serde_json::from_slice(answer)) {
            (200, Ok(rows)) => rows,
            _ => {
                judged.wrong += 1;
                continue;
            }
        };
        judged.answered += 1;
        judged.persons += rows.len() as u64;
        judged.empty += u64::from(rows.is_empty());
        judged.wrong += u64::from(!people.agrees_plainly(expected, &rows));
        judged.latency.saturating_record(clock::micros(*elapsed));
    }
    judged
}

/// The cells hold no quotation mark: they are the project's own invented people.
fn load_residents(office: &Office, people: &People) -> Result<(), BenchError> {
    let mut session = office.cluster.session()?;
    let all: Vec<usize> = (0..people.count()).collect();
    for some in all.chunks(ROWS_PER_STATEMENT) {
        let rows: Vec<String> = some
            .iter()
            .filter_map(|index| people.plain(*index))
            .map(|person| {
                let [name, kana, address, sex, birth, _] = &person.cells;
                let (name_key, address_key) = (fold_name(name), fold_address_whole(address));
                let code = &person.code;
                format!(
                    "({code},'{name}','{kana}','{address}','{sex}','{birth}','{name_key}',\
                     '{address_key}')"
                )
            })
            .collect();
        session.run(&format!("INSERT INTO resident VALUES {}", rows.join(",")))?;
    }
    for sql in [
        "CREATE INDEX ON resident (name_key, birth)",
        "CREATE INDEX ON resident (name_key, address_key)",
        "VACUUM ANALYZE resident",
    ] {
        session.run(sql)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::population::{Options, generate};

    fn people() -> People {
        let municipalities = vec!["132152".to_owned()];
        let options = Options { residents: 300, seed: 5, municipalities };
        let mut bytes = Vec::new();
        generate(&options, &mut bytes, &mut |_| ()).unwrap();
        People::parse(bytes.as_slice()).unwrap()
    }

    fn reply(people: &People, told: usize, status: u16, expected: usize) -> Judged {
        let person = people.plain(told).unwrap();
        let [name, kana, address, sex, birth, _] = person.cells;
        let answer = json!([[person.code, name, kana, address, sex, birth]]).to_string();
        let now = clock::monotonic();
        let reply = (vec![expected], status, Bytes::from(answer));
        judge(people, &[Reply::new(reply, Duration::from_millis(2), now)])
    }

    #[test]
    fn a_wrong_answer_of_the_peer_is_seen_too() {
        let people = people();
        let right = reply(&people, 0, 200, 0);
        assert_eq!((right.answered, right.persons, right.wrong), (1, 1, 0));
        assert_eq!(reply(&people, 1, 200, 0).wrong, 1, "somebody else");
        assert_eq!(reply(&people, 0, 500, 0).wrong, 1, "an error is no answer");
    }

    #[test]
    fn the_peer_is_asked_for_the_same_persons() {
        let people = people();
        for asked in people.mix(1, 1, 200) {
            let expected = asked.expected.clone();
            let by_code = asked.query.code.is_some();
            let shot = shot(asked);
            let body: serde_json::Value = serde_json::from_slice(&shot.body).unwrap();
            assert_eq!(shot.expected, expected);
            assert_eq!(body.get("code").is_some(), by_code);
            let keys = ["birth", "address_key"].iter().filter(|key| body.get(**key).is_some());
            assert_eq!(keys.count(), usize::from(!by_code), "{body}");
        }
    }
}
