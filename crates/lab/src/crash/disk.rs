//! What a disk holds after the power fails: a file's bytes count once the file was synced, a name
//! once its folder was. Pure: the acts of a record go in, what may be left comes out.
//!
//! The model is stricter than the usual journalling file systems in what has a name: a rename, a
//! removal or a new folder without a sync of the folder around it may be undone for ever. One grace
//! is given that they all give: a sync of a new file also keeps its name in a folder that lasts.

use std::collections::BTreeMap;

use super::record::Act;
use crate::draw::Draw;

/// Bytes that a disk writes whole or not at all.
const SECTOR_BYTES: usize = 512;

/// Folder contents by path.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// What becomes of that which was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// All of it is gone.
    Whole,
    /// Each write is kept, lost or torn, each name kept or not, as drawn.
    Torn,
}

#[derive(Clone, Debug)]
enum Change {
    Write { at: u64, data: Vec<u8> },
    Truncate(u64),
}

/// A change and the number of the act that made it.
type Pending<T> = Vec<(usize, T)>;

#[derive(Clone, Debug, Default)]
struct File {
    durable: Vec<u8>,
    pending: Pending<Change>,
}

#[derive(Clone, Debug)]
enum Naming {
    Link { path: String, file: usize },
    Unlink { path: String },
    Rename { from: String, to: String, file: usize },
}

impl Naming {
    /// The folder whose sync makes it last.
    fn folder(&self) -> &str {
        match self {
            Self::Link { path, .. } | Self::Unlink { path } | Self::Rename { to: path, .. } => {
                parent(path)
            }
        }
    }

    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            Self::Link { path, file } => {
                names.insert(path.clone(), *file);
            }
            Self::Unlink { path } => {
                names.remove(path);
            }
            Self::Rename { from, to, file } => {
                names.remove(from);
                names.insert(to.clone(), *file);
            }
        }
    }
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// A disk under a running process.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    files: Vec<File>,
    /// As the process sees them.
    names: BTreeMap<String, usize>,
    durable: BTreeMap<String, usize>,
    pending: Pending<Naming>,
    /// Folders that were made and do not last yet, with the number of the act.
    fleeting: BTreeMap<String, usize>,
}

impl Disk {
    /// A disk on which these files have long been.
    pub(crate) fn new(files: Files) -> Self {
        let mut disk = Self {
            files: Vec::new(),
            names: BTreeMap::new(),
            durable: BTreeMap::new(),
            pending: Vec::new(),
            fleeting: BTreeMap::new(),
        };
        for (path, durable) in files {
            disk.names.insert(path, disk.files.len());
            disk.files.push(File { durable, pending: Vec::new() });
        }
        disk.durable.clone_from(&disk.names);
        disk
    }

    /// The process does something; `number` counts its acts. True if the disk may differ now.
    pub(crate) fn apply(&mut self, number: usize, act: &Act) -> bool {
        match act {
            Act::Send => return false,
            Act::Create { path, empty } => {
                let file = self.file(number, path);
                if *empty {
                    self.change(number, file, Change::Truncate(0));
                }
            }
            Act::Write { path, at, data } => {
                let file = self.file(number, path);
                self.change(number, file, Change::Write { at: *at, data: data.clone() });
            }
            Act::Truncate { path, length } => {
                let file = self.file(number, path);
                self.change(number, file, Change::Truncate(*length));
            }
            Act::Rename { from, to } => {
                let file = self.file(number, from);
                let naming = Naming::Rename { from: from.clone(), to: to.clone(), file };
                naming.apply(&mut self.names);
                self.pending.push((number, naming));
            }
            Act::Remove { path } => {
                self.names.remove(path);
                self.pending.push((number, Naming::Unlink { path: path.clone() }));
            }
            Act::Folder { path } => {
                self.fleeting.insert(path.clone(), number);
            }
            Act::Sync { path, covers } => self.sync(path, *covers),
        }
        true
    }

    /// The file of this name, made if there is none.
    fn file(&mut self, number: usize, path: &str) -> usize {
        if let Some(file) = self.names.get(path) {
            return *file;
        }
        let file = self.files.len();
        self.files.push(File::default());
        let link = Naming::Link { path: path.to_owned(), file };
        link.apply(&mut self.names);
        self.pending.push((number, link));
        file
    }

    fn change(&mut self, number: usize, file: usize, change: Change) {
        if let Some(file) = self.files.get_mut(file) {
            file.pending.push((number, change));
        }
    }

    fn sync(&mut self, path: &str, covers: usize) {
        let Some(file) = self.names.get(path).copied() else {
            self.keep_names(covers, |naming| naming.folder() == path);
            self.fleeting.retain(|folder, number| *number >= covers || parent(folder) != path);
            return;
        };
        if let Some(file) = self.files.get_mut(file) {
            let (synced, left) = file.pending.drain(..).partition(|(number, _)| *number < covers);
            file.pending = left;
            let synced: Pending<Change> = synced;
            synced.iter().for_each(|(_, change)| apply(change, &mut file.durable));
        }
        let is_new = |naming: &Naming| matches!(naming, Naming::Link { file: f, .. } if *f == file);
        let found = self.pending.iter().find(|(number, naming)| *number < covers && is_new(naming));
        if let Some((number, Naming::Link { path, .. })) = found {
            let (number, path) = (*number, path.clone());
            self.overtake(&path, number);
        }
        self.keep_names(covers, is_new);
    }

    /// What was done to this name before does not come after.
    fn overtake(&mut self, path: &str, number: usize) {
        let touches = |naming: &Naming| match naming {
            Naming::Link { path: p, .. } | Naming::Unlink { path: p } => p == path,
            Naming::Rename { from, to, .. } => from == path || to == path,
        };
        let pending = std::mem::take(&mut self.pending);
        let left = pending.into_iter().filter_map(|(at, naming)| match naming {
            naming if at >= number || !touches(&naming) => Some((at, naming)),
            Naming::Rename { from, to, .. } if to == path => {
                Some((at, Naming::Unlink { path: from }))
            }
            Naming::Rename { to, file, .. } => Some((at, Naming::Link { path: to, file })),
            _ => None,
        });
        self.pending = left.collect();
    }

    fn keep_names(&mut self, covers: usize, which: impl Fn(&Naming) -> bool) {
        let durable = &mut self.durable;
        self.pending.retain(|(number, naming)| {
            let kept = *number < covers && which(naming);
            if kept {
                naming.apply(durable);
            }
            !kept
        });
    }

    /// What is on the disk when the power fails now.
    pub(crate) fn after_cut(&self, loss: Loss, draw: &mut Draw) -> Files {
        let mut names = self.durable.clone();
        if loss == Loss::Torn {
            // In one folder names come to the disk in order.
            let mut last: BTreeMap<&str, bool> = BTreeMap::new();
            for (_, naming) in &self.pending {
                let goes_on = last.entry(naming.folder()).or_insert(true);
                *goes_on &= draw.permille(600);
                if *goes_on {
                    naming.apply(&mut names);
                }
            }
        }
        let mut lost: Vec<&str> = Vec::new();
        for folder in self.fleeting.keys() {
            if loss == Loss::Whole || draw.permille(500) {
                lost.push(folder);
            }
        }
        let stands = |path: &str| {
            !lost.iter().any(|folder| path.strip_prefix(folder).is_some_and(|r| r.starts_with('/')))
        };
        names.retain(|path, _| stands(path));
        let contents = names.into_iter().filter_map(|(path, file)| {
            let file = self.files.get(file)?;
            let mut bytes = file.durable.clone();
            if loss == Loss::Torn {
                for (_, change) in &file.pending {
                    tear(change, &mut bytes, draw);
                }
            }
            Some((path, bytes))
        });
        contents.collect()
    }
}

fn apply(change: &Change, bytes: &mut Vec<u8>) {
    match change {
        Change::Truncate(length) => {
            bytes.resize(usize::try_from(*length).unwrap_or(usize::MAX), 0);
        }
        Change::Write { at, data } => {
            let at = usize::try_from(*at).unwrap_or(usize::MAX);
            let end = at.saturating_add(data.len());
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            if let Some(place) = bytes.get_mut(at..end) {
                place.copy_from_slice(data);
            }
        }
    }
}

/// A change that was not synced: kept, lost, or a write of which only some sectors came down.
fn tear(change: &Change, bytes: &mut Vec<u8>, draw: &mut Draw) {
    match (draw.below(3), change) {
        (0, _) => {}
        (1, Change::Write { at, data }) => {
            let mut place = *at;
            let mut rest = data.as_slice();
            while !rest.is_empty() {
                let into = usize::try_from(place).unwrap_or(0) % SECTOR_BYTES;
                let count = (SECTOR_BYTES - into).min(rest.len());
                let (sector, after) = rest.split_at(count);
                if draw.permille(500) {
                    apply(&Change::Write { at: place, data: sector.to_vec() }, bytes);
                }
                place += count as u64;
                rest = after;
            }
        }
        _ => apply(change, bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(seed: u64) -> Draw {
        Draw::new(*b"jukinet disk test/1\0\0\0\0\0", seed, 0)
    }

    fn write(path: &str, data: &str) -> Act {
        Act::Write { path: path.to_owned(), at: 0, data: data.as_bytes().to_vec() }
    }

    fn disk(acts: &[Act]) -> Disk {
        let mut disk = Disk::new(Files::from([("/n/old".to_owned(), b"old".to_vec())]));
        for (number, act) in acts.iter().enumerate() {
            disk.apply(number, act);
        }
        disk
    }

    fn left(acts: &[Act]) -> Vec<(String, String)> {
        let files = disk(acts).after_cut(Loss::Whole, &mut draw(1));
        files.into_iter().map(|(p, b)| (p, String::from_utf8(b).unwrap())).collect()
    }

    fn sync(path: &str, covers: usize) -> Act {
        Act::Sync { path: path.to_owned(), covers }
    }

    fn pair(path: &str, text: &str) -> (String, String) {
        (path.to_owned(), text.to_owned())
    }

    #[test]
    fn only_what_was_synced_is_there() {
        let (old, new) = (pair("/n/old", "old"), pair("/n/new", "abc"));
        assert_eq!(left(&[write("/n/new", "abc")]), vec![old.clone()]);
        assert_eq!(left(&[write("/n/new", "abc"), sync("/n/new", 1)]), [new.clone(), old.clone()]);
        let later = [write("/n/new", "abc"), sync("/n/new", 1), write("/n/new", "xyz")];
        assert_eq!(left(&later), [new, old]);
        // A sync that was entered before the write covers nothing of it.
        assert_eq!(left(&[write("/n/old", "XXX"), sync("/n/old", 0)]), [pair("/n/old", "old")]);
    }

    #[test]
    fn a_rename_lasts_when_its_folder_is_synced_and_brings_only_synced_bytes() {
        let rename = Act::Rename { from: "/n/draft".to_owned(), to: "/n/old".to_owned() };
        let careful = [write("/n/draft", "new"), sync("/n/draft", 1), rename.clone()];
        assert_eq!(left(&careful), [pair("/n/draft", "new"), pair("/n/old", "old")]);
        let mut synced = careful.to_vec();
        synced.push(sync("/n", 3));
        assert_eq!(left(&synced), [pair("/n/old", "new")]);
        let careless = [write("/n/draft", "new"), rename, sync("/n", 2)];
        assert_eq!(left(&careless), [pair("/n/old", "")]);
    }

    #[test]
    fn a_torn_write_is_whole_sectors_and_every_outcome_occurs() {
        let data = "x".repeat(SECTOR_BYTES * 3);
        let disk = disk(&[write("/n/new", &data), sync("/n", 1)]);
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..200 {
            let files = disk.after_cut(Loss::Torn, &mut draw(seed));
            let bytes = &files["/n/new"];
            assert_eq!(bytes.len() % SECTOR_BYTES, 0);
            seen.insert(bytes.chunks(SECTOR_BYTES).map(|c| c[0] == b'x').collect::<Vec<_>>());
        }
        assert!(seen.len() >= 6, "{seen:?}");
    }

    #[test]
    fn a_name_that_is_used_again_is_not_lost_with_what_it_was() {
        let remove = Act::Remove { path: "/n/old".to_owned() };
        let again = [remove, write("/n/old", "new"), sync("/n/old", 2), sync("/n", 3)];
        assert_eq!(left(&again), [pair("/n/old", "new")]);
        let rename = Act::Rename { from: "/n/draft".to_owned(), to: "/n/kept".to_owned() };
        let twice = [
            write("/n/draft", "one"),
            sync("/n/draft", 1),
            rename,
            write("/n/draft", "two"),
            sync("/n/draft", 4),
            sync("/n", 5),
        ];
        let (draft, kept) = (pair("/n/draft", "two"), pair("/n/kept", "one"));
        assert_eq!(left(&twice), [draft, kept, pair("/n/old", "old")]);
    }

    #[test]
    fn what_is_in_a_folder_lasts_no_longer_than_the_folder() {
        let folder = Act::Folder { path: "/n/new".to_owned() };
        let inside = [folder, write("/n/new/file", "abc"), sync("/n/new/file", 2)];
        assert_eq!(left(&inside), [pair("/n/old", "old")]);
        let mut synced = inside.to_vec();
        synced.push(sync("/n", 3));
        assert_eq!(left(&synced), [pair("/n/new/file", "abc"), pair("/n/old", "old")]);
    }

    #[test]
    fn a_removal_may_be_undone_until_the_folder_is_synced() {
        let remove = Act::Remove { path: "/n/old".to_owned() };
        assert_eq!(left(std::slice::from_ref(&remove)), [pair("/n/old", "old")]);
        assert_eq!(left(&[remove, sync("/n", 1)]), []);
    }
}
