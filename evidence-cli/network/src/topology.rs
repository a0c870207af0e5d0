//! The inventory's networks, indexed by how they refer to each other.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_model::Known;
use cadastre_model::asset::EvidenceIds;
use cadastre_model::asset::network::{
    Gateway, NetworkAcl, Peering, PrefixList, RouteTable, SecurityGroup, Subnet, Vpc, VpcEndpoint,
};
use cadastre_model::inventory::Inventory;
use ipnet::IpNet;

use crate::hosts::{self, Host};

/// Everything by its id.
#[derive(Debug)]
pub(crate) struct Topology<'a> {
    pub(crate) hosts: Vec<Host>,
    pub(crate) groups: BTreeMap<&'a str, &'a SecurityGroup>,
    pub(crate) gateways: BTreeMap<&'a str, &'a Gateway>,
    pub(crate) peerings: BTreeMap<&'a str, &'a Peering>,
    pub(crate) endpoints: BTreeMap<&'a str, &'a VpcEndpoint>,
    pub(crate) vpcs: BTreeMap<&'a str, &'a Vpc>,
    subnets: BTreeMap<&'a str, &'a Subnet>,
    tables: BTreeMap<&'a str, &'a RouteTable>,
    main_tables: BTreeMap<&'a str, &'a RouteTable>,
    acls: BTreeMap<&'a str, &'a NetworkAcl>,
    prefix_lists: BTreeMap<&'a str, &'a PrefixList>,
    prefix_lists_by_name: BTreeMap<&'a str, &'a PrefixList>,
    members: BTreeMap<&'a str, (BTreeSet<IpNet>, EvidenceIds)>,
}

/// The settings that guard a subnet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) subnet: &'a Subnet,
    pub(crate) table: &'a RouteTable,
    pub(crate) acl: &'a NetworkAcl,
}

impl<'a> Topology<'a> {
    pub(crate) fn new(inventory: &'a Inventory) -> Self {
        let mut tables = BTreeMap::new();
        let mut main_tables = BTreeMap::new();
        for table in &inventory.route_tables {
            tables.extend(table.subnets.iter().map(|subnet| (subnet.as_str(), table)));
            if table.main {
                main_tables.insert(table.vpc.as_str(), table);
            }
        }
        let acls = inventory.network_acls.iter();
        Self {
            hosts: hosts::of(inventory),
            groups: by_id(&inventory.security_groups, |group| &group.id),
            gateways: by_id(&inventory.gateways, |gateway| &gateway.id),
            peerings: by_id(&inventory.peerings, |peering| &peering.id),
            endpoints: by_id(&inventory.endpoints, |endpoint| &endpoint.id),
            vpcs: by_id(&inventory.vpcs, |vpc| &vpc.id),
            subnets: by_id(&inventory.subnets, |subnet| &subnet.id),
            tables,
            main_tables,
            acls: acls.flat_map(|acl| acl.subnets.iter().map(move |subnet| (subnet.as_str(), acl))).collect(),
            prefix_lists: by_id(&inventory.prefix_lists, |list| &list.id),
            prefix_lists_by_name: by_id(&inventory.prefix_lists, |list| &list.name),
            members: hosts::members(inventory),
        }
    }

    /// The settings that guard a subnet, or what is missing of them.
    pub(crate) fn place(&self, subnet: &str) -> Result<Place<'a>, String> {
        let found =
            self.subnets.get(subnet).ok_or_else(|| format!("subnet `{subnet}` is not in the evidence"))?;
        let table = self.table(found);
        let table = table.ok_or_else(|| format!("no route table of subnet `{subnet}` is in the evidence"))?;
        let acl = self.acls.get(subnet);
        let acl = acl.ok_or_else(|| format!("no network ACL of subnet `{subnet}` is in the evidence"))?;
        Ok(Place { subnet: found, table, acl })
    }

    /// The table that is associated with a subnet, or else the main one of its VPC.
    fn table(&self, subnet: &Subnet) -> Option<&'a RouteTable> {
        self.tables.get(subnet.id.as_str()).or_else(|| self.main_tables.get(subnet.vpc.as_str())).copied()
    }

    /// The table of the subnet that a NAT gateway stands in.
    pub(crate) fn table_of(&self, subnet: &str) -> Option<&'a RouteTable> {
        self.table(self.subnets.get(subnet)?)
    }

    /// The ranges that a prefix list holds, where they are known.
    pub(crate) fn entries(&self, list: &str) -> Option<&'a [IpNet]> {
        match &self.prefix_lists.get(list)?.entries {
            Known::Observed(entries) => Some(entries),
            Known::Absent | Known::Unknown(_) => None,
        }
    }

    /// The records that hold a prefix list.
    pub(crate) fn list_evidence(&self, list: &str) -> EvidenceIds {
        self.prefix_lists.get(list).map(|list| list.evidence.clone()).unwrap_or_default()
    }

    /// The prefix list that AWS keeps for a service.
    pub(crate) fn list_of_service(&self, service: &str) -> Option<&'a PrefixList> {
        self.prefix_lists_by_name.get(service).copied()
    }

    /// Addresses of the interfaces in a security group.
    pub(crate) fn members(&self, group: &str) -> Option<&(BTreeSet<IpNet>, EvidenceIds)> {
        self.members.get(group)
    }
}

fn by_id<'a, T>(assets: &'a [T], id: impl Fn(&'a T) -> &'a String) -> BTreeMap<&'a str, &'a T> {
    assets.iter().map(|asset| (id(asset).as_str(), asset)).collect()
}
