//! A plan laid over evidence: what is, what would be, and what the plan leaves open.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_model::declaration::Declaration;
use cadastre_model::evidence::Evidence;
use cadastre_model::{Record, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::account::Places;
use crate::configuration::Configuration;
use crate::error::PlanError;
use crate::overlay::{CALLER, Overlay};
use crate::parse::{Plan, ResourceChange};
use crate::resource::Resource;
use crate::symbol::Symbols;
use crate::world::World;
use crate::{aws, azure, kafka};

/// Something that is known only after apply, and leaves a question without an answer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Unresolved {
    /// The resource.
    pub address: String,
    /// Its argument.
    pub argument: String,
    /// The question that has no answer for it.
    pub operation: String,
    /// What that question is about.
    pub subject: String,
}

/// A resource that changes and was not judged.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NotExamined {
    /// The resource.
    pub address: String,
    /// Its type.
    pub kind: String,
    /// Why.
    pub reason: String,
}

/// The evidence before and after apply.
#[derive(Debug)]
pub struct Projection {
    /// What a scan shows, or what the plan's state shows where nobody scanned.
    pub before: Evidence,
    /// What it would show after apply.
    pub after: Evidence,
    /// Number of managed resources that the plan changes.
    pub changes: usize,
    /// Sorted.
    pub unresolved: Vec<Unresolved>,
    /// Sorted.
    pub not_examined: Vec<NotExamined>,
}

/// Which values of a change are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// As it is, by what the resources themselves manage.
    Before,
    /// As it is, with what the state shows beside it.
    Ambient,
    /// As it will be.
    After,
}

impl Plan {
    /// When the plan was made, where it says so: Terraform 1.5 and newer, and OpenTofu.
    #[must_use]
    pub const fn made_at(&self) -> Option<Timestamp> {
        self.made_at
    }

    /// The declaration, which accepts the plan as a source of evidence.
    #[must_use]
    pub fn accepted_by(declaration: &Declaration) -> Declaration {
        let mut declaration = declaration.clone();
        if !declaration.evidence.callers.is_empty() {
            declaration.evidence.callers.push(CALLER.to_owned());
        }
        declaration
    }

    /// Lays the plan over the evidence of a scan, or over nothing but its own state. Evidence from a plan alone is
    /// not complete, so that nothing passes on it. `at` is the time of what the plan adds.
    ///
    /// # Errors
    /// When the plan's shape is not that of the format, or a value has no canonical form.
    pub fn project(
        &self,
        scanned: Option<&Evidence>,
        declaration: &Declaration,
        at: Timestamp,
    ) -> Result<Projection, PlanError> {
        let changes = self.changes()?;
        let mut all = changes.clone();
        let named: BTreeSet<&str> = changes.iter().map(|change| change.address).collect();
        all.extend(self.prior()?.into_iter().filter(|resource| !named.contains(resource.address)));

        let places = Places::new(self, declaration)?;
        let mut not_examined = BTreeSet::new();
        for change in changes.iter().filter(|change| change.changes && !change.data) {
            if let Some(reason) = unexamined(change, &places, declaration) {
                let (address, kind) = (change.address.to_owned(), change.kind.to_owned());
                not_examined.insert(NotExamined { address, kind, reason });
            }
        }
        for (address, reason) in self.deferred() {
            let kind = address.rsplit('.').nth(1).unwrap_or_default().to_owned();
            let reason = format!("put off to a later plan: {reason}");
            not_examined.insert(NotExamined { address: address.to_owned(), kind, reason });
        }

        let surroundings = azure::Surroundings::of(scanned.map_or(&[], Evidence::records));
        let world = |side| {
            let start = World { surroundings: surroundings.clone(), ..World::default() };
            world(self, &all, &places, declaration, side, start)
        };
        let (before, after) = (world(Side::Before), world(Side::After));
        let mut lost = Vec::new();
        let base: Vec<Record> = match scanned {
            Some(evidence) => evidence.records().to_vec(),
            None => {
                let ambient = world(Side::Ambient);
                let mut overlay = Overlay::new(&[], &[&ambient], at);
                overlay.apply(&World::default(), &ambient);
                overlay.into_records()?
            }
        };
        let mut overlay = Overlay::new(&base, &[&before, &after], at);
        lost.extend(overlay.apply(&before, &after));
        let projected = overlay.into_records()?;

        let mut unresolved: BTreeSet<Unresolved> = after
            .gaps
            .difference(&before.gaps)
            .map(|gap| Unresolved {
                address: gap.address.clone(),
                argument: gap.argument.clone(),
                operation: gap.question.operation.to_owned(),
                subject: gap.question.subject.clone(),
            })
            .collect();
        unresolved.extend(lost.into_iter().map(|(operation, subject)| Unresolved {
            address: subject.clone(),
            argument: "neither the evidence nor the plan shows what this is attached to".to_owned(),
            operation,
            subject,
        }));
        let evidence = |records: Vec<Record>| match scanned {
            Some(scanned) => {
                let manifest = scanned.manifest();
                Evidence::from_records(
                    records,
                    &manifest.tool_version,
                    manifest.started_at,
                    manifest.finished_at,
                    manifest.complete,
                )
            }
            None => Evidence::from_records(records, env!("CARGO_PKG_VERSION"), at, at, false),
        };
        Ok(Projection {
            before: evidence(base),
            after: evidence(projected),
            changes: changes.iter().filter(|change| change.changes && !change.data).count(),
            unresolved: unresolved.into_iter().collect(),
            not_examined: not_examined.into_iter().collect(),
        })
    }
}

/// Why a change cannot be judged, where it cannot.
fn unexamined(change: &ResourceChange<'_>, places: &Places<'_>, declaration: &Declaration) -> Option<String> {
    if aws::KINDS.contains(&change.kind) {
        let missing = match (places.account(change), places.region(change)) {
            (None, _) => "account",
            (_, None) => "region",
            _ => return aws::msk::part(change.kind).map(str::to_owned),
        };
        return Some(format!("neither the plan nor the declaration tells its {missing}"));
    }
    if azure::KINDS.contains(&change.kind) {
        let told = places.subscription(change).is_some();
        return (!told).then(|| "neither the plan nor the declaration tells its subscription".to_owned());
    }
    // A group holds nothing but what else a plan names, unless it goes with everything in it.
    if change.kind == "azurerm_resource_group" && !change.after.is_null() {
        return None;
    }
    if kafka::KINDS.contains(&change.kind) {
        let cluster = kafka::cluster(change, places, declaration);
        return cluster
            .is_none()
            .then(|| "neither the plan nor the declaration tells its cluster".to_owned());
    }
    let planes = change.kind.starts_with("aws_msk_") || change.kind.starts_with("aws_eks_");
    let reason = match planes {
        true => "the boundary model has no such AWS resource",
        false => "no rule reads resources of this type",
    };
    Some(reason.to_owned())
}

fn world(
    plan: &Plan,
    all: &[ResourceChange<'_>],
    places: &Places<'_>,
    declaration: &Declaration,
    side: Side,
    mut world: World,
) -> World {
    let configuration = Configuration::new(plan.configuration());
    let mut resources: Vec<(Resource<'_>, &ResourceChange<'_>)> = all
        .iter()
        .filter_map(|change| {
            let (values, unknown) = match side {
                Side::Before | Side::Ambient => (change.before, &Value::Null),
                Side::After => (change.after, change.after_unknown),
            };
            values.is_object().then(|| {
                let resource = Resource {
                    address: change.address,
                    kind: change.kind,
                    module: change.module,
                    values,
                    unknown,
                    expressions: configuration.expressions(
                        change.module,
                        change.data,
                        change.kind,
                        change.name,
                    ),
                    account: match azure::is_azure(change.kind) {
                        true => places.subscription(change),
                        false => places.account(change),
                    },
                    region: places.region(change),
                };
                (resource, change)
            })
        })
        .collect();
    let only: Vec<Resource<'_>> = resources.iter().map(|(resource, _)| *resource).collect();
    let symbols = Symbols::new(configuration, &only);
    let existing: BTreeMap<&str, bool> =
        all.iter().map(|change| (change.address, change.before.is_object())).collect();
    // What others are attached to comes first.
    resources.sort_by_key(|(resource, _)| {
        let rank = match azure::is_azure(resource.kind) {
            true => azure::rank(resource.kind),
            false => aws::rank(resource.kind),
        };
        (rank, resource.address)
    });
    for (resource, change) in resources.iter().filter(|(_, change)| !change.data) {
        let block = resource.block(&symbols);
        let new = existing.get(resource.address) == Some(&false);
        aws::translate(&block, &mut world, side, new);
        azure::translate(&block, &mut world, side, new);
        if let Some(cluster) = kafka::cluster(change, places, declaration) {
            kafka::translate(&block, &cluster, &mut world);
        }
    }
    if side == Side::After {
        for change in all.iter().filter(|change| !change.data && change.after.is_null()) {
            aws::deleted(
                change.kind,
                change.before,
                places.account(change),
                places.region(change),
                &mut world,
            );
        }
    }
    world
}
