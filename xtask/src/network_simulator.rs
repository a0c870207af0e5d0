//! One packet at a time through an AWS network: a walk over concrete addresses that knows no ranges, written from
//! the rules in `docs/reachability.md`, so that it can be held beside `cadastre_network::trace`.

use std::net::IpAddr;

use cadastre_model::asset::network::{
    Destination, Gateway, GatewayKind, NetworkAcl, NetworkInterface, RouteTable, SecurityRule, Subnet,
};
use cadastre_model::inventory::Inventory;
use cadastre_network::trace::Party;
use ipnet::IpNet;

/// How many subnets send a packet on before it is said to go in circles.
const MOST_SENDS: u32 = 12;

/// A packet that opens a connection; addresses are the private ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Opening {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) protocol: u8,
    pub(crate) source_port: u16,
    pub(crate) port: u16,
    /// What a NAT gateway would put in place of the source port.
    pub(crate) translated_port: u16,
}

/// What becomes of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum End {
    Arrives(String),
    Leaves(String),
    /// Stopped by the thing with this id.
    Blocked(String),
    Unknown,
}

/// A packet on the wire.
#[derive(Debug, Clone, Copy)]
struct Wire {
    from: IpAddr,
    to: IpAddr,
    from_port: u16,
    to_port: u16,
    protocol: u8,
}

impl Wire {
    const fn opening(packet: Opening) -> Self {
        Self {
            from: packet.source,
            to: packet.destination,
            from_port: packet.source_port,
            to_port: packet.port,
            protocol: packet.protocol,
        }
    }

    const fn reply(self) -> Self {
        Self {
            from: self.to,
            to: self.from,
            from_port: self.to_port,
            to_port: self.from_port,
            protocol: self.protocol,
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Sender<'i> {
    Host(&'i NetworkInterface),
    Nat(&'i Gateway),
    Transit,
}

/// Where a packet came out.
#[derive(Debug)]
enum Landing<'i> {
    Interface(&'i NetworkInterface),
    /// Beyond a gateway, which it left from a subnet; for a transit gateway, by an attachment too.
    Outside {
        by: String,
        subnet: &'i Subnet,
        sender: Sender<'i>,
        attachment: Option<&'i Gateway>,
    },
}

/// What the connection remembers.
#[derive(Debug)]
struct Connection<'i> {
    opener: Option<&'i NetworkInterface>,
    target: Option<&'i NetworkInterface>,
    /// An end is the internet and nobody else who has the address.
    internet: bool,
    reply: bool,
    sends: u32,
    /// Let out by a rule about a group alone.
    by_group: bool,
    /// Across what it came: `local`, `peering`, `transit`, `gateway`.
    across: &'static str,
}

type Step<T> = Result<T, End>;

fn stopped<T>(at: &str) -> Step<T> {
    Err(End::Blocked(at.to_owned()))
}

/// Simulates packets of one inventory.
#[derive(Debug)]
pub(crate) struct Simulator<'i>(pub(crate) &'i Inventory);

impl<'i> Simulator<'i> {
    /// Opens a connection between two ends.
    pub(crate) fn open(&self, from: &Party, to: &Party, packet: Opening) -> End {
        let find = |party: &Party| match party {
            Party::Interface(id) => self.0.interfaces.iter().find(|interface| interface.id == *id),
            Party::Outside(_) | Party::Internet(_) => None,
        };
        let (opener, target) = (find(from), find(to));
        let internet = matches!(from, Party::Internet(_)) || matches!(to, Party::Internet(_));
        let mut connection =
            Connection { opener, target, internet, reply: false, sends: 0, by_group: false, across: "local" };
        let result = match (opener, target) {
            (Some(opener), _) => self.opened_by_interface(&mut connection, opener, packet),
            (None, Some(target)) => self.opened_from_outside(&mut connection, target, packet),
            (None, None) => Err(End::Unknown),
        };
        match result {
            Ok(end) | Err(end) => end,
        }
    }

    fn opened_by_interface(
        &self,
        connection: &mut Connection<'i>,
        opener: &'i NetworkInterface,
        packet: Opening,
    ) -> Step<End> {
        let asked = Wire::opening(packet);
        self.guarded(&opener.subnet)?;
        connection.by_group = self.let_out(opener, asked)?;
        let subnet = self.subnet(&opener.subnet)?;
        match self.carry(connection, asked, subnet, Sender::Host(opener), packet)? {
            Landing::Interface(interface) => {
                if connection.target.is_some_and(|target| target.id != interface.id) {
                    return stopped(&interface.id);
                }
                self.let_in(connection, interface, asked)?;
                connection.reply = true;
                let subnet = self.subnet(&interface.subnet)?;
                match self.carry(connection, asked.reply(), subnet, Sender::Host(interface), packet)? {
                    Landing::Interface(home) if home.id == opener.id => {
                        Ok(End::Arrives(interface.id.clone()))
                    }
                    Landing::Interface(other) => stopped(&other.id),
                    Landing::Outside { by, .. } => stopped(&by),
                }
            }
            Landing::Outside { by, subnet, sender, attachment } => {
                connection.reply = true;
                let answer = asked.reply();
                match sender {
                    Sender::Host(_) => {
                        self.filter(subnet, false, answer.from, answer.to_port, answer.protocol)?;
                    }
                    Sender::Nat(_) => {
                        self.filter(subnet, false, answer.from, packet.translated_port, answer.protocol)?;
                        self.home(connection, answer, subnet, sender, packet)?;
                    }
                    Sender::Transit if attachment.is_none() => {
                        self.filter(subnet, false, answer.from, answer.to_port, answer.protocol)?;
                        self.home(connection, answer, subnet, sender, packet)?;
                    }
                    Sender::Transit => {
                        let far =
                            self.0.gateways.iter().find(|gateway| gateway.id == by).ok_or(End::Unknown)?;
                        let back = self.transit_route(far, answer.to)?;
                        if attachment.is_none_or(|attachment| attachment.id != back) {
                            return stopped(&far.id);
                        }
                        self.home(connection, answer, subnet, sender, packet)?;
                    }
                }
                Ok(End::Leaves(by))
            }
        }
    }

    /// A reply that came in by a gateway finds its way to the opener.
    fn home(
        &self,
        connection: &mut Connection<'i>,
        answer: Wire,
        subnet: &'i Subnet,
        sender: Sender<'i>,
        packet: Opening,
    ) -> Step<()> {
        match self.carry(connection, answer, subnet, sender, packet)? {
            Landing::Interface(home) if connection.opener.is_some_and(|opener| opener.id == home.id) => {
                Ok(())
            }
            Landing::Interface(other) => stopped(&other.id),
            Landing::Outside { by, .. } => stopped(&by),
        }
    }

    fn opened_from_outside(
        &self,
        connection: &mut Connection<'i>,
        target: &'i NetworkInterface,
        packet: Opening,
    ) -> Step<End> {
        let asked = Wire::opening(packet);
        self.guarded(&target.subnet)?;
        let subnet = self.subnet(&target.subnet)?;
        let table = self.table(subnet)?;
        // Replies leave by the longest route, so this is the only way on which a connection can come in.
        let way = self.route(table, packet.source)?;
        let kind = way.split('-').next().unwrap_or_default();
        let mut stands = subnet;
        match kind {
            "igw" => {
                connection.across = "gateway";
                let gateway = self.gateway(&way)?;
                if gateway.vpc.as_deref() != Some(&target.vpc) {
                    return stopped(&way);
                }
                public_address(target, packet.destination)?;
                if !is_public(packet.source) {
                    return stopped(&way);
                }
                self.edge(&way, packet.destination)?;
            }
            "pcx" => {
                connection.across = "peering";
                let far = self.beyond_peering(&way, &target.vpc, packet.source)?;
                if connection.internet {
                    return stopped(&way);
                }
                if self.0.vpcs.iter().any(|vpc| vpc.id == far) {
                    return Err(End::Unknown);
                }
            }
            "tgw" => {
                connection.across = "transit";
                let attachment = self.attachment(&way, &target.vpc)?;
                stands = self.standing(attachment, &subnet.zone, false)?;
                let far = self.transit_route(attachment, packet.source)?;
                let far = match self.0.gateways.iter().find(|gateway| gateway.id == far) {
                    Some(far) if self.shown(far) && connection.internet => return stopped(&far.id),
                    Some(far) if self.shown(far) || connection.internet => return Err(End::Unknown),
                    Some(far) => far,
                    None => return Err(End::Unknown),
                };
                if self.transit_route(far, packet.destination)? != attachment.id {
                    return stopped(&far.id);
                }
            }
            "vgw" | "lgw" | "cagw" if connection.internet => return Err(End::Unknown),
            "vgw" | "lgw" | "cagw" => connection.across = "transit",
            "nat" | "eigw" => return stopped(&way),
            "vpce" if self.0.endpoints.iter().any(|known| known.id == way && known.kind == "Gateway") => {
                return stopped(&way);
            }
            "local" if connection.internet => return stopped(&target.vpc),
            _ => return Err(End::Unknown),
        }
        if kind == "tgw" {
            if stands.id != subnet.id {
                self.filter(stands, true, asked.to, asked.to_port, asked.protocol)?;
                self.filter(subnet, false, asked.from, asked.to_port, asked.protocol)?;
            }
        } else {
            self.filter(subnet, false, asked.from, asked.to_port, asked.protocol)?;
        }
        self.let_in(connection, target, asked)?;
        let answer = asked.reply();
        self.filter(subnet, true, answer.to, answer.to_port, answer.protocol)?;
        if kind == "tgw" {
            self.filter(stands, false, answer.from, answer.to_port, answer.protocol)?;
        }
        Ok(End::Arrives(target.id.clone()))
    }

    /// Sends a packet on until it lands.
    fn carry(
        &self,
        connection: &mut Connection<'i>,
        wire: Wire,
        first: &'i Subnet,
        first_sender: Sender<'i>,
        packet: Opening,
    ) -> Step<Landing<'i>> {
        let (mut subnet, mut sender) = (first, first_sender);
        loop {
            let table = self.table(subnet)?;
            connection.sends += 1;
            if connection.sends > MOST_SENDS {
                return stopped(&table.id);
            }
            let target = self.route(table, wire.to)?;
            let kind = target.split('-').next().unwrap_or_default();
            if matches!(sender, Sender::Nat(_))
                && !connection.reply
                && !["igw", "eigw", "vpce", "nat"].contains(&kind)
            {
                return Err(End::Unknown);
            }
            match kind {
                "local" => {
                    if connection.target.is_none() && !connection.reply {
                        return if connection.internet { stopped(&subnet.vpc) } else { Err(End::Unknown) };
                    }
                    let owner = self.owner(&subnet.vpc, wire.to)?;
                    self.guarded(&owner.subnet)?;
                    if owner.subnet != subnet.id {
                        self.filter(subnet, true, wire.to, wire.to_port, wire.protocol)?;
                        self.filter(
                            self.subnet(&owner.subnet)?,
                            false,
                            wire.from,
                            wire.to_port,
                            wire.protocol,
                        )?;
                    }
                    return Ok(Landing::Interface(owner));
                }
                "nat" => {
                    let nat = self.gateway(&target)?;
                    let there = nat.subnet.as_deref().ok_or(End::Unknown)?;
                    self.guarded(there)?;
                    let there = self.subnet(there)?;
                    if there.id != subnet.id {
                        self.filter(subnet, true, wire.to, wire.to_port, wire.protocol)?;
                        self.filter(there, false, wire.from, wire.to_port, wire.protocol)?;
                    }
                    if connection.reply || matches!(sender, Sender::Nat(_)) {
                        return stopped(&target);
                    }
                    if let IpAddr::V6(to) = wire.to {
                        let nat64 = to.segments().starts_with(&[0x64, 0xff9b, 0, 0, 0, 0]);
                        return if nat64 { Err(End::Unknown) } else { stopped(&target) };
                    }
                    (subnet, sender) = (there, Sender::Nat(nat));
                }
                "tgw" => {
                    if connection.by_group && !connection.reply {
                        return Err(End::Unknown);
                    }
                    let attachment = self.attachment(&target, &subnet.vpc)?;
                    let mut stands = subnet;
                    if !matches!(sender, Sender::Transit) {
                        stands = self.standing(attachment, &subnet.zone, false)?;
                        self.filter(subnet, true, wire.to, wire.to_port, wire.protocol)?;
                        self.filter(stands, false, wire.from, wire.to_port, wire.protocol)?;
                    }
                    if !connection.reply {
                        connection.across = "transit";
                    }
                    let far = self.transit_route(attachment, wire.to)?;
                    match self.0.gateways.iter().find(|gateway| gateway.id == far) {
                        Some(far) if self.shown(far) => {
                            subnet = self.standing(far, &stands.zone, true)?;
                            sender = Sender::Transit;
                        }
                        _ if connection.reply || connection.target.is_some() => return stopped(&far),
                        _ if connection.internet => return Err(End::Unknown),
                        _ => {
                            let sender = Sender::Transit;
                            return Ok(Landing::Outside {
                                by: far,
                                subnet: stands,
                                sender,
                                attachment: Some(attachment),
                            });
                        }
                    }
                }
                _ => {
                    self.filter(subnet, true, wire.to, wire.to_port, wire.protocol)?;
                    return match kind {
                        "igw" | "eigw" => self.internet(connection, wire, subnet, sender, &target, packet),
                        "pcx" => self.peer(connection, wire, subnet, sender, &target),
                        "vpce" => {
                            let endpoint = self
                                .0
                                .endpoints
                                .iter()
                                .find(|endpoint| endpoint.id == target)
                                .ok_or(End::Unknown)?;
                            if endpoint.state != "available" {
                                return stopped(&target);
                            }
                            if endpoint.kind != "Gateway" {
                                return Err(End::Unknown);
                            }
                            let foreign = endpoint.vpc != subnet.vpc || matches!(sender, Sender::Transit);
                            let elsewhere = connection.target.is_some() || connection.internet;
                            if foreign || connection.reply || elsewhere {
                                return stopped(&target);
                            }
                            Ok(Landing::Outside { by: target, subnet, sender, attachment: None })
                        }
                        "vgw" | "lgw" | "cagw" => {
                            if !matches!(sender, Sender::Host(_)) {
                                return stopped(&target);
                            }
                            let elsewhere = connection.target.is_some() || connection.internet;
                            if connection.by_group || connection.reply || elsewhere {
                                return Err(End::Unknown);
                            }
                            Ok(Landing::Outside { by: target, subnet, sender, attachment: None })
                        }
                        _ => Err(End::Unknown),
                    };
                }
            }
        }
    }

    fn internet(
        &self,
        connection: &mut Connection<'i>,
        wire: Wire,
        subnet: &'i Subnet,
        sender: Sender<'i>,
        id: &str,
        packet: Opening,
    ) -> Step<Landing<'i>> {
        let gateway = self.gateway(id)?;
        if gateway.vpc.as_deref() != Some(&subnet.vpc) {
            return stopped(id);
        }
        let outwards_only = gateway.kind == GatewayKind::EgressOnly;
        if outwards_only && connection.reply {
            return Err(End::Unknown);
        }
        match sender {
            Sender::Transit => return stopped(id),
            Sender::Nat(nat) => {
                if outwards_only || !nat.public {
                    return stopped(&nat.id);
                }
            }
            Sender::Host(host) => {
                if outwards_only && wire.from.is_ipv4() {
                    return stopped(id);
                }
                public_address(host, wire.from)?;
            }
        }
        if connection.by_group {
            return Err(End::Unknown);
        }
        if !is_public(wire.to) {
            return stopped(id);
        }
        let end = if connection.reply { connection.opener } else { connection.target };
        let Some(end) = end else {
            match sender {
                Sender::Nat(_) if self.edge_table(id).is_some() => return Err(End::Unknown),
                Sender::Host(_) => self.edge(id, packet.source)?,
                Sender::Nat(_) | Sender::Transit => {}
            }
            return Ok(Landing::Outside { by: id.to_owned(), subnet, sender, attachment: None });
        };
        if wire.to.is_ipv4() {
            return stopped(id);
        }
        // Over the internet to an IPv6 address of somebody in the evidence.
        self.guarded(&end.subnet)?;
        let theirs = self.0.gateways.iter().filter(|gateway| gateway.kind == GatewayKind::Internet);
        let theirs = theirs.min_by_key(|gateway| (gateway.vpc.as_deref() != Some(&end.vpc), &gateway.id));
        match theirs.filter(|gateway| gateway.vpc.as_deref() == Some(&end.vpc)) {
            Some(theirs) => self.edge(&theirs.id, wire.to)?,
            None if connection.reply => self.edge(id, wire.to)?,
            None => return stopped(&end.vpc),
        }
        if !connection.reply {
            connection.across = "gateway";
        }
        self.filter(self.subnet(&end.subnet)?, false, wire.from, wire.to_port, wire.protocol)?;
        Ok(Landing::Interface(end))
    }

    fn peer(
        &self,
        connection: &mut Connection<'i>,
        wire: Wire,
        subnet: &'i Subnet,
        sender: Sender<'i>,
        id: &str,
    ) -> Step<Landing<'i>> {
        let peering = self.0.peerings.iter().find(|peering| peering.id == id).ok_or(End::Unknown)?;
        if peering.status != "active" || !matches!(sender, Sender::Host(_)) {
            return stopped(id);
        }
        let far = self.beyond_peering(id, &subnet.vpc, wire.to)?;
        if !connection.reply {
            connection.across = "peering";
            if connection.internet {
                return stopped(id);
            }
        }
        if !self.0.vpcs.iter().any(|vpc| vpc.id == far) {
            if connection.reply || connection.target.is_some() {
                return stopped(id);
            }
            return Ok(Landing::Outside { by: id.to_owned(), subnet, sender, attachment: None });
        }
        if connection.target.is_none() && !connection.reply {
            return Err(End::Unknown);
        }
        let owner = self.owner(&far, wire.to)?;
        self.guarded(&owner.subnet)?;
        self.filter(self.subnet(&owner.subnet)?, false, wire.from, wire.to_port, wire.protocol)?;
        Ok(Landing::Interface(owner))
    }

    /// The VPC on the other side, where it has the address.
    fn beyond_peering(&self, id: &str, own: &str, address: IpAddr) -> Step<String> {
        let peering = self.0.peerings.iter().find(|peering| peering.id == id).ok_or(End::Unknown)?;
        if peering.status != "active" {
            return stopped(id);
        }
        let (far, ranges) = if peering.requester_vpc == own {
            (&peering.accepter_vpc, &peering.accepter_cidrs)
        } else if peering.accepter_vpc == own {
            (&peering.requester_vpc, &peering.requester_cidrs)
        } else {
            return stopped(id);
        };
        if ranges.is_empty() {
            return Err(End::Unknown);
        }
        if ranges.iter().any(|range| range.contains(&address)) { Ok(far.clone()) } else { stopped(id) }
    }

    /// Whether a rule about a group alone lets a packet out.
    fn let_out(&self, interface: &NetworkInterface, wire: Wire) -> Step<bool> {
        let mut unknown = interface.security_groups.is_empty();
        let (mut by_range, mut by_group) = (false, false);
        for id in &interface.security_groups {
            let Some(group) = self.0.security_groups.iter().find(|group| group.id == *id) else {
                unknown = true;
                continue;
            };
            for rule in
                group.egress.iter().filter(|rule| rule.protocol.is_none_or(|known| known == wire.protocol))
            {
                let ports = in_ports(rule, wire);
                match &rule.peer {
                    Destination::Cidr(range) => by_range |= ports && range.contains(&wire.to),
                    Destination::PrefixList(list) => match self.entries(list) {
                        Some(entries) => {
                            by_range |= ports && entries.iter().any(|range| range.contains(&wire.to))
                        }
                        None => unknown = true,
                    },
                    Destination::SecurityGroup(other) => {
                        let mut members =
                            self.0.interfaces.iter().filter(|known| known.security_groups.contains(other));
                        let is_member = members.clone().any(|member| has_address(member, wire.to));
                        if members.next().is_none()
                            && !self.0.security_groups.iter().any(|group| group.id == *other)
                        {
                            unknown = true;
                        }
                        by_group |= ports && is_member;
                    }
                }
            }
        }
        if by_range || by_group {
            Ok(!by_range)
        } else if unknown {
            Err(End::Unknown)
        } else {
            stopped(&interface.security_groups.join(", "))
        }
    }

    fn let_in(&self, connection: &Connection<'_>, interface: &NetworkInterface, wire: Wire) -> Step<()> {
        let mut unknown = interface.security_groups.is_empty();
        let mut across = false;
        for id in &interface.security_groups {
            let Some(group) = self.0.security_groups.iter().find(|group| group.id == *id) else {
                unknown = true;
                continue;
            };
            for rule in
                group.ingress.iter().filter(|rule| rule.protocol.is_none_or(|known| known == wire.protocol))
            {
                let ports = in_ports(rule, wire);
                match &rule.peer {
                    Destination::Cidr(range) if ports && range.contains(&wire.from) => return Ok(()),
                    Destination::Cidr(_) => {}
                    Destination::PrefixList(list) => match self.entries(list) {
                        Some(entries) if ports && entries.iter().any(|range| range.contains(&wire.from)) => {
                            return Ok(());
                        }
                        Some(_) => {}
                        None => unknown = true,
                    },
                    Destination::SecurityGroup(other) => match connection.opener {
                        Some(opener) if opener.security_groups.contains(other) && ports => {
                            match connection.across {
                                "local" | "peering" => return Ok(()),
                                "transit" => across = true,
                                _ => {}
                            }
                        }
                        Some(_) => {}
                        None => {
                            let known = self.0.security_groups.iter().any(|group| group.id == *other);
                            unknown |= connection.across == "peering" && !known;
                        }
                    },
                }
            }
        }
        if unknown || across { Err(End::Unknown) } else { stopped(&interface.security_groups.join(", ")) }
    }

    /// A network ACL: the first rule that matches decides.
    fn filter(&self, subnet: &Subnet, egress: bool, peer: IpAddr, port: u16, protocol: u8) -> Step<()> {
        let acl = self.acl(&subnet.id)?;
        let ports = matches!(protocol, 6 | 17);
        for entry in acl.entries.iter().filter(|entry| entry.egress == egress) {
            let protocol_matches = entry.protocol.is_none_or(|known| known == protocol);
            let port_matches = !ports
                || entry.protocol.is_none()
                || match (entry.from_port, entry.to_port) {
                    (Some(from), Some(to)) => (from..=to).contains(&port),
                    _ => true,
                };
            if protocol_matches && port_matches && entry.cidr.contains(&peer) {
                return if entry.allow { Ok(()) } else { stopped(&acl.id) };
            }
        }
        stopped(&acl.id)
    }

    /// The target of the longest route.
    fn route(&self, table: &RouteTable, to: IpAddr) -> Step<String> {
        let mut best: Option<(u8, bool, std::cmp::Reverse<String>, String, bool)> = None;
        let mut missing = false;
        let mut consider = |range: IpNet, list: Option<&String>, target: &str, active: bool| {
            if range.contains(&to) {
                let name = std::cmp::Reverse(list.cloned().unwrap_or_default());
                let found = (range.prefix_len(), list.is_none(), name, target.to_owned(), active);
                if best.as_ref().is_none_or(|best| (found.0, found.1, &found.2) > (best.0, best.1, &best.2)) {
                    best = Some(found);
                }
            }
        };
        for route in &table.routes {
            let active = route.state == "active";
            match &route.destination {
                Destination::Cidr(range) => consider(*range, None, &route.target, active),
                Destination::PrefixList(list) => match self.entries(list) {
                    Some(entries) => {
                        entries.iter().for_each(|range| consider(*range, Some(list), &route.target, active))
                    }
                    None => missing |= !route.target.starts_with("vpce-"),
                },
                Destination::SecurityGroup(_) => missing = true,
            }
        }
        match best {
            Some((.., target, _)) if target == "local" => Ok(target),
            _ if missing => Err(End::Unknown),
            Some((.., target, true)) => Ok(target),
            Some(_) | None => stopped(&table.id),
        }
    }

    /// Where the table that an attachment is associated with sends an address.
    fn transit_route(&self, attachment: &Gateway, to: IpAddr) -> Step<String> {
        let Some(id) = &attachment.transit_table else { return stopped(&attachment.id) };
        let table = self.0.transit_route_tables.iter().find(|table| table.id == *id).ok_or(End::Unknown)?;
        let routes = table.routes.observed().ok_or(End::Unknown)?;
        let matching = routes.iter().filter(|route| route.destination.contains(&to));
        match matching.max_by_key(|route| route.destination.prefix_len()) {
            None => stopped(id),
            Some(route) if route.blackhole => stopped(id),
            Some(route) => match route.attachments.as_slice() {
                [one] => Ok(one.clone()),
                _ => Err(End::Unknown),
            },
        }
    }

    fn attachment(&self, transit: &str, vpc: &str) -> Step<&'i Gateway> {
        let mut attachments = self.0.gateways.iter();
        attachments
            .find(|known| {
                known.transit_gateway.as_deref() == Some(transit) && known.vpc.as_deref() == Some(vpc)
            })
            .ok_or(End::Unknown)
    }

    /// Whether what is behind an attachment is a VPC of the evidence.
    fn shown(&self, attachment: &Gateway) -> bool {
        attachment.vpc.as_deref().is_some_and(|vpc| self.0.vpcs.iter().any(|known| known.id == vpc))
    }

    fn standing(&self, attachment: &Gateway, zone: &str, anywhere: bool) -> Step<&'i Subnet> {
        let subnets = attachment.subnets.observed().ok_or(End::Unknown)?;
        for subnet in subnets {
            self.guarded(subnet)?;
        }
        let found = subnets.iter().filter_map(|id| self.0.subnets.iter().find(|subnet| subnet.id == *id));
        match found.clone().find(|subnet| subnet.zone == zone) {
            Some(subnet) => Ok(subnet),
            None if !anywhere || subnets.is_empty() => stopped(&attachment.id),
            None if subnets.len() > 1 => Err(End::Unknown),
            None => found.clone().next().ok_or(End::Unknown),
        }
    }

    /// What comes in by a gateway with a table of its own.
    fn edge(&self, gateway: &str, to: IpAddr) -> Step<()> {
        let Some(table) = self.edge_table(gateway) else { return Ok(()) };
        if self.route(table, to)? == "local" { Ok(()) } else { Err(End::Unknown) }
    }

    fn edge_table(&self, gateway: &str) -> Option<&'i RouteTable> {
        self.0.route_tables.iter().find(|table| table.gateways.iter().any(|known| known == gateway))
    }

    fn gateway(&self, id: &str) -> Step<&'i Gateway> {
        self.0.gateways.iter().find(|gateway| gateway.id == id).ok_or(End::Unknown)
    }

    fn owner(&self, vpc: &str, address: IpAddr) -> Step<&'i NetworkInterface> {
        let mut interfaces = self.0.interfaces.iter().filter(|interface| interface.vpc == vpc);
        interfaces.find(|interface| has_address(interface, address)).ok_or(End::Unknown)
    }

    fn subnet(&self, id: &str) -> Step<&'i Subnet> {
        self.0.subnets.iter().find(|subnet| subnet.id == id).ok_or(End::Unknown)
    }

    /// Whether everything that guards a subnet is in the evidence.
    fn guarded(&self, id: &str) -> Step<()> {
        self.table(self.subnet(id)?)?;
        self.acl(id)?;
        Ok(())
    }

    fn table(&self, subnet: &Subnet) -> Step<&'i RouteTable> {
        let tables = &self.0.route_tables;
        let own = tables.iter().find(|table| table.subnets.contains(&subnet.id));
        own.or_else(|| tables.iter().find(|table| table.main && table.vpc == subnet.vpc)).ok_or(End::Unknown)
    }

    fn acl(&self, subnet: &str) -> Step<&'i NetworkAcl> {
        let mut acls = self.0.network_acls.iter();
        acls.find(|acl| acl.subnets.iter().any(|known| known == subnet)).ok_or(End::Unknown)
    }

    fn entries(&self, list: &str) -> Option<&'i [IpNet]> {
        let list = self.0.prefix_lists.iter().find(|known| known.id == list)?;
        list.entries.observed().map(Vec::as_slice)
    }
}

fn has_address(interface: &NetworkInterface, address: IpAddr) -> bool {
    interface.private_addresses.iter().any(|known| known.parse() == Ok(address))
}

fn in_ports(rule: &SecurityRule, wire: Wire) -> bool {
    match (rule.protocol, rule.from_port, rule.to_port) {
        (Some(6 | 17), Some(from), Some(to)) => from <= wire.to_port && wire.to_port <= to,
        _ => true,
    }
}

/// Whether the internet knows an address of an interface.
fn public_address(interface: &NetworkInterface, address: IpAddr) -> Step<()> {
    if address.is_ipv6() {
        return Ok(());
    }
    let private: Vec<&String> =
        interface.private_addresses.iter().filter(|text| text.contains('.')).collect();
    match interface.public_addresses.len() {
        0 => stopped(&interface.id),
        public if public >= private.len() => Ok(()),
        _ if private.first().is_some_and(|first| first.parse() == Ok(address)) => Ok(()),
        _ => Err(End::Unknown),
    }
}

/// Whether an address is one of the internet's (IANA special-purpose registries).
pub(crate) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let [a, b, ..] = address.octets();
            !(matches!(a, 0 | 10 | 127 | 224..=255)
                || (a == 100 && (64..128).contains(&b))
                || (a == 169 && b == 254)
                || (a == 172 && (16..32).contains(&b))
                || (a == 192 && b == 168))
        }
        IpAddr::V6(address) => {
            let [first, ..] = address.segments();
            first != 0 && first >> 9 != 0x7e && first >> 6 != 0x3fa && first >> 8 != 0xff
        }
    }
}
