//! The peer of change propagation: three PostgreSQL clusters, each a tier, joined by logical
//! replication. It keeps the residents with the same search keys, the state before a change and a
//! line in a log, at each tier; it seals nothing, signs nothing and proves nothing.

use std::path::Path;
use std::time::{Duration, Instant};

use super::BenchError;
use crate::live::postgres::{Cluster, Session};
use crate::live::{LiveError, clock};

/// How long the tiers may take to agree.
const PATIENCE: Duration = Duration::from_secs(120);
const TIERS: [&str; 3] = ["municipality", "prefecture", "center"];
const POLL: Duration = Duration::from_micros(100);

/// Tables, indexes and the one change: the state before it, the state after it, a line in the log.
pub(crate) const TABLES: &str = "
CREATE TABLE resident (code bigint PRIMARY KEY, name text NOT NULL, kana text NOT NULL,
    address text NOT NULL, sex smallint NOT NULL, birth text NOT NULL, municipality text NOT NULL,
    reason text NOT NULL, changed_on date NOT NULL);
CREATE INDEX ON resident (name, birth); CREATE INDEX ON resident (name, address);
CREATE INDEX ON resident (kana, birth); CREATE INDEX ON resident (kana, address);
CREATE INDEX ON resident (address, name text_pattern_ops);
CREATE TABLE history (id bigserial PRIMARY KEY, code bigint NOT NULL, name text NOT NULL,
    kana text NOT NULL, address text NOT NULL, sex smallint NOT NULL, birth text NOT NULL,
    municipality text NOT NULL, reason text NOT NULL, changed_on date NOT NULL,
    recorded_at timestamptz NOT NULL);
CREATE INDEX ON history (code);
CREATE TABLE entry (id bigserial PRIMARY KEY, at timestamptz NOT NULL, kind text NOT NULL,
    code bigint NOT NULL);
CREATE FUNCTION change(c bigint, a text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO history (code, name, kana, address, sex, birth, municipality, reason, changed_on,
        recorded_at)
    SELECT code, name, kana, address, sex, birth, municipality, reason, changed_on, now()
    FROM resident WHERE code = c FOR UPDATE;
    UPDATE resident SET address = a, reason = 'moved-within', changed_on = current_date
    WHERE code = c;
    INSERT INTO entry (at, kind, code) VALUES (now(), 'feed-received', c);
END $$;";

/// One person as plain cells.
#[derive(Clone)]
pub(crate) struct Plain {
    pub(crate) code: String,
    pub(crate) cells: [String; 6],
}

/// How far a commit at the first tier waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Until the third tier has applied it durably.
    Everywhere,
    /// Until it is durable where it was made.
    Here,
}

/// The three tiers and a session with the first and the last.
pub(crate) struct Cascade {
    tiers: Vec<Cluster>,
    first: Session,
    middle: Session,
    last: Session,
}

impl Cascade {
    /// Makes the tiers below `folder`, loads these people, waits until all have them.
    pub(crate) fn make(folder: &Path, people: &[Plain]) -> Result<Self, BenchError> {
        let mut tiers = Vec::new();
        for name in TIERS {
            let tier = Cluster::make(&folder.join(name), "")?;
            tier.session()?.run(TABLES)?;
            tiers.push(tier);
        }
        let [first, middle, last] = tiers.as_slice() else { return Err(none()) };
        let mut sessions = [first.session()?, middle.session()?, last.session()?];
        let [one, two, three] = &mut sessions;
        load(one, people)?;
        for publisher in [&mut *one, &mut *two] {
            publisher.run("CREATE PUBLICATION tier FOR TABLE resident, history, entry")?;
        }
        subscribe(two, "prefecture", &first.address(), true)?;
        await_count(two, people.len())?;
        subscribe(three, "center", &middle.address(), true)?;
        await_count(three, people.len())?;
        for (tier, standby) in [(&mut *one, "prefecture"), (&mut *two, "center")] {
            tier.run(&format!("ALTER SYSTEM SET synchronous_standby_names = '{standby}'"))?;
            tier.run("SELECT pg_reload_conf()")?;
        }
        one.run("PREPARE change (bigint, text) AS SELECT change($1, $2)")?;
        let [first, middle, last] = sessions;
        let mut made = Self { tiers, first, middle, last };
        made.wait(Wait::Everywhere)?;
        Ok(made)
    }

    /// Says how far commits wait from now on.
    pub(crate) fn wait(&mut self, wait: Wait) -> Result<(), BenchError> {
        let level = match wait {
            Wait::Everywhere => "remote_apply",
            Wait::Here => "local",
        };
        self.first.run(&format!("SET synchronous_commit = {level}"))?;
        let alter = format!("ALTER SUBSCRIPTION prefecture SET (synchronous_commit = '{level}')");
        self.middle.run(&alter)?;
        // The worker starts again with the new setting.
        std::thread::sleep(Duration::from_millis(300));
        let until = clock::monotonic() + PATIENCE;
        let sql = "SELECT count(*) FROM pg_stat_subscription WHERE pid IS NOT NULL";
        while self.middle.number(sql)? == 0 {
            if clock::monotonic() > until {
                return Err(none());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// One change, acknowledged as far as commits wait.
    pub(crate) fn change(&mut self, code: &str, address: &str) -> Result<Instant, BenchError> {
        self.first.run(&format!("EXECUTE change({code}, '{address}')"))?;
        Ok(clock::monotonic())
    }

    /// Changes in one transaction and one message.
    pub(crate) fn batch(&mut self, changes: &[(String, String)]) -> Result<(), BenchError> {
        let mut sql = "BEGIN;".to_owned();
        for (code, address) in changes {
            sql.push_str(&format!("EXECUTE change({code}, '{address}');"));
        }
        sql.push_str("COMMIT");
        self.first.run(&sql)?;
        Ok(())
    }

    /// Waits until the last tier has this person at this address.
    pub(crate) fn arrived(&mut self, code: &str, address: &str) -> Result<Instant, BenchError> {
        let until = clock::monotonic() + PATIENCE;
        while self.address(code)?.as_deref() != Some(address) {
            if clock::monotonic() > until {
                return Err(BenchError::Void("the peer's last tier never had a change".into()));
            }
            std::thread::sleep(POLL);
        }
        Ok(clock::monotonic())
    }

    /// Where the last tier says this person lives.
    pub(crate) fn address(&mut self, code: &str) -> Result<Option<String>, BenchError> {
        let sql = format!("SELECT address FROM resident WHERE code = {code}");
        let rows = self.last.run(&sql)?;
        Ok(rows.into_iter().next().and_then(|row| row.into_iter().next().flatten()))
    }

    /// The server of each tier.
    pub(crate) fn processes(&self) -> Vec<(&'static str, u32)> {
        let tiers = TIERS.into_iter().zip(&self.tiers);
        tiers.filter_map(|(name, tier)| Some((name, tier.process()?))).collect()
    }
}

fn none() -> BenchError {
    BenchError::Live(LiveError::Peer("the tiers were not joined".to_owned()))
}

/// The cells hold no quotation mark: they are the project's own invented people.
pub(crate) fn load(session: &mut Session, people: &[Plain]) -> Result<(), BenchError> {
    for people in people.chunks(500) {
        let row = |each: &Plain| {
            let [name, kana, address, sex, birth, municipality] = &each.cells;
            format!(
                "({},'{name}','{kana}','{address}',{sex},'{birth}','{municipality}','moved-in',\
                 '2002-08-05')",
                each.code
            )
        };
        let rows: Vec<String> = people.iter().map(row).collect();
        session.run(&format!("INSERT INTO resident VALUES {}", rows.join(",")))?;
    }
    Ok(())
}

fn subscribe(session: &mut Session, name: &str, from: &str, copy: bool) -> Result<(), BenchError> {
    session.run(&format!(
        "CREATE SUBSCRIPTION {name} CONNECTION '{from}' PUBLICATION tier WITH (copy_data = {copy})"
    ))?;
    Ok(())
}

fn await_count(session: &mut Session, count: usize) -> Result<(), BenchError> {
    let until = clock::monotonic() + PATIENCE;
    while session.number("SELECT count(*) FROM resident")? != count as u64 {
        if clock::monotonic() > until {
            return Err(none());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
