package cadastre.controls.key_11_test

import rego.v1

import data.cadastre.controls.key_11
import data.cadastre.lib.fixture

kept(changes) := fixture.with_parts({
	"declaration": {"keys": [fixture.declared_key]},
	"inventory": {"keys": [fixture.changed(fixture.key, changes)]},
})

test_pass_origin_as_declared if {
	document := kept({})
	count(key_11.findings) == 0 with input as document
	fixture.examined_subjects(key_11.subjects) == {fixture.key_arn} with input as document
}

test_red_another_origin if {
	document := kept({"origin": fixture.observed("EXTERNAL")})
	fixture.subjects_of(key_11.findings, "red-flag") == {fixture.key_arn} with input as document
}

test_red_managed_by_the_provider if {
	document := kept({"manager": fixture.observed("AWS")})
	fixture.subjects_of(key_11.findings, "red-flag") == {fixture.key_arn} with input as document
}

test_unproven_unknown_origin if {
	document := kept({"origin": fixture.unknown})
	fixture.subjects_of(key_11.findings, "unproven") == {fixture.key_arn} with input as document
}

test_unproven_declared_key_that_was_not_found if {
	document := kept({"aliases": []})
	fixture.subjects_of(key_11.findings, "unproven") == {"alias/data"} with input as document
}

test_unproven_key_in_use_that_was_not_read if {
	base := kept({})
	document := object.union(base, {"inventory": object.union(base.inventory, {
		"instances": [fixture.host],
		"volumes": [fixture.changed(fixture.volume, {"key_arn": "arn:aws:kms:eu-central-1:111122223333:key/other"})],
	})})
	fixture.subjects_of(key_11.findings, "unproven") == {"arn:aws:kms:eu-central-1:111122223333:key/other"} with input as document
}
