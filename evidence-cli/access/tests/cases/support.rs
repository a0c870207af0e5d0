//! A case in the making, and the policies that cases are made of.

use cadastre_access::batch::{self, Answer, Outcome};
use serde_json::{Value, json};

pub(crate) const USER: &str = "arn:aws:iam::111122223333:user/ann";
pub(crate) const ROLE: &str = "arn:aws:iam::111122223333:role/app";
pub(crate) const SESSION: &str = "arn:aws:sts::111122223333:assumed-role/app/one";
pub(crate) const FEDERATED: &str = "arn:aws:sts::111122223333:federated-user/ann";
pub(crate) const ROOT: &str = "arn:aws:iam::111122223333:root";
pub(crate) const OTHER_ROOT: &str = "arn:aws:iam::444455556666:root";
pub(crate) const OTHER_USER: &str = "arn:aws:iam::444455556666:user/eve";
pub(crate) const LINKED: &str =
    "arn:aws:iam::111122223333:role/aws-service-role/kafka.amazonaws.com/AWSServiceRoleForKafka";
pub(crate) const LINKED_SESSION: &str = "arn:aws:sts::111122223333:assumed-role/AWSServiceRoleForKafka/one";
pub(crate) const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
pub(crate) const OTHER_KEY: &str =
    "arn:aws:kms:us-east-1:111122223333:key/0987dcba-09fe-87dc-65ba-ab0987654321";
pub(crate) const OBJECT: &str = "arn:aws:s3:::data/logs/a";
pub(crate) const TABLE: &str = "arn:aws:dynamodb:us-east-1:111122223333:table/orders";
pub(crate) const QUEUE: &str = "arn:aws:sqs:us-east-1:111122223333:orders";
pub(crate) const TARGET: &str = "arn:aws:iam::111122223333:role/target";
pub(crate) const TOPIC: &str = "arn:aws:kafka:us-east-1:111122223333:topic/main/abcd-1/orders";
pub(crate) const CLUSTER: &str = "arn:aws:kafka:us-east-1:111122223333:cluster/main/abcd-1";
pub(crate) const GROUP: &str = "arn:aws:kafka:us-east-1:111122223333:group/main/abcd-1/readers";

/// A case in the making.
#[derive(Clone)]
pub(crate) struct Ask(pub(crate) Value);

pub(crate) fn ask(principal: &str, action: &str, resource: &str) -> Ask {
    Ask(json!({
        "request": {"principal": principal, "action": action, "resource": resource,
            "resourceAccount": "111122223333", "context": {}, "contextComplete": true},
        "policies": {}
    }))
}

impl Ask {
    pub(crate) fn with(mut self, kind: &str, value: Value) -> Self {
        self.0["policies"][kind] = value;
        self
    }

    pub(crate) fn identity(self, statement: Value) -> Self {
        self.with("identity", json!([policy(statement)]))
    }

    pub(crate) fn resource(self, statement: Value) -> Self {
        self.with("resource", policy(statement))
    }

    pub(crate) fn boundary(self, statement: Value) -> Self {
        self.with("boundary", policy(statement))
    }

    pub(crate) fn session(self, statement: Value) -> Self {
        self.with("session", policy(statement))
    }

    pub(crate) fn scp(self, levels: Value) -> Self {
        self.with("scp", levels)
    }

    pub(crate) fn rcp(self, statement: Value) -> Self {
        let full = json!({"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"});
        self.with("rcp", json!([[policy(full), policy(statement)]]))
    }

    pub(crate) fn grant(self, grant: Value) -> Self {
        self.with("grants", json!([grant]))
    }

    pub(crate) fn of(mut self, account: &str) -> Self {
        self.0["request"]["resourceAccount"] = json!(account);
        self
    }

    pub(crate) fn context(mut self, context: Value) -> Self {
        self.0["request"]["context"] = context;
        self
    }

    pub(crate) fn open(mut self) -> Self {
        self.0["request"]["contextComplete"] = json!(false);
        self
    }

    pub(crate) fn answer(&self) -> Answer {
        batch::answer(&self.0.to_string())
    }

    #[track_caller]
    pub(crate) fn is(&self, page: &str, expected: Outcome) {
        let answer = self.answer();
        assert_eq!(answer.decision, expected, "{page}: {}\n{answer:?}", self.0);
    }

    #[track_caller]
    pub(crate) fn allow(self, page: &str) -> Self {
        self.is(page, Outcome::Allow);
        self
    }

    #[track_caller]
    pub(crate) fn deny(self, page: &str) -> Self {
        self.is(page, Outcome::Deny);
        self
    }

    #[track_caller]
    pub(crate) fn when(self, page: &str, condition: &str) -> Self {
        self.is(page, Outcome::Conditional);
        assert_eq!(self.answer().condition.as_deref(), Some(condition), "{page}");
        self
    }

    #[track_caller]
    pub(crate) fn unknown(self, page: &str, missing: &str) -> Self {
        self.is(page, Outcome::Unknown);
        let told = self.answer().missing;
        assert!(told.iter().any(|told| told.contains(missing)), "{page}: {told:?}");
        self
    }
}

pub(crate) fn policy(statement: Value) -> Value {
    json!({"Version": "2012-10-17", "Statement": statement})
}

pub(crate) fn may(action: &str) -> Value {
    json!({"Effect": "Allow", "Action": action, "Resource": "*"})
}

pub(crate) fn not(action: &str) -> Value {
    json!({"Effect": "Deny", "Action": action, "Resource": "*"})
}

pub(crate) fn lets(principal: Value, action: &str) -> Value {
    json!({"Effect": "Allow", "Principal": principal, "Action": action, "Resource": "*"})
}

pub(crate) fn aws(arn: &str) -> Value {
    json!({"AWS": arn})
}

pub(crate) fn trusts(principal: Value) -> Value {
    json!({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"})
}

/// A statement that holds under a condition.
pub(crate) fn when(mut statement: Value, condition: Value) -> Value {
    statement["Condition"] = condition;
    statement
}

/// A grant as `ListGrants` returns it.
pub(crate) fn grant(grantee: &str, operations: &[&str]) -> Value {
    json!({"KeyId": KEY, "GrantId": "0123", "Name": "", "CreationDate": 1_700_000_000, "GranteePrincipal": grantee,
        "IssuingAccount": ROOT, "Operations": operations})
}

pub(crate) fn constrained(mut grant: Value, kind: &str, pairs: Value) -> Value {
    grant["Constraints"] = json!({kind: pairs});
    grant
}

/// A key that leaves decisions to the policies of its account.
pub(crate) fn delegating() -> Value {
    lets(aws(ROOT), "kms:*")
}
