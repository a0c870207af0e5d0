package cadastre.controls.ext_02_test

import rego.v1

import data.cadastre.controls.ext_02
import data.cadastre.lib.fixture

ending(days) := {"ID": "versions", "Status": "Enabled", "Filter": {"Prefix": ""}, "NoncurrentVersionExpiration": {"NoncurrentDays": days}}

# The bucket of the fixture beside its cluster, with a topic that keeps its records for a number of milliseconds.
judged(retention, changes) := object.union(
	fixture.kafka({"topics": fixture.observed([keeping(retention, "delete"), fixture.internal_topic])}),
	{
		"declaration": {"stores": [fixture.declared_store], "keys": [fixture.declared_key]},
		"inventory": {"buckets": [fixture.changed(fixture.bucket, changes)], "keys": [fixture.key]},
	},
)

keeping(retention, cleanup) := fixture.changed(fixture.topic, {"configs": fixture.observed(fixture.changed(
	fixture.topic.configs.value,
	{"retention.ms": fixture.entry(retention), "cleanup.policy": fixture.entry(cleanup)},
))})

rules(list) := {"lifecycle": fixture.observed(list)}

week := "604800000"

bucket := fixture.bucket_arn

reds(document) := {item.message | some item in found; item.verdict == "red-flag"} if found := ext_02.findings with input as document

unproven(document, reason) if {
	found := ext_02.findings with input as document
	fixture.subjects_of(found, "red-flag") == set()
	some item in found
	contains(item.message, reason)
}

passes(document) if {
	found := ext_02.findings with input as document
	count(found) == 0
	fixture.examined_subjects(ext_02.subjects) == {bucket} with input as document
}

test_pass_versions_end_within_retention if {
	passes(judged(week, rules([ending(1)])))
	passes(judged(week, rules([ending(7)])))
	passes(judged(week, rules([ending(30), ending(7)])))
}

test_pass_a_bucket_without_versions if passes(judged(week, {"versioning": fixture.absent}))

test_red_versions_for_ever if {
	reds(judged(week, {})) == {"keeps older versions of objects for ever"}
	reds(judged(week, {"versioning": fixture.observed("Suspended")})) == {"keeps older versions of objects for ever"}
	reds(judged(week, rules([fixture.changed(ending(1), {"Status": "Disabled"})]))) == {"keeps older versions of objects for ever"}
	some_for_ever := fixture.changed(ending(1), {"NoncurrentVersionExpiration": {"NoncurrentDays": 1, "NewerNoncurrentVersions": 3}})
	reds(judged(week, rules([some_for_ever]))) == {"keeps older versions of objects for ever"}
}

test_red_versions_outlive_the_topic if {
	reds(judged(week, rules([ending(8)]))) == {"keeps older versions of objects for 8 days, and topic:payments/payments keeps its records for 7"}
	reds(judged("3600000", rules([ending(1)]))) == {"keeps older versions of objects for 1 days, and topic:payments/payments keeps its records for 0"}
}

test_red_a_lock_outlives_the_topic if {
	locked := fixture.changed(rules([ending(1)]), {"object_lock": fixture.observed({"mode": "GOVERNANCE", "days": 30})})
	reds(judged(week, locked)) == {"locks each version for 30 days, and topic:payments/payments keeps its records for 7"}
	passes(judged(week, fixture.changed(rules([ending(1)]), {"object_lock": fixture.observed({"mode": "GOVERNANCE", "days": 7})})))
}

test_unproven_locks_on_single_objects if {
	unproven(judged(week, fixture.changed(rules([ending(1)]), {"object_lock": fixture.observed({"mode": null, "days": null})})), "allows locks on single objects")
	unproven(judged(week, fixture.changed(rules([ending(1)]), {"object_lock": {"state": "unknown", "value": "s3:GetObjectLockConfiguration was denied"}})), "was denied")
}

test_unproven_a_rule_for_a_part if {
	unproven(judged(week, rules([fixture.changed(ending(1), {"Filter": {"Prefix": "other/"}})])), "only some of its older versions")
	unproven(judged(week, rules([fixture.changed(ending(1), {"Filter": {"Tag": {"Key": "a", "Value": "b"}}})])), "only some of its older versions")
}

test_unproven_where_something_is_not_known if {
	unproven(judged(week, {"versioning": {"state": "unknown", "value": "s3:GetBucketVersioning was denied"}}), "s3:GetBucketVersioning was denied")
	unproven(judged(week, {"lifecycle": {"state": "unknown", "value": "s3:GetBucketLifecycleConfiguration was denied"}}), "was denied")
	copied := fixture.observed(["arn:aws:s3:::elsewhere"])
	unproven(judged(week, {"lifecycle": fixture.observed([ending(1)]), "replication_destinations": copied}), "is copied to arn:aws:s3:::elsewhere")
}

test_unproven_without_a_topic_that_ends if {
	unproven(judged("-1", rules([ending(1)])), "no topic is known whose records end")
	compacted := object.union(judged(week, rules([ending(1)])), fixture.kafka({"topics": fixture.observed([keeping(week, "compact")])}))
	document := object.union(compacted, {"declaration": judged(week, {}).declaration, "inventory": {"buckets": judged(week, rules([ending(1)])).inventory.buckets}})
	unproven(document, "no topic is known whose records end")
}
