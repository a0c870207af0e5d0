package cadastre.controls.kaf_07_test

import rego.v1

import data.cadastre.controls.kaf_07
import data.cadastre.lib.fixture

quota(entity, written, read) := {"entity": entity, "limits": {"producer_byte_rate": written, "consumer_byte_rate": read}}

with_quotas(quotas) := fixture.kafka({"quotas": fixture.observed(quotas)})

default_user := quota({"user": null}, 1048576, 2097152.5)

told(document) := messages if {
	found := kaf_07.findings with input as document
	messages := {entry.message | some entry in found; entry.verdict == "red-flag"; entry.subject == "cluster:payments"}
}

test_pass_default_user_is_limited if {
	document := with_quotas([default_user, quota({"user": "billing"}, 4194304, 4194304)])
	count(kaf_07.findings) == 0 with input as document
	fixture.examined_subjects(kaf_07.subjects) == {"cluster:payments"} with input as document
}

test_pass_default_user_with_default_client_id if {
	count(kaf_07.findings) == 0 with input as with_quotas([quota({"user": null, "client-id": null}, 1, 1)])
}

test_pass_two_defaults_bind_one_rate_each if {
	document := with_quotas([
		{"entity": {"user": null}, "limits": {"producer_byte_rate": 1048576}},
		{"entity": {"user": null, "client-id": null}, "limits": {"consumer_byte_rate": 1048576}},
	])
	count(kaf_07.findings) == 0 with input as document
}

test_red_no_quotas if {
	told(with_quotas([])) == {
		"no default quota limits what clients write (producer_byte_rate)",
		"no default quota limits what clients read (consumer_byte_rate)",
	}
}

test_red_default_for_one_rate_only if {
	document := with_quotas([{"entity": {"user": null}, "limits": {"producer_byte_rate": 1, "request_percentage": 10}}])
	told(document) == {"no default quota limits what clients read (consumer_byte_rate)"}
}

test_red_quotas_without_a_default_user if {
	count(told(with_quotas([quota({"user": "billing"}, 1, 1), quota({"client-id": null}, 1, 1), quota({"ip": null}, 1, 1)]))) == 2
	count(told(with_quotas([quota({"user": null, "client-id": "batch"}, 1, 1)]))) == 2
}

test_red_unlimited_default if {
	document := with_quotas([quota({"user": null}, 9223372036854775807, 1048576)])
	told(document) == {"producer_byte_rate of the default user is unlimited"}
	written_as_a_float := with_quotas([quota({"user": null}, 9.223372036854776e18, 1048576)])
	told(written_as_a_float) == {"producer_byte_rate of the default user is unlimited"}
}

test_red_entry_that_lifts_the_limit if {
	document := with_quotas([default_user, quota({"client-id": null, "user": "billing"}, 1, 9223372036854775807)])
	told(document) == {"consumer_byte_rate of the default client-id, user billing is unlimited"}
}

test_unproven_quotas_that_are_not_known if {
	every property in [fixture.unknown, fixture.absent] {
		document := fixture.kafka({"quotas": property})
		fixture.subjects_of(kaf_07.findings, "unproven") == {"cluster:payments"} with input as document
	}
}

test_unproven_cluster_that_was_not_observed if {
	document := fixture.with_parts({"declaration": {"clusters": [fixture.declared_cluster]}})
	fixture.subjects_of(kaf_07.findings, "unproven") == {"cluster:payments"} with input as document
}
