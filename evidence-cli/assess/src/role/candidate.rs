//! The documents of a role that does not exist yet, read into a principal.

use cadastre_model::Known;
use cadastre_model::asset::identity::{Principal, PrincipalKind};
use cadastre_model::asset::{EvidenceIds, PolicyDocument, PolicyKind};
use cadastre_model::declaration::{AccountPurpose, Declaration, Provider};
use cadastre_model::record::{Observation, Outcome, Page, Scope};
use cadastre_model::time::Timestamp;
use serde_json::{Value, json};

use super::{RoleError, Source};

/// More than any policy that AWS stores, in bytes ("IAM and AWS STS quotas": 10,240 characters and less).
const MAXIMUM_SIZE: usize = 1 << 20;
/// The name of a role that was given none.
const UNNAMED: &str = "assessed-role";

/// A file with a policy in it.
#[derive(Debug, Clone)]
pub struct PolicyText {
    /// The file as it was named; only told.
    pub file: String,
    /// Its content.
    pub text: String,
}

/// A role that does not exist yet.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Its ARN, where it is known.
    pub arn: Option<String>,
    /// Who may assume it.
    pub trust: PolicyText,
    /// What it may do.
    pub policies: Vec<PolicyText>,
    /// Its permissions boundary.
    pub boundary: Option<PolicyText>,
}

/// A candidate, read.
pub(super) struct Pack {
    pub(super) principal: Principal,
    pub(super) sources: Vec<Source>,
    pub(super) notes: Vec<String>,
}

impl Candidate {
    pub(super) fn read(&self, declaration: &Declaration, read_at: Timestamp) -> Result<Pack, RoleError> {
        let arn = match &self.arn {
            Some(arn) => arn.clone(),
            None => format!("arn:aws:iam::{}:role/{UNNAMED}", home(declaration)?),
        };
        let account = arn.split(':').nth(4).unwrap_or_default().to_owned();
        let mut reading = Reading { arn: &arn, read_at, sources: Vec::new(), notes: Vec::new() };
        let trust = reading.document(&self.trust, PolicyKind::Trust)?;
        let mut policies = Vec::new();
        for policy in &self.policies {
            policies.push(reading.document(policy, PolicyKind::Inline)?);
        }
        let boundary = match &self.boundary {
            Some(boundary) => Known::Observed(reading.document(boundary, PolicyKind::Boundary)?),
            None => Known::Absent,
        };
        let Reading { sources, notes, .. } = reading;
        let evidence: EvidenceIds =
            std::iter::once(&trust).chain(&policies).map(|document| document.record.clone()).collect();
        let lets_instances_in = self.trust.text.contains("ec2.amazonaws.com");
        let name = arn.rsplit('/').next().unwrap_or(UNNAMED).to_owned();
        let profile = format!("arn:aws:iam::{account}:instance-profile/{name}");
        Ok(Pack {
            principal: Principal {
                kind: PrincipalKind::Role,
                account,
                name,
                policies: Known::Observed(policies),
                boundary,
                trust: Known::Observed(trust),
                groups: Vec::new(),
                tags: Vec::new(),
                access_keys: Known::Absent,
                console_password: Known::Absent,
                instance_profiles: if lets_instances_in { vec![profile] } else { Vec::new() },
                last_used: Known::Absent,
                maximum_session_seconds: None,
                service_linked: false,
                evidence,
                arn,
            },
            sources,
            notes,
        })
    }
}

/// The account a role stands in when nobody says: the one that holds the data plane, or else the first.
fn home(declaration: &Declaration) -> Result<&str, RoleError> {
    let aws = || declaration.accounts.iter().filter(|account| account.provider == Provider::Aws);
    let found = aws().find(|account| account.purpose == AccountPurpose::DataPlane).or_else(|| aws().next());
    found.map(|account| account.id.as_str()).ok_or_else(|| RoleError::NoAccount(declaration.name.clone()))
}

struct Reading<'a> {
    arn: &'a str,
    read_at: Timestamp,
    sources: Vec<Source>,
    notes: Vec<String>,
}

impl Reading<'_> {
    fn document(&mut self, policy: &PolicyText, kind: PolicyKind) -> Result<PolicyDocument, RoleError> {
        if policy.text.len() > MAXIMUM_SIZE {
            return Err(RoleError::TooLarge { file: policy.file.clone(), limit: MAXIMUM_SIZE });
        }
        let mut document: Value = serde_json::from_str(&policy.text)
            .map_err(|error| RoleError::NotJson { file: policy.file.clone(), problem: error.to_string() })?;
        if kind == PolicyKind::Inline {
            self.widen(&policy.file, &mut document);
        }
        let record = Observation {
            collector: "documents".to_owned(),
            operation: "document:Policy".to_owned(),
            scope: Scope::default(),
            subject: self.arn.to_owned(),
            caller: String::new(),
            observed_at: self.read_at,
            outcome: Outcome::Observed,
            request: json!({"File": policy.file}),
            response: json!({"Policy": document}),
            problem: None,
            page: Page::ONLY,
        }
        .seal()?;
        self.sources.push(Source { file: policy.file.clone(), record: record.id().to_string() });
        Ok(PolicyDocument {
            name: policy.file.clone(),
            kind,
            record: record.id().clone(),
            pointer: "/response/Policy".to_owned(),
            document: document.into(),
        })
    }

    /// A list that a template leaves empty or null is filled by whoever deploys it, and modules fill it with `*`.
    fn widen(&mut self, file: &str, document: &mut Value) {
        let statements = match document.get_mut("Statement") {
            Some(Value::Array(statements)) => statements.iter_mut().collect(),
            Some(single @ Value::Object(_)) => vec![single],
            _ => Vec::new(),
        };
        for (number, statement) in statements.into_iter().enumerate() {
            let Value::Object(members) = statement else { continue };
            if members.get("Effect").and_then(Value::as_str) != Some("Allow") {
                continue;
            }
            for element in ["Action", "Resource"] {
                let empty = match members.get(element) {
                    Some(Value::Null) => true,
                    Some(Value::Array(list)) => list.iter().all(Value::is_null),
                    _ => false,
                };
                if empty {
                    members.insert(element.to_owned(), json!("*"));
                    self.notes.push(format!(
                        "`{element}` of statement {number} of `{file}` is null or empty and is read as `*`"
                    ));
                }
            }
        }
    }
}
