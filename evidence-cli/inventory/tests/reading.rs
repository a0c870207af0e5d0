//! What records of an account and a cluster amount to.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

mod common;

use cadastre_inventory::build;
use cadastre_model::coverage::Coverage;
use cadastre_model::inventory::Inventory;
use cadastre_model::{Known, Observation, Outcome, Record};
use common::{
    ACCOUNT, BROKER_ROLE, BUCKET, KEY, LISTED, declaration, everything, global, regional, seal, unanswered,
};
use serde_json::{Value, json};

fn read(observations: Vec<Observation>) -> (Inventory, Coverage) {
    build(&seal(observations), &declaration())
}

/// Everything, with what `change` makes of each observation.
fn changed(change: impl Fn(Observation) -> Option<Observation>) -> (Inventory, Coverage) {
    read(everything().into_iter().filter_map(change).collect())
}

fn without(operation: &str) -> (Inventory, Coverage) {
    changed(|observation| (observation.operation != operation).then_some(observation))
}

fn denied(operation: &str) -> (Inventory, Coverage) {
    changed(|observation| {
        Some(if observation.operation == operation {
            unanswered(observation, Outcome::Denied, "AccessDenied")
        } else {
            observation
        })
    })
}

fn answering(operation: &str, response: &Value) -> (Inventory, Coverage) {
    changed(|mut observation| {
        if observation.operation == operation {
            observation.response = response.clone();
        }
        Some(observation)
    })
}

/// Looks a value up in the inventory's own JSON.
#[track_caller]
fn check(inventory: &Inventory, pointer: &str, expected: Value) {
    let whole = serde_json::to_value(inventory).unwrap();
    let found = whole.pointer(pointer);
    assert_eq!(found, Some(&expected), "{pointer}");
}

fn known(value: Value) -> Value {
    json!({"state": "observed", "value": value})
}

#[test]
fn everything_that_is_documented_can_be_read() {
    let (inventory, coverage) = read(everything());
    assert_eq!(inventory.unreadable, []);
    for (operation, questions) in &coverage.questions {
        for question in questions {
            let answered = matches!(question.outcome, Outcome::Observed | Outcome::Absent);
            assert!(answered, "{operation} {question:?}");
        }
    }
    let whole = serde_json::to_value(&inventory).unwrap();
    for (list, assets) in whole.as_object().unwrap() {
        let expected = usize::from(list != "unreadable");
        assert!(assets.as_array().unwrap().len() >= expected, "{list}");
        for asset in assets.as_array().unwrap() {
            assert_ne!(asset["evidence"], json!([]), "{list}: {asset}");
        }
    }
}

#[test]
fn a_property_is_observed_absent_or_unknown_and_never_guessed() {
    let policy = |inventory: &Inventory| inventory.buckets.first().unwrap().policy.clone();
    assert!(policy(&read(everything()).0).observed().is_some());
    let missing = |inventory: &Inventory| policy(inventory).missing().map(str::to_owned);
    assert_eq!(
        missing(&without("s3:GetBucketPolicy").0).as_deref(),
        Some("s3:GetBucketPolicy was not asked")
    );
    assert_eq!(
        missing(&denied("s3:GetBucketPolicy").0).as_deref(),
        Some("s3:GetBucketPolicy was denied: AccessDenied")
    );
    let (inventory, _) = changed(|observation| {
        Some(match observation.operation.as_str() {
            "s3:GetBucketPolicy" => unanswered(observation, Outcome::Absent, "NoSuchBucketPolicy"),
            _ => observation,
        })
    });
    assert_eq!(policy(&inventory), Known::Absent);
    let (inventory, coverage) = answering("s3:GetBucketPolicy", &json!({"Policy": 7}));
    assert_eq!(
        missing(&inventory).as_deref(),
        Some("s3:GetBucketPolicy could not be read: expected a policy document at `/response/Policy`")
    );
    assert_eq!(inventory.unreadable.len(), 1);
    assert_eq!(coverage.of("s3:GetBucketPolicy")[0].outcome, Outcome::Failed);
    let (inventory, _) = answering("s3:GetBucketPolicy", &json!({"Policy": "{ not json"}));
    assert_eq!(policy(&inventory).observed().unwrap().document, json!("{ not json"));
}

/// What names an asset within its list.
fn name_of(asset: &Value) -> &Value {
    ["id", "id_suffix", "arn", "port", "name", "fingerprint", "resource"]
        .iter()
        .find_map(|member| asset.get(member))
        .unwrap_or(asset)
}

/// Fails when `part` claims anything that `whole` does not. Lists that are no property of their own may be
/// shorter; evidence is fewer by design.
#[track_caller]
fn claims_no_more(part: &Value, whole: &Value, settled: bool, context: &str) {
    match (part, whole) {
        (Value::Object(part), _) if part.get("state") == Some(&json!("unknown")) => {}
        (Value::Object(part), Value::Object(whole)) => {
            for (member, value) in part.iter().filter(|(member, _)| *member != "evidence") {
                let settled = member == "value" && part.contains_key("state");
                claims_no_more(value, &whole[member], settled, context);
            }
        }
        (Value::Array(part), Value::Array(whole)) => {
            assert!(!settled || part.len() == whole.len(), "{context}: {part:?}");
            for item in part {
                let same = whole.iter().find(|other| name_of(other) == name_of(item));
                claims_no_more(item, same.unwrap_or_else(|| panic!("{context}: {item}")), false, context);
            }
        }
        (Value::Null, _) => {}
        (part, whole) => assert_eq!(part, whole, "{context}"),
    }
}

#[test]
fn nothing_that_was_not_asked_is_ever_claimed() {
    let (whole, _) = read(everything());
    let whole = serde_json::to_value(&whole).unwrap();
    for operation in everything().into_iter().map(|observation| observation.operation) {
        for (inventory, coverage) in [without(&operation), denied(&operation)] {
            let part = serde_json::to_value(&inventory).unwrap();
            assert!(part != whole, "{operation} settles nothing");
            claims_no_more(&part, &whole, false, &operation);
            assert!(coverage.of(&operation).iter().all(|question| question.outcome == Outcome::Denied));
        }
    }
}

#[test]
fn the_order_of_records_does_not_matter() {
    let records = seal(everything());
    let bytes = |records: &[Record]| serde_json::to_string(&build(records, &declaration())).unwrap();
    let expected = bytes(&records);
    let mut shuffled = records;
    for step in [7, 31, 61] {
        shuffled.reverse();
        let length = shuffled.len();
        shuffled.rotate_left(step % length);
        assert_eq!(bytes(&shuffled), expected);
    }
    shuffled.extend(shuffled.clone());
    assert_eq!(bytes(&shuffled), expected, "a record that is there twice counts once");
}

#[test]
fn policies_point_at_the_document_inside_their_record() {
    let records = seal(everything());
    let (inventory, _) = build(&records, &declaration());
    let mut documents = Vec::new();
    for principal in &inventory.principals {
        documents.extend(principal.policies.observed().into_iter().flatten());
        documents.extend(principal.boundary.observed());
        documents.extend(principal.trust.observed());
    }
    documents.extend(inventory.keys.iter().filter_map(|key| key.policy.observed()));
    documents.extend(inventory.buckets.iter().filter_map(|bucket| bucket.policy.observed()));
    documents.extend(inventory.endpoints.iter().filter_map(|endpoint| endpoint.policy.observed()));
    for account in &inventory.accounts {
        documents.extend(account.service_control.observed().into_iter().flatten().flatten());
    }
    assert_eq!(documents.len(), 12);
    for policy in documents {
        let record = records.iter().find(|record| *record.id() == policy.record).unwrap();
        let whole = serde_json::to_value(record).unwrap();
        assert_eq!(whole.pointer(&policy.pointer), Some(&*policy.document), "{}", policy.name);
    }
    for grant in inventory.keys.iter().filter_map(|key| key.grants.observed()).flatten() {
        let record = records.iter().find(|record| *record.id() == grant.at.record).unwrap();
        let whole = serde_json::to_value(record).unwrap();
        assert_eq!(whole.pointer(&grant.at.pointer).unwrap()["GrantId"], json!(grant.id));
    }
}

#[test]
fn principals_carry_every_policy_that_applies_to_them() {
    let (inventory, _) = read(everything());
    let names = |index: usize| {
        let policies = inventory.principals[index].policies.observed().unwrap();
        policies.iter().map(|policy| policy.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(1), ["own", "operators/inline"]);
    assert_eq!(names(0), ["arn:aws:iam::111122223333:policy/p"]);
    let role = &inventory.principals[0];
    assert_eq!(role.policies.observed().unwrap()[0].document["Statement"][0]["Sid"], json!("new"));
    assert_eq!(role.boundary.observed().unwrap().document, json!("not json"));
    assert_eq!(role.maximum_session_seconds, Some(3600));
    assert_eq!(role.instance_profiles, ["arn:aws:iam::111122223333:instance-profile/kafka-broker"]);
    check(&inventory, "/principals/0/last_used", known(json!("2026-11-01T00:00:00Z")));
    check(&inventory, "/principals/0/access_keys", json!({"state": "absent"}));
    check(&inventory, "/principals/1/console_password", known(json!(false)));
    check(&inventory, "/principals/1/access_keys/value/0/id_suffix", json!("WXYZ"));
    check(&inventory, "/principals/1/access_keys/value/0/last_used", json!({"state": "absent"}));
}

#[test]
fn a_missing_group_or_managed_document_leaves_the_policies_unknown() {
    let (inventory, coverage) = changed(|observation| {
        let second =
            observation.operation == "iam:GetAccountAuthorizationDetails" && observation.page.number == 2;
        (!second).then_some(observation)
    });
    let missing = |index: usize| inventory.principals[index].policies.missing().unwrap();
    assert_eq!(
        missing(0),
        "iam:GetAccountAuthorizationDetails lacks the document of policy `arn:aws:iam::111122223333:policy/p`"
    );
    assert_eq!(missing(1), "iam:GetAccountAuthorizationDetails lacks group `operators`");
    assert_eq!(coverage.of("iam:GetAccountAuthorizationDetails")[0].outcome, Outcome::Truncated);
}

#[test]
fn keys_are_found_by_whatever_name_others_give_them() {
    for name in ["1234abcd", "alias/data", KEY, "arn:aws:kms:eu-central-1:111122223333:alias/data"] {
        let rules = json!([{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": name}}]);
        let response = json!({"ServerSideEncryptionConfiguration": {"Rules": rules}});
        let (inventory, _) = answering("s3:GetBucketEncryption", &response);
        let expected = json!({"algorithm": "aws:kms", "key": name, "key_arn": KEY, "bucket_key": false});
        check(&inventory, "/buckets/0/encryption", known(expected));
    }
    let elsewhere = "arn:aws:kms:eu-central-1:444455556666:key/1234abcd";
    let rules = json!([{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": elsewhere}}]);
    let (inventory, _) =
        answering("s3:GetBucketEncryption", &json!({"ServerSideEncryptionConfiguration": {"Rules": rules}}));
    check(&inventory, "/buckets/0/encryption/value/key_arn", Value::Null);
}

#[test]
fn stores_say_how_they_are_kept_and_shared() {
    let (inventory, _) = read(everything());
    check(&inventory, "/buckets/0/versioning", json!({"state": "absent"}));
    check(&inventory, "/buckets/0/object_lock", known(json!({"mode": "COMPLIANCE", "days": 365})));
    check(&inventory, "/buckets/0/replication_destinations", known(json!(["arn:aws:s3:::copy"])));
    check(
        &inventory,
        "/buckets/0/acl_grantees",
        known(json!(["http://acs.amazonaws.com/groups/global/AllUsers"])),
    );
    check(&inventory, "/buckets/0/public_access_blocked", known(json!(true)));
    check(&inventory, "/snapshots/0/shared_with", known(json!(["444455556666", "all"])));
    check(&inventory, "/images/0/shared_with", known(json!(["444455556666"])));
    check(&inventory, "/keys/0/replica_regions", json!(["eu-west-1"]));
    check(&inventory, "/keys/0/aliases", json!(["alias/data"]));
    check(&inventory, "/keys/0/grants/value/0/constrained", json!(true));
}

#[test]
fn a_key_that_will_be_deleted_has_a_date_or_the_date_is_unknown() {
    let mut metadata = json!({"KeyId": "1234abcd", "Arn": KEY, "KeyUsage": "ENCRYPT_DECRYPT", "KeyState": "PendingDeletion", "Origin": "AWS_KMS",
        "KeyManager": "CUSTOMER", "KeySpec": "SYMMETRIC_DEFAULT", "MultiRegion": false, "DeletionDate": "2026-12-01T00:00:00Z"});
    let (inventory, _) = answering("kms:DescribeKey", &json!({"KeyMetadata": metadata}));
    check(&inventory, "/keys/0/deletion_date", known(json!("2026-12-01T00:00:00Z")));
    metadata.as_object_mut().unwrap().remove("DeletionDate");
    let (inventory, _) = answering("kms:DescribeKey", &json!({"KeyMetadata": metadata}));
    assert!(inventory.keys[0].deletion_date.missing().is_some());
}

#[test]
fn what_a_service_leaves_out_is_unknown_without_spoiling_the_rest() {
    let (inventory, _) = answering("kms:DescribeKey", &json!({"KeyMetadata": {"KeyState": "Enabled"}}));
    check(&inventory, "/keys/0/state", known(json!("Enabled")));
    let missing = json!({"state": "unknown", "value": "kms:DescribeKey does not say `MultiRegion`"});
    check(&inventory, "/keys/0/multi_region", missing);
    let (inventory, _) = answering("s3:GetBucketPolicyStatus", &json!({"PolicyStatus": {}}));
    let missing = json!({"state": "unknown", "value": "s3:GetBucketPolicyStatus does not say `IsPublic`"});
    check(&inventory, "/buckets/0/policy_is_public", missing);
    assert_eq!(inventory.unreadable, []);
}

#[test]
fn instances_are_joined_to_role_addresses_and_interfaces() {
    let (inventory, _) = read(everything());
    check(&inventory, "/instances/0/role", known(json!(BROKER_ROLE)));
    check(&inventory, "/instances/0/public_addresses", json!(["203.0.113.10"]));
    check(&inventory, "/instances/0/interfaces", json!(["eni-1"]));
    check(
        &inventory,
        "/launch_templates/0/instance_profile/value",
        json!("arn:aws:iam::111122223333:instance-profile/kafka-broker"),
    );
    check(&inventory, "/launch_templates/0/image", known(json!("ami-1")));
    let (inventory, _) = changed(|observation| {
        let kept = !observation.operation.starts_with("iam:");
        kept.then_some(observation)
    });
    assert_eq!(
        inventory.instances[0].role.missing(),
        Some(
            "the role of instance profile `arn:aws:iam::111122223333:instance-profile/kafka-broker`: \
             iam:ListInstanceProfiles was not asked"
        )
    );
}

#[test]
fn networks_keep_what_is_in_force() {
    let (inventory, _) = read(everything());
    check(&inventory, "/vpcs/0/cidrs", json!(["10.20.0.0/16"]));
    check(&inventory, "/route_tables/0/main", json!(true));
    check(
        &inventory,
        "/route_tables/0/routes/1",
        json!({"destination": {"prefix-list": "pl-1"}, "target": "vpce-1", "state": "active"}),
    );
    check(&inventory, "/route_tables/0/routes/2/target", json!(""));
    check(&inventory, "/security_groups/0/ingress/2/peer", json!({"security-group": "sg-1"}));
    check(
        &inventory,
        "/security_groups/0/ingress/0/pointer",
        json!("/response/SecurityGroups/0/IpPermissions/0"),
    );
    check(&inventory, "/network_acls/0/entries/0/number", json!(100));
    let gateways: Vec<&str> = inventory.gateways.iter().map(|gateway| gateway.id.as_str()).collect();
    assert_eq!(gateways, ["eigw-1", "igw-1", "nat-1", "tgw-attach-1"]);
    check(
        &inventory,
        "/flow_logs/0/destination",
        json!("arn:aws:logs:eu-central-1:111122223333:log-group:/flows"),
    );
    check(&inventory, "/trails/0/selectors/value/object_access", json!(["arn:aws:s3:::records"]));
}

#[test]
fn control_policies_come_by_level_from_the_root_down() {
    let levels = |inventory: &Inventory| {
        let levels = inventory.accounts[0].service_control.observed().cloned().unwrap();
        levels
            .iter()
            .map(|level| level.iter().map(|policy| policy.name.clone()).collect::<Vec<_>>().join("+"))
            .collect::<Vec<_>>()
    };
    let (inventory, _) = read(everything());
    assert_eq!(levels(&inventory), ["p-full", "p-deny+p-full", "p-full"]);
    assert_eq!(
        inventory.accounts[0].resource_control,
        Known::Observed(Vec::new()),
        "switched off at the root"
    );
    check(&inventory, "/accounts/0/management", known(json!(true)));
    for operation in [
        "organizations:ListRoots",
        "organizations:ListPolicies",
        "organizations:ListTargetsForPolicy",
        "organizations:DescribePolicy",
        "organizations:ListAccountsForParent",
    ] {
        for (inventory, _) in [denied(operation), without(operation)] {
            assert!(inventory.accounts[0].service_control.missing().is_some(), "{operation}");
        }
    }
    let (inventory, _) = read(vec![unanswered(
        global("organizations:DescribeOrganization", ACCOUNT, Value::Null),
        Outcome::Absent,
        "AWSOrganizationsNotInUseException",
    )]);
    assert_eq!(inventory.accounts[0].service_control, Known::Absent);
    assert_eq!(inventory.accounts[0].management, Known::Absent);
}

#[test]
fn declared_accounts_and_clusters_are_there_even_without_a_record() {
    let (inventory, coverage) = read(Vec::new());
    assert_eq!(coverage, Coverage::default());
    check(&inventory, "/accounts/0/id", json!(ACCOUNT));
    check(&inventory, "/accounts/0/organization/state", json!("unknown"));
    check(&inventory, "/clusters/0/name", json!("payments"));
    check(
        &inventory,
        "/clusters/0/acls",
        json!({"state": "unknown", "value": "kafka:DescribeAcls was not asked"}),
    );
    check(&inventory, "/clusters/0/listeners", json!([]));
}

#[test]
fn buckets_and_keys_are_there_even_when_their_list_was_denied() {
    let (inventory, _) = denied("s3:ListBuckets");
    check(&inventory, "/buckets/0/arn", json!(BUCKET));
    let (inventory, _) = denied("kms:ListKeys");
    check(&inventory, "/keys/0/arn", json!(KEY));
}

#[test]
fn the_same_asset_seen_twice_is_one_asset_with_both_records() {
    let volumes = |key: Value| json!({"Volumes": [{"VolumeId": "vol-1", "Encrypted": true, "KmsKeyId": key, "Tags": []}]});
    let mut newer = regional("ec2:DescribeVolumes", "444455556666/eu-central-1", volumes(json!("newer")));
    newer.scope.account = Some("444455556666".into());
    newer.observed_at = "2027-06-01T00:00:00Z".parse().unwrap();
    let (inventory, _) = read(vec![regional("ec2:DescribeVolumes", LISTED, volumes(json!("older"))), newer]);
    assert_eq!(inventory.volumes.len(), 1);
    assert_eq!(inventory.volumes[0].key_arn.as_deref(), Some("newer"));
    assert_eq!(inventory.volumes[0].evidence.len(), 2);
}

#[test]
fn one_item_that_cannot_be_read_does_not_hide_the_others() {
    let volumes = json!({"Volumes": [{"VolumeId": "vol-1", "Encrypted": "yes", "Tags": []}, {"VolumeId": "vol-2", "Encrypted": true, "Tags": []}]});
    let (inventory, coverage) = read(vec![regional("ec2:DescribeVolumes", LISTED, volumes)]);
    assert_eq!(inventory.volumes.len(), 1);
    assert_eq!(inventory.unreadable[0].pointer, "/response/Volumes/0/Encrypted");
    assert_eq!(coverage.of("ec2:DescribeVolumes")[0].outcome, Outcome::Failed);
}

#[test]
fn a_cluster_is_read_with_its_listeners_and_their_probes() {
    let (inventory, _) = read(everything());
    check(&inventory, "/clusters/0/cluster_id", known(json!("c-1")));
    check(&inventory, "/clusters/0/topics/value/0/replicas", json!(2));
    check(&inventory, "/clusters/0/topics/value/0/configs/value/retention.ms/value", json!("1000"));
    check(&inventory, "/clusters/0/delegation_tokens", json!({"state": "absent"}));
    check(&inventory, "/clusters/0/features", known(json!({"metadata.version": 27})));
    check(&inventory, "/clusters/0/groups/value/0/members/0/client_id", json!("billing-1"));
    check(&inventory, "/clusters/0/acls/value/0/pointer", json!("/response/bindings/0"));
    check(&inventory, "/clusters/0/denials/0/refused", known(json!(true)));
    let listeners = &inventory.clusters[0].listeners;
    let named: Vec<(&str, u16)> =
        listeners.iter().map(|listener| (listener.name.as_str(), listener.port)).collect();
    assert_eq!(named, [("CONTROLLER", 9093), ("CLIENT", 9094)]);
    check(&inventory, "/clusters/0/listeners/0/protocol", known(json!("SSL")));
    check(&inventory, "/clusters/0/listeners/0/plaintext/state", json!("unknown"));
    check(&inventory, "/clusters/0/listeners/1/protocol", known(json!("SASL_SSL")));
    check(&inventory, "/clusters/0/listeners/1/tls_versions", known(json!(["TLSv1.2", "TLSv1.3"])));
    check(&inventory, "/clusters/0/listeners/1/anonymous_access", known(json!(false)));
    check(&inventory, "/clusters/0/listeners/1/plaintext", known(json!(false)));
    check(&inventory, "/clusters/0/listeners/1/certificates/value/0/trusted", known(json!(true)));
}

#[test]
fn a_listener_is_anonymous_when_one_transport_serves_and_unknown_when_one_was_not_tried() {
    let serving = |transport: &'static str, served: Option<bool>| {
        changed(move |mut observation| {
            if observation.operation == "probe:AnonymousConnection"
                && observation.request["transport"] == transport
            {
                observation.response = json!({"served": served?});
            }
            Some(observation)
        })
        .0
    };
    check(&serving("tls", Some(true)), "/clusters/0/listeners/1/anonymous_access", known(json!(true)));
    check(&serving("plaintext", Some(true)), "/clusters/0/listeners/1/anonymous_access", known(json!(true)));
    check(&serving("tls", None), "/clusters/0/listeners/1/anonymous_access/state", json!("unknown"));
}

#[test]
fn a_topic_whose_configuration_was_refused_does_not_hide_the_others() {
    let refused = common::of_cluster(
        "kafka:DescribeConfigs",
        "topic:payments",
        json!({"resource_type": "TOPIC"}),
        Value::Null,
    );
    let refused = unanswered(refused, Outcome::Denied, "TOPIC_AUTHORIZATION_FAILED");
    let mut observations = everything();
    observations.push(refused);
    let (inventory, _) = read(observations);
    check(
        &inventory,
        "/clusters/0/topics/value/0/configs/value",
        json!("kafka:DescribeConfigs was denied: TOPIC_AUTHORIZATION_FAILED"),
    );
}

#[test]
fn schemes_of_a_managed_cluster_are_on_off_or_unknown() {
    let (inventory, _) = read(everything());
    let at = |member: &str| format!("/msk_clusters/0/authentication/{member}");
    check(&inventory, &at("iam"), known(json!(true)));
    check(&inventory, &at("scram"), known(json!(true)));
    check(&inventory, &at("unauthenticated"), known(json!(false)));
    let authority = "arn:aws:acm-pca:eu-central-1:111122223333:certificate-authority/1";
    check(&inventory, &at("certificate_authorities"), known(json!([authority])));
    check(&inventory, "/msk_clusters/0/scram_secrets/state", json!("observed"));
    check(&inventory, "/secrets/0/key", json!(KEY));
    let listing = |cluster: Value| {
        let named =
            json!({"ClusterArn": "arn:aws:kafka:eu-central-1:111122223333:cluster/s/1", "ClusterName": "s"});
        let mut whole = named.as_object().unwrap().clone();
        whole.extend(cluster.as_object().unwrap().clone());
        answering("kafka:ListClustersV2", &json!({"ClusterInfoList": [whole]})).0
    };
    let serverless =
        listing(json!({"Serverless": {"ClientAuthentication": {"Sasl": {"Iam": {"Enabled": true}}}}}));
    check(&serverless, "/msk_clusters/0/serverless", json!(true));
    check(&serverless, &at("iam"), known(json!(true)));
    check(&serverless, &at("scram"), known(json!(false)));
    // A cluster with no scheme at all serves whoever connects.
    let bare = listing(json!({"Provisioned": {}}));
    check(&bare, &at("unauthenticated"), known(json!(true)));
    check(&bare, &at("iam"), known(json!(false)));
    let encrypting = listing(
        json!({"Provisioned": {"ClientAuthentication": {"Tls": {"CertificateAuthorityArnList": []}}}}),
    );
    check(&encrypting, &at("certificate_authorities/state"), json!("absent"));
    let unsaid = listing(json!({}));
    check(&unsaid, &at("iam/state"), json!("unknown"));
    check(&unsaid, &at("unauthenticated/state"), json!("unknown"));
    assert!(without("kafka:GetClusterPolicy").0.msk_clusters[0].policy.missing().is_some());
    assert!(denied("kafka:ListScramSecrets").0.msk_clusters[0].scram_secrets.missing().is_some());
}
