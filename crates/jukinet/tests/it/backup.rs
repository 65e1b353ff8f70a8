//! Backups and erasure on real nodes: made while they run, opened by two, put back with today's
//! token, and nothing of anyone in any file of them.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jukinet::backup::custody::{self, OpeningKey};
use jukinet::clock;
use jukinet::config::{TokenConfig, load_node};
use jukinet::runner::keys::StoreKeys;
use jukinet::runner::process::open_store;
use jukinet::token_file;
use law::change::ChangeReason;
use law::code::RecordCode;
use law::retention::{Regime, Tier};
use law::time::Date;
use law::{Epoch, Held};
use ledger::entry::{Entry, EntryKind};
use node::ports::{HistoryRow, Store as _, Write};
use store::SqliteStore;
use zeroize::Zeroizing;

use crate::country::{Country, KUNITACHI, Person, Ran, eventually, people, residents_csv, tool};

const CITY: &str = "municipality-132152";

fn ceremony(folder: &Path, custodians: u8, passphrases: &[&str]) -> PathBuf {
    let passphrases: Vec<Zeroizing<String>> =
        passphrases.iter().map(|text| Zeroizing::new((*text).to_owned())).collect();
    custody::ceremony(custodians, 2, &passphrases, folder).unwrap();
    folder.join(custody::PUBLIC_NAME)
}

fn share(folder: &Path, number: u8) -> PathBuf {
    folder.join(format!("share-{number}.txt"))
}

#[test]
fn any_two_shares_open_and_one_opens_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (ours, theirs) = (dir.path().join("ours"), dir.path().join("theirs"));
    let public = custody::BackupKey::read(&ceremony(&ours, 3, &[])).unwrap();
    ceremony(&theirs, 3, &["correct horse", "battery", "staple it"]);
    let sealed = public.seal(b"place", b"what is backed up").unwrap();
    for (a, b) in [(1, 2), (2, 3), (3, 1)] {
        let key = OpeningKey::from_shares(&[share(&ours, a), share(&ours, b)], &[]).unwrap();
        assert_eq!(key.open(b"place", &sealed).unwrap(), b"what is backed up");
        assert!(key.open(b"other", &sealed).is_none());
        assert!(!format!("{key:?}").contains(&fs::read_to_string(share(&ours, a)).unwrap()));
    }
    let refused = |shares: &[PathBuf], phrases: &[Option<Zeroizing<String>>]| {
        OpeningKey::from_shares(shares, phrases).unwrap_err().to_string()
    };
    let one = refused(&[share(&ours, 1)], &[]);
    assert!(one.contains("2 shares are needed, 1 given"), "{one}");
    let same = refused(&[share(&ours, 1), share(&ours, 1)], &[]);
    assert!(same.contains("share 1 twice"), "{same}");
    let foreign = refused(&[share(&ours, 1), share(&theirs, 2)], &[None, phrase("battery")]);
    assert!(foreign.contains("theirs/share-2.txt") && foreign.contains("of key"), "{foreign}");
    let sealed_share = refused(&[share(&theirs, 1), share(&theirs, 2)], &[]);
    assert!(sealed_share.contains("share-1.txt: the share is sealed"), "{sealed_share}");
    let phrases = [phrase("correct horse"), phrase("battery!")];
    let wrong = refused(&[share(&theirs, 1), share(&theirs, 2)], &phrases);
    assert!(wrong.contains("share-2.txt: the passphrase does not open"), "{wrong}");
    let phrases = [phrase("correct horse"), phrase("battery")];
    let other = OpeningKey::from_shares(&[share(&theirs, 1), share(&theirs, 2)], &phrases).unwrap();
    assert!(other.open(b"place", &sealed).is_none(), "another key opens nothing");
    let text = fs::read_to_string(share(&ours, 2)).unwrap().replace("share: 2 of", "share: 3 of");
    fs::write(share(&ours, 2), text.replacen("data: ", "data: A", 1)).unwrap();
    let altered = refused(&[share(&ours, 1), share(&ours, 2)], &[]);
    assert!(altered.contains("share-2.txt: the share was altered"), "{altered}");
    assert!(custody::ceremony(1, 1, &[], &dir.path().join("alone")).is_err());
    assert!(custody::ceremony(3, 2, &[], &ours).is_err(), "a key is never written over");
}

fn phrase(text: &str) -> Option<Zeroizing<String>> {
    Some(Zeroizing::new(text.to_owned()))
}

/// Commands about one municipality and one folder of backups.
struct Office {
    config: String,
    keys: PathBuf,
    backups: PathBuf,
}

impl Office {
    fn new(country: &Country) -> Self {
        let keys = country.dir().join("ceremony");
        ceremony(&keys, 3, &[]);
        let backups = country.dir().join("backups");
        Self { config: country.config(CITY), keys, backups }
    }

    fn create(&self) -> Ran {
        let (config, key) = (&self.config, self.keys.join(custody::PUBLIC_NAME));
        let (key, to) = (key.display().to_string(), self.backups.display().to_string());
        let made =
            tool(&["backup", "create", "--config", config, "--key", &key, "--to", &to, "--json"]);
        assert_eq!(made.code, 0, "{made:?}");
        made
    }

    fn open(&self, verb: &str, shares: &[u8], more: &[&str]) -> Ran {
        let (config, from) = (&self.config, self.backups.display().to_string());
        let shares: Vec<String> =
            shares.iter().map(|number| share(&self.keys, *number).display().to_string()).collect();
        let mut words = vec!["backup", verb, "--config", config, "--from", &from, "--json"];
        for share in &shares {
            words.extend(["--share", share]);
        }
        words.extend(more);
        tool(&words)
    }
}

fn feed(country: &Country, people: &[Person]) {
    let file = country.write("fed.csv", residents_csv(people).as_bytes());
    let fed = country.notice(KUNITACHI, &file);
    assert_eq!((fed.code, fed.json()["rejected"].as_u64()), (0, Some(0)), "{fed:?}");
    fs::remove_file(file).unwrap();
}

fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for item in fs::read_dir(dir).unwrap() {
        let path = item.unwrap().path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

/// No code, name or address of anyone in any file below, in UTF-8 and both orders of UTF-16.
fn shows_nobody(folders: &[&Path], people: &[Person]) {
    let mut needles = BTreeSet::new();
    for person in people {
        for text in [person.code.clone(), person.name().replace(' ', "　")] {
            needles.insert(text.as_bytes().to_vec());
            needles.insert(text.encode_utf16().flat_map(u16::to_le_bytes).collect());
            needles.insert(text.encode_utf16().flat_map(u16::to_be_bytes).collect());
        }
    }
    // By their first three bytes: thousands of needles in megabytes, one walk.
    let mut by_head: HashMap<[u8; 3], Vec<&[u8]>> = HashMap::new();
    let mut begins = vec![false; 1 << 16];
    for needle in &needles {
        let [first, second, third, ..] = needle[..] else { panic!("too short to look for") };
        begins[usize::from(u16::from_be_bytes([first, second]))] = true;
        by_head.entry([first, second, third]).or_default().push(needle);
    }
    let somebody = |bytes: &[u8]| {
        (2..bytes.len()).any(|end| {
            let [first, second, third] = [bytes[end - 2], bytes[end - 1], bytes[end]];
            begins[usize::from(u16::from_be_bytes([first, second]))]
                && by_head
                    .get(&[first, second, third])
                    .is_some_and(|some| some.iter().any(|n| bytes[end - 2..].starts_with(n)))
        })
    };
    let last: &[u8] = needles.last().unwrap();
    assert!(somebody(&[b"xy", last, b"z"].concat()), "the search can find");
    let mut all = Vec::new();
    folders.iter().for_each(|folder| files(folder, &mut all));
    assert!(all.len() > 5, "there is something to look at");
    for path in all {
        assert!(!somebody(&fs::read(&path).unwrap()), "somebody stands in {}", path.display());
    }
}

#[test]
fn a_running_node_is_backed_up_drilled_and_put_back() {
    let mut country = Country::make();
    country.start(CITY);
    let everyone = people(300, KUNITACHI);
    feed(&country, &everyone[..200]);
    let office = Office::new(&country);
    let first = office.create().json();
    feed(&country, &everyone[200..]);
    // The year's first erasure seals all rows anew; after it, only what changed is written.
    let mut made = 1;
    eventually("a backup writes only what changed", Duration::from_secs(60), || {
        let next = office.create().json();
        made += 1;
        next["written_bytes"].as_u64().unwrap() < next["bytes"].as_u64().unwrap()
    });
    assert!(country.runs(CITY));

    let drilled = office.open("drill", &[1, 3], &[]);
    assert_eq!(drilled.code, 0, "{drilled:?}");
    assert_eq!(drilled.json()["residents"], 300);
    assert!(drilled.json()["seconds"].as_f64().unwrap() > 0.0);
    let earlier = office.open("drill", &[2, 3], &["--at", first["id"].as_str().unwrap()]);
    assert_eq!((earlier.code, earlier.json()["residents"].as_u64()), (0, Some(200)));
    for shares in [&[1][..], &[2, 2]] {
        let alone = office.open("drill", shares, &[]);
        assert_eq!(alone.code, 1, "{alone:?}");
        assert!(alone.stderr.contains("share"), "{alone:?}");
    }
    let data = country.made.node(CITY).unwrap().folder.join("data");
    let left = fs::read_dir(&data).unwrap().flatten().map(|item| item.file_name());
    let left: Vec<_> = left.filter_map(|name| name.into_string().ok()).collect();
    assert!(!left.iter().any(|name| name.contains("drill") || name.contains("backup")), "{left:?}");
    let listed = tool(&["backup", "list", "--from", &office.backups.display().to_string()]);
    assert_eq!(listed.stdout.lines().count(), made, "{listed:?}");

    country.stop(CITY);
    let occupied = office.open("restore", &[1, 2], &[]);
    assert_eq!(occupied.code, 1, "{occupied:?}");
    assert!(occupied.stderr.contains("is there already"), "{occupied:?}");
    let digest = country.fsck(CITY).json()["population_digest"].clone();
    let lost = country.dir().join("lost");
    fs::rename(&data, &lost).unwrap();
    fs::remove_dir_all(country.made.node(CITY).unwrap().folder.join("ledger")).unwrap();
    a_stale_log_beside_the_place_is_refused(&office, &data);
    without_todays_keys_nothing_is_put_back(&country, &office);
    let restored = office.open("restore", &[1, 2], &[]);
    assert_eq!(restored.code, 0, "{restored:?}");
    assert_eq!(restored.json()["population_digest"], digest);
    assert_eq!(country.fsck(CITY).json()["population_digest"], digest);
    altered_backups_are_named(&office);
    shows_nobody(&[&office.backups, &data, &lost], &everyone);
}

/// SQLite would play the log of another database into the restored one.
fn a_stale_log_beside_the_place_is_refused(office: &Office, data: &Path) {
    fs::create_dir(data).unwrap();
    for end in ["wal", "shm", "journal"] {
        let stale = data.join(format!("register.sqlite-{end}"));
        fs::write(&stale, b"of another database").unwrap();
        let refused = office.open("restore", &[1, 2], &[]);
        assert_eq!(refused.code, 1, "{refused:?}");
        assert!(refused.stderr.contains(&format!("-{end} is there already")), "{refused:?}");
        assert!(!data.join("register.sqlite").exists());
        fs::remove_file(stale).unwrap();
    }
}

/// A token that lost its keys for terms would make everything look expired.
fn without_todays_keys_nothing_is_put_back(country: &Country, office: &Office) {
    let node = load_node(&country.made.node(CITY).unwrap().config).unwrap();
    let TokenConfig::Software { file, .. } = &node.token else { panic!("a sealed file") };
    let (keys, aside) = (token_file::retention_path(file), country.dir().join("keys"));
    fs::rename(&keys, &aside).unwrap();
    let to = country.dir().join("refused");
    let refused = office.open("restore", &[1, 2], &["--to", &to.display().to_string()]);
    assert_eq!(refused.code, 3, "{refused:?}");
    assert!(refused.stderr.contains("none of the keys for terms"), "{refused:?}");
    // As from an older copy of the token: it has keys, and not this year's.
    let token = token_file::open(&node.token).unwrap();
    token.retention_create("row-2020").unwrap();
    let drilled = office.open("drill", &[1, 2], &[]);
    assert_eq!(drilled.code, 3, "{drilled:?}");
    assert!(drilled.stderr.contains("are not this node's"), "{drilled:?}");
    fs::rename(&aside, &keys).unwrap();
    let token = token_file::open(&node.token).unwrap();
    let (database, ledger) = (to.join("data/register.sqlite"), to.join("ledger"));
    let store = SqliteStore::open_read_only(&database, &ledger, &StoreKeys(token)).unwrap();
    let report = store.fsck().unwrap();
    assert!(report.ok && report.residents == 300, "nothing was dropped: {:?}", report.faults);
}

fn altered_backups_are_named(office: &Office) {
    let mut all = Vec::new();
    files(&office.backups.join("blocks"), &mut all);
    let kept: Vec<Vec<u8>> = all.iter().map(|path| fs::read(path).unwrap()).collect();
    for (path, bytes) in all.iter().zip(&kept) {
        let mut bad = bytes.clone();
        *bad.last_mut().unwrap() ^= 1;
        fs::write(path, bad).unwrap();
    }
    let altered = office.open("drill", &[1, 2], &[]);
    assert_eq!(altered.code, 1, "{altered:?}");
    assert!(altered.stderr.contains("altered, or sealed for another key"), "{altered:?}");
    for (path, bytes) in all.iter().zip(&kept) {
        fs::write(path, bytes).unwrap();
    }
    let mut manifests = Vec::new();
    files(&office.backups.join("manifests"), &mut manifests);
    let text = fs::read_to_string(&manifests[0]).unwrap();
    fs::write(&manifests[0], text.replace("register.sqlite", "register.sqlitf")).unwrap();
    let listed = tool(&["backup", "list", "--from", &office.backups.display().to_string()]);
    assert_eq!(listed.code, 3, "{listed:?}");
    assert!(listed.stderr.contains("its signature does not hold"), "{listed:?}");
    fs::write(&manifests[0], text).unwrap();
}

fn retention(country: &Country, more: &[&str]) -> Ran {
    let config = country.config(CITY);
    let mut words = vec!["retention", "run", "--config", &config, "--json"];
    words.extend(more);
    tool(&words)
}

/// A history row and a removal of today, beside the fed residents. Returns who was removed.
fn changed_today(country: &Country, everyone: &[Person]) -> (RecordCode, RecordCode) {
    let node = load_node(&country.made.node(CITY).unwrap().config).unwrap();
    let token = token_file::open(&node.token).unwrap();
    let mut store = open_store(&node, &token).unwrap();
    let now = clock::now();
    let regime = Regime { tier: Tier::Municipality, epoch: Epoch::Founding };
    let until = regime.superseded(now.date_in_japan());
    let code = |at: usize| RecordCode::parse(&everyone[at].code).unwrap();
    let held = |code: &RecordCode| store.reads().resident(code).unwrap().unwrap();
    let (stays, leaves) = (code(0), code(1));
    let row = HistoryRow {
        before: held(&stays),
        reason: ChangeReason::MovedWithin,
        on: now.date_in_japan(),
        recorded_at: now,
    };
    let removed = Held { removed: true, ..held(&leaves) };
    let writes = [
        Write::AppendHistory { code: stays, row, until },
        Write::PutResident(removed),
        Write::ExpireResident { code: leaves, until: Some(until) },
    ];
    store.apply(&writes, &[], &mut |out| jukinet::dice::fill(out)).unwrap();
    store.commit().unwrap();
    (stays, leaves)
}

fn read(country: &Country, database: &Path, ledger: &Path) -> SqliteStore {
    let node = load_node(&country.made.node(CITY).unwrap().config).unwrap();
    let token = token_file::open(&node.token).unwrap();
    SqliteStore::open_read_only(database, ledger, &StoreKeys(Arc::clone(&token))).unwrap()
}

#[test]
fn a_backup_of_six_years_ago_does_not_bring_back_what_has_expired() {
    let mut country = Country::make();
    country.start(CITY);
    let everyone = people(40, KUNITACHI);
    feed(&country, &everyone);
    let busy = retention(&country, &["--on", "2026-11-22"]);
    assert_eq!(busy.code, 1, "{busy:?}");
    assert!(busy.stderr.contains("stop it first"), "{busy:?}");
    country.stop(CITY);
    let (stays, leaves) = changed_today(&country, &everyone);
    let this_year = clock::now().date_in_japan().year();
    // The year's key for current rows begins with the first run of the year.
    let today = clock::now().date_in_japan().to_string();
    assert_eq!(retention(&country, &["--on", &today]).code, 0);
    let office = Office::new(&country);
    let old = office.create().json()["id"].as_str().unwrap().to_owned();
    let node = load_node(&country.made.node(CITY).unwrap().config).unwrap();
    let database = node.data.join("register.sqlite");
    {
        let store = read(&country, &database, &node.ledger);
        assert_eq!(store.reads().history(&stays, 9).unwrap().len(), 1);
        assert!(store.reads().resident(&leaves).unwrap().unwrap().removed);
    }

    let then = format!("{}-12-15", this_year + 6);
    let early = retention(&country, &["--on", &then]);
    assert_eq!(early.code, 4, "{early:?}");
    assert!(early.stderr.contains("--danger-date-in-future"), "{early:?}");
    let dry = retention(&country, &["--on", &then, "--dry-run"]);
    let counts = |ran: &Ran| {
        let json = ran.json();
        (json["history"].as_u64(), json["residents"].as_u64(), json["entries"].as_u64())
    };
    assert_eq!(counts(&dry), (Some(1), Some(1), Some(0)), "{dry:?}");
    for year in this_year + 1..=this_year + 6 {
        let on = format!("{year}-12-15");
        let ran = retention(&country, &["--on", &on, "--danger-date-in-future"]);
        assert_eq!(ran.code, 0, "{ran:?}");
        for person in &everyone {
            assert!(!ran.stdout.contains(&person.code) && !ran.stderr.contains(&person.code));
        }
    }
    let checked = country.fsck(CITY);
    assert_eq!(checked.code, 0, "{checked:?}");
    assert_eq!(checked.json()["residents"], 39, "who stands still stands");

    let lost = country.dir().join("back");
    let to = lost.display().to_string();
    let restored = office.open("restore", &[2, 3], &["--at", &old, "--to", &to]);
    assert_eq!(restored.code, 0, "{restored:?}");
    let expired = restored.json()["expired"].clone();
    assert_eq!((expired["history"].as_u64(), expired["entries"].as_u64()), (Some(1), Some(0)));
    let store = read(&country, &lost.join("data/register.sqlite"), &lost.join("ledger"));
    assert!(store.reads().history(&stays, 9).unwrap().is_empty());
    assert_eq!(store.reads().resident(&leaves).unwrap(), None);
    // Entries are kept seven years: those of the backup still open, and the ledger verifies.
    assert!(!store.reads().entries_from(0, 99).unwrap().is_empty());
    drop(store);
    shows_nobody(&[&office.backups, &node.data, &lost], &everyone);
    let whole = country.made.node(CITY).unwrap().folder.clone();
    shows_nobody(&[&whole], &everyone);
    country.start(CITY);
    std::thread::sleep(Duration::from_millis(200));
    country.stop(CITY);
    assert_eq!(country.fsck(CITY).code, 0);
}

#[test]
fn a_running_node_erases_by_itself_what_has_reached_its_end() {
    let mut country = Country::make();
    country.start(CITY);
    let everyone = people(20, KUNITACHI);
    feed(&country, &everyone);
    country.stop(CITY);
    let node = load_node(&country.made.node(CITY).unwrap().config).unwrap();
    let token = token_file::open(&node.token).unwrap();
    let code = RecordCode::parse(&everyone[0].code).unwrap();
    {
        let mut store = open_store(&node, &token).unwrap();
        let before = store.reads().resident(&code).unwrap().unwrap();
        let now = clock::now();
        let on = now.date_in_japan();
        let row = HistoryRow { before, reason: ChangeReason::MovedWithin, on, recorded_at: now };
        let until = Date::parse("2020-01-31").unwrap();
        let writes = [Write::AppendHistory { code, row, until }];
        store.apply(&writes, &[], &mut |out| jukinet::dice::fill(out)).unwrap();
        store.commit().unwrap();
        assert_eq!(store.reads().history(&code, 9).unwrap().len(), 1);
    }
    country.start(CITY);
    let database = node.data.join("register.sqlite");
    eventually("the day's erasure is through", Duration::from_secs(60), || {
        let store = read(&country, &database, &node.ledger);
        store.reads().history(&code, 9).unwrap().is_empty()
    });
    assert_eq!(
        country
            .notice(KUNITACHI, &country.write("again.csv", residents_csv(&everyone).as_bytes()))
            .code,
        0
    );
    eventually("its keys are gone", Duration::from_secs(30), || {
        !token.retention_names().unwrap().contains(&"cohort-2020-01".to_owned())
    });
    let entries = read(&country, &database, &node.ledger).reads().entries_from(0, 99).unwrap();
    let entries = entries.iter().map(|open| Entry::parse(&open.entry).unwrap());
    let told: Vec<Entry> = entries.filter(|entry| entry.kind() == EntryKind::Erased).collect();
    let [told] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!(told.count(), Some(1));
    assert!(told.note().unwrap().contains("history 1, entries 0"), "{told:?}");
    assert!(!told.note().unwrap().contains(&everyone[0].code));
    country.stop(CITY);
}
