# METADATA
# scope: package
# title: Trust across accounts and federations is specific
# description: |
#   A role that somebody of another account may take names who, and asks an outsider for an external id. A role
#   that an identity provider may hand out limits the audience, and for web identities the subject as well. The
#   trust policies themselves are read, operators included: a condition that holds without the key is none.
# custom:
#   id: IDN-02
#   area: identity
#   pass: its trust names specific principals and asks for what proves them
#   red_flag: trust in everybody, in a whole outside account, or in a federation without audience and subject
#   requires:
#     - iam:GetAccountAuthorizationDetails
#   fix: name the principals, require sts:ExternalId, and limit audience and subject of federated trust
package cadastre.controls.idn_02

import rego.v1

import data.cadastre.lib.coverage
import data.cadastre.lib.declared
import data.cadastre.lib.document
import data.cadastre.lib.finding

roles := [principal |
	some principal in input.inventory.principals
	principal.kind == "role"
]

# Every trust that reaches beyond the role's own account.
grants contains result if {
	some role in roles
	some statement in document.statements(role.trust)
	not document.denies(statement)
	some named in named_by(statement)
	beyond(role, named)
	result := {"role": role.arn, "named": named, "statement": statement, "evidence": role.evidence}
}

named_by(statement) := document.principals(statement) if not statement.NotPrincipal

named_by(statement) := {"*"} if statement.NotPrincipal

beyond(_, named) if named == "*"

beyond(_, named) if startswith(named, "Federated:")

beyond(_, named) if startswith(named, "CanonicalUser:")

beyond(role, named) if {
	startswith(named, "AWS:")
	account_named(named) != role.account
}

# The account in `AWS:arn…` or `AWS:111122223333`; what has none is nobody's.
account_named(named) := account if {
	text := trim_prefix(named, "AWS:")
	account := declared.account_of(text)
}

account_named(named) := text if {
	text := trim_prefix(named, "AWS:")
	regex.match(`^[0-9]{12}$`, text)
}

account_named(named) := "nobody's" if {
	text := trim_prefix(named, "AWS:")
	not regex.match(`^[0-9]{12}$`, text)
	not declared.account_of(text)
}

subjects contains result if {
	some grant in grants
	result := finding.examined(grant.role, grant.evidence)
}

# Accounts in which no role trusts anybody beyond it.
subjects contains result if {
	some account in data.cadastre.lib.declared.aws_accounts
	count({grant.role | some grant in grants; declared.account_of(grant.role) == account}) == 0
	records := coverage.records_in("iam:GetAccountAuthorizationDetails", account, null)
	result := finding.shown(sprintf("account:%s", [account]), "no role trusts anybody beyond its account", records)
}

findings contains result if {
	some grant in grants
	grant.named == "*"
	result := finding.red(grant.role, "lets in everybody", grant.evidence)
}

findings contains result if {
	some grant in grants
	startswith(grant.named, "CanonicalUser:")
	result := finding.red(grant.role, sprintf("trusts %s, which names no account", [grant.named]), grant.evidence)
}

# Accounts --------------------------------------------------------------------------------------------------

whole_account(named) if regex.match(`^AWS:[0-9]{12}$`, named)

whole_account(named) if regex.match(`^AWS:arn:[^:]*:iam::[0-9]{12}:root$`, named)

outside_account(named) if {
	startswith(named, "AWS:")
	not account_named(named) in data.cadastre.lib.declared.aws_accounts
}

findings contains result if {
	some grant in grants
	outside_account(grant.named)
	not asks_external_id(grant.statement)
	result := finding.red(grant.role, sprintf("trusts %s without an external id", [trim_prefix(grant.named, "AWS:")]), grant.evidence)
}

findings contains result if {
	some grant in grants
	startswith(grant.named, "AWS:")
	whole_account(grant.named)
	asks_external_id_where_needed(grant)
	not names_principals(grant.statement)
	result := finding.unproven(grant.role, sprintf("trusts the whole of account %s: which of its principals come is not settled here", [account_named(grant.named)]), grant.evidence)
}

findings contains result if {
	some grant in grants
	startswith(grant.named, "AWS:")
	regex.match(`[*?]`, grant.named)
	result := finding.red(grant.role, sprintf("trusts %s, which names nobody in particular", [trim_prefix(grant.named, "AWS:")]), grant.evidence)
}

asks_external_id_where_needed(grant) if not outside_account(grant.named)

asks_external_id_where_needed(grant) if asks_external_id(grant.statement)

asks_external_id(statement) if {
	some condition in document.conditions(statement)
	condition.key == "sts:externalid"
	condition.operator in {"stringequals", "stringlike"}
	count(condition.values) > 0
	every value in condition.values {
		not regex.match(`^[*?]*$`, value)
	}
}

names_principals(statement) if {
	some condition in document.conditions(statement)
	condition.key == "aws:principalarn"
	condition.operator in {"stringequals", "stringlike", "arnequals", "arnlike"}
	count(condition.values) > 0
	every value in condition.values {
		regex.match(`^arn:[^:]*:(iam|sts)::[0-9]{12}:(role|user|assumed-role)/[^*?]`, value)
	}
}

# Federations -----------------------------------------------------------------------------------------------

findings contains result if {
	some grant in grants
	startswith(grant.named, "Federated:")
	not limits_audience(grant.statement)
	result := finding.red(grant.role, sprintf("trusts %s without limiting the audience", [trim_prefix(grant.named, "Federated:")]), grant.evidence)
}

# An assertion of a SAML provider names the role itself; a web identity's token does not.
findings contains result if {
	some grant in grants
	startswith(grant.named, "Federated:")
	not is_saml(grant)
	not limits_subject(grant.statement)
	result := finding.red(grant.role, sprintf("trusts %s without limiting the subject", [trim_prefix(grant.named, "Federated:")]), grant.evidence)
}

findings contains result if {
	some grant in grants
	startswith(grant.named, "Federated:")
	account := declared.account_of(trim_prefix(grant.named, "Federated:"))
	not account in data.cadastre.lib.declared.aws_accounts
	result := finding.red(grant.role, sprintf("trusts an identity provider of account %s, which is not declared", [account]), grant.evidence)
}

is_saml(grant) if {
	contains(grant.named, ":saml-provider/")
	actions := {lower(action) | some action in document.texts(grant.statement, "Action")}
	not "sts:assumerolewithwebidentity" in actions
	not "sts:*" in actions
	not "*" in actions
}

limits_audience(statement) if {
	some condition in document.conditions(statement)
	regex.match(`:(aud|app_id|client_id|azp)$`, condition.key)
	condition.operator in {"stringequals", "stringlike"}
	count(condition.values) > 0
	every value in condition.values {
		not regex.match(`^[*?]*$`, value)
	}
}

limits_subject(statement) if {
	some condition in document.conditions(statement)
	regex.match(`:(sub|id|user_id|amr)$`, condition.key)
	condition.operator in {"stringequals", "stringlike"}
	count(condition.values) > 0
	every value in condition.values {
		names_subject(value)
	}
}

names_subject(value) if not regex.match(`[*?]`, value)

# Before the first wildcard stands an owner at least: `repo:owner/…`, `system:serviceaccount:namespace:…`.
names_subject(value) if {
	before := regex.split(`[*?]`, value)[0]
	regex.match(`^[^/]+:[^/:]+/`, before)
}

names_subject(value) if {
	before := regex.split(`[*?]`, value)[0]
	regex.match(`^system:serviceaccount:[^:]+:`, before)
}

# What cannot be judged -------------------------------------------------------------------------------------

findings contains result if {
	some role in roles
	why := document.unreadable(role.trust)
	result := finding.unproven(role.arn, sprintf("whom it trusts cannot be judged: %s", [why]), role.evidence)
}
