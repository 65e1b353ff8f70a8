//! The residents of the center, made in this process and loaded into its store as they come: no
//! file between. The same generator and the same store code as everywhere.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use indicatif::ProgressBar;
use law::change::ChangeReason;
use law::code::LocalGovernmentCode;
use law::inquiry::{Held, LastChange};
use law::people::{Address, BirthDate, FourItems, IdentityInformation, Kana, Name, OtherNames};
use law::time::Date;
use store::{LoadProgress, SqliteStore};

use super::super::BenchError;
use super::Wanted;
use super::sample::{Sampler, Way};
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

/// What the load took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    pub(super) seconds: f64,
    /// Of these, until the last row was written; the rest is the index.
    pub(super) rows_seconds: f64,
    pub(super) cpu_seconds: f64,
    pub(super) peak_mib: f64,
}

/// Residents as they come from the generator's thread.
pub(crate) struct Residents {
    parcels: Receiver<Vec<Held>>,
    parcel: std::vec::IntoIter<Held>,
}

impl Iterator for Residents {
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

/// Makes everybody on a thread of their own, lets `see` look at each there, and hands them to
/// `take` here.
pub(crate) fn made<T>(
    population: &population::Options,
    see: impl FnMut(u64, &Held) + Send,
    take: impl FnOnce(&mut Residents) -> Result<T, BenchError>,
) -> Result<T, BenchError> {
    let (send, parcels) = sync_channel(PARCELS_COUNT_MAX);
    std::thread::scope(|scope| {
        let making = scope.spawn(move || make(population, &send, see));
        let mut residents = Residents { parcels, parcel: Vec::new().into_iter() };
        let taken = take(&mut residents);
        // Without a receiver the generator ends at its next parcel.
        drop(residents);
        let made = making.join().unwrap_or_else(|_| Err(void("the generator ended")));
        let taken = taken?;
        made.map(|()| taken)
    })
}

/// The generator's thread.
fn make(
    population: &population::Options,
    send: &SyncSender<Vec<Held>>,
    mut see: impl FnMut(u64, &Held),
) -> Result<(), BenchError> {
    let mut parcel = Vec::with_capacity(PARCEL_PEOPLE_COUNT);
    let odd = || BenchError::Residents("a resident is none".to_owned());
    let ended = || void("the load ended before everybody was made");
    population::each(population, &mut |resident| -> Result<(), BenchError> {
        let held = held_of(resident).ok_or_else(odd)?;
        see(resident.index, &held);
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
    Ok(())
}

/// Makes and loads everybody; the figures of the load, and who was taken note of on the way.
pub(super) fn load(
    wanted: &Wanted,
    store: &mut SqliteStore,
    bar: &ProgressBar,
) -> Result<(Load, Sampler), BenchError> {
    let start = clock::monotonic();
    let cpu = machine::own_cpu_seconds();
    let mut rows_done = None;
    bar.set_length(wanted.residents);
    bar.set_message("rows");
    let mut progress = |step: LoadProgress| match step {
        LoadProgress::Rows(rows) => bar.set_position(rows),
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
    let mut sampler = Sampler::new(wanted.residents, wanted.sample, &Way::ALL);
    let see = |index: u64, held: &Held| sampler.see(index, held);
    let loaded = made(&wanted.population(), see, |residents| {
        let loaded = store.first_load(residents, &mut dice::fill, &mut progress);
        loaded.map_err(|error| void(&error.to_string()))
    })?;
    let seconds = start.elapsed().as_secs_f64();
    if loaded != wanted.residents {
        return Err(void(&format!("{loaded} of {} were loaded", wanted.residents)));
    }
    let load = Load {
        seconds,
        rows_seconds: rows_done.unwrap_or(seconds),
        cpu_seconds: machine::own_cpu_seconds() - cpu,
        peak_mib: machine::peak_mib(std::process::id()).unwrap_or(f64::NAN),
    };
    Ok((load, sampler))
}

fn void(why: &str) -> BenchError {
    BenchError::Void(why.to_owned())
}
