//! `jukinet ROLE serve`: one role, one process.

use std::path::Path;

use wire::Role;

use crate::talk::{Exit, Talk};

/// Serves `role` with this configuration until SIGTERM.
pub fn run(_role: Role, _config: &Path, talk: Talk) -> Exit {
    talk.fail("serve is not built yet");
    Exit::Failed
}
