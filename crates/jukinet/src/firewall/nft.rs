//! A plan in the language of nftables: one table of our own, dropped and made anew by each load, so
//! that loading twice is loading once. Nothing else on the machine is touched; what other tables
//! drop stays dropped.

use std::fmt::{self, Display, Formatter};

use super::{Opening, Plan};

/// Dropped packets written to the kernel's log: enough to be noticed, too few to fill a disk.
const LOG_RATE: &str = "10/minute";

/// A plan as `nft -f` reads it.
#[derive(Clone, Copy, Debug)]
pub struct Ruleset<'p>(pub &'p Plan);

impl Display for Ruleset<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Plan { node, directory, incoming, outgoing } = self.0;
        writeln!(f, "# {node}: what its machine lets through. Everything else is dropped.")?;
        match directory {
            Some(serial) => writeln!(f, "# Made from directory {serial}; make it anew with each.")?,
            None => writeln!(f, "# A terminal: its server alone.")?,
        }
        writeln!(f, "# The first two lines empty the table, so that it can be loaded again.")?;
        writeln!(f, "table inet jukinet")?;
        writeln!(f, "delete table inet jukinet")?;
        writeln!(f, "table inet jukinet {{")?;
        writeln!(f, "\tcounter refused_in {{ }}")?;
        writeln!(f, "\tcounter refused_out {{ }}")?;
        let v6 = incoming.iter().chain(outgoing).any(|opening| !opening.peer.is_v4());
        chain(f, Side::In, incoming, outgoing, v6)?;
        chain(f, Side::Out, outgoing, incoming, v6)?;
        writeln!(f, "\n\tchain through {{")?;
        writeln!(f, "\t\ttype filter hook forward priority filter; policy drop;")?;
        writeln!(f, "\t}}\n}}")
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    In,
    Out,
}

/// `opened`: by whoever is at the other end of this side; `answered`: what goes back over
/// connections of the other side. An open connection of a peer that is no longer listed is dropped
/// with its next packet.
fn chain(
    f: &mut Formatter<'_>,
    side: Side,
    opened: &[Opening],
    answered: &[Opening],
    v6: bool,
) -> fmt::Result {
    let (name, hook, interface, peer, refused) = match side {
        Side::In => ("incoming", "input", "iif", "saddr", "refused_in"),
        Side::Out => ("outgoing", "output", "oif", "daddr", "refused_out"),
    };
    writeln!(f, "\n\tchain {name} {{")?;
    writeln!(f, "\t\ttype filter hook {hook} priority filter; policy drop;")?;
    writeln!(f, "\t\t{interface} \"lo\" accept")?;
    writeln!(f, "\t\tct state invalid counter name \"{refused}\" drop")?;
    // Without it a path with a smaller packet size hangs.
    writeln!(f, "\t\tct state related meta l4proto {{ icmp, ipv6-icmp }} accept")?;
    if v6 {
        let kinds = "{ nd-neighbor-solicit, nd-neighbor-advert }";
        writeln!(f, "\t\ticmpv6 type {kinds} ip6 hoplimit 255 accept")?;
    }
    for Opening { peer: other, port, why } in opened {
        let family = if other.is_v4() { "ip" } else { "ip6" };
        let states = "ct state { new, established }";
        writeln!(
            f,
            "\t\t{family} {peer} {other} tcp dport {port} {states} accept comment \"{why}\""
        )?;
    }
    for Opening { peer: other, port, why } in answered {
        let family = if other.is_v4() { "ip" } else { "ip6" };
        writeln!(
            f,
            "\t\t{family} {peer} {other} tcp sport {port} ct state established accept comment \
             \"{why}\""
        )?;
    }
    writeln!(f, "\t\tlimit rate {LOG_RATE} log prefix \"jukinet {refused}: \"")?;
    writeln!(f, "\t\tcounter name \"{refused}\" drop")?;
    writeln!(f, "\t}}")
}
