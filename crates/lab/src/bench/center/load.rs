//! The residents of the center, made in this process and loaded into its store as they come: no
//! file between. The same generator and the same store code as everywhere.

use std::sync::mpsc::{Receiver, sync_channel};

use indicatif::ProgressBar;
use law::change::ChangeReason;
use law::code::LocalGovernmentCode;
use law::inquiry::{Held, LastChange};
use law::people::{Address, BirthDate, FourItems, IdentityInformation, Kana, Name, OtherNames};
use law::time::Date;
use serde_json::{Value, json};
use store::{LoadProgress, SqliteStore};

use super::super::pairs::rounded;
use super::super::{BenchError, per_second};
use super::Wanted;
use super::sample::Sampler;
use crate::live::{clock, dice, machine};
use crate::population::{self, Resident};

/// People who travel together from the generator.
const PARCEL_PEOPLE_COUNT: usize = 1_024;
/// Parcels under way: some megabytes.
const PARCELS_COUNT_MAX: usize = 16;
/// The register begins with the network: whoever was born before is recorded since then.
const NETWORK_BEGAN: &str = "2002-08-05";

/// A resident as a register holds him after his first entry, as `jukinet import` reads the same
/// person from a file.
pub(crate) fn held_of(resident: &Resident<'_>) -> Option<Held> {
    let joined = |family: &str, given: &str| match (family, given) {
        (one, "") | ("", one) => one.to_owned(),
        (family, given) => format!("{family}\u{3000}{given}"),
    };
    let name = |family, given| Name::parse(&joined(family, given)).ok();
    let birth = BirthDate::parse(resident.birth).ok()?;
    let items = FourItems {
        name: name(resident.family_name, resident.given_name)?,
        kana: Kana::parse(&joined(resident.family_kana, resident.given_kana)).ok()?,
        address: Address::parse(resident.address).ok()?,
        sex: resident.sex,
        birth,
    };
    let alternative = match resident.alternative_name {
        Some((family, given)) => Some(name(family, given)?),
        None => None,
    };
    let identity = IdentityInformation {
        code: *resident.record_code,
        items,
        municipality: LocalGovernmentCode::parse(resident.municipality_code).ok()?,
        other_names: OtherNames { alternative, former_surname: None },
    };
    let began = Date::parse(NETWORK_BEGAN).ok()?;
    let on = birth.date().map_or(began, |born| born.max(began));
    let reason = ChangeReason::EnteredExOfficio;
    let change = Some(LastChange { reason, on, foreign: false });
    Some(Held { identity, change, removed: false })
}

/// What the loading thread gets.
struct Parcels {
    parcels: Receiver<Vec<Held>>,
    parcel: std::vec::IntoIter<Held>,
}

impl Iterator for Parcels {
    type Item = Held;

    fn next(&mut self) -> Option<Held> {
        loop {
            if let Some(held) = self.parcel.next() {
                return Some(held);
            }
            self.parcel = self.parcels.recv().ok()?.into_iter();
        }
    }
}

/// Makes and loads everybody; the figures of the load, and who was taken note of on the way.
pub(super) fn load(
    wanted: &Wanted,
    store: &mut SqliteStore,
    bar: &ProgressBar,
) -> Result<(Value, Sampler), BenchError> {
    let (send, parcels) = sync_channel(PARCELS_COUNT_MAX);
    let start = clock::monotonic();
    let cpu = machine::own_cpu_seconds();
    let mut rows_done = None;
    bar.set_length(wanted.residents);
    std::thread::scope(|scope| {
        let making = scope.spawn(move || make(wanted, &send));
        let mut people = Parcels { parcels, parcel: Vec::new().into_iter() };
        let mut last_rows = 0;
        let mut progress = |step: LoadProgress| match step {
            LoadProgress::Rows(rows) => {
                bar.set_message("rows");
                bar.set_position(rows);
                last_rows = rows;
            }
            LoadProgress::Index { done, all } => {
                if rows_done.is_none() {
                    rows_done = Some(start.elapsed().as_secs_f64());
                    bar.set_length(all);
                    bar.set_message("index terms");
                    bar.reset_eta();
                }
                bar.set_position(done);
            }
            LoadProgress::Syncing => bar.set_message("syncing"),
        };
        let loaded = store.first_load(&mut people, &mut dice::fill, &mut progress);
        // Without a receiver the generator ends at its next parcel.
        drop(people);
        let made = making.join();
        let sampler = made.unwrap_or_else(|_| Err(void("the generator ended")));
        let loaded = loaded.map_err(|error| void(&error.to_string()))?;
        let sampler = sampler?;
        let seconds = start.elapsed().as_secs_f64();
        if loaded != wanted.residents {
            return Err(void(&format!("{loaded} of {} were loaded", wanted.residents)));
        }
        let rows_seconds = rows_done.unwrap_or(seconds);
        let figures = json!({
            "seconds": rounded(seconds),
            "residents_per_second": per_second(loaded, seconds).round(),
            "rows_seconds": rounded(rows_seconds),
            "index_seconds": rounded(seconds - rows_seconds),
            "cpu_seconds": rounded(machine::own_cpu_seconds() - cpu),
            "peak_mib": machine::peak_mib(std::process::id()),
        });
        Ok((figures, sampler))
    })
}

fn void(why: &str) -> BenchError {
    BenchError::Void(why.to_owned())
}

/// The generator's thread.
fn make(
    wanted: &Wanted,
    send: &std::sync::mpsc::SyncSender<Vec<Held>>,
) -> Result<Sampler, BenchError> {
    let mut sampler = Sampler::new(wanted.residents, wanted.sample);
    let mut parcel = Vec::with_capacity(PARCEL_PEOPLE_COUNT);
    let odd = || BenchError::Residents("a resident is none".to_owned());
    let ended = || void("the load ended before everybody was made");
    population::each(&wanted.population(), &mut |resident| -> Result<(), BenchError> {
        let held = held_of(resident).ok_or_else(odd)?;
        sampler.see(resident.index, &held);
        parcel.push(held);
        if parcel.len() == PARCEL_PEOPLE_COUNT {
            let full = std::mem::replace(&mut parcel, Vec::with_capacity(PARCEL_PEOPLE_COUNT));
            send.send(full).map_err(|_| ended())?;
        }
        Ok(())
    })?;
    if !parcel.is_empty() {
        send.send(parcel).map_err(|_| ended())?;
    }
    Ok(sampler)
}
