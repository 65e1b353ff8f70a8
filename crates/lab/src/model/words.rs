//! Messages and kept rows in words: what of them makes a difference. Times of day and numbers of
//! calls do not, so that two ways to the same place are seen as one.

use std::hash::{DefaultHasher, Hash, Hasher};

use law::change::ChangeNotice;
use law::inquiry::Held;
use node::ports::{Counter, Reads, Space};
use wire::{
    Arrival, Departure, NodeId, RelayedNotice, ReleaseBody, Reply, Request, SetAsideNotice,
    SignedRelease, WaitingNotices,
};

use super::scene;
use crate::swarm::country::PLACES;

/// One number for what was said; the same in every run.
pub(super) fn key_of(words: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    words.hash(&mut hasher);
    hasher.finish()
}

/// `None`: nothing that this model carries.
pub(super) fn request(request: &Request) -> Option<String> {
    match request {
        Request::Notices(batch) => {
            let rows: Vec<String> = batch.notices.iter().map(relayed).collect();
            Some(format!("notices from {}: {}", batch.first_sequence, rows.join("; ")))
        }
        Request::MoveClaim(claim) => {
            Some(format!("claim from {} to {}", claim.from.as_str(), claim.to.as_str()))
        }
        _ => None,
    }
}

/// `None`: nothing that this model carries. "Not now" is as good as silence: both are asked again.
pub(super) fn reply(reply: &Reply) -> Option<String> {
    match reply {
        Reply::NoticeAck { applied, set_aside } => {
            let aside: Vec<String> =
                set_aside.iter().map(|one| format!("{} {}", one.sequence, one.rule)).collect();
            Some(format!("applied up to {applied}, set aside: [{}]", aside.join(", ")))
        }
        Reply::MoveReleased(word) => Some(release(word)),
        Reply::MoveRefused => Some("not released".to_owned()),
        _ => None,
    }
}

pub(super) fn release(word: &SignedRelease) -> String {
    let Ok(body) = ReleaseBody::decode(&word.body) else { return "an unreadable release".into() };
    let message = SignedRelease::signing_bytes(&word.body);
    let signed = token::verify::p256(&word.public_key, &message, &word.signature);
    let (from, to) = (body.from.as_str(), body.to.as_str());
    let by = token::verify::pin(&word.public_key);
    let by: String = by.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("release from {from} to {to} on {} by {by}, signed: {signed}", body.left_on)
}

fn notice(notice: &ChangeNotice) -> String {
    let (reason, on) = (notice.reason.key(), notice.changed_on);
    format!("{reason} on {on} at {}", notice.record.municipality.as_str())
}

pub(super) fn relayed(row: &RelayedNotice) -> String {
    let word = row.release.as_ref().map_or_else(|| "no release".to_owned(), release);
    format!("{} {} {}, {word}", row.municipality.as_str(), row.sequence, notice(&row.notice))
}

fn held(held: &Held) -> String {
    let change = held.change.as_ref();
    let change = change.map_or_else(String::new, |c| format!("{} on {}", c.reason.key(), c.on));
    let removed = if held.removed { "removed" } else { "current" };
    format!("{removed} at {} by {change}", held.identity.municipality.as_str())
}

fn aside(row: &SetAsideNotice) -> String {
    format!("{} {} {}: {}", row.from, row.sequence, row.rule, relayed(&row.notice))
}

/// Everything durable of one node that makes a difference, line by line.
pub(super) fn kept(reads: &dyn Reads, municipality: bool) -> Option<Vec<String>> {
    let code = scene::code()?;
    let key = code.expose().as_bytes();
    let mut lines = Vec::new();
    for (_, row) in reads.residents_after(0, 16).ok()? {
        lines.push(held(&row));
    }
    for row in reads.history(&code, 64).ok()? {
        lines.push(format!("before {} on {}: {}", row.reason.key(), row.on, held(&row.before)));
    }
    for (node, _) in PLACES.iter().take(7) {
        let node = NodeId::parse(node).ok()?;
        let (acknowledged, last) = reads.queue_bounds(&node).ok()?;
        if last > 0 {
            lines.push(format!("queue for {node}: {acknowledged} of {last}"));
        }
        for (sequence, payload) in reads.queued(&node, acknowledged, 64).ok()? {
            lines.push(format!("  {sequence} {}", relayed(&RelayedNotice::decode(&payload).ok()?)));
        }
        let applied = reads.counter(&Counter::AppliedFrom(node.clone())).ok()?;
        if applied > 0 {
            lines.push(format!("applied from {node}: {applied}"));
        }
    }
    if let Some(bytes) = reads.fact(Space::Arrival, key).ok()? {
        if municipality {
            let one = Arrival::decode(&bytes).ok()?;
            let former = one.former.as_str();
            lines.push(format!("arrival from {former}, refused: {}", one.refused));
            lines.push(notice(&one.notice));
        } else {
            let early = WaitingNotices::decode(&bytes).ok()?;
            lines.extend(early.notices.iter().map(|row| format!("waits: {}", aside(row))));
        }
    }
    if let Some(bytes) = reads.fact(Space::Departure, key).ok()? {
        let one = Departure::decode(&bytes).ok()?;
        lines.push(format!("departure to {}, confirmed: {}", one.to.as_str(), one.confirmed));
    }
    let others = Space::ALL
        .into_iter()
        .filter(|space| !matches!(space, Space::Arrival | Space::Departure | Space::SetAside));
    for space in others {
        for place in scene::A..=scene::CHEAT {
            let town = scene::town(place)?;
            let key = [key, town.as_str().as_bytes()].concat();
            if reads.fact(space, &key).ok()?.is_some() {
                lines.push(format!("{} {}", space.key(), town.as_str()));
            }
        }
    }
    for (_, bytes) in reads.facts(Space::SetAside, None, 64).ok()? {
        lines.push(format!("aside: {}", aside(&SetAsideNotice::decode(&bytes).ok()?)));
    }
    Some(lines)
}
