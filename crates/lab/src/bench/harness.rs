//! The frame around every bench: the machine, five seconds of fixed work before and after, another
//! run where the two differ too much, and at the end one record with its verdicts.

use serde_json::Value;

use super::record::{
    Counts, Gate, Machine, Measured, Noise, Origin, RECORD_FORM, Ratios, Record, Verdict,
};
use super::{BenchError, pairs::rounded};
use crate::live::calibration::Calibration;
use crate::live::{clock, country, files, machine};

/// Above this the calibrations before and after differ too much for the figures to stand.
pub(crate) const DRIFT_MAX: f64 = 0.20;

/// What a bench is, whoever runs it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject {
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    pub(crate) question: &'static str,
}

/// How this run of it was asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Frame {
    /// The machine's name; made from its processor where none is given.
    pub(crate) machine: Option<String>,
    /// How often a run may be made again because the machine was not quiet.
    pub(crate) reruns: u32,
    /// What was typed.
    pub(crate) command: String,
}

/// Runs `bench` between two calibrations, again while the machine was not quiet and runs are left.
pub(crate) fn framed(
    subject: Subject,
    frame: &Frame,
    bench: impl Fn(&dyn Fn(&str)) -> Result<Measured, BenchError>,
    say: &dyn Fn(&str),
) -> Result<Record, BenchError> {
    let folder = country::scratch();
    files::make_folder(&folder)?;
    let mut described = machine::describe(&folder);
    if let Some(name) = &frame.machine {
        described.name.clone_from(name);
    }
    let mut reruns = 0;
    let done = loop {
        say("calibrating …");
        let before = Calibration::take(&folder)?;
        let measured = bench(say);
        say("calibrating …");
        let after = Calibration::take(&folder)?;
        let noise = noise(&before, &after, reruns);
        if measured.is_err() || noise.drift <= DRIFT_MAX || reruns >= frame.reruns {
            break measured.map(|measured| (measured, noise));
        }
        reruns += 1;
        say(&format!("the machine was not quiet ({}), again …", percent(noise.drift)));
    };
    files::remove_folder(&folder);
    let (measured, noise) = done?;
    Ok(record(subject, frame, described, measured, noise))
}

fn noise(before: &Calibration, after: &Calibration, reruns: u32) -> Noise {
    let (drift, part) = after.drift_from(before);
    Noise {
        before: before.json(),
        after: after.json(),
        drift: rounded(drift),
        drift_in: part.to_owned(),
        reruns,
    }
}

fn percent(fraction: f64) -> String {
    format!("{:.0} %", fraction * 100.0)
}

/// Whether figures between two calibrations may be quoted.
pub(crate) fn counts(noise: &Noise) -> Counts {
    let yes = noise.drift <= DRIFT_MAX;
    let because = (!yes).then(|| {
        format!(
            "the calibrations before and after differ by {} in {}, more than {}: the machine was \
             not quiet",
            percent(noise.drift),
            noise.drift_in,
            percent(DRIFT_MAX)
        )
    });
    Counts { yes, because }
}

fn record(
    subject: Subject,
    frame: &Frame,
    machine: Machine,
    measured: Measured,
    noise: Noise,
) -> Record {
    let counts = counts(&noise);
    let Measured { conditions, ours, peer, ratios, mut gates, tables, oracle, left_out } = measured;
    for gate in &mut gates {
        gate.judge(counts.yes);
    }
    Record {
        form: RECORD_FORM,
        id: subject.id.to_owned(),
        title: subject.title.to_owned(),
        question: subject.question.to_owned(),
        date: clock::now().date_in_japan().to_string(),
        command: frame.command.clone(),
        commit: machine::commit(),
        origin: Origin::Measured,
        machine,
        conditions,
        calibration: Some(noise),
        counts,
        ours,
        peer,
        ratio: Ratios::of(ratios),
        gates,
        tables,
        oracle_errors: oracle.errors,
        oracle,
        left_out,
    }
}

/// Whether a floor was missed in a run that counts.
pub(crate) fn floor_missed(gates: &[Gate]) -> bool {
    use super::record::GateKind::Floor;
    gates.iter().any(|gate| gate.kind == Floor && gate.verdict == Verdict::NotReached)
}

/// The record as scripts read it.
pub(crate) fn document(record: &Record) -> Result<Value, BenchError> {
    serde_json::to_value(record).map_err(|error| BenchError::Record(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(drift: f64) -> Noise {
        Noise {
            before: Value::Null,
            after: Value::Null,
            drift,
            drift_in: "fdatasync".to_owned(),
            reruns: 0,
        }
    }

    const SUBJECT: Subject = Subject { id: "B0", title: "none", question: "Is it so?" };

    fn made(drift: f64) -> Record {
        let measured = Measured {
            gates: vec![Gate::floor("times faster", "×", 3.0, Some(2.0))],
            ..Measured::default()
        };
        let frame = Frame { command: "jukilab bench B0".to_owned(), ..Frame::default() };
        record(SUBJECT, &frame, Machine::default(), measured, noise(drift))
    }

    #[test]
    fn a_run_on_a_machine_that_was_not_quiet_counts_for_nothing() {
        let quiet = made(0.20);
        assert!(quiet.counts.yes && floor_missed(&quiet.gates));
        let noisy = made(0.21);
        assert!(!noisy.counts.yes && !floor_missed(&noisy.gates));
        assert!(noisy.counts.because.unwrap().contains("21 %"));
        assert_eq!(noisy.gates[0].verdict, Verdict::DoesNotCount);
    }

    #[test]
    fn a_record_is_read_back_as_it_was_written() {
        let record = made(0.1);
        let text = document(&record).unwrap().to_string();
        let back: Record = serde_json::from_str(&text).unwrap();
        assert_eq!(back, record);
        for field in ["id", "machine", "ours", "peer", "ratio", "oracle_errors"] {
            assert!(document(&record).unwrap().get(field).is_some(), "{field}");
        }
    }
}
