//! The artefacts of an assessment as plain tables: what a spreadsheet shows, one sheet each.

use cadastre_model::asset::StatementRef;
use cadastre_model::checklist::Checklist;
use cadastre_model::{Known, RecordId};

use crate::citations::Citations;
use crate::input::ReportInput;
use crate::{section, words};

/// A table: every row has as many cells as the header.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Table {
    /// The name of the sheet, and of the file of comma-separated values.
    pub(crate) name: &'static str,
    pub(crate) header: Vec<&'static str>,
    pub(crate) rows: Vec<Vec<Cell>>,
}

/// A cell.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    Text(String),
    Number(u64),
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<u64> for Cell {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<usize> for Cell {
    fn from(number: usize) -> Self {
        Self::Number(number as u64)
    }
}

/// A row of anything that can be a cell.
macro_rules! row {
    ($($cell:expr),+ $(,)?) => { vec![$(Cell::from($cell)),+] };
}

/// Every artefact, in the order of the report.
pub(crate) fn all(input: &ReportInput<'_>) -> Vec<Table> {
    vec![
        summary(input.checklist),
        controls(input.checklist),
        findings(input.checklist),
        frameworks(input),
        paths(input),
        permissions(input),
        destruction(input),
        guards(input),
        usage(input),
        vendor_actions(input),
        keys(input),
        stores(input),
        flows(input),
        listeners(input),
        access_control_lists(input),
        retention(input),
        drills(input),
        incidents(input),
        coverage(input),
        records(input),
    ]
}

fn summary(checklist: &Checklist) -> Table {
    let mut rows = vec![
        row!["boundary", checklist.boundary.as_str()],
        row!["as of", checklist.as_of.to_string()],
        row!["evidence root", checklist.evidence_root.as_str()],
        row!["tool version", checklist.tool_version.as_str()],
    ];
    for (verdict, count) in &checklist.summary {
        rows.push(row![format!("controls: {verdict}"), *count]);
    }
    rows.push(row!["controls not examined", checklist.not_examined.join(" ")]);
    Table { name: "summary", header: vec!["what", "value"], rows }
}

fn controls(checklist: &Checklist) -> Table {
    let rows = checklist.controls.iter().map(|control| {
        row![
            control.id.as_str(),
            control.area.as_str(),
            control.title.as_str(),
            control.verdict.name(),
            control.findings.len(),
            control.requires.join(" "),
        ]
    });
    Table {
        name: "controls",
        header: vec!["control", "area", "title", "verdict", "findings", "evidence it requires"],
        rows: rows.collect(),
    }
}

/// Every finding, those that pass too.
pub(crate) fn findings(checklist: &Checklist) -> Table {
    let mut rows = Vec::new();
    for control in &checklist.controls {
        for finding in &control.findings {
            rows.push(row![
                control.id.as_str(),
                control.area.as_str(),
                finding.verdict.name(),
                finding.subject.as_str(),
                finding.message.as_str(),
                finding.path.join("\n"),
                finding.fix.join("\n"),
                ids(&finding.evidence),
            ]);
        }
    }
    Table {
        name: "findings",
        header: vec!["control", "area", "verdict", "subject", "message", "path", "fix", "evidence"],
        rows,
    }
}

fn frameworks(input: &ReportInput<'_>) -> Table {
    let mut rows = Vec::new();
    for framework in input.frameworks {
        for requirement in &framework.requirements {
            let controls: Vec<String> = requirement
                .controls
                .iter()
                .map(|control| match control.verdict {
                    Some(verdict) => format!("{}: {}", control.id, words::verdict(verdict)),
                    None => format!("{}: not examined", control.id),
                })
                .collect();
            rows.push(row![
                framework.name.as_str(),
                framework.version.as_str(),
                requirement.id.as_str(),
                requirement.title.as_str(),
                requirement.verdict.name(),
                controls.join("\n"),
            ]);
        }
    }
    Table {
        name: "frameworks",
        header: vec!["framework", "version", "requirement", "about", "verdict", "controls"],
        rows,
    }
}

fn paths(input: &ReportInput<'_>) -> Table {
    let rows = input.graph.paths.iter().map(|path| {
        let certainty = words::Certainty::of(&path.decision);
        let steps: Vec<String> = path
            .steps
            .iter()
            .map(|step| format!("{} {} {} ({})", step.from, step.capability, step.to, step.action))
            .collect();
        row![
            path.principal.as_str(),
            words::side(path.side),
            path.target.as_str(),
            certainty.state,
            certainty.detail,
            steps.join("\n"),
            statements(&path.cut),
            ids(&path.evidence),
        ]
    });
    Table {
        name: "plaintext paths",
        header: vec![
            "principal",
            "side",
            "target",
            "decision",
            "condition or what is missing",
            "steps",
            "what closes it",
            "evidence",
        ],
        rows: rows.collect(),
    }
}

fn permissions(input: &ReportInput<'_>) -> Table {
    let rows = input.access.edges.iter().map(|edge| {
        let certainty = words::Certainty::of(&edge.decision);
        row![
            edge.principal.as_str(),
            edge.capability.name(),
            edge.target.as_str(),
            edge.action.as_str(),
            certainty.state,
            certainty.detail,
            statements(&edge.statements),
        ]
    });
    Table {
        name: "permissions",
        header: vec![
            "principal",
            "capability",
            "target",
            "action",
            "decision",
            "condition or what is missing",
            "statements",
        ],
        rows: rows.collect(),
    }
}

/// Every way, those that are called a deletion too.
fn destruction(input: &ReportInput<'_>) -> Table {
    let rows = input.access.destruction.iter().map(|found| {
        let certainty = words::Certainty::of(&found.decision);
        row![
            found.principal.as_str(),
            words::damage(found.damage),
            found.target.as_str(),
            found.action.as_str(),
            yes_or_no(!found.disguised),
            certainty.state,
            certainty.detail,
            statements(&found.statements),
        ]
    });
    Table {
        name: "destruction",
        header: vec![
            "principal",
            "damage",
            "target",
            "action",
            "called a deletion",
            "decision",
            "condition or what is missing",
            "statements",
        ],
        rows: rows.collect(),
    }
}

fn usage(input: &ReportInput<'_>) -> Table {
    let rows = input.usage.rows.iter().map(|row| {
        let used: Vec<&str> = row.used.keys().map(String::as_str).collect();
        let granted: Vec<&str> = row.granted.iter().map(String::as_str).collect();
        row![
            row.principal.as_str(),
            row.capability.name(),
            row.target.as_str(),
            row.state.name(),
            row.count(),
            row.last.map_or_else(String::new, |last| last.to_string()),
            used.join(" "),
            granted.join(", "),
            row.blind.clone().unwrap_or_default(),
            ids(&row.evidence),
        ]
    });
    Table {
        name: "usage",
        header: vec![
            "principal",
            "capability",
            "target",
            "state",
            "uses",
            "last use",
            "used actions",
            "granted actions",
            "why not known",
            "evidence",
        ],
        rows: rows.collect(),
    }
}

fn vendor_actions(input: &ReportInput<'_>) -> Table {
    let rows = input.usage.vendors.iter().map(|act| {
        row![
            act.vendor.as_str(),
            act.principal.as_str(),
            act.action.as_str(),
            act.targets.join(" "),
            act.function.clone().unwrap_or_default(),
            act.error.clone().unwrap_or_default(),
            act.count,
            act.first.to_string(),
            act.last.to_string(),
            ids(&act.evidence),
        ]
    });
    Table {
        name: "vendor actions",
        header: vec![
            "vendor",
            "principal",
            "action",
            "targets",
            "declared function",
            "refused",
            "times",
            "first",
            "last",
            "evidence",
        ],
        rows: rows.collect(),
    }
}

fn guards(input: &ReportInput<'_>) -> Table {
    let rows = input.access.guards.iter().map(|guard| {
        row![guard.subject.as_str(), guard.defect.name(), guard.told.as_str(), statements(&guard.statements),]
    });
    Table {
        name: "guards that protect nothing",
        header: vec!["about", "defect", "what is wrong", "statements"],
        rows: rows.collect(),
    }
}

fn keys(input: &ReportInput<'_>) -> Table {
    let rows = input.inventory.keys.iter().map(|key| {
        let rotation = known(&key.rotation, |rotation| match rotation.period_days {
            Some(days) if rotation.enabled => format!("every {days} days"),
            None if rotation.enabled => "enabled".to_owned(),
            _ => "disabled".to_owned(),
        });
        row![
            key.arn.as_str(),
            key.account.as_str(),
            key.region.as_str(),
            key.aliases.join(" "),
            known(&key.manager, String::clone),
            known(&key.state, String::clone),
            known(&key.origin, String::clone),
            rotation,
            known(&key.grants, |grants| grants.len().to_string()),
            ids(&key.evidence),
        ]
    });
    Table {
        name: "keys",
        header: vec![
            "key", "account", "region", "aliases", "manager", "state", "origin", "rotation", "grants",
            "evidence",
        ],
        rows: rows.collect(),
    }
}

fn stores(input: &ReportInput<'_>) -> Table {
    let inventory = input.inventory;
    let mut rows = Vec::new();
    for bucket in &inventory.buckets {
        let encryption = known(&bucket.encryption, |encryption| {
            let key = encryption.key_arn.as_ref().or(encryption.key.as_ref());
            key.map_or_else(|| encryption.algorithm.clone(), |key| format!("{} {key}", encryption.algorithm))
        });
        rows.push(row![
            "bucket",
            bucket.name.as_str(),
            bucket.account.as_str(),
            known(&bucket.region, String::clone),
            encryption,
            known(&bucket.public_access_blocked, |blocked| {
                if *blocked { "public access blocked" } else { "public access not blocked" }.to_owned()
            }),
            known(&bucket.versioning, String::clone),
            ids(&bucket.evidence),
        ]);
    }
    let encryption = |encrypted: bool, key: &Option<String>| match (encrypted, key) {
        (true, Some(key)) => key.clone(),
        (true, None) => "encrypted, key not named".to_owned(),
        (false, _) => "not encrypted".to_owned(),
    };
    for volume in &inventory.volumes {
        rows.push(row![
            "volume",
            volume.id.as_str(),
            volume.account.as_str(),
            volume.region.as_str(),
            encryption(volume.encrypted, &volume.key_arn),
            "",
            "",
            ids(&volume.evidence),
        ]);
    }
    for snapshot in &inventory.snapshots {
        rows.push(row![
            "snapshot",
            snapshot.id.as_str(),
            snapshot.account.as_str(),
            snapshot.region.as_str(),
            encryption(snapshot.encrypted, &snapshot.key_arn),
            known(&snapshot.shared_with, |with| {
                if with.is_empty() {
                    "not shared".to_owned()
                } else {
                    format!("shared with {}", with.join(" "))
                }
            }),
            "",
            ids(&snapshot.evidence),
        ]);
    }
    Table {
        name: "stores",
        header: vec!["kind", "name", "account", "region", "encryption", "exposure", "versioning", "evidence"],
        rows,
    }
}

fn flows(input: &ReportInput<'_>) -> Table {
    let rows = input.reachability.flows.iter().map(|flow| {
        let peer = flow.peer.map(|range| range.to_string()).or_else(|| flow.peer_name.clone());
        let hops: Vec<String> = flow.hops.iter().map(|hop| format!("{}: {}", hop.at, hop.what)).collect();
        row![
            words::direction(flow.direction),
            flow.interface.as_str(),
            flow.instance.clone().unwrap_or_default(),
            flow.vpc.as_str(),
            peer.unwrap_or_default(),
            words::ports(flow.ports),
            words::crossing(flow.crossing),
            hops.join("\n"),
            ids(&flow.evidence),
        ]
    });
    Table {
        name: "permitted flows",
        header: vec![
            "direction",
            "interface",
            "instance",
            "network",
            "peer",
            "ports",
            "crosses",
            "settings it passes",
            "evidence",
        ],
        rows: rows.collect(),
    }
}

fn listeners(input: &ReportInput<'_>) -> Table {
    let mut rows = Vec::new();
    for cluster in &input.inventory.clusters {
        for listener in &cluster.listeners {
            rows.push(row![
                cluster.name.as_str(),
                listener.name.as_str(),
                format!("{}:{}", listener.host, listener.port),
                known(&listener.protocol, String::clone),
                known(&listener.anonymous_access, |anonymous| yes_or_no(*anonymous)),
                known(&listener.plaintext, |plaintext| yes_or_no(*plaintext)),
                known(&listener.tls_versions, |versions| versions.join(" ")),
                ids(&listener.evidence),
            ]);
        }
    }
    Table {
        name: "listeners",
        header: vec![
            "cluster",
            "listener",
            "address",
            "protocol",
            "anonymous access",
            "plaintext",
            "TLS versions",
            "evidence",
        ],
        rows,
    }
}

fn access_control_lists(input: &ReportInput<'_>) -> Table {
    let mut rows = Vec::new();
    for cluster in &input.inventory.clusters {
        for binding in cluster.acls.observed().into_iter().flatten() {
            rows.push(row![
                cluster.name.as_str(),
                binding.principal.as_str(),
                binding.permission.as_str(),
                binding.operation.as_str(),
                binding.resource_type.as_str(),
                binding.pattern_type.as_str(),
                binding.resource_name.as_str(),
                binding.host.as_str(),
                binding.record.to_string(),
            ]);
        }
    }
    Table {
        name: "kafka access",
        header: vec![
            "cluster",
            "principal",
            "permission",
            "operation",
            "resource",
            "pattern",
            "name",
            "host",
            "evidence",
        ],
        rows,
    }
}

fn retention(input: &ReportInput<'_>) -> Table {
    let retention = section::retention::build(input, &mut Citations::default());
    let rows = retention.rows.into_iter().map(|row| {
        let evidence: Vec<String> = row.evidence.into_iter().map(|link| link.short).collect();
        row![row.kind, row.name, row.keeps, row.declared, evidence.join(" ")]
    });
    Table {
        name: "deletion and retention",
        header: vec!["kind", "place", "keeps", "declared", "evidence"],
        rows: rows.collect(),
    }
}

fn drills(input: &ReportInput<'_>) -> Table {
    let runbooks = section::runbooks::build(input, &mut Citations::default());
    let rows = runbooks.drills.into_iter().map(|drill| {
        let evidence: Vec<String> = drill.evidence.into_iter().map(|link| link.short).collect();
        row![drill.name, drill.subject, drill.at, drill.client, drill.kept, drill.all, evidence.join(" ")]
    });
    Table {
        name: "drills",
        header: vec!["drill", "subject", "at", "client", "promises kept", "promises", "evidence"],
        rows: rows.collect(),
    }
}

fn incidents(input: &ReportInput<'_>) -> Table {
    let rows = section::incidents::build(input).rows.into_iter().map(|row| {
        let named = |named: section::incidents::Named| {
            let mut names = named.names;
            if named.more > 0 {
                names.push(format!("and {} more", named.more));
            }
            names.join("\n")
        };
        row![row.what, row.declared.join("\n"), named(row.able), named(row.others)]
    });
    Table {
        name: "incident ownership",
        header: vec!["trouble", "declared to act", "can act, the customer's", "can act, others"],
        rows: rows.collect(),
    }
}

fn coverage(input: &ReportInput<'_>) -> Table {
    let rows = input.coverage.questions.values().flatten().map(|question| {
        row![
            question.operation.as_str(),
            question.scope.to_string(),
            question.subject.as_str(),
            words::outcome(question.outcome),
            question.oldest.to_string(),
            question.problem.clone().unwrap_or_default(),
        ]
    });
    Table {
        name: "coverage",
        header: vec!["operation", "scope", "subject", "outcome", "oldest answer", "problem"],
        rows: rows.collect(),
    }
}

fn records(input: &ReportInput<'_>) -> Table {
    let rows = input.evidence.records().iter().map(|record| {
        let observation = record.observation();
        row![
            record.id().to_string(),
            observation.collector.as_str(),
            observation.operation.as_str(),
            observation.scope.to_string(),
            observation.subject.as_str(),
            observation.caller.as_str(),
            observation.observed_at.to_string(),
            words::outcome(observation.outcome),
        ]
    });
    Table {
        name: "evidence records",
        header: vec![
            "record",
            "collector",
            "operation",
            "scope",
            "subject",
            "caller",
            "observed at",
            "outcome",
        ],
        rows: rows.collect(),
    }
}

fn ids<'a>(evidence: impl IntoIterator<Item = &'a RecordId>) -> String {
    evidence.into_iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

fn statements(statements: &[StatementRef]) -> String {
    let told: Vec<String> =
        statements.iter().map(|at| format!("{} ({}{})", at.policy, at.record.short(), at.pointer)).collect();
    told.join("\n")
}

fn yes_or_no(value: bool) -> String {
    if value { "yes" } else { "no" }.to_owned()
}

fn known<T>(value: &Known<T>, told: impl FnOnce(&T) -> String) -> String {
    match value {
        Known::Observed(value) => told(value),
        Known::Absent => "none".to_owned(),
        Known::Unknown(missing) => format!("unknown: {missing}"),
    }
}
