//! The scripts as a page for people: every feature with its story, every scenario with its steps,
//! and the vocabulary behind them. Written from the same files that are played.

use std::fmt::Write as _;

use super::Scripts;
use super::script::{OPEN, Scene, open_words};
use super::vocabulary::{self, Phrase};

const HEAD: &str = "\
<!-- Written by `jukilab scenario --write`; edit crates/lab/scenarios and write it again. -->

# Scenarios

Scripts of people and events with expected outcomes. Each one is played on real processes by
`jukilab scenario`, so what stands here is what the product does: a scenario that does not hold
fails. The incidents are told as public reports had them; names of parts are invented, and who
plays them is a synthetic resident drawn by a seed.

```
jukilab scenario                                     # all of them, in a country raised for it
jukilab scenario FILE… --only \"one byte\"             # some of them
jukilab scenario --steps                             # the vocabulary
jukilab scenario FILE… --installation DIR            # on a running exercise installation
```

Exit codes: 0 everything held, 1 nothing could be played, 2 a script is not one, 3 something did
not hold.

**On one's own installation.** `--installation DIR` plays the files against a running installation
laid out like the folder of `jukinet demo --dir DIR`. It is refused unless every ledger there has
an origin that begins with `jukinet.example/`, which no network in service has. Without more, only
scenarios that look are played: their inquiries leave entries in ledgers. With
`--exercise-that-changes-its-registers`, births and moves of invented residents are filed too and
processes stand still for moments. Scenarios that kill processes or touch files are played in a
country of their own only. `--place 国立市=municipality-202029` puts another place for a name.

**Not yet.** A scenario marked so states what must come of it although the product cannot do it.
It is played too, counted apart and never as passed; when it passes, the run fails until the mark
is taken away. Marks name what is missing:

";

/// The page of these scripts.
#[must_use]
pub fn page(scripts: &Scripts) -> String {
    let mut text = HEAD.to_owned();
    let used = |name: &str| scripts.scenes().any(|(_, scene)| scene.open == Some(name));
    for (name, words) in OPEN.iter().filter(|(name, _)| used(name)) {
        let _ = writeln!(text, "- `{name}`: {words}");
    }
    let open = scripts.scenes().filter(|(_, scene)| scene.open.is_some()).count();
    let all = scripts.scenes().count();
    let _ =
        writeln!(text, "\n{all} scenarios in {} files, {open} of them not yet.", scripts.0.len());
    for script in &scripts.0 {
        let file = script.file.rsplit('/').next().unwrap_or_default();
        let _ = writeln!(text, "\n## {}\n\n`{file}`", script.name);
        for paragraph in &script.description {
            let _ = writeln!(text, "\n{paragraph}");
        }
        for scene in &script.scenes {
            write_scene(&mut text, scene);
        }
    }
    text.push_str("\n## The vocabulary\n\n");
    text.push_str(
        "What stands in braces is a slot. Parts are written in quotes, 「」 in Japanese.\n",
    );
    let mut part = "";
    for phrase in vocabulary::all() {
        if phrase.part != part {
            part = phrase.part;
            let _ = writeln!(text, "\n### Steps: {part}\n");
        }
        let Phrase { english, japanese, says, harm, .. } = phrase;
        let _ = writeln!(text, "- `{english}`<br>`{japanese}`<br>{says} ({})", harm.words());
    }
    text
}

fn write_scene(text: &mut String, scene: &Scene) {
    let _ = writeln!(text, "\n### {}\n", scene.name);
    for paragraph in &scene.description {
        let _ = writeln!(text, "{paragraph}\n");
    }
    if let Some(open) = scene.open {
        let _ = writeln!(text, "**Not yet** (`{open}`): {}.\n", open_words(open));
    }
    for line in &scene.lines {
        let _ = writeln!(text, "- *{}* {}", line.keyword, line.text);
    }
}

/// The vocabulary for a terminal.
#[must_use]
pub fn steps() -> String {
    let mut text = String::new();
    let mut part = "";
    for Phrase { part: of, english, japanese, says, harm, .. } in vocabulary::all() {
        if *of != part {
            part = of;
            let _ = writeln!(text, "{}{part}", if text.is_empty() { "" } else { "\n" });
        }
        let _ = writeln!(text, "  {english}\n  {japanese}\n      {says} ({})", harm.words());
    }
    text
}
