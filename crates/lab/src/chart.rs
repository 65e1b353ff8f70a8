//! Bars as SVG text: stacked, grouped with intervals, and a tornado. For reports of the laboratory.
//!
//! No layout engine and no font: text is placed by its anchor, coordinates have one decimal, so
//! that the same figures give the same bytes everywhere. Colours are those of Okabe and Ito, which
//! the colour-blind can tell apart.

use std::fmt::Write as _;

/// Colours of series, in their order.
const COLOURS: [&str; 8] =
    ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#999999"];

/// Width of a chart, and what is left of the bars for their names and right of them for values.
const WIDTH: f64 = 1_000.0;
const LEFT: f64 = 430.0;
const RIGHT: f64 = 70.0;
/// Height of a bar in a stack, of one bar of a group, and of a line of text.
const BAR: f64 = 20.0;
const THIN: f64 = 13.0;
const LINE: f64 = 22.0;
/// A part of a stack below this share of the axis carries no number.
const PART_LABELLED_MIN: f64 = 0.045;

/// What every chart says besides its bars.
#[derive(Clone, Copy, Debug)]
pub struct Caption<'a> {
    pub title: &'a str,
    /// One sentence for whoever does not see it.
    pub description: &'a str,
    /// What the numbers are.
    pub unit: &'a str,
}

/// Stacked bars under one legend.
#[derive(Clone, Debug)]
pub struct Stack {
    pub heading: String,
    pub series: Vec<String>,
    /// Name and one value for each of the series.
    pub bars: Vec<(String, Vec<f64>)>,
}

/// A value and its interval, if it has one.
#[derive(Clone, Copy, Debug)]
pub struct Value {
    pub value: f64,
    pub interval: Option<(f64, f64)>,
}

/// An assumption of a tornado: the result at its low and its high end.
#[derive(Clone, Debug)]
pub struct Blade {
    pub name: String,
    pub low: f64,
    pub high: f64,
}

/// Stacked bars, on one axis for all stacks.
#[must_use]
pub fn stacked(caption: Caption<'_>, stacks: &[Stack]) -> String {
    let sums = stacks.iter().flat_map(|stack| &stack.bars).map(|(_, parts)| parts.iter().sum());
    let top = sums.fold(0.0_f64, f64::max);
    let mut sheet = Sheet::new(caption);
    for stack in stacks {
        sheet.heading(&stack.heading);
        sheet.legend(&stack.series);
        for (name, parts) in &stack.bars {
            sheet.name(name, BAR);
            let mut at = 0.0;
            for (part, colour) in parts.iter().zip(COLOURS.iter().cycle()) {
                let (from, to) = (sheet.across(at, top), sheet.across(at + part, top));
                sheet.bar(from, to, BAR, colour);
                if *part >= top * PART_LABELLED_MIN {
                    let ink = if ["#0072B2", "#D55E00"].contains(colour) { "#fff" } else { "#000" };
                    sheet.text((from + to) / 2.0, BAR * 0.72, "middle", ink, &number(*part));
                }
                at += part;
            }
            sheet.down(BAR + 5.0);
        }
        sheet.down(10.0);
    }
    sheet.finish()
}

/// Groups of bars, one bar for each of the series, with intervals as lines.
#[must_use]
pub fn grouped(caption: Caption<'_>, series: &[String], groups: &[(String, Vec<Value>)]) -> String {
    let ends = groups.iter().flat_map(|(_, values)| values);
    let ends = ends.map(|value| value.interval.map_or(value.value, |(_, high)| high));
    let top = ends.fold(0.0_f64, f64::max);
    let mut sheet = Sheet::new(caption);
    sheet.legend(series);
    for (name, values) in groups {
        sheet.name(name, THIN * values.len() as f64);
        for (value, colour) in values.iter().zip(COLOURS.iter().cycle()) {
            let to = sheet.across(value.value, top);
            sheet.bar(LEFT, to, THIN - 2.0, colour);
            let mut end = to;
            if let Some((low, high)) = value.interval {
                let (low, high) = (sheet.across(low, top), sheet.across(high, top));
                sheet.whisker(low, high, (THIN - 2.0) / 2.0);
                end = end.max(high);
            }
            sheet.text(end + 5.0, THIN * 0.75, "start", "#000", &number(value.value));
            sheet.down(THIN);
        }
        sheet.down(9.0);
    }
    sheet.finish()
}

/// Bars on both sides of a middle value, in the order given.
#[must_use]
pub fn tornado(caption: Caption<'_>, middle: f64, blades: &[Blade]) -> String {
    let top = blades.iter().flat_map(|blade| [blade.low, blade.high]).fold(middle, f64::max);
    let mut sheet = Sheet::new(caption);
    let series = ["first end named".to_owned(), "second end named".to_owned()];
    sheet.legend(&series);
    let start = sheet.at;
    for blade in blades {
        sheet.name(&blade.name, BAR);
        let [low, high, mid] = [blade.low, blade.high, middle].map(|v| sheet.across(v, top));
        for (end, value, colour) in [(low, blade.low, COLOURS[0]), (high, blade.high, COLOURS[1])] {
            sheet.bar(end.min(mid), end.max(mid), BAR, colour);
            if (end - mid).abs() > 1.0 {
                let (at, anchor) =
                    if end < mid { (end - 4.0, "end") } else { (end + 4.0, "start") };
                sheet.text(at, BAR * 0.72, anchor, "#000", &number(value));
            }
        }
        sheet.down(BAR + 6.0);
    }
    let mid = sheet.across(middle, top);
    sheet.upright(mid, start, sheet.at);
    sheet.text(mid, 12.0, "middle", "#000", &format!("as assumed: {}", number(middle)));
    sheet.down(LINE);
    sheet.finish()
}

/// Whole numbers from 100, else with one decimal.
fn number(value: f64) -> String {
    if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.1}") }
}

/// An SVG being written from top to bottom.
struct Sheet<'a> {
    caption: Caption<'a>,
    body: String,
    at: f64,
}

impl<'a> Sheet<'a> {
    fn new(caption: Caption<'a>) -> Self {
        let mut sheet = Self { caption, body: String::new(), at: 14.0 };
        sheet.text_at(16.0, 14.0, "start", "#000", caption.title, " font-size=\"17\"");
        sheet.down(LINE + 4.0);
        sheet.text(16.0, 8.0, "start", "#555", caption.unit);
        sheet.down(LINE);
        sheet
    }

    fn down(&mut self, by: f64) {
        self.at += by;
    }

    /// Where a value lies; 0 is at the left of the bars.
    fn across(&self, value: f64, top: f64) -> f64 {
        let share = if top > 0.0 { value / top } else { 0.0 };
        LEFT + share * (WIDTH - LEFT - RIGHT)
    }

    // Writing to a String cannot fail; the results of `write!` below are dropped for that reason.

    fn bar(&mut self, from: f64, to: f64, height: f64, colour: &str) {
        let (y, width) = (self.at, (to - from).max(0.0));
        let _ = writeln!(
            self.body,
            "<rect x=\"{from:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" \
             fill=\"{colour}\"/>"
        );
    }

    fn whisker(&mut self, low: f64, high: f64, below: f64) {
        let y = self.at + below;
        let (top, bottom) = (y - 3.0, y + 3.0);
        let _ = writeln!(
            self.body,
            "<path d=\"M{low:.1} {top:.1}V{bottom:.1}M{low:.1} {y:.1}H{high:.1}M{high:.1} \
             {top:.1}V{bottom:.1}\" stroke=\"#000\" fill=\"none\"/>"
        );
    }

    fn upright(&mut self, x: f64, from: f64, to: f64) {
        let _ = writeln!(
            self.body,
            "<path d=\"M{x:.1} {from:.1}V{to:.1}\" stroke=\"#000\" stroke-dasharray=\"4 3\"/>"
        );
    }

    fn text(&mut self, x: f64, below: f64, anchor: &str, ink: &str, text: &str) {
        self.text_at(x, below, anchor, ink, text, "");
    }

    fn text_at(&mut self, x: f64, below: f64, anchor: &str, ink: &str, text: &str, more: &str) {
        let (y, text) = (self.at + below, escaped(text));
        let _ = writeln!(
            self.body,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"{ink}\"{more}>{text}\
             </text>"
        );
    }

    /// The name of a bar or group of this height.
    fn name(&mut self, name: &str, height: f64) {
        self.text(LEFT - 8.0, height / 2.0 + 4.5, "end", "#000", name);
    }

    fn heading(&mut self, heading: &str) {
        if !heading.is_empty() {
            self.text_at(16.0, 10.0, "start", "#000", heading, " font-weight=\"bold\"");
            self.down(LINE);
        }
    }

    /// Names of the series with their colours, in rows of three.
    fn legend(&mut self, series: &[String]) {
        for row in series.iter().zip(COLOURS.iter().cycle()).collect::<Vec<_>>().chunks(3) {
            for ((name, colour), place) in row.iter().zip(0_u8..) {
                let x = 16.0 + f64::from(place) * 280.0;
                self.bar(x, x + 12.0, 12.0, colour);
                self.text(x + 18.0, 10.5, "start", "#000", name);
            }
            self.down(LINE - 2.0);
        }
        self.down(4.0);
    }

    fn finish(self) -> String {
        let (height, body) = (self.at + 10.0, self.body);
        let (title, description) = (escaped(self.caption.title), escaped(self.caption.description));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH:.0} {height:.0}\" \
             width=\"{WIDTH:.0}\" height=\"{height:.0}\" role=\"img\" font-family=\"sans-serif\" \
             font-size=\"12\">\n<title>{title}</title>\n<desc>{description}</desc>\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n{body}</svg>\n"
        )
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAPTION: Caption<'_> = Caption { title: "a < b", description: "d & e", unit: "u" };

    #[test]
    fn widths_follow_values_and_text_cannot_break_out() {
        let bars = vec![("one".to_owned(), vec![1.0, 3.0]), ("two".to_owned(), vec![2.0, 0.0])];
        let stack =
            Stack { heading: String::new(), series: vec!["<x>".to_owned(), "y".to_owned()], bars };
        let svg = stacked(CAPTION, &[stack]);
        assert!(svg.contains("a &lt; b") && svg.contains("d &amp; e") && svg.contains("&lt;x&gt;"));
        for width in ["125.0", "375.0", "250.0"] {
            assert!(svg.contains(&format!("width=\"{width}\" height=\"20.0\"")), "{svg}");
        }
    }

    #[test]
    fn a_tornado_stands_on_both_sides_of_its_middle() {
        let blade = Blade { name: "it".to_owned(), low: 5.0, high: 10.0 };
        let svg = tornado(CAPTION, 8.0, &[blade]);
        assert!(svg.contains("x=\"680.0\" y=") && svg.contains("x=\"830.0\" y="), "{svg}");
        assert!(svg.contains("as assumed: 8.0"));
    }
}
