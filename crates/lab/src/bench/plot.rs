//! Plots of a record as SVG: latency by quantile, the ratio of each pair beside its floor, CPU for
//! 1,000 operations. Pure. White ground, so that they are read in a dark page too; colors that the
//! color-blind can tell apart (Okabe and Ito), and never by color alone: lines of the peer are
//! marked.

use plotters::coord::Shift;
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::prelude::{
    ChartBuilder, Circle, Color as _, DrawingArea, IntoDrawingArea as _, IntoFont as _,
    IntoLogRange as _, LineSeries, PathElement, RGBColor, Rectangle, SVGBackend,
    SeriesLabelPosition, ShapeStyle, TriangleMarker, WHITE,
};
use plotters::style::{BLACK, TextStyle};

use super::record::{Curve, GateKind, Phase, Record};

const SIZE: (u32, u32) = (860, 420);
/// Blue and vermilion; the client in gray.
const OURS: RGBColor = RGBColor(0, 114, 178);
const PEER: RGBColor = RGBColor(213, 94, 0);
const CLIENT: RGBColor = RGBColor(120, 120, 120);
/// For several lines of one side.
const SHADES: [RGBColor; 8] = [
    OURS,
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(230, 159, 0),
    RGBColor(90, 60, 140),
    RGBColor(0, 90, 70),
    RGBColor(70, 70, 70),
];

/// One plot: what it shows, the ending of its file, and its bytes.
pub(crate) struct Plot {
    pub(crate) what: String,
    pub(crate) suffix: &'static str,
    pub(crate) svg: String,
}

/// All plots that this record has figures for.
pub(crate) fn plots(record: &Record) -> Result<Vec<Plot>, String> {
    let made = [
        ("latency", "latency by quantile", latency(record)),
        ("ratios", "the ratio of each pair", ratios(record)),
        ("cpu", "CPU seconds for 1,000 operations", cpu(record)),
    ];
    let mut plots = Vec::new();
    for (suffix, what, svg) in made {
        if let Some(svg) = svg.map_err(|error| error.to_string())? {
            plots.push(Plot { what: format!("{}: {what}", record.id), suffix, svg });
        }
    }
    Ok(plots)
}

type Drawn = Result<Option<String>, Box<dyn std::error::Error>>;
type Area<'s> = DrawingArea<SVGBackend<'s>, Shift>;

fn small() -> TextStyle<'static> {
    TextStyle::from(("sans-serif", 13).into_font()).color(&BLACK)
}

fn title<'s>(area: &Area<'s>, text: &str) -> Result<Area<'s>, Box<dyn std::error::Error>> {
    area.fill(&WHITE)?;
    Ok(area.titled(text, ("sans-serif", 17))?)
}

/// Milliseconds over the quantile, whose axis gives each further nine the same room.
fn latency(record: &Record) -> Drawn {
    let lines = lines(record);
    let values = lines.iter().flat_map(|(_, curve, ..)| &curve.points).map(|[_, ms]| *ms);
    let (low, high) =
        values.fold((f64::MAX, 0.0_f64), |(low, high), ms| (low.min(ms), high.max(ms)));
    if lines.is_empty() || high <= 0.0 {
        return Ok(None);
    }
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        let area = title(&area, &format!("{}: latency by quantile", record.id))?;
        let bounds = (low.max(0.01) / 1.3..high * 1.3).log_scale();
        let mut chart = ChartBuilder::on(&area)
            .margin(12)
            .margin_right(36)
            .x_label_area_size(40)
            .y_label_area_size(62)
            .build_cartesian_2d(0.0..4.0, bounds)?;
        chart
            .configure_mesh()
            .x_labels(5)
            .x_label_formatter(&|nines| quantile_label(*nines))
            .y_label_formatter(&|ms| format!("{ms} ms"))
            .x_desc("share of operations that took at most this long")
            .label_style(small())
            .light_line_style(WHITE)
            .draw()?;
        for (label, curve, color, is_peer) in lines {
            let points = curve.points.iter().map(|[quantile, ms]| {
                ((-(1.0 - quantile).max(1e-4).log10()).clamp(0.0, 4.0), ms.max(0.01))
            });
            let points: Vec<(f64, f64)> = points.collect();
            let style = ShapeStyle::from(&color).stroke_width(2);
            chart
                .draw_series(LineSeries::new(points.clone(), style))?
                .label(label)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
            if is_peer {
                let marks = points.iter().step_by(4);
                chart.draw_series(marks.map(|at| TriangleMarker::new(*at, 4, color.filled())))?;
            }
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::LowerRight)
            .background_style(WHITE)
            .label_font(small())
            .draw()?;
        area.present()?;
    }
    Ok(Some(svg))
}

fn quantile_label(nines: f64) -> String {
    match nines.round() {
        0.0 => "0 %".to_owned(),
        1.0 => "90 %".to_owned(),
        2.0 => "99 %".to_owned(),
        3.0 => "99.9 %".to_owned(),
        _ => "99.99 %".to_owned(),
    }
}

/// The curves to be drawn: phases that both sides have, or all of ours.
fn lines(record: &Record) -> Vec<(String, &Curve, RGBColor, bool)> {
    let theirs: &[Curve] = record.peer.as_ref().map_or(&[], |peer| &peer.curves);
    let shared =
        |curve: &&Curve| theirs.is_empty() || theirs.iter().any(|their| their.phase == curve.phase);
    let ours: Vec<&Curve> = record.ours.curves.iter().filter(shared).collect();
    let mut lines = Vec::new();
    for (curve, color) in ours.iter().zip(SHADES) {
        lines.push((format!("ours, {}", curve.phase), *curve, color, false));
    }
    let colors = [PEER, RGBColor(150, 60, 0), RGBColor(240, 150, 90)];
    for (curve, color) in theirs.iter().zip(colors.into_iter().cycle()) {
        lines.push((format!("peer (▲), {}", curve.phase), curve, color, true));
    }
    lines
}

/// A row of marks for each ratio, the line at 1 and the floor.
fn ratios(record: &Record) -> Drawn {
    let Some(ratios) = &record.ratio else { return Ok(None) };
    let pairs = ratios.all.iter().map(|ratio| ratio.pairs.len()).max().unwrap_or(0);
    if pairs == 0 {
        return Ok(None);
    }
    let all = ratios.all.iter().flat_map(|ratio| &ratio.pairs).map(|pair| pair.ratio);
    let floor = record
        .gates
        .iter()
        .find(|gate| gate.kind == GateKind::Floor && gate.unit == "×")
        .map(|gate| gate.bound);
    let (low, high) = all
        .chain(floor)
        .chain([1.0])
        .filter(|ratio| *ratio > 0.0)
        .fold((f64::MAX, 0.0_f64), |(low, high), ratio| (low.min(ratio), high.max(ratio)));
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        let area = title(&area, &format!("{}: ours against the peer, pair by pair", record.id))?;
        let count = u32::try_from(pairs).unwrap_or(1);
        let bounds = (low / 1.3..high * 1.3).log_scale();
        let mut chart = ChartBuilder::on(&area)
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(62)
            .build_cartesian_2d(Whole { count: f64::from(count) }, bounds)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .y_label_formatter(&|ratio| format!("{ratio} ×"))
            .x_desc("pair; above 1 × ours is better")
            .label_style(small())
            .light_line_style(WHITE)
            .draw()?;
        let ends = (0.5, f64::from(count) + 0.5);
        for (at, label, color) in
            std::iter::once((1.0, "equal", BLACK)).chain(floor.map(|floor| (floor, "floor", PEER)))
        {
            let style = ShapeStyle::from(&color).stroke_width(if at > 1.0 { 2 } else { 1 });
            chart
                .draw_series(LineSeries::new([(ends.0, at), (ends.1, at)], style))?
                .label(format!("{label}, {at} ×"))
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
        }
        for (ratio, color) in ratios.all.iter().zip(SHADES.into_iter().cycle()) {
            let points = (1_u32..).zip(&ratio.pairs);
            let points: Vec<(f64, f64)> =
                points.map(|(at, pair)| (f64::from(at), pair.ratio.max(low))).collect();
            chart.draw_series(LineSeries::new(points.clone(), ShapeStyle::from(&color)))?;
            chart
                .draw_series(points.iter().map(|at| Circle::new(*at, 4, color.filled())))?
                .label(ratio.label.clone())
                .legend(move |(x, y)| Circle::new((x + 9, y), 4, color.filled()));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::MiddleRight)
            .background_style(WHITE)
            .label_font(small())
            .draw()?;
        area.present()?;
    }
    Ok(Some(svg))
}

/// An axis that is marked at the whole numbers up to `count`, with room for the legend after them.
struct Whole {
    count: f64,
}

/// How much of the axis the pairs take; the legend has the rest.
const PAIRS_SHARE: f64 = 0.55;

impl Ranged for Whole {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let share = (value - 0.5) / self.count.max(1.0) * PAIRS_SHARE;
        let wide = f64::from(limit.1 - limit.0) * share;
        #[allow(clippy::cast_possible_truncation, reason = "pixels of a plot")]
        let pixels = wide.round() as i32;
        limit.0 + pixels
    }

    fn key_points<H: KeyPointHint>(&self, _: H) -> Vec<f64> {
        let mut at = 1.0;
        std::iter::from_fn(|| {
            let point = (at <= self.count).then_some(at);
            at += 1.0;
            point
        })
        .collect()
    }

    fn range(&self) -> std::ops::Range<f64> {
        0.5..self.count / PAIRS_SHARE + 0.5
    }
}

impl ValueFormatter<f64> for Whole {
    fn format(value: &f64) -> String {
        format!("{value:.0}")
    }
}

/// One bar of the CPU plot.
struct Bar {
    label: String,
    side: f64,
    client: f64,
    color: RGBColor,
}

/// Horizontal bars: a side's processes, then the client, each with its number.
fn cpu(record: &Record) -> Drawn {
    let mut bars = bars("ours", &record.ours.phases, OURS);
    if let Some(peer) = &record.peer {
        bars.extend(self::bars("peer", &peer.phases, PEER));
    }
    bars.sort_by(|one, two| phase_of(&one.label).cmp(phase_of(&two.label)));
    let most = bars.iter().map(|bar| bar.side + bar.client).fold(0.0, f64::max);
    if bars.is_empty() || most <= 0.0 {
        return Ok(None);
    }
    let count = u32::try_from(bars.len()).unwrap_or(1);
    let height = 90 + 30 * count;
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (SIZE.0, height)).into_drawing_area();
        let what = format!("{}: CPU seconds for 1,000 operations (gray: the client)", record.id);
        let area = title(&area, &what)?;
        let mut chart = ChartBuilder::on(&area)
            .margin(12)
            .x_label_area_size(30)
            .y_label_area_size(4)
            .build_cartesian_2d(0.0..most * 1.12, 0.0..f64::from(count))?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .disable_y_axis()
            .label_style(small())
            .light_line_style(WHITE)
            .draw()?;
        for (place, bar) in (0_u32..).zip(bars.iter().rev()) {
            let low = f64::from(place) + 0.08;
            let (end, both) = (bar.side, bar.side + bar.client);
            let mine = Rectangle::new([(0.0, low), (end, low + 0.4)], bar.color.filled());
            let clients = Rectangle::new([(end, low), (both, low + 0.4)], CLIENT.filled());
            chart.draw_series([mine, clients])?;
            let text = format!("{}: {:.3} and {:.3}", bar.label, bar.side, bar.client);
            let at = (0.0, low + 0.82);
            chart.draw_series(std::iter::once(plotters::element::Text::new(text, at, small())))?;
        }
        area.present()?;
    }
    Ok(Some(svg))
}

fn phase_of(label: &str) -> &str {
    label.split_once(", ").map_or(label, |(_, phase)| phase)
}

/// Medians over the pairs.
fn bars(side: &str, phases: &[Phase], color: RGBColor) -> Vec<Bar> {
    let mut names: Vec<&str> = Vec::new();
    for phase in phases.iter().filter(|phase| phase.cpu.is_some()) {
        if !names.contains(&phase.name.as_str()) {
            names.push(&phase.name);
        }
    }
    let bar = |name: &str| {
        let cpu = phases.iter().filter(|it| it.name == name).filter_map(|it| it.cpu.as_ref());
        let (mut sides, mut clients): (Vec<f64>, Vec<f64>) =
            cpu.map(|cpu| (cpu.side, cpu.client)).unzip();
        sides.sort_by(f64::total_cmp);
        clients.sort_by(f64::total_cmp);
        let middle = |list: &[f64]| list.get(list.len() / 2).copied().unwrap_or(0.0);
        let label = format!("{side}, {name}");
        Bar { label, side: middle(&sides), client: middle(&clients), color }
    };
    names.into_iter().map(bar).collect()
}
