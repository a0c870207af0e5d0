//! The reasons for which our evaluator and the other one may differ, each with the page that decides it.

#![expect(
    clippy::indexing_slicing,
    reason = "a member that a JSON value lacks is null when asked for by name"
)]

use serde_json::Value;

/// A reason to differ.
pub(crate) struct Class {
    pub(crate) name: &'static str,
    /// The title of the page.
    pub(crate) page: &'static str,
    /// What it says, and what the other evaluator does.
    pub(crate) argument: &'static str,
    /// Whether a case has the mark of it.
    pub(crate) applies: fn(&View<'_>) -> bool,
}

/// A condition of some statement.
pub(crate) struct Condition<'a> {
    /// Whether the policy's version has variables.
    variables: bool,
    operator: &'a str,
    key: &'a str,
    values: Vec<&'a str>,
}

/// A case as the classes look at it.
pub(crate) struct View<'a> {
    case: &'a Value,
    conditions: Vec<Condition<'a>>,
}

impl<'a> View<'a> {
    pub(crate) fn new(case: &'a Value) -> Self {
        let mut conditions = Vec::new();
        for policy in documents(case) {
            let variables = policy["Version"] == "2012-10-17";
            for statement in statements(policy) {
                let Some(block) = statement["Condition"].as_object() else { continue };
                for (operator, keys) in block {
                    for (key, values) in keys.as_object().into_iter().flatten() {
                        let values = list(values).filter_map(Value::as_str).collect();
                        conditions.push(Condition { variables, operator, key, values });
                    }
                }
            }
        }
        Self { case, conditions }
    }

    fn request(&self, member: &str) -> &'a str {
        self.case["request"][member].as_str().unwrap_or_default()
    }

    fn policy(&self, place: &str) -> &'a Value {
        &self.case["policies"][place]
    }

    fn same_account(&self) -> bool {
        self.request("principalAccount") == self.request("resourceAccount")
    }

    fn carried(&self, key: &str) -> Option<&'a Value> {
        let context = self.case["request"]["context"].as_object()?;
        context.iter().find(|(own, _)| own.eq_ignore_ascii_case(key)).map(|(_, value)| value)
    }
}

/// Every document of a case.
fn documents(case: &Value) -> Vec<&Value> {
    let policies = &case["policies"];
    let mut all: Vec<&Value> = ["resource", "boundary", "session", "endpoint"]
        .into_iter()
        .map(|place| &policies[place])
        .filter(|policy| policy.is_object())
        .collect();
    all.extend(list(&policies["identity"]));
    for place in ["scp", "rcp"] {
        all.extend(list(&policies[place]).flat_map(list));
    }
    all
}

/// The elements of a list, or the one thing that stands in its place.
fn list(value: &Value) -> impl Iterator<Item = &Value> {
    match value {
        Value::Array(values) => values.as_slice(),
        Value::Null => &[],
        single => std::slice::from_ref(single),
    }
    .iter()
}

fn statements(policy: &Value) -> impl Iterator<Item = &Value> {
    list(&policy["Statement"])
}

fn is_service_linked(view: &View<'_>) -> bool {
    let principal = view.request("principal");
    principal.contains(":role/aws-service-role/") || principal.contains(":assumed-role/AWSServiceRoleFor")
}

/// The services of generated cases that the list names.
fn is_resource_controlled(action: &str) -> bool {
    let service = action.split(':').next().unwrap_or_default();
    ["s3", "sts", "kms", "sqs", "secretsmanager", "dynamodb", "ecr", "cognito-identity", "logs", "aoss"]
        .contains(&service)
}

fn any_condition(view: &View<'_>, test: impl Fn(&Condition<'_>) -> bool) -> bool {
    view.conditions.iter().any(test)
}

fn base(operator: &str) -> &str {
    let operator = operator.rsplit(':').next().unwrap_or(operator);
    operator.strip_suffix("IfExists").unwrap_or(operator)
}

/// The variables of a text that have neither a value in the request nor a default.
fn has_valueless_variable(view: &View<'_>, text: &str) -> bool {
    text.split("${").skip(1).any(|rest| {
        let inside = rest.split('}').next().unwrap_or_default();
        !matches!(inside, "*" | "?" | "$")
            && !inside.contains(',')
            && view.carried(inside).is_none_or(Value::is_array)
    })
}

/// The policies whose version has variables.
fn present(case: &Value) -> impl Iterator<Item = &Value> {
    documents(case).into_iter().filter(|policy| policy["Version"] == "2012-10-17")
}

fn is_negated(operator: &str) -> bool {
    base(operator).contains("Not")
}

fn is_null(value: &Value) -> bool {
    match value {
        Value::String(text) => text.is_empty(),
        Value::Array(values) => values.iter().all(is_null),
        _ => false,
    }
}

/// Whether the resource's policy allows everybody, or a session by its own ARN.
fn allows_directly(view: &View<'_>) -> bool {
    statements(view.policy("resource")).filter(|statement| statement["Effect"] == "Allow").any(|statement| {
        let everybody = statement["Principal"] == "*" || statement["NotPrincipal"].is_object();
        everybody
            || list(&statement["Principal"]["AWS"])
                .any(|arn| *arn == "*" || *arn == *view.request("principal"))
    })
}

/// Every class, in the order in which they are tried.
pub(crate) const CLASSES: [Class; 20] = [
    Class {
        name: "root assumes a role",
        page: "AssumeRole (AWS STS API Reference)",
        argument: "Root user credentials cannot call it; identity and trust policies are evaluated as for anybody.",
        applies: |view| {
            view.request("principal").ends_with(":root") && view.request("action") == "sts:AssumeRole"
        },
    },
    Class {
        name: "the root user",
        page: "How AWS enforcement code logic evaluates requests to allow or deny access (IAM User Guide)",
        argument: "Root has full access without any identity policy; it is denied for want of one.",
        applies: |view| view.request("principal").ends_with(":root"),
    },
    Class {
        name: "service-linked roles",
        page: "Service control policies (SCPs); Resource control policies (RCPs) (AWS Organizations User Guide)",
        argument: "Neither kind of policy affects service-linked roles; both are applied to them.",
        applies: |view| {
            is_service_linked(view) && (view.policy("scp").is_array() || view.policy("rcp").is_array())
        },
    },
    Class {
        name: "retiring a grant",
        page: "AWS KMS permissions; Retiring and revoking grants (AWS KMS Developer Guide)",
        argument: "A policy alone cannot allow `kms:RetireGrant`, the grant decides, and RCPs do not bind it; it is evaluated as any action.",
        applies: |view| view.request("action") == "kms:RetireGrant",
    },
    Class {
        name: "resource control of other services",
        page: "Resource control policies (RCPs), List of AWS services that support RCPs (AWS Organizations User Guide)",
        argument: "RCPs bind the services of the list only; they are applied to every service.",
        applies: |view| view.policy("rcp").is_array() && !is_resource_controlled(view.request("action")),
    },
    Class {
        name: "the management account",
        page: "Service control policies (SCPs); Resource control policies (RCPs) (AWS Organizations User Guide)",
        argument: "Neither affects the management account, which `aws:PrincipalOrgMasterAccountId` names; both are applied to it.",
        applies: |view| {
            let manages = view.carried("aws:PrincipalOrgMasterAccountId").and_then(Value::as_str);
            (view.policy("scp").is_array() && manages == Some(view.request("principalAccount")))
                || (view.policy("rcp").is_array() && manages == Some(view.request("resourceAccount")))
        },
    },
    Class {
        name: "users of an identity provider",
        page: "AWS JSON policy elements: Principal, Federated user principals (IAM User Guide)",
        argument: "They are named by their provider or as everybody; a provider is no identity of its account, so that naming the account, allowing or denying, does not reach them. They are taken for principals of the provider's account.",
        applies: |view| view.request("action").starts_with("sts:AssumeRoleWith"),
    },
    Class {
        name: "everybody but some, and a boundary",
        page: "AWS JSON policy elements: NotPrincipal; Principal, All principals (IAM User Guide)",
        argument: "`NotPrincipal` with Allow lets in everybody else, as `*` does, which boundaries do not limit; for a role it is taken to be limited.",
        applies: |view| {
            view.policy("boundary").is_object()
                && view.request("principal").contains(":role/")
                && statements(view.policy("resource"))
                    .any(|statement| statement["Effect"] == "Allow" && statement["NotPrincipal"].is_object())
        },
    },
    Class {
        name: "a variable with a slash in a short resource",
        page: "IAM policy elements: Variables and tags, Resource element (IAM User Guide)",
        argument: "A variable is one unit; where it stands at the start of the resource's name, the slash in `${aws:PrincipalTag/…}` is taken for one of the ARN.",
        applies: |view| {
            present(view.case).flat_map(statements).any(|statement| {
                list(&statement["Resource"])
                    .chain(list(&statement["NotResource"]))
                    .filter_map(|resource| resource.as_str()?.splitn(6, ':').nth(5))
                    .any(|name| {
                        name.split_once("${").is_some_and(|(before, after)| {
                            !before.contains(['/', ':']) && after.contains('/')
                        })
                    })
            })
        },
    },
    Class {
        name: "a session named directly",
        page: "Permissions boundaries for IAM entities, Evaluating effective permissions with boundaries (IAM User Guide)",
        argument: "In one account, what a resource policy grants to a session's ARN, or to everybody, is not limited by an implicit deny in the session's policy; the session's policy is taken to limit everything.",
        applies: |view| view.policy("session").is_object() && view.same_account() && allows_directly(view),
    },
    Class {
        name: "variables in old policies",
        page: "IAM JSON policy elements: Version (IAM User Guide)",
        argument: "Without version 2012-10-17 `${…}` is literal text; it is substituted whatever the version.",
        applies: |view| {
            documents(view.case)
                .into_iter()
                .any(|policy| policy["Version"] != "2012-10-17" && policy.to_string().contains("${"))
        },
    },
    Class {
        name: "a range of every address",
        page: "IAM JSON policy elements: Condition operators, IP address condition operators (IAM User Guide)",
        argument: "A CIDR range holds every address under its prefix; `0.0.0.0/0` holds only `0.0.0.0`.",
        applies: |view| {
            any_condition(view, |condition| {
                base(condition.operator).ends_with("IpAddress")
                    && condition.values.iter().any(|value| value.ends_with("/0"))
            })
        },
    },
    Class {
        name: "an address written in another way",
        page: "IAM JSON policy elements: Condition operators, IP address condition operators (IAM User Guide)",
        argument: "Addresses are compared as addresses (RFC 4291 §2.2 has several spellings of one); single IPv6 addresses are compared as text.",
        applies: |view| {
            any_condition(view, |condition| {
                base(condition.operator).ends_with("IpAddress")
                    && condition.values.iter().any(|value| value.contains(':') && !value.contains('/'))
                    && view
                        .carried(condition.key)
                        .and_then(Value::as_str)
                        .is_some_and(|given| condition.values.iter().all(|value| *value != given))
            })
        },
    },
    Class {
        name: "an address of the other family",
        page: "IAM JSON policy elements: Condition operators, IP address condition operators (IAM User Guide)",
        argument: "`NotIpAddress` is the negation of `IpAddress`, so that an IPv6 request passes one that names a single IPv4 address; it is taken to fail.",
        applies: |view| {
            any_condition(view, |condition| {
                base(condition.operator) == "NotIpAddress"
                    && view.carried(condition.key).and_then(Value::as_str).is_some_and(|given| {
                        condition
                            .values
                            .iter()
                            .any(|value| !value.contains('/') && value.contains(':') != given.contains(':'))
                    })
            })
        },
    },
    Class {
        name: "`ForAnyValue` with `IfExists`",
        page: "IAM JSON policy elements: Condition operators, ...IfExists condition operators (IAM User Guide)",
        argument: "`IfExists` makes the condition true where the key is absent; with `ForAnyValue` it is ignored.",
        applies: |view| {
            any_condition(view, |condition| {
                condition.operator.starts_with("ForAnyValue:")
                    && condition.operator.ends_with("IfExists")
                    && view.carried(condition.key).is_none()
            })
        },
    },
    Class {
        name: "a key without a value",
        page: "Set operators for multivalued context keys; Condition operators, Null (IAM User Guide)",
        argument: "An empty list or text is a null data set: true under `ForAllValues`, false under `ForAnyValue`, null under `Null`; it is taken for a value.",
        applies: |view| any_condition(view, |condition| view.carried(condition.key).is_some_and(is_null)),
    },
    Class {
        name: "a variable without a value",
        page: "IAM policy elements: Variables and tags, Policy variables with no value (IAM User Guide)",
        argument: "Nothing is equal to or like it, so that a negated operator and `NotResource` hold; they are taken to fail.",
        applies: |view| {
            any_condition(view, |condition| {
                condition.variables
                    && is_negated(condition.operator)
                    && condition.values.iter().any(|value| has_valueless_variable(view, value))
            }) || present(view.case).flat_map(statements).any(|statement| {
                list(&statement["NotResource"])
                    .filter_map(Value::as_str)
                    .any(|resource| has_valueless_variable(view, resource))
            })
        },
    },
    Class {
        name: "`${*}` where nothing is a wildcard",
        page: "IAM policy elements: Variables and tags, Special characters (IAM User Guide)",
        argument: "The predefined variables stand for `*`, `?` and `$` wherever variables are; under operators without wildcards they are left as written.",
        applies: |view| {
            any_condition(view, |condition| {
                condition.variables
                    && !base(condition.operator).contains("Like")
                    && condition.values.iter().any(|value| {
                        ["${*}", "${?}", "${$}"].iter().any(|predefined| value.contains(predefined))
                    })
            })
        },
    },
    Class {
        name: "dates as seconds",
        page: "IAM JSON policy elements: Condition operators, Date condition operators (IAM User Guide)",
        argument: "ISO 8601 dates and seconds since the epoch name the same instants; seconds are compared with milliseconds.",
        applies: |view| {
            any_condition(view, |condition| {
                base(condition.operator).starts_with("Date")
                    && condition.values.iter().any(|value| value.bytes().all(|byte| byte.is_ascii_digit()))
            })
        },
    },
    Class {
        name: "the encryption context",
        page: "AWS KMS condition keys, kms:EncryptionContext:context-key (AWS KMS Developer Guide)",
        argument: "Each pair of the encryption context is a key of the request; all such keys are dropped from it.",
        applies: |view| {
            any_condition(view, |condition| {
                condition.key.to_ascii_lowercase().starts_with("kms:encryptioncontext:")
                    && view.carried(condition.key).is_some()
            })
        },
    },
];
