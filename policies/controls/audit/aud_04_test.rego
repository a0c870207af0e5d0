package cadastre.controls.aud_04_test

import rego.v1

import data.cadastre.controls.aud_04
import data.cadastre.lib.drills_fixture
import data.cadastre.lib.fixture

test_pass_exercised_on_this_cluster if {
	document := drills_fixture.exercised("audit-trail", {})
	count(aud_04.findings) == 0 with input as document
	fixture.examined_subjects(aud_04.subjects) == {"cluster:payments"} with input as document
}

test_red_a_broken_promise_however_the_drill_ended if {
	document := drills_fixture.exercised("audit-trail", {"outcome": "stopped", "checks": [drills_fixture.check(false)]})
	"red-flag" in drills_fixture.said(aud_04.findings) with input as document
}

test_unproven_in_every_way_that_falls_short if {
	every way in drills_fixture.ways("audit-trail") {
		document := way.input
		found := aud_04.findings with input as document
		drills_fixture.said(found) == {way.verdict}
	}
}
