//! Which side of the boundary a principal, an account or a thing is on.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_model::access::Access;
use cadastre_model::declaration::{Declaration, Job, matches_pattern};
use cadastre_model::graph::Side;
use cadastre_model::inventory::Inventory;

/// The sides as the declaration draws them.
#[derive(Debug)]
pub(crate) struct Sides<'a> {
    declaration: &'a Declaration,
    /// Accounts whose users and roles were read.
    observed: BTreeSet<String>,
    /// Undeclared roles of the customer's accounts that only let in strangers: role to side and vendor.
    lent: BTreeMap<String, (Side, Option<String>)>,
}

impl<'a> Sides<'a> {
    /// Reads the declaration, and from trust policies which undeclared roles work for somebody else.
    pub(crate) fn new(inventory: &Inventory, access: &Access, declaration: &'a Declaration) -> Self {
        let observed = inventory
            .principals
            .iter()
            .map(|principal| principal.account.clone())
            .chain(inventory.accounts.iter().map(|account| account.id.clone()))
            .collect();
        let mut sides = Self { declaration, observed, lent: BTreeMap::new() };
        let mut lent: BTreeMap<String, (Side, Option<String>)> = BTreeMap::new();
        for trust in &access.trusts {
            if sides.vendor(&trust.role).is_some() || !sides.jobs(&trust.role).is_empty() {
                continue;
            }
            let side = sides.of(&trust.principal);
            let vendor = sides.vendor(&trust.principal).map(str::to_owned);
            if side == Side::Vendor {
                lent.insert(trust.role.clone(), (side, vendor));
            } else if side == Side::Outside && trust.principal != "*" {
                lent.entry(trust.role.clone()).or_insert((side, None));
            }
        }
        sides.lent = lent;
        sides
    }

    /// The side of a principal, by its id.
    pub(crate) fn of(&self, principal: &str) -> Side {
        if principal.starts_with("service:") {
            return Side::Provider;
        }
        if self.vendor(principal).is_some() {
            return Side::Vendor;
        }
        if let Some((side, _)) = self.lent.get(principal) {
            return *side;
        }
        if let Some(name) = principal.strip_prefix("User:") {
            return if name == "ANONYMOUS" { Side::Outside } else { Side::Customer };
        }
        // Everybody with a role in a subscription is in the directory of its tenant; whose they are beyond that only
        // the declaration says.
        if crate::azure::is_entra(principal) {
            return Side::Customer;
        }
        match account(principal) {
            Some(account) if self.declaration.has_account(account) => Side::Customer,
            _ => Side::Outside,
        }
    }

    /// The side of a thing in an account.
    pub(crate) fn of_account(&self, account: &str) -> Side {
        if self.declaration.has_account(account) {
            Side::Customer
        } else if self.vendor_of_account(account).is_some() {
            Side::Vendor
        } else {
            Side::Outside
        }
    }

    /// The vendor a principal belongs to.
    pub(crate) fn vendor(&self, principal: &str) -> Option<&str> {
        if let Some((_, vendor)) = self.lent.get(principal) {
            return vendor.as_deref();
        }
        let own = |vendor: &&cadastre_model::declaration::Vendor| {
            vendor.roles.iter().any(|role| role.arn == principal)
                || vendor.kafka_principals.iter().any(|declared| declared == principal)
        };
        self.declaration
            .vendors
            .iter()
            .find(own)
            .map(|vendor| vendor.name.as_str())
            .or_else(|| self.vendor_of_account(account(principal)?))
    }

    fn vendor_of_account(&self, account: &str) -> Option<&str> {
        let owns = |vendor: &&cadastre_model::declaration::Vendor| {
            vendor.accounts.iter().any(|declared| declared == account)
        };
        self.declaration.vendors.iter().find(owns).map(|vendor| vendor.name.as_str())
    }

    /// The declared jobs of a principal.
    pub(crate) fn jobs(&self, principal: &str) -> Vec<Job> {
        let mut jobs: Vec<Job> = Vec::new();
        for identity in &self.declaration.identities {
            if matches_pattern(&identity.principal, principal) && !jobs.contains(&identity.job) {
                jobs.push(identity.job);
            }
        }
        jobs
    }

    /// Whether a principal's own policies were read.
    pub(crate) fn observes(&self, account: &str) -> bool {
        self.observed.contains(account)
    }
}

/// The account in a principal's id.
pub(crate) fn account(principal: &str) -> Option<&str> {
    if let Some(account) = principal.strip_prefix("account:") {
        return Some(account);
    }
    let arn = principal.strip_prefix("federated:").unwrap_or(principal);
    arn.starts_with("arn:").then(|| arn.split(':').nth(4)).flatten().filter(|account| !account.is_empty())
}

/// Whether a principal is one of Kafka's.
pub(crate) fn is_kafka(principal: &str) -> bool {
    principal.starts_with("User:")
}
