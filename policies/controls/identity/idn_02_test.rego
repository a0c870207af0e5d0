package cadastre.controls.idn_02_test

import rego.v1

import data.cadastre.controls.idn_02
import data.cadastre.lib.fixture

role(statement) := {
	"arn": fixture.vendor_role, "kind": "role", "account": fixture.account, "evidence": ["identities"],
	"trust": fixture.policy("trust", {"Version": "2012-10-17", "Statement": [object.union({"Effect": "Allow", "Action": "sts:AssumeRole"}, statement)]}),
}

trusting(statement) := fixture.with_parts({
	"declaration": {"vendors": [fixture.vendor]},
	"inventory": {"principals": [role(statement)]},
	"coverage": fixture.account_answer("iam:GetAccountAuthorizationDetails", "identities"),
})

vendor_arn := "arn:aws:iam::999988887777:role/control-plane"

good := {"Principal": {"AWS": vendor_arn}, "Condition": {"StringEquals": {"sts:ExternalId": "x1"}}}

oidc := {
	"Principal": {"Federated": "arn:aws:iam::111122223333:oidc-provider/token.example.com"},
	"Action": "sts:AssumeRoleWithWebIdentity",
	"Condition": {"StringEquals": {"token.example.com:aud": "sts.amazonaws.com"}, "StringLike": {"token.example.com:sub": "repo:example/site:*"}},
}

saml := {
	"Principal": {"Federated": "arn:aws:iam::111122223333:saml-provider/corporate"},
	"Action": "sts:AssumeRoleWithSAML",
	"Condition": {"StringEquals": {"SAML:aud": "https://signin.aws.amazon.com/saml"}},
}

passes(statement) if {
	document := trusting(statement)
	found := idn_02.findings with input as document
	count(found) == 0
}

is_red(statement) if {
	document := trusting(statement)
	found := idn_02.findings with input as document
	fixture.subjects_of(found, "red-flag") == {fixture.vendor_role}
}

test_pass_specific_principal_with_external_id if {
	passes(good)
	document := trusting(good)
	fixture.examined_subjects(idn_02.subjects) == {fixture.vendor_role} with input as document
}

test_pass_federations_with_limits if {
	passes(oidc)
	passes(saml)
}

test_pass_own_account_and_services if {
	passes({"Principal": {"AWS": "arn:aws:iam::111122223333:user/duty", "Service": "ec2.amazonaws.com"}})
}

test_red_everybody if is_red({"Principal": "*"})

test_red_everybody_in_a_list if is_red({"Principal": {"AWS": [vendor_arn, "*"]}, "Condition": good.Condition})

test_red_everybody_but_one if is_red({"NotPrincipal": {"AWS": vendor_arn}})

test_red_no_external_id if is_red({"Principal": {"AWS": vendor_arn}})

test_red_external_id_that_need_not_be_there if is_red({"Principal": {"AWS": vendor_arn}, "Condition": {"StringEqualsIfExists": {"sts:ExternalId": "x1"}}})

test_red_external_id_that_must_differ if is_red({"Principal": {"AWS": vendor_arn}, "Condition": {"StringNotEquals": {"sts:ExternalId": "x1"}}})

test_red_any_external_id if is_red({"Principal": {"AWS": vendor_arn}, "Condition": {"StringLike": {"sts:ExternalId": "*"}}})

test_red_whole_account_without_condition if is_red({"Principal": {"AWS": "999988887777"}})

test_red_any_audience if is_red(fixture.changed(oidc, {"Condition": {"StringLike": {"token.example.com:sub": "repo:example/site:*"}}}))

test_red_any_subject if is_red(fixture.changed(oidc, {"Condition": {"StringEquals": {"token.example.com:aud": "sts.amazonaws.com"}, "StringLike": {"token.example.com:sub": "repo:*"}}}))

test_red_saml_without_audience if is_red(fixture.changed(saml, {"Condition": {}}))

test_unproven_whole_account_with_external_id if {
	document := trusting({"Principal": {"AWS": "arn:aws:iam::999988887777:root"}, "Condition": good.Condition})
	fixture.subjects_of(idn_02.findings, "unproven") == {fixture.vendor_role} with input as document
}

test_unproven_trust_that_is_no_document if {
	base := trusting(good)
	broken := fixture.changed(role(good), {"trust": fixture.policy("trust", "{")})
	document := object.union(base, {"inventory": {"principals": [broken]}})
	fixture.subjects_of(idn_02.findings, "unproven") == {fixture.vendor_role} with input as document
}
