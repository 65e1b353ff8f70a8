//! What a traced process did to its files, in order, read from a tracer's record. Pure; nothing is
//! guessed: a call on a file of the node that is not modelled here is an error.
//!
//! The record is one line a call with every string in hex (`strace -f -y -xx -ttt -o`): thread,
//! seconds, call, result. A call during which another thread spoke stands in two lines.

use std::collections::BTreeMap;

/// Calls that change files, and those that say where a plain write goes.
pub(crate) const FILE_CALLS: &[&str] = &[
    "openat",
    "open",
    "creat",
    "lseek",
    "write",
    "writev",
    "pwrite64",
    "pwritev",
    "pwritev2",
    "fsync",
    "fdatasync",
    "sync_file_range",
    "msync",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "rmdir",
    "mkdir",
    "mkdirat",
    "link",
    "linkat",
    "symlink",
    "symlinkat",
    "truncate",
    "ftruncate",
    "fallocate",
    "copy_file_range",
    "sendfile",
    "splice",
    "read",
    "readv",
    "mmap",
    "openat2",
    "dup",
    "dup2",
    "dup3",
    "io_uring_setup",
];

/// Calls that carry bytes to another process.
const SEND_CALLS: &[&str] = &["write", "writev", "sendto", "sendmsg"];

/// One thing that was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// A file was opened that may not have been there.
    Create {
        path: String,
        empty: bool,
    },
    Write {
        path: String,
        at: u64,
        data: Vec<u8>,
    },
    Truncate {
        path: String,
        length: u64,
    },
    /// A file or a folder; it covers what was done before the act of this number.
    Sync {
        path: String,
        covers: usize,
    },
    Rename {
        from: String,
        to: String,
    },
    Remove {
        path: String,
    },
    /// A folder was made.
    Folder {
        path: String,
    },
    /// Bytes went to another process.
    Send,
}

/// An act, and when it was over, in microseconds since the Unix epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Done {
    pub(crate) at_us: u64,
    pub(crate) act: Act,
}

/// What cannot be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RecordError {
    #[error("line {line} of the record: {call} on a file of the node is not modelled")]
    NotModelled { line: usize, call: String },
    #[error("line {line} of the record does not read")]
    Malformed { line: usize },
}

/// A call that another thread's line interrupted.
struct Begun<'t> {
    head: &'t str,
    covers: usize,
}

/// The acts of a record on files below `root`, and the sends between them.
pub(crate) fn read(text: &str, root: &str) -> Result<Vec<Done>, RecordError> {
    let mut reader = Reader { root, positions: BTreeMap::new(), done: Vec::new() };
    let mut begun: BTreeMap<&str, Begun<'_>> = BTreeMap::new();
    for (number, line) in (1..).zip(text.lines()) {
        let malformed = || RecordError::Malformed { line: number };
        let (thread, rest) = line.split_once(' ').ok_or_else(malformed)?;
        let (seconds, rest) = rest.trim_start().split_once(' ').ok_or_else(malformed)?;
        if rest.starts_with("+++") || rest.starts_with("---") {
            continue;
        }
        let at_us = micros(seconds).ok_or_else(malformed)?;
        if let Some(head) = rest.strip_suffix("<unfinished ...>") {
            begun.insert(thread, Begun { head: head.trim_end(), covers: reader.done.len() });
            continue;
        }
        let (whole, covers) = match rest.strip_prefix("<... ") {
            None => (rest.to_owned(), reader.done.len()),
            Some(resumed) => {
                let (_, tail) = resumed.split_once(" resumed>").ok_or_else(malformed)?;
                let before = begun.remove(thread).ok_or_else(malformed)?;
                (format!("{}{tail}", before.head), before.covers)
            }
        };
        let (call, result) = whole.rsplit_once(") = ").unwrap_or((whole.as_str(), "?"));
        let (name, words) = call.split_once('(').ok_or_else(malformed)?;
        // What ended in an error did nothing. A process that dies in a call leaves `?`: it may have
        // begun to write.
        if result.trim_start().starts_with('-') {
            continue;
        }
        let call = Call { name, words: split(words), result: result.trim(), covers };
        reader.take(&call, at_us).map_err(|fault| match fault {
            Fault::NotModelled => RecordError::NotModelled { line: number, call: name.to_owned() },
            Fault::Malformed => malformed(),
        })?;
    }
    Ok(reader.done)
}

enum Fault {
    NotModelled,
    Malformed,
}

struct Call<'t> {
    name: &'t str,
    words: Vec<&'t str>,
    result: &'t str,
    covers: usize,
}

impl<'t> Call<'t> {
    fn word(&self, nth: usize) -> Result<&'t str, Fault> {
        self.words.get(nth).copied().ok_or(Fault::Malformed)
    }

    fn number(&self, nth: usize) -> Result<u64, Fault> {
        self.word(nth)?.parse().map_err(|_| Fault::Malformed)
    }

    /// Bytes taken: all of them when the process died in the call.
    fn taken(&self, of: usize) -> usize {
        self.result.parse().unwrap_or(of)
    }

    fn has_result(&self) -> bool {
        !self.result.starts_with('?')
    }
}

struct Reader<'r> {
    root: &'r str,
    /// Where the next plain write of each descriptor goes.
    positions: BTreeMap<u64, u64>,
    done: Vec<Done>,
}

impl Reader<'_> {
    fn take(&mut self, call: &Call<'_>, at_us: u64) -> Result<(), Fault> {
        let act = match call.name {
            "openat" => self.opened(call, 1)?,
            "open" => self.opened(call, 0)?,
            "lseek" => self.moved(call)?,
            "write" | "writev" => self.written(call)?,
            "pwrite64" => self.put(call)?,
            "fsync" | "fdatasync" => self
                .ours(call, 0)?
                .filter(|_| call.has_result())
                .map(|path| Act::Sync { path, covers: call.covers }),
            "ftruncate" => match self.ours(call, 0)? {
                Some(path) => Some(Act::Truncate { path, length: call.number(1)? }),
                None => None,
            },
            "rename" => self.renamed(call, 0, 1)?,
            "renameat" | "renameat2" => self.renamed(call, 1, 3)?,
            "unlink" => self.named(call, 0)?.map(|path| Act::Remove { path }),
            "unlinkat" if call.words.last() == Some(&"0") => {
                self.named(call, 1)?.map(|path| Act::Remove { path })
            }
            "mkdir" => self.named(call, 0)?.map(|path| Act::Folder { path }),
            "mkdirat" => self.named(call, 1)?.map(|path| Act::Folder { path }),
            "read" | "readv" => self.passed(call)?,
            "mmap" => self.mapped(call)?,
            "io_uring_setup" => return Err(Fault::NotModelled),
            "sendto" | "sendmsg" => Some(Act::Send),
            _ => self.other(call)?,
        };
        self.done.extend(act.map(|act| Done { at_us, act }));
        Ok(())
    }

    /// Anything else must not touch a file of the node.
    fn other(&self, call: &Call<'_>) -> Result<Option<Act>, Fault> {
        for word in &call.words {
            let path = file_of(word).or_else(|| hex(word).and_then(|b| String::from_utf8(b).ok()));
            if path.is_some_and(|path| self.is_ours(&path)) {
                return Err(Fault::NotModelled);
            }
        }
        Ok(None)
    }

    /// Below the root, and not what the node says there (its log is no promise).
    fn is_ours(&self, path: &str) -> bool {
        let Some(rest) = path.strip_prefix(self.root) else { return false };
        // A file that has no name any more is on no disk after a cut.
        let named = rest != "/log" && !rest.ends_with(" (deleted)");
        rest.is_empty() || (rest.starts_with('/') && named)
    }

    /// The file behind a descriptor, when it lies below the root.
    fn ours(&self, call: &Call<'_>, nth: usize) -> Result<Option<String>, Fault> {
        Ok(file_of(call.word(nth)?).filter(|path| self.is_ours(path)))
    }

    /// A path given by name, when it lies below the root.
    fn named(&self, call: &Call<'_>, nth: usize) -> Result<Option<String>, Fault> {
        let bytes = hex(call.word(nth)?).ok_or(Fault::Malformed)?;
        let path = String::from_utf8(bytes).map_err(|_| Fault::Malformed)?;
        Ok(Some(path).filter(|path| self.is_ours(path)))
    }

    fn opened(&mut self, call: &Call<'_>, nth: usize) -> Result<Option<Act>, Fault> {
        let flags = call.word(nth + 1)?;
        let Some(path) = self.named(call, nth)? else { return Ok(None) };
        if let Some(descriptor) = descriptor_of(call.result) {
            self.positions.insert(descriptor, 0);
        }
        let has = |flag: &str| flags.split('|').any(|word| word == flag);
        if has("O_APPEND") {
            return Err(Fault::NotModelled);
        }
        let empty = has("O_TRUNC");
        Ok((has("O_CREAT") || empty).then_some(Act::Create { path, empty }))
    }

    fn moved(&mut self, call: &Call<'_>) -> Result<Option<Act>, Fault> {
        if self.ours(call, 0)?.is_some() {
            let descriptor = descriptor_of(call.word(0)?).ok_or(Fault::Malformed)?;
            let to = call.result.parse().map_err(|_| Fault::Malformed)?;
            self.positions.insert(descriptor, to);
        }
        Ok(None)
    }

    /// A plain read goes on from where the last one ended.
    fn passed(&mut self, call: &Call<'_>) -> Result<Option<Act>, Fault> {
        if self.ours(call, 0)?.is_some() {
            let descriptor = descriptor_of(call.word(0)?).ok_or(Fault::Malformed)?;
            let read: u64 = call.result.parse().map_err(|_| Fault::Malformed)?;
            *self.positions.entry(descriptor).or_insert(0) += read;
        }
        Ok(None)
    }

    /// Memory that is written to a file behind every call's back would be seen nowhere. The index
    /// of the database's log is such memory; it is made anew at each start.
    fn mapped(&self, call: &Call<'_>) -> Result<Option<Act>, Fault> {
        let (protection, flags) = (call.word(2)?, call.word(3)?);
        let path = call.words.get(4).copied().and_then(file_of);
        let shared = flags.contains("MAP_SHARED") && protection.contains("PROT_WRITE");
        match path.filter(|path| shared && self.is_ours(path) && !path.ends_with("-shm")) {
            Some(_) => Err(Fault::NotModelled),
            None => Ok(None),
        }
    }

    fn written(&mut self, call: &Call<'_>) -> Result<Option<Act>, Fault> {
        let Some(path) = self.ours(call, 0)? else {
            let file = file_of(call.word(0)?).unwrap_or_default();
            let sends = SEND_CALLS.contains(&call.name) && file.starts_with("socket:");
            return Ok(sends.then_some(Act::Send));
        };
        let descriptor = descriptor_of(call.word(0)?).ok_or(Fault::Malformed)?;
        let mut data = match call.name {
            "write" => hex(call.word(1)?).ok_or(Fault::Malformed)?,
            _ => gathered(call.word(1)?).ok_or(Fault::Malformed)?,
        };
        data.truncate(call.taken(data.len()));
        let at = self.positions.get(&descriptor).copied().ok_or(Fault::NotModelled)?;
        self.positions.insert(descriptor, at + data.len() as u64);
        Ok(Some(Act::Write { path, at, data }))
    }

    fn put(&self, call: &Call<'_>) -> Result<Option<Act>, Fault> {
        let Some(path) = self.ours(call, 0)? else { return Ok(None) };
        let mut data = hex(call.word(1)?).ok_or(Fault::Malformed)?;
        data.truncate(call.taken(data.len()));
        Ok(Some(Act::Write { path, at: call.number(3)?, data }))
    }

    fn renamed(&self, call: &Call<'_>, from: usize, to: usize) -> Result<Option<Act>, Fault> {
        match (self.named(call, from)?, self.named(call, to)?) {
            (Some(from), Some(to)) => Ok(Some(Act::Rename { from, to })),
            (None, None) => Ok(None),
            _ => Err(Fault::NotModelled),
        }
    }
}

/// Seconds with six decimals.
fn micros(seconds: &str) -> Option<u64> {
    let (whole, part) = seconds.split_once('.')?;
    let whole: u64 = whole.parse().ok()?;
    let part: u64 = part.parse().ok().filter(|_| part.len() == 6)?;
    Some(whole * 1_000_000 + part)
}

/// The arguments of a call; what stands in brackets is one.
fn split(words: &str) -> Vec<&str> {
    let (mut found, mut depth, mut from) = (Vec::new(), 0_u32, 0);
    for (at, letter) in words.char_indices() {
        match letter {
            '[' | '{' => depth += 1,
            ']' | '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                found.extend(words.get(from..at).map(str::trim));
                from = at + 1;
            }
            _ => {}
        }
    }
    found.extend(words.get(from..).map(str::trim));
    found
}

/// `7<\x2f…>`: the number.
fn descriptor_of(word: &str) -> Option<u64> {
    word.split('<').next()?.parse().ok()
}

/// `7<\x2f…>`: the path.
fn file_of(word: &str) -> Option<String> {
    let (number, path) = word.strip_suffix('>')?.split_once('<')?;
    number.parse::<u64>().ok()?;
    String::from_utf8(unhex(path)?).ok()
}

/// `"\x2f…"`: the bytes. A string that was cut short (`"…"...`) is none.
fn hex(word: &str) -> Option<Vec<u8>> {
    unhex(word.strip_prefix('"')?.strip_suffix('"')?)
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4);
    let mut rest = text.as_bytes();
    while let Some((head, tail)) = rest.split_at_checked(4) {
        let digits = std::str::from_utf8(head).ok()?.strip_prefix("\\x")?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = tail;
    }
    rest.is_empty().then_some(bytes)
}

/// `[{iov_base="\x…", iov_len=1}, …]`: the bytes of all.
fn gathered(word: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for piece in split(word.strip_prefix('[')?.strip_suffix(']')?) {
        let base = piece.strip_prefix("{iov_base=")?.split(", ").next()?;
        bytes.extend(hex(base)?);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hexed(text: &str) -> String {
        text.bytes().map(|byte| format!("\\x{byte:02x}")).collect()
    }

    fn acts(lines: &[String]) -> Result<Vec<Act>, RecordError> {
        Ok(read(&lines.join("\n"), "/n")?.into_iter().map(|done| done.act).collect())
    }

    fn fd(number: u64, path: &str) -> String {
        format!("{number}<{}>", hexed(path))
    }

    #[test]
    fn a_record_reads_as_what_was_done() {
        let (a, b) = (hexed("/n/a"), hexed("/n/b"));
        let lines = [
            format!(
                "7 1.000001 openat(AT_FDCWD<{b}>, \"{a}\", O_RDWR|O_CREAT, 0644) = {}",
                fd(3, "/n/a")
            ),
            format!("7 1.000002 write({}, \"{}\", 5) = 5", fd(3, "/n/a"), hexed("hello")),
            format!("7 1.000003 write({}, \"{}\", 2) = 1", fd(3, "/n/a"), hexed("xy")),
            format!("7 1.000004 pwrite64({}, \"{}\", 2, 40) = 2", fd(3, "/n/a"), hexed("zz")),
            format!("7 1.000005 fdatasync({} <unfinished ...>", fd(3, "/n/a")),
            format!("9 1.000006 ftruncate({}, 4) = 0", fd(3, "/n/a")),
            "7 1.000007 <... fdatasync resumed>) = 0".to_owned(),
            format!("7 1.000008 rename(\"{a}\", \"{b}\") = 0"),
            format!("7 1.000009 unlink(\"{b}\") = -1 ENOENT (No such file)"),
            format!("9 1.000010 sendto({}, \"\", 0) = 0", fd(8, "socket:[5]")),
            format!("9 1.000011 write({}, \"{}\", 1) = 1", fd(1, "/elsewhere"), hexed("o")),
            "9 1.000012 +++ killed by SIGKILL +++".to_owned(),
        ];
        let path = || "/n/a".to_owned();
        let expected = [
            Act::Create { path: path(), empty: false },
            Act::Write { path: path(), at: 0, data: b"hello".to_vec() },
            Act::Write { path: path(), at: 5, data: b"x".to_vec() },
            Act::Write { path: path(), at: 40, data: b"zz".to_vec() },
            Act::Truncate { path: path(), length: 4 },
            // It was entered before the truncation was over, and does not cover it.
            Act::Sync { path: path(), covers: 4 },
            Act::Rename { from: path(), to: "/n/b".to_owned() },
            Act::Send,
        ];
        assert_eq!(acts(&lines).unwrap(), expected);
        assert_eq!(read(&lines.join("\n"), "/n").unwrap()[0].at_us, 1_000_001);
    }

    #[test]
    fn a_call_that_did_not_return_may_have_written_and_has_synced_nothing() {
        let open =
            format!("7 1.000001 openat(3, \"{}\", O_RDWR) = {}", hexed("/n/a"), fd(3, "/n/a"));
        let lines = [
            open,
            format!("7 1.000002 write({}, \"{}\", 2) = ?", fd(3, "/n/a"), hexed("ab")),
            format!("7 1.000003 fsync({}) = ?", fd(3, "/n/a")),
        ];
        let expected = [Act::Write { path: "/n/a".to_owned(), at: 0, data: b"ab".to_vec() }];
        assert_eq!(acts(&lines).unwrap(), expected);
    }

    #[test]
    fn what_is_not_modelled_is_said() {
        let fault = |line: String| acts(&[line]).unwrap_err();
        let allocate = format!("7 1.000001 fallocate({}, 0, 0, 9) = 0", fd(3, "/n/a"));
        assert!(matches!(fault(allocate), RecordError::NotModelled { line: 1, .. }));
        let append = format!("7 1.000001 openat(3, \"{}\", O_WRONLY|O_APPEND) = 4", hexed("/n/a"));
        assert!(matches!(fault(append), RecordError::NotModelled { .. }));
        let cut = format!("7 1.000001 write({}, \"{}\"..., 9) = 9", fd(3, "/n/a"), hexed("a"));
        assert!(matches!(fault(cut), RecordError::Malformed { .. }));
    }
}
