//! What is said without a question: identity statements, trusts, sharing outside policies, and what is unknown.

use cadastre_model::Known;
use cadastre_model::access::{Capability, Decision, IdentityStatement, Trust};
use cadastre_model::asset::{EvidenceIds, StatementRef};
use cadastre_model::inventory::Inventory;

use crate::bulk::{Edges, place_of};
use crate::document::{Body, Clauses, Guard, Statement};
use crate::expression::Expression;
use crate::facts::Facts;
use crate::grammar::On;
use crate::index::Index;
use crate::reason::Reason;
use crate::requester::{Identity, Named, Requester};
use crate::statement_set::StatementSet;
use crate::targets::{Target, snapshot_arn};
use crate::world::{Levels, World};

/// The ACL group of everybody, and of everybody with an AWS account ("Access control list (ACL) overview",
/// Amazon S3 User Guide).
const PUBLIC_GROUPS: [&str; 2] = [
    "http://acs.amazonaws.com/groups/global/AllUsers",
    "http://acs.amazonaws.com/groups/global/AuthenticatedUsers",
];

/// Who trusts whom: one entry for each principal of each allowing statement of a trust policy.
pub(crate) fn trusts(world: &World) -> Vec<Trust> {
    let mut trusts = Vec::new();
    for identity in &world.identities {
        let Guard::Policy(policy) = &identity.trust else { continue };
        let resource = crate::roles::place(world, identity);
        for statement in &policy.statements {
            let Body::Read(clauses) = &statement.body else { continue };
            let Some(principals) = clauses.principals.as_ref().filter(|_| clauses.allows) else { continue };
            let everyone = [Named::Anybody];
            let named = if principals.inverted { &everyone[..] } else { &principals.named };
            for named in named {
                let requester = match named {
                    Named::Arn(arn) => place_of(world, arn)
                        .and_then(|place| world.identities.get(place))
                        .map_or(Requester::Named(named), Requester::Identity),
                    other => Requester::Named(other),
                };
                let facts = Facts { requester, resource: &resource, passed_to: None };
                for (action, _) in action_names(clauses, named) {
                    let decision = clauses.applies(On::Any(&identity.arn), &facts).decision();
                    if decision != Decision::Deny {
                        trusts.push(trust(identity, named, action, clauses, decision, statement));
                    }
                }
            }
        }
    }
    trusts.sort_by(|a, b| {
        (&a.role, &a.principal, &a.action, &a.at).cmp(&(&b.role, &b.principal, &b.action, &b.at))
    });
    trusts
}

fn trust(
    identity: &Identity,
    named: &Named,
    action: &str,
    clauses: &Clauses,
    decision: Decision,
    statement: &Statement,
) -> Trust {
    Trust {
        role: identity.arn.clone(),
        principal: named.id(),
        account: named.account().map(str::to_owned),
        action: action.to_owned(),
        condition_keys: clauses.condition_keys(),
        decision,
        at: (*statement.at).clone(),
    }
}

/// The STS actions that a trust statement allows and that a principal of this kind would use.
fn action_names<'a>(clauses: &Clauses, named: &Named) -> Vec<(&'a str, &'a str)> {
    let all = match named {
        Named::Federated(provider) if provider.contains(":saml-provider/") => {
            vec![("sts:AssumeRoleWithSAML", "sts:assumerolewithsaml")]
        }
        Named::Federated(_) => vec![("sts:AssumeRoleWithWebIdentity", "sts:assumerolewithwebidentity")],
        _ => vec![("sts:AssumeRole", "sts:assumerole")],
    };
    all.into_iter().filter(|(_, lower)| clauses.actions.selects(lower)).collect()
}

/// Every readable statement of every identity's own policies.
pub(crate) fn identity_statements(world: &World) -> Vec<IdentityStatement> {
    let mut statements = Vec::new();
    for identity in &world.identities {
        for statement in identity.policies.iter().flat_map(|policy| &policy.statements) {
            let Body::Read(clauses) = &statement.body else { continue };
            let split = |inverted: bool, written: &[String]| match inverted {
                false => (written.to_vec(), Vec::new()),
                true => (Vec::new(), written.to_vec()),
            };
            let (actions, not_actions) = split(clauses.actions.inverted, &clauses.actions.written);
            let (resources, not_resources) = clauses
                .resources
                .as_ref()
                .map_or_else(Default::default, |resources| split(resources.inverted, &resources.written));
            statements.push(IdentityStatement {
                principal: identity.arn.clone(),
                effect: if clauses.allows { "Allow" } else { "Deny" }.to_owned(),
                actions,
                not_actions,
                resources,
                not_resources,
                condition_keys: clauses.condition_keys(),
                at: (*statement.at).clone(),
            });
        }
    }
    statements
}

/// Sharing that no policy says: snapshots given to accounts, and access control lists of buckets.
pub(crate) fn shared(inventory: &Inventory, edges: &mut Edges) {
    for snapshot in &inventory.snapshots {
        let target = snapshot_arn(snapshot);
        for account in snapshot.shared_with.observed().into_iter().flatten() {
            let principal = if account == "all" { "*".to_owned() } else { format!("account:{account}") };
            let setting = format!("createVolumePermission of {}", snapshot.id);
            let reason = Reason::new(Expression::Yes, place_in(&snapshot.evidence, &setting));
            edges.add(
                &principal,
                Capability::ReadObjects,
                &target,
                "ec2:ModifySnapshotAttribute",
                None,
                &[reason],
            );
        }
    }
    for bucket in &inventory.buckets {
        if bucket.public_access_blocked == Known::Observed(true) {
            continue;
        }
        for grantee in bucket.acl_grantees.observed().into_iter().flatten() {
            let principal = match grantee.as_str() {
                group if PUBLIC_GROUPS.contains(&group) => "*".to_owned(),
                // Log delivery only ever writes.
                group if group.starts_with("http") => continue,
                id => format!("canonical:{id}"),
            };
            let missing = format!("which objects of {} their access control lists open", bucket.name);
            let setting = format!("access control list of {}", bucket.name);
            let reason = Reason::new(Expression::unknown(missing), place_in(&bucket.evidence, &setting));
            edges.add(&principal, Capability::ReadObjects, &bucket.arn, "s3:GetObject", None, &[reason]);
        }
    }
}

/// A setting as the proof of an edge: the records it was read from name it, the setting has no statement.
pub(crate) fn place_in(evidence: &EvidenceIds, what: &str) -> StatementSet {
    let record = evidence.iter().next_back();
    record
        .map(|record| StatementRef {
            policy: what.into(),
            record: record.clone(),
            pointer: "/response".into(),
        })
        .into_iter()
        .collect()
}

/// What could not be evaluated: policies that are missing or odd.
pub(crate) fn unknown(
    inventory: &Inventory,
    world: &World,
    index: &Index,
    targets: &[Target],
) -> Vec<(String, String)> {
    let mut unknown = Vec::new();
    let mut guard = |subject: &str, guard: &Guard| match guard {
        Guard::None => {}
        Guard::Unknown(what) => unknown.push((subject.to_owned(), what.clone())),
        Guard::Policy(policy) => {
            unknown.extend(policy.problems().map(|(_, why)| (subject.to_owned(), why)));
        }
    };
    for identity in &world.identities {
        guard(&identity.arn, &identity.boundary);
        guard(&identity.arn, &identity.trust);
        for policy in &identity.policies {
            guard(&identity.arn, &Guard::Policy(std::sync::Arc::clone(policy)));
        }
        if let Some(missing) = &identity.policies_missing {
            guard(&identity.arn, &Guard::Unknown(missing.clone()));
        }
    }
    for group in &world.groups {
        for policy in &group.policies {
            guard(&group.arn, &Guard::Policy(std::sync::Arc::clone(policy)));
        }
        if let Some(missing) = &group.policies_missing {
            guard(&group.arn, &Guard::Unknown(missing.clone()));
        }
    }
    for target in targets {
        guard(&target.id, &target.policy);
    }
    for account in &inventory.accounts {
        let Some(rails) = world.rails(&account.id) else { continue };
        // The guard rails of an account that nothing was read of bear on nothing.
        let bears =
            index.observes(&account.id) || targets.iter().any(|target| target.resource.account == account.id);
        if !bears {
            continue;
        }
        let subject = format!("account:{}", account.id);
        for levels in [&rails.service_control, &rails.resource_control] {
            match levels {
                Levels::None => {}
                Levels::Unknown(what) => guard(&subject, &Guard::Unknown(what.clone())),
                Levels::Known(levels) => {
                    for policy in levels.iter().flatten() {
                        guard(&subject, &Guard::Policy(std::sync::Arc::clone(policy)));
                    }
                }
            }
        }
    }
    for key in &inventory.keys {
        unknown.extend(key.grants.missing().map(|what| (key.arn.clone(), what.to_owned())));
    }
    for snapshot in &inventory.snapshots {
        unknown.extend(snapshot.shared_with.missing().map(|what| (snapshot_arn(snapshot), what.to_owned())));
    }
    unknown
}
