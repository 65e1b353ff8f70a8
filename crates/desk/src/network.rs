//! N20 ネットワークの状況: the live map of the center and its table twin.
//!
//! It shows states, times and counts; nothing here is about a person.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use crate::backend::{NetworkView, NodeState, NodeView, Refused};
use crate::map::{self, HALF_HEIGHT, HALF_WIDTH, HEIGHT, RINGS, WIDTH};
use crate::page::{Chrome, Desk, Key, Visitor, common_keys, html};
use crate::texts::{Texts, fill};
use crate::{clock, form};

/// The map is current enough when it is this old (N20).
pub(crate) const REFRESH_SECONDS: u64 = 5;

/// A node as the table and the map show it.
struct Row {
    name: String,
    /// The name as far as a card of the map is wide.
    short: String,
    id: String,
    role: &'static str,
    exchange: String,
    state: NodeState,
    state_text: &'static str,
    action: &'static str,
    seen: String,
    queued: String,
    residents: String,
    entries: String,
}

/// A node on the map.
struct Dot {
    x: i64,
    y: i64,
    left: i64,
    top: i64,
    kind: &'static str,
    row: usize,
}

struct Line {
    x1: i64,
    y1: i64,
    x2: i64,
    y2: i64,
    class: &'static str,
}

struct Sheet {
    dots: Vec<Dot>,
    lines: Vec<Line>,
    labeled: bool,
    rings: Vec<(i64, i64)>,
}

#[derive(Template)]
#[template(path = "network.html")]
struct NetworkPage {
    c: Chrome,
    at: String,
    auto: bool,
    refresh: u64,
    trouble: usize,
    rows: Vec<Row>,
    sheet: Option<Sheet>,
    totals: Vec<(&'static str, String)>,
    refused: Option<Refused>,
}

impl NetworkPage {
    /// A map names only indexes that exist; the template asks through here all the same.
    fn row(&self, dot: &Dot) -> Option<&Row> {
        self.rows.get(dot.row)
    }
}

/// `GET /network`
pub(crate) async fn network(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    request: Request,
) -> Response {
    if let Err(response) = desk.operator(&visitor) {
        return *response;
    }
    let query = request.uri().query().unwrap_or("");
    let auto = !form::query(query).any(|(name, value)| name == "auto" && value == "off");
    let t = visitor.lang.texts();
    let c = Chrome::new(
        &desk,
        &visitor,
        common_keys(t, vec![Key::go("F2", t.key_network, "/network")]),
    );
    let refresh = REFRESH_SECONDS;
    let page = match desk.backend.network().await {
        Ok(view) => NetworkPage {
            at: clock::hour_minute_second(view.at),
            auto,
            refresh,
            trouble: view.nodes.iter().filter(|node| node.state != NodeState::Working).count(),
            rows: view.nodes.iter().map(|node| row(t, node, &view)).collect(),
            sheet: sheet(&view),
            totals: totals(t, &view),
            refused: None,
            c,
        },
        Err(refused) => NetworkPage {
            at: clock::hour_minute_second(c.now),
            auto,
            refresh,
            trouble: 0,
            rows: Vec::new(),
            sheet: None,
            totals: Vec::new(),
            refused: Some(refused),
            c,
        },
    };
    html(StatusCode::OK, &page)
}

fn row(t: &'static Texts, node: &NodeView, view: &NetworkView) -> Row {
    let (state_text, action) = match node.state {
        NodeState::Working => (t.state_working, t.act_working),
        NodeState::Late => (t.state_late, t.act_late),
        NodeState::Silent => (t.state_silent, t.act_silent),
        NodeState::Isolated => (t.state_isolated, t.act_isolated),
    };
    let role = match node.role.as_str() {
        "center" => t.role_center,
        "exchange" => t.role_exchange,
        "prefecture" => t.role_prefecture,
        "municipality" => t.role_municipality,
        "agency" => t.role_agency,
        _ => t.role_other,
    };
    Row {
        name: node.name.clone(),
        short: fitted(&node.name),
        id: node.id.clone(),
        role,
        exchange: node.exchange.clone().unwrap_or_else(|| "–".to_owned()),
        state: node.state,
        state_text,
        action,
        seen: clock::ago(t, node.last_seen_ms, view.at),
        queued: thousands(node.queued),
        residents: thousands(node.residents),
        entries: thousands(node.entries),
    }
}

fn totals(t: &'static Texts, view: &NetworkView) -> Vec<(&'static str, String)> {
    let sum = |of: fn(&NodeView) -> u64| {
        thousands(view.nodes.iter().map(of).fold(0, u64::saturating_add))
    };
    // Residents are counted where they live; prefecture and center hold the same people again.
    let residents = |node: &NodeView| if node.role == "municipality" { node.residents } else { 0 };
    vec![
        (t.total_nodes, view.nodes.len().to_string()),
        (t.total_residents, sum(residents)),
        (t.total_entries, sum(|node| node.entries)),
        (t.total_queued, sum(|node| node.queued)),
    ]
}

#[expect(clippy::cast_possible_truncation, reason = "coordinates lie within the sheet")]
fn whole(coordinate: f64) -> i64 {
    coordinate.round() as i64
}

/// Half the size of a labeled card; the template draws the same rectangle.
const CARD_HALF_WIDTH: f64 = 96.0;
const CARD_HALF_HEIGHT: f64 = 27.0;

fn sheet(view: &NetworkView) -> Option<Sheet> {
    let layout = map::layout(&view.nodes)?;
    let mut dots = Vec::new();
    let mut lines = Vec::new();
    for placed in &layout.placed {
        let Some(node) = view.nodes.get(placed.at) else { continue };
        dots.push(Dot {
            x: whole(placed.x),
            y: whole(placed.y),
            left: whole((placed.x - CARD_HALF_WIDTH).clamp(0.0, WIDTH - 2.0 * CARD_HALF_WIDTH)),
            top: whole((placed.y - CARD_HALF_HEIGHT).clamp(0.0, HEIGHT - 2.0 * CARD_HALF_HEIGHT)),
            kind: shape(&node.role),
            row: placed.at,
        });
        let above = layout.placed.iter().find(|above| Some(above.at) == placed.parent);
        if let Some(above) = above {
            lines.push(Line {
                x1: whole(above.x),
                y1: whole(above.y),
                x2: whole(placed.x),
                y2: whole(placed.y),
                class: state_class(node.state),
            });
        }
    }
    let rings = RINGS.into_iter().skip(1);
    let rings = rings.map(|ring| (whole(ring * HALF_WIDTH), whole(ring * HALF_HEIGHT))).collect();
    Some(Sheet { dots, lines, labeled: layout.labeled, rings })
}

/// Half-width characters count half; a card has room for nine and a half full-width ones.
const CARD_NAME_HALVES_MAX: usize = 19;

fn fitted(name: &str) -> String {
    let halves = |c: char| if c.is_ascii() { 1 } else { 2 };
    if name.chars().map(halves).sum::<usize>() <= CARD_NAME_HALVES_MAX {
        return name.to_owned();
    }
    let mut room = CARD_NAME_HALVES_MAX - 2;
    let kept = name.chars().take_while(|c| {
        let fits = halves(*c) <= room;
        room = room.saturating_sub(halves(*c));
        fits
    });
    kept.chain(['…']).collect()
}

fn shape(role: &str) -> &'static str {
    match role {
        "center" => "center",
        "exchange" => "exchange",
        "prefecture" => "prefecture",
        "municipality" => "municipality",
        _ => "agency",
    }
}

const fn state_class(state: NodeState) -> &'static str {
    match state {
        NodeState::Working => "working",
        NodeState::Late => "late",
        NodeState::Silent => "silent",
        NodeState::Isolated => "isolated",
    }
}

impl Row {
    const fn class(&self) -> &'static str {
        state_class(self.state)
    }

    /// Color is never alone: a sign for those who do not see it, the word beside it.
    const fn sign(&self) -> &'static str {
        match self.state {
            NodeState::Working => "✓",
            NodeState::Late => "!",
            NodeState::Silent => "✕",
            NodeState::Isolated => "∥",
        }
    }
}

/// 1234567 → 1,234,567.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

impl NetworkPage {
    fn headline(&self) -> String {
        let t = self.c.t;
        match self.trouble {
            0 => t.all_working.to_owned(),
            1 => t.some_trouble_one.to_owned(),
            more => fill(t.some_trouble, more),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_is_shortened_to_its_card() {
        assert_eq!(fitted("地方公務員共済組合"), "地方公務員共済組合");
        assert_eq!(fitted("地方公務員共済組合連合会"), "地方公務員共済組…");
        assert_eq!(fitted("Japan Pension Service Office"), "Japan Pension Ser…");
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1_234_567), "1,234,567");
    }
}
