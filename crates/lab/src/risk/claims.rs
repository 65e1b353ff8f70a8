//! What the page claims, in words: its first findings, the choices that they depend on, and which
//! assumption moves each.
//!
//! A claim is never narrower than what the page itself tries; redraws are named for what they are.

use std::fmt::Write as _;

use super::Model;
use super::choices::{Choice, Left, Ratio, Span};
use super::evaluate::{Axis, Report, Setting};
use super::tornado::{Quantity, Tornado};
use super::uses::Scope;

/// What the rows leave open, in a word that fits every table.
pub(super) const REDRAWS: &str = "the smallness of the tables only";

/// The first findings.
pub(super) fn findings(model: &Model, report: &Report) -> String {
    let Span { low, high } = Span::over(report.choices.iter().map(|choice| choice.factor.value));
    let rates = widest(report.choices.iter().map(|choice| choice.factor_by_rates));
    let shown = report.choices.iter().find(|choice| choice.is_shown()).map(|one| one.factor);
    let drawn = shown.map_or_else(|| Span::over([]), |Ratio { low, high, .. }| Span { low, high });
    format!(
        "What comes out, as ranges over this page's own choices (their table is below):\n\n\
         - Letting private parties use the identifier multiplies the exposure of a life by a \
         number between {low:.1} and {high:.0}. Whose places count, those of two countries or of \
         all three, decides most of it; whether a place counts for each use or once decides \
         little; the rows can decide neither. With the rates of use at their ends it is between \
         {:.1} and {:.0}. Under the choice that the rest of the page shows, redraws of the \
         incidents go from {:.0} to {:.0}: {REDRAWS}.\n\
         - {} {} Of what today's leave, {:.0} % is a Juki card obtained by impersonation or \
         altered.\n\
         - {} What this project builds does not reach a company's or a university's files. Not \
         handing the identifier to them does, which is the law of 2013 (法30条の42, 30条の43), and \
         P-001 has no row for a private party.\n\n\
         None of these ranges is an interval of confidence: assumptions may be wrong together, or \
         outside their bounds.\n",
        rates.low,
        rates.high,
        drawn.low,
        drawn.high,
        left(
            report,
            "Of the exposure while public bodies alone use it, today's countermeasures leave",
            Scope::Public,
            Setting::Today
        ),
        left(report, "All that are planned leave", Scope::Public, Setting::Complete),
        cards(model, report),
        left(
            report,
            "With private use, today's countermeasures leave",
            Scope::Private,
            Setting::Today
        ),
    )
}

fn widest(spans: impl Iterator<Item = Span>) -> Span {
    Span::over(spans.flat_map(|Span { low, high }| [low, high]))
}

/// A sentence about what a setting leaves, over every choice.
fn left(report: &Report, begins: &str, scope: Scope, setting: Setting) -> String {
    let all: Vec<&Left> =
        report.choices.iter().filter_map(|choice| choice.left(scope, setting)).collect();
    let shares = Span::over(all.iter().map(|one| 100.0 * one.share.value));
    let sizes = widest(all.iter().map(|one| one.by_sizes));
    let (low, high) = (100.0 * sizes.low, 100.0 * sizes.high);
    let assumed = format!("{:.0}", shares.low);
    let assumed = if assumed == format!("{:.0}", shares.high) {
        assumed
    } else {
        format!("{assumed} to {:.0}", shares.high)
    };
    format!(
        "{begins} {assumed} % as assumed, {low:.0} to {high:.0} % with all sizes of effects at \
         their ends."
    )
}

/// Percent of the public exposure under today's that is cards.
fn cards(model: &Model, report: &Report) -> f64 {
    let card = |name: &str| {
        let meant = ["card_by_impersonation", "altered_face"];
        let class = model.classes.iter().find(|class| class.name == name);
        class.is_some_and(|class| meant.contains(&class.class.as_str()))
    };
    let outcome = report.outcome(Scope::Public, Setting::Today);
    let figures = outcome.into_iter().flat_map(|outcome| outcome.along(Axis::Class));
    let cards: f64 = figures.filter(|one| card(&one.name)).map(|one| one.value).sum();
    100.0 * cards / report.total(Scope::Public, Setting::Today)
}

/// The table of choices.
pub(super) fn choices(report: &Report) -> String {
    let mut text = format!(
        "## What hangs on a choice\n\n\
         Two choices are ours, and no row decides them. *Places*: their shares from the United \
         States and Korea, or from all three countries; Japan's 34 rows are all at local \
         governments, because there was no private use or because local governments are the weak \
         place. *Uses*: a share of incidents is already larger where there are many uses; times \
         the uses of a life, a place counts for them twice. Counted once, shares of incidents \
         stand alone. The rest of this page shows the first row: places of two countries, times \
         uses.\n\n\
         In brackets the ends of 95 in 100 redraws of the incidents: {REDRAWS}. Rates at their \
         ends: private uses at their low and public ones at their high ends, and the reverse. \
         Effects at an end: all sizes, against difficult attacks too.\n\n\
         | places | a place counts | factor of private use | rates at their ends |\n\
         | --- | --- | ---: | ---: |\n"
    );
    for choice in &report.choices {
        let Choice { factor: Ratio { value, low, high }, factor_by_rates: rates, .. } = choice;
        let _ = writeln!(
            text,
            "| {} | {value:.1} ({low:.1}–{high:.1}) | {:.1}–{:.1} |",
            named(choice),
            rates.low,
            rates.high
        );
    }
    for scope in Scope::ALL {
        let _ = write!(
            text,
            "\n| percent left, {} | a place counts | today's | effects at an end | when complete | \
             effects at an end |\n| --- | --- | ---: | ---: | ---: | ---: |\n",
            scope.name()
        );
        for choice in &report.choices {
            let _ = write!(text, "| {} |", named(choice));
            for left in [Setting::Today, Setting::Complete]
                .into_iter()
                .filter_map(|setting| choice.left(scope, setting))
            {
                let Ratio { value, low, high } = left.share;
                let [value, low, high, first, last] =
                    [value, low, high, left.by_sizes.low, left.by_sizes.high].map(|v| 100.0 * v);
                let _ = write!(text, " {value:.0} ({low:.0}–{high:.0}) | {first:.0}–{last:.0} |");
            }
            text.push('\n');
        }
    }
    text
}

fn named(choice: &Choice) -> String {
    let places = if choice.places_of_all { "all three countries" } else { "two countries" };
    let uses = if choice.uses_counted { "for each use" } else { "once" };
    let mark = if choice.is_shown() { " (shown)" } else { "" };
    format!("{places} | {uses}{mark}")
}

/// The tables of what moves what.
pub(super) fn sensitivity(report: &Report) -> String {
    let mut text = String::from(
        "## Which assumption moves the result most\n\n\
         Each assumption at its ends, one at a time, from the choice shown. The factor is without \
         countermeasures but for the line that names them. The two rows left out are those that \
         may be no incident of an identifier. An exposure has no line for a place that counts \
         once: its unit would be another.\n\n\
         ![Factor of private use](risk/tornado-factor.svg)\n\n\
         ![Percent left by today's countermeasures, public bodies only](risk/tornado-left.svg)\n\n\
         ![Exposure, public bodies only](risk/tornado-public.svg)\n\n\
         ![Exposure, private parties too](risk/tornado-private.svg)\n",
    );
    for Tornado { quantity, assumed, swings } in &report.tornados {
        // A factor of a few needs one digit more than an exposure of hundreds.
        let digits = if *quantity == Quantity::Factor { 2 } else { 1 };
        let _ = write!(
            text,
            "\n| {}: {assumed:.digits$} as assumed | first end | second end |\n\
             | --- | ---: | ---: |\n",
            quantity.name()
        );
        for one in swings {
            let _ = writeln!(
                text,
                "| {} | {:.digits$} | {:.digits$} |",
                one.assumption, one.low, one.high
            );
        }
    }
    text
}
