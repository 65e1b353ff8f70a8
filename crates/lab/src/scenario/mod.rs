//! Scenarios as text: readable scripts of people and events with expected outcomes, played on real
//! processes. Documentation that can fail. The language is Gherkin, the vocabulary is closed
//! (decision 0024).

mod faults;
mod inquire;
mod outcomes;
mod page;
mod people;
mod phrase;
mod register;
mod script;
mod shipped;
mod stage;
mod vocabulary;
mod words;
mod words_of_outcomes;
mod world;

use std::path::{Path, PathBuf};

use crate::live::country::{binary, scratch};
use crate::live::{LiveError, clock};
pub use page::{page, steps};
pub use script::ScriptError;
use script::{Scene, Script};
pub use shipped::SHIPPED;
use stage::{Miss, Stage};
use vocabulary::Harm;
use world::World;
pub use world::WorldError;

/// Why nothing was played.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    #[error(transparent)]
    Script(#[from] ScriptError),
    #[error(transparent)]
    World(#[from] WorldError),
    #[error(transparent)]
    Live(#[from] LiveError),
    #[error("no scenario has {0:?} in its name; see --list")]
    NoneOfThatName(String),
}

/// Where scripts are played.
#[derive(Clone, Debug)]
pub enum Where {
    /// In a country raised for them, in this folder or one of the system's temporary ones.
    Own { dir: Option<PathBuf>, keep: bool },
    /// In a running installation marked as one for exercises. `changes`: its registers may change.
    Installation { dir: PathBuf, changes: bool },
}

/// What to play, and where.
#[derive(Clone, Debug)]
pub struct Options {
    pub jukinet: Option<PathBuf>,
    pub place: Where,
    pub seed: u64,
    /// Only scenarios whose name holds this.
    pub only: Option<String>,
    /// Names in scripts, and what they mean here.
    pub places: Vec<(String, String)>,
}

/// What became of one scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Passed,
    /// Something came of it that must not.
    Failed,
    /// The product does not have it, and the script says so.
    NotYet,
    /// The script says that the product does not have it, and everything held.
    TagIsOld,
    /// It reaches further into a country than may be done here.
    LeftOut,
}

impl Standing {
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::NotYet => "not yet",
            Self::TagIsOld => "tag is old",
            Self::LeftOut => "left out",
        }
    }

    /// Whether this is a finding.
    #[must_use]
    pub const fn is_finding(self) -> bool {
        matches!(self, Self::Failed | Self::TagIsOld)
    }
}

/// One step that was played.
#[derive(Clone, Debug)]
pub struct Played {
    pub line: usize,
    pub text: String,
    pub held: bool,
    /// What was seen, and on failure what was expected.
    pub seen: String,
    pub milliseconds: u128,
}

/// One scenario that was played, or left out.
#[derive(Clone, Debug)]
pub struct Told {
    pub file: String,
    pub feature: String,
    pub name: String,
    pub line: usize,
    pub standing: Standing,
    /// What the product lacks for it.
    pub open: Option<&'static str>,
    pub steps: Vec<Played>,
}

/// Feature files that were read.
#[derive(Clone, Debug)]
pub struct Scripts(Vec<Script>);

impl Scripts {
    /// Reads feature files: what they are called, and their text.
    ///
    /// # Errors
    /// The first that is none, with its line.
    pub fn parse(files: &[(String, String)]) -> Result<Self, ScriptError> {
        files
            .iter()
            .map(|(file, text)| Script::parse(file, text))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// File, line, scenario, how far it reaches, and what it lacks.
    pub fn list(&self) -> impl Iterator<Item = (&str, usize, &str, &str, Option<&str>)> {
        self.scenes().map(|(script, scene)| {
            let reach = scene.harm().words();
            (script.file.as_str(), scene.line, scene.name.as_str(), reach, scene.open)
        })
    }

    fn scenes(&self) -> impl Iterator<Item = (&Script, &Scene)> {
        self.0.iter().flat_map(|script| script.scenes.iter().map(move |scene| (script, scene)))
    }
}

/// Plays the scripts; `hear` is told each scenario as it ends.
///
/// # Errors
/// When there is no country to play in. What does not hold in a scenario is no error.
pub fn play(
    scripts: &Scripts,
    options: &Options,
    hear: &mut dyn FnMut(&Told),
) -> Result<Vec<Told>, ScenarioError> {
    let chosen = |name: &str| options.only.as_ref().is_none_or(|only| name.contains(only.as_str()));
    if let Some(only) = options.only.as_ref()
        && !scripts.scenes().any(|(_, scene)| chosen(&scene.name))
    {
        return Err(ScenarioError::NoneOfThatName(only.clone()));
    }
    let binary = binary(options.jukinet.as_deref())?;
    let mut world = open(&binary, options)?;
    world.rename(&options.places);
    let most = match options.place {
        Where::Own { .. } => Harm::Breaks,
        Where::Installation { changes: true, .. } => Harm::Changes,
        Where::Installation { changes: false, .. } => Harm::Looks,
    };
    let mut all = Vec::new();
    for (script, scene) in scripts.scenes().filter(|(_, scene)| chosen(&scene.name)) {
        let told = if scene.harm() > most {
            told(script, scene, Standing::LeftOut, Vec::new())
        } else {
            act(&mut world, script, scene)
        };
        hear(&told);
        all.push(told);
    }
    Ok(all)
}

fn open(binary: &Path, options: &Options) -> Result<World, WorldError> {
    match &options.place {
        Where::Own { dir, keep } => {
            let dir = dir.clone().unwrap_or_else(scratch);
            World::raise(binary, &dir, options.seed, *keep)
        }
        Where::Installation { dir, .. } => World::join(binary, dir, options.seed),
    }
}

fn told(script: &Script, scene: &Scene, standing: Standing, steps: Vec<Played>) -> Told {
    Told {
        file: script.file.clone(),
        feature: script.name.clone(),
        name: scene.name.clone(),
        line: scene.line,
        standing,
        open: scene.open,
        steps,
    }
}

/// Plays one scenario up to the first step that does not hold.
fn act(world: &mut World, script: &Script, scene: &Scene) -> Told {
    let mut stage = Stage::new(world);
    let mut steps = Vec::new();
    let mut miss = None;
    for line in &scene.lines {
        let begun = clock::monotonic();
        let done = (line.phrase.act)(&mut stage, &line.slots);
        let milliseconds = begun.elapsed().as_millis();
        let (number, text) = (line.number, format!("{} {}", line.keyword, line.text));
        let (held, seen) = match &done {
            Ok(seen) => (true, seen.clone()),
            Err(miss) => (false, words(miss)),
        };
        steps.push(Played { line: number, text, held, seen, milliseconds });
        if let Err(found) = done {
            miss = Some(found);
            break;
        }
    }
    // What was changed is put back whatever came of it: the next scenario has the same country.
    if let Err(left) = stage.put_back() {
        let (text, seen) = ("what was changed is put back".to_owned(), words(&left));
        steps.push(Played { line: scene.line, text, held: false, seen, milliseconds: 0 });
        miss = Some(left);
    }
    told(script, scene, standing(scene.open, miss.as_ref()), steps)
}

/// A tag excuses what is not there and what comes out otherwise, never a step that cannot be tried.
fn standing(open: Option<&str>, miss: Option<&Miss>) -> Standing {
    match (open, miss) {
        (None, None) => Standing::Passed,
        (Some(_), None) => Standing::TagIsOld,
        (Some(_), Some(Miss::Differs { .. } | Miss::NotThere(_))) => Standing::NotYet,
        (_, Some(_)) => Standing::Failed,
    }
}

fn words(miss: &Miss) -> String {
    match miss {
        Miss::Differs { expected, seen } => format!("expected: {expected}; seen: {seen}"),
        Miss::NotThere(what) => what.clone(),
        Miss::Broken(why) => format!("could not be tried: {why}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_excuses_what_is_missing_and_nothing_else() {
        let differs = Miss::differs("a refusal", "an answer");
        let absent = Miss::NotThere("no command".to_owned());
        let broken = Miss::Broken("no country".to_owned());
        let tagged = |miss| standing(Some("alarms"), miss);
        assert_eq!(tagged(Some(&differs)), Standing::NotYet);
        assert_eq!(tagged(Some(&absent)), Standing::NotYet);
        assert_eq!(tagged(Some(&broken)), Standing::Failed);
        assert_eq!(tagged(None), Standing::TagIsOld);
        for miss in [&differs, &absent, &broken] {
            assert_eq!(standing(None, Some(miss)), Standing::Failed);
        }
        assert!(standing(None, None) == Standing::Passed && !Standing::NotYet.is_finding());
        let said = words(&differs);
        assert!(said.contains("a refusal") && said.contains("an answer"), "{said}");
    }
}
