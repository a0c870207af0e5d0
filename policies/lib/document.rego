# Policy documents as they are written: statements, principals, actions, resources, conditions.
#
# What is asked here is asked of documents of buckets, keys, endpoints and trusts, whose `document` the input
# carries. A document that could not be parsed is a string, and then `readable` does not hold.
package cadastre.lib.document

import rego.v1

import data.cadastre.lib.pattern

readable(policy) if {
	policy.state == "observed"
	is_object(policy.value.document)
	policy.value.document.Statement
}

# Why a policy cannot be judged.
unreadable(policy) := policy.value if policy.state == "unknown"

unreadable(policy) := "its document is not readable" if {
	policy.state == "observed"
	not readable(policy)
}

statements(policy) := listed(policy.value.document.Statement) if readable(policy)

statements(policy) := [] if not readable(policy)

listed(value) := value if is_array(value)

listed(value) := [value] if not is_array(value)

# A member that may be one text, a list of them, or missing.
texts(statement, member) := [text | some text in listed(object.get(statement, member, []))]

allows(statement) if statement.Effect == "Allow"

denies(statement) if statement.Effect == "Deny"

# Principals as `AWS:arn…`, `Service:…`, `Federated:…`; `*` for anybody.
principals(statement) := {"*"} if statement.Principal == "*"

principals(statement) := {named |
	is_object(statement.Principal)
	some kind, value in statement.Principal
	some text in listed(value)
	named := principal_name(kind, text)
} if {
	statement.Principal != "*"
}

principal_name(kind, text) := "*" if {
	kind == "AWS"
	text == "*"
}

principal_name(kind, text) := concat(":", [kind, text]) if not everybody(kind, text)

everybody(kind, text) if {
	kind == "AWS"
	text == "*"
}

anybody(statement) if "*" in principals(statement)

# Whether a statement's actions cover one, by its own `Action`; `NotAction` covers nothing here.
covers_action(statement, action) if {
	some wanted in texts(statement, "Action")
	pattern.matches(lower(wanted), lower(action))
}

covers_resource(statement, resource) if {
	some wanted in texts(statement, "Resource")
	pattern.covers(wanted, resource)
}

# Conditions, flat: operator and key in lower case, and the values as a list of text.
conditions(statement) := [{"operator": lower(operator), "key": lower(key), "values": [sprintf("%v", [item]) | some item in listed(value)]} |
	some operator, keys in object.get(statement, "Condition", {})
	some key, value in keys
]
