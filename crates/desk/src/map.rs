//! Where the nodes of the network stand on the map (N20): center in the middle, then exchanges,
//! prefectures and agencies, then municipalities, each within the sector of the node above it.
//!
//! Pure geometry: numbers in, numbers out. The drawing is the template's, the words the catalog's.

use std::collections::BTreeMap;
use std::f64::consts::TAU;

use crate::backend::NodeView;

pub(crate) const WIDTH: f64 = 1200.0;
pub(crate) const HEIGHT: f64 = 760.0;
/// Rings of the ellipse, by depth, as shares of the half axes.
pub(crate) const RINGS: [f64; 4] = [0.0, 0.39, 0.78, 1.0];
pub(crate) const HALF_WIDTH: f64 = 496.0;
pub(crate) const HALF_HEIGHT: f64 = 336.0;
/// With more nodes than this on the outermost levels, labels would cover each other: dots instead.
const LABELED_LEAVES_MAX: usize = 16;
/// The middle of the first sector points straight up: there stands the national exchange.
const UPWARD: f64 = -0.25;

/// A node with its place. `at` is the index in the input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Placed {
    pub(crate) at: usize,
    pub(crate) depth: usize,
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) parent: Option<usize>,
}

/// The whole map.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) placed: Vec<Placed>,
    /// Small enough to write names?
    pub(crate) labeled: bool,
}

struct Tree {
    children: BTreeMap<usize, Vec<usize>>,
    root: usize,
}

/// Terminals and feeds stand inside a site and are not on the map; the table has them.
pub(crate) fn on_map(role: &str) -> bool {
    !matches!(role, "terminal" | "feed")
}

/// Lays out the nodes. Without a center there is no map.
pub(crate) fn layout(nodes: &[NodeView]) -> Option<Layout> {
    let root = nodes.iter().position(|node| node.role == "center")?;
    let mut children: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (at, node) in nodes.iter().enumerate() {
        if at != root && on_map(&node.role) {
            children.entry(parent(nodes, node, root)).or_default().push(at);
        }
    }
    let tree = Tree { children, root };
    let mut placed = Vec::new();
    let first = tree.children.get(&root).and_then(|children| children.first());
    let share = first.map_or(0.0, |first| weight(&tree, *first) / weight(&tree, root));
    let start = UPWARD - share / 2.0;
    place(
        &tree,
        Placed { at: root, depth: 0, x: 0.0, y: 0.0, parent: None },
        (start, 1.0),
        &mut placed,
    );
    let leaves = placed.iter().filter(|placed| !tree.children.contains_key(&placed.at)).count();
    Some(Layout { placed, labeled: leaves <= LABELED_LEAVES_MAX })
}

/// A municipality stands below its prefecture (the first two digits of its code), everything else
/// below its exchange, and what has neither directly below the center. An exchange never stands
/// below another node than the center, so the tree has no cycle.
fn parent(nodes: &[NodeView], node: &NodeView, root: usize) -> usize {
    if node.role == "exchange" {
        return root;
    }
    let prefecture = (node.role == "municipality").then(|| node.id.split_once('-')).flatten();
    let prefecture = prefecture.and_then(|(_, code)| code.get(..2));
    let named = |id: &str| nodes.iter().position(|other| other.id == id && other.id != node.id);
    prefecture
        .and_then(|code| named(&format!("prefecture-{code}")))
        .or_else(|| node.exchange.as_deref().and_then(named))
        .unwrap_or(root)
}

fn weight(tree: &Tree, at: usize) -> f64 {
    let below: f64 =
        tree.children.get(&at).into_iter().flatten().map(|child| weight(tree, *child)).sum();
    below.max(1.0)
}

/// `sector` is (start, share) of a full turn.
fn place(tree: &Tree, mut here: Placed, sector: (f64, f64), placed: &mut Vec<Placed>) {
    let (start, share) = sector;
    let ring = RINGS.get(here.depth).copied().unwrap_or(1.0);
    let angle = (start + share / 2.0) * TAU;
    let middle = here.at == tree.root;
    here.x = WIDTH / 2.0 + if middle { 0.0 } else { angle.cos() * ring * HALF_WIDTH };
    here.y = HEIGHT / 2.0 + if middle { 0.0 } else { angle.sin() * ring * HALF_HEIGHT };
    placed.push(here);
    let total = weight(tree, here.at);
    let mut from = start;
    // A role table of depth 4 cannot happen (see `parent`); a hostile list cannot recurse deeper.
    for child in tree.children.get(&here.at).into_iter().flatten().filter(|_| here.depth < 3) {
        let part = share * weight(tree, *child) / total;
        let next =
            Placed { at: *child, depth: here.depth + 1, x: 0.0, y: 0.0, parent: Some(here.at) };
        place(tree, next, (from, part), placed);
        from += part;
    }
}

#[cfg(test)]
mod tests {
    use crate::backend::NodeState;

    use super::*;

    fn node(id: &str, exchange: Option<&str>) -> NodeView {
        let role = id.split('-').next().unwrap_or("");
        NodeView {
            id: id.into(),
            role: role.into(),
            name: id.into(),
            exchange: exchange.map(str::to_owned),
            last_seen_ms: None,
            queued: 0,
            residents: 0,
            entries: 0,
            state: NodeState::Working,
        }
    }

    fn country() -> Vec<NodeView> {
        vec![
            node("center", Some("exchange-national")),
            node("exchange-national", None),
            node("exchange-13", None),
            node("prefecture-13", Some("exchange-13")),
            node("municipality-132152", Some("exchange-13")),
            node("agency-1", Some("exchange-national")),
            node("terminal-agency-1", Some("exchange-national")),
        ]
    }

    #[test]
    fn the_center_is_in_the_middle_and_levels_lie_outward() {
        let nodes = country();
        let layout = layout(&nodes).unwrap();
        assert_eq!(layout.placed.len(), 6, "the terminal is not on the map");
        let depth = |id: &str| {
            let found = layout.placed.iter().find(|placed| nodes[placed.at].id == id);
            found.map(|placed| placed.depth)
        };
        assert_eq!(depth("center"), Some(0));
        assert_eq!(depth("exchange-13"), Some(1));
        assert_eq!(depth("prefecture-13"), Some(2));
        assert_eq!(depth("agency-1"), Some(2));
        assert_eq!(depth("municipality-132152"), Some(3));
        let center = layout.placed[0];
        assert!((center.x, center.y) == (WIDTH / 2.0, HEIGHT / 2.0));
    }

    #[test]
    fn everything_stays_on_the_sheet_even_with_a_whole_country() {
        let mut nodes = vec![node("center", None)];
        for prefecture in 1..=47 {
            nodes.push(node(&format!("exchange-{prefecture:02}"), None));
            nodes.push(node(
                &format!("prefecture-{prefecture:02}"),
                Some(&format!("exchange-{prefecture:02}")),
            ));
            for municipality in 0..37 {
                nodes.push(node(&format!("municipality-{prefecture:02}{municipality:04}"), None));
            }
        }
        let layout = layout(&nodes).unwrap();
        assert_eq!(layout.placed.len(), nodes.len());
        assert!(!layout.labeled);
        for placed in layout.placed {
            assert!((0.0..=WIDTH).contains(&placed.x) && (0.0..=HEIGHT).contains(&placed.y));
        }
    }

    #[test]
    fn without_a_center_there_is_no_map() {
        assert!(layout(&[node("exchange-13", None)]).is_none());
    }

    #[test]
    fn a_node_that_names_itself_stands_below_the_center() {
        let nodes = vec![node("center", None), node("agency-1", Some("agency-1"))];
        let layout = layout(&nodes).unwrap();
        assert_eq!(layout.placed[1].parent, Some(0));
    }
}
