//! The `audit-trail` drill: everything that the drills did is found on the broker's audit log, and nothing else about them.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::actions::Action;
use crate::bench::Bench;
use crate::error::{DrillError, file};
use crate::name::DrillName;
use crate::plan::Plan;
use crate::target::Target;
use crate::topics::delete_topic;

/// How long a broker may take to write a line.
const PATIENCE: Duration = Duration::from_secs(5);

/// The longest line that is read, in bytes.
const LONGEST_LINE: usize = 1 << 20;

pub(crate) fn plan(target: &Target) -> Plan {
    let plan = Plan::of(
        DrillName::AuditTrail,
        &[
            "create and delete a topic",
            "find these and every action of the drills before in the broker's audit log",
            "find nothing on it about the drills' topics that no drill did",
        ],
    );
    plan.unless(target.hooks.brokers().is_empty().then(|| {
        "the broker's audit log cannot be read from here: only that of `local-brokers` can".to_owned()
    }))
}

/// What is read of a line of the audit log.
#[derive(Debug, Clone, Deserialize)]
struct Line {
    #[serde(default)]
    principal: String,
    #[serde(default)]
    request: String,
    #[serde(default)]
    resource: String,
    #[serde(default)]
    client_address: String,
    #[serde(default)]
    operation: String,
    #[serde(default)]
    rule: String,
    #[serde(default)]
    allowed: bool,
    #[serde(default)]
    detail: Option<String>,
}

impl Line {
    fn names(&self, resource: &str) -> bool {
        self.resource == resource
            || self
                .detail
                .as_deref()
                .is_some_and(|detail| detail.split([' ', ',']).any(|word| word == resource))
    }

    /// Whether it says everything that a reader of an audit log asks.
    fn is_whole(&self) -> bool {
        [&self.principal, &self.request, &self.resource, &self.client_address, &self.operation, &self.rule]
            .into_iter()
            .all(|member| !member.is_empty())
    }

    fn shows(&self, action: &Action) -> bool {
        // A settings request is recorded under the name of either of its two forms.
        let same_request = self.request == action.request
            || (action.request == "AlterConfigs" && self.request == "IncrementalAlterConfigs");
        same_request
            && self.principal == action.principal
            && self.allowed == action.allowed
            && self.names(&action.resource)
    }
}

pub(crate) async fn run(bench: &Bench<'_>) -> Result<(), DrillError> {
    let connection = &bench.target.administrator;
    let topic = bench.topic("audited", 1).await?;
    delete_topic(connection, &topic).await?;
    bench.actions.note("DeleteTopics", &topic, &connection.principal(), true);
    let actions: BTreeSet<Action> = bench.actions.all().into_iter().collect();
    let started = Instant::now();
    let (lines, missing) = loop {
        let lines = lines(bench)?;
        let missing: Vec<&Action> =
            actions.iter().filter(|action| !lines.iter().any(|line| line.shows(action))).collect();
        if missing.is_empty() || started.elapsed() > PATIENCE {
            let missing: Vec<String> = missing.into_iter().map(told).collect();
            break (lines, missing);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    bench.measure("actions", actions.len() as u64);
    bench.measure("actions_missing", missing.len() as u64);
    bench.check(
        "every action of the drills is on the broker's audit log, with who did it and whether it was let through",
        missing.is_empty(),
        if missing.is_empty() {
            format!("{} of {} found", actions.len(), actions.len())
        } else {
            format!("{} of {} are missing: {}", missing.len(), actions.len(), missing.join("; "))
        },
        started,
    );
    // Of this run alone: names of drills before it hold another run's mark.
    let mark = format!("-{}-", bench.run);
    let ours = |text: &str| text.starts_with(&bench.target.prefix) && text.contains(&mark);
    let about_us: Vec<&Line> = lines
        .iter()
        .filter(|line| {
            let detail = line.detail.as_deref().unwrap_or_default();
            ours(&line.resource) || detail.split([' ', ',']).any(ours)
        })
        .collect();
    let strange: BTreeSet<String> = about_us
        .iter()
        .filter(|line| {
            !actions.iter().any(|action| line.names(&action.resource) && line.principal == action.principal)
        })
        .map(|line| format!("{} on {} by {}", line.request, line.resource, line.principal))
        .collect();
    let bare = about_us.iter().filter(|line| !line.is_whole()).count();
    bench.check(
        "each of these lines names principal, client address, resource, operation and the rule that decided",
        bare == 0 && !about_us.is_empty(),
        format!("{bare} of {} lines lack one of them", about_us.len()),
        started,
    );
    bench.measure("audit_lines", about_us.len() as u64);
    bench.check(
        "nothing on the audit log about the drills' topics is without an action of a drill",
        strange.is_empty(),
        if strange.is_empty() {
            format!("{} lines, all explained", about_us.len())
        } else {
            format!("unexplained: {}", strange.into_iter().collect::<Vec<_>>().join("; "))
        },
        started,
    );
    Ok(())
}

fn told(action: &Action) -> String {
    let outcome = if action.allowed { "allowed" } else { "refused" };
    format!("{} {} by {} ({outcome})", action.request, action.resource, action.principal)
}

/// Every line of every local broker's audit log that can be read.
fn lines(bench: &Bench<'_>) -> Result<Vec<Line>, DrillError> {
    let mut lines = Vec::new();
    for broker in bench.target.hooks.brokers() {
        let directory = broker.audit_directory()?;
        let entries = match std::fs::read_dir(&directory) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            entries => entries.map_err(file("read", &directory))?,
        };
        let mut files: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
        files.retain(|path| path.extension().is_some_and(|extension| extension == "ndjson"));
        files.sort();
        for path in files {
            let reader = BufReader::new(std::fs::File::open(&path).map_err(file("read", &path))?);
            for line in reader.lines() {
                let line = line.map_err(file("read", &path))?;
                if line.len() <= LONGEST_LINE {
                    // The last line may still be in the middle of being written: it is read whole the next time.
                    lines.extend(serde_json::from_str::<Line>(&line));
                }
            }
        }
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(request: &str, resource: &str, detail: Option<&str>, allowed: bool) -> Line {
        Line {
            principal: "User:admin".into(),
            request: request.into(),
            resource: resource.into(),
            client_address: "127.0.0.1".into(),
            operation: "CREATE".into(),
            rule: "SuperUser".into(),
            allowed,
            detail: detail.map(str::to_owned),
        }
    }

    #[track_caller]
    fn check(line: &Line, expected: bool) {
        let action = Action {
            request: "CreateTopics".into(),
            resource: "drill-a".into(),
            principal: "User:admin".into(),
            allowed: true,
        };
        assert_eq!(line.shows(&action), expected);
    }

    #[test]
    fn a_line_that_names_no_rule_is_not_whole() {
        let whole = line("CreateTopics", "drill-a", None, true);
        assert!(whole.is_whole());
        assert!(!Line { rule: String::new(), ..whole }.is_whole());
    }

    #[test]
    fn a_line_shows_an_action_only_with_its_request_resource_and_decision() {
        check(&line("CreateTopics", "drill-a", None, true), true);
        check(&line("CreateTopics", "kafka-cluster", Some("topics drill-b,drill-a"), true), true);
        check(&line("CreateTopics", "kafka-cluster", Some("topics drill-ab"), true), false);
        check(&line("CreateTopics", "drill-a", None, false), false);
        check(&line("DeleteTopics", "drill-a", None, true), false);
    }
}
