//! Who makes a request, told from its ARN or name, and how a policy's principals fit it.
//!
//! Source: "AWS JSON policy elements: Principal", IAM User Guide.

use crate::arn;
use crate::requester::Named;

/// What kind of principal makes the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nobody who signed the request.
    Anonymous,
    /// The root user of an account.
    Root,
    User,
    /// A role, whatever its session.
    Role,
    /// A session of a role.
    Session,
    /// A session that a user's federation token gave.
    FederatedUser,
    /// An AWS service.
    Service,
    /// An identity provider's user, or anything else that a policy may name.
    Other,
}

/// Who makes a request.
#[derive(Debug, Clone)]
pub(crate) struct Principal {
    pub(crate) kind: Kind,
    /// As written.
    pub(crate) text: String,
    /// Its account; empty where it has none.
    pub(crate) account: String,
    /// Whether it is a role that a service made for itself, or a session of one.
    pub(crate) service_linked: bool,
    /// For a session, the name of its role.
    role: Option<String>,
}

/// How a policy's principals fit a requester, from not at all to by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fit {
    No,
    /// Its account is named.
    Account,
    /// The role or user behind its session is named.
    Behind,
    /// It is named itself, or everybody is.
    Itself,
}

impl Principal {
    /// Tells a principal from its ARN, service name, or `*`; `account` as the case gives it.
    pub(crate) fn parse(text: &str, account: &str) -> Self {
        let resource = arn::resource(text).unwrap_or_default();
        let service = text.split(':').nth(2).unwrap_or_default();
        let kind = if text == "*" {
            Kind::Anonymous
        } else if arn::is_account(text) || (service == "iam" && resource == "root") {
            Kind::Root
        } else if service == "iam" && resource.starts_with("user/") {
            Kind::User
        } else if service == "iam" && resource.starts_with("role/") {
            Kind::Role
        } else if service == "sts" && resource.starts_with("assumed-role/") {
            Kind::Session
        } else if service == "sts" && resource.starts_with("federated-user/") {
            Kind::FederatedUser
        } else if !text.starts_with("arn:") && is_service(text) {
            Kind::Service
        } else {
            Kind::Other
        };
        let account = match kind {
            Kind::Anonymous | Kind::Service => "",
            Kind::Other => account,
            _ if !account.is_empty() => account,
            Kind::Root if arn::is_account(text) => text,
            _ => arn::account(text).unwrap_or_default(),
        };
        let service_linked = match kind {
            Kind::Role => resource.starts_with("role/aws-service-role/"),
            Kind::Session => {
                arn::session(text).is_some_and(|(role, _)| role.starts_with("AWSServiceRoleFor"))
            }
            _ => false,
        };
        let role = match kind {
            Kind::Session => arn::session(text).map(|(role, _)| role.to_owned()),
            _ => None,
        };
        Self { kind, text: text.to_owned(), account: account.to_owned(), service_linked, role }
    }

    /// Whether policies of its own, a boundary and a session take part: users, roles, their sessions and root.
    pub(crate) const fn has_identity(&self) -> bool {
        !matches!(self.kind, Kind::Anonymous | Kind::Service | Kind::Other)
    }

    /// How one name fits it.
    pub(crate) fn fit(&self, named: &Named) -> Fit {
        let itself = |same: bool| if same { Fit::Itself } else { Fit::No };
        match named {
            Named::Anybody => Fit::Itself,
            Named::Account(account) if self.has_identity() && *account == self.account => Fit::Account,
            Named::Account(_) => Fit::No,
            Named::Service(service) => itself(self.kind == Kind::Service && *service == self.text),
            // `cognito-identity.amazonaws.com` and the like are providers with the name of a service.
            Named::Federated(provider) => itself(*provider == self.text),
            Named::Canonical(id) => itself(self.kind == Kind::Other && *id == self.text),
            Named::Arn(arn) => self.fit_arn(arn),
        }
    }

    fn fit_arn(&self, named: &str) -> Fit {
        match self.kind {
            Kind::Role if named == self.text => Fit::Behind,
            _ if named == self.text => Fit::Itself,
            Kind::Session if self.is_session_of(named) => Fit::Behind,
            Kind::FederatedUser if self.is_federated_by(named) => Fit::Behind,
            _ => Fit::No,
        }
    }

    /// Whether a role's ARN is that of this session: same partition, account and name, whatever its path. Names of
    /// roles are unique without regard to case ("IAM and AWS STS quotas", IAM User Guide).
    fn is_session_of(&self, role: &str) -> bool {
        let Some(own) = self.role.as_deref() else { return false };
        // Most names end in another way, which is quickly seen.
        let ends_alike = role.len().checked_sub(own.len()).and_then(|start| role.get(start..));
        if !ends_alike.is_some_and(|end| end.eq_ignore_ascii_case(own)) {
            return false;
        }
        let Some(path) = arn::resource(role).and_then(|resource| resource.strip_prefix("role/")) else {
            return false;
        };
        let name = path.rsplit('/').next().unwrap_or(path);
        name.eq_ignore_ascii_case(own) && self.shares_account(role)
    }

    fn is_federated_by(&self, user: &str) -> bool {
        let own = arn::resource(&self.text).and_then(|resource| resource.strip_prefix("federated-user/"));
        let path = arn::resource(user).and_then(|resource| resource.strip_prefix("user/"));
        match (own, path) {
            (Some(own), Some(path)) => path.rsplit('/').next() == Some(own) && self.shares_account(user),
            _ => false,
        }
    }

    fn shares_account(&self, arn: &str) -> bool {
        let (mut own, mut other) = (self.text.split(':'), arn.split(':'));
        own.nth(1) == other.nth(1) && own.nth(2) == other.nth(2) && arn.split(':').nth(2) == Some("iam")
    }
}

fn is_service(text: &str) -> bool {
    text.ends_with(".amazonaws.com") || text.ends_with(".amazonaws.com.cn")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(principal: &str, named: &Named, expected: Fit) {
        assert_eq!(Principal::parse(principal, "").fit(named), expected, "{named:?} for `{principal}`");
    }

    #[test]
    fn a_name_fits_the_principal_its_session_or_its_account() {
        let session = "arn:aws:sts::111122223333:assumed-role/app/one";
        let named = |arn: &str| Named::Arn(arn.to_owned());
        check(session, &named(session), Fit::Itself);
        check(session, &named("arn:aws:iam::111122223333:role/app"), Fit::Behind);
        check(session, &named("arn:aws:iam::111122223333:role/path/app"), Fit::Behind);
        check(session, &named("arn:aws:iam::444455556666:role/app"), Fit::No);
        check(session, &named("arn:aws-cn:iam::111122223333:role/app"), Fit::No);
        check(session, &named("arn:aws:iam::111122223333:user/app"), Fit::No);
        check(session, &Named::Account("111122223333".into()), Fit::Account);
        check(session, &Named::Anybody, Fit::Itself);
        check("arn:aws:iam::111122223333:role/app", &named(session), Fit::No);
        check(
            "arn:aws:sts::111122223333:federated-user/ann",
            &named("arn:aws:iam::111122223333:user/ann"),
            Fit::Behind,
        );
        check("*", &Named::Account("111122223333".into()), Fit::No);
        check("*", &Named::Anybody, Fit::Itself);
        check("s3.amazonaws.com", &Named::Service("s3.amazonaws.com".into()), Fit::Itself);
    }
}
