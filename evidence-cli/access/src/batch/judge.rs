//! One request judged by all the policies that bear on it.
//!
//! Source: "Policy evaluation logic", "Policy evaluation for requests within a single account" and "Cross-account
//! policy evaluation logic", IAM User Guide. An explicit deny anywhere wins. Control policies and the endpoint's
//! policy only limit. The principal's own policies count within its boundary and its session's policy; a resource
//! policy that names a user or a session itself, or everybody, is not limited by these two, one that names the role
//! behind a session is ("Permissions boundaries for IAM entities").

use std::sync::Arc;

use smallvec::SmallVec;

use crate::batch::grant::{Grant, Says};
use crate::batch::policy::Policy;
use crate::batch::principal::{Fit, Kind, Principal};
use crate::batch::request::Request;
use crate::expression::Expression;
use crate::grammar::{Body, On, Principals};

/// The policies that bear on a request.
#[derive(Debug, Default)]
pub(crate) struct Policies {
    pub(crate) identity: Vec<Arc<Policy>>,
    pub(crate) resource: Option<Arc<Policy>>,
    pub(crate) boundary: Option<Arc<Policy>>,
    pub(crate) session: Option<Arc<Policy>>,
    /// Levels from the root down.
    pub(crate) service_control: Vec<Vec<Arc<Policy>>>,
    /// Levels from the root down.
    pub(crate) resource_control: Vec<Vec<Arc<Policy>>>,
    pub(crate) endpoint: Option<Arc<Policy>>,
    pub(crate) grants: Vec<Grant>,
}

/// Which policy of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    Identity(u32),
    Resource,
    Boundary,
    Session,
    ServiceControl(u32, u32),
    ResourceControl(u32, u32),
    Endpoint,
    Grant(u32),
}

/// A statement that a verdict rests on, by its number; a grant has no statements.
pub(crate) type Cited = (Place, u32);

/// Statements that a verdict rests on: few, in most cases.
pub(crate) type By = SmallVec<[Cited; 4]>;

/// What would have to allow and does not: few, in most cases.
type Lacks = SmallVec<[Lack; 8]>;

/// What has to hold besides being granted: little, in most cases.
type Limits = SmallVec<[Expression; 8]>;

/// What comes out.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) expression: Expression,
    /// What allows, or what denies explicitly.
    pub(crate) by: By,
    /// What would have to allow and does not.
    pub(crate) missing: Lacks,
}

/// What would have to allow and does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lack {
    Identity,
    Resource,
    KeyPolicy,
    Trust,
    Boundary,
    Session,
    ServiceControl(u32),
    ResourceControl(u32),
    Endpoint,
    Grant,
    ResourceAccount,
    RootMayNotAssume,
}

/// Statements that say one thing of a request, and under what condition.
#[derive(Debug)]
struct Side {
    expression: Expression,
    by: By,
}

impl Side {
    const fn none() -> Self {
        Self { expression: Expression::No, by: By::new_const() }
    }

    fn add(&mut self, expression: Expression, cited: Cited) {
        if expression == Expression::No {
            return;
        }
        self.by.push(cited);
        if self.expression != Expression::Yes {
            let before = std::mem::replace(&mut self.expression, Expression::No);
            self.expression = Expression::any([before, expression]);
        }
    }

    const fn allows(&self) -> bool {
        !matches!(self.expression, Expression::No)
    }
}

/// What a resource policy allows, by how it names the requester.
struct Allowed {
    /// By itself or as one of everybody.
    itself: Side,
    /// By the role or user behind its session.
    behind: Side,
    /// By its account.
    account: Side,
}

/// Judges a request.
pub(crate) fn judge(request: &Request, policies: &Policies) -> Verdict {
    if request.nature.free {
        return Verdict { expression: Expression::Yes, by: By::new_const(), missing: Lacks::new_const() };
    }
    Judge { request, policies, denied: Side::none() }.run()
}

struct Judge<'a> {
    request: &'a Request,
    policies: &'a Policies,
    denied: Side,
}

impl Judge<'_> {
    fn run(mut self) -> Verdict {
        let request = self.request;
        let policies = self.policies;
        let mut missing = Lacks::new_const();
        // What keeps everything from being granted matters only where nothing is.
        let mut ungranted = Lacks::new_const();
        let mut limits = Limits::new();

        let own = request.principal.has_identity();
        let mut identity = Side::none();
        let mut bounds = Expression::Yes;
        if own {
            for (number, policy) in (0..).zip(&policies.identity) {
                self.scan(policy, Place::Identity(number), &mut identity);
            }
            for (policy, place, lack) in [
                (&policies.boundary, Place::Boundary, Lack::Boundary),
                (&policies.session, Place::Session, Lack::Session),
            ] {
                let Some(policy) = policy else { continue };
                let mut side = Side::none();
                self.scan(policy, place, &mut side);
                if !side.allows() {
                    ungranted.push(lack);
                }
                bounds = Expression::all([bounds, side.expression]);
            }
        }
        let allowed = self.resource();
        if request.nature.service_control {
            self.levels(
                &policies.service_control,
                Place::ServiceControl,
                Lack::ServiceControl,
                &mut limits,
                &mut missing,
            );
        }
        if request.nature.resource_control {
            self.levels(
                &policies.resource_control,
                Place::ResourceControl,
                Lack::ResourceControl,
                &mut limits,
                &mut missing,
            );
        }
        if let Some(policy) = &policies.endpoint {
            let side = self.endpoint(policy);
            if !side.allows() {
                missing.push(Lack::Endpoint);
            }
            limits.push(side.expression);
        }

        if self.denied.expression == Expression::Yes {
            return Verdict { expression: Expression::No, by: self.denied.by, missing: Lacks::new_const() };
        }
        let granted = self.granting(identity, bounds, allowed, &mut ungranted);
        if !granted.allows() {
            missing.extend(ungranted);
        }
        limits.push(granted.expression);
        limits.push(self.denied.expression.clone().negate());
        let expression = Expression::all(limits);
        let by = if expression == Expression::No { By::new_const() } else { granted.by };
        if expression != Expression::No {
            missing.clear();
        }
        Verdict { expression, by, missing }
    }

    /// Whether a statement speaks of the request, principals aside.
    fn applies(&self, body: &Body) -> Expression {
        match body {
            Body::Odd(why) => Expression::Unknown(Arc::clone(why)),
            Body::Read(clauses) => {
                if !clauses.actions.selects(&self.request.action) {
                    return Expression::No;
                }
                let symbolic = || clauses.applies(On::One(&self.request.resource), &self.request.context);
                let settled = match clauses.settled(&self.request.resource, &self.request.context) {
                    Some(true) => Expression::Yes,
                    Some(false) => Expression::No,
                    None => return symbolic(),
                };
                debug_assert_eq!(settled, symbolic(), "both ways of deciding a statement agree");
                settled
            }
        }
    }

    /// Gathers what a policy without principals allows, and what it denies.
    fn scan(&mut self, policy: &Policy, place: Place, allows: &mut Side) {
        for (number, body) in (0..).zip(&policy.statements) {
            let expression = self.applies(body);
            match body {
                Body::Read(clauses) if clauses.allows => allows.add(expression, (place, number)),
                Body::Read(_) => self.denied.add(expression, (place, number)),
                // It may allow, and it may deny.
                Body::Odd(_) => {
                    allows.add(expression.clone(), (place, number));
                    self.denied.add(expression, (place, number));
                }
            }
        }
    }

    /// Whether every level has a policy that allows.
    fn levels(
        &mut self,
        levels: &[Vec<Arc<Policy>>],
        place: fn(u32, u32) -> Place,
        lack: fn(u32) -> Lack,
        limits: &mut Limits,
        missing: &mut Lacks,
    ) {
        for (level, policies) in (0..).zip(levels) {
            let mut side = Side::none();
            for (number, policy) in (0..).zip(policies) {
                self.scan(policy, place(level, number), &mut side);
            }
            if !side.allows() {
                missing.push(lack(level));
            }
            if side.expression != Expression::Yes {
                limits.push(side.expression);
            }
        }
    }

    /// What the endpoint's policy allows. It names an account's root user where it names the account ("Control
    /// access to VPC endpoints using endpoint policies", AWS PrivateLink Guide).
    fn endpoint(&mut self, policy: &Policy) -> Side {
        let mut allows = Side::none();
        let principal = &self.request.principal;
        for (number, body) in (0..).zip(&policy.statements) {
            let cited = (Place::Endpoint, number);
            let expression = self.applies(body);
            match body {
                Body::Odd(_) => {
                    allows.add(expression.clone(), cited);
                    self.denied.add(expression, cited);
                }
                Body::Read(clauses) => {
                    let named = clauses.principals.as_ref().is_none_or(|principals| {
                        let fit = fit(principals, principal);
                        let named =
                            fit > Fit::Account || (fit == Fit::Account && principal.kind == Kind::Root);
                        named != principals.inverted
                    });
                    match (named, clauses.allows) {
                        (false, _) => {}
                        (true, true) => allows.add(expression, cited),
                        (true, false) => self.denied.add(expression, cited),
                    }
                }
            }
        }
        allows
    }

    /// What the resource's policy allows, and how it names the requester for it.
    fn resource(&mut self) -> Allowed {
        let mut allowed = Allowed { itself: Side::none(), behind: Side::none(), account: Side::none() };
        let Some(policy) = &self.policies.resource else { return allowed };
        let principal = &self.request.principal;
        for (number, body) in (0..).zip(&policy.statements) {
            let cited = (Place::Resource, number);
            let expression = self.applies(body);
            if expression == Expression::No {
                continue;
            }
            let clauses = match body {
                Body::Odd(_) => {
                    allowed.itself.add(expression.clone(), cited);
                    self.denied.add(expression, cited);
                    continue;
                }
                Body::Read(clauses) => clauses,
            };
            let Some(principals) = &clauses.principals else { continue };
            let named = fit(principals, principal);
            if !clauses.allows {
                // "NotPrincipal with Deny will always deny any IAM principal that has a permissions boundary".
                let bounded = self.policies.boundary.is_some() && principal.has_identity();
                let hit = if principals.inverted { named == Fit::No || bounded } else { named > Fit::No };
                if hit {
                    self.denied.add(expression, cited);
                }
                continue;
            }
            let fit = match (principals.inverted, named) {
                (false, fit) => fit,
                (true, Fit::No) => Fit::Itself,
                (true, _) => Fit::No,
            };
            match fit {
                Fit::No => {}
                Fit::Account => allowed.account.add(expression, cited),
                Fit::Behind => allowed.behind.add(expression, cited),
                Fit::Itself => allowed.itself.add(expression, cited),
            }
        }
        allowed
    }

    /// Everything that allows, before control policies and the endpoint limit it.
    fn granting(&self, identity: Side, bounds: Expression, allowed: Allowed, missing: &mut Lacks) -> Side {
        let request = self.request;
        let (granted, left) = self.grants();
        // A policy alone cannot allow this ("AWS KMS permissions", AWS KMS Developer Guide).
        let by_grant_alone = request.action == "kms:retiregrant";
        let mut itself = allowed.itself;
        if !request.principal.has_identity() {
            if by_grant_alone {
                itself = Side::none();
            }
            lacking(&itself, &granted, self.needs(), missing);
            return either(itself, granted);
        }
        let root = request.principal.kind == Kind::Root;
        if root && request.action == "sts:assumerole" {
            missing.push(Lack::RootMayNotAssume);
            return Side::none();
        }
        // "The AWS account root user … has full access".
        let own = if root {
            Side { expression: Expression::Yes, by: identity.by }
        } else {
            if !identity.allows() {
                missing.push(Lack::Identity);
            }
            within(identity, &bounds)
        };
        let behind = within(allowed.behind, &bounds);
        let left = both(left, &own);
        if by_grant_alone {
            missing.push(Lack::Grant);
            return either(granted, left);
        }
        let required = request.nature.for_key || request.nature.for_trust;
        let granted = either(granted, left);
        match request.nature.same_account {
            None => {
                missing.push(Lack::ResourceAccount);
                Side {
                    expression: Expression::unknown("the account that owns the resource"),
                    by: By::new_const(),
                }
            }
            Some(true) => {
                let direct = either(itself, behind);
                let through = if required {
                    if !allowed.account.allows() && !direct.allows() {
                        missing.push(self.needs());
                    }
                    both(allowed.account, &own)
                } else {
                    own
                };
                either(either(direct, through), granted)
            }
            Some(false) => {
                // The role named behind a session is within bounds already, and so are its own policies.
                let theirs = either(either(itself, behind), allowed.account);
                if !theirs.allows() {
                    missing.push(self.needs());
                }
                either(both(theirs, &own), granted)
            }
        }
    }

    fn needs(&self) -> Lack {
        if self.request.nature.for_key {
            Lack::KeyPolicy
        } else if self.request.nature.for_trust {
            Lack::Trust
        } else {
            Lack::Resource
        }
    }

    /// What grants allow by themselves, and what they leave to the requester's own policies.
    fn grants(&self) -> (Side, Side) {
        let (mut granted, mut left) = (Side::none(), Side::none());
        if self.request.nature.for_key {
            for (number, grant) in (0..).zip(&self.policies.grants) {
                match grant.says(self.request) {
                    Says::Nothing => {}
                    Says::Allows(expression) => granted.add(expression, (Place::Grant(number), 0)),
                    Says::Leaves => left.add(Expression::Yes, (Place::Grant(number), 0)),
                }
            }
        }
        (granted, left)
    }
}

fn lacking(itself: &Side, granted: &Side, needs: Lack, missing: &mut Lacks) {
    if !itself.allows() && !granted.allows() {
        missing.push(needs);
    }
}

/// The best fit of the names in a statement, `NotPrincipal` aside.
fn fit(principals: &Principals, principal: &Principal) -> Fit {
    principals.named.iter().map(|named| principal.fit(named)).max().unwrap_or(Fit::No)
}

fn within(side: Side, bounds: &Expression) -> Side {
    match (&side.expression, bounds) {
        (Expression::No, _) | (_, Expression::Yes) => side,
        (_, Expression::No) => Side::none(),
        _ => Side { expression: Expression::all([side.expression, bounds.clone()]), by: side.by },
    }
}

fn either(mut left: Side, right: Side) -> Side {
    if !right.allows() {
        return left;
    }
    if !left.allows() {
        return right;
    }
    left.by.extend(right.by);
    left.expression = Expression::any([left.expression, right.expression]);
    left
}

fn both(mut left: Side, right: &Side) -> Side {
    if !left.allows() || !right.allows() {
        return Side::none();
    }
    left.by.extend(right.by.iter().copied());
    left.expression = Expression::all([left.expression, right.expression.clone()]);
    left
}
