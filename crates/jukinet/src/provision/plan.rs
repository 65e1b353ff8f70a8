//! Which nodes a country has, where they listen and through which exchange they speak.
//! Not their keys: the plan is what could be printed in a newspaper.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use law::AgencyCode;
use law::affair::{self, Epoch};
use law::code::{CodeError, LocalGovernmentCode, PrefectureCode};
use law::organ::Organ;
use law::time::{Date, DateError, Timestamp};
use wire::{NodeId, NodeIdError, Role};

/// Days before the ceremony from which cards and agreements count, so that no clock is too slow.
const TERM_DAYS_BEFORE: i64 = 1;
/// Days after it until which they count.
const TERM_DAYS_AFTER: i64 = 365;

#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    #[error("the plan needs {needed} ports and has {given}; hand in more free ports")]
    Ports { needed: usize, given: usize },
    #[error("a node has no lawful name: {0}")]
    Name(#[from] NodeIdError),
    #[error("the plan has no center with an exchange in front of it")]
    NoCenter,
    #[error("the appended tables name no recipient {0}; choose another agency")]
    NoAgency(&'static str),
    #[error("a code of the plan is wrong: {0}")]
    Code(#[from] CodeError),
}

/// A country to be made.
#[derive(Clone, Debug)]
pub struct Plan {
    pub prefectures: Vec<PrefecturePlan>,
    pub agencies: Vec<AgencyPlan>,
    pub epoch: Epoch,
    /// The moment of the ceremony: the first directory counts ten minutes from here.
    pub now: Timestamp,
    /// Where everything listens; loopback in the demonstration.
    pub host: IpAddr,
    /// Free ports, at least [`Plan::ports_needed`], used in order.
    pub ports: Vec<u16>,
    /// "default" or "cryptrec-strict".
    pub tls_profile: &'static str,
}

#[derive(Clone, Debug)]
pub struct PrefecturePlan {
    pub code: PrefectureCode,
    pub municipalities: Vec<LocalGovernmentCode>,
}

#[derive(Clone, Debug)]
pub struct AgencyPlan {
    /// `agency-1`: an agency's server is named by number, its organ by the tables.
    pub name: String,
    pub code: AgencyCode,
}

impl Plan {
    /// The demonstration: Tokyo with 国立市 and 三鷹市, Nagano with 松本市 and 安曇野市, the pension
    /// agency and the ministry that pays 恩給.
    pub fn demo(ports: Vec<u16>, now: Timestamp) -> Result<Self, PlanError> {
        let municipalities = ["132152", "132047", "202029", "202207"];
        let municipalities = municipalities.map(LocalGovernmentCode::parse);
        Self::of(&municipalities.into_iter().collect::<Result<Vec<_>, _>>()?, ports, now)
    }

    /// These municipalities under their prefectures, the agencies of the demonstration, one center.
    pub fn of(
        municipalities: &[LocalGovernmentCode],
        ports: Vec<u16>,
        now: Timestamp,
    ) -> Result<Self, PlanError> {
        let mut prefectures: Vec<PrefecturePlan> = Vec::new();
        for municipality in municipalities {
            let code = municipality.prefecture();
            match prefectures.iter_mut().find(|prefecture| prefecture.code == code) {
                // Named twice is one all the same.
                Some(prefecture) if prefecture.municipalities.contains(municipality) => {}
                Some(prefecture) => prefecture.municipalities.push(*municipality),
                None => {
                    let municipalities = vec![*municipality];
                    prefectures.push(PrefecturePlan { code, municipalities });
                }
            }
        }
        let epoch = Epoch::Founding;
        let agency = |name: &str, recipient: &'static str| {
            let found = affair::agencies(epoch).into_iter().find(|each| each.name == recipient);
            let code = found.ok_or(PlanError::NoAgency(recipient))?.code;
            Ok::<_, PlanError>(AgencyPlan { name: name.to_owned(), code })
        };
        Ok(Self {
            prefectures,
            agencies: vec![
                agency("agency-1", "厚生労働省及び日本年金機構")?,
                agency("agency-2", "総務省")?,
            ],
            epoch,
            now,
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            ports,
            tls_profile: "default",
        })
    }

    /// Ports of the demonstration's listeners and desks.
    #[must_use]
    pub fn ports_needed(&self) -> usize {
        let municipalities: usize =
            self.prefectures.iter().map(|each| each.municipalities.len()).sum();
        let organs = 1 + self.prefectures.len() + municipalities + self.agencies.len();
        let exchanges = 1 + self.prefectures.len();
        // Every organ has a server and a desk.
        2 * organs + exchanges
    }

    /// First and last day of cards and agreements.
    pub(super) fn term(&self) -> Result<(Date, Date), DateError> {
        let today = self.now.date_in_japan();
        Ok((today.add_days(-TERM_DAYS_BEFORE)?, today.add_days(TERM_DAYS_AFTER)?))
    }

    pub(super) fn layout(&self) -> Result<Layout, PlanError> {
        let needed = self.ports_needed();
        if self.ports.len() < needed {
            return Err(PlanError::Ports { needed, given: self.ports.len() });
        }
        let mut ports = self.ports.iter().copied();
        let mut address = || SocketAddr::new(self.host, ports.next().unwrap_or(0));
        let mut nodes = Vec::new();
        let national = NodeId::parse("exchange-national")?;
        nodes.push(Node::exchange(national.clone(), address()));
        for prefecture in &self.prefectures {
            let exchange = NodeId::parse(&format!("exchange-{}", prefecture.code))?;
            nodes.push(Node::exchange(exchange, address()));
        }
        let center = Node::organ(NodeId::center(), Organ::Center, "", address(), &national);
        nodes.push(center);
        for agency in &self.agencies {
            let node = NodeId::parse(&agency.name)?;
            let code = agency.code.to_string();
            nodes.push(Node::organ(node, Organ::Agency(agency.code), &code, address(), &national));
        }
        for prefecture in &self.prefectures {
            let exchange = NodeId::parse(&format!("exchange-{}", prefecture.code))?;
            let code = prefecture.code.to_string();
            let node = NodeId::prefecture(prefecture.code);
            let organ = Organ::Prefecture(prefecture.code);
            nodes.push(Node::organ(node, organ, &code, address(), &exchange));
            for code in &prefecture.municipalities {
                let node = NodeId::municipality(code);
                let organ = Organ::Municipality(*code);
                nodes.push(Node::organ(node, organ, code.as_str(), address(), &exchange));
            }
        }
        let mut layout = Layout { nodes, terminals: Vec::new(), feeds: Vec::new() };
        for node in &layout.nodes {
            let Some(organ) = node.organ else { continue };
            let place = node.node.as_str().to_owned();
            let id = NodeId::parse(&format!("terminal-{place}"))?;
            let (server, desk) = (node.node.clone(), address());
            layout.terminals.push(Terminal { place, node: id, organ, server, desk });
            if node.role == Role::Municipality {
                let id = NodeId::parse(&format!("feed-{}", node.code))?;
                layout.feeds.push(Feed { node: id, organ, server: node.node.clone() });
            }
        }
        Ok(layout)
    }
}

/// The plan with names and addresses.
pub(super) struct Layout {
    pub(super) nodes: Vec<Node>,
    pub(super) terminals: Vec<Terminal>,
    pub(super) feeds: Vec<Feed>,
}

pub(super) struct Node {
    pub(super) node: NodeId,
    pub(super) role: Role,
    pub(super) organ: Option<Organ>,
    pub(super) code: String,
    pub(super) address: SocketAddr,
    pub(super) exchange: Option<NodeId>,
}

impl Node {
    fn exchange(node: NodeId, address: SocketAddr) -> Self {
        let (role, code) = (Role::Exchange, String::new());
        Self { node, role, organ: None, code, address, exchange: None }
    }

    fn organ(node: NodeId, organ: Organ, code: &str, at: SocketAddr, exchange: &NodeId) -> Self {
        Self {
            node,
            role: crate::config::organ_role(&organ),
            organ: Some(organ),
            code: code.to_owned(),
            address: at,
            exchange: Some(exchange.clone()),
        }
    }
}

#[derive(Clone)]
pub(super) struct Terminal {
    pub(super) place: String,
    pub(super) node: NodeId,
    pub(super) organ: Organ,
    pub(super) server: NodeId,
    pub(super) desk: SocketAddr,
}

#[derive(Clone)]
pub(super) struct Feed {
    pub(super) node: NodeId,
    pub(super) organ: Organ,
    pub(super) server: NodeId,
}
