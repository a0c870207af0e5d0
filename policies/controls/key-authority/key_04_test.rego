package cadastre.controls.key_04_test

import rego.v1

import data.cadastre.controls.key_04
import data.cadastre.lib.fixture

rotated(changes) := fixture.with_parts({
	"declaration": {"keys": [fixture.declared_key]},
	"inventory": {"keys": [fixture.changed(fixture.key, changes)]},
})

is_red(changes) if {
	document := rotated(changes)
	found := key_04.findings with input as document
	fixture.subjects_of(found, "red-flag") == {fixture.key_arn}
}

test_pass_yearly if {
	document := rotated({})
	count(key_04.findings) == 0 with input as document
	fixture.examined_subjects(key_04.subjects) == {fixture.key_arn} with input as document
}

test_pass_default_period if {
	document := rotated({"rotation": fixture.observed({"enabled": true, "period_days": null})})
	count(key_04.findings) == 0 with input as document
}

test_red_off if is_red({"rotation": fixture.observed({"enabled": false, "period_days": null})})

test_red_too_rare if is_red({"rotation": fixture.observed({"enabled": true, "period_days": 730})})

test_unproven_unknown if {
	document := rotated({"rotation": fixture.unknown})
	fixture.subjects_of(key_04.findings, "unproven") == {fixture.key_arn} with input as document
}

test_unproven_imported_material if {
	document := rotated({"origin": fixture.observed("EXTERNAL")})
	fixture.subjects_of(key_04.findings, "unproven") == {fixture.key_arn} with input as document
}
