package cadastre.controls.key_08_test

import rego.v1

import data.cadastre.controls.key_08
import data.cadastre.lib.fixture

with_client(change) := fixture.kafka({"listeners": [fixture.changed(fixture.listener, change), fixture.inner_listener]})

with_certificate(change) := with_client({"certificates": fixture.observed([fixture.changed(fixture.certificate, change)])})

is_red(document) if {
	found := key_08.findings with input as document
	fixture.subjects_of(found, "red-flag") == {"listener:payments/CLIENT"}
}

is_unproven(document, subject) if {
	found := key_08.findings with input as document
	fixture.subjects_of(found, "unproven") == {subject}
	fixture.subjects_of(found, "red-flag") == set()
}

test_pass_every_listener_keeps_to_the_plan if {
	document := fixture.kafka({})
	count(key_08.findings) == 0 with input as document
	fixture.examined_subjects(key_08.subjects) == {"listener:payments/CLIENT", "listener:payments/INTERNAL"} with input as document
}

test_red_plaintext if is_red(with_client({"plaintext": fixture.observed(true)}))

test_red_configured_without_tls if is_red(with_client({"protocol": fixture.observed("SASL_PLAINTEXT")}))

test_red_no_tls if is_red(with_client({"tls_versions": fixture.absent, "certificates": fixture.absent}))

test_red_old_version if is_red(with_client({"tls_versions": fixture.observed(["TLSv1.1", "TLSv1.2"])}))

test_red_weak_suite if is_red(with_client({"cipher_suites": ["TLS_RSA_WITH_AES_128_GCM_SHA256"]}))

test_red_weak_suite_without_authentication if is_red(with_client({"cipher_suites": ["TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"]}))

test_red_near_expiry if is_red(with_certificate({"not_after": "2026-12-01T00:00:00Z"}))

test_red_not_yet_valid if is_red(with_certificate({"not_before": "2026-12-01T00:00:00Z"}))

test_red_untrusted_chain if is_red(with_certificate({"trusted": fixture.observed(false)}))

test_red_undeclared_issuer if {
	base := fixture.kafka({})
	plan := {"versions": ["TLSv1.2", "TLSv1.3"], "issuers": ["CN=Other CA"], "expiry-notice": 2592000}
	document := object.union(base, {"declaration": {"clusters": [fixture.changed(fixture.declared_cluster, {"tls": plan})]}})
	found := key_08.findings with input as document
	fixture.subjects_of(found, "red-flag") == {"listener:payments/CLIENT", "listener:payments/INTERNAL"}
}

test_unproven_probe_that_did_not_answer if {
	is_unproven(with_client({"plaintext": fixture.unknown}), "listener:payments/CLIENT")
	is_unproven(with_client({"tls_versions": fixture.unknown}), "listener:payments/CLIENT")
	is_unproven(with_client({"certificates": fixture.unknown}), "listener:payments/CLIENT")
	is_unproven(with_client({"certificates": fixture.observed([])}), "listener:payments/CLIENT")
}

test_unproven_no_authority_to_verify_against if is_unproven(with_certificate({"trusted": fixture.unknown}), "listener:payments/CLIENT")

test_unproven_inner_listener_that_was_not_tried if is_unproven(fixture.kafka({"listeners": [fixture.listener]}), "listener:payments/INTERNAL")

# RFC 5280, section 4.1.2.5: this date stands for no expiry, and nanoseconds do not reach it.
test_pass_certificate_without_an_end if {
	document := with_certificate({"not_before": "1601-01-01T00:00:00Z", "not_after": "9999-12-31T23:59:59Z"})
	count(key_08.findings) == 0 with input as document
}

issued_by(issuer, chain) := object.union(base, {"declaration": object.union(base.declaration, {"clusters": [object.union(
	fixture.declared_cluster,
	{"tls": {"versions": ["TLSv1.2", "TLSv1.3"], "issuers": [issuer], "expiry-notice": 2592000}},
)]})}) if {
	base := fixture.kafka({"listeners": [fixture.changed(fixture.listener, {"certificates": fixture.observed(chain)})]})
}

# A server may append whatever certificates it likes.
test_red_declared_issuer_that_is_only_appended if {
	appended := fixture.changed(fixture.certificate, {"subject": "CN=unrelated", "issuer": "CN=Declared CA"})
	document := issued_by("CN=Declared CA", [fixture.certificate, appended])
	fixture.subjects_of(key_08.findings, "red-flag") == {"listener:payments/CLIENT"} with input as document
}

test_pass_declared_root_behind_an_intermediate if {
	intermediate := fixture.changed(fixture.certificate, {"subject": "CN=Example CA", "issuer": "CN=Declared CA"})
	document := issued_by("CN=Declared CA", [fixture.certificate, intermediate])
	not "listener:payments/CLIENT" in fixture.subjects_of(key_08.findings, "red-flag") with input as document
}

test_red_self_signed if is_red(with_certificate({"self_signed": true, "issuer": "CN=b1"}))

test_unproven_controller_that_was_not_tried if {
	quorum := fixture.observed({"leader": 1, "voters": [1, 4], "observers": []})
	controller := fixture.changed(fixture.inner_listener, {"name": "CONTROLLER", "broker": 1, "port": 9095})
	base := fixture.kafka({"quorum": quorum, "listeners": [fixture.listener, fixture.inner_listener, controller]})
	document := object.union(base, {"declaration": object.union(base.declaration, {"clusters": [object.union(
		fixture.declared_cluster,
		{"listeners": array.concat(fixture.declared_cluster.listeners, [{"name": "CONTROLLER", "protocol": "SSL", "purpose": "controller", "port": 9095}])},
	)]})})
	found := key_08.findings with input as document
	fixture.subjects_of(found, "unproven") == {"listener:payments/CONTROLLER"}
}
