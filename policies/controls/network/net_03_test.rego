package cadastre.controls.net_03_test

import rego.v1

import data.cadastre.controls.net_03
import data.cadastre.lib.fixture

statement := {"Effect": "Allow", "Principal": {"AWS": fixture.broker_role}, "Action": "s3:GetObject", "Resource": ["arn:aws:s3:::records", "arn:aws:s3:::records/*"]}

policy(statements) := fixture.policy("endpoint", {"Version": "2012-10-17", "Statement": statements})

s3 := {
	"id": "vpce-s3", "vpc": "vpc-1", "service": "com.amazonaws.eu-central-1.s3", "kind": "Gateway", "state": "available",
	"route_tables": ["rtb-1"], "subnets": [], "private_dns": false, "policy": policy([statement]), "evidence": ["endpoints"],
}

kms := {
	"id": "vpce-kms", "vpc": "vpc-1", "service": "com.amazonaws.eu-central-1.kms", "kind": "Interface", "state": "available",
	"route_tables": [], "subnets": ["subnet-9"], "private_dns": true,
	"policy": policy([object.union(statement, {"Action": "kms:Decrypt", "Resource": fixture.key_arn})]), "evidence": ["endpoints"],
}

served_by(endpoints) := fixture.with_parts({
	"inventory": {
		"instances": [fixture.host],
		"endpoints": endpoints,
		"route_tables": [{"id": "rtb-1", "vpc": "vpc-1", "main": false, "subnets": ["subnet-1"]}, {"id": "rtb-0", "vpc": "vpc-1", "main": true, "subnets": []}],
	},
	"coverage": fixture.answer("ec2:DescribeVpcEndpoints", "endpoints"),
})

with_s3(changes) := served_by([fixture.changed(s3, changes), kms])

test_pass_narrow_endpoints if {
	document := served_by([s3, kms])
	count(net_03.findings) == 0 with input as document
	fixture.examined_subjects(net_03.subjects) == {"vpce-s3", "vpce-kms"} with input as document
}

test_pass_everybody_of_the_organization if {
	document := with_s3({"policy": policy([object.union(statement, {"Principal": "*", "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}})])})
	count(net_03.findings) == 0 with input as document
}

test_red_no_endpoint if {
	document := served_by([kms])
	fixture.subjects_of(net_03.findings, "red-flag") == {"vpc-1"} with input as document
}

test_red_endpoint_on_another_route_table if {
	document := with_s3({"route_tables": ["rtb-0"]})
	fixture.subjects_of(net_03.findings, "red-flag") == {"vpce-s3"} with input as document
}

test_red_wide_policies if {
	some change in [
		{"Principal": "*"},
		{"Principal": {"AWS": "*"}},
		{"Resource": "*"},
		{"Resource": "arn:aws:s3:::*"},
		{"Principal": "*", "Condition": {"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}}},
		{"Principal": "*", "Condition": {"StringLike": {"aws:PrincipalArn": "*"}}},
	]
	document := with_s3({"policy": policy([fixture.changed(statement, change)])})
	fixture.subjects_of(net_03.findings, "red-flag") == {"vpce-s3"} with input as document
}

every_wide_policy_is_red if {
	every change in [
		{"Principal": "*"},
		{"Principal": {"AWS": ["x", "*"]}},
		{"Resource": ["arn:aws:s3:::records", "*"]},
		{"Resource": "arn:aws:s3:::*"},
		{"Principal": "*", "Condition": {"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}}},
		{"Principal": "*", "Condition": {"StringLike": {"aws:PrincipalArn": "*"}}},
		{"Principal": "*", "Condition": {"StringLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/kafka"}}},
	] {
		is_red(with_s3({"policy": policy([fixture.changed(statement, change)])}))
	}
}

is_red(document) if {
	found := net_03.findings with input as document
	fixture.subjects_of(found, "red-flag") == {"vpce-s3"}
}

test_red_every_wide_policy if every_wide_policy_is_red

test_red_no_policy if {
	document := with_s3({"policy": fixture.absent})
	fixture.subjects_of(net_03.findings, "red-flag") == {"vpce-s3"} with input as document
}

test_red_no_resource_named if {
	document := with_s3({"policy": policy([{"Effect": "Allow", "Principal": {"AWS": "x"}, "Action": "s3:*", "NotResource": "arn:aws:s3:::other/*"}])})
	fixture.subjects_of(net_03.findings, "red-flag") == {"vpce-s3"} with input as document
}

test_unproven_policy_that_is_no_document if {
	document := with_s3({"policy": fixture.policy("endpoint", "{not json")})
	fixture.subjects_of(net_03.findings, "unproven") == {"vpce-s3"} with input as document
}

test_unproven_unknown_policy if {
	document := with_s3({"policy": fixture.unknown})
	fixture.subjects_of(net_03.findings, "unproven") == {"vpce-s3"} with input as document
}
