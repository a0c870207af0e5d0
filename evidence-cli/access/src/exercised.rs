//! Which capability a call on a trail exercised: the map of capabilities, read the other way round.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use cadastre_model::access::Capability;
use serde::Deserialize;

use crate::built_in;
use crate::catalogue::TargetKind;

/// Events that are not called what the action is called.
const EVENTS: &str = include_str!("../../../policies/capabilities/trail-events.yaml");
const SCHEMA: &str = "cadastre/trail-events/v1";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema: String,
    events: BTreeMap<String, Vec<String>>,
}

/// By kind of target and action in lower case, what it gives, and whether only where logs are received.
type Map = BTreeMap<(TargetKind, String), BTreeSet<(Capability, bool)>>;

struct Exercised {
    events: BTreeMap<String, Vec<String>>,
    map: Map,
}

fn read() -> Result<Exercised, String> {
    let file: File = serde_saphyr::from_str(EVENTS).map_err(|error| error.without_snippet().to_string())?;
    if file.schema != SCHEMA {
        return Err(format!("`trail-events.yaml` has schema `{}`", file.schema));
    }
    let lower = |text: &String| text.to_ascii_lowercase();
    let events = file
        .events
        .iter()
        .map(|(event, actions)| (lower(event), actions.iter().map(lower).collect()))
        .collect();
    let mut map = Map::new();
    for (kind, entry) in built_in()?.0.all() {
        if let Some(capability) = entry.gives {
            map.entry((kind, lower(&entry.action))).or_default().insert((capability, entry.sinks));
        }
    }
    Ok(Exercised { events, map })
}

/// What a principal that made a call has exercised over its target. `event` is the service and the name as a trail has
/// them, `s3:PutBucketLifecycle`; `target` is an ARN; `sink` says that the target receives logs.
#[must_use]
pub fn exercised(event: &str, target: &str, sink: bool) -> BTreeSet<Capability> {
    static READ: LazyLock<Option<Exercised>> = LazyLock::new(|| read().ok());
    let (Some(known), Some(kind)) = (&*READ, kind(target)) else { return BTreeSet::new() };
    let event = event.to_ascii_lowercase();
    let actions = known.events.get(&event).map_or(std::slice::from_ref(&event), Vec::as_slice);
    actions
        .iter()
        .filter_map(|action| known.map.get(&(kind, action.clone())))
        .flatten()
        .filter(|(_, sinks)| sink || !sinks)
        .map(|(capability, _)| *capability)
        .collect()
}

/// What an ARN names.
fn kind(arn: &str) -> Option<TargetKind> {
    let mut parts = arn.strip_prefix("arn:")?.splitn(5, ':').skip(1);
    let (service, resource) = (parts.next()?, parts.nth(2)?);
    let of = |prefix: &str| resource.starts_with(prefix);
    Some(match service {
        "s3" => TargetKind::Bucket,
        "kms" if of("key/") => TargetKind::Key,
        "ec2" if of("instance/") => TargetKind::Host,
        "ec2" if of("volume/") => TargetKind::Volume,
        "ec2" if of("snapshot/") => TargetKind::Snapshot,
        "iam" if of("role/") => TargetKind::Role,
        "iam" if of("user/") => TargetKind::User,
        "iam" if of("group/") => TargetKind::Group,
        "iam" if of("policy/") => TargetKind::Policy,
        "cloudtrail" if of("trail/") => TargetKind::Trail,
        "logs" if of("log-group:") => TargetKind::LogGroup,
        "kafka" if of("cluster/") => TargetKind::MskCluster,
        "acm-pca" => TargetKind::CertificateAuthority,
        "secretsmanager" => TargetKind::Secret,
        "eks" if of("cluster/") => TargetKind::EksCluster,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(event: &str, target: &str, sink: bool, expected: &[Capability]) {
        assert_eq!(exercised(event, target, sink).into_iter().collect::<Vec<_>>(), expected, "{event}");
    }

    #[test]
    fn calls_exercise_what_the_map_says_their_actions_give() {
        use Capability::*;
        let key = "arn:aws:kms:eu-central-1:111122223333:key/1";
        let bucket = "arn:aws:s3:::data";
        let host = "arn:aws:ec2:eu-central-1:111122223333:instance/i-1";
        check("kms:Decrypt", key, false, &[Decrypt]);
        check("kms:ReEncrypt", key, false, &[Decrypt]);
        check("kms:DescribeKey", key, false, &[]);
        check("kms:PutKeyPolicy", key, false, &[ManageKey]);
        check("s3:GetObject", bucket, false, &[ReadObjects]);
        check("s3:GetObject", bucket, true, &[ReadObjects, ReadLogs]);
        check("s3:PutBucketLifecycle", bucket, false, &[WriteObjects]);
        check("s3:UploadPart", bucket, false, &[WriteObjects]);
        check("ec2:ModifyInstanceAttribute", host, false, &[OperateHost]);
        check("iam:PutRolePolicy", "arn:aws:iam::111122223333:role/a", false, &[ChangePolicy]);
        check("kms:Decrypt", "no arn", false, &[]);
    }

    #[test]
    fn every_event_names_actions_that_exist() {
        let known = include_str!("../../../policies/capabilities/known-actions.txt");
        let read = read().unwrap();
        for action in read.events.values().flatten() {
            let (service, name) = action.split_once(':').unwrap();
            let listed = known.lines().filter_map(|line| line.split_once(": ")).any(|(known, names)| {
                known == service && names.split(' ').any(|known| known.eq_ignore_ascii_case(name))
            });
            assert!(listed, "{action}");
        }
    }
}
