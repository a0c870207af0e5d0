//! One question answered: may this requester do this action to this resource, and which statements say so.
//!
//! Source: "Policy evaluation logic" and "Cross-account policy evaluation logic", IAM User Guide. An explicit
//! deny anywhere wins; service control policies and the permissions boundary only ever limit; within one
//! account the identity's or the resource's policy suffices, across accounts both are needed. Key policies and
//! trust policies are required ("Key policies in AWS KMS": an identity policy counts only where the key policy
//! names the account). What another account allows its own people is that account's to change, so for
//! principals of accounts that were not read the resource's side decides alone.

use std::collections::BTreeSet;
use std::sync::Arc;

use cadastre_model::Known;
use cadastre_model::asset::identity::PrincipalKind;
use cadastre_model::asset::keys::Grant;

use crate::batch::control::supports_resource_control;
use crate::catalogue::ActionId;
use crate::document::{Body, Guard, Naming, Policy, Principals, Statement};
use crate::expression::{Expression, Quantifier, Relation, TestBody};
use crate::facts::{Facts, Resource};
use crate::grammar::On;
use crate::reason::{Reason, combine, tidy};
use crate::requester::{Group, Identity, Named, Requester};
use crate::statement_set::StatementSet;
use crate::world::{Levels, World};

/// How a resource's own policy takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// It suffices within the account: buckets.
    Sufficient,
    /// Nothing goes without it: keys and roles.
    Required,
    /// There is no such policy, and nobody from elsewhere gets in.
    None,
}

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Question<'a> {
    pub(crate) action: ActionId,
    /// Lower case.
    pub(crate) action_name: &'a str,
    /// An ARN, or a pattern that stands for any of several.
    pub(crate) arn: &'a str,
    pub(crate) resource: &'a Resource,
    pub(crate) policy: &'a Guard,
    pub(crate) rule: Rule,
    pub(crate) grants: &'a [Grant],
    /// What keeps principals of other accounts out, whatever the policy says.
    pub(crate) outsiders: &'a Expression,
    /// The service a role is passed to.
    pub(crate) passed_to: Option<&'a str>,
    /// What the requester's own policies are taken to be.
    pub(crate) supposing: Supposing,
}

/// What the requester's own policies are taken to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Supposing {
    /// What they are.
    Actual,
    /// Its policies allow everything; its boundary stays.
    Rewritten,
    /// Its boundary is gone; its policies stay.
    Unbounded,
    /// Both.
    RewrittenAndUnbounded,
    /// It has been put into one more group, by its number.
    Joined(usize),
}

/// Every proof that the requester may; none means no.
pub(crate) fn decide(world: &World, requester: Requester<'_>, question: &Question<'_>) -> Vec<Reason> {
    let facts = Facts { requester, resource: question.resource, passed_to: question.passed_to };
    let asked = Asked { world, requester, question, facts };
    let proofs = asked.allowing();
    if proofs.is_empty() {
        return proofs;
    }
    let limits = asked.limits();
    if limits == Expression::No {
        return Vec::new();
    }
    tidy(proofs.into_iter().map(|proof| proof.within(&limits)).collect())
}

struct Asked<'a> {
    world: &'a World,
    requester: Requester<'a>,
    question: &'a Question<'a>,
    facts: Facts<'a>,
}

impl Asked<'_> {
    /// Everything that allows, before anything limits.
    fn allowing(&self) -> Vec<Reason> {
        let (direct, delegated) = self.resource_side();
        let grants = self.grants();
        let identity = match self.requester {
            Requester::Named(_) => {
                // The other account's own policies are its own affair.
                return direct.into_iter().chain(delegated).chain(grants).collect();
            }
            Requester::Identity(identity) => identity,
        };
        let same_account = identity.account == self.question.resource.account;
        let boundary = self.boundary_allows(identity);
        let own = || self.identity_side(identity).into_iter().map(|proof| proof.within(&boundary));
        let mut proofs: Vec<Reason> = match (same_account, self.question.rule) {
            (true, Rule::None) => own().collect(),
            (false, Rule::None) => Vec::new(),
            (true, Rule::Sufficient) => own().chain(self.granted(identity, direct)).collect(),
            (true, Rule::Required) => {
                let mut own_with_key = Vec::new();
                if !delegated.is_empty() {
                    own_with_key = combine([delegated, own().collect()]);
                }
                own_with_key.into_iter().chain(self.granted(identity, direct)).collect()
            }
            (false, _) => {
                let theirs: Vec<Reason> = direct.into_iter().chain(delegated).collect();
                if theirs.is_empty() { theirs } else { combine([theirs, own().collect()]) }
            }
        };
        proofs.extend(grants);
        proofs
    }

    /// A resource policy that names a role is limited by the role's boundary; one that names a user is not
    /// ("Permissions boundaries for IAM entities", IAM User Guide).
    fn granted(&self, identity: &Identity, direct: Vec<Reason>) -> Vec<Reason> {
        match identity.kind {
            PrincipalKind::User => direct,
            PrincipalKind::Role => {
                let boundary = self.boundary_allows(identity);
                direct.into_iter().map(|proof| proof.within(&boundary)).collect()
            }
        }
    }

    /// What the requester's own policies allow.
    fn identity_side(&self, identity: &Identity) -> Vec<Reason> {
        if matches!(self.question.supposing, Supposing::Rewritten | Supposing::RewrittenAndUnbounded) {
            return vec![Reason::given()];
        }
        let mut proofs = Vec::new();
        let policies =
            identity.policies.iter().chain(self.joined().into_iter().flat_map(|group| &group.policies));
        for statement in policies.flat_map(|policy| policy.about(self.question.action)) {
            let expression = match &statement.body {
                Body::Odd(why) => Expression::Unknown(Arc::clone(why)),
                Body::Read(clauses) if clauses.allows => {
                    clauses.applies(On::Any(self.question.arn), &self.facts)
                }
                Body::Read(_) => continue,
            };
            push(&mut proofs, expression, statement);
        }
        proofs
    }

    /// What the resource's policy allows: by name, and by leaving it to the requester's account.
    fn resource_side(&self) -> (Vec<Reason>, Vec<Reason>) {
        let (mut direct, mut delegated) = (Vec::new(), Vec::new());
        let policy = match (self.question.rule, self.question.policy) {
            (Rule::None, _) | (_, Guard::None) => return (direct, delegated),
            (Rule::Sufficient, Guard::Unknown(_)) => return (direct, delegated),
            (Rule::Required, Guard::Unknown(what)) => {
                // An identity that may on its own part may in truth, if the missing policy lets it.
                let missing = Reason::new(Expression::unknown(what.as_str()), StatementSet::new());
                return (direct, vec![missing]);
            }
            (_, Guard::Policy(policy)) => policy,
        };
        for statement in policy.about(self.question.action) {
            match &statement.body {
                Body::Odd(why) => push(&mut delegated, Expression::Unknown(Arc::clone(why)), statement),
                Body::Read(clauses) if clauses.allows => {
                    let Some(principals) = &clauses.principals else { continue };
                    let Naming { direct: by_name, delegated: by_account } =
                        principals.allowing(self.requester);
                    if by_name == Expression::No && !by_account {
                        continue;
                    }
                    let applies = clauses.applies(On::Any(self.question.arn), &self.facts);
                    if by_name == Expression::No {
                        push(&mut delegated, applies, statement);
                    } else {
                        push(&mut direct, Expression::all([by_name, applies]), statement);
                    }
                }
                Body::Read(_) => {}
            }
        }
        (direct, delegated)
    }

    /// What KMS grants allow ("Grants in AWS KMS", AWS KMS Developer Guide).
    fn grants(&self) -> Vec<Reason> {
        let operation = self.question.action_name.split_once(':').map_or("", |(_, name)| name);
        let mut proofs = Vec::new();
        for grant in self.question.grants {
            if !grant.operations.iter().any(|granted| granted.eq_ignore_ascii_case(operation)) {
                continue;
            }
            let grantee = Principals { inverted: false, named: vec![grantee(&grant.grantee)] };
            let naming = grantee.allowing(self.requester);
            if naming.direct == Expression::No {
                continue;
            }
            let expression = Expression::all([naming.direct, constraint(grant)]);
            proofs.push(Reason::new(expression, [grant.at.clone()].into_iter().collect()));
        }
        proofs
    }

    /// Everything that must hold besides being allowed: no explicit deny, and room within every limit.
    fn limits(&self) -> Expression {
        let question = self.question;
        let mut parts = Vec::new();
        match (question.rule, question.policy) {
            (Rule::None, _) | (_, Guard::None) => {}
            (_, Guard::Policy(policy)) => parts.push(self.denied_by(policy).negate()),
            (_, Guard::Unknown(what)) => parts.push(Expression::unknown(what.as_str())),
        }
        if self.requester.account() != Some(&question.resource.account) && !self.requester.is_service() {
            parts.push(question.outsiders.clone());
        }
        if let Requester::Identity(identity) = self.requester {
            let rewritten =
                matches!(question.supposing, Supposing::Rewritten | Supposing::RewrittenAndUnbounded);
            if !rewritten {
                parts.extend(identity.policies.iter().map(|policy| self.denied_by(policy).negate()));
                let joined = self.joined().into_iter().flat_map(|group| &group.policies);
                parts.extend(joined.map(|policy| self.denied_by(policy).negate()));
                parts.extend(identity.policies_missing.as_deref().map(Expression::unknown));
            }
            if let (Guard::Policy(boundary), false) = (&identity.boundary, self.unbounded()) {
                parts.push(self.denied_by(boundary).negate());
            }
            if !identity.service_linked {
                parts.push(self.service_control(&identity.account));
            }
        }
        let service_linked =
            matches!(self.requester, Requester::Identity(identity) if identity.service_linked);
        let controlled = question
            .action_name
            .split_once(':')
            .is_some_and(|(service, _)| supports_resource_control(service));
        if controlled && !service_linked {
            parts.push(self.resource_control(&question.resource.account));
        }
        Expression::all(parts)
    }

    /// The group that the requester is taken to have been put into.
    fn joined(&self) -> Option<&Group> {
        match self.question.supposing {
            Supposing::Joined(number) => self.world.groups.get(number),
            _ => None,
        }
    }

    const fn unbounded(&self) -> bool {
        matches!(self.question.supposing, Supposing::Unbounded | Supposing::RewrittenAndUnbounded)
    }

    fn boundary_allows(&self, identity: &Identity) -> Expression {
        match &identity.boundary {
            _ if self.unbounded() => Expression::Yes,
            Guard::None => Expression::Yes,
            Guard::Unknown(what) => Expression::unknown(what.as_str()),
            Guard::Policy(policy) => self.allowed_by(policy),
        }
    }

    /// Whether some statement of a policy without principals allows.
    fn allowed_by(&self, policy: &Policy) -> Expression {
        Expression::any(policy.about(self.question.action).map(|statement| match &statement.body {
            Body::Odd(why) => Expression::Unknown(Arc::clone(why)),
            Body::Read(clauses) if clauses.allows => clauses.applies(On::Any(self.question.arn), &self.facts),
            Body::Read(_) => Expression::No,
        }))
    }

    /// Whether some statement of a policy denies, for its principals where it names any.
    fn denied_by(&self, policy: &Policy) -> Expression {
        Expression::any(policy.about(self.question.action).map(|statement| match &statement.body {
            Body::Odd(why) => Expression::Unknown(Arc::clone(why)),
            Body::Read(clauses) if !clauses.allows => {
                let named = match &clauses.principals {
                    Some(principals) => principals.denying(self.requester),
                    None => Expression::Yes,
                };
                if named == Expression::No {
                    return Expression::No;
                }
                Expression::all([named, clauses.applies(On::Any(self.question.arn), &self.facts)])
            }
            Body::Read(_) => Expression::No,
        }))
    }

    /// Service control policies: each level must allow and none may deny; the management account is exempt
    /// ("Service control policies (SCPs)", AWS Organizations User Guide).
    fn service_control(&self, account: &str) -> Expression {
        let Some(rails) = self.world.rails(account) else {
            return Expression::unknown(format!("the service control policies of account {account}"));
        };
        self.around(&rails.service_control, &rails.management, |level| {
            Expression::all([
                Expression::any(level.iter().map(|policy| self.allowed_by(policy))),
                Expression::any(level.iter().map(|policy| self.denied_by(policy))).negate(),
            ])
        })
    }

    /// Resource control policies: only their denies matter, since the allow-everything one cannot be detached.
    fn resource_control(&self, account: &str) -> Expression {
        let Some(rails) = self.world.rails(account) else {
            return Expression::unknown(format!("the resource control policies of account {account}"));
        };
        self.around(&rails.resource_control, &rails.management, |level| {
            Expression::any(level.iter().map(|policy| self.denied_by(policy))).negate()
        })
    }

    fn around(
        &self,
        levels: &Levels,
        management: &Known<bool>,
        level_allows: impl Fn(&[Arc<Policy>]) -> Expression,
    ) -> Expression {
        if management.observed() == Some(&true) {
            return Expression::Yes;
        }
        let verdict = match levels {
            Levels::None => Expression::Yes,
            Levels::Unknown(what) => Expression::unknown(what.as_str()),
            Levels::Known(levels) => Expression::all(levels.iter().map(|level| level_allows(level))),
        };
        match (management, verdict) {
            (_, Expression::Yes) => Expression::Yes,
            (Known::Unknown(what), _) => Expression::unknown(what.as_str()),
            (_, verdict) => verdict,
        }
    }
}

fn push(proofs: &mut Vec<Reason>, expression: Expression, statement: &Statement) {
    if expression != Expression::No {
        proofs.push(Reason::new(expression, StatementSet::one(&statement.at)));
    }
}

/// Who a grant is for.
pub(crate) fn grantee(text: &str) -> Named {
    if text.ends_with(".amazonaws.com") {
        return Named::Service(text.to_owned());
    }
    match (crate::arn::resource(text), crate::arn::account(text)) {
        (Some("root"), Some(account)) => Named::Account(account.to_owned()),
        _ => Named::Arn(text.to_owned()),
    }
}

/// The encryption context that a grant asks for.
fn constraint(grant: &Grant) -> Expression {
    if !grant.constrained {
        return Expression::Yes;
    }
    let text = match &grant.constraints {
        serde_json::Value::Null => {
            return Expression::unknown(format!("the constraints of grant {}", grant.id));
        }
        constraints => constraints.to_string(),
    };
    Expression::test(TestBody {
        key: "encryption context".to_owned(),
        relation: Relation::In,
        quantifier: Quantifier::One,
        or_absent: false,
        values: BTreeSet::from([text]),
    })
}
