//! CloudTrail trails and what their event selectors amount to.

use std::collections::BTreeSet;

use cadastre_model::asset::EvidenceIds;
use cadastre_model::asset::logging::{Trail, TrailSelectors};
use serde_json::{Value, json};

use crate::aws::arn::Arn;
use crate::node::{Node, Read};
use crate::reader::Reader;

/// What a selector says to mean the objects of every bucket.
const ALL_BUCKETS: &str = "arn:aws:s3";

/// Reads every trail, once for all the regions that show it.
pub(crate) fn read(reader: &mut Reader<'_>) -> Vec<Trail> {
    reader.assets("cloudtrail:DescribeTrails", "trailList", |reader, trail| {
        let arn = trail.owned_text("TrailARN")?;
        let account = Arn::parse(&arn).map(|parts| parts.account.to_owned());
        let mut evidence = EvidenceIds::new();
        let mut known = |operation: &str| {
            reader.known(operation, &arn, &mut evidence, |pages| Ok(Some(pages.only()?.clone())))
        };
        let (status, selectors) = (known("cloudtrail:GetTrailStatus"), known("cloudtrail:GetEventSelectors"));
        Ok(Some(Trail {
            name: trail.owned_text("Name")?,
            account: account.ok_or_else(|| trail.defect("a trail with an ARN"))?,
            home_region: trail.owned_text("HomeRegion")?,
            multi_region: trail.boolean("IsMultiRegionTrail")?,
            global_service_events: trail.boolean("IncludeGlobalServiceEvents")?,
            log_file_validation: trail.boolean("LogFileValidationEnabled")?,
            bucket: trail.owned_text("S3BucketName")?,
            key: trail.optional_owned_text("KmsKeyId")?,
            logging: reader.property("cloudtrail:GetTrailStatus", &status, |status| {
                status.boolean("IsLogging").map(Some)
            }),
            delivery_error: reader.property("cloudtrail:GetTrailStatus", &status, |status| {
                Ok(status.optional_owned_text("LatestDeliveryError")?.filter(|error| !error.is_empty()))
            }),
            selectors: reader
                .property("cloudtrail:GetEventSelectors", &selectors, |answer| summary(answer).map(Some)),
            arn,
            evidence,
        }))
    })
}

/// Reads and writes that selectors record, of one class of events.
#[derive(Debug, Clone, Copy, Default)]
struct Recorded {
    reads: bool,
    writes: bool,
}

impl Recorded {
    const fn both(self) -> bool {
        self.reads && self.writes
    }

    const fn add(&mut self, other: Self) {
        self.reads |= other.reads;
        self.writes |= other.writes;
    }
}

/// What all selectors of a trail record together.
#[derive(Debug, Default)]
struct Summary {
    management: Recorded,
    /// Management events of AWS KMS.
    key_use: Recorded,
    object_reads: BTreeSet<String>,
    object_writes: BTreeSet<String>,
}

fn summary(answer: &Node<'_>) -> Read<TrailSelectors> {
    let mut summary = Summary::default();
    for selector in answer.optional_list("EventSelectors")? {
        summary.add_basic(&selector)?;
    }
    for selector in answer.optional_list("AdvancedEventSelectors")? {
        summary.add_advanced(&selector)?;
    }
    let raw = |member: &str| answer.value.get(member).cloned().unwrap_or_else(|| Value::Array(Vec::new()));
    Ok(TrailSelectors {
        management_read_write: summary.management.both(),
        key_use: summary.key_use.both(),
        object_access: summary.object_access(),
        raw: json!({
            "EventSelectors": raw("EventSelectors"),
            "AdvancedEventSelectors": raw("AdvancedEventSelectors"),
        }),
    })
}

impl Summary {
    /// Buckets whose reads and writes are both recorded, be it by different selectors.
    fn object_access(&self) -> Vec<String> {
        let all_reads = self.object_reads.contains(ALL_BUCKETS);
        let all_writes = self.object_writes.contains(ALL_BUCKETS);
        self.object_reads
            .union(&self.object_writes)
            .filter(|bucket| {
                (all_reads || self.object_reads.contains(*bucket))
                    && (all_writes || self.object_writes.contains(*bucket))
            })
            .cloned()
            .collect()
    }

    fn add_objects(&mut self, recorded: Recorded, buckets: BTreeSet<String>) {
        if recorded.reads {
            self.object_reads.extend(buckets.iter().cloned());
        }
        if recorded.writes {
            self.object_writes.extend(buckets);
        }
    }

    /// "EventSelector", AWS CloudTrail API Reference.
    fn add_basic(&mut self, selector: &Node<'_>) -> Read<()> {
        let recorded = match selector.text("ReadWriteType")? {
            "All" => Recorded { reads: true, writes: true },
            "ReadOnly" => Recorded { reads: true, writes: false },
            "WriteOnly" => Recorded { reads: false, writes: true },
            _ => return Err(selector.defect("a selector with a read-write type")),
        };
        if selector.boolean("IncludeManagementEvents")? {
            self.management.add(recorded);
            let excluded = selector.optional_texts("ExcludeManagementEventSources")?;
            if !excluded.iter().any(|source| source == "kms.amazonaws.com") {
                self.key_use.add(recorded);
            }
        }
        for resource in selector.optional_list("DataResources")? {
            if resource.text("Type")? == "AWS::S3::Object" {
                let values = resource.optional_texts("Values")?;
                let buckets = values.iter().filter_map(|value| whole_bucket(value)).collect();
                self.add_objects(recorded, buckets);
            }
        }
        Ok(())
    }

    /// "AdvancedFieldSelector", AWS CloudTrail API Reference. A selector with a field that narrows it in a
    /// way not modelled here counts for nothing.
    fn add_advanced(&mut self, selector: &Node<'_>) -> Read<()> {
        let mut category = None;
        let mut recorded = Recorded { reads: true, writes: true };
        let mut of_objects = false;
        let mut without_key_use = false;
        let mut buckets = BTreeSet::from([ALL_BUCKETS.to_owned()]);
        for field in selector.list("FieldSelectors")? {
            let filter = Filter::read(&field)?;
            match (field.text("Field")?, filter) {
                ("eventCategory", Filter::Equals(values)) => category = values.into_iter().next(),
                ("readOnly", Filter::Equals(values)) => {
                    let has = |value: &str| values.iter().any(|text| text == value);
                    recorded = Recorded { reads: has("true"), writes: has("false") };
                }
                ("eventSource", Filter::NotEquals(values)) => {
                    // Leaving out the chatty services that CloudTrail lets one leave out is no gap but for
                    // the keys.
                    without_key_use |= values.iter().any(|source| source == "kms.amazonaws.com");
                }
                ("resources.type", Filter::Equals(values)) => {
                    of_objects = values.iter().any(|kind| kind == "AWS::S3::Object");
                }
                ("resources.ARN", Filter::StartsWith(values)) => {
                    buckets = values.iter().filter_map(|value| whole_bucket(value)).collect();
                }
                _ => return Ok(()),
            }
        }
        match category.as_deref() {
            Some("Management") => {
                self.management.add(recorded);
                if !without_key_use {
                    self.key_use.add(recorded);
                }
            }
            Some("Data") if of_objects => self.add_objects(recorded, buckets),
            _ => {}
        }
        Ok(())
    }
}

/// The one operator of a field selector.
#[derive(Debug)]
enum Filter {
    Equals(Vec<String>),
    NotEquals(Vec<String>),
    StartsWith(Vec<String>),
    /// Another operator, or several at once.
    Other,
}

impl Filter {
    fn read(field: &Node<'_>) -> Read<Self> {
        let mut filter = None;
        for operator in ["Equals", "NotEquals", "StartsWith", "EndsWith", "NotStartsWith", "NotEndsWith"] {
            let values = field.optional_texts(operator)?;
            if values.is_empty() {
                continue;
            }
            filter = Some(match (filter, operator) {
                (None, "Equals") => Self::Equals(values),
                (None, "NotEquals") => Self::NotEquals(values),
                (None, "StartsWith") => Self::StartsWith(values),
                _ => Self::Other,
            });
        }
        Ok(filter.unwrap_or(Self::Other))
    }
}

/// The bucket whose objects are all covered by a prefix, or [`ALL_BUCKETS`].
fn whole_bucket(prefix: &str) -> Option<String> {
    if matches!(prefix, ALL_BUCKETS | "arn:aws:s3:::") {
        return Some(ALL_BUCKETS.to_owned());
    }
    let bucket = prefix.strip_suffix('/')?;
    let name = bucket.strip_prefix("arn:aws:s3:::")?;
    (!name.is_empty() && !name.contains('/')).then(|| bucket.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use cadastre_model::record::Page;
    use cadastre_model::{Observation, Outcome, Scope};

    #[track_caller]
    fn check(response: Value, management: bool, key_use: bool, objects: &[&str]) {
        let record = Observation {
            collector: "aws".into(),
            operation: "cloudtrail:GetEventSelectors".into(),
            scope: Scope::account("111122223333"),
            subject: "trail".into(),
            caller: String::new(),
            observed_at: "2026-11-21T10:00:00Z".parse().unwrap(),
            outcome: Outcome::Observed,
            request: json!({}),
            response,
            problem: None,
            page: Page::ONLY,
        }
        .seal()
        .unwrap();
        let selectors = summary(&Node::response(&record)).unwrap();
        assert_eq!((selectors.management_read_write, selectors.key_use), (management, key_use));
        assert_eq!(selectors.object_access, objects);
    }

    fn basic(kind: &str, management: bool, excluded: &[&str], values: &[&str]) -> Value {
        json!({"ReadWriteType": kind, "IncludeManagementEvents": management,
            "DataResources": [{"Type": "AWS::S3::Object", "Values": values}],
            "ExcludeManagementEventSources": excluded})
    }

    #[test]
    fn basic_selectors_add_up() {
        let whole = |selectors: &[Value]| json!({"EventSelectors": selectors});
        check(whole(&[]), false, false, &[]);
        check(whole(&[basic("All", true, &[], &[])]), true, true, &[]);
        check(whole(&[basic("All", true, &["kms.amazonaws.com"], &[])]), true, false, &[]);
        check(whole(&[basic("WriteOnly", true, &[], &[])]), false, false, &[]);
        check(
            whole(&[
                basic("WriteOnly", true, &[], &["arn:aws:s3:::a/"]),
                basic("ReadOnly", true, &[], &["arn:aws:s3"]),
            ]),
            true,
            true,
            &["arn:aws:s3:::a"],
        );
        check(
            whole(&[basic("All", false, &[], &["arn:aws:s3:::a/logs/", "arn:aws:s3:::b/"])]),
            false,
            false,
            &["arn:aws:s3:::b"],
        );
        check(whole(&[basic("All", false, &[], &["arn:aws:s3:::"])]), false, false, &["arn:aws:s3"]);
    }

    #[test]
    fn advanced_selectors_count_only_where_nothing_unmodelled_narrows_them() {
        let whole = |fields: &[Value]| json!({"AdvancedEventSelectors": [{"FieldSelectors": fields}]});
        let management = json!({"Field": "eventCategory", "Equals": ["Management"]});
        let data = json!({"Field": "eventCategory", "Equals": ["Data"]});
        let objects = json!({"Field": "resources.type", "Equals": ["AWS::S3::Object"]});
        let bucket = json!({"Field": "resources.ARN", "StartsWith": ["arn:aws:s3:::a/"]});
        let without_keys = json!({"Field": "eventSource", "NotEquals": ["kms.amazonaws.com"]});
        let one_event = json!({"Field": "eventName", "Equals": ["PutObject"]});
        let writes = json!({"Field": "readOnly", "Equals": ["false"]});
        check(whole(std::slice::from_ref(&management)), true, true, &[]);
        check(whole(&[management.clone(), without_keys]), true, false, &[]);
        check(whole(&[management, writes.clone()]), false, false, &[]);
        check(whole(&[data.clone(), objects.clone()]), false, false, &["arn:aws:s3"]);
        check(whole(&[data.clone(), objects.clone(), bucket.clone()]), false, false, &["arn:aws:s3:::a"]);
        check(whole(&[data.clone(), objects.clone(), bucket, writes]), false, false, &[]);
        check(whole(&[data.clone(), objects, one_event]), false, false, &[]);
        check(whole(&[data]), false, false, &[]);
    }
}
