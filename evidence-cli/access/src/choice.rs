//! What whoever makes a request settles itself: `policies/capabilities/choices.yaml`.
//!
//! A condition on a tag that the requester sends, or on a key that it can leave out of the request, keeps nobody out.
//! Such tests are taken out of a decision and told beside it; what is left is a real limit. Tests of one request that
//! exclude each other have been found before, so each can be settled on its own.

use std::collections::BTreeSet;

use cadastre_model::access::Decision;
use serde::Deserialize;

use crate::catalogue::CatalogueError;
use crate::expression::{Expression, Quantifier, Relation, Test};
use crate::pattern;

const FILE: (&str, &str) = ("choices.yaml", include_str!("../../../policies/capabilities/choices.yaml"));
const SCHEMA: &str = "cadastre/choices/v1";

/// Keys that belong to a request's resource even where the request makes something new.
const TAGS_OF_RESOURCES: &str = "resourcetag/";
/// Which managed policy is attached: the requester's choice among those the condition names.
const POLICY_ARN: &str = "iam:policyarn";
/// AWS-managed policies that give whoever holds them what it likes to stores, keys or identities ("AWS managed
/// policies for job functions", IAM User Guide).
const BROAD_POLICIES: [&str; 5] = [
    "arn:aws:iam::aws:policy/AdministratorAccess",
    "arn:aws:iam::aws:policy/PowerUserAccess",
    "arn:aws:iam::aws:policy/IAMFullAccess",
    "arn:aws:iam::aws:policy/AmazonS3FullAccess",
    "arn:aws:iam::aws:policy/AmazonEC2FullAccess",
];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    schema: String,
    sets: Vec<String>,
    creates: Vec<String>,
    omits: Vec<String>,
    omitted_by_users: Vec<String>,
}

/// The keys, lower case.
#[derive(Debug)]
pub(crate) struct Choices {
    sets: Vec<String>,
    creates: Vec<String>,
    omits: Vec<String>,
    omitted_by_users: Vec<String>,
}

/// What kind of request a decision is about.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Request<'a> {
    /// Whether it makes something new, or uses something that the requester picks.
    pub(crate) creates: bool,
    /// Whether a user makes it, with credentials of its own.
    pub(crate) by_user: bool,
    /// Whether an AWS service makes it, whose context keys are none of anybody's choosing.
    pub(crate) by_service: bool,
    /// Keys, lower case, whose values this very step settles; no value stands for a key that is absent.
    pub(crate) settled: &'a [(&'a str, Vec<String>)],
}

impl Choices {
    /// The keys that are built in.
    pub(crate) fn embedded() -> Result<Self, CatalogueError> {
        let (name, text) = FILE;
        let file: File = serde_saphyr::from_str(text).map_err(|error| CatalogueError::Malformed {
            file: name,
            problem: error.without_snippet().to_string(),
        })?;
        if file.schema != SCHEMA {
            return Err(CatalogueError::Schema { file: name, found: file.schema });
        }
        let lower = |keys: Vec<String>| keys.into_iter().map(|key| key.to_ascii_lowercase()).collect();
        Ok(Self {
            sets: lower(file.sets),
            creates: lower(file.creates),
            omits: lower(file.omits),
            omitted_by_users: lower(file.omitted_by_users),
        })
    }

    /// Takes out what the requester settles, and says in words what that was.
    pub(crate) fn settle(
        &self,
        expression: Expression,
        request: Request<'_>,
    ) -> (Expression, BTreeSet<String>) {
        let mut chosen = BTreeSet::new();
        if request.by_service {
            return (expression, chosen);
        }
        let left = self.settled(expression, request, &mut chosen);
        (left, chosen)
    }

    fn settled(
        &self,
        expression: Expression,
        request: Request<'_>,
        chosen: &mut BTreeSet<String>,
    ) -> Expression {
        match expression {
            Expression::Test(test) => {
                let known = request.settled.iter().find(|(key, _)| test.body.key.eq_ignore_ascii_case(key));
                if let Some((_, values)) = known {
                    return if holds(&test, values) { Expression::Yes } else { Expression::No };
                }
                if self.is_chosen(&test, request) {
                    if let Decision::Conditional(text) = Expression::Test(test).decision() {
                        chosen.insert(text);
                    }
                    return Expression::Yes;
                }
                Expression::Test(test)
            }
            Expression::All(parts) => {
                Expression::all(parts.into_iter().map(|part| self.settled(part, request, chosen)))
            }
            Expression::Any(parts) => {
                // A branch that asks for nothing makes the choices of the others idle.
                let mut of_branches: Vec<(Expression, BTreeSet<String>)> = parts
                    .into_iter()
                    .map(|part| {
                        let mut own = BTreeSet::new();
                        (self.settled(part, request, &mut own), own)
                    })
                    .collect();
                of_branches.sort_by_key(|(left, own)| (left.rank(), own.len()));
                if let Some((Expression::Yes, own)) = of_branches.first() {
                    chosen.extend(own.iter().cloned());
                    return Expression::Yes;
                }
                Expression::any(of_branches.into_iter().map(|(left, own)| {
                    chosen.extend(own);
                    left
                }))
            }
            other => other,
        }
    }

    fn is_chosen(&self, test: &Test, request: Request<'_>) -> bool {
        let key = test.body.key.to_ascii_lowercase();
        let listed = |list: &[String]| {
            list.iter().any(|known| match known.ends_with(['/', ':']) {
                true => key.starts_with(known.as_str()),
                false => key == *known,
            })
        };
        let satisfiable =
            test.negated || test.body.relation == Relation::Absent || !test.body.values.is_empty();
        if satisfiable && listed(&self.sets) {
            return true;
        }
        if satisfiable && request.creates && !key.contains(TAGS_OF_RESOURCES) && listed(&self.creates) {
            return true;
        }
        if key == POLICY_ARN {
            return test.negated || reaches_a_broad_policy(test);
        }
        let omitted = listed(&self.omits) || (request.by_user && listed(&self.omitted_by_users));
        omitted && holds(test, &[])
    }
}

fn reaches_a_broad_policy(test: &Test) -> bool {
    test.body.values.iter().any(|value| BROAD_POLICIES.iter().any(|broad| pattern::covers(value, broad)))
}

/// Whether a test holds when its key has these values; none stands for a request without the key.
pub(crate) fn holds(test: &Test, given: &[String]) -> bool {
    let body = &*test.body;
    let matches = |given: &String| {
        body.values.iter().any(|wanted| match body.relation {
            Relation::In => wanted == given,
            Relation::InIgnoringCase | Relation::Is => wanted.eq_ignore_ascii_case(given),
            Relation::Like => pattern::covers(wanted, given),
            Relation::ArnLike => arn_matches(wanted, given),
            _ => false,
        })
    };
    let positive = if body.relation == Relation::Absent {
        given.is_empty()
    } else if given.is_empty() {
        body.or_absent || body.quantifier == Quantifier::All
    } else {
        match body.quantifier {
            Quantifier::All => given.iter().all(matches),
            Quantifier::One | Quantifier::Any => given.iter().any(matches),
        }
    };
    positive != test.negated
}

/// Each of the six parts on its own, so that no wildcard reaches across a colon.
fn arn_matches(wanted: &str, given: &str) -> bool {
    wanted == "*"
        || (wanted.splitn(6, ':').count() == given.splitn(6, ':').count()
            && wanted
                .splitn(6, ':')
                .zip(given.splitn(6, ':'))
                .all(|(wanted, given)| pattern::covers(wanted, given)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expression::TestBody;

    fn test(key: &str, quantifier: Quantifier, or_absent: bool, values: &[&str]) -> Expression {
        Expression::test(TestBody {
            key: key.into(),
            relation: Relation::In,
            quantifier,
            or_absent,
            values: values.iter().map(|value| (*value).to_owned()).collect(),
        })
    }

    #[track_caller]
    fn check(expression: Expression, request: Request<'_>, left: Decision, choices: usize) {
        let (settled, chosen) = Choices::embedded().unwrap().settle(expression, request);
        assert_eq!(settled.decision(), left);
        assert_eq!(chosen.len(), choices, "{chosen:?}");
    }

    #[test]
    fn a_value_that_the_requester_writes_is_no_limit() {
        let request = Request::default();
        check(test("aws:RequestTag/team", Quantifier::One, false, &["kafka"]), request, Decision::Allow, 1);
        check(
            test("aws:SourceVpce", Quantifier::One, false, &["vpce-1"]),
            request,
            Decision::Conditional("aws:SourceVpce in [vpce-1]".into()),
            0,
        );
        check(
            test("ec2:InstanceType", Quantifier::One, false, &["m5.large"]),
            request,
            Decision::Conditional("ec2:InstanceType in [m5.large]".into()),
            0,
        );
        let creating = Request { creates: true, ..request };
        check(test("ec2:InstanceType", Quantifier::One, false, &["m5.large"]), creating, Decision::Allow, 1);
        check(
            test("ec2:ResourceTag/env", Quantifier::One, false, &["dev"]),
            creating,
            Decision::Conditional("ec2:ResourceTag/env in [dev]".into()),
            0,
        );
    }

    #[test]
    fn a_key_that_can_be_left_out_is_no_limit_where_its_absence_passes() {
        let request = Request::default();
        check(test("aws:SourceVpce", Quantifier::All, false, &["vpce-1"]), request, Decision::Allow, 1);
        check(test("aws:SourceVpce", Quantifier::One, true, &["vpce-1"]), request, Decision::Allow, 1);
        check(
            test("aws:SourceVpce", Quantifier::Any, false, &["vpce-1"]).negate(),
            request,
            Decision::Allow,
            1,
        );
        let mfa = || test("aws:MultiFactorAuthPresent", Quantifier::One, true, &["true"]);
        assert!(matches!(
            Choices::embedded().unwrap().settle(mfa(), request).0.decision(),
            Decision::Conditional(_)
        ));
        check(mfa(), Request { by_user: true, ..request }, Decision::Allow, 1);
    }

    #[test]
    fn what_an_aws_service_sends_is_none_of_anybodys_choosing() {
        let request = Request { by_service: true, ..Request::default() };
        let source = test("aws:SourceArn", Quantifier::One, true, &["arn:aws:s3:::b"]);
        assert!(matches!(
            Choices::embedded().unwrap().settle(source, request).0.decision(),
            Decision::Conditional(_)
        ));
    }

    #[test]
    fn a_way_that_asks_for_nothing_makes_the_other_ways_idle() {
        let either = Expression::Any(vec![
            test("aws:RequestTag/team", Quantifier::One, false, &["kafka"]),
            test("aws:SourceIp", Quantifier::One, false, &["192.0.2.0/24"]),
        ]);
        check(either, Request::default(), Decision::Allow, 1);
    }

    #[test]
    fn a_step_settles_keys_about_itself() {
        let settled = [("iam:permissionsboundary", vec!["arn:aws:iam::111122223333:policy/b".to_owned()])];
        let request = Request { settled: &settled, ..Request::default() };
        let boundary = |arn: &str| test("iam:PermissionsBoundary", Quantifier::One, false, &[arn]);
        check(boundary("arn:aws:iam::111122223333:policy/b"), request, Decision::Allow, 0);
        check(boundary("arn:aws:iam::111122223333:policy/c"), request, Decision::Deny, 0);
    }

    #[test]
    fn choosing_among_policies_is_no_limit_while_a_broad_one_is_among_them() {
        let among = |arn: &str| test("iam:PolicyARN", Quantifier::One, false, &[arn]);
        let request = Request::default();
        check(among("arn:aws:iam::aws:policy/AdministratorAccess"), request, Decision::Allow, 1);
        check(among("arn:aws:iam::aws:policy/AdministratorAccess").negate(), request, Decision::Allow, 1);
        check(
            among("arn:aws:iam::aws:policy/CloudWatchReadOnlyAccess"),
            request,
            Decision::Conditional(
                "iam:PolicyARN in [arn:aws:iam::aws:policy/CloudWatchReadOnlyAccess]".into(),
            ),
            0,
        );
    }
}
