//! The file of rejected rows: row, column, rule, remedy and line, never a value. Written as the
//! answers come, in the order of the change file, so that it may be as long as that.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::feed::{Profile, RowFault};

const HEADER: [&str; 5] = ["row", "column", "rule", "remedy", "line"];
/// The first cells tell our own file from somebody else's; before, there was no column `line`.
const OURS: &[u8] = b"row,column,rule,remedy";

/// One rejected row.
#[derive(Clone, Debug)]
pub(super) struct Reject {
    pub(super) row: u32,
    pub(super) line: u64,
    pub(super) fault: RowFault,
}

/// The file, made when the first row is rejected.
pub(super) struct Rejects {
    path: PathBuf,
    profile: Profile,
    file: Option<File>,
    bytes: u64,
}

impl Rejects {
    /// Goes on behind `bytes` of the file of the run before, or removes what an older run left.
    pub(super) fn open(path: &Path, profile: Profile, bytes: u64) -> Result<Self, String> {
        let told = |what: std::io::Error| format!("{}: {what}", path.display());
        let mut rejects = Self { path: path.to_path_buf(), profile, file: None, bytes };
        if path.exists() {
            let mut start = Vec::new();
            let limit = u64::try_from(OURS.len()).unwrap_or(u64::MAX);
            File::open(path)
                .and_then(|file| file.take(limit).read_to_end(&mut start))
                .map_err(told)?;
            if !start.is_empty() && start != OURS {
                return Err(format!(
                    "{}: is no file of rejected rows; name another with --rejects",
                    path.display()
                ));
            }
        }
        if bytes > 0 {
            let mut file = OpenOptions::new().write(true).open(path).map_err(told)?;
            if file.metadata().map_err(told)?.len() < bytes {
                return Err(format!(
                    "{}: is shorter than it was; remove the .progress file to begin anew",
                    path.display()
                ));
            }
            file.set_len(bytes).map_err(told)?;
            file.seek(SeekFrom::End(0)).map_err(told)?;
            rejects.file = Some(file);
        } else if path.exists() {
            std::fs::remove_file(path).map_err(told)?;
        }
        Ok(rejects)
    }

    /// Append these, already in the order of the file; gives the length after them.
    pub(super) fn append(&mut self, rejected: &[Reject]) -> Result<u64, String> {
        if rejected.is_empty() {
            return Ok(self.bytes);
        }
        let mut text = String::new();
        if self.file.is_none() {
            self.row(&mut text, HEADER.map(str::to_owned))?;
        }
        for Reject { row, line, fault } in rejected {
            let RowFault { column, rule, remedy } = fault.clone();
            self.row(&mut text, [row.to_string(), column, rule, remedy, line.to_string()])?;
        }
        let bytes = self.profile.encode(&text).ok_or("a remedy is not in the profile")?;
        let told = |what: std::io::Error| format!("{}: {what}", self.path.display());
        let mut file = match self.file.take() {
            Some(file) => file,
            None => OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&self.path)
                .map_err(told)?,
        };
        file.write_all(&bytes).map_err(told)?;
        self.file = Some(file);
        self.bytes += u64::try_from(bytes.len()).unwrap_or(0);
        Ok(self.bytes)
    }

    fn row(&self, text: &mut String, cells: [String; 5]) -> Result<(), String> {
        let mut writer = csv::WriterBuilder::new()
            .terminator(csv::Terminator::Any(b'\n'))
            .from_writer(Vec::new());
        writer.write_record(&cells).map_err(|error| error.to_string())?;
        let bytes = writer.into_inner().map_err(|error| error.to_string())?;
        let line = String::from_utf8(bytes).map_err(|error| error.to_string())?;
        text.push_str(line.trim_end_matches('\n'));
        text.push_str(self.profile.line_end());
        Ok(())
    }
}
