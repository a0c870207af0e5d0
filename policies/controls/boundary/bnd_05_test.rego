package cadastre.controls.bnd_05_test

import rego.v1

import data.cadastre.controls.bnd_05
import data.cadastre.lib.fixture

host_arn := "arn:aws:ec2:eu-central-1:111122223333:instance/i-1"

operated(model, edges) := fixture.with_parts({
	"declaration": {"vendors": [fixture.vendor], "operating-model": model},
	"inventory": {"instances": [fixture.host]},
	"access": {"edges": edges},
	"graph": {"principals": [
		fixture.view(fixture.vendor_role, "vendor"),
		fixture.view("arn:aws:iam::111122223333:role/operator", "customer"),
	]},
	"coverage": fixture.account_answer("iam:GetAccountAuthorizationDetails", "identities"),
})

by_customer := fixture.edge("arn:aws:iam::111122223333:role/operator", "operate-host", host_arn, "ssm:StartSession")

by_vendor := fixture.edge(fixture.vendor_role, "operate-host", host_arn, "ssm:StartSession")

test_pass_only_the_customer_operates if {
	document := operated("self-managed", [by_customer])
	count(bnd_05.findings) == 0 with input as document
	fixture.examined_subjects(bnd_05.subjects) == {"i-1"} with input as document
}

test_pass_the_vendor_operates_as_declared if {
	document := operated("vendor-operated", [by_vendor])
	count(bnd_05.findings) == 0 with input as document
}

test_red_a_vendor_operates_what_the_customer_should if {
	document := operated("customer-operated-software", [by_customer, by_vendor])
	fixture.subjects_of(bnd_05.findings, "red-flag") == {fixture.vendor_role} with input as document
}

test_red_a_role_that_a_vendor_can_become if {
	base := operated("self-managed", [by_customer])
	open := object.union(fixture.view("arn:aws:iam::111122223333:role/operator", "customer"), {"assumable_by": ["arn:aws:iam::999988887777:role/x"]})
	document := object.union(base, {"graph": {"principals": [open]}})
	fixture.subjects_of(bnd_05.findings, "red-flag") == {"arn:aws:iam::111122223333:role/operator"} with input as document
}

test_red_the_vendor_cannot_operate_what_it_should if {
	document := operated("vendor-operated", [by_customer])
	fixture.subjects_of(bnd_05.findings, "red-flag") == {"i-1"} with input as document
}

test_red_a_managed_service_that_runs_here if {
	document := operated("external-managed-service", [])
	fixture.subjects_of(bnd_05.findings, "red-flag") == {"i-1"} with input as document
}

test_unproven_open_question if {
	edge := fixture.edge_when(fixture.vendor_role, "operate-host", host_arn, "ssm:StartSession", "unknown", "its boundary")
	document := operated("self-managed", [edge])
	fixture.subjects_of(bnd_05.findings, "unproven") == {"i-1"} with input as document
}

# Software and architecture -------------------------------------------------------------------------------------

confluent_cloud := {"name": "Confluent Cloud", "operating-models": ["external-managed-service"], "architectures": ["tiered-storage"]}

with_cluster(profile, architecture, remote) := object.union(
	fixture.kafka({"brokers": fixture.observed([fixture.changed(fixture.broker, {"configs": fixture.observed({
		"remote.log.storage.system.enable": fixture.entry(remote),
	})})])}),
	{"declaration": {"architecture": architecture}, "profiles": {"payments": profile}},
)

apache_kafka := {"name": "Apache Kafka", "operating-models": ["self-managed"], "architectures": ["broker-local-disks", "tiered-storage"]}

red_clusters(document) := fixture.subjects_of(found, "red-flag") if found := bnd_05.findings with input as document

test_pass_an_architecture_that_brokers_have if {
	red_clusters(with_cluster(apache_kafka, "tiered-storage", "true")) == set()
	red_clusters(with_cluster(apache_kafka, "broker-local-disks", "false")) == set()
}

test_red_a_model_that_the_service_never_has if red_clusters(with_cluster(confluent_cloud, "tiered-storage", "true")) == {"cluster:payments"}

test_red_an_architecture_that_the_software_never_has if red_clusters(with_cluster(apache_kafka, "shared-storage", "true")) == {"cluster:payments"}

test_red_remote_storage_other_than_declared if {
	red_clusters(with_cluster(apache_kafka, "tiered-storage", "false")) == {"cluster:payments"}
	red_clusters(with_cluster(apache_kafka, "broker-local-disks", "true")) == {"cluster:payments"}
}

test_red_brokers_that_write_a_bucket_and_should_not if {
	write := fixture.edge(fixture.broker_role, "write-objects", fixture.bucket_arn, "s3:PutObject")
	base := operated("self-managed", [by_customer, write])
	document := object.union(base, {"declaration": {"architecture": "broker-local-disks"}, "inventory": {"buckets": [fixture.bucket]}})
	red_clusters(document) == {fixture.bucket_arn}
}

test_red_a_serverless_cluster_that_is_declared_as_another if {
	base := fixture.kafka({})
	declared := object.union(fixture.declared_cluster, {"kind": "msk"})
	profile := {"name": "Amazon MSK", "operating-models": ["self-managed"], "architectures": ["shared-storage"]}
	managed := {"arn": "arn:aws:kafka:eu-central-1:111122223333:cluster/payments/1", "name": "payments", "serverless": true, "evidence": ["msk"]}
	document := object.union(base, {"declaration": {"clusters": [declared]}, "inventory": {"msk_clusters": [managed]}, "profiles": {"payments": profile}})
	red_clusters(document) == {"cluster:payments"}
}

test_unproven_a_cluster_that_never_answered if {
	base := object.union(fixture.kafka({"brokers": fixture.unknown}), {"declaration": {"architecture": "shared-storage"}, "profiles": {"payments": apache_kafka}})
	red_clusters(base) == set()
}

# Clusters that speak for themselves ------------------------------------------------------------------------------

speaking(members) := {"declaration": {"clusters": [object.union(fixture.declared_cluster, members)]}}

test_pass_a_cluster_whose_own_architecture_is_another if {
	document := object.union(with_cluster(apache_kafka, "shared-storage", "true"), speaking({"architecture": "tiered-storage"}))
	red_clusters(document) == set()
}

test_red_a_cluster_whose_own_architecture_is_not_its_own if {
	document := object.union(with_cluster(apache_kafka, "tiered-storage", "true"), speaking({"architecture": "shared-storage"}))
	red_clusters(document) == {"cluster:payments"}
}

test_red_a_cluster_whose_own_model_its_software_never_has if {
	document := object.union(with_cluster(apache_kafka, "tiered-storage", "true"), speaking({"operating-model": "external-managed-service"}))
	red_clusters(document) == {"cluster:payments"}
}

# The fixture's broker runs on the fixture's host.
test_red_a_vendor_operates_a_host_whose_cluster_the_customer_should if {
	base := object.union(operated("vendor-operated", [by_customer, by_vendor]), {"inventory": {"instances": [fixture.host], "clusters": [fixture.cluster]}})
	clusters := [object.union(fixture.declared_cluster, {"operating-model": "self-managed"})]
	red_clusters(object.union(base, {"declaration": {"clusters": clusters}})) == {fixture.vendor_role}
	red_clusters(object.union(base, {"declaration": {"clusters": [fixture.declared_cluster]}})) == set()
}

test_unproven_a_bucket_that_brokers_write_and_nobody_knows_whose if {
	write := fixture.edge(fixture.broker_role, "write-objects", fixture.bucket_arn, "s3:PutObject")
	base := operated("self-managed", [by_customer, write])
	clusters := [
		object.union(fixture.declared_cluster, {"architecture": "broker-local-disks"}),
		object.union(fixture.declared_cluster, {"name": "telemetry", "architecture": "shared-storage"}),
	]
	document := object.union(base, {"declaration": {"clusters": clusters}, "inventory": {"buckets": [fixture.bucket]}})
	red_clusters(document) == set()
	fixture.subjects_of(bnd_05.findings, "unproven") == {fixture.bucket_arn} with input as document
}
