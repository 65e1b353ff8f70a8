//! The index terms of a whole load, set aside on disk until all are known, and given back in the
//! order of the index: so its tree is built at its right edge only. Not a table, and gone when the
//! load ends.
//!
//! What lies here is what the index will hold, keyed digests and numbers of rows, eleven bytes
//! each. One file for each first byte of the digest: a file fits into memory and is sorted there.

use std::fs::{self, File};
use std::io::{BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;

use node::ports::StoreError;

use crate::ledger_files::{io_error, private_file};

/// Files: one for each value of the first byte.
const BUCKETS_COUNT: usize = 256;
/// Written at once; all files together hold 32 MiB of it.
const BUCKET_BUFFER_BYTES: usize = 128 * 1024;
/// One term: 56 bits of digest, 3 of the kind, 29 of the row.
const TERM_BYTES: usize = 11;
const ID_BITS: u32 = 29;
const KIND_BITS: u32 = 3;

/// Rows that can be numbered here: four times the country.
pub(crate) const SPILLED_ROWS_COUNT_MAX: i64 = (1 << ID_BITS) - 1;

/// One term as it stands in the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Term {
    pub(crate) digest: i64,
    pub(crate) kind: u8,
    pub(crate) row: i64,
}

/// Terms set aside.
#[derive(Debug)]
pub(crate) struct Spill {
    folder: PathBuf,
    buckets: Vec<BufWriter<File>>,
    terms: u64,
}

impl Spill {
    /// In a folder of its own, whatever an earlier load left there.
    pub(crate) fn new(folder: &Path) -> Result<Self, StoreError> {
        let mut spill = Self { folder: folder.to_path_buf(), buckets: Vec::new(), terms: 0 };
        spill.remove()?;
        fs::create_dir(folder).map_err(io_error)?;
        for number in 0..BUCKETS_COUNT {
            let path = spill.path(number);
            private_file(&path).map_err(io_error)?;
            let file = File::options().append(true).open(&path).map_err(io_error)?;
            spill.buckets.push(BufWriter::with_capacity(BUCKET_BUFFER_BYTES, file));
        }
        Ok(spill)
    }

    fn path(&self, number: usize) -> PathBuf {
        self.folder.join(format!("{number:02x}"))
    }

    fn remove(&mut self) -> Result<(), StoreError> {
        self.buckets.clear();
        match fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io_error(error)),
            _ => Ok(()),
        }
    }

    /// How many there are.
    pub(crate) fn terms(&self) -> u64 {
        self.terms
    }

    pub(crate) fn add(&mut self, term: Term) -> Result<(), StoreError> {
        let bytes = packed(term).ok_or_else(too_many)?.to_be_bytes();
        let [_, _, _, _, bucket, rest @ ..] = bytes;
        let bucket = self.buckets.get_mut(usize::from(bucket)).ok_or_else(too_many)?;
        bucket.write_all(&rest).map_err(io_error)?;
        self.terms += 1;
        Ok(())
    }

    /// Everything in the order of the index, each once, a bucket at a time: while one is taken the
    /// next is read and sorted. Its file goes before it is given, so that the index may have room.
    pub(crate) fn in_order(
        mut self,
        take: &mut dyn FnMut(&mut dyn Iterator<Item = Term>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        for mut bucket in std::mem::take(&mut self.buckets) {
            bucket.flush().map_err(io_error)?;
        }
        let spill = &self;
        std::thread::scope(|scope| {
            let (give, sorted) = sync_channel::<Result<Vec<u128>, StoreError>>(0);
            scope.spawn(move || {
                for number in 0..BUCKETS_COUNT {
                    // Nobody takes it when the load has failed.
                    if give.send(spill.sorted(number)).is_err() {
                        return;
                    }
                }
            });
            sorted.into_iter().try_for_each(|bucket| {
                let mut terms = bucket?.into_iter().map(unpacked);
                take(&mut terms)
            })
        })
    }

    fn sorted(&self, number: usize) -> Result<Vec<u128>, StoreError> {
        let path = self.path(number);
        let mut bytes = Vec::new();
        File::open(&path).and_then(|mut file| file.read_to_end(&mut bytes)).map_err(io_error)?;
        let (terms, rest) = bytes.as_chunks::<TERM_BYTES>();
        if !rest.is_empty() {
            return Err(StoreError::Io("a file of set aside terms is cut short".into()));
        }
        let first = u8::try_from(number).unwrap_or(u8::MAX);
        let mut terms: Vec<u128> = terms.iter().map(|term| widened(first, term)).collect();
        drop(bytes);
        terms.sort_unstable();
        terms.dedup();
        fs::remove_file(&path).map_err(io_error)?;
        Ok(terms)
    }
}

impl Drop for Spill {
    fn drop(&mut self) {
        // What cannot be removed is removed by the next load.
        let _ = self.remove();
    }
}

fn too_many() -> StoreError {
    StoreError::Io(format!("more than {SPILLED_ROWS_COUNT_MAX} rows in one load"))
}

/// A digest is signed and ordered as such; here its order is that of a number without sign.
const SIGN: u64 = 1 << 63;

fn packed(Term { digest, kind, row }: Term) -> Option<u128> {
    let row = u32::try_from(row).ok().filter(|row| row >> ID_BITS == 0)?;
    let kind = (kind >> KIND_BITS == 0).then_some(u128::from(kind))?;
    let digest = u128::from(digest.cast_unsigned() ^ SIGN);
    Some(digest << (KIND_BITS + ID_BITS) | kind << ID_BITS | u128::from(row))
}

fn unpacked(packed: u128) -> Term {
    let part = |from: u32, bits: u32| {
        let mask = (1_u128 << bits) - 1;
        u64::try_from((packed >> from) & mask).unwrap_or(0)
    };
    Term {
        digest: (part(KIND_BITS + ID_BITS, u64::BITS) ^ SIGN).cast_signed(),
        kind: u8::try_from(part(ID_BITS, KIND_BITS)).unwrap_or(0),
        row: part(0, ID_BITS).cast_signed(),
    }
}

fn widened(first: u8, rest: &[u8; TERM_BYTES]) -> u128 {
    rest.iter().fold(u128::from(first), |number, byte| number << 8 | u128::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_come_back_in_the_order_of_the_index_each_once() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("terms");
        let mut spill = Spill::new(&folder).unwrap();
        let mut wanted = Vec::new();
        let mut state = 7_u64;
        for row in 1..=5_000_i64 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let kind = u8::try_from(row % 6 + 1).unwrap();
            wanted.push((state.cast_signed(), kind, row));
        }
        for (digest, row) in [(i64::MIN, 1), (-1, 2), (0, 3), (i64::MAX, SPILLED_ROWS_COUNT_MAX)] {
            wanted.push((digest, 1, row));
        }
        let twice = wanted.clone();
        for (digest, kind, row) in wanted.iter().chain(twice.iter().take(100)).copied() {
            spill.add(Term { digest, kind, row }).unwrap();
        }
        assert_eq!(spill.terms(), 5_104);
        let mut found = Vec::new();
        spill
            .in_order(&mut |terms| {
                found.extend(terms.map(|term| (term.digest, term.kind, term.row)));
                Ok(())
            })
            .unwrap();
        wanted.sort_unstable();
        assert_eq!(found, wanted);
        assert!(!folder.exists());
    }

    #[test]
    fn a_row_or_kind_beyond_its_bits_is_refused_and_a_failure_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("terms");
        let mut spill = Spill::new(&folder).unwrap();
        let term = Term { digest: 5, kind: 1, row: 1 };
        assert!(spill.add(Term { row: SPILLED_ROWS_COUNT_MAX + 1, ..term }).is_err());
        assert!(spill.add(Term { kind: 8, ..term }).is_err());
        assert!(spill.add(Term { row: -1, ..term }).is_err());
        spill.add(term).unwrap();
        assert!(spill.in_order(&mut |_| Err(too_many())).is_err());
        assert!(!folder.exists());
    }
}
