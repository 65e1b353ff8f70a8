//! The repository as the rules see it: paths with their texts. A rule never reads the disk, so that
//! a test can hand it three lines that break it.

use std::path::Path;
use std::process::Command;

use super::scan::{Scanned, scan};
use crate::Fault;

/// One file.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) path: String,
    /// Empty for what is not text.
    pub(crate) text: String,
    /// For `.rs` files.
    pub(crate) rust: Option<Scanned>,
}

impl File {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let rust = extension(path).eq("rs").then(|| scan(text));
        Self { path: path.to_owned(), text: text.to_owned(), rust }
    }

    /// The crate's folder name, for `crates/<name>/…`.
    pub(crate) fn krate(&self) -> Option<&str> {
        self.path.strip_prefix("crates/").and_then(|rest| rest.split('/').next())
    }

    /// Source that is compiled into the crate itself, neither test nor example nor build script.
    pub(crate) fn is_source(&self) -> bool {
        self.krate().is_some_and(|krate| self.path.starts_with(&format!("crates/{krate}/src/")))
            && self.rust.is_some()
    }

    pub(crate) fn extension(&self) -> &str {
        extension(&self.path)
    }

    /// The code of a source without its test modules; empty for other files.
    pub(crate) fn product_code(&self) -> String {
        match (&self.rust, self.is_source()) {
            (Some(rust), true) => super::scan::without_tests(&rust.code),
            _ => String::new(),
        }
    }
}

fn extension(path: &str) -> &str {
    path.rsplit('/').next().and_then(|name| name.rsplit_once('.')).map_or("", |(_, ext)| ext)
}

/// Every file of the repository.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    pub(crate) files: Vec<File>,
}

impl Tree {
    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        Self { files: files.iter().map(|(path, text)| File::new(path, text)).collect() }
    }

    /// What git knows or would add; a file deleted but not yet committed is not there.
    pub(crate) fn load(root: &Path) -> Result<Self, Fault> {
        let list = Command::new("git")
            .current_dir(root)
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .output()
            .map_err(|source| Fault::Start { command: "git ls-files".to_owned(), source })?;
        if !list.status.success() {
            return Err(Fault::Stage("git ls-files failed: run inside the repository".to_owned()));
        }
        let mut files = Vec::new();
        for path in String::from_utf8_lossy(&list.stdout).split('\0').filter(|p| !p.is_empty()) {
            if let Ok(bytes) = std::fs::read(root.join(path)) {
                files.push(File::new(path, &String::from_utf8(bytes).unwrap_or_default()));
            }
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        files.dedup_by(|a, b| a.path == b.path);
        Ok(Self { files })
    }

    pub(crate) fn rust(&self) -> impl Iterator<Item = (&File, &Scanned)> {
        self.files.iter().filter_map(|file| Some((file, file.rust.as_ref()?)))
    }

    pub(crate) fn find(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    /// A file or a folder of that path.
    pub(crate) fn has(&self, path: &str) -> bool {
        let folder = format!("{path}/");
        self.files.iter().any(|file| file.path == path || file.path.starts_with(&folder))
    }
}
