//! The stages that call other programs: cargo's own, the browser, the simulator, the demo.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::shell::{Call, run};
use crate::{Fault, say};

pub(super) fn fmt(root: &Path) -> Result<String, Fault> {
    run(root, &["cargo", "fmt", "--all", "--check"])?;
    Ok("formatted".to_owned())
}

/// `--locked` here: a lock file that no longer fits fails early and by name.
pub(super) fn clippy(root: &Path) -> Result<String, Fault> {
    let words = ["cargo", "clippy", "--workspace", "--all-targets", "--locked", "--quiet"];
    run(root, &[&words[..], &["--", "-D", "warnings"]].concat())?;
    Ok("no objection".to_owned())
}

pub(super) fn tests(root: &Path) -> Result<String, Fault> {
    run(root, &["cargo", "test", "--workspace", "--locked", "--no-fail-fast"])?;
    Ok("every test passed".to_owned())
}

pub(super) fn doc(root: &Path) -> Result<String, Fault> {
    let words = &["cargo", "doc", "--workspace", "--no-deps", "--locked", "--quiet"];
    let variables = &[("RUSTDOCFLAGS", "-D warnings")];
    Call { words, variables, ..Call::default() }.run(root)?;
    Ok("documented".to_owned())
}

/// A browser that hangs is a failure, not a wait.
const BROWSER_LIMIT: Duration = Duration::from_secs(300);

pub(super) fn browser(root: &Path) -> Result<String, Fault> {
    const HOME: &str = "crates/desk/tests/browser";
    run(root, &["cargo", "build", "--quiet", "-p", "jukinet-desk", "--example", "gallery"])?;
    run(root, &["npm", "ci", "--prefix", HOME])?;
    let script = format!("{HOME}/run.mjs");
    let words = &["node", script.as_str()];
    Call { words, limit: Some(BROWSER_LIMIT), ..Call::default() }.run(root)?;
    Ok("every check of the pages held".to_owned())
}

/// How long new rounds of seeds are started, and how long one round may take.
const SWARM: Duration = Duration::from_secs(150);
const SWARM_ROUND_LIMIT: Duration = Duration::from_secs(300);
/// Fresh seeds in all, on a machine that is fast enough; of one round; and events of each. Small
/// worlds: most of what breaks breaks early, and many mixes of faults find more than long ones.
const SWARM_SEEDS: u64 = 700;
/// The first of them. Always the same ones while docs/swarm.md has open findings: about one fresh
/// seed in three hundred meets one of those, and a commit is not to blame for it.
const SWARM_FIRST: u64 = 1_795_395_833;
const SWARM_ROUND_SEEDS: u64 = 100;
const SWARM_STEPS: &str = "1500";

pub(super) fn swarm(root: &Path) -> Result<String, Fault> {
    run(root, &["cargo", "build", "--quiet", "-p", "jukinet-lab", "--bin", "jukilab"])?;
    let jukilab = ["target/debug/jukilab", "swarm", "--quiet"];
    let limit = Some(SWARM_ROUND_LIMIT);
    Call { words: &[&jukilab[..], &["--kept"]].concat(), limit, ..Call::default() }.run(root)?;
    let first = SWARM_FIRST;
    let (begun, mut next) = (Instant::now(), first);
    while begun.elapsed() < SWARM && next < first + SWARM_SEEDS {
        let seeds = format!("{next}..{}", next + SWARM_ROUND_SEEDS);
        let words = [&jukilab[..], &["--steps", SWARM_STEPS, "--seeds", &seeds]].concat();
        Call { words: &words, limit, ..Call::default() }.run(root)?;
        next += SWARM_ROUND_SEEDS;
    }
    say(&format!("   kept seeds, and seeds {first}..{next} of {SWARM_STEPS} events"));
    Ok(format!("kept seeds and {first}..{next}"))
}

/// A copy of the sources is built and some hundred worlds are run: twice what that takes on two
/// slow cores.
const PLANTED_LIMIT: Duration = Duration::from_secs(480);

pub(super) fn planted(root: &Path) -> Result<String, Fault> {
    run(root, &["cargo", "build", "--quiet", "-p", "jukinet-lab", "--bin", "jukilab"])?;
    let words = &["target/debug/jukilab", "swarm", "--planted", "--quick", "--quiet"];
    Call { words, limit: Some(PLANTED_LIMIT), ..Call::default() }.run(root)?;
    Ok("every fault that is found quickly was found".to_owned())
}

/// Seconds of kills at points of a day, and of looking for a planted fault that must be found.
const CRASH_SAMPLE: &str = "35";
const CRASH_PLANTED: &str = "20";
/// Acts of each tier's recorded day after which the power fails.
const CRASH_IMAGES: &str = "60";
/// Syncs that are taken for kept and are not, tier by tier.
const LIES: [(&str, &str); 3] = [
    ("municipality-132152", "register.sqlite-wal"),
    ("prefecture-13", "register.sqlite-wal"),
    ("center", "token.retention"),
];
const CRASH_LIMIT: Duration = Duration::from_secs(180);

pub(super) fn crash(root: &Path) -> Result<String, Fault> {
    let packages = ["-p", "jukinet", "-p", "jukinet-lab", "--bins"];
    run(root, &[&["cargo", "build", "--quiet"][..], &packages].concat())?;
    let limit = Some(CRASH_LIMIT);
    let words = &["target/debug/jukilab", "crash", "--sample", CRASH_SAMPLE];
    Call { words, limit, ..Call::default() }.run(root)?;
    let planted = ["--plant", "early-acknowledgement", "--victims", "municipality-132152"];
    let sample = ["target/debug/jukilab", "crash", "--sample", CRASH_PLANTED];
    Call { words: &[&sample[..], &planted].concat(), limit, ..Call::default() }.run(root)?;
    let images = ["target/debug/jukilab", "crash", "--images", "--most", CRASH_IMAGES];
    Call { words: &images, limit, ..Call::default() }.run(root)?;
    // Each tier, and each kind of file, must be able to fail.
    for (node, about) in LIES {
        let lying = ["--plant", "lying-sync", "--victims", node, "--lies-about", about];
        Call { words: &[&images[..], &lying].concat(), limit, ..Call::default() }.run(root)?;
    }
    Ok("nothing was lost or doubled, and the planted fault was found".to_owned())
}

/// Several times what each takes on two slow cores in a development build.
const SCALE_LIMIT: Duration = Duration::from_secs(420);

pub(super) fn scale(root: &Path) -> Result<String, Fault> {
    let packages = ["-p", "jukinet", "-p", "jukinet-lab", "--bins"];
    run(root, &[&["cargo", "build", "--quiet"][..], &packages].concat())?;
    let center = ["center", "--residents", "20000", "--sample", "40"];
    let nation = ["B9", "--scale", "1000", "--people", "3000", "--day-seconds", "12"];
    let planted = [&nation[..], &["--plant", "tier"]].concat();
    for words in [&center[..], &nation, &planted] {
        let words = &[&["target/debug/jukilab", "bench"][..], words].concat();
        Call { words, quiet: true, limit: Some(SCALE_LIMIT), ..Call::default() }.run(root)?;
    }
    Ok("a center and a small nation held, and the planted fault was found".to_owned())
}

/// Every script with every wait, on two slow cores in a development build.
const SCENARIOS_LIMIT: Duration = Duration::from_secs(420);

pub(super) fn scenarios(root: &Path) -> Result<String, Fault> {
    let packages = ["-p", "jukinet", "-p", "jukinet-lab", "--bins"];
    run(root, &[&["cargo", "build", "--quiet"][..], &packages].concat())?;
    let words = &["target/debug/jukilab", "scenario"];
    Call { words, limit: Some(SCENARIOS_LIMIT), ..Call::default() }.run(root)?;
    Ok("every script held, and what is not there yet is still missing".to_owned())
}

/// Twice what a country of 20,000 takes on two slow cores in a development build.
const DEMO_LIMIT: Duration = Duration::from_secs(420);

pub(super) fn demo(root: &Path) -> Result<String, Fault> {
    run(root, &["cargo", "build", "--quiet", "-p", "jukinet", "--bin", "jukinet"])?;
    let words = &["target/debug/jukinet", "demo", "--once", "--json"];
    Call { words, limit: Some(DEMO_LIMIT), ..Call::default() }.run(root)?;
    Ok("every check of the story held".to_owned())
}
