//! Size of the two binaries, and, only when asked for, how long a build from nothing takes.

use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::{Value, json};

use super::BenchError;
use crate::live::country::{binary, scratch};
use crate::live::{LiveError, builder, clock, files};

/// Sizes; with `cold`, the time of `cargo build --release` into an empty folder.
pub(crate) fn run(
    jukinet: Option<&Path>,
    cold: bool,
    say: &dyn Fn(&str),
) -> Result<Value, BenchError> {
    let shipped = binary(jukinet)?;
    let own = std::env::current_exe().map_err(LiveError::file(Path::new("jukilab")))?;
    let mut sizes = serde_json::Map::new();
    for path in [shipped, own] {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        sizes.insert(name, json!(files::size(&path)));
    }
    let cold = if cold { Some(cold_build(say)?) } else { None };
    Ok(json!({"binary_bytes": sizes, "cold_build": cold}))
}

fn cold_build(say: &dyn Fn(&str)) -> Result<Value, BenchError> {
    let target: PathBuf = scratch();
    say("building from nothing; this takes minutes and every core …");
    let start: Instant = clock::monotonic();
    let built = builder::release(&target);
    let seconds = start.elapsed().as_secs_f64().round();
    let sizes = ["jukinet", "jukilab"].map(|name| files::size(&target.join("release").join(name)));
    files::remove_folder(&target);
    built.map_err(BenchError::Build)?;
    Ok(json!({
        "command": builder::COMMAND,
        "seconds": seconds,
        "jukinet_bytes": sizes[0],
        "jukilab_bytes": sizes[1],
    }))
}
