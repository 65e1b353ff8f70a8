//! What the bulk loads have in common: people sealed on several threads in the order in which they
//! come, how much one transaction takes, and the index terms of one chunk, brought into the order
//! of the index before they are written. Nothing is written here.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use aes_gcm::Aes256Gcm;
use law::inquiry::Held;
use law::query::IndexKind;
use node::ports::StoreError;

use crate::codec::RowFault;
use crate::keys::IndexKey;
use crate::places::resident_place;
use crate::row::ResidentRow;
use crate::seal::{self, NONCE_BYTES};
use crate::sealing::{Terms, terms_under, too_long};

/// People in one transaction of a bulk load: enough that one pass through the index meets each of
/// its pages several times, few enough that their terms (24 bytes each, some six a person) stay
/// below 50 MiB.
pub(crate) const PEOPLE_PER_COMMIT_COUNT_MAX: usize = 250_000;

/// People who travel together to a sealing thread: a millisecond or more of work.
const PARCEL_PEOPLE_COUNT: usize = 512;
/// Parcels that one sealing thread has before it or behind it: one under work, one waiting.
const PARCELS_PER_THREAD_COUNT: usize = 2;
/// One disk and one writer behind them keep no more than this many busy.
const THREADS_COUNT_MAX: usize = 8;

/// The index terms of one chunk: digest, kind, row.
#[derive(Debug)]
pub(crate) struct ChunkTerms {
    first: i64,
    people: u64,
    terms: Vec<(i64, u8, i64)>,
}

impl ChunkTerms {
    /// Rows are numbered from `first`.
    pub(crate) fn new(first: i64) -> Self {
        Self { first, people: 0, terms: Vec::new() }
    }

    /// The terms of the next row are kept for the end.
    pub(crate) fn add(&mut self, id: i64, terms: Terms) {
        self.people += 1;
        self.terms.extend(terms.into_iter().map(|(digest, kind)| (digest, kind, id)));
    }

    pub(crate) fn first(&self) -> i64 {
        self.first
    }

    pub(crate) fn people(&self) -> u64 {
        self.people
    }

    /// Sorted as the index is, each once.
    pub(crate) fn in_order(mut self) -> Vec<(i64, u8, i64)> {
        self.terms.sort_unstable();
        self.terms.dedup();
        self.terms
    }
}

pub(crate) fn is_code(kind: u8) -> bool {
    kind == IndexKind::Code.number()
}

/// The refusal of a code that is there already. Says which person of the load, never who.
pub(crate) fn held_already(before: u64, of_chunk: i64) -> StoreError {
    let number = before.saturating_add(u64::try_from(of_chunk).unwrap_or(0)).saturating_add(1);
    StoreError::Io(format!(
        "person {number} of the load has a code that is held already; of the load, {before} people \
            are kept"
    ))
}

/// What a sealing thread needs of a store: nothing that reads or writes.
pub(crate) struct Sealer {
    pub(crate) index: IndexKey,
    pub(crate) cipher: Arc<Aes256Gcm>,
    pub(crate) epoch: u32,
}

/// One person as the tables take him.
#[derive(Debug)]
pub(crate) struct SealedPerson {
    pub(crate) id: i64,
    pub(crate) sealed: Vec<u8>,
    pub(crate) terms: Terms,
    /// Not removed.
    pub(crate) present: bool,
}

/// People on their way to a sealing thread, with the number of the first one's row.
struct Parcel {
    first: i64,
    people: Vec<(Held, [u8; NONCE_BYTES])>,
}

type SealedParcel = Result<Vec<SealedPerson>, StoreError>;

impl Sealer {
    fn seal(&self, id: i64, held: Held, nonce: &[u8]) -> Result<SealedPerson, StoreError> {
        let terms = terms_under(&self.index, &held);
        let present = !held.removed;
        let plain = ResidentRow::new(held, []).encode().map_err(|RowFault| too_long("resident"))?;
        let mut drawn = |out: &mut [u8]| {
            out.iter_mut().zip(nonce).for_each(|(to, from)| *to = *from);
        };
        let place = resident_place(id, self.epoch);
        let sealed = seal::seal(&self.cipher, &place, &plain, &mut drawn)
            .map_err(|_: seal::SealError| too_long("resident"))?;
        Ok(SealedPerson { id, sealed, terms, present })
    }

    fn seal_parcel(&self, parcel: Parcel) -> SealedParcel {
        let numbered = (parcel.first..).zip(parcel.people);
        numbered.map(|(id, (held, nonce))| self.seal(id, held, &nonce)).collect()
    }
}

/// Seals everybody, numbered from `first`, on as many threads as the machine has cores, and hands
/// them to `each` in the order in which they came. The threads know neither disk nor dice: nonces
/// are drawn here, and what `each` does, it does alone.
pub(crate) fn seal_in_order(
    sealer: &Sealer,
    people: &mut dyn Iterator<Item = Held>,
    first: i64,
    dice: law::Dice<'_>,
    each: &mut dyn FnMut(SealedPerson) -> Result<(), StoreError>,
) -> Result<u64, StoreError> {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    std::thread::scope(|scope| {
        let mut lanes = Lanes { lanes: Vec::new(), under_way: VecDeque::new() };
        for _ in 0..cores.min(THREADS_COUNT_MAX) {
            let (give, take) = sync_channel::<Parcel>(PARCELS_PER_THREAD_COUNT);
            let (give_back, take_back) = sync_channel(PARCELS_PER_THREAD_COUNT);
            scope.spawn(move || {
                for parcel in take {
                    // Who waits for it is gone when the load has failed.
                    if give_back.send(sealer.seal_parcel(parcel)).is_err() {
                        return;
                    }
                }
            });
            lanes.lanes.push((give, take_back));
        }
        lanes.run(people, first, dice, each)
    })
}

/// Parcels go round the threads and are taken back in the same order.
struct Lanes {
    lanes: Vec<(SyncSender<Parcel>, Receiver<SealedParcel>)>,
    under_way: VecDeque<usize>,
}

impl Lanes {
    fn run(
        &mut self,
        people: &mut dyn Iterator<Item = Held>,
        first: i64,
        dice: law::Dice<'_>,
        each: &mut dyn FnMut(SealedPerson) -> Result<(), StoreError>,
    ) -> Result<u64, StoreError> {
        let room = self.lanes.len() * PARCELS_PER_THREAD_COUNT;
        let (mut next, mut lane, mut done) = (first, 0, 0);
        loop {
            if self.under_way.len() >= room {
                done += self.take_back(each)?;
            }
            let parcel = draw_parcel(people, next, dice);
            let count = parcel.people.len();
            if count == 0 {
                break;
            }
            let (give, _) = self.lanes.get(lane).ok_or_else(ended)?;
            give.send(parcel).map_err(|_| ended())?;
            self.under_way.push_back(lane);
            next = next.saturating_add(i64::try_from(count).unwrap_or(i64::MAX));
            lane = (lane + 1) % self.lanes.len().max(1);
        }
        while !self.under_way.is_empty() {
            done += self.take_back(each)?;
        }
        Ok(done)
    }

    fn take_back(
        &mut self,
        each: &mut dyn FnMut(SealedPerson) -> Result<(), StoreError>,
    ) -> Result<u64, StoreError> {
        let Some(lane) = self.under_way.pop_front() else { return Ok(0) };
        let (_, take_back) = self.lanes.get(lane).ok_or_else(ended)?;
        let sealed = take_back.recv().map_err(|_| ended())??;
        let count = sealed.len() as u64;
        sealed.into_iter().try_for_each(each)?;
        Ok(count)
    }
}

fn ended() -> StoreError {
    StoreError::Io("a sealing thread ended".into())
}

/// The next people, each with a nonce of its own. One draw for all of them.
fn draw_parcel(people: &mut dyn Iterator<Item = Held>, first: i64, dice: law::Dice<'_>) -> Parcel {
    let taken: Vec<Held> = people.take(PARCEL_PEOPLE_COUNT).collect();
    let mut nonces = vec![0; taken.len() * NONCE_BYTES];
    dice(&mut nonces);
    let (nonces, _) = nonces.as_chunks();
    Parcel { first, people: taken.into_iter().zip(nonces.iter().copied()).collect() }
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer(…)")
    }
}
