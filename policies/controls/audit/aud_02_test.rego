package cadastre.controls.aud_02_test

import rego.v1

import data.cadastre.controls.aud_02
import data.cadastre.lib.fixture

keeper := "arn:aws:iam::111122223333:role/log-archive"

stranger := "arn:aws:iam::111122223333:role/stranger"

kept(edges, bucket_changes) := fixture.with_parts({
	"declaration": {"log-sinks": [fixture.declared_sink], "vendors": [fixture.vendor]},
	"inventory": {"buckets": [fixture.changed(fixture.log_bucket, bucket_changes)], "trails": [fixture.trail]},
	"access": {"edges": edges},
	"graph": {"principals": [fixture.view(fixture.vendor_role, "vendor"), fixture.view(keeper, "customer"), fixture.view(stranger, "customer"), fixture.view(fixture.broker_role, "customer")]},
})

by(principal, target) := fixture.edge(principal, "alter-logs", target, "s3:DeleteObject")

is_red(edges, bucket_changes, subject) if {
	document := kept(edges, bucket_changes)
	found := aud_02.findings with input as document
	fixture.subjects_of(found, "red-flag") == {subject}
}

test_pass_locked_and_looked_after if {
	document := kept([by(keeper, fixture.log_bucket_arn), by(keeper, fixture.trail.arn)], {})
	count(aud_02.findings) == 0 with input as document
	fixture.examined_subjects(aud_02.subjects) == {fixture.log_bucket_arn, fixture.trail.arn} with input as document
}

test_red_broker_deletes_logs if is_red([by(fixture.broker_role, fixture.log_bucket_arn)], {}, fixture.log_bucket_arn)

test_red_vendor_stops_the_trail if is_red([by(fixture.vendor_role, fixture.trail.arn)], {}, fixture.trail.arn)

test_red_somebody_else_deletes_logs if is_red([by(stranger, fixture.log_bucket_arn)], {}, fixture.log_bucket_arn)

test_red_no_lock if is_red([], {"object_lock": fixture.absent}, fixture.log_bucket_arn)

test_red_lock_without_retention if is_red([], {"object_lock": fixture.observed({"mode": null, "days": null})}, fixture.log_bucket_arn)

test_unproven_unknown_lock_and_policy if {
	document := kept([], {"object_lock": fixture.unknown, "policy": fixture.unknown})
	fixture.subjects_of(aud_02.findings, "unproven") == {fixture.log_bucket_arn} with input as document
}

test_unproven_open_edge if {
	document := kept([fixture.edge_when(stranger, "alter-logs", fixture.trail.arn, "cloudtrail:StopLogging", "unknown", "its boundary")], {})
	fixture.subjects_of(aud_02.findings, "unproven") == {fixture.trail.arn} with input as document
}

test_unproven_sink_that_was_not_seen if {
	base := kept([], {})
	document := object.union(base, {"inventory": {"buckets": []}})
	fixture.subjects_of(aud_02.findings, "unproven") == {fixture.log_bucket_arn} with input as document
}

damaged(list, rules) := object.union(kept([], {}), {"access": {"destruction": list, "guards": rules}})

test_red_selectors_edited_without_a_deletion if {
	document := damaged([fixture.destruction(stranger, "blind", fixture.trail.arn, "cloudtrail:PutEventSelectors")], [])
	found := aud_02.findings with input as document
	fixture.subjects_of(found, "red-flag") == {fixture.trail.arn}
	{finding.message | some finding in found} == {"arn:aws:iam::111122223333:role/stranger can blind it by cloudtrail:PutEventSelectors (p), which is called no deletion"}
}

test_red_lifecycle_of_the_log_bucket if {
	document := damaged([fixture.destruction(fixture.broker_role, "destroy", fixture.log_bucket_arn, "s3:PutLifecycleConfiguration")], [])
	fixture.subjects_of(aud_02.findings, "red-flag") == {fixture.log_bucket_arn} with input as document
}

test_pass_administrator_shortens_retention if {
	document := damaged([fixture.destruction(keeper, "blind", fixture.log_bucket_arn, "s3:PutLifecycleConfiguration")], [])
	count(aud_02.findings) == 0 with input as document
}

test_red_deny_on_the_log_bucket_that_protects_nothing if {
	document := damaged([], [fixture.guard(fixture.log_bucket_arn, "names-nothing")])
	fixture.subjects_of(aud_02.findings, "red-flag") == {fixture.log_bucket_arn} with input as document
}

test_unproven_open_destruction if {
	open := object.union(fixture.destruction(stranger, "blind", fixture.trail.arn, "cloudtrail:UpdateTrail"), {"decision": "unknown", "detail": "its boundary"})
	document := damaged([open], [])
	fixture.subjects_of(aud_02.findings, "unproven") == {fixture.trail.arn} with input as document
}
