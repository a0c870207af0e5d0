//! A request: who wants to do what to which resource, and what its context carries.

use crate::arn;
use crate::batch::principal::{Kind, Principal};
use crate::facts::{Carries, Context, Fact, Literal};

/// What is asked.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) principal: Principal,
    /// Lower case, `s3:getobject`.
    pub(crate) action: String,
    pub(crate) resource: String,
    pub(crate) context: Carried,
    /// What follows from these for every policy.
    pub(crate) nature: Nature,
}

/// What follows from a request whatever the policies say, worked out once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Nature {
    /// Whether the resource is a KMS key, which nobody uses without its key policy.
    pub(crate) for_key: bool,
    /// Whether a role is to be assumed, which goes by its trust policy.
    pub(crate) for_trust: bool,
    /// Whether requester and resource are of one account; none when the resource's is not known.
    pub(crate) same_account: Option<bool>,
    /// Whether service control policies bind the requester: those in an account, service-linked roles aside.
    pub(crate) service_control: bool,
    /// Whether resource control policies bind the request.
    pub(crate) resource_control: bool,
    /// Whether nothing at all can deny or has to allow it: "No permissions are required" ("GetCallerIdentity", AWS
    /// STS API Reference).
    pub(crate) free: bool,
}

/// The context of a request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Carried {
    /// Sorted by key.
    entries: Vec<Entry>,
    /// Whether it carries nothing else.
    pub(crate) complete: bool,
}

/// One key of a context.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// Lower case.
    key: String,
    /// As written.
    pub(crate) name: String,
    pub(crate) values: Vec<String>,
    /// Whether a single value counts as a list of one.
    as_list: bool,
}

impl Entry {
    /// A key as written with its values; `listed` says whether they were written as a list.
    pub(crate) fn new(name: String, values: Vec<String>, listed: bool) -> Self {
        let key = name.to_ascii_lowercase();
        let as_list = listed && crate::condition::is_multivalued(&key);
        Self { key, name, values, as_list }
    }
}

impl Carried {
    /// Keys and values; fails with a key that is there twice, whatever its case.
    pub(crate) fn new(mut entries: Vec<Entry>, complete: bool) -> Result<Self, String> {
        entries.sort_by(|a, b| a.key.cmp(&b.key));
        let twice = entries.windows(2).find_map(|pair| match pair {
            [a, b] if a.key == b.key => Some(b.name.clone()),
            _ => None,
        });
        match twice {
            Some(key) => Err(key),
            None => Ok(Self { entries, complete }),
        }
    }

    /// The keys that start so, in any case, each with the rest of its name as written.
    pub(crate) fn starting<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a Entry)> {
        self.entries.iter().filter_map(move |entry| {
            let (start, rest) = entry.name.split_at_checked(prefix.len())?;
            start.eq_ignore_ascii_case(prefix).then_some((rest, entry))
        })
    }

    /// The one value of a key, given in lower case.
    pub(crate) fn value(&self, key: &str) -> Option<&str> {
        match self.find(key)?.values.as_slice() {
            [value] => Some(value),
            _ => None,
        }
    }

    fn size(&self) -> usize {
        self.entries
            .iter()
            .map(|entry| entry.key.len() + entry.values.iter().map(|value| value.len() + 1).sum::<usize>())
            .sum()
    }

    fn find(&self, key: &str) -> Option<&Entry> {
        // A handful of keys: looking at each is faster than searching.
        self.entries.iter().find(|entry| entry.key == key)
    }
}

impl Context for Carried {
    fn of(&self, key: &str) -> Fact<'_> {
        match self.literal(key) {
            Carries::One(value) => Fact::Value(value.into()),
            Carries::Several(values) => Fact::List(values),
            Carries::Nothing => Fact::Absent,
            Carries::Open => Fact::Open,
        }
    }
}

impl Literal for Carried {
    fn literal(&self, key: &str) -> Carries<'_> {
        match self.find(key) {
            None if self.complete => Carries::Nothing,
            None => Carries::Open,
            Some(entry) => match entry.values.as_slice() {
                [] => Carries::Nothing,
                [value] if !entry.as_list => Carries::One(value),
                values => Carries::Several(values),
            },
        }
    }
}

impl Request {
    /// A request; the action in lower case, the account that owns the resource where it is known.
    pub(crate) fn new(
        principal: Principal,
        action: String,
        resource: String,
        resource_account: Option<&str>,
        context: Carried,
    ) -> Self {
        let service = action.split_once(':').map_or("", |(service, _)| service);
        let manages = |account: Option<&str>| {
            account.is_some_and(|account| {
                !account.is_empty() && context.value("aws:principalorgmasteraccountid") == Some(account)
            })
        };
        let same_account = if principal.account.is_empty() {
            Some(false)
        } else {
            resource_account.map(|owner| owner == principal.account)
        };
        let nature = Nature {
            for_key: service == "kms"
                && arn::resource(&resource).is_some_and(|resource| resource.starts_with("key/")),
            for_trust: is_trust(&action) && is_role(&resource),
            same_account,
            service_control: principal.has_identity()
                && !principal.service_linked
                && !manages(Some(&principal.account)),
            resource_control: super::control::supports_resource_control(service)
                && action != "kms:retiregrant"
                && !principal.service_linked
                && !manages(resource_account),
            free: action == "sts:getcalleridentity" && principal.kind != Kind::Anonymous,
        };
        Self { principal, action, resource, context, nature }
    }

    /// The bytes that policies are matched against.
    pub(crate) fn size(&self) -> usize {
        self.action.len() + self.resource.len() + self.principal.text.len() + self.context.size()
    }

    /// The account that owns the resource: as given, as its ARN says, or the requester's own where the request is
    /// about no resource.
    pub(crate) fn owner(given: &str, resource: &str, principal: &Principal) -> Option<String> {
        if !given.is_empty() {
            return Some(given.to_owned());
        }
        match arn::account(resource) {
            Some(account) => Some(account.to_owned()),
            None if resource == "*" && !principal.account.is_empty() => Some(principal.account.clone()),
            None => None,
        }
    }
}

/// The actions that a role's trust policy decides.
fn is_trust(action: &str) -> bool {
    matches!(
        action,
        "sts:assumerole"
            | "sts:assumerolewithsaml"
            | "sts:assumerolewithwebidentity"
            | "sts:setcontext"
            | "sts:setsourceidentity"
            | "sts:tagsession"
    )
}

fn is_role(resource: &str) -> bool {
    arn::resource(resource).is_some_and(|inside| inside.starts_with("role/"))
        && resource.split(':').nth(2) == Some("iam")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_stands_twice_is_refused_whatever_its_case() {
        let entry = |name: &str| Entry::new(name.to_owned(), vec!["x".to_owned()], false);
        assert_eq!(
            Carried::new(vec![entry("aws:SourceIp"), entry("AWS:sourceip")], true).err(),
            Some("AWS:sourceip".to_owned())
        );
        assert!(Carried::new(vec![entry("aws:SourceIp"), entry("aws:SourceVpc")], true).is_ok());
    }
}
