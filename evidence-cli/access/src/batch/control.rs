//! Which services resource control policies bind.

/// Prefixes of actions ("List of AWS services that support RCPs", Resource control policies, AWS Organizations User
/// Guide, as of September 2026). Sorted.
const RESOURCE_CONTROLLED: [&str; 62] = [
    "aoss",
    "appconfig",
    "appstream",
    "autoscaling",
    "autoscaling-plans",
    "budgets",
    "clouddirectory",
    "cloudfront",
    "cloudsearch",
    "cloudtrail-data",
    "codeartifact",
    "codebuild",
    "codecommit",
    "codepipeline",
    "cognito-identity",
    "cognito-idp",
    "comprehend",
    "comprehendmedical",
    "compute-optimizer",
    "cost-optimization-hub",
    "dax",
    "dsql",
    "dynamodb",
    "ecr",
    "ecr-public",
    "events",
    "firehose",
    "fis",
    "fms",
    "gamelift",
    "health",
    "inspector-scan",
    "kendra",
    "kinesisvideo",
    "kms",
    "logs",
    "memorydb",
    "networkmonitor",
    "notifications",
    "opensearch",
    "pca-connector-ad",
    "personalize",
    "polly",
    "pricing",
    "resource-groups",
    "rolesanywhere",
    "s3",
    "secretsmanager",
    "servicediscovery",
    "signin",
    "sqs",
    "sts",
    "support",
    "swf",
    "textract",
    "timestream-influxdb",
    "transcribe",
    "transfer",
    "translate",
    "wafv2",
    "workspaces",
    "xray",
];

/// Whether resource control policies bind the resources of a service.
pub(crate) fn supports_resource_control(service: &str) -> bool {
    RESOURCE_CONTROLLED.binary_search(&service).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_and_finds_its_members() {
        assert!(RESOURCE_CONTROLLED.is_sorted());
        for service in RESOURCE_CONTROLLED {
            assert!(supports_resource_control(service), "{service}");
        }
        for service in ["ec2", "iam", "lambda", "sns", "kafka", "kafka-cluster", "glue", "s3express"] {
            assert!(!supports_resource_control(service), "{service}");
        }
    }
}
