//! What happened in the reference account while its trail recorded it.

use cadastre_model::evidence::Evidence;
use serde_json::{Value, json};

use crate::bucket::{ACCOUNT, Bucket, GLOBAL, REGION, Recorded, Used, ledger, time};

pub(crate) const BROKER: &str = "arn:aws:iam::111122223333:role/kafka-broker";
pub(crate) const SUPPORT: &str = "arn:aws:iam::111122223333:role/streamco-support";
const OPERATOR: &str = "arn:aws:iam::111122223333:role/platform-operator";
const VENDOR: &str = "arn:aws:iam::999988887777:role/streamco-control-plane";
const DATA: &str = "arn:aws:s3:::payments-kafka-data-111122223333";
const DAY: i64 = 86_400;

/// Everything that the files are made of.
#[derive(Debug, Clone)]
pub(crate) struct Story {
    /// The end of the newest digest.
    pub(crate) end: i64,
    /// Where digests begin.
    pub(crate) start: i64,
    pub(crate) events: Vec<Recorded>,
    pub(crate) uses: Vec<Used>,
    pub(crate) key: String,
    pub(crate) regions: Vec<&'static str>,
}

impl Story {
    /// Nothing but what is declared, over so many days.
    pub(crate) fn clean(evidence: &Evidence, days: i64) -> Self {
        let as_of = evidence.manifest().finished_at.seconds();
        let end = as_of - as_of.rem_euclid(3_600);
        let mut story = Self {
            end,
            start: end - days * DAY,
            events: Vec::new(),
            uses: Vec::new(),
            key: data_key(evidence),
            regions: vec![REGION, GLOBAL],
        };
        for day in 0..days {
            let at = story.start + day * DAY;
            for turn in 0..2 {
                story.key_use(at + 3_000 + turn * 40_000, "GenerateDataKey", &format!("g{day}-{turn}"));
                story.key_use(at + 3_900 + turn * 40_000, "Decrypt", &format!("d{day}-{turn}"));
            }
            for name in ["PutObject", "GetObject"] {
                story.object(at + 5_000, name, BROKER);
            }
            story.call(at + 600, GLOBAL, "sts", "AssumeRole", VENDOR, &[SUPPORT]);
            story.call(at + 700, REGION, "cloudwatch", "GetMetricData", SUPPORT, &[]);
            story.call(at + 720, REGION, "ec2", "DescribeInstances", SUPPORT, &[]);
        }
        story.call(story.end - DAY, REGION, "ssm", "StartSession", OPERATOR, &[]);
        // The edges of the ledger lie well inside of the trail.
        story.call(story.start + 60, REGION, "ec2", "DescribeVpcs", OPERATOR, &[]);
        story.call(story.end - 60, REGION, "ec2", "DescribeVpcs", OPERATOR, &[]);
        story
    }

    /// The same with what `PLANTED.md` lists.
    pub(crate) fn planted(evidence: &Evidence, days: i64) -> Self {
        let mut story = Self::clean(evidence, days);
        let at = story.end - 3 * DAY;
        // The vendor decrypts, and so does somebody with the broker's credentials, of which no ledger tells.
        story.kms(at, "Decrypt", SUPPORT, "stolen-1");
        story.kms(at + 7_200, "Decrypt", BROKER, "stolen-2");
        // The vendor does what no declared function needs, and tries more.
        story.object(at + 60, "GetObject", SUPPORT);
        story.call(at + 120, GLOBAL, "iam", "PutRolePolicy", SUPPORT, &[BROKER]);
        story
    }

    /// The files.
    pub(crate) fn bucket(&self) -> Bucket {
        Bucket::fill(&self.events, &self.regions, self.start, self.end)
    }

    /// The planted files: one log file of the global region was edited after it was signed.
    pub(crate) fn planted_bucket(&self) -> Bucket {
        let mut bucket = self.bucket();
        let key = bucket.newest("/CloudTrail/us-east-1/", "PutRolePolicy");
        bucket.edit(&key, |text| text.replace("PutRolePolicy", "GetRolePolicy"));
        bucket
    }

    /// The broker's own record.
    pub(crate) fn ledger(&self) -> String {
        ledger(&self.uses, &self.key)
    }

    /// A use of the data key that the broker writes down.
    pub(crate) fn key_use(&mut self, at: i64, name: &str, request: &str) {
        self.kms(at, name, BROKER, request);
        let operation = if name == "Decrypt" { "unwrap" } else { "generate" };
        self.uses.push(Used { at, operation, request: request.to_owned() });
    }

    /// A use of the data key.
    pub(crate) fn kms(&mut self, at: i64, name: &str, role: &str, request: &str) {
        let key = self.key.clone();
        let mut event = event(at, REGION, "kms", name, role);
        event["requestID"] = json!(request);
        event["requestParameters"] = json!({"encryptionContext": {"cadastre:purpose": "segment"}});
        event["resources"] = json!([{"accountId": ACCOUNT, "type": "AWS::KMS::Key", "ARN": key}]);
        self.record(at, REGION, event);
    }

    /// Access to an object of the data bucket.
    pub(crate) fn object(&mut self, at: i64, name: &str, role: &str) {
        let mut event = event(at, REGION, "s3", name, role);
        event["eventCategory"] = json!("Data");
        event["requestParameters"] =
            json!({"bucketName": DATA.trim_start_matches("arn:aws:s3:::"), "key": "segment"});
        event["resources"] = json!([{"type": "AWS::S3::Object", "ARN": format!("{DATA}/segment")}, {"type": "AWS::S3::Bucket", "ARN": DATA}]);
        self.record(at, REGION, event);
    }

    /// Ids are the account's own, and unique.
    fn record(&mut self, at: i64, region: &'static str, mut event: Value) {
        event["eventID"] = json!(format!("{region}-{}", self.events.len()));
        self.events.push(Recorded { at, region, event });
    }

    /// Any other call.
    pub(crate) fn call(
        &mut self,
        at: i64,
        region: &'static str,
        service: &str,
        name: &str,
        role: &str,
        resources: &[&str],
    ) {
        let mut event = event(at, region, service, name, role);
        event["resources"] = resources.iter().map(|arn| json!({"ARN": arn})).collect();
        self.record(at, region, event);
    }
}

fn event(at: i64, region: &str, service: &str, name: &str, role: &str) -> Value {
    let account = role.split(':').nth(4).unwrap_or_default();
    json!({
        "eventVersion": "1.11", "eventTime": time(at), "eventSource": format!("{service}.amazonaws.com"), "eventName": name, "awsRegion": region,
        "sourceIPAddress": "10.20.1.10", "requestID": format!("{at}"), "recipientAccountId": ACCOUNT,
        "userIdentity": {"type": "AssumedRole", "accountId": account,
            "arn": format!("{}/session", role.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/")),
            "sessionContext": {"sessionIssuer": {"type": "Role", "arn": role}}},
    })
}

/// The key that goes by the data key's alias.
fn data_key(evidence: &Evidence) -> String {
    let aliases = evidence.records().iter().filter(|record| record.operation == "kms:ListAliases");
    let listed = aliases.filter_map(|record| record.response.get("Aliases")?.as_array());
    let found = listed.flatten().find(|alias| alias["AliasName"] == "alias/payments-kafka-data");
    let id = found.and_then(|alias| alias["TargetKeyId"].as_str()).expect("the data key's alias");
    format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/{id}")
}
