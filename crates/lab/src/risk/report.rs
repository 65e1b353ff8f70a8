//! The report in words: `docs/risk.md`, made from tables and figures, never edited by hand.

use std::fmt::Write as _;

use super::Model;
use super::claims::{self, REDRAWS};
use super::evaluate::{Axis, Figure, Report, Setting};
use super::incidents::Country;
use super::measures::{Effect, Promise, Status};
use super::stated::Compared;
use super::uses::{Scope, Stage};

/// Countermeasures of a status: key and name, each once, in the order of the table.
#[must_use]
pub fn measures(model: &Model, status: Status) -> Vec<(&str, &str)> {
    let own = model.effects.iter().filter(|effect| effect.status == status);
    let mut all: Vec<_> = own.map(|effect| (effect.key.as_str(), effect.name.as_str())).collect();
    all.dedup();
    all
}

/// The whole report.
#[must_use]
pub fn markdown(model: &Model, report: &Report) -> String {
    let mut text = head(model, report);
    for section in [
        claims::choices(report),
        stated(report),
        coding(model),
        model_section(model, report),
        results(report),
        classes(model, report),
        countermeasures(model, report),
        claims::sensitivity(report),
        limits(model),
        rows(model),
    ] {
        text.push('\n');
        text.push_str(&section);
    }
    text
}

fn head(model: &Model, report: &Report) -> String {
    let (seed, persons, incidents) = (report.seed, report.persons, model.incidents.len());
    format!(
        "# Incidents, and the risk of a life\n\n\
         This is a model with assumed rates, not a forecast: how often an identifier is used, and \
         how much a countermeasure takes away, are assumptions (each a row of a table, with its \
         reason and its bounds). The incidents are not assumed: they are the {incidents} that S3 \
         collected by searching the web for ten hours per country, too few for more than an order \
         of magnitude. Read the comparisons and what moves them, not the numbers.\n\n\
         S3: \"共通番号（マイナンバー）制度における情報セキュリティ －民間利用におけるリスク評価－\", ITEC \
         Working Paper 14-03. This page is made by `jukilab risk report --seed {seed} --persons \
         {persons} --out docs` and compared with its output by a test; `jukilab risk incidents` \
         prints the rows and the paper's figures.\n\n\
         {}",
        claims::findings(model, report)
    )
}

fn stated(report: &Report) -> String {
    let mut text = String::from(
        "## What the paper states, and what its rows give\n\n\
         ![Incidents by place, threat and difficulty](risk/incidents.svg)\n\n\
         Table 4 of the paper, recomputed from the rows of its tables 1 to 3, in percent: stated / \
         recomputed, and in brackets the interval of 95 in 100 (Wilson) that so few rows \
         allow.\n\n",
    );
    let table: Vec<&Compared> =
        report.compared.iter().filter(|one| one.stated.place == "table 4").collect();
    text.push_str("| | United States | Korea | Japan |\n| --- | ---: | ---: | ---: |\n");
    for one in table.iter().filter(|one| one.stated.country == Country::Us) {
        let _ = write!(text, "| {} |", one.stated.what);
        for country in Country::ALL {
            let same = |other: &&&Compared| {
                other.stated.what == one.stated.what && other.stated.country == country
            };
            if let Some(cell) = table.iter().find(same) {
                let mark = if cell.agrees { "" } else { "**" };
                let stated = cell.stated.percent.unwrap_or(0);
                let Compared { recomputed, low, high, .. } = cell;
                let _ = write!(text, " {mark}{stated} / {recomputed}{mark} ({low:.0}–{high:.0}) |");
            }
        }
        text.push('\n');
    }
    let differing = report.compared.iter().filter(|one| !one.agrees);
    let (all, wrong) = (report.compared.len(), differing.clone().count());
    let _ = write!(
        text,
        "\nOf {all} stated figures (table 4 and the prose of §4.1, §5, §6.1 and §7), {} agree with \
         the rows and {wrong} do not:\n\n\
         | where | figure | stated | the rows give | why |\n| --- | --- | --- | --- | --- |\n",
        all - wrong
    );
    for one in differing {
        text.push_str(&difference(one));
    }
    text.push_str(
        "\nLines are those of the project's copy of the paper's text. The paper rounds halves up; \
         so does this page.\n",
    );
    text
}

/// One figure that differs, as a row.
fn difference(one: &Compared) -> String {
    let said = [
        one.stated.percent.map(|percent| format!("{percent} %")),
        one.stated.count.map(|count| format!("{count} cases")),
    ];
    let said: Vec<String> = said.into_iter().flatten().collect();
    let said = said.join(", ");
    let Compared { stated, found, of, recomputed, .. } = one;
    format!(
        "| {}, {}, line {} | {} | {said} | {found} of {of} = {recomputed} % | {} |\n",
        stated.country.name(),
        stated.place,
        stated.line,
        stated.what,
        stated.note
    )
}

fn coding(model: &Model) -> String {
    let mut text = String::from(
        "## What else the rows show\n\n\
         - The coding is kept as printed, also where it departs from the paper's own definitions \
         (§3.2: hacking is of high difficulty, identity fraud of low or middle):",
    );
    for row in model.incidents.iter().filter(|row| row.departs_from_definition()) {
        let (country, number) = (row.country.name(), row.number);
        let _ =
            write!(text, " {country} {number} ({}, {});", row.threat.name(), row.difficulty.name());
    }
    text.pop();
    text.push_str(
        ".\n- For insiders §3.2 gives no rule of difficulty; United States 3 and 7 are coded \
         otherwise than their sentences read.\n\
         - United States 4 and 5 are dated \"20011/8\"; 2011/8 is meant.\n\
         - United States 2 was a demonstration on television (§4.2), not a leak.\n\
         - Japan 34 is of 1999, three years before the first record code: it cannot have been a \
         leak of record codes. Japan 2 and 33 concern a town's own papers and its own register \
         system.\n\
         - Six of the 23 cards obtained by impersonation (Japan 3, 8, 9, 14, 20, 22) began with a \
         moving to another municipality.\n\
         - No row tells of the network itself having been entered; the paper says so too (§6.1).\n",
    );
    text
}

fn model_section(model: &Model, report: &Report) -> String {
    let persons = report.persons;
    let mut text = format!(
        "## The model\n\n\
         S3 §8 and its figure 4 give three steps. *Life cycle*: {persons} synthetic residents \
         (`jukilab population`) live from birth to death; chances by age are in `life.tsv`. \
         *Uses*: `uses.tsv` says at which occasion an identifier is used, in which of the paper's \
         four areas (government, medical, financial, commercial), how often, and whether a local \
         government or another public body, a university or a company keeps a copy of it. \
         *Evaluation*: each use carries a weight, place × threat × attack: the share of the \
         incidents at such a place, times the share of each class of incident there (a class has \
         one threat type), times the share of each difficulty among the incidents of that class. \
         Shares of places are those of the United States and Korea, because where an identifier \
         has no private use the rows say nothing about private places; the other shares use all \
         rows. One row's worth is spread evenly, so that what was not seen is not taken for \
         impossible. The unit of exposure is one use at a place where every incident happens.\n\n\
         Countermeasures (`countermeasures.tsv`) leave a part of a class at the places they reach; \
         several act one after the other. Against attacks of high difficulty they have half their \
         effect. In brackets, here and below: the incidents drawn again with replacement a \
         thousand times, where 95 in 100 results lie. That is {REDRAWS}; whether the incidents \
         were found as they happen, and every assumption, lies outside it.\n\n\
         | stage (our own; S3 names birth and death) | years | public uses | private uses |\n\
         | --- | ---: | ---: | ---: |\n",
    );
    for ((stage, years), uses) in Stage::ALL.iter().zip(&report.years).zip(&report.uses) {
        let [public, private] = uses;
        let _ = writeln!(text, "| {} | {years:.1} | {public:.0} | {private:.0} |", stage.name());
    }
    let sum = |index: usize| -> f64 { report.uses.iter().filter_map(|uses| uses.get(index)).sum() };
    let years: f64 = report.years.iter().sum();
    let (public, private) = (sum(0), sum(1));
    let _ = write!(
        text,
        "| whole life | {years:.1} | {public:.0} | {private:.0} |\n\n\
         Whether it could happen in Japan, as §8 asks of each incident abroad, stands with each \
         class in `incident_classes.tsv`: {} of the {} classes could at once, the others need \
         private use.\n",
        model.classes.iter().filter(|class| class.japan == "yes").count(),
        model.classes.len()
    );
    text
}

/// Value and interval.
fn cell(figure: &Figure) -> String {
    let Figure { value, low, high, .. } = figure;
    format!("{value:.1} ({low:.1}–{high:.1})")
}

/// A table of an axis in one scope, a column per setting.
fn table(report: &Report, scope: Scope, axis: Axis) -> String {
    let mut text = format!(
        "| {} | without | today | when complete |\n| --- | ---: | ---: | ---: |\n",
        scope.name()
    );
    let columns: Vec<Vec<&Figure>> = Setting::ALL
        .iter()
        .filter_map(|setting| report.outcome(scope, *setting))
        .map(|outcome| outcome.along(axis).collect())
        .collect();
    for (index, figure) in columns.first().into_iter().flatten().enumerate() {
        // A row that is nothing everywhere says nothing.
        if figure.value <= 0.0 {
            continue;
        }
        let cells = columns.iter().filter_map(|column| column.get(index));
        let cells: Vec<String> = cells.map(|figure| cell(figure)).collect();
        let _ = writeln!(text, "| {} | {} |", figure.name, cells.join(" | "));
    }
    text
}

fn results(report: &Report) -> String {
    let mut text = String::from(
        "## Exposure from birth to death\n\n\
         ![By area](risk/areas.svg)\n\n\
         ![By stage, public bodies only](risk/stages-public.svg)\n\n\
         ![By stage, private parties too](risk/stages-private.svg)\n\n\
         Exposure of an average life under the choice shown; in brackets redraws of the incidents, \
         the smallness of the tables only.\n",
    );
    for scope in Scope::ALL {
        for axis in [Axis::Total, Axis::Stage, Axis::Area, Axis::Place, Axis::Difficulty] {
            text.push('\n');
            text.push_str(&table(report, scope, axis));
        }
    }
    text
}

fn classes(model: &Model, report: &Report) -> String {
    let mut text = String::from(
        "## By class of incident\n\n\
         | class | rows | in Japan? | answered by tests |\n| --- | ---: | --- | --- |\n",
    );
    for class in &model.classes {
        let rows: Vec<_> = model.incidents.iter().filter(|row| row.class == class.class).collect();
        let mut tests: Vec<&str> = rows.iter().flat_map(|row| row.tests.split(' ')).collect();
        tests.sort_unstable();
        tests.dedup();
        let _ = writeln!(
            text,
            "| {} ({}) | {} | {}: {} | {} |",
            class.name,
            class.japanese,
            rows.len(),
            class.japan,
            class.reason,
            tests.join(" ")
        );
    }
    text.push_str(
        "\nTests are those of the project's attack suite by their numbers (N, H, I, M, S), and \
         its own list of incidents (J, W); a number says what should answer to the class, not \
         that it is built.\n",
    );
    for scope in Scope::ALL {
        text.push('\n');
        text.push_str(&table(report, scope, Axis::Class));
    }
    text
}

fn countermeasures(model: &Model, report: &Report) -> String {
    let mut text = String::from(
        "## Countermeasures\n\n\
         ![What each takes away](risk/countermeasures.svg)\n\n\
         Today: built, with the promises of SPECIFICATION.md whose tests prove the function (not \
         the size of the effect, which is assumed), and words of each. Alone: percent of the \
         exposure that goes if it is the only one. Missed: by how many percent the exposure grows \
         if it alone is missing when all the others are there.\n",
    );
    for status in [Status::Today, Status::NotYet] {
        let heading = if status == Status::Today { "Today" } else { "Not yet" };
        let _ = write!(
            text,
            "\n### {heading}\n\n\
             | countermeasure | promises, tests | on | effect (low–high) | alone, public | missed, \
             public | alone, with private use |\n| --- | --- | --- | --- | ---: | ---: | ---: |\n"
        );
        for (key, name) in measures(model, status) {
            let own: Vec<&Effect> =
                model.effects.iter().filter(|effect| effect.key == key).collect();
            text.push_str(&measure_row(model, report, name, &own));
        }
    }
    text
}

fn measure_row(model: &Model, report: &Report, name: &str, own: &[&Effect]) -> String {
    let Some(first) = own.first() else { return String::new() };
    let promise = |one: &Promise| format!("{} (“{}”)", one.number, one.words);
    let mut proof: Vec<String> = first.promises.iter().map(promise).collect();
    proof.push(first.tests.clone());
    let proof = proof.join("; ");
    let effect = |effect: &&Effect| {
        let class = |index: &usize| model.classes.get(*index).map(|class| class.name.as_str());
        let on = if effect.classes.len() == model.classes.len() {
            "every class".to_owned()
        } else {
            effect.classes.iter().filter_map(class).collect::<Vec<_>>().join(", ")
        };
        let Effect { effect, low, high, reason, .. } = effect;
        (on, format!("{effect} ({low}–{high}): {reason}"))
    };
    let (on, sizes): (Vec<String>, Vec<String>) = own.iter().map(effect).unzip();
    let of =
        |scope: Scope| report.alone.iter().find(|one| one.key == first.key && one.scope == scope);
    let alone = |scope| of(scope).map_or(0.0, |one| one.alone.max(0.0));
    let missed = of(Scope::Public).map_or(0.0, |one| one.missed.max(0.0));
    format!(
        "| {name} | {proof} | {} | {} | {:.1} | {missed:.1} | {:.1} |\n",
        on.join("<br>"),
        sizes.join("<br>"),
        alone(Scope::Public),
        alone(Scope::Private)
    )
}

fn limits(model: &Model) -> String {
    let stated = model.incidents.iter().filter(|row| row.affected.is_some()).count();
    format!(
        "## What this cannot say\n\n\
         - How many incidents will happen: the paper's tables have no number of uses beside the \
         incidents, so there is no rate per use. A share of incidents stands for a weight; times \
         the uses it counts a place both for its uses and for its incidents, and without them it \
         says nothing of a life.\n\
         - What was never found: ten hours of searching per country find what newspapers wrote \
         about, and found more of what happened lately. The three countries are not three samples \
         of one thing.\n\
         - How many persons one incident strikes: the paper states a number for {stated} rows \
         only, from 2 to 33 million.\n\
         - Which use is struck: a class strikes every use at its place alike, so that a row of a \
         batch carries the weight of a card obtained by impersonation as a visit to the counter \
         does.\n\
         - How large an effect is: no countermeasure was tried on people. That its function \
         exists is tested, that it deters is not.\n\
         - What countermeasures do to each other, and what an attacker does instead.\n\
         - That all of life's years have today's law, and that nobody's life changes another's.\n"
    )
}

fn rows(model: &Model) -> String {
    let mut text = String::from(
        "## The rows\n\n\
         From `incidents.tsv`; sentences in our own words, codings as printed.\n\n\
         | | year | what happened | place | threat | difficulty | persons | class | note |\n\
         | --- | --- | --- | --- | --- | --- | ---: | --- | --- |\n",
    );
    for row in &model.incidents {
        let persons = row.affected.map_or_else(String::new, |persons| persons.to_string());
        let class = model.classes.iter().find(|class| class.class == row.class);
        let class = class.map_or("", |class| class.name.as_str());
        let _ = writeln!(
            text,
            "| {} {} | {} | {} | {} | {} | {} | {persons} | {class} | {} |",
            row.country.name(),
            row.number,
            row.year_printed,
            row.what,
            row.place_printed,
            row.threat_printed,
            row.difficulty.name(),
            row.note
        );
    }
    text
}
