//! Whether a trail would have shown a use, had there been one.

use std::collections::BTreeSet;

use cadastre_model::Timestamp;
use cadastre_model::access::Capability;
use cadastre_model::asset::EvidenceIds;
use cadastre_model::asset::activity::TrailCheck;
use cadastre_model::asset::logging::{Trail, TrailSelectors};
use cadastre_model::declaration::{Declaration, Provider};
use cadastre_model::inventory::Inventory;
use cadastre_model::usage::Doubt;

use super::Subject;
use super::lookup::{History, REACH};

/// Where events of global services are recorded, whoever calls from wherever ("Global service events", AWS CloudTrail
/// User Guide).
const GLOBAL_REGION: &str = "us-east-1";
/// Calls after which a trail may have recorded less than it does now.
const CHANGES: [&str; 5] = [
    "cloudtrail:StopLogging",
    "cloudtrail:DeleteTrail",
    "cloudtrail:UpdateTrail",
    "cloudtrail:PutEventSelectors",
    "cloudtrail:CreateTrail",
];

/// What trails there are, and what they prove.
pub(super) struct Trails<'a> {
    inventory: &'a Inventory,
    history: &'a History,
    since: Timestamp,
    as_of: Timestamp,
    /// Seconds that evidence may be old.
    maximum_age: i64,
}

impl<'a> Trails<'a> {
    pub(super) fn new(subject: &Subject<'a>, history: &'a History, since: Timestamp) -> Self {
        Self {
            inventory: subject.inventory,
            history,
            since,
            as_of: subject.as_of,
            maximum_age: subject.declaration.evidence.maximum_age.seconds(),
        }
    }

    /// The records that show that a use would have been seen, or why it would not.
    pub(super) fn would_show(
        &self,
        capability: Capability,
        target: &str,
        granted: &BTreeSet<String>,
    ) -> Result<EvidenceIds, String> {
        let mut parts = target.split(':').skip(2);
        let (service, region, account) = match (parts.next(), parts.next(), parts.next()) {
            (Some(service), Some(region), Some(account)) if target.starts_with("arn:") => {
                (service, region, account)
            }
            _ => return Err("CloudTrail does not show uses of it".to_owned()),
        };
        match (service, capability) {
            // Anybody may become somebody in any region, and which regions are enabled is not in the evidence.
            (_, Capability::Assume | Capability::Reach) => {
                Err("a session can be taken in any region, and not every region's trail is in the evidence"
                    .to_owned())
            }
            (_, Capability::ReadRecords | Capability::WriteRecords) => {
                Err("CloudTrail does not show Kafka's requests".to_owned())
            }
            ("s3", _) => self.bucket(capability, target),
            ("iam", _) => self.management(account, GLOBAL_REGION),
            ("logs", Capability::ReadLogs) => {
                Err("CloudTrail shows reads of log events as data events only".to_owned())
            }
            ("ec2", Capability::ReadObjects) if granted.iter().any(|action| action.contains("ebs:")) => {
                Err("CloudTrail shows direct reads of snapshots as data events only".to_owned())
            }
            ("ec2", _) if account.is_empty() => self.of_snapshot(target, region),
            _ if region.is_empty() => Err("where its events are recorded is not known".to_owned()),
            _ => self.management(account, region),
        }
    }

    /// What is missing in the trails of every declared account: in its regions, and where global services are recorded.
    pub(super) fn doubts(&self, declaration: &Declaration) -> Vec<Doubt> {
        let regions: BTreeSet<&str> =
            declaration.regions.iter().map(String::as_str).chain([GLOBAL_REGION]).collect();
        let mut doubts = Vec::new();
        for account in declaration.accounts.iter().filter(|account| account.provider == Provider::Aws) {
            for region in &regions {
                let subject = format!("{}/{region}", account.id);
                let check = self.inventory.trail_checks.iter().find(|check| check.id == subject);
                let why = match check {
                    Some(check) => self.spans(check).err().map(|why| format!("the trail {why}")),
                    None => Some("no trail of it is in the evidence".to_owned()),
                };
                let evidence = check.map(|check| check.evidence.clone()).unwrap_or_default();
                doubts.extend(why.map(|why| Doubt { subject, why, evidence }));
            }
        }
        doubts.sort();
        doubts
    }

    /// Keys whose uses no trail would show.
    pub(super) fn unseen_keys(&self) -> Vec<Doubt> {
        let keys = self.inventory.keys.iter().filter_map(|key| {
            let why = self.management(&key.account, &key.region).err()?;
            Some(Doubt { subject: key.arn.clone(), why, evidence: key.evidence.clone() })
        });
        keys.collect()
    }

    /// Snapshots carry no account in their ARN.
    fn of_snapshot(&self, target: &str, region: &str) -> Result<EvidenceIds, String> {
        let id = target.rsplit('/').next().unwrap_or(target);
        match self.inventory.snapshots.iter().find(|snapshot| snapshot.id == id) {
            Some(snapshot) => self.management(&snapshot.account, region),
            None => Err("whose it is is not in the evidence".to_owned()),
        }
    }

    /// Objects are data events, the bucket's own settings management events, both in the bucket's region.
    fn bucket(&self, capability: Capability, target: &str) -> Result<EvidenceIds, String> {
        let bucket = self.inventory.buckets.iter().find(|bucket| bucket.arn == target);
        let bucket = bucket.ok_or_else(|| "the bucket is not in the evidence".to_owned())?;
        let Some(region) = bucket.region.observed() else {
            return Err("where the bucket lies is not known".to_owned());
        };
        if capability == Capability::ChangePolicy {
            return self.management(&bucket.account, region);
        }
        self.files(&bucket.account, region, |selectors| {
            let recorded = |listed: &String| listed == target || listed == "arn:aws:s3";
            if selectors.object_access.iter().any(recorded) {
                Ok(())
            } else {
                Err("records no object access of the bucket".to_owned())
            }
        })
    }

    /// Management events, with key use among them.
    fn management(&self, account: &str, region: &str) -> Result<EvidenceIds, String> {
        let by_files = self.files(account, region, |selectors| {
            if selectors.management_read_write && selectors.key_use {
                Ok(())
            } else {
                Err("does not record every management event".to_owned())
            }
        });
        match self.history.ended(account, region) {
            Some(at)
                if by_files.is_err()
                    && self.as_of.seconds_since(at) <= self.maximum_age
                    && at.seconds_since(self.since) <= REACH =>
            {
                Ok(EvidenceIds::new())
            }
            _ => by_files,
        }
    }

    /// A trail's files that are whole, that span the window, and of a trail that records what is asked.
    fn files(
        &self,
        account: &str,
        region: &str,
        records: impl Fn(&TrailSelectors) -> Result<(), String>,
    ) -> Result<EvidenceIds, String> {
        let field = format!("{account}/{region}");
        let check = self.inventory.trail_checks.iter().find(|check| check.id == field);
        let check = check.ok_or_else(|| format!("no trail of {field} is in the evidence"))?;
        self.spans(check).map_err(|why| format!("the trail of {field} {why}"))?;
        let mut reasons = Vec::new();
        for trail in self.trails(check) {
            let mut evidence = check.evidence.clone();
            evidence.extend(trail.evidence.iter().cloned());
            match recording(trail).and_then(&records) {
                Ok(()) => return Ok(evidence),
                Err(why) => reasons.push(format!("trail `{}` {why}", trail.name)),
            }
        }
        if reasons.is_empty() {
            return Err(format!("what the trail of {field} records is not in the evidence"));
        }
        Err(reasons.join("; "))
    }

    /// Whether a trail's files are whole and reach over the window.
    fn spans(&self, check: &TrailCheck) -> Result<(), String> {
        if !check.valid || check.refused > 0 {
            let first = check.problems.first().map_or_else(String::new, |problem| format!(": {problem}"));
            return Err(format!("is not proven whole{first}"));
        }
        let (Some(from), Some(to)) = (check.from, check.to) else {
            return Err("has no digests".to_owned());
        };
        if from > self.since {
            return Err(format!("reaches back to {from} only, and the window begins at {}", self.since));
        }
        if self.as_of.seconds_since(to) > self.maximum_age {
            return Err(format!("ends at {to}"));
        }
        let changed = self.inventory.activity.iter().find(|row| {
            row.account == check.account
                && row.error.is_none()
                && row.last >= self.since
                && CHANGES.contains(&row.action.as_str())
        });
        match changed {
            Some(row) => Err(format!("was changed in the window: {} at {}", row.action, row.last)),
            None => Ok(()),
        }
    }

    /// The trails whose files were read.
    fn trails<'s>(&'s self, check: &'s TrailCheck) -> impl Iterator<Item = &'s Trail> {
        self.inventory.trails.iter().filter(|trail| {
            check.trails.contains(&trail.name) && (trail.multi_region || trail.home_region == check.region)
        })
    }
}

/// What a trail records, where it does.
fn recording(trail: &Trail) -> Result<&TrailSelectors, String> {
    if trail.logging.observed() != Some(&true) {
        return Err("is not known to be recording".to_owned());
    }
    trail.selectors.observed().ok_or_else(|| "records what is not known".to_owned())
}
