//! What is known of a request before it is made: the values of condition keys.
//!
//! Source: "AWS global condition context keys", IAM User Guide, and the service authorization reference. Only
//! what follows from the principal, the resource and the question itself counts as known; where and when a
//! request is made stays open.

use std::borrow::Cow;

use cadastre_model::Known;
use cadastre_model::asset::Tag;
use cadastre_model::asset::identity::PrincipalKind;

use crate::requester::{Named, Requester};

/// Where the values of condition keys come from.
pub(crate) trait Context {
    /// What is known of a key, which is given in lower case.
    fn of(&self, key: &str) -> Fact<'_>;
}

/// A request in hand: each key has literal values, or none, or is open. What it settles needs no symbolic answer, which
/// is what makes batches fast.
pub(crate) trait Literal: Context {
    /// What it carries under a key, given in lower case.
    fn literal(&self, key: &str) -> Carries<'_>;
}

/// What a request in hand carries under a key.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Carries<'a> {
    /// One value.
    One(&'a str),
    /// The values of a multivalued key, at least one.
    Several(&'a [String]),
    /// Nothing.
    Nothing,
    /// Not known here.
    Open,
}

/// What is known of one condition key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fact<'a> {
    /// Its one value.
    Value(Cow<'a, str>),
    /// The values of a multivalued key, at least one.
    List(&'a [String]),
    /// The request does not carry it.
    Absent,
    /// It has one value, which matches this pattern.
    Like(String),
    /// Only the request settles it.
    Open,
    /// Evidence would settle it, and is missing.
    Unknown(String),
}

impl Fact<'_> {
    fn one(value: impl Into<String>) -> Self {
        Self::Value(Cow::Owned(value.into()))
    }

    fn flag(value: bool) -> Self {
        Self::one(if value { "true" } else { "false" })
    }

    fn known(value: &Known<String>) -> Self {
        match value {
            Known::Observed(value) => Self::one(value.clone()),
            Known::Absent => Self::Absent,
            Known::Unknown(what) => Self::Unknown(what.clone()),
        }
    }
}

/// What is asked about.
#[derive(Debug, Clone)]
pub(crate) struct Resource {
    /// Its account.
    pub(crate) account: String,
    /// Its region, where it has one.
    pub(crate) region: Option<String>,
    /// Its organization.
    pub(crate) organization: Known<String>,
    /// Its tags.
    pub(crate) tags: Vec<Tag>,
    /// What the absence of a tag from that list says.
    pub(crate) tagging: Tagging,
    /// Aliases of a key.
    pub(crate) aliases: Vec<String>,
}

/// How far the list of a resource's tags can be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tagging {
    /// It was read together with the resource, so a tag that is not there is absent.
    Complete,
    /// It may lack some.
    Partial,
    /// Requests do not carry them, or the resource is yet to be made.
    Open,
}

/// Everything known of one question.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts<'a> {
    pub(crate) requester: Requester<'a>,
    pub(crate) resource: &'a Resource,
    /// The service that a role is passed to, for `iam:PassRole`.
    pub(crate) passed_to: Option<&'a str>,
}

impl Context for Facts<'_> {
    fn of(&self, key: &str) -> Fact<'_> {
        if let Some(tag) = key.strip_prefix("aws:principaltag/") {
            return self.principal_tag(tag);
        }
        for prefix in ["aws:resourcetag/", "ec2:resourcetag/", "iam:resourcetag/", "ssm:resourcetag/"] {
            if let Some(tag) = key.strip_prefix(prefix) {
                return self.resource_tag(tag);
            }
        }
        match key {
            "aws:principalarn" => self.principal_arn(),
            "aws:principalaccount" | "kms:calleraccount" => match self.requester {
                Requester::Named(Named::Service(_)) => Fact::Absent,
                _ => self.requester.account().map_or(Fact::Open, Fact::one),
            },
            "aws:principalorgid" => match self.requester {
                Requester::Identity(identity) => Fact::known(&identity.organization),
                Requester::Named(Named::Service(_)) => Fact::Absent,
                Requester::Named(_) => Fact::Open,
            },
            "aws:principaltype" => match self.requester {
                Requester::Identity(identity) => Fact::one(match identity.kind {
                    PrincipalKind::User => "User",
                    PrincipalKind::Role => "AssumedRole",
                }),
                Requester::Named(_) => Fact::Open,
            },
            "aws:username" => match self.requester {
                Requester::Identity(identity) => match identity.kind {
                    PrincipalKind::User => Fact::one(identity.name.clone()),
                    PrincipalKind::Role => Fact::Absent,
                },
                Requester::Named(Named::Service(_)) => Fact::Absent,
                Requester::Named(_) => Fact::Open,
            },
            "aws:principalisawsservice" => match self.requester {
                Requester::Named(Named::Anybody) => Fact::flag(false),
                requester => Fact::flag(requester.is_service()),
            },
            "aws:principalservicename" => match self.requester {
                Requester::Named(Named::Service(service)) => Fact::one(service.clone()),
                _ => Fact::Absent,
            },
            // A service fills these in when it acts for a resource; nobody else's request carries them.
            "aws:sourcearn" | "aws:sourceaccount" | "aws:sourceorgid" | "aws:sourceorgpaths" => {
                if self.requester.is_service() { Fact::Open } else { Fact::Absent }
            }
            "aws:resourceaccount" | "s3:resourceaccount" => Fact::one(self.resource.account.clone()),
            "aws:resourceorgid" => Fact::known(&self.resource.organization),
            "aws:requestedregion" => self.resource.region.clone().map_or(Fact::Open, Fact::one),
            // Every caller can use TLS, so a policy that asks for it keeps nobody out.
            "aws:securetransport" => Fact::flag(true),
            "kms:resourcealiases" => match self.resource.aliases.as_slice() {
                [] => Fact::Open,
                aliases => Fact::List(aliases),
            },
            "iam:passedtoservice" => self.passed_to.map_or(Fact::Open, Fact::one),
            _ => Fact::Open,
        }
    }
}

impl Facts<'_> {
    fn principal_arn(&self) -> Fact<'_> {
        match self.requester {
            Requester::Identity(identity) => Fact::one(identity.arn.clone()),
            Requester::Named(Named::Arn(arn)) => Fact::one(arn.clone()),
            Requester::Named(Named::Account(account)) => Fact::Like(format!("arn:aws:iam::{account}:*")),
            Requester::Named(Named::Service(_)) => Fact::Absent,
            Requester::Named(_) => Fact::Open,
        }
    }

    fn principal_tag(&self, tag: &str) -> Fact<'_> {
        let Requester::Identity(identity) = self.requester else { return Fact::Open };
        let own = identity.tags.iter().find(|own| own.key.eq_ignore_ascii_case(tag));
        match (own, identity.kind) {
            (Some(own), _) => Fact::one(own.value.clone()),
            (None, PrincipalKind::User) => Fact::Absent,
            // A session may bring tags of its own.
            (None, PrincipalKind::Role) => Fact::Open,
        }
    }

    fn resource_tag(&self, tag: &str) -> Fact<'_> {
        let own = self.resource.tags.iter().find(|own| own.key.eq_ignore_ascii_case(tag));
        match (self.resource.tagging, own) {
            (Tagging::Open, _) | (Tagging::Partial, None) => Fact::Open,
            (Tagging::Complete, None) => Fact::Absent,
            (_, Some(own)) => Fact::one(own.value.clone()),
        }
    }
}
