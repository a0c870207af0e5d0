# METADATA
# scope: package
# title: Data buckets refuse unencrypted, wrong-key and plain-transport access
# description: |
#   The bucket policy itself denies, for everybody: any request without TLS, any write that is not encrypted with
#   KMS, and any write under another key. A denial counts only where nothing narrows it.
# custom:
#   id: KEY-10
#   area: key-authority
#   pass: its policy refuses plain transport, unencrypted writes and wrong keys
#   red_flag: such a denial is absent
#   requires:
#     - s3:ListBuckets
#     - s3:GetBucketPolicy
#     - s3:GetBucketEncryption
#     - kms:ListKeys
#     - kms:ListAliases
#     - iam:GetAccountAuthorizationDetails
#     - ec2:DescribeInstances
#     - iam:ListInstanceProfiles
#   fix: add the denials on aws:SecureTransport, s3:x-amz-server-side-encryption and its key id to the bucket policy
package cadastre.controls.key_10

import rego.v1

import data.cadastre.lib.coverage
import data.cadastre.lib.document
import data.cadastre.lib.finding
import data.cadastre.lib.guards
import data.cadastre.lib.plane

subjects contains result if {
	some bucket in data.cadastre.lib.plane.data_buckets
	result := finding.examined(bucket.arn, bucket.evidence)
}

# A denial that decides nothing only looks like one.
findings contains result if {
	some bucket in data.cadastre.lib.plane.data_buckets
	some guard in guards.with_defect(bucket.arn, data.cadastre.lib.guards.idle)
	result := guards.red(bucket.arn, guard)
}

# Denials for everybody with exactly one condition: what else they ask for would narrow them.
denials(bucket, action) := [condition |
	some statement in document.statements(bucket.policy)
	document.denies(statement)
	document.anybody(statement)
	document.covers_action(statement, action)
	document.covers_resource(statement, sprintf("%s/*", [bucket.arn]))
	conditions := document.conditions(statement)
	count(conditions) == 1
	condition := conditions[0]
]

# Transport: of the bucket itself and of its objects, whatever the action.
refuses_plain_transport(bucket) if {
	some statement in document.statements(bucket.policy)
	document.denies(statement)
	document.anybody(statement)
	covers_everything(statement)
	document.covers_resource(statement, sprintf("%s/*", [bucket.arn]))
	document.covers_resource(statement, bucket.arn)
	conditions := document.conditions(statement)
	count(conditions) == 1
	condition := conditions[0]
	condition.key == "aws:securetransport"
	condition.operator in {"bool", "boolifexists"}
	condition.values == ["false"]
}

covers_everything(statement) if {
	some action in document.texts(statement, "Action")
	lower(action) in {"*", "s3:*"}
}

# Unencrypted writes: the header says something else than KMS, or is not there. Asking for the right key id has
# the same effect, for S3 takes a key id with KMS encryption only.
refuses_unencrypted(bucket) if {
	some condition in denials(bucket, "s3:PutObject")
	condition.key == "s3:x-amz-server-side-encryption"
	condition.operator == "stringnotequals"
	count(condition.values) > 0
	every value in condition.values {
		value in {"aws:kms", "aws:kms:dsse"}
	}
}

refuses_unencrypted(bucket) if demands_key(bucket, {"stringnotequals", "arnnotequals"})

# Wrong keys: where the header may be missing, the bucket's default key applies.
refuses_wrong_keys(bucket) if demands_key(bucket, {"stringnotequals", "stringnotequalsifexists", "arnnotequals", "arnnotequalsifexists", "stringnotlike", "arnnotlike"})

demands_key(bucket, operators) if {
	some condition in denials(bucket, "s3:PutObject")
	condition.key == "s3:x-amz-server-side-encryption-aws-kms-key-id"
	condition.operator in operators
	count(condition.values) > 0
	every value in condition.values {
		value in right_keys(bucket)
	}
}

# The keys that are right for a bucket: those that its declaration names, or else its default one.
right_keys(bucket) := {key.arn | some key in plane.keys_named(data.cadastre.lib.plane.declared_stores[bucket.arn].key)} if {
	is_string(data.cadastre.lib.plane.declared_stores[bucket.arn].key)
}

right_keys(bucket) := {bucket.encryption.value.key_arn} if {
	not has_declared_key(bucket)
	bucket.encryption.state == "observed"
	is_string(bucket.encryption.value.key_arn)
}

right_keys(bucket) := set() if {
	not has_declared_key(bucket)
	not has_default_key(bucket)
}

has_declared_key(bucket) if is_string(data.cadastre.lib.plane.declared_stores[bucket.arn].key)

has_default_key(bucket) if {
	bucket.encryption.state == "observed"
	is_string(bucket.encryption.value.key_arn)
}

# Findings --------------------------------------------------------------------------------------------------

findings contains result if {
	some bucket in data.cadastre.lib.plane.data_buckets
	bucket.policy.state == "absent"
	result := finding.red(bucket.arn, "has no policy, and so refuses nothing", bucket.evidence)
}

findings contains result if {
	some bucket in data.cadastre.lib.plane.data_buckets
	why := document.unreadable(bucket.policy)
	result := finding.unproven(bucket.arn, sprintf("its policy cannot be judged: %s", [why]), bucket.evidence)
}

findings contains result if {
	some bucket in data.cadastre.lib.plane.data_buckets
	document.readable(bucket.policy)
	not refuses_plain_transport(bucket)
	result := finding.red(bucket.arn, "its policy does not refuse access without TLS", bucket.evidence)
}

findings contains result if {
	some bucket in data.cadastre.lib.plane.data_buckets
	document.readable(bucket.policy)
	not refuses_unencrypted(bucket)
	result := finding.red(bucket.arn, "its policy does not refuse unencrypted writes", bucket.evidence)
}

findings contains result if {
	some bucket in data.cadastre.lib.plane.data_buckets
	document.readable(bucket.policy)
	not refuses_wrong_keys(bucket)
	result := finding.red(bucket.arn, "its policy does not refuse writes under another key", bucket.evidence)
}

findings contains result if {
	some arn in data.cadastre.lib.plane.declared_data_stores
	startswith(arn, "arn:aws:s3:::")
	not data.cadastre.lib.plane.bucket_by_arn[arn]
	result := finding.unproven(arn, "is declared and not among the observed buckets", coverage.records_of("s3:ListBuckets"))
}
