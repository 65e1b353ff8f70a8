//! Every way in which a resident can move in a small world, walked through by a model checker: the
//! production machines on stores in memory, messages lost, doubled and out of order, power cuts,
//! and people who file in any order.
//!
//! Where the simulator of `swarm` tries some days of a larger country, this tries all of a day of a
//! small one. One resident; times of day do not matter, a day never ends.

pub mod fault;
mod node;
pub mod scene;
mod story;
mod table;
mod words;
mod world;

use std::time::Duration;

use stateright::report::{ReportData, ReportDiscovery, Reporter};
use stateright::{Checker, HasDiscoveries, Model};

use fault::Fault;
use scene::Scene;
pub use world::{Action, Moves, State};

/// How far and how hard to look.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub scene: Scene,
    /// Things that happen one after the other at most; `None`: until nothing new comes up.
    pub depth: Option<usize>,
    /// Power cuts and doubled messages on one way, at most.
    pub crashes: u8,
    pub doubles: u8,
    pub threads: usize,
    /// A fault planted on purpose; tests only.
    pub fault: Option<Fault>,
}

impl Options {
    /// A scene without faults of machines or network, of any depth.
    #[must_use]
    pub const fn of(scene: Scene) -> Self {
        Self { scene, depth: None, crashes: 0, doubles: 0, threads: 1, fault: None }
    }
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Report {
    /// Different worlds that were looked at.
    pub worlds: usize,
    /// Steps between them.
    pub steps: usize,
    pub depth: usize,
    /// States and steps of single machines that the worlds are made of.
    pub machine_states: usize,
    pub machine_steps: usize,
    /// A rule that does not hold, and the shortest way found to where it does not.
    pub found: Option<(&'static str, Vec<String>)>,
}

/// The simulator's own data is broken.
#[derive(Debug, thiserror::Error)]
#[error("the small world's fixed data is not as expected")]
pub struct ModelError;

/// Walk through every world of `options`; `progress` hears now and then how many there were.
///
/// # Errors
/// The model's own data is broken.
pub fn check(
    options: &Options,
    progress: &mut (dyn FnMut(usize, usize) + Send),
) -> Result<Report, ModelError> {
    let Options { scene, crashes, doubles, fault, .. } = *options;
    let moves = Moves::new(scene, crashes, doubles, fault).ok_or(ModelError)?;
    let mut builder = moves.checker().threads(options.threads).finish_when(HasDiscoveries::Any);
    if let Some(depth) = options.depth {
        // The checker counts worlds, the first one included.
        builder = builder.target_max_depth(depth.saturating_add(1));
    }
    let checker = builder.spawn_bfs().join_and_report(&mut Told(progress));
    let found = checker.discoveries().into_iter().min_by_key(|(name, _)| *name);
    let found = found.map(|(name, path)| (name, story::of(checker.model(), path)));
    let (machine_states, machine_steps) = checker.model().table_size();
    Ok(Report {
        worlds: checker.unique_state_count(),
        steps: checker.state_count(),
        depth: checker.max_depth(),
        machine_states,
        machine_steps,
        found,
    })
}

/// Passes the checker's progress on.
struct Told<'a>(&'a mut (dyn FnMut(usize, usize) + Send));

impl Reporter<Moves> for Told<'_> {
    fn report_checking(&mut self, data: ReportData) {
        (self.0)(data.unique_states, data.max_depth);
    }

    fn report_discoveries(
        &mut self,
        _: &Moves,
        _: std::collections::BTreeMap<&'static str, ReportDiscovery<Moves>>,
    ) {
    }

    fn delay(&self) -> Duration {
        Duration::from_millis(500)
    }
}
