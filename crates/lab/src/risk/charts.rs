//! The charts of the report: what goes into each; `chart` draws.

use super::Model;
use super::evaluate::{Axis, Report, Setting};
use super::incidents::{Country, Difficulty, Incident, Place, Threat};
use super::measures::Status;
use super::tornado::{Quantity, Swing};
use super::uses::Scope;
use crate::chart::{Blade, Caption, Stack, Value, grouped, stacked, tornado};

/// Every chart with its file name.
#[must_use]
pub fn draw(model: &Model, report: &Report) -> Vec<(&'static str, String)> {
    vec![
        ("incidents.svg", incidents(model)),
        ("areas.svg", areas(report)),
        ("stages-public.svg", stages(report, Scope::Public)),
        ("stages-private.svg", stages(report, Scope::Private)),
        ("countermeasures.svg", countermeasures(model, report)),
        ("tornado-factor.svg", swings(report, Quantity::Factor)),
        ("tornado-left.svg", swings(report, Quantity::LeftPublic)),
        ("tornado-public.svg", swings(report, Quantity::ExposurePublic)),
        ("tornado-private.svg", swings(report, Quantity::ExposurePrivate)),
    ]
}

fn incidents(model: &Model) -> String {
    let bars = |parts: &dyn Fn(&[&Incident]) -> Vec<usize>| -> Vec<(String, Vec<f64>)> {
        let bar = |country: Country| {
            let rows = model.incidents.iter().filter(|row| row.country == country);
            let rows: Vec<&Incident> = rows.collect();
            let percent = |count: usize| 100.0 * count as f64 / rows.len() as f64;
            let parts = parts(&rows).into_iter().map(percent).collect();
            (format!("{} ({} incidents)", country.name(), rows.len()), parts)
        };
        Country::ALL.map(bar).to_vec()
    };
    let count = |rows: &[&Incident], keep: &dyn Fn(&Incident) -> bool| {
        rows.iter().filter(|row| keep(row)).count()
    };
    let place =
        |rows: &[&Incident]| Place::ALL.map(|p| count(rows, &|row| row.place == p)).to_vec();
    let threat =
        |rows: &[&Incident]| Threat::ALL.map(|t| count(rows, &|row| row.threat == t)).to_vec();
    let difficulty = |rows: &[&Incident]| {
        Difficulty::ALL.map(|d| count(rows, &|row| row.difficulty == d)).to_vec()
    };
    let stack = |heading: &str, series: Vec<&str>, bars| Stack {
        heading: heading.to_owned(),
        series: series.into_iter().map(str::to_owned).collect(),
        bars,
    };
    let caption = Caption {
        title: "Incidents by place, threat and difficulty",
        description: "In Japan all are at local governments and of low difficulty; in the United \
            States and Korea most are at universities and companies, many of high difficulty.",
        unit: "percent of the incidents that S3 found in each country",
    };
    let stacks = [
        stack("Place (発生場所)", Place::ALL.map(Place::name).to_vec(), bars(&place)),
        stack("Threat (脅威種別)", Threat::ALL.map(Threat::name).to_vec(), bars(&threat)),
        stack(
            "Difficulty of the attack (技術難易度)",
            Difficulty::ALL.map(Difficulty::name).to_vec(),
            bars(&difficulty),
        ),
    ];
    stacked(caption, &stacks)
}

/// Exposure by area, without countermeasures, as both scopes have it.
fn areas(report: &Report) -> String {
    let series: Vec<String> = super::uses::Area::ALL.map(|area| area.name().to_owned()).to_vec();
    let bars = Scope::ALL
        .into_iter()
        .flat_map(|scope| Setting::ALL.map(|setting| (scope, setting)))
        .map(|(scope, setting)| {
            let figures = report.outcome(scope, setting).into_iter();
            let parts = figures.flat_map(|one| one.along(Axis::Area)).map(|figure| figure.value);
            (format!("{}, {}", scope.name(), setting.name()), parts.collect())
        })
        .collect();
    let caption = Caption {
        title: "Exposure of an average life by area of use",
        description: "Private use adds exposure, how much hangs on whose places count; what is \
            built acts on the public part.",
        unit: "exposure (weighted uses in a life), places of two countries",
    };
    stacked(caption, &[Stack { heading: String::new(), series, bars }])
}

fn stages(report: &Report, scope: Scope) -> String {
    let series: Vec<String> = Setting::ALL
        .map(|setting| match setting {
            Setting::Without => "without countermeasures".to_owned(),
            Setting::Today => "with today's".to_owned(),
            Setting::Complete => "when complete".to_owned(),
        })
        .to_vec();
    let columns: Vec<Vec<_>> = Setting::ALL
        .iter()
        .filter_map(|setting| report.outcome(scope, *setting))
        .map(|outcome| outcome.along(Axis::Stage).collect())
        .collect();
    let stage = |index: usize, stage: &super::uses::Stage| {
        let figures = columns.iter().filter_map(|column| column.get(index));
        let value = |figure: &&super::evaluate::Figure| Value {
            value: figure.value,
            interval: Some((figure.low, figure.high)),
        };
        (stage.name().to_owned(), figures.map(value).collect())
    };
    let groups: Vec<(String, Vec<Value>)> =
        super::uses::Stage::ALL.iter().enumerate().map(|(i, one)| stage(i, one)).collect();
    let (title, description) = match scope {
        Scope::Public => (
            "Exposure by stage of life, public bodies only",
            "Work and family is the longest stage and the largest; countermeasures act alike at \
             every stage, because all public uses are at public bodies.",
        ),
        Scope::Private => (
            "Exposure by stage of life, private parties too",
            "Work and family is the largest; today's countermeasures change little, because they \
             do not reach companies and universities.",
        ),
    };
    let unit = "exposure (weighted uses in the stage); lines: the smallness of the tables only";
    grouped(Caption { title, description, unit }, &series, &groups)
}

fn countermeasures(model: &Model, report: &Report) -> String {
    let series = Scope::ALL.map(|scope| scope.name().to_owned());
    let mut groups = Vec::new();
    for status in [Status::Today, Status::NotYet] {
        let mut own = super::report::measures(model, status);
        own.sort_by(|(a, _), (b, _)| {
            let size = |key: &str| -> f64 {
                report.alone.iter().filter(|one| one.key == key).map(|one| one.alone).sum()
            };
            size(b).total_cmp(&size(a))
        });
        for (key, name) in own {
            let of = |scope: Scope| {
                let found = report.alone.iter().find(|one| one.key == key && one.scope == scope);
                let value = found.map_or(0.0, |one| one.alone);
                // Not −0.0 where nothing is reached.
                Value { value: value.max(0.0), interval: None }
            };
            let mark = if status == Status::Today { "" } else { " (not yet)" };
            groups.push((shortened(name, mark), Scope::ALL.map(of).to_vec()));
        }
    }
    let caption = Caption {
        title: "What each countermeasure takes away, alone",
        description: "A notice before a Juki card is handed out would take half of the public \
            exposure; of today's, the release that a moving needs takes most; only a certificate \
            instead of the number acts much on private use.",
        unit: "percent of the exposure of an average life",
    };
    grouped(caption, &series, &groups)
}

/// A name that fits beside its bar.
fn shortened(name: &str, mark: &str) -> String {
    const CHARS_MAX: usize = 68;
    let room = CHARS_MAX - mark.chars().count();
    if name.chars().count() <= room {
        return format!("{name}{mark}");
    }
    let mut short = String::new();
    for word in name.split(' ') {
        if short.chars().count() + word.chars().count() + 1 > room - 1 {
            break;
        }
        short.push_str(word);
        short.push(' ');
    }
    format!("{}…{mark}", short.trim_end().trim_end_matches(','))
}

fn swings(report: &Report, quantity: Quantity) -> String {
    let Some(own) = report.tornados.iter().find(|own| own.quantity == quantity) else {
        return String::new();
    };
    let blade =
        |swing: &Swing| Blade { name: swing.assumption.clone(), low: swing.low, high: swing.high };
    let blades: Vec<Blade> = own.swings.iter().map(blade).collect();
    let (title, unit) = match quantity {
        Quantity::Factor => (
            "Which assumption moves the factor of private use most",
            "exposure with private use over exposure without it",
        ),
        Quantity::LeftPublic | Quantity::LeftPrivate => (
            "Which assumption moves what today's countermeasures leave most",
            "percent of the exposure that is left",
        ),
        Quantity::ExposurePublic => (
            "Which assumption moves the public exposure most",
            "exposure of an average life with today's countermeasures",
        ),
        Quantity::ExposurePrivate => (
            "Which assumption moves the exposure with private use most",
            "exposure of an average life with today's countermeasures",
        ),
    };
    let description = "Each assumption at its low and its high end, one at a time.";
    tornado(Caption { title, description, unit }, own.assumed, &blades)
}
