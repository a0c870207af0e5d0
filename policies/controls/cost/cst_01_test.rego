package cadastre.controls.cst_01_test

import rego.v1

import data.cadastre.controls.cst_01
import data.cadastre.lib.fixture

item(driver) := {"subject": "i-1", "what": "a broker's host, by the hour", "driver": driver, "evidence": ["instances"]}

with_items(items) := fixture.with_parts({"cost": {"observed": items}})

test_pass_what_is_paid_for_is_in_the_model if {
	document := with_items([item("compute")])
	count(cst_01.findings) == 0 with input as document
	fixture.examined_subjects(cst_01.subjects) == {"i-1"} with input as document
}

test_red_what_the_model_lacks if {
	document := with_items([item("compute"), fixture.changed(item(null), {"subject": "msk"})])
	fixture.subjects_of(cst_01.findings, "red-flag") == {"msk"} with input as document
}

test_unproven_nothing_was_observed if {
	fixture.subjects_of(cst_01.findings, "unproven") == {"payments"} with input as with_items([])
	fixture.subjects_of(cst_01.findings, "unproven") == {"payments"} with input as fixture.empty
}
