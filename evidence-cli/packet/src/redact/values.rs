//! Finds the values that rules name: every spelling of every account, address, principal and name.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::decode;
use super::rules::{Rules, RulesError, SHORTEST, Which};

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Account,
    Principal,
    Name,
    Pattern,
}

impl Kind {
    pub(crate) const fn plural(self) -> &'static str {
        match self {
            Self::Account => "accounts",
            Self::Principal => "principals",
            Self::Name => "names",
            Self::Pattern => "patterns",
        }
    }
}

/// The values that were found, each under the form that its spellings share.
#[derive(Debug, Default)]
pub(crate) struct Values {
    pub(crate) by_text: BTreeMap<String, Kind>,
    pub(crate) addresses: BTreeMap<IpAddr, BTreeSet<String>>,
    /// Principals whose bare name is too common to replace, with what qualifies it: `role/admin`, `user:kafka`.
    pub(crate) qualified: BTreeSet<String>,
    /// The bare names of those.
    pub(crate) qualified_only: BTreeSet<String>,
    vocabulary: BTreeSet<String>,
}

/// What comes before a name in the forms that [`Values::qualified`] holds.
pub(crate) const QUALIFIERS: [&str; 8] =
    ["user/", "role/", "assumed-role/", "federated-user/", "group/", "instance-profile/", "user:", "group:"];

/// Words of the formats, and words so common that replacing them would destroy a file without hiding anybody.
const WORDS: &[&str] = &[
    "caller",
    "collector",
    "observed_at",
    "operation",
    "outcome",
    "problem",
    "request",
    "response",
    "scope",
    "subject",
    "account",
    "region",
    "cluster",
    "number",
    "record",
    "sha256",
    "records",
    "checklist",
    "coverage",
    "graph.json",
    "manifest",
    "policies",
    "reports",
    "attachments",
    "redacted",
    "observed",
    "denied",
    "absent",
    "failed",
    "truncated",
    "principal",
    "evidence",
    "statement",
    "decision",
    "capability",
    "findings",
    "controls",
    "verdict",
    "red-flag",
    "unproven",
    "waived",
    "not-applicable",
    "application",
    "text/html",
    "markdown",
    "ndjson",
    "json",
    "html",
    "administrator",
    "service",
    "default",
    "kafka",
    "broker",
    "user:",
    "group:",
    "role/",
    "user/",
    "aws-service-role",
    "service-role",
    "amazonaws.com",
    "root",
    "anonymous",
    "true",
    "false",
    "null",
    "style",
    "class",
    "script",
    "https://",
    "doctype",
    "table",
    "section",
];

static ACCOUNT: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\b[0-9]{12}\b").ok());
static ADDRESS_4: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\b(?:[0-9]{1,3}\.){3}[0-9]{1,3}\b").ok());
static ADDRESS_DASHED: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\bip-((?:[0-9]{1,3}-){3}[0-9]{1,3})\b").ok());
static ADDRESS_6: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"[0-9A-Za-z:.%_-]*:[0-9A-Za-z:.%_-]*:[0-9A-Za-z:.%_-]*").ok());
static PRINCIPAL_ARN: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"arn:aws[a-z-]*:(?:iam|sts)::[0-9]{12}:((?:user|role|assumed-role|federated-user|group|instance-profile)/[\w+=,.@/-]+)"#).ok()
});
static KAFKA_PRINCIPAL: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"\b(?:User|Group):([^\s"'<>\\;&]{1,200})"#).ok());
/// `entra:` and the object id of a user, group or application of Microsoft Entra ID.
static ENTRA_PRINCIPAL: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?i)\bentra:([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b").ok());
static SUBSCRIPTION: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?i)/subscriptions/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b").ok());
/// A whole text that is a globally unique id (RFC 9562 §4).
static GUID: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?i)^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$").ok());
static UNIQUE_ID: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\bA(?:ROA|IDA|KIA|SIA|GPA|IPA|NPA)[A-Z0-9]{12,17}\b").ok());

/// Members whose value is the name of a principal.
const NAME_MEMBERS: [&str; 5] =
    ["RoleName", "UserName", "GroupName", "InstanceProfileName", "RoleSessionName"];

/// Members of Azure's answers whose value, where it is a globally unique id, is that of a principal: of roles, access
/// policies, identities, and of those that deny assignments name.
const OBJECT_MEMBERS: [&str; 4] = ["principalId", "objectId", "clientId", "id"];

/// The placeholders of format strings, which policies hold and which name nobody.
const PLACEHOLDERS: [&str; 3] = ["%s", "%d", "%v"];

fn is_guid(text: &str) -> bool {
    GUID.as_ref().is_some_and(|regex| regex.is_match(text))
}

impl Values {
    pub(crate) fn new(rules: &Rules) -> Result<Self, RulesError> {
        let mut values =
            Self { vocabulary: WORDS.iter().map(|word| (*word).to_owned()).collect(), ..Self::default() };
        for name in &rules.names {
            values.force(name, Kind::Name)?;
        }
        if let Which::These(accounts) = &rules.accounts {
            for account in accounts {
                values.force(account, Kind::Account)?;
            }
        }
        Ok(values)
    }

    /// Notes words that a packet's own records use as operations and collectors.
    pub(crate) fn reserve(&mut self, word: &str) {
        self.vocabulary.insert(word.to_lowercase());
    }

    /// Checks, once everything is reserved, that no name that was asked for is such a word.
    pub(crate) fn check_reserved(&self) -> Result<(), RulesError> {
        for value in self.by_text.keys() {
            self.not_reserved(value)?;
        }
        Ok(())
    }

    fn not_reserved(&self, value: &str) -> Result<(), RulesError> {
        match self.vocabulary.iter().find(|word| word.contains(value)) {
            Some(word) => Err(RulesError::Reserved { value: value.to_owned(), word: word.clone() }),
            None => Ok(()),
        }
    }

    fn force(&mut self, text: &str, kind: Kind) -> Result<(), RulesError> {
        let text = text.to_lowercase();
        self.not_reserved(&text)?;
        self.by_text.entry(text).or_insert(kind);
        Ok(())
    }

    /// Collects from a text, and from what JSON strings in it say.
    pub(crate) fn collect(&mut self, rules: &Rules, text: &str) -> Result<(), RulesError> {
        match serde_json::from_str::<Value>(text) {
            Ok(value) => self.collect_json(rules, None, &value),
            Err(_not_json) => self.collect_text(rules, text),
        }
    }

    fn collect_json(&mut self, rules: &Rules, member: Option<&str>, value: &Value) -> Result<(), RulesError> {
        match value {
            Value::String(text) => {
                if member.is_some_and(|member| NAME_MEMBERS.contains(&member)) {
                    self.principal(rules, text, &[text], None);
                }
                if is_guid(text) {
                    match member {
                        Some("tenantId" | "subscriptionId") => self.scope_account(rules, text),
                        Some(member) if OBJECT_MEMBERS.contains(&member) => {
                            self.principal(rules, &format!("entra:{text}"), &[text], None);
                        }
                        _ => {}
                    }
                }
                self.collect_text(rules, text)
            }
            Value::Number(number) => self.collect_text(rules, &number.to_string()),
            Value::Array(items) => items.iter().try_for_each(|item| self.collect_json(rules, member, item)),
            Value::Object(members) => members.iter().try_for_each(|(name, value)| {
                self.collect_text(rules, name)?;
                self.collect_json(rules, Some(name), value)
            }),
            Value::Null | Value::Bool(_) => Ok(()),
        }
    }

    fn collect_text(&mut self, rules: &Rules, text: &str) -> Result<(), RulesError> {
        self.collect_view(rules, text)?;
        for decoded in [decode::percent(text.as_bytes()), decode::html(text.as_bytes())].into_iter().flatten()
        {
            self.collect_view(rules, &String::from_utf8_lossy(&decoded))?;
        }
        Ok(())
    }

    fn collect_view(&mut self, rules: &Rules, text: &str) -> Result<(), RulesError> {
        if matches!(rules.accounts, Which::All) {
            for found in matches(&ACCOUNT, text) {
                self.by_text.entry(found.into_owned()).or_insert(Kind::Account);
            }
            let subscriptions = SUBSCRIPTION.as_ref().into_iter().flat_map(|regex| regex.captures_iter(text));
            for id in subscriptions.filter_map(|captures| captures.get(1)) {
                self.by_text.entry(id.as_str().to_lowercase()).or_insert(Kind::Account);
            }
        }
        if !matches!(rules.addresses, Which::None) {
            self.collect_addresses(rules, text);
        }
        if !matches!(rules.principals, Which::None) {
            self.collect_principals(rules, text);
        }
        for pattern in &rules.patterns {
            for found in pattern.find_iter(text).filter(|found| found.as_str().chars().count() >= SHORTEST) {
                self.force(found.as_str(), Kind::Pattern)?;
            }
        }
        Ok(())
    }

    /// An account in a scope, which may be a subscription id and not twelve digits.
    pub(crate) fn scope_account(&mut self, rules: &Rules, account: &str) {
        if matches!(rules.accounts, Which::All) && account.len() >= SHORTEST {
            self.by_text.entry(account.to_lowercase()).or_insert(Kind::Account);
        }
    }

    fn collect_addresses(&mut self, rules: &Rules, text: &str) {
        let plain = matches(&ADDRESS_4, text).map(|found| (found.clone().into_owned(), found.into_owned()));
        let dashed = matches(&ADDRESS_DASHED, text).map(|found| {
            let digits = found.trim_start_matches("ip-").to_owned();
            (digits.replace('-', "."), digits.replace('-', "."))
        });
        let six = matches(&ADDRESS_6, text).map(|found| {
            let trimmed = found.trim_end_matches('.').to_owned();
            (trimmed.clone(), trimmed)
        });
        let found: Vec<(String, String)> = plain.chain(dashed).chain(six).collect();
        for (text, spelling) in found {
            let Ok(address) = text.parse::<IpAddr>() else { continue };
            let wanted = match &rules.addresses {
                Which::None => false,
                Which::All => true,
                Which::These(networks) => networks.iter().any(|network| network.contains(&address)),
            };
            if wanted && !says_nothing(address) {
                self.addresses.entry(address).or_default().insert(spelling.to_lowercase());
            }
        }
    }

    fn collect_principals(&mut self, rules: &Rules, text: &str) {
        if let Some(regex) = PRINCIPAL_ARN.as_ref() {
            for captures in regex.captures_iter(text) {
                let (Some(arn), Some(resource)) = (captures.get(0), captures.get(1)) else { continue };
                let names: Vec<&str> = resource.as_str().split('/').skip(1).collect();
                self.principal(rules, arn.as_str(), &names, Some(resource.as_str()));
            }
        }
        if let Some(regex) = KAFKA_PRINCIPAL.as_ref() {
            for captures in regex.captures_iter(text) {
                let (Some(whole), Some(name)) = (captures.get(0), captures.get(1)) else { continue };
                if PLACEHOLDERS.contains(&name.as_str()) {
                    continue;
                }
                self.principal(rules, whole.as_str(), &[name.as_str()], Some(whole.as_str()));
            }
        }
        if let Some(regex) = ENTRA_PRINCIPAL.as_ref() {
            for captures in regex.captures_iter(text) {
                let (Some(whole), Some(id)) = (captures.get(0), captures.get(1)) else { continue };
                self.principal(rules, whole.as_str(), &[id.as_str()], None);
            }
        }
        for found in matches(&UNIQUE_ID, text) {
            self.principal(rules, &found, &[&found], None);
        }
    }

    fn principal(&mut self, rules: &Rules, whole: &str, names: &[&str], qualified: Option<&str>) {
        let wanted = match &rules.principals {
            Which::None => false,
            Which::All => true,
            Which::These(globs) => {
                globs.iter().any(|glob| glob.is_match(whole) || names.iter().any(|name| glob.is_match(name)))
            }
        };
        if !wanted {
            return;
        }
        for name in names.iter().filter(|name| !name.is_empty() && !name.contains('*')) {
            let name = name.to_lowercase();
            if name.chars().count() >= 5 && self.not_reserved(&name).is_ok() {
                self.by_text.entry(name).or_insert(Kind::Principal);
            } else if let Some(qualified) = qualified.filter(|text| !text.contains('*')) {
                self.qualified_only.insert(name);
                self.qualified.insert(qualified.to_lowercase());
            } else {
                self.qualified_only.insert(name);
            }
        }
    }
}

fn matches<'t>(
    regex: &'static LazyLock<Option<Regex>>,
    text: &'t str,
) -> impl Iterator<Item = Cow<'t, str>> + use<'t> {
    regex
        .as_ref()
        .into_iter()
        .flat_map(move |regex| regex.find_iter(text))
        .map(|found| Cow::Borrowed(found.as_str()))
}

/// Addresses that every network has, and that tell nothing about this one.
fn says_nothing(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(four) => {
            four.is_unspecified()
                || four.is_loopback()
                || four.is_broadcast()
                || four.octets() == [169, 254, 169, 254]
        }
        IpAddr::V6(six) => {
            six.is_unspecified()
                || six.is_loopback()
                || six.segments().iter().filter(|s| **s != 0).count() < 2
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(yaml: &str, text: &str) -> Values {
        let rules = Rules::from_yaml(&format!("schema: cadastre/redaction-rules/v1\n{yaml}")).unwrap();
        let mut values = Values::new(&rules).unwrap();
        values.collect(&rules, text).unwrap();
        values
    }

    #[track_caller]
    fn check(yaml: &str, text: &str, expected: &[&str]) {
        assert_eq!(found(yaml, text).by_text.keys().map(String::as_str).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn values_are_found_in_every_field_kind() {
        check(
            "accounts: all",
            r#"{"a": "arn:aws:kms:eu-central-1:111122223333:key/1", "n": 444455556666}"#,
            &["111122223333", "444455556666"],
        );
        check(
            "accounts: all",
            r#"{"p": "%22arn%3Aaws%3Aiam%3A%3A111122223333%3Aroot%22"}"#,
            &["111122223333"],
        );
        check("accounts: all", "1111222233334", &[]);
        check("accounts: ['111122223333']", "x", &["111122223333"]);
        check(
            "principals: all",
            r#"{"Arn": "arn:aws:iam::111122223333:role/team/payments-writer"}"#,
            &["payments-writer"],
        );
        check("principals: all", r#"["User:alice.smith", "User:kafka"]"#, &["alice.smith"]);
        check("principals: ['User:al*']", r#"["User:alice.smith", "User:robert"]"#, &["alice.smith"]);
        check("principals: all", r#"{"RoleName": "Deployer7"}"#, &["deployer7"]);
        check("patterns: ['[a-z]+@acme']", "<p>bob@acme</p>", &["bob@acme"]);
    }

    #[test]
    fn subscriptions_tenants_and_principals_of_azure_are_found_and_roles_of_everybody_are_left() {
        let text = r#"{"id": "/subscriptions/3F2A1B0C-0000-4000-8000-00000000000F/resourceGroups/g",
            "properties": {"tenantId": "7d6c5b4a-0000-4000-8000-0000000000aa", "principalId": "B0000000-0000-4000-8000-0000000000b1",
            "roleDefinitionId": "/providers/Microsoft.Authorization/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7",
            "principals": [{"id": "c0000000-0000-4000-8000-0000000000c1", "type": "User"}],
            "said": "entra:a0000000-0000-4000-8000-0000000000a1 may"}}"#;
        check(
            "accounts: all",
            text,
            &["3f2a1b0c-0000-4000-8000-00000000000f", "7d6c5b4a-0000-4000-8000-0000000000aa"],
        );
        check(
            "principals: all",
            text,
            &[
                "a0000000-0000-4000-8000-0000000000a1",
                "b0000000-0000-4000-8000-0000000000b1",
                "c0000000-0000-4000-8000-0000000000c1",
            ],
        );
        check("principals: ['entra:c0*']", text, &["c0000000-0000-4000-8000-0000000000c1"]);
        check("principals: all", r#"sprintf("User:%s", [name])"#, &[]);
        assert!(found("principals: all", r#"sprintf("User:%s", [name])"#).qualified_only.is_empty());
    }

    #[test]
    fn common_names_are_replaced_in_their_qualified_form() {
        let text = r#"["User:kafka", "arn:aws:iam::111122223333:role/ops/payments-writer", "User:*"]"#;
        let values = found("principals: all", text);
        assert_eq!(values.qualified.iter().collect::<Vec<_>>(), ["role/ops/payments-writer", "user:kafka"]);
        assert_eq!(values.qualified_only.iter().collect::<Vec<_>>(), ["kafka", "ops"]);
    }

    #[test]
    fn addresses_are_found_whatever_their_spelling_and_common_ones_are_left() {
        let text = "10.0.1.5/32 ip-10-0-1-5.internal 2001:DB8:1::5 0.0.0.0/0 ::/0 127.0.0.1 12:30:00 arn:aws:s3:::b 1.2.3.400";
        let values = found("addresses: all", text);
        let addresses: Vec<String> = values.addresses.keys().map(ToString::to_string).collect();
        assert_eq!(addresses, ["10.0.1.5", "2001:db8:1::5"]);
    }

    #[test]
    fn words_of_the_formats_are_refused_as_names() {
        let rules =
            |yaml: &str| Rules::from_yaml(&format!("schema: cadastre/redaction-rules/v1\n{yaml}")).unwrap();
        assert!(matches!(Values::new(&rules("names: [record]")), Err(RulesError::Reserved { .. })));
        let mut values = Values::new(&rules("names: [describekey]")).unwrap();
        values.reserve("kms:DescribeKey");
        assert!(matches!(values.check_reserved(), Err(RulesError::Reserved { .. })));
    }
}
