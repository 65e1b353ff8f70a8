//! A record as people read it, and docs/performance.md: every record of one machine with its plots,
//! verdicts and notes. Pure: text from records, the same records give the same bytes.

use serde_json::Value;

use super::published;
use super::record::{
    Better, Cpu, Figure, Gate, GateKind, Latency, Origin, Party, Phase, Record, Verdict,
};

/// Everything that the page is written from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources {
    pub(crate) records: Vec<Stored>,
    /// Notes written by hand, by the name of their file without its ending.
    pub(crate) notes: Vec<(String, String)>,
}

/// A record with the name of its file, without its ending.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) name: String,
    pub(crate) record: Record,
    /// Plots beside it: what they show, and their file.
    pub(crate) plots: Vec<(String, String)>,
}

const HEAD: &str = "# Performance

Written by `jukilab bench report` from the records in [docs/performance](performance/); do not
edit it. Where there is a peer, it ran in the same run on the same machine, in pairs in the order
A B B A; a ratio is the median of the pairs, with the smallest and the largest beside it, and says
how many times better ours is. CPU seconds hold user and system time, the client apart. Latencies of
the open loop count from the moment an operation was due. A run whose calibrations before and after
differ by more than 20 % does not count: its figures are shown, and nothing timed gets a verdict.
One wrong answer makes a run void, and it leaves no record.
";

/// The whole page; the records come in the order of their names.
pub(crate) fn page(sources: &Sources) -> Result<String, String> {
    let mut machines: Vec<&str> =
        sources.records.iter().map(|stored| stored.record.machine.name.as_str()).collect();
    machines.sort_unstable();
    machines.dedup();
    let [_] = machines.as_slice() else {
        return Err(format!(
            "the records are of {} machines ({}): keep those of one machine in the folder",
            machines.len(),
            machines.join(", ")
        ));
    };
    let mut page = HEAD.to_owned();
    page.push_str(&machine(sources));
    page.push_str(&overview(sources));
    let mut used = Vec::new();
    for stored in &sources.records {
        page.push_str(&section(&stored.record));
        for (what, file) in &stored.plots {
            page.push_str(&format!("\n![{what}](performance/{file})\n"));
        }
        let id = stored.record.id.as_str();
        let last = sources.records.iter().rfind(|other| other.record.id == id);
        let is_last = last.is_some_and(|last| last.name == stored.name);
        if is_last && let Some((name, note)) = sources.notes.iter().find(|(name, _)| name == id) {
            page.push_str(&format!("\n{}\n", note.trim()));
            used.push(name.clone());
        }
    }
    page.push_str(&published::section());
    for (_, note) in sources.notes.iter().filter(|(name, _)| !used.contains(name)) {
        page.push_str(&format!("\n{}\n", note.trim()));
    }
    Ok(page)
}

fn machine(sources: &Sources) -> String {
    let Some(stored) = sources.records.iter().find(|it| it.record.machine.cpu.is_some()) else {
        return String::new();
    };
    let machine = &stored.record.machine;
    let memory = machine.memory_mib.map_or_else(String::new, |mib| format!(", {mib} MiB"));
    let files = machine.file_system.as_deref().unwrap_or("unknown file system");
    format!(
        "\nMachine `{}`: {} cores of {}{memory}, Linux {}, {files}. Client, our processes and the \
         peer's share them.\n",
        machine.name,
        machine.cores,
        machine.cpu.as_deref().unwrap_or("an unknown processor"),
        machine.kernel,
    )
}

fn overview(sources: &Sources) -> String {
    let rows = sources.records.iter().map(|stored| {
        let record = &stored.record;
        let ratio = record.ratio.as_ref().map_or_else(
            || "no peer".to_owned(),
            |ratio| format!("{}: {}", ratio.what, spread(ratio.median, ratio.min, ratio.max)),
        );
        let gates: Vec<String> = record
            .gates
            .iter()
            .filter(|gate| gate.kind == GateKind::Floor)
            .map(|gate| format!("{}: {}", bound(gate), verdict(gate.verdict)))
            .collect();
        let counts = if record.counts.yes { "yes" } else { "no" };
        vec![
            format!("[{}](#{})", record.id, anchor(&heading(record))),
            record.date.clone(),
            ratio,
            if gates.is_empty() { "none set".to_owned() } else { gates.join("; ") },
            counts.to_owned(),
        ]
    });
    let columns = ["bench", "date", "ratio, median (smallest–largest)", "floors", "counts"];
    format!("\n{}", table(&columns, rows))
}

/// How GitHub names a heading's anchor.
fn anchor(heading: &str) -> String {
    let kept = heading
        .chars()
        .filter(|letter| letter.is_alphanumeric() || [' ', '-', '_'].contains(letter));
    kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect::<String>().to_lowercase()
}

fn heading(record: &Record) -> String {
    let hand = if record.origin == Origin::ByHand { ", written down by hand" } else { "" };
    format!("{}: {}, {}{hand}", record.id, record.title, record.date)
}

/// One record.
pub(crate) fn section(record: &Record) -> String {
    let mut text = format!("\n## {}\n\n{}\n", heading(record), record.question);
    text.push_str(&provenance(record));
    let rows = figures(&record.ours, record.peer.as_ref());
    if !rows.is_empty() {
        let peer = record.peer.as_ref().map_or("", |peer| peer.name.as_str());
        let columns = ["", record.ours.name.as_str(), peer, "unit"];
        text.push_str(&format!("\n{}", compact(&columns, rows)));
    }
    if let Some(peer) = &record.peer {
        text.push_str(&party(peer));
    }
    if let Some(ratio) = &record.ratio {
        let rows = ratio.all.iter().map(|ratio| {
            let pairs: Vec<String> = ratio.pairs.iter().map(|pair| number(pair.ratio)).collect();
            let spread = spread(ratio.median, ratio.min, ratio.max);
            vec![ratio.label.clone(), spread, pairs.join(", ")]
        });
        text.push('\n');
        text.push_str(&table(&["ours against the peer", "median", "pair by pair"], rows));
    }
    text.push_str(&phases(record));
    if !record.gates.is_empty() {
        let rows = record.gates.iter().map(|gate| {
            let value = gate.value.map_or_else(|| "–".to_owned(), number);
            vec![kind(gate.kind), bound(gate), value, verdict(gate.verdict).to_owned()]
        });
        text.push('\n');
        text.push_str(&table(&["gate", "bound", "measured", "verdict"], rows));
    }
    for more in &record.tables {
        let columns: Vec<&str> = more.columns.iter().map(String::as_str).collect();
        let rows = more.rows.iter().map(|row| row.iter().map(cell).collect());
        text.push_str(&format!("\n**{}**\n\n{}", more.title, table(&columns, rows)));
    }
    if !record.oracle.what.is_empty() {
        text.push_str(&format!(
            "\nCompared: {} ({}); wrong: {}.\n",
            grouped(record.oracle.compared),
            record.oracle.what,
            record.oracle_errors
        ));
    }
    if !record.left_out.is_empty() {
        text.push_str(&format!("\nNot in this bench: {}.\n", record.left_out.join("; ")));
    }
    text
}

fn provenance(record: &Record) -> String {
    let commit = record.commit.as_deref().unwrap_or("unknown");
    let mut text = format!("\n```\n{}\n```\n", record.command);
    text.push_str(&format!("\nCommit `{commit}`"));
    for condition in &record.conditions {
        text.push_str(&format!(" · {}: {}", condition.name, condition.value));
    }
    text.push_str(".\n");
    if let Some(noise) = &record.calibration {
        let reruns = match noise.reruns {
            0 => String::new(),
            count => format!(", after {count} more runs"),
        };
        text.push_str(&format!(
            "\nLoad average at the start {}; drift of the calibration {:.0} % ({}){reruns}.\n",
            record.machine.load_average,
            noise.drift * 100.0,
            noise.drift_in
        ));
    }
    if let Some(because) = &record.counts.because {
        text.push_str(&format!("\n**Does not count:** {because}.\n"));
    }
    text
}

fn party(peer: &Party) -> String {
    let mut text = String::from("\nPeer: ");
    text.push_str(peer.version.as_deref().unwrap_or(&peer.name));
    if let Some(lacks) = &peer.lacks {
        text.push_str(&format!("; it does without {lacks}"));
    }
    if let Some(configuration) = &peer.configuration {
        text.push_str(&format!("; configured by `{configuration}`"));
    }
    text.push_str(".\n");
    text
}

/// Figures of both sides, joined by their id; those that only the peer has come last.
fn figures(ours: &Party, peer: Option<&Party>) -> Vec<Vec<String>> {
    let theirs: &[Figure] = peer.map_or(&[], |peer| &peer.figures);
    let value = |figures: &[Figure], id: &str| {
        let found = figures.iter().find(|figure| figure.id == id);
        found.map_or_else(String::new, |figure| number(figure.value))
    };
    let only = theirs.iter().filter(|figure| ours.value(&figure.id).is_none());
    let all = ours.figures.iter().chain(only);
    let row = |figure: &Figure| {
        let (mine, other) = (value(&ours.figures, &figure.id), value(theirs, &figure.id));
        vec![figure.label.clone(), mine, other, figure.unit.clone()]
    };
    all.map(row).collect()
}

/// Medians over the pairs of each phase, side by side.
fn phases(record: &Record) -> String {
    let sides = [Some(&record.ours), record.peer.as_ref()];
    let mut rows = Vec::new();
    for party in sides.into_iter().flatten() {
        let mut names: Vec<&str> = Vec::new();
        for phase in &party.phases {
            if !names.contains(&phase.name.as_str()) {
                names.push(&phase.name);
            }
        }
        for name in names {
            let all: Vec<&Phase> = party.phases.iter().filter(|it| it.name == name).collect();
            rows.push(phase_row(name, &party.name, &all));
        }
    }
    rows.sort_by(|one, two| one.first().cmp(&two.first()));
    if rows.is_empty() {
        return String::new();
    }
    let columns = ["phase", "side", "pairs", "/s", "p50 ms", "p99 ms", "p99.9 ms", "CPU", "client"];
    let parties = parties(&record.ours);
    let counted = record.ours.phases.iter().find_map(|phase| phase.cpu.as_ref());
    let counted = counted.map_or("", |cpu| cpu.accounting.as_str());
    format!(
        "\nMedians over the pairs. CPU: seconds for 1,000 operations, all of a side's processes, \
         counted by {counted}; the client's by itself.\n\n{}{parties}",
        compact(&columns, rows)
    )
}

fn phase_row(name: &str, side: &str, all: &[&Phase]) -> Vec<String> {
    let latency =
        |of: fn(&Latency) -> f64| middle(all.iter().filter_map(|it| it.latency.as_ref()).map(of));
    let cpu = |of: fn(&Cpu) -> f64| middle(all.iter().filter_map(|it| it.cpu.as_ref()).map(of));
    let figures = [
        middle(all.iter().filter_map(|phase| phase.per_second)),
        latency(|it| it.p50),
        latency(|it| it.p99),
        latency(|it| it.p99_9),
        cpu(|it| it.side),
        cpu(|it| it.client),
    ];
    let shown = figures.map(|figure| figure.map_or_else(String::new, number));
    let head = [name.to_owned(), side.to_owned(), all.len().to_string()];
    head.into_iter().chain(shown).collect()
}

/// Who of ours used the CPU, phase by phase.
fn parties(ours: &Party) -> String {
    let mut names: Vec<&str> = Vec::new();
    for share in ours.phases.iter().filter_map(|it| it.cpu.as_ref()).flat_map(|it| &it.parties) {
        if !names.contains(&share.party.as_str()) {
            names.push(&share.party);
        }
    }
    let mut phases: Vec<&str> = Vec::new();
    for phase in ours.phases.iter().filter(|phase| phase.cpu.is_some()) {
        if !phases.contains(&phase.name.as_str()) {
            phases.push(&phase.name);
        }
    }
    if names.len() < 2 {
        return String::new();
    }
    let row = |phase: &&str| {
        let of = |party: &&str| {
            let all = ours.phases.iter().filter(|it| it.name == *phase);
            let shares = all.filter_map(|it| it.cpu.as_ref()).flat_map(|it| &it.parties);
            let seconds = shares.filter(|share| share.party == *party).map(|share| share.seconds);
            middle(seconds).map_or_else(String::new, number)
        };
        std::iter::once((*phase).to_owned()).chain(names.iter().map(of)).collect()
    };
    let columns: Vec<&str> = std::iter::once("CPU of ours").chain(names.iter().copied()).collect();
    format!("\n{}", table(&columns, phases.iter().map(row)))
}

fn middle(figures: impl Iterator<Item = f64>) -> Option<f64> {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied()
}

fn kind(kind: GateKind) -> String {
    match kind {
        GateKind::Floor => "floor".to_owned(),
        GateKind::Moonshot => "moonshot".to_owned(),
    }
}

fn bound(gate: &Gate) -> String {
    let sign = match gate.better {
        Better::AtLeast => "≥",
        Better::AtMost => "≤",
    };
    format!("{} {sign} {} {}", gate.what, number(gate.bound), gate.unit).trim_end().to_owned()
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Reached => "reached",
        Verdict::NotReached => "**not reached**",
        Verdict::NotMeasured => "not measured",
        Verdict::DoesNotCount => "does not count",
    }
}

fn spread(median: f64, min: f64, max: f64) -> String {
    format!("{} ({}–{})", number(median), number(min), number(max))
}

/// As many digits as tell something; thousands apart.
fn number(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let text = match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    };
    match text.parse::<u64>() {
        Ok(whole) => grouped(whole),
        Err(_) => text,
    }
}

fn grouped(whole: u64) -> String {
    let digits = whole.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(figure) => figure.as_f64().map_or_else(|| figure.to_string(), number),
        other => other.to_string(),
    }
}

/// A table without the columns that are empty in every row.
fn compact(columns: &[&str], rows: Vec<Vec<String>>) -> String {
    let full = |place: &usize| {
        *place == 0 || rows.iter().any(|row| row.get(*place).is_some_and(|cell| !cell.is_empty()))
    };
    let kept: Vec<usize> = (0..columns.len()).filter(full).collect();
    let pick = |row: &[String]| -> Vec<String> {
        kept.iter().map(|place| row.get(*place).cloned().unwrap_or_default()).collect()
    };
    let names: Vec<&str> = kept.iter().filter_map(|place| columns.get(*place).copied()).collect();
    table(&names, rows.iter().map(|row| pick(row)))
}

/// A Markdown table whose columns stand below one another also as plain text.
pub(crate) fn table(columns: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let head: Vec<String> = columns.iter().map(|&column| column.to_owned()).collect();
    let all: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
    let width = |place: usize| {
        let cells = all.iter().filter_map(|row| row.get(place));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0).max(3)
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let mut text = String::new();
    for (number, row) in all.iter().enumerate() {
        for (place, width) in widths.iter().enumerate() {
            let cell = row.get(place).map_or("", String::as_str);
            text.push_str(&format!("| {cell:width$} "));
        }
        text.push_str("|\n");
        if number == 0 {
            for width in &widths {
                text.push_str(&format!("| {} ", "-".repeat(*width)));
            }
            text.push_str("|\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_written_with_the_digits_that_tell_something() {
        let written = [0.0, 0.156, 2.034, 47.25, 4_807.4, 44_000.0].map(number);
        assert_eq!(written, ["0", "0.156", "2.03", "47.2", "4,807", "44,000"]);
        assert_eq!(grouped(84_198), "84,198");
        assert_eq!(anchor("B1: It, so (B1a), 2026-11-22"), "b1-it-so-b1a-2026-11-22");
    }

    #[test]
    fn a_verdict_is_never_better_than_its_run() {
        let mut gate = Gate::floor("times faster", "×", 3.0, Some(9.0));
        assert_eq!(verdict(gate.verdict), "reached");
        gate.judge(false);
        assert_eq!(
            (bound(&gate).as_str(), verdict(gate.verdict)),
            ("times faster ≥ 3.00 ×", "does not count")
        );
        assert_eq!(bound(&Gate::floor("lost", "", 0.0, Some(0.0)).at_most()), "lost ≤ 0");
    }

    #[test]
    fn columns_that_nobody_fills_are_left_out() {
        let rows = vec![vec!["a".to_owned(), String::new(), "1".to_owned()]];
        assert_eq!(compact(&["", "b", "c"], rows), "|     | c   |\n| --- | --- |\n| a   | 1   |\n");
    }
}
