//! Transit gateways: the zone's attachment, the table it is associated with, and the network beyond.

use cadastre_model::asset::network::{Gateway, NetworkInterface};
use cadastre_model::reach::{Crossing, Hop};

use super::Fate;
use super::packets::{Address, Packets, Port};
use super::tracer::{Journey, Sender, Walk};
use crate::topology::Place;

/// What a table of a transit gateway does with packets.
enum Onward<'t> {
    To(&'t Gateway),
    /// To something that the evidence does not describe.
    Outside(&'t str),
    Blocked {
        at: &'t str,
        what: &'static str,
    },
    Unknown(String),
}

impl<'t> Walk<'_, 't> {
    pub(super) fn transit(&mut self, packets: Packets, mut journey: Journey<'t>, id: &'t str) {
        if matches!(journey.sender, Sender::Nat(_)) && !journey.answers() {
            return self.unknown(
                packets,
                &journey,
                format!("what is translated on its way to `{id}` is not modelled"),
            );
        }
        if let Some(missing) = self.not_across(&journey) {
            return self.unknown(packets, &journey, missing);
        }
        let vpc = &journey.place.subnet.vpc;
        let Some(attachment) = self.attachment(id, vpc) else {
            return self.unknown(
                packets,
                &journey,
                format!("the attachment of `{vpc}` to `{id}` is not in the evidence"),
            );
        };
        let mut passing = vec![(packets, journey.clone())];
        let mut place = journey.place;
        if !matches!(journey.sender, Sender::Transit) {
            place = match self.standing(attachment, &journey.place.subnet.zone, false) {
                Standing::At(place) => place,
                Standing::Nowhere => {
                    return self.blocked(packets, &journey, &attachment.id, "has no subnet in the zone");
                }
                Standing::Unknown(missing) => return self.unknown(packets, &journey, missing),
            };
            let (from, _, port) = journey.header();
            passing = passing.into_iter().flat_map(|(part, journey)| self.out(part, journey)).collect();
            passing = self.acl(passing, place.acl, false, (from, port));
        }
        let (_, to, _) = journey.header();
        if !journey.answers() {
            journey.crossing = Crossing::Transit;
        }
        for (part, mut on_the_way) in passing {
            on_the_way.crossing = journey.crossing;
            for (part, onward) in self.onward(part, attachment, to) {
                self.go_on(part, on_the_way.clone(), (attachment, place), onward);
            }
        }
    }

    fn go_on(
        &mut self,
        packets: Packets,
        journey: Journey<'t>,
        (attachment, place): (&'t Gateway, Place<'t>),
        onward: Onward<'t>,
    ) {
        match onward {
            Onward::Blocked { at, what } => self.blocked(packets, &journey, at, what),
            Onward::Unknown(missing) => self.unknown(packets, &journey, missing),
            Onward::Outside(id) if journey.answers() || self.target.is_some() => {
                self.blocked(packets, &journey, id, "leads to another network");
            }
            Onward::Outside(id) if self.internet => self.beyond_evidence(packets, &journey, id),
            Onward::Outside(id) => {
                // Replies come out of the attachment that the packets went into.
                let journey =
                    journey.past(Hop { at: id.to_owned(), what: "leads to another network".to_owned() });
                for (part, journey) in self.returned(packets, journey, id, attachment) {
                    let journey = journey.answering(Fate::Leaves(id.to_owned()));
                    self.send(part, journey.sent_from(place, Sender::Transit));
                }
            }
            Onward::To(far) => match self.standing(far, &place.subnet.zone, true) {
                Standing::At(there) => {
                    let hop = Hop { at: far.id.clone(), what: format!("leads to {}", there.subnet.vpc) };
                    self.send(packets, journey.past(hop).sent_from(there, Sender::Transit));
                }
                Standing::Nowhere => self.blocked(packets, &journey, &far.id, "has no subnet"),
                Standing::Unknown(missing) => self.unknown(packets, &journey, missing),
            },
        }
    }

    /// Whether the table of a far attachment leads replies back.
    fn returned(
        &mut self,
        packets: Packets,
        journey: Journey<'t>,
        far: &str,
        attachment: &Gateway,
    ) -> Vec<(Packets, Journey<'t>)> {
        let Some(far) = self.tracer.attachments.get(far).copied() else {
            self.unknown(packets, &journey, format!("attachment `{far}` is not in the evidence"));
            return Vec::new();
        };
        let mut returned = Vec::new();
        for (part, onward) in self.onward(packets, far, Address::Source) {
            match onward {
                Onward::To(back) if back.id == attachment.id => returned.push((part, journey.clone())),
                Onward::To(_) | Onward::Outside(_) => {
                    self.blocked(part, &journey, &far.id, "leads replies to another network");
                }
                Onward::Blocked { at, what } => self.blocked(part, &journey, at, what),
                Onward::Unknown(missing) => self.unknown(part, &journey, missing),
            }
        }
        returned
    }

    /// What the table that an attachment is associated with does.
    fn onward(&self, packets: Packets, from: &'t Gateway, to: Address) -> Vec<(Packets, Onward<'t>)> {
        let all = |onward| vec![(packets, onward)];
        let Some(id) = &from.transit_table else {
            return all(Onward::Blocked { at: &from.id, what: "is associated with no route table" });
        };
        let Some(table) = self.tracer.transit_tables.get(id.as_str()).copied() else {
            return all(Onward::Unknown(format!(
                "transit gateway route table `{id}` is not in the evidence"
            )));
        };
        let Some(routes) = table.routes.observed() else {
            return all(Onward::Unknown(format!("routes of `{id}` are not in the evidence")));
        };
        let mut routes: Vec<_> = routes.iter().collect();
        routes.sort_by_key(|route| std::cmp::Reverse(route.destination.prefix_len()));
        let dealt = packets.deal_by_range(to, routes.into_iter().map(|route| (route.destination, route)));
        let onward = |route: Option<&'t cadastre_model::asset::network::TransitRoute>| match route {
            None => Onward::Blocked { at: &table.id, what: "no route leads there" },
            Some(route) if route.blackhole => {
                Onward::Blocked { at: &table.id, what: "the route is a black hole" }
            }
            Some(route) => match route.attachments.as_slice() {
                [] => Onward::Unknown(format!(
                    "the attachment of a route of `{}` is not in the evidence",
                    table.id
                )),
                [one] => self.beyond_attachment(one),
                [_, _, ..] => {
                    Onward::Unknown(format!("`{}` spreads packets over several attachments", table.id))
                }
            },
        };
        dealt.into_iter().map(|(part, route)| (part, onward(route))).collect()
    }

    fn beyond_attachment(&self, id: &'t str) -> Onward<'t> {
        match self.tracer.attachments.get(id).copied() {
            Some(attachment) => match attachment.vpc.as_deref() {
                Some(vpc) if self.tracer.topology.vpcs.contains_key(vpc) => Onward::To(attachment),
                Some(_) | None => Onward::Outside(&attachment.id),
            },
            None => Onward::Outside(id),
        }
    }

    fn attachment(&self, transit: &str, vpc: &str) -> Option<&'t Gateway> {
        let mut attachments = self.tracer.attachments.values();
        attachments
            .find(|attachment| {
                attachment.transit_gateway.as_deref() == Some(transit)
                    && attachment.vpc.as_deref() == Some(vpc)
            })
            .copied()
    }

    /// The subnet of an attachment that serves a zone. Packets from a transit gateway keep to their zone
    /// where they can, and otherwise go where it pleases.
    fn standing(&self, attachment: &'t Gateway, zone: &str, anywhere: bool) -> Standing<'t> {
        let Some(subnets) = attachment.subnets.observed() else {
            return Standing::Unknown(format!("the subnets of `{}` are not in the evidence", attachment.id));
        };
        let mut places = Vec::new();
        for subnet in subnets {
            match self.tracer.topology.place(subnet) {
                Ok(place) => places.push(place),
                Err(missing) => return Standing::Unknown(missing),
            }
        }
        match (places.iter().find(|place| place.subnet.zone == zone), places.as_slice()) {
            (Some(place), _) => Standing::At(*place),
            (None, [only]) if anywhere => Standing::At(*only),
            (None, [_, ..]) if anywhere => Standing::Unknown(format!(
                "which subnet of `{}` serves zone `{zone}` is not known",
                attachment.id
            )),
            (None, _) => Standing::Nowhere,
        }
    }

    pub(super) fn enter_by_transit(
        &mut self,
        packets: Packets,
        journey: &Journey<'t>,
        target: &'t NetworkInterface,
        id: &'t str,
    ) {
        let mut journey = journey.clone();
        journey.crossing = Crossing::Transit;
        let Some(attachment) = self.attachment(id, &target.vpc) else {
            let missing = format!("the attachment of `{}` to `{id}` is not in the evidence", target.vpc);
            return self.unknown(packets, &journey, missing);
        };
        let place = match self.standing(attachment, &journey.place.subnet.zone, false) {
            Standing::At(place) => place,
            Standing::Nowhere => {
                return self.blocked(packets, &journey, &attachment.id, "has no subnet in the zone");
            }
            Standing::Unknown(missing) => return self.unknown(packets, &journey, missing),
        };
        for (part, onward) in self.onward(packets, attachment, Address::Source) {
            match onward {
                Onward::Blocked { at, what } => self.blocked(part, &journey, at, what),
                Onward::Unknown(missing) => self.unknown(part, &journey, missing),
                Onward::To(far) if self.internet => {
                    // An internet gateway brings in what is for its own VPC.
                    self.blocked(part, &journey, &far.id, "leads to another VPC and not from the internet");
                }
                Onward::To(far) => {
                    self.unknown(
                        part,
                        &journey,
                        format!("the opener's addresses lead to `{}`: name its interface", far.id),
                    );
                }
                Onward::Outside(far) if self.internet => self.beyond_evidence(part, &journey, far),
                Onward::Outside(far) => self.in_by_transit(part, &journey, target, (attachment, place), far),
            }
        }
    }

    fn in_by_transit(
        &mut self,
        packets: Packets,
        journey: &Journey<'t>,
        target: &'t NetworkInterface,
        (attachment, place): (&'t Gateway, Place<'t>),
        far: &'t str,
    ) {
        let Some(far) = self.tracer.attachments.get(far).copied() else {
            return self.unknown(packets, journey, format!("attachment `{far}` is not in the evidence"));
        };
        for (part, onward) in self.onward(packets, far, Address::Destination) {
            match onward {
                Onward::To(here) if here.id == attachment.id => {}
                Onward::To(_) | Onward::Outside(_) => {
                    self.blocked(part, journey, &far.id, "leads to another network");
                    continue;
                }
                Onward::Blocked { at, what } => {
                    self.blocked(part, journey, at, what);
                    continue;
                }
                Onward::Unknown(missing) => {
                    self.unknown(part, journey, missing);
                    continue;
                }
            }
            let same = place.subnet.id == journey.place.subnet.id;
            let hop = Hop { at: far.id.clone(), what: "brings it from another network".to_owned() };
            let mut passing = vec![(part, journey.clone().past(hop))];
            if !same {
                let there = (Address::Destination, Port::Destination);
                passing = self.acl(passing, place.acl, true, there);
                passing = self.acl(passing, journey.place.acl, false, (Address::Source, Port::Destination));
            }
            for (part, journey) in self.admitted(passing, target, false) {
                // Replies to a transit gateway pass both ACLs, whatever the subnets.
                let replies = self.out(part, journey);
                for (part, journey) in
                    self.acl(replies, place.acl, false, (Address::Destination, Port::Source))
                {
                    self.end(part, &journey, Fate::Arrives(target.id.clone()));
                }
            }
        }
    }
}

/// Where an attachment stands.
enum Standing<'t> {
    At(Place<'t>),
    Nowhere,
    Unknown(String),
}
