//! How the report words what the model names.

use cadastre_model::access::{Capability, Damage, Decision, GuardDefect};
use cadastre_model::asset::document::DocumentKind;
use cadastre_model::checklist::Verdict;
use cadastre_model::declaration::{
    AccountPurpose, Architecture, Cluster, Declaration, FlowPurpose, Job, OperatingModel,
};
use cadastre_model::graph::Side;
use cadastre_model::reach::{Crossing, Direction, Ports};
use cadastre_model::record::Outcome;
use serde::Serialize;

use crate::diagram::Sphere;

/// A decision as a table shows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Certainty {
    /// `allow`, `conditional`, `unknown` or `none`.
    pub(crate) state: &'static str,
    /// The condition, or what is missing.
    pub(crate) detail: String,
}

impl Certainty {
    pub(crate) fn of(decision: &Decision) -> Self {
        let (state, detail) = match decision {
            Decision::Allow => ("allow", ""),
            Decision::Conditional(condition) => ("conditional", condition.as_str()),
            Decision::Unknown(missing) => ("unknown", missing.as_str()),
            Decision::Deny => ("none", ""),
        };
        Self { state, detail: detail.to_owned() }
    }
}

/// How strongly a state speaks, strongest first: where a cell sums up several decisions, the strongest shows.
pub(crate) const fn rank(decision: &Decision) -> u8 {
    match decision {
        Decision::Allow => 0,
        Decision::Conditional(_) => 1,
        Decision::Unknown(_) => 2,
        Decision::Deny => 3,
    }
}

pub(crate) const fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::RedFlag => "red flag",
        Verdict::Unproven => "unproven",
        Verdict::Waived => "waived",
        Verdict::Pass => "pass",
        Verdict::NotApplicable => "not applicable",
    }
}

pub(crate) const fn side(side: Side) -> &'static str {
    match side {
        Side::Customer => "customer",
        Side::Vendor => "vendor",
        Side::Provider => "cloud provider",
        Side::Outside => "outside",
    }
}

pub(crate) const fn capability(capability: Capability) -> &'static str {
    match capability {
        Capability::ReadRecords => "read records",
        Capability::WriteRecords => "write records",
        Capability::ReadObjects => "read objects",
        Capability::WriteObjects => "write objects",
        Capability::Decrypt => "decrypt",
        Capability::ManageKey => "manage key",
        Capability::OperateHost => "operate host",
        Capability::ChangePolicy => "change policy",
        Capability::Assume => "assume",
        Capability::ReadLogs => "read logs",
        Capability::AlterLogs => "alter logs",
        Capability::Reach => "reach",
    }
}

pub(crate) const fn damage(damage: Damage) -> &'static str {
    match damage {
        Damage::Destroy => "destroys",
        Damage::Blind => "blinds",
        Damage::LockOut => "locks out",
    }
}

/// Why a guard protects nothing, in a few words.
pub(crate) const fn defect(defect: GuardDefect) -> &'static str {
    match defect {
        GuardDefect::NamesNothing => "names nothing that exists",
        GuardDefect::AlwaysTrue => "decides nothing",
        GuardDefect::SelfSatisfied => "satisfied by whom it binds",
        GuardDefect::WalkedAround => "walked around",
        GuardDefect::Removable => "removable by whom it binds",
        GuardDefect::AttachedToOthers => "attached to others only",
        GuardDefect::NotConsulted => "never asked",
    }
}

pub(crate) const fn sphere(sphere: Sphere) -> &'static str {
    match sphere {
        Sphere::Network => "network",
        Sphere::Identity => "identity",
        Sphere::Keys => "keys",
        Sphere::Kafka => "Kafka",
        Sphere::Storage => "storage",
        Sphere::Logs => "logs",
    }
}

pub(crate) const fn job(job: Job) -> &'static str {
    match job {
        Job::Broker => "broker",
        Job::KeyAdministrator => "key administrator",
        Job::Operator => "operator",
        Job::BreakGlass => "break glass",
        Job::LogAdministrator => "log administrator",
        Job::AccountAdministrator => "account administrator",
        Job::Automation => "automation",
        Job::Reader => "reader",
        Job::Scanner => "scanner",
    }
}

pub(crate) const fn document_kind(kind: DocumentKind) -> &'static str {
    match kind {
        DocumentKind::Runbook => "runbook",
        DocumentKind::IncidentOwnership => "incident ownership",
        DocumentKind::DeletionProcedure => "deletion procedure",
        DocumentKind::VendorAccess => "vendor access policy",
        DocumentKind::MigrationPlan => "migration plan",
        DocumentKind::ExitPlan => "exit plan",
    }
}

pub(crate) const fn operating_model(model: OperatingModel) -> &'static str {
    match model {
        OperatingModel::SelfManaged => "self-managed",
        OperatingModel::ExternalManagedService => "external managed service",
        OperatingModel::VendorOperated => "vendor-operated in the customer’s accounts",
        OperatingModel::CustomerOperatedSoftware => "vendor software, operated by the customer",
    }
}

pub(crate) const fn architecture(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::BrokerLocalDisks => "local disks of brokers",
        Architecture::TieredStorage => "tiered storage",
        Architecture::SharedStorage => "shared storage",
    }
}

/// What the clusters of a boundary are operated as: one name where all agree, or else each with its clusters.
pub(crate) fn operating_models(declaration: &Declaration) -> String {
    let of = |model: OperatingModel| {
        let clusters = declaration.clusters.iter();
        clusters.filter(|cluster| declaration.operating_model_of(cluster) == model).collect()
    };
    told(
        declaration.operating_models().into_iter().map(|model| (operating_model(model), of(model))).collect(),
    )
}

/// Where the records of a boundary's clusters rest, in the same way.
pub(crate) fn architectures(declaration: &Declaration) -> String {
    let of = |own: Architecture| {
        let clusters = declaration.clusters.iter();
        clusters.filter(|cluster| declaration.architecture_of(cluster) == own).collect()
    };
    told(declaration.architectures().into_iter().map(|own| (architecture(own), of(own))).collect())
}

fn told(named: Vec<(&'static str, Vec<&Cluster>)>) -> String {
    if let [(name, _)] = named.as_slice() {
        return (*name).to_owned();
    }
    let each = named.iter().map(|(name, clusters)| {
        let clusters: Vec<&str> = clusters.iter().map(|cluster| cluster.name.as_str()).collect();
        format!("{name} ({})", clusters.join(", "))
    });
    each.collect::<Vec<_>>().join("; ")
}

pub(crate) const fn account_purpose(purpose: AccountPurpose) -> &'static str {
    match purpose {
        AccountPurpose::DataPlane => "data plane",
        AccountPurpose::ControlPlane => "control plane",
        AccountPurpose::LogArchive => "log archive",
        AccountPurpose::Security => "security",
        AccountPurpose::Management => "management",
    }
}

pub(crate) const fn flow_purpose(purpose: FlowPurpose) -> &'static str {
    match purpose {
        FlowPurpose::Ingress => "ingress",
        FlowPurpose::Egress => "egress",
        FlowPurpose::Replication => "replication",
        FlowPurpose::Storage => "storage",
        FlowPurpose::Keys => "keys",
        FlowPurpose::Metrics => "metrics",
        FlowPurpose::Logs => "logs",
        FlowPurpose::Support => "support",
    }
}

pub(crate) const fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::Ingress => "in",
        Direction::Egress => "out",
    }
}

/// Ports as tables print them: `tcp 9092-9093`, `all traffic`.
pub(crate) fn ports(ports: Ports) -> String {
    let name = match ports.protocol {
        None => "all".to_owned(),
        Some(1) => return "icmp".to_owned(),
        Some(6) => "tcp".to_owned(),
        Some(17) => "udp".to_owned(),
        Some(58) => return "icmpv6".to_owned(),
        Some(number) => format!("protocol {number}"),
    };
    match (ports.from, ports.to) {
        (0, u16::MAX) => format!("{name} ports"),
        (from, to) if from == to => format!("{name} {from}"),
        (from, to) => format!("{name} {from}–{to}"),
    }
}

pub(crate) const fn crossing(crossing: Crossing) -> &'static str {
    match crossing {
        Crossing::Local => "inside the network",
        Crossing::Internet => "internet gateway",
        Crossing::Nat => "NAT gateway",
        Crossing::Endpoint => "private endpoint",
        Crossing::Peering => "peering",
        Crossing::Transit => "transit gateway",
    }
}

pub(crate) const fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Observed => "observed",
        Outcome::Denied => "denied",
        Outcome::Absent => "absent",
        Outcome::Failed => "failed",
        Outcome::Truncated => "truncated",
    }
}

/// An area of the catalogue as a heading: `key-authority` becomes `Key authority`.
pub(crate) fn area(area: &str) -> String {
    let words = area.replace('-', " ");
    let mut letters = words.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => String::new(),
    }
}

/// `1 control`, `2 controls`.
pub(crate) fn count(number: usize, singular: &str, plural: &str) -> String {
    if number == 1 { format!("1 {singular}") } else { format!("{number} {plural}") }
}

/// The part of an ARN or id that people say: `role/name` of an IAM ARN, a bucket's name, an instance's id.
pub(crate) fn short_name(id: &str) -> &str {
    if id.starts_with("arn:") {
        let resource = id.splitn(6, ':').nth(5).unwrap_or(id);
        return resource.strip_prefix("log-group:").unwrap_or(resource);
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(id: &str, expected: &str) {
        assert_eq!(short_name(id), expected);
    }

    #[test]
    fn ids_are_cut_to_what_people_say() {
        check("arn:aws:iam::111122223333:role/streamco-support", "role/streamco-support");
        check("arn:aws:s3:::payments-kafka-data", "payments-kafka-data");
        check("arn:aws:logs:eu-central-1:111122223333:log-group:/kafka/audit", "/kafka/audit");
        check("User:ledger", "User:ledger");
        check("account:999988887777", "account:999988887777");
        check("arn:", "arn:");
    }

    #[test]
    fn areas_and_counts_read_as_words() {
        assert_eq!(area("key-authority"), "Key authority");
        assert_eq!(area(""), "");
        assert_eq!(count(1, "control", "controls"), "1 control");
        assert_eq!(count(0, "control", "controls"), "0 controls");
    }
}
