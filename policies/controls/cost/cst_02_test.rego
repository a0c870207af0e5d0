package cadastre.controls.cst_02_test

import rego.v1

import data.cadastre.controls.cst_02
import data.cadastre.lib.fixture

units := {"cluster": "payments", "brokers": 1, "records": 1000000, "evidence": ["configs"]}

own := {"name": "contract", "as_of": "2026-11-01", "is_example": false, "sources": ["contract"]}

with_cost(measured, prices) := object.union(fixture.kafka({}), {"cost": {"measured": measured, "prices": prices, "observed": []}})

test_pass_counted_and_priced_by_the_customer if {
	document := with_cost([units], own)
	count(cst_02.findings) == 0 with input as document
	fixture.examined_subjects(cst_02.subjects) == {"cluster:payments"} with input as document
}

unproven(document) := fixture.subjects_of(found, "unproven") if found := cst_02.findings with input as document

test_unproven_brokers_that_count_nothing if unproven(with_cost([], own)) == {"cluster:payments"}

test_unproven_too_few_records if {
	unproven(with_cost([fixture.changed(units, {"records": 9999})], own)) == {"cluster:payments"}
}

test_unproven_example_prices if {
	unproven(with_cost([units], fixture.changed(own, {"is_example": true}))) == {"cluster:payments"}
}

test_unproven_prices_of_the_future if {
	unproven(with_cost([units], fixture.changed(own, {"as_of": "2027-01-01"}))) == {"cluster:payments"}
}

test_red_prices_that_are_old if {
	document := with_cost([units], fixture.changed(own, {"as_of": "2025-01-01"}))
	fixture.subjects_of(cst_02.findings, "red-flag") == {"cluster:payments"} with input as document
}

test_unproven_without_any_shape if unproven(fixture.kafka({})) == {"cluster:payments"}
