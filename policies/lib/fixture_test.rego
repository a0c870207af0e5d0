# Small hand-made inputs for the tests of controls: an empty boundary and the assets of a good one.
package cadastre.lib.fixture

import rego.v1

account := "111122223333"

vendor_account := "999988887777"

region := "eu-central-1"

broker_role := "arn:aws:iam::111122223333:role/kafka-broker"

vendor_role := "arn:aws:iam::111122223333:role/vendor-support"

bucket_arn := "arn:aws:s3:::records"

log_bucket_arn := "arn:aws:s3:::logs"

key_arn := "arn:aws:kms:eu-central-1:111122223333:key/data"

# Nothing observed, one account declared.
empty := {
	"schema": "cadastre/policy-input/v1",
	"as_of": "2026-11-21T12:00:00Z",
	"as_of_seconds": 1795262400,
	"declaration": {
		"schema": "cadastre/boundary/v1",
		"name": "payments",
		"operating-model": "self-managed",
		"architecture": "shared-storage",
		"accounts": [{"id": account, "provider": "aws", "purpose": "data-plane"}],
		"regions": [region],
		"networks": [],
		"vendors": [],
		"identities": [{"principal": broker_role, "job": "broker"}],
		"stores": [],
		"keys": [],
		"clusters": [],
		"log-sinks": [],
		"flows": [],
		"images": [],
		"evidence": {"maximum-age": 86400, "callers": []},
		"limits": {"access-key-age": 7776000},
		"not-applicable": [],
	},
	"inventory": {
		"accounts": [],
		"principals": [],
		"keys": [],
		"buckets": [],
		"volumes": [],
		"snapshots": [],
		"instances": [],
		"images": [],
		"launch_templates": [],
		"vpcs": [],
		"subnets": [],
		"route_tables": [],
		"prefix_lists": [],
		"security_groups": [],
		"network_acls": [],
		"gateways": [],
		"interfaces": [],
		"endpoints": [],
		"endpoint_services": [],
		"peerings": [],
		"flow_logs": [],
		"trails": [],
		"log_groups": [],
		"event_rules": [],
		"clusters": [],
		"trail_checks": [],
		"key_reconciliations": [],
		"unreadable": [],
	},
	"access": {"edges": [], "trusts": [], "statements": [], "unknown": [], "destruction": [], "guards": []},
	"reachability": {"flows": [], "unknown": []},
	"graph": {"nodes": [], "paths": [], "principals": []},
	"usage": {"since": "2026-08-23T12:00:00Z", "until": "2026-11-21T12:00:00Z", "observed": false, "rows": [], "vendors": [], "doubts": [], "unseen_keys": []},
	"coverage": {},
	"gaps": [],
	"required": [],
	"evidence": {"complete": true, "callers": [], "outcomes": {}},
}

# The empty input with other values in the given places; lists are replaced, objects joined.
with_parts(parts) := object.union(empty, parts)

# A thing with other values for some of its members, which replace what was there as a whole.
changed(thing, changes) := object.union(object.remove(thing, object.keys(changes)), changes)

observed(value) := {"state": "observed", "value": value}

absent := {"state": "absent"}

unknown := {"state": "unknown", "value": "the call was denied"}

policy(name, document) := observed({
	"name": name,
	"kind": "resource",
	"record": "policy-record",
	"pointer": "/response/Policy",
	"document": document,
})

host := {
	"id": "i-1",
	"account": account,
	"region": region,
	"state": "running",
	"image": "ami-1",
	"instance_profile": "arn:aws:iam::111122223333:instance-profile/kafka-broker",
	"role": observed(broker_role),
	"subnet": "subnet-1",
	"vpc": "vpc-1",
	"zone": "eu-central-1a",
	"private_addresses": ["10.20.1.10"],
	"public_addresses": [],
	"security_groups": ["sg-broker"],
	"interfaces": ["eni-1"],
	"volumes": ["vol-1"],
	"evidence": ["instances"],
}

volume := {
	"id": "vol-1",
	"account": account,
	"region": region,
	"encrypted": true,
	"key_arn": key_arn,
	"instances": ["i-1"],
	"evidence": ["volumes"],
}

snapshot := {
	"id": "snap-1",
	"account": account,
	"region": region,
	"encrypted": true,
	"key_arn": key_arn,
	"volume": "vol-1",
	"shared_with": observed([]),
	"evidence": ["snapshots"],
}

bucket := {
	"arn": bucket_arn,
	"name": "records",
	"account": account,
	"region": observed(region),
	"encryption": observed({"algorithm": "aws:kms", "key": key_arn, "key_arn": key_arn, "bucket_key": true}),
	"policy": absent,
	"policy_is_public": absent,
	"public_access_blocked": observed(true),
	"versioning": observed("Enabled"),
	"lifecycle": absent,
	"object_lock": absent,
	"replication_destinations": absent,
	"acl_grantees": observed([]),
	"evidence": ["bucket"],
}

log_bucket := object.union(bucket, {
	"arn": log_bucket_arn,
	"name": "logs",
	"object_lock": observed({"mode": "COMPLIANCE", "days": 400}),
	"evidence": ["log-bucket"],
})

key := {
	"arn": key_arn,
	"account": account,
	"region": region,
	"aliases": ["alias/data"],
	"manager": observed("CUSTOMER"),
	"state": observed("Enabled"),
	"origin": observed("AWS_KMS"),
	"usage": observed("ENCRYPT_DECRYPT"),
	"spec": observed("SYMMETRIC_DEFAULT"),
	"multi_region": observed(false),
	"replica_regions": [],
	"deletion_date": absent,
	"rotation": observed({"enabled": true, "period_days": 365}),
	"policy": policy("key-policy", {"Version": "2012-10-17", "Statement": []}),
	"grants": observed([]),
	"evidence": ["key"],
}

trail := {
	"arn": "arn:aws:cloudtrail:eu-central-1:111122223333:trail/audit",
	"name": "audit",
	"account": account,
	"home_region": region,
	"multi_region": true,
	"global_service_events": true,
	"log_file_validation": true,
	"bucket": "logs",
	"key": key_arn,
	"logging": observed(true),
	"delivery_error": absent,
	"selectors": observed({
		"management_read_write": true,
		"key_use": true,
		"object_access": [bucket_arn, log_bucket_arn],
		"raw": {},
	}),
	"evidence": ["trail"],
}

declared_key := {
	"id": "alias/data",
	"administrators": ["arn:aws:iam::111122223333:role/key-administrator"],
	"decrypt": [broker_role],
	"rotation": 31536000,
	"origin": "AWS_KMS",
	"deletion-window": 2592000,
}

declared_store := {"arn": bucket_arn, "holds": "records", "key": "alias/data"}

declared_sink := {
	"arn": log_bucket_arn,
	"receives": ["cloud-api", "key-use", "object-access", "network-flow"],
	"retention": 34560000,
	"administrators": ["arn:aws:iam::111122223333:role/log-archive"],
}

vendor := {
	"name": "streamco",
	"accounts": [vendor_account],
	"roles": [{"arn": vendor_role, "function": "support sees metrics", "actions": ["cloudwatch:GetMetricData"]}],
	"kafka-principals": ["User:streamco"],
	"networks": [],
}

# An edge that a policy gives outright.
edge(principal, capability, target, action) := {
	"principal": principal,
	"capability": capability,
	"target": target,
	"decision": "allow",
	"action": action,
	"statements": [{"policy": "p", "record": "statement-record", "pointer": "/response/0"}],
}

edge_when(principal, capability, target, action, decision, detail) := object.union(
	edge(principal, capability, target, action),
	{"decision": decision, "detail": detail},
)

# What the graph knows of a principal.
view(id, side) := {
	"id": id,
	"side": side,
	"account": null,
	"vendor": null,
	"jobs": [],
	"assumable_by": [],
	"evidence": ["identities"],
}

# An answered question.
answer(operation, record) := {operation: [{
	"operation": operation,
	"scope": {"account": account, "region": region},
	"subject": "111122223333/eu-central-1",
	"outcome": "observed",
	"oldest": "2026-11-21T11:00:00Z",
	"problem": null,
	"records": [record],
}]}

account_answer(operation, record) := {operation: [{
	"operation": operation,
	"scope": {"account": account},
	"subject": account,
	"outcome": "observed",
	"oldest": "2026-11-21T11:00:00Z",
	"problem": null,
	"records": [record],
}]}

gap(operation) := {
	"operation": operation,
	"level": "list",
	"account": account,
	"region": region,
	"cluster": null,
	"subject": "111122223333/eu-central-1",
	"problem": "was denied",
	"evidence": ["denied"],
}

# Logs ----------------------------------------------------------------------------------------------------

trail_check := {
	"id": "111122223333/eu-central-1", "account": account, "region": region, "trails": ["audit"], "valid": true, "wrong": false,
	"from": "2026-08-01T00:00:00Z", "to": "2026-11-21T11:00:00Z", "events": 9, "refused": 0, "problems": [], "evidence": ["check"],
}

# A capability that is granted, used or both.
usage_row(principal, capability, target, state) := {
	"principal": principal, "capability": capability, "target": target, "state": state, "granted": ["kms:Decrypt"], "used": {},
	"last": null, "evidence": ["identities"],
}

vendor_act(action, served) := {
	"vendor": "streamco", "principal": vendor_role, "action": action, "targets": [bucket_arn], "function": served, "error": null,
	"count": 2, "first": "2026-11-01T00:00:00Z", "last": "2026-11-02T00:00:00Z", "evidence": ["activity"],
}

reconciliation := {
	"id": "key-ledgers", "keys": [key_arn], "matched": 7, "unexplained": [], "attempts": [], "unseen": [], "broken": [], "incomplete": [],
	"ledger_from": "2026-08-01T00:00:00Z", "ledger_to": "2026-11-21T11:00:00Z", "evidence": ["reconciled"],
}

lone_use(principal, via) := {
	"time": "2026-11-02T00:00:00Z", "operation": "Decrypt", "key": key_arn, "principal": principal, "via": via, "reference": "event",
	"reason": "no entry has the request",
}

doubt(subject) := {"subject": subject, "why": "the trail is not proven whole", "evidence": ["check"]}

# Kafka ---------------------------------------------------------------------------------------------------

declared_cluster := {
	"name": "payments",
	"kind": "apache-kafka",
	"bootstrap": ["10.20.1.10:9093"],
	"security": {"protocol": "SASL_SSL", "mechanism": "SCRAM-SHA-512", "username": "scanner"},
	"account": account,
	"listeners": [
		{"name": "CLIENT", "protocol": "SASL_SSL", "purpose": "clients", "port": 9093},
		{"name": "INTERNAL", "protocol": "SSL", "purpose": "inter-broker", "port": 9094},
	],
	"super-users": ["User:admin"],
	"administrators": ["User:operator"],
	"workloads": [{"principal": "User:billing", "reads": ["payments"], "writes": ["invoices-*"]}],
	"tls": {"versions": ["TLSv1.2", "TLSv1.3"], "issuers": [], "expiry-notice": 2592000},
	"min-insync-replicas": 2,
	"scram-iterations": 4096,
	"delegation-token-lifetime": 604800,
	"topics": [{"pattern": "*", "class": "standard", "retention": 604800, "compacted": false}],
}

entry(value) := {"value": value, "source": "STATIC_BROKER_CONFIG", "sensitive": false}

broker := {
	"id": 1,
	"host": "10.20.1.10",
	"port": 9093,
	"rack": "eu-central-1a",
	"configs": observed({
		"authorizer.class.name": entry("org.apache.kafka.metadata.authorizer.StandardAuthorizer"),
		"allow.everyone.if.no.acl.found": entry("false"),
		"super.users": entry("User:admin"),
		"auto.create.topics.enable": entry("false"),
		"unclean.leader.election.enable": entry("false"),
		"min.insync.replicas": entry("2"),
		"inter.broker.listener.name": entry("INTERNAL"),
		"delegation.token.max.lifetime.ms": entry("604800000"),
	}),
	"evidence": ["broker"],
}

certificate := {
	"subject": "CN=b1",
	"issuer": "CN=Example CA",
	"names": ["DNS:b1"],
	"not_before": "2026-01-01T00:00:00Z",
	"not_after": "2027-06-01T00:00:00Z",
	"fingerprint": "00",
	"self_signed": false,
	"trusted": observed(true),
}

listener := {
	"name": "CLIENT",
	"broker": 1,
	"host": "10.20.1.10",
	"port": 9093,
	"protocol": observed("SASL_SSL"),
	"anonymous_access": observed(false),
	"plaintext": observed(false),
	"tls_versions": observed(["TLSv1.2", "TLSv1.3"]),
	"cipher_suites": ["TLS_AES_256_GCM_SHA384", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"],
	"certificates": observed([certificate]),
	"evidence": ["listener"],
}

inner_listener := object.union(listener, {
	"name": "INTERNAL",
	"port": 9094,
	"protocol": observed("SSL"),
	"evidence": ["inner-listener"],
})

binding(principal, operation, resource_type, resource_name) := {
	"resource_type": resource_type,
	"resource_name": resource_name,
	"pattern_type": "LITERAL",
	"principal": principal,
	"host": "*",
	"operation": operation,
	"permission": "ALLOW",
	"record": "acls",
	"pointer": "/response/bindings/0",
}

scanner_bindings := [
	binding("User:scanner", "DESCRIBE", "TOPIC", "*"),
	binding("User:scanner", "DESCRIBE_CONFIGS", "TOPIC", "*"),
	binding("User:scanner", "DESCRIBE", "CLUSTER", "kafka-cluster"),
]

topic := {
	"name": "payments",
	"id": "id",
	"internal": false,
	"partitions": 3,
	"replicas": 3,
	"configs": observed({
		"retention.ms": entry("604800000"),
		"cleanup.policy": entry("delete"),
		"min.insync.replicas": entry("2"),
		"unclean.leader.election.enable": entry("false"),
	}),
	"evidence": ["topic"],
}

internal_topic := object.union(topic, {"name": "__consumer_offsets", "internal": true, "evidence": ["offsets-topic"]})

denial := {
	"principal": "ANONYMOUS",
	"operation": "CreateTopics",
	"resource": "topic:probe",
	"refused": observed(true),
	"evidence": ["denial"],
}

cluster := {
	"name": "payments",
	"cluster_id": observed("c"),
	"brokers": observed([broker]),
	"quorum": absent,
	"listeners": [listener, inner_listener],
	"topics": observed([topic, internal_topic]),
	"acls": observed(scanner_bindings),
	"scram_credentials": observed([{"user": "billing", "mechanism": "SCRAM-SHA-512", "iterations": 8192}]),
	"quotas": observed([{
		"entity": {"user": null},
		"limits": {"producer_byte_rate": 1048576, "consumer_byte_rate": 1048576},
	}]),
	"groups": observed([]),
	"delegation_tokens": absent,
	"features": absent,
	"log_directories": observed([]),
	"denials": [denial],
	"evidence": ["cluster"],
}

# One cluster, declared and observed, with changes to the observation.
kafka(changes) := with_parts({
	"declaration": {"clusters": [declared_cluster]},
	"inventory": {"clusters": [changed(cluster, changes)]},
	"coverage": {
		"kafka:DescribeAcls": [cluster_question("kafka:DescribeAcls", "acls")],
		"kafka:DescribeClientQuotas": [cluster_question("kafka:DescribeClientQuotas", "quotas")],
		"kafka:DescribeUserScramCredentials": [cluster_question("kafka:DescribeUserScramCredentials", "scram")],
		"kafka:DescribeDelegationToken": [cluster_question("kafka:DescribeDelegationToken", "tokens")],
	},
})

cluster_question(operation, record) := {
	"operation": operation,
	"scope": {"cluster": "payments"},
	"subject": "payments",
	"outcome": "observed",
	"oldest": "2026-11-21T11:00:00Z",
	"problem": null,
	"records": [record],
}

# Asking findings -----------------------------------------------------------------------------------------

subjects_of(findings, verdict) := {finding.subject | some finding in findings; finding.verdict == verdict}

examined_subjects(subjects) := {item.subject | some item in subjects}

# A way to destroy, blind or lock out that the engine found.
destruction(principal, damage, target, action) := {
	"principal": principal, "damage": damage, "target": target, "action": action, "disguised": true,
	"decision": "allow", "statements": [{"policy": "p", "record": "identities", "pointer": "/response"}],
}

# A rule that the engine found to protect nothing.
guard(subject, defect) := {
	"subject": subject, "defect": defect, "told": "it denies what another statement allows",
	"statements": [{"policy": "p", "record": "policy-record", "pointer": "/response/Policy/Statement/0"}],
}
