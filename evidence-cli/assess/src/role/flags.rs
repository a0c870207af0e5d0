//! What each control would say of a role that does not exist yet.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_model::access::{Capability, Decision};
use cadastre_model::asset::StatementRef;
use cadastre_model::declaration::{Declaration, Holds};
use serde::Serialize;

use super::{Reach, RoleAssessment};

/// Actions that open networks, and the control that is about them.
const NETWORK: [(&str, &str); 7] = [
    ("ec2:authorizesecuritygroupingress", "NET-01"),
    ("ec2:modifysecuritygrouprules", "NET-01"),
    ("ec2:authorizesecuritygroupegress", "NET-04"),
    ("ec2:createroute", "NET-04"),
    ("ec2:modifyvpcendpoint", "NET-03"),
    ("ec2:modifyvpcendpointservicepermissions", "NET-07"),
    ("ec2:acceptvpcendpointconnections", "NET-07"),
];
/// Services whose resources hold record bytes, keys for them, or logs.
const DATA_BEARING: [&str; 7] = ["s3", "kms", "ec2", "ebs", "kafka-cluster", "logs", "secretsmanager"];

/// Like a verdict, on documents alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FlagVerdict {
    /// The documents show it.
    RedFlag,
    /// It rests on evidence that is missing.
    Unproven,
    /// Nothing in the documents says so. Only a scan of the deployed role can pass.
    NothingFound,
}

/// What a control would say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Flag {
    /// The control's id.
    pub control: String,
    /// How it stands.
    pub verdict: FlagVerdict,
    /// One line a reason, sorted.
    pub reasons: Vec<String>,
    /// The statements it rests on.
    pub statements: Vec<StatementRef>,
}

#[derive(Default)]
struct Gathered {
    red: BTreeSet<String>,
    open: BTreeSet<String>,
    statements: BTreeSet<StatementRef>,
}

struct Flags(BTreeMap<&'static str, Gathered>);

impl Flags {
    fn red(&mut self, control: &'static str, reason: String, statements: &[StatementRef]) {
        let gathered = self.0.entry(control).or_default();
        gathered.red.insert(reason);
        gathered.statements.extend(statements.iter().cloned());
    }

    fn add(
        &mut self,
        control: &'static str,
        decision: &Decision,
        reason: String,
        statements: &[StatementRef],
    ) {
        match decision {
            Decision::Allow => self.red(control, reason, statements),
            Decision::Conditional(when) => self.red(control, format!("{reason} when {when}"), statements),
            Decision::Unknown(_) => {
                let gathered = self.0.entry(control).or_default();
                gathered.open.insert(reason);
                gathered.statements.extend(statements.iter().cloned());
            }
            Decision::Deny => {}
        }
    }
}

/// Every control that documents can speak to.
pub(super) fn of(assessment: &RoleAssessment, declaration: &Declaration) -> Vec<Flag> {
    const CONTROLS: [&str; 15] = [
        "AUD-02", "BND-03", "BND-04", "BND-05", "BND-09", "IDN-01", "IDN-02", "IDN-03", "KEY-01", "KEY-02",
        "KEY-03", "NET-01", "NET-03", "NET-04", "NET-07",
    ];
    let mut flags = Flags(CONTROLS.map(|control| (control, Gathered::default())).into());
    data(assessment, &mut flags);
    operating(assessment, &mut flags);
    trust(assessment, &mut flags);
    statements(assessment, &mut flags);
    keys(assessment, declaration, &mut flags);
    logs(assessment, &mut flags);
    flags.0.into_iter().map(|(control, gathered)| flag(control, gathered)).collect()
}

fn flag(control: &str, gathered: Gathered) -> Flag {
    let verdict = match (gathered.red.is_empty(), gathered.open.is_empty()) {
        (false, _) => FlagVerdict::RedFlag,
        (true, false) => FlagVerdict::Unproven,
        (true, true) => FlagVerdict::NothingFound,
    };
    Flag {
        control: control.to_owned(),
        verdict,
        reasons: gathered.red.into_iter().chain(gathered.open).collect(),
        statements: gathered.statements.into_iter().collect(),
    }
}

fn told(reach: &Reach, what: &str) -> String {
    format!("its own policies allow it to {what} {} by {}", reach.target, reach.edge.action)
}

fn data(assessment: &RoleAssessment, flags: &mut Flags) {
    for reach in &assessment.reaches {
        let edge = &reach.edge;
        let what = match edge.capability {
            Capability::ReadObjects | Capability::ReadRecords => "read",
            Capability::WriteObjects | Capability::WriteRecords => "write or delete",
            _ => continue,
        };
        let reason = told(reach, what);
        if matches!(edge.capability, Capability::ReadObjects | Capability::ReadRecords) {
            flags.add("BND-04", &edge.decision, reason.clone(), &edge.statements);
            flags.add("BND-03", &edge.decision, reason, &edge.statements);
        } else {
            flags.add("BND-09", &edge.decision, reason, &edge.statements);
        }
    }
    for path in &assessment.paths {
        let statements: Vec<StatementRef> =
            path.steps.iter().flat_map(|step| step.statements.iter().cloned()).collect();
        let reason = format!("reaches plaintext of {} in {} steps", path.target, path.steps.len());
        flags.add("BND-04", &path.decision, reason.clone(), &statements);
        flags.add("BND-03", &path.decision, reason, &statements);
    }
}

fn operating(assessment: &RoleAssessment, flags: &mut Flags) {
    for reach in &assessment.reaches {
        let edge = &reach.edge;
        match edge.capability {
            Capability::OperateHost => {
                flags.add("BND-05", &edge.decision, told(reach, "operate"), &edge.statements);
            }
            Capability::Assume if !edge.action.starts_with("sts:") => {
                flags.add("IDN-03", &edge.decision, told(reach, "run code as"), &edge.statements);
                flags.add("BND-05", &edge.decision, told(reach, "run code as"), &edge.statements);
            }
            Capability::ChangePolicy => {
                flags.add(
                    "IDN-03",
                    &edge.decision,
                    told(reach, "change what is allowed on"),
                    &edge.statements,
                );
            }
            _ => {}
        }
    }
    for escalation in &assessment.escalations {
        let statements: Vec<StatementRef> =
            escalation.steps.iter().flat_map(|step| step.statements.iter().cloned()).collect();
        let reason = format!(
            "gains {} over {} in {} steps",
            escalation.capability,
            escalation.target,
            escalation.steps.len()
        );
        flags.add("IDN-03", &escalation.decision, reason, &statements);
    }
}

fn trust(assessment: &RoleAssessment, flags: &mut Flags) {
    let own = assessment.role.split(':').nth(4);
    for trust in &assessment.trusts {
        let at = std::slice::from_ref(&trust.at);
        let foreign = trust.account.as_deref().is_some_and(|account| Some(account) != own);
        let guarded = trust.condition_keys.iter().any(|key| key == "sts:externalid");
        if trust.principal == "*" {
            flags.red("IDN-02", "anybody may assume it".to_owned(), at);
        } else if trust.principal.starts_with("federated:") && trust.condition_keys.is_empty() {
            flags.red("IDN-02", format!("{} may assume it without audience or subject", trust.principal), at);
        } else if foreign && !guarded {
            flags.red("IDN-02", format!("{} may assume it without an external id", trust.principal), at);
        }
        if trust.principal.starts_with("service:") {
            let reason = format!(
                "{} may assume it: whoever operates what runs there holds all of this",
                trust.principal
            );
            flags.add("BND-05", &Decision::Unknown(String::new()), reason, at);
        }
    }
}

fn statements(assessment: &RoleAssessment, flags: &mut Flags) {
    for statement in assessment.statements.iter().filter(|statement| statement.effect == "Allow") {
        let at = std::slice::from_ref(&statement.at);
        let everything =
            statement.resources.iter().any(|resource| resource == "*") || !statement.not_resources.is_empty();
        let data_bearing: BTreeSet<&str> = statement
            .actions
            .iter()
            .filter_map(|action| action.split(':').next())
            .filter(|service| {
                *service == "*" || DATA_BEARING.contains(&service.to_ascii_lowercase().as_str())
            })
            .collect();
        if everything && !data_bearing.is_empty() {
            let services: Vec<&str> = data_bearing.into_iter().collect();
            flags.red("IDN-01", format!("grants actions of {} on every resource", services.join(", ")), at);
        }
        for action in statement.actions.iter().filter(|action| action.contains('*')) {
            flags.red("IDN-01", format!("grants `{action}`"), at);
        }
        if !statement.not_actions.is_empty() {
            flags.red("IDN-01", "grants everything but what `NotAction` names".to_owned(), at);
        }
        for (action, control) in NETWORK {
            let granted =
                statement.actions.iter().any(|pattern| covers(&pattern.to_ascii_lowercase(), action));
            let inverted = !statement.not_actions.is_empty()
                && !statement.not_actions.iter().any(|pattern| covers(&pattern.to_ascii_lowercase(), action));
            if granted || inverted {
                flags.red(control, format!("may open the network by {action}"), at);
            }
        }
    }
}

fn keys(assessment: &RoleAssessment, declaration: &Declaration, flags: &mut Flags) {
    for reach in &assessment.reaches {
        let edge = &reach.edge;
        let declared = declaration.keys.iter().find(|key| key.id == reach.target);
        let named = |patterns: &[String]| patterns.iter().any(|pattern| covers(pattern, &assessment.role));
        match edge.capability {
            Capability::ManageKey if !declared.is_some_and(|key| named(&key.administrators)) => {
                flags.add("KEY-02", &edge.decision, told(reach, "administer"), &edge.statements);
            }
            Capability::Decrypt if !declared.is_some_and(|key| named(&key.decrypt)) => {
                flags.add("KEY-03", &edge.decision, told(reach, "decrypt with"), &edge.statements);
            }
            _ => {}
        }
    }
    for store in declaration.stores.iter().filter(|store| store.key.is_none()) {
        if matches!(store.holds, Holds::Records | Holds::Backups) {
            let reason = format!("no key of the customer's is declared for {}", store.arn);
            flags.add("KEY-01", &Decision::Unknown(String::new()), reason, &[]);
        }
    }
}

fn logs(assessment: &RoleAssessment, flags: &mut Flags) {
    for reach in assessment.reaches.iter().filter(|reach| reach.edge.capability == Capability::AlterLogs) {
        flags.add("AUD-02", &reach.edge.decision, told(reach, "change logs of"), &reach.edge.statements);
    }
}

/// `*` and `?` as policies write them; what follows the last `*` is tried at each place once.
fn covers(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut given) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while let Some(byte) = text.get(given) {
        match pattern.get(at) {
            Some(b'*') => {
                retry = Some((at, given));
                at += 1;
            }
            Some(wanted) if wanted == byte || *wanted == b'?' => {
                at += 1;
                given += 1;
            }
            _ => match retry {
                Some((star, from)) => {
                    retry = Some((star, from + 1));
                    at = star + 1;
                    given = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(at).all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::covers;

    #[track_caller]
    fn check(pattern: &str, text: &str, expected: bool) {
        assert_eq!(covers(pattern, text), expected, "`{pattern}` over `{text}`");
    }

    #[test]
    fn wildcards_stand_for_any_text() {
        check("ec2:*", "ec2:createroute", true);
        check("*", "ec2:createroute", true);
        check("ec2:authorize*ingress", "ec2:authorizesecuritygroupingress", true);
        check("ec2:authorize*ingress", "ec2:authorizesecuritygroupegress", false);
        check("ec2:create?oute", "ec2:createroute", true);
        check("s3:*", "ec2:createroute", false);
    }
}
