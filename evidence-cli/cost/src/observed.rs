//! What the evidence shows that is paid for, and what the model has for it.

use cadastre_model::asset::network::GatewayKind;
use cadastre_model::cost::{Driver, ObservedDriver};
use cadastre_model::declaration::{Declaration, Job, matches_pattern};
use cadastre_model::inventory::Inventory;

use crate::units;

/// Everything that was found, sorted by subject.
pub(crate) fn observed(inventory: &Inventory, declaration: &Declaration) -> Vec<ObservedDriver> {
    let mut found: Vec<ObservedDriver> = Vec::new();
    let mut push = |subject: &str, what: &str, driver: Option<Driver>, evidence: &_| {
        found.push(ObservedDriver {
            subject: subject.to_owned(),
            what: what.to_owned(),
            driver,
            evidence: Clone::clone(evidence),
        });
    };
    let mut networks = std::collections::BTreeSet::new();
    let mut hosts = std::collections::BTreeSet::new();
    for instance in inventory.instances.iter().filter(|instance| instance.state != "terminated") {
        let role = instance.role.observed();
        let is_broker = declaration.identities.iter().any(|identity| {
            identity.job == Job::Broker && role.is_some_and(|role| matches_pattern(&identity.principal, role))
        });
        if is_broker {
            networks.extend(instance.vpc.clone());
            hosts.insert(instance.id.clone());
            push(&instance.id, "a broker's host, by the hour", Some(Driver::Compute), &instance.evidence);
        }
    }
    for volume in &inventory.volumes {
        if volume.instances.iter().any(|instance| hosts.contains(instance)) {
            push(&volume.id, "a broker's disk", Some(Driver::BlockStorage), &volume.evidence);
        }
    }
    for store in &declaration.stores {
        if let Some(bucket) = inventory.buckets.iter().find(|bucket| bucket.arn == store.arn) {
            push(&bucket.arn, "objects and requests for them", Some(Driver::ObjectStorage), &bucket.evidence);
        }
    }
    for key in &inventory.keys {
        let is_declared = declaration
            .keys
            .iter()
            .any(|declared| declared.id == key.arn || key.aliases.contains(&declared.id));
        if is_declared {
            push(&key.arn, "a key and requests to it", Some(Driver::Keys), &key.evidence);
        }
    }
    for endpoint in inventory.endpoints.iter().filter(|endpoint| networks.contains(&endpoint.vpc)) {
        if !endpoint.subnets.is_empty() {
            push(
                &endpoint.id,
                "a private endpoint, by the hour",
                Some(Driver::Endpoints),
                &endpoint.evidence,
            );
        }
    }
    for trail in &inventory.trails {
        push(&trail.arn, "data events on the trail", Some(Driver::Audit), &trail.evidence);
    }
    for gateway in &inventory.gateways {
        let is_ours = gateway.vpc.as_ref().is_some_and(|vpc| networks.contains(vpc));
        match gateway.kind {
            GatewayKind::Nat if is_ours => push(
                &gateway.id,
                "address translation, by the hour; bytes through it are left out",
                Some(Driver::Gateways),
                &gateway.evidence,
            ),
            GatewayKind::TransitAttachment if is_ours => push(
                &gateway.id,
                "an attachment to a transit gateway, by the hour; bytes through it are left out",
                Some(Driver::Gateways),
                &gateway.evidence,
            ),
            _ => {}
        }
    }
    for cluster in &inventory.msk_clusters {
        push(&cluster.arn, "a managed cluster, by the broker and the hour", None, &cluster.evidence);
    }
    for units in units::measured(inventory) {
        let subject = format!("cluster:{}", units.cluster);
        push(
            &subject,
            "records, and the requests that they cost",
            Some(Driver::ObjectWrites),
            &units.evidence,
        );
    }
    found.sort_by(|a, b| (&a.subject, &a.what).cmp(&(&b.subject, &b.what)));
    found
}
