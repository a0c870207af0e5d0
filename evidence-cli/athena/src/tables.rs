//! External tables over the bucket, and views with our columns.

use crate::rewrite::AthenaError;

/// Where the logs lie in S3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// `s3://BUCKET/PREFIX/` of VPC flow logs.
    pub flows: String,
    /// `s3://BUCKET/PREFIX/` of CloudTrail's logs.
    pub trail: String,
    /// The fields of the flow logs in the order of their format, as AWS or our columns name them; version 2's default when
    /// empty.
    pub flow_format: Vec<String>,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            flows: "s3://amzn-s3-demo-bucket/AWSLogs/111122223333/vpcflowlogs/".to_owned(),
            trail: "s3://amzn-s3-demo-bucket/AWSLogs/111122223333/CloudTrail/".to_owned(),
            flow_format: Vec::new(),
        }
    }
}

/// Version 2's default format.
const DEFAULT_FORMAT: [&str; 14] = [
    "version",
    "account_id",
    "interface_id",
    "srcaddr",
    "dstaddr",
    "srcport",
    "dstport",
    "protocol",
    "packets",
    "bytes",
    "start",
    "end",
    "action",
    "log_status",
];

/// Every column of a flow record that AWS writes, and whether it is a number.
pub const FLOW_COLUMNS: [(&str, bool); 42] = [
    ("version", true),
    ("account_id", false),
    ("interface_id", false),
    ("srcaddr", false),
    ("dstaddr", false),
    ("srcport", true),
    ("dstport", true),
    ("protocol", true),
    ("packets", true),
    ("bytes", true),
    ("start", true),
    ("end", true),
    ("action", false),
    ("log_status", false),
    ("vpc_id", false),
    ("subnet_id", false),
    ("instance_id", false),
    ("tcp_flags", true),
    ("type", false),
    ("pkt_srcaddr", false),
    ("pkt_dstaddr", false),
    ("region", false),
    ("az_id", false),
    ("sublocation_type", false),
    ("sublocation_id", false),
    ("pkt_src_aws_service", false),
    ("pkt_dst_aws_service", false),
    ("flow_direction", false),
    ("traffic_path", true),
    ("ecs_cluster_arn", false),
    ("ecs_cluster_name", false),
    ("ecs_container_instance_arn", false),
    ("ecs_container_instance_id", false),
    ("ecs_container_id", false),
    ("ecs_second_container_id", false),
    ("ecs_service_name", false),
    ("ecs_task_definition_arn", false),
    ("ecs_task_arn", false),
    ("ecs_task_id", false),
    ("reject_reason", false),
    ("resource_id", false),
    ("encryption_status", false),
];

/// Every column of an event, and what it is in Athena's table of CloudTrail logs.
pub const EVENT_COLUMNS: [(&str, &str); 29] = [
    ("eventid", "eventid"),
    ("eventtime", "eventtime"),
    ("eventsource", "eventsource"),
    ("eventname", "eventname"),
    ("action", "concat(split_part(eventsource, '.', 1), ':', eventname)"),
    ("awsregion", "awsregion"),
    ("recipientaccountid", "recipientaccountid"),
    (
        "principal",
        "coalesce(nullif(useridentity.sessioncontext.sessionissuer.arn, ''), nullif(useridentity.arn, ''), nullif(useridentity.invokedby, ''), nullif(useridentity.accountid, ''), 'unknown')",
    ),
    ("useridentity_type", "useridentity.type"),
    ("useridentity_arn", "useridentity.arn"),
    ("useridentity_accountid", "useridentity.accountid"),
    ("useridentity_issuer", "useridentity.sessioncontext.sessionissuer.arn"),
    ("useridentity_invokedby", "useridentity.invokedby"),
    ("sourceipaddress", "sourceipaddress"),
    ("useragent", "useragent"),
    ("errorcode", "errorcode"),
    ("errormessage", "errormessage"),
    ("readonly", "CASE lower(readonly) WHEN 'true' THEN true WHEN 'false' THEN false END"),
    ("eventtype", "eventtype"),
    ("eventversion", "eventversion"),
    ("requestid", "requestid"),
    ("vpcendpointid", "vpcendpointid"),
    (
        "kms_key",
        "CASE WHEN eventsource = 'kms.amazonaws.com' THEN coalesce(element_at(array_sort(filter(transform(resources, r -> r.arn), a -> strpos(a, ':key/') > 0)), 1), json_extract_scalar(requestparameters, '$.keyId')) END",
    ),
    ("encryptioncontext", "json_format(json_extract(requestparameters, '$.encryptionContext'))"),
    (
        "resources",
        "json_format(CAST(array_sort(array_distinct(transform(coalesce(resources, ARRAY[]), r -> r.arn))) AS JSON))",
    ),
    ("requestparameters", "requestparameters"),
    ("responseelements", "responseelements"),
    ("additionaleventdata", "additionaleventdata"),
    ("file", "\"$path\""),
];

/// As Athena's guide has it; `resources` and `useridentity` are nested.
const TRAIL: &str = "CREATE EXTERNAL TABLE IF NOT EXISTS cadastre_cloudtrail (
  eventversion STRING,
  useridentity STRUCT<type: STRING, principalid: STRING, arn: STRING, accountid: STRING, invokedby: STRING, accesskeyid: STRING, username: STRING, sessioncontext: STRUCT<attributes: STRUCT<mfaauthenticated: STRING, creationdate: STRING>, sessionissuer: STRUCT<type: STRING, principalid: STRING, arn: STRING, accountid: STRING, username: STRING>>>,
  eventtime STRING,
  eventsource STRING,
  eventname STRING,
  awsregion STRING,
  sourceipaddress STRING,
  useragent STRING,
  errorcode STRING,
  errormessage STRING,
  requestparameters STRING,
  responseelements STRING,
  additionaleventdata STRING,
  requestid STRING,
  eventid STRING,
  resources ARRAY<STRUCT<arn: STRING, accountid: STRING, type: STRING>>,
  eventtype STRING,
  apiversion STRING,
  readonly STRING,
  recipientaccountid STRING,
  serviceeventdetails STRING,
  sharedeventid STRING,
  vpcendpointid STRING
)
ROW FORMAT SERDE 'org.apache.hive.hcatalog.data.JsonSerDe'
STORED AS INPUTFORMAT 'com.amazon.emr.cloudtrail.CloudTrailInputFormat'
OUTPUTFORMAT 'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat'
LOCATION ";

/// A table that lies in S3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Table {
    Flows,
    Events,
}

impl Table {
    /// Makes the external table and the view.
    pub(crate) fn statements(self, places: &Places) -> Result<[String; 2], AthenaError> {
        match self {
            Self::Flows => flows(places),
            Self::Events => {
                let columns: Vec<String> =
                    EVENT_COLUMNS.iter().map(|(name, value)| format!("  {value} AS {name}")).collect();
                Ok([
                    format!("{TRAIL}{}", location(&places.trail)?),
                    format!(
                        "CREATE OR REPLACE VIEW events AS\nSELECT\n{}\nFROM cadastre_cloudtrail",
                        columns.join(",\n")
                    ),
                ])
            }
        }
    }
}

fn flows(places: &Places) -> Result<[String; 2], AthenaError> {
    let format: Vec<String> = if places.flow_format.is_empty() {
        DEFAULT_FORMAT.iter().map(|name| (*name).to_owned()).collect()
    } else {
        places.flow_format.iter().map(|name| name.trim().replace('-', "_")).collect()
    };
    let mut fields = Vec::new();
    for name in &format {
        let Some((_, number)) = FLOW_COLUMNS.iter().find(|(known, _)| known == name) else {
            return Err(AthenaError::Field(name.clone()));
        };
        fields.push(format!("  `{name}` {}", if *number { "BIGINT" } else { "STRING" }));
    }
    let columns: Vec<String> = FLOW_COLUMNS
        .iter()
        .map(|(name, number)| match (format.iter().any(|known| known == name), number) {
            (true, true) => format!("  \"{name}\""),
            // Athena leaves the hyphen that stands for nothing in text.
            (true, false) => format!("  nullif(\"{name}\", '-') AS \"{name}\""),
            (false, true) => format!("  CAST(NULL AS BIGINT) AS \"{name}\""),
            (false, false) => format!("  CAST(NULL AS VARCHAR) AS \"{name}\""),
        })
        .collect();
    let counted = if format.iter().any(|name| name == "log_status") {
        "CASE WHEN log_status = 'OK' THEN 1 ELSE 0 END"
    } else {
        "CASE WHEN srcaddr <> '-' OR dstaddr <> '-' THEN 1 ELSE 0 END"
    };
    Ok([
        format!(
            "CREATE EXTERNAL TABLE IF NOT EXISTS cadastre_vpc_flow_logs (\n{}\n)\nROW FORMAT DELIMITED FIELDS TERMINATED BY ' '\nLOCATION {}\nTBLPROPERTIES ('skip.header.line.count' = '1')",
            fields.join(",\n"),
            location(&places.flows)?
        ),
        format!(
            "CREATE OR REPLACE VIEW flows AS\nSELECT\n{},\n  \"$path\" AS file,\n  {counted} AS flows\nFROM cadastre_vpc_flow_logs",
            columns.join(",\n")
        ),
    ])
}

/// A literal of a place in S3, which ends in a slash.
fn location(place: &str) -> Result<String, AthenaError> {
    let plain = place.starts_with("s3://")
        && place.len() > "s3://".len()
        && !place.chars().any(|c| c.is_control() || c.is_whitespace() || matches!(c, '\'' | '\\' | '"'));
    if !plain {
        return Err(AthenaError::Place(place.to_owned()));
    }
    Ok(format!("'{}/'", place.trim_end_matches('/')))
}
