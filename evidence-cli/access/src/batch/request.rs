//! A request: who wants to do what to which resource, and what its context carries.

use crate::arn;
use crate::batch::principal::{Kind, Principal};
use crate::facts::{Context, Fact};

/// What is asked.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) principal: Principal,
    /// Lower case, `s3:getobject`.
    pub(crate) action: String,
    pub(crate) resource: String,
    /// The account that owns the resource, where it is known.
    pub(crate) resource_account: Option<String>,
    pub(crate) context: Carried,
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
    /// Whether the values were written as a list.
    pub(crate) listed: bool,
}

impl Entry {
    pub(crate) fn new(name: String, values: Vec<String>, listed: bool) -> Self {
        Self { key: name.to_ascii_lowercase(), name, values, listed }
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
        match self.find(key) {
            None if self.complete => Fact::Absent,
            None => Fact::Open,
            Some(entry) => match entry.values.as_slice() {
                [] => Fact::Absent,
                [value] if !entry.listed || !crate::condition::is_multivalued(key) => {
                    Fact::Value(value.as_str().into())
                }
                values => Fact::List(values),
            },
        }
    }
}

impl Request {
    /// The bytes that policies are matched against.
    pub(crate) fn size(&self) -> usize {
        self.action.len() + self.resource.len() + self.principal.text.len() + self.context.size()
    }

    /// The service, the part of the action before the colon.
    pub(crate) fn service(&self) -> &str {
        self.action.split_once(':').map_or("", |(service, _)| service)
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

    /// Whether the resource is a KMS key, which nobody uses without its key policy.
    pub(crate) fn is_for_key(&self) -> bool {
        self.service() == "kms"
            && arn::resource(&self.resource).is_some_and(|resource| resource.starts_with("key/"))
    }

    /// Whether a role is to be assumed, which goes by its trust policy.
    pub(crate) fn is_for_trust(&self) -> bool {
        matches!(
            self.action.as_str(),
            "sts:assumerole"
                | "sts:assumerolewithsaml"
                | "sts:assumerolewithwebidentity"
                | "sts:setcontext"
                | "sts:setsourceidentity"
                | "sts:tagsession"
        ) && is_role(&self.resource)
    }

    /// Whether this account is the management account of the principal's organization, as far as the context says.
    pub(crate) fn manages(&self, account: Option<&str>) -> bool {
        account.is_some_and(|account| {
            !account.is_empty() && self.context.value("aws:principalorgmasteraccountid") == Some(account)
        })
    }

    /// Whether service control policies bind the requester: those in an account, service-linked roles aside.
    pub(crate) fn bound_by_service_control(&self) -> bool {
        self.principal.has_identity()
            && !self.principal.service_linked
            && !self.manages(Some(&self.principal.account))
    }

    /// Whether resource control policies bind the request.
    pub(crate) fn bound_by_resource_control(&self) -> bool {
        super::control::supports_resource_control(self.service())
            && self.action != "kms:retiregrant"
            && !self.principal.service_linked
            && !self.manages(self.resource_account.as_deref())
    }

    /// Whether requester and resource are of one account; none when the resource's is not known.
    pub(crate) fn same_account(&self) -> Option<bool> {
        if self.principal.account.is_empty() {
            return Some(false);
        }
        self.resource_account.as_ref().map(|owner| *owner == self.principal.account)
    }

    /// Whether nothing at all can deny or has to allow it: "No permissions are required" ("GetCallerIdentity", AWS
    /// STS API Reference).
    pub(crate) fn is_free(&self) -> bool {
        self.action == "sts:getcalleridentity" && self.principal.kind != Kind::Anonymous
    }
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
