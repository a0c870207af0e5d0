//! Running code as a role: by passing it to a service that runs the caller's code, or by changing code that runs as
//! the role already.
//!
//! Source: "Grant a user permissions to pass a role to an AWS service", IAM User Guide. Passing takes three things at
//! once: `iam:PassRole` on the role for that service, the service's own action, and a trust policy that lets the
//! service in.

use std::collections::BTreeSet;

use cadastre_model::access::Capability;
use cadastre_model::asset::identity::PrincipalKind;

use crate::bulk::{Edges, Prepared, elsewhere};
use crate::catalogue::{ActionId, Launch, Takeover};
use crate::choice::Request;
use crate::decide::{Question, Rule, Supposing};
use crate::document::Guard;
use crate::expression::Expression;
use crate::reason::{Reason, ask, combine, tidy};
use crate::requester::{Identity, Named, Requester};
use crate::roles::{Identities, bare, trusted};
use crate::targets::{Target, named_by};

const INSTANCES: &str = "ec2.amazonaws.com";

impl Identities<'_> {
    /// Who can run code as a role.
    pub(crate) fn pass(&mut self, place: usize, edges: &mut Edges) -> BTreeSet<usize> {
        let world = self.world;
        let mut found = BTreeSet::new();
        let (Some(role), Some(target)) = (world.identities.get(place), self.as_targets.get(place)) else {
            return found;
        };
        if role.kind != PrincipalKind::Role || role.service_linked {
            return found;
        }
        let services = trusted_services(role);
        let trusts = |service: &str| {
            let named = Named::Service(service.to_owned());
            let wanted = services.contains(&named) || services.contains(&Named::Anybody);
            let trust =
                || trusted(world, Requester::Named(&named), target, world.actions.assume, "sts:assumerole");
            wanted.then(trust).unwrap_or_default().into_iter().next()
        };
        let passers = self.index.candidates(&role.account, world.actions.pass_role, &role.arn);
        let mut became: Vec<(usize, String, Vec<Reason>)> = Vec::new();
        for launch in world.catalogue.launches() {
            let Some(trust) = trusts(&launch.service) else { continue };
            let Some(prepared) = Prepared::of(world, &launch.action, &launch.on, &launch.also, target) else {
                continue;
            };
            let starters = self.starters(role, &prepared);
            for &actor in passers.intersection(&starters).filter(|actor| **actor != place) {
                let Some(asking) = world.identities.get(actor) else { continue };
                let reasons = self.passes(asking, role, target, launch, &prepared, &trust);
                if !reasons.is_empty() {
                    became.push((actor, launch.told(), reasons));
                }
            }
        }
        for takeover in world.catalogue.takeovers() {
            let Some(trust) = trusts(&takeover.service) else { continue };
            let Some(prepared) = Prepared::of(world, &takeover.action, &takeover.on, &takeover.also, target)
            else {
                continue;
            };
            for actor in self.starters(role, &prepared) {
                let Some(asking) = world.identities.get(actor).filter(|_| actor != place) else { continue };
                let reasons = self.takes_over(asking, role, target, takeover, &prepared, &trust);
                if !reasons.is_empty() {
                    became.push((actor, takeover.told(), reasons));
                }
            }
        }
        for (actor, action, reasons) in became {
            if let Some(asking) = world.identities.get(actor) {
                edges.add(&asking.arn, Capability::Assume, &role.arn, &action, None, &reasons);
            }
            self.becoming.entry((actor, place)).or_default().extend(reasons);
            found.insert(actor);
        }
        found
    }

    fn starters(&self, role: &Identity, prepared: &Prepared) -> BTreeSet<usize> {
        let on = prepared.action.on.iter();
        on.flat_map(|(arn, _)| self.index.candidates(&role.account, prepared.action.id, arn)).collect()
    }

    fn passes(
        &self,
        asking: &Identity,
        role: &Identity,
        target: &Target,
        launch: &Launch,
        prepared: &Prepared,
        trust: &Reason,
    ) -> Vec<Reason> {
        let world = self.world;
        let own = |action: ActionId, action_name: &str, arn: &str| {
            let question = Question {
                action,
                action_name,
                arn,
                resource: &target.resource,
                policy: &Guard::None,
                rule: Rule::None,
                grants: &[],
                outsiders: &Expression::Yes,
                passed_to: Some(&launch.service),
                supposing: Supposing::Actual,
            };
            tidy(ask(world, Requester::Identity(asking), &question, Request::default()))
        };
        let passing = own(world.actions.pass_role, "iam:passrole", &role.arn);
        if passing.is_empty() {
            return passing;
        }
        let mut needed = vec![passing];
        let mut settled: Vec<(&str, Vec<String>)> = Vec::new();
        if launch.service == INSTANCES {
            if role.instance_profiles.is_empty() {
                // Instances take a role only through an instance profile that carries it.
                let profiles = format!("arn:aws:iam::{}:instance-profile/*", role.account);
                needed.push(own(
                    world.actions.add_role_to_profile,
                    "iam:addroletoinstanceprofile",
                    &profiles,
                ));
            } else {
                settled.push(("ec2:instanceprofile", role.instance_profiles.clone()));
            }
        }
        let request = Request { settled: &settled, creates: true, ..Request::default() };
        needed.push(prepared.reasons(
            world,
            Requester::Identity(asking),
            &bare(target),
            request,
            Supposing::Actual,
        ));
        under(trust, combine(needed))
    }

    /// Whether code runs as the role that the actor could change is for other evidence to say.
    fn takes_over(
        &self,
        asking: &Identity,
        role: &Identity,
        target: &Target,
        takeover: &Takeover,
        prepared: &Prepared,
        trust: &Reason,
    ) -> Vec<Reason> {
        if takeover.service == INSTANCES && role.instance_profiles.is_empty() {
            return Vec::new();
        }
        let place = Target { resource: elsewhere(&target.resource), ..bare(target) };
        let reasons = prepared.reasons(
            self.world,
            Requester::Identity(asking),
            &place,
            Request::default(),
            Supposing::Actual,
        );
        let missing = format!("{} was not asked, which shows what runs as {}", takeover.shown_by, role.arn);
        under(trust, reasons).into_iter().map(|reason| reason.while_missing(&missing)).collect()
    }
}

/// The same reasons, as far as the role lets the service in.
fn under(trust: &Reason, reasons: Vec<Reason>) -> Vec<Reason> {
    let both = reasons.into_iter().map(|reason| Reason {
        expression: Expression::all([reason.expression, trust.expression.clone()]),
        ..reason
    });
    tidy(both.collect())
}

fn trusted_services(role: &Identity) -> BTreeSet<Named> {
    match &role.trust {
        Guard::Policy(policy) => named_by(policy),
        // Whom it trusts is not known, so it may be any service.
        Guard::Unknown(_) => BTreeSet::from([Named::Anybody]),
        Guard::None => BTreeSet::new(),
    }
}
