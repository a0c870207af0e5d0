//! Running code as a role: by passing it to a service that runs the caller's code, or by changing code that runs as
//! the role already.
//!
//! Source: "Grant a user permissions to pass a role to an AWS service", IAM User Guide. Passing takes three things at
//! once: `iam:PassRole` on the role for that service, the service's own action, and a trust policy that lets the
//! service in.

use std::collections::BTreeSet;
use std::sync::Arc;

use cadastre_model::access::Capability;
use cadastre_model::asset::identity::PrincipalKind;

use crate::bulk::{Prepared, elsewhere, is_plain_for};
use crate::catalogue::{ActionId, Launch};
use crate::choice::Request;
use crate::decide::{Question, Rule, Supposing};
use crate::document::Guard;
use crate::expression::Expression;
use crate::index::once;
use crate::reason::{Reason, ask, combine, tidy};
use crate::remembered::{Remembered, Starters};
use crate::requester::{Identity, Named, Requester};
use crate::roles::{Identities, Towards, bare, trusted};
use crate::statement_set::StatementSet;
use crate::targets::{Target, named_by};

const INSTANCES: &str = "ec2.amazonaws.com";

impl Identities<'_> {
    /// Who can run code as a role.
    pub(crate) fn pass(&self, place: usize, remembered: &mut Remembered, towards: &mut Towards) {
        let world = self.world;
        let (Some(role), Some(target)) = (world.identities.get(place), self.as_targets.get(place)) else {
            return;
        };
        if role.kind != PrincipalKind::Role || role.service_linked {
            return;
        }
        let services = trusted_services(role);
        let trusts = |service: &str| {
            let named = Named::Service(service.to_owned());
            let wanted = services.contains(&named) || services.contains(&Named::Anybody);
            let trust =
                || trusted(world, Requester::Named(&named), target, world.actions.assume, "sts:assumerole");
            wanted.then(trust).unwrap_or_default()
        };
        let passers = self.index.candidates(&role.account, world.actions.pass_role, &role.arn);
        let mut became: Vec<(usize, String, Arc<[Reason]>, StatementSet)> = Vec::new();
        for (number, launch) in world.catalogue.launches().iter().enumerate() {
            for trust in trusts(&launch.service) {
                let Some(prepared) = Prepared::of(world, &launch.action, &launch.on, &launch.also, target)
                else {
                    continue;
                };
                let starters = self.starters(role, &prepared, remembered);
                for &actor in passers.iter().filter(|actor| **actor != place) {
                    if starters.binary_search(&actor).is_err() {
                        continue;
                    }
                    let Some(asking) = world.identities.get(actor) else { continue };
                    let plain = || {
                        let actions = [world.actions.pass_role, world.actions.add_role_to_profile];
                        trust.expression == Expression::Yes
                            && prepared.is_plain_for(world, asking)
                            && actions.into_iter().all(|action| is_plain_for(world, asking, action))
                    };
                    let passes = || self.passes(asking, role, target, launch, &prepared, &trust);
                    let reasons = if trust.expression == Expression::Yes {
                        let question = (number, actor, role.instance_profiles.is_empty());
                        remembered.launches.answer(question, plain, passes)
                    } else {
                        passes().into()
                    };
                    if !reasons.is_empty() {
                        became.push((actor, launch.told(), reasons, trust.statements.clone()));
                    }
                }
            }
        }
        for (number, takeover) in world.catalogue.takeovers().iter().enumerate() {
            for trust in trusts(&takeover.service) {
                let Some(prepared) =
                    Prepared::of(world, &takeover.action, &takeover.on, &takeover.also, target)
                else {
                    continue;
                };
                if takeover.service == INSTANCES && role.instance_profiles.is_empty() {
                    continue;
                }
                let place_of_it = Target { resource: elsewhere(&target.resource), ..bare(target) };
                // Whether code runs as the role that the actor could change is for other evidence to say.
                let missing =
                    format!("{} was not asked, which shows what runs as {}", takeover.shown_by, role.arn);
                for &actor in self.starters(role, &prepared, remembered).iter() {
                    let Some(asking) = world.identities.get(actor).filter(|_| actor != place) else {
                        continue;
                    };
                    let plain = || prepared.is_plain_for(world, asking);
                    let reasons = remembered.takeovers.answer((number, actor), plain, || {
                        let requester = Requester::Identity(asking);
                        prepared.reasons(
                            world,
                            requester,
                            &place_of_it,
                            Request::default(),
                            Supposing::Actual,
                        )
                    });
                    let reasons = under(&trust, reasons.to_vec());
                    let reasons: Arc<[Reason]> =
                        reasons.into_iter().map(|reason| reason.while_missing(&missing)).collect();
                    if !reasons.is_empty() {
                        became.push((actor, takeover.told(), reasons, trust.statements.clone()));
                    }
                }
            }
        }
        for (actor, action, reasons, trust) in became {
            if let Some(asking) = world.identities.get(actor) {
                let cited: Vec<Reason> = reasons.iter().map(|reason| reason.citing(&trust)).collect();
                towards.edges.add(&asking.arn, Capability::Assume, &role.arn, &action, None, &cited);
            }
            towards.becomes.push((actor, reasons, trust));
            towards.actors.insert(actor);
        }
    }

    /// Those who may start what is asked for, in order.
    fn starters(&self, role: &Identity, prepared: &Prepared, remembered: &mut Remembered) -> Arc<[usize]> {
        let Prepared { action, .. } = prepared;
        let known = remembered
            .starters
            .get(&action.id)
            .filter(|known| known.account == role.account && known.on == action.on);
        if let Some(known) = known {
            return Arc::clone(&known.places);
        }
        let on = action.on.iter();
        let found = on.flat_map(|(arn, _)| self.index.candidates(&role.account, action.id, arn)).collect();
        let places: Arc<[usize]> = once(found).into();
        let starters =
            Starters { account: role.account.clone(), on: action.on.clone(), places: Arc::clone(&places) };
        remembered.starters.insert(action.id, starters);
        places
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
