//! Size of the two binaries, and, only when asked for, how long a build from nothing takes.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::BenchError;
use super::harness::Subject;
use super::record::{Measured, Party};
use crate::live::country::{binary, scratch};
use crate::live::{LiveError, builder, clock, files};

pub(crate) const SUBJECT: Subject = Subject {
    id: "build",
    title: "Binaries and their build",
    question: "How large are the two binaries, and how long does a build from nothing take?",
};

/// Sizes; with `cold`, the time of `cargo build --release` into an empty folder.
pub(crate) fn run(
    jukinet: Option<&Path>,
    cold: bool,
    say: &dyn Fn(&str),
) -> Result<Measured, BenchError> {
    let mut ours = Party::named("jukinet");
    let shipped = binary(jukinet)?;
    let own = std::env::current_exe().map_err(LiveError::file(Path::new("jukilab")))?;
    sizes(&mut ours, "", &[shipped, own]);
    if cold {
        cold_build(&mut ours, say)?;
    }
    Ok(Measured { ours, ..Measured::default() })
}

#[allow(clippy::cast_precision_loss, reason = "bytes of a binary")]
fn sizes(ours: &mut Party, built: &str, paths: &[PathBuf]) {
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if let Some(bytes) = files::size(path) {
            let label = format!("size of {name}{built}");
            ours.figure(&format!("{name}_mb{built}"), &label, bytes as f64 / 1e6, "MB");
        }
    }
}

fn cold_build(ours: &mut Party, say: &dyn Fn(&str)) -> Result<(), BenchError> {
    let target: PathBuf = scratch();
    say("building from nothing; this takes minutes and every core …");
    let start: Instant = clock::monotonic();
    let built = builder::release(&target);
    let seconds = start.elapsed().as_secs_f64().round();
    let binaries = ["jukinet", "jukilab"].map(|name| target.join("release").join(name));
    sizes(ours, " (from nothing)", &binaries);
    files::remove_folder(&target);
    built.map_err(BenchError::Build)?;
    let label = format!("{}, from nothing", builder::COMMAND);
    ours.figure("cold_build_seconds", &label, seconds, "s");
    Ok(())
}
