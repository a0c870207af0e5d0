# Kafka clusters: names of subjects, settings of brokers and topics, what an ACL binding covers, who may hold it,
# and how much of a cluster the scanning identity can see.
package cadastre.lib.kafka

import rego.v1

import data.cadastre.lib.coverage
import data.cadastre.lib.declared
import data.cadastre.lib.edges
import data.cadastre.lib.finding
import data.cadastre.lib.pattern

clusters := input.inventory.clusters

cluster_id(cluster) := sprintf("cluster:%s", [cluster.name])

topic_id(cluster, topic) := sprintf("topic:%s/%s", [cluster.name, topic.name])

listener_id(cluster, listener) := sprintf("listener:%s/%s", [cluster.name, listener.name])

broker_id(cluster, broker) := sprintf("broker:%s/%d", [cluster.name, broker.id])

acl_id(cluster, binding) := sprintf("acl:%s/%s", [cluster.name, right(binding)])

# What a binding gives, in one line.
right(binding) := sprintf("%s %s %s:%s", [
	binding.principal, binding.operation, binding.resource_type, shown_name(binding),
])

shown_name(binding) := binding.resource_name if binding.pattern_type != "PREFIXED"

shown_name(binding) := sprintf("%s (prefixed)", [binding.resource_name]) if binding.pattern_type == "PREFIXED"

# A declared cluster of which nothing was observed is unproven in every control, and so is one that nobody
# declared: there is nothing to compare it with.
silent contains result if {
	some name, _ in data.cadastre.lib.declared.clusters
	not name in {cluster.name | some cluster in clusters}
	result := finding.unproven(sprintf("cluster:%s", [name]), "is declared and nothing of it was observed", set())
}

silent contains result if {
	some cluster in clusters
	not is_declared(cluster)
	result := finding.unproven(cluster_id(cluster), "is not declared, and so there is nothing to compare it with", cluster.evidence)
}

is_declared(cluster) if data.cadastre.lib.declared.clusters[cluster.name]

# A part of a cluster that no record settles, as a finding.
unsettled(cluster, what, property) := finding.unproven(
	cluster_id(cluster),
	sprintf("its %s are not known: %s", [what, property.value]),
	cluster.evidence,
) if property.state == "unknown"

unsettled(cluster, what, property) := finding.unproven(
	cluster_id(cluster),
	sprintf("its %s are not known: the cluster shows none", [what]),
	cluster.evidence,
) if property.state == "absent"

# Brokers, topics and settings ----------------------------------------------------------------------------

brokers(cluster) := cluster.brokers.value if cluster.brokers.state == "observed"

brokers(cluster) := [] if cluster.brokers.state != "observed"

topics(cluster) := cluster.topics.value if cluster.topics.state == "observed"

topics(cluster) := [] if cluster.topics.state != "observed"

# Brokers that are not known, or whose settings are not.
unknown_brokers contains result if {
	some cluster in clusters
	some result in unknown_brokers_of(cluster)
}

unknown_brokers_of(cluster) := [unsettled(cluster, "brokers", cluster.brokers)] if cluster.brokers.state != "observed"

unknown_brokers_of(cluster) := [none] if {
	cluster.brokers == {"state": "observed", "value": []}
	none := finding.unproven(cluster_id(cluster), "no broker of it is known", cluster.evidence)
}

unknown_brokers_of(cluster) := [result |
	some broker in brokers(cluster)
	broker.configs.state != "observed"
	result := unknown_configuration(broker_id(cluster, broker), broker)
] if {
	count(brokers(cluster)) > 0
}

# A topic whose settings are not known.
unknown_topic(cluster, topic) := result if {
	topic.configs.state != "observed"
	result := unknown_configuration(topic_id(cluster, topic), topic)
}

unknown_configuration(subject, thing) := finding.unproven(
	subject,
	sprintf("its configuration is not known: %s", [object.get(thing.configs, "value", "none was shown")]),
	thing.evidence,
)

# Topics that belong to Kafka and its tools. A name alone hides nothing: clients are kept away from these.
is_internal(topic) if topic.internal

is_internal(topic) if startswith(topic.name, "__")

# The value of a broker's or topic's setting; undefined where it is hidden, missing or null.
setting(thing, name) := value if {
	shows(thing, name)
	value := thing.configs.value[name].value
}

# Whether the value shows. Ask `not shows(…)`, never `not` of something done with a value that may not be there:
# an undefined argument leaves the whole expression undefined.
shows(thing, name) if {
	thing.configs.state == "observed"
	thing.configs.value[name].sensitive == false
	is_string(thing.configs.value[name].value)
}

# The value of a setting that is a whole number.
number(thing, name) := value if {
	text := setting(thing, name)
	regex.match(`^(0|-?[1-9][0-9]{0,18})$`, text)
	value := to_number(text)
}

shows_number(thing, name) if is_number(number(thing, name))

shows_true(thing, name) if lower(setting(thing, name)) == "true"

shows_false(thing, name) if lower(setting(thing, name)) == "false"

# Why a setting's value does not show.
not_shown(thing, name) := sprintf("%s is hidden", [name]) if hides(thing, name)

not_shown(thing, name) := sprintf("%s is not among its settings", [name]) if {
	not hides(thing, name)
	not shows(thing, name)
}

not_shown(thing, name) := sprintf("%s has the value `%s`, which is not understood", [name, setting(thing, name)]) if {
	shows(thing, name)
}

hides(thing, name) if {
	thing.configs.state == "observed"
	thing.configs.value[name].sensitive == true
}

# ACLs ----------------------------------------------------------------------------------------------------

bindings(cluster) := cluster.acls.value if cluster.acls.state == "observed"

bindings(cluster) := [] if cluster.acls.state != "observed"

# Bindings that allow something. Where a DENY takes away everything that one allows, it gives nothing.
grants(cluster) := {binding | some binding in granted[cluster.name]}

granted[name] contains binding if {
	some cluster in clusters
	name := cluster.name
	some binding in bindings(cluster)
	binding.permission == "ALLOW"
	not overruled(cluster, binding)
}

denied[name] contains binding if {
	some cluster in clusters
	name := cluster.name
	some binding in bindings(cluster)
	binding.permission == "DENY"
}

overruled(cluster, binding) if {
	some denial in denied[cluster.name]
	denial.host == "*"
	denial.principal in {binding.principal, "User:*"}
	denial.operation in {binding.operation, "ALL"}
	denial.resource_type == binding.resource_type
	spans(denial, binding)
}

# Whether one binding speaks of every resource of which the other does.
spans(wide, _) if covers_all(wide)

spans(wide, narrow) if {
	wide.pattern_type == narrow.pattern_type
	wide.resource_name == narrow.resource_name
}

spans(wide, narrow) if {
	wide.pattern_type == "PREFIXED"
	not covers_all(narrow)
	startswith(narrow.resource_name, wide.resource_name)
}

# Whether a binding speaks of a resource of that type and name.
covers(binding, resource_type, name) if {
	binding.resource_type == resource_type
	binding.pattern_type == "LITERAL"
	binding.resource_name in {name, "*"}
}

covers(binding, resource_type, name) if {
	binding.resource_type == resource_type
	binding.pattern_type == "PREFIXED"
	startswith(name, binding.resource_name)
}

# Whether a binding speaks of every resource of its type.
covers_all(binding) if {
	binding.pattern_type == "LITERAL"
	binding.resource_name == "*"
}

covers_all(binding) if {
	binding.pattern_type == "PREFIXED"
	binding.resource_name == ""
}

# The resources of a binding as a pattern of declarations.
pattern_of(binding) := binding.resource_name if binding.pattern_type == "LITERAL"

pattern_of(binding) := concat("", [binding.resource_name, "*"]) if binding.pattern_type == "PREFIXED"

acl_records(cluster) := coverage.records_in_cluster("kafka:DescribeAcls", cluster.name)

# Two lists of records as one.
both(some_records, others) := {record | some list in [some_records, others]; some record in list}

# Who authorizes ------------------------------------------------------------------------------------------

# Authorizers whose rules are those of ACLs and nothing else.
stock_authorizers := {
	"org.apache.kafka.metadata.authorizer.StandardAuthorizer",
	"kafka.security.authorizer.AclAuthorizer",
}

# Why the ACLs of a cluster may not tell who may do what on it, for every control that judges them.
unjudged[name] contains result if {
	some cluster in clusters
	name := cluster.name
	cluster.acls.state == "unknown"
	result := unsettled(cluster, "ACLs", cluster.acls)
}

unjudged[name] contains result if {
	some cluster in clusters
	name := cluster.name
	some binding in bindings(cluster)
	not understood(binding)
	result := finding.unproven(
		acl_id(cluster, binding),
		sprintf("is a binding that this tool does not understand: %s, %s", [binding.permission, binding.pattern_type]),
		[binding.record],
	)
}

unjudged[name] contains result if {
	some cluster in clusters
	name := cluster.name
	some broker in brokers(cluster)
	broker.configs.state == "observed"
	reason := strange_authorizer(broker)
	result := finding.unproven(cluster_id(cluster), reason, broker.evidence)
}

unjudged[name] contains result if {
	some cluster in clusters
	name := cluster.name
	some result in unknown_brokers_of(cluster)
}

# What else leaves access open: settings that are not known, a second plane of authorization.
unjudged[name] contains result if {
	some cluster in clusters
	name := cluster.name
	some reason in edges.undecided_about({cluster_id(cluster)})
	not reason in told(cluster)
	result := finding.unproven(
		cluster_id(cluster),
		sprintf("who may do what on it is not settled: %s", [reason]),
		cluster.evidence,
	)
}

# Reasons for which there is a finding already.
told(cluster) := {property.value |
	some property in [cluster.acls, cluster.topics, cluster.brokers]
	property.state == "unknown"
}

# Whether the ACLs of a cluster are known and tell who may do what on it.
is_judged(cluster) if {
	cluster.acls.state == "observed"
	not unjudged[cluster.name]
}

strange_authorizer(broker) := sprintf("its authorizer is %s, whose rules this tool does not know", [class]) if {
	class := setting(broker, "authorizer.class.name")
	class != ""
	not class in stock_authorizers
}

strange_authorizer(broker) := "which authorizer decides is not shown" if not shows(broker, "authorizer.class.name")

operations := {
	"ALL", "ALTER", "ALTER_CONFIGS", "CLUSTER_ACTION", "CREATE", "CREATE_TOKENS", "DELETE", "DESCRIBE",
	"DESCRIBE_CONFIGS", "DESCRIBE_TOKENS", "IDEMPOTENT_WRITE", "READ", "TWO_PHASE_COMMIT", "WRITE",
}

resource_types := {"CLUSTER", "DELEGATION_TOKEN", "GROUP", "TOPIC", "TRANSACTIONAL_ID", "USER"}

understood(binding) if {
	binding.permission in {"ALLOW", "DENY"}
	binding.pattern_type in {"LITERAL", "PREFIXED"}
	binding.operation in operations
	binding.resource_type in resource_types
}

# Principals ----------------------------------------------------------------------------------------------

administrators(cluster) := declared.kafka_administrators(cluster.name)

# Principals that stand for whoever comes along; no declaration makes an administrator of them.
anybody := {"User:*", "User:ANONYMOUS", "ANONYMOUS"}

administers(cluster, principal) if {
	principal in administrators(cluster)
	not principal in anybody
}

# What a workload's declaration lets its principal do with topics.
declared_patterns(cluster, principal, "READ") := {name |
	some workload in data.cadastre.lib.declared.clusters[cluster.name].workloads
	workload.principal == principal
	some name in workload.reads
}

declared_patterns(cluster, principal, "WRITE") := {name |
	some workload in data.cadastre.lib.declared.clusters[cluster.name].workloads
	workload.principal == principal
	some name in workload.writes
}

# Whether the declaration says that a principal does an operation on all topics of a pattern.
may(cluster, principal, _, _) if administers(cluster, principal)

may(cluster, principal, operation, names) if {
	not principal in anybody
	pattern.any_covers(declared_patterns(cluster, principal, operation), names)
}

# Whether the declaration names a principal at all.
is_known(cluster, principal) if {
	principal in (declared.kafka_principals(cluster.name) | data.cadastre.lib.declared.vendor_kafka_principals)
	not principal in anybody
}

is_known(cluster, principal) if {
	username := data.cadastre.lib.declared.clusters[cluster.name].security.username
	principal == sprintf("User:%s", [username])
}

is_known(_, principal) if {
	not principal in anybody
	some identity in input.declaration.identities
	startswith(identity.principal, "User:")
	pattern.matches(identity.principal, principal)
}

# Whether every statement that gives an edge is one of the given bindings.
explained(edge, some_bindings) if {
	count(edge.statements) > 0
	places := {[binding.record, binding.pointer] | some binding in some_bindings}
	every statement in edge.statements {
		[statement.record, statement.pointer] in places
	}
}

# What the scanner sees -----------------------------------------------------------------------------------

# Who looked at a cluster: who was refused on it, else the declared user, else whoever asked anything.
scanners(cluster) := callers if {
	callers := {denial.principal | some denial in cluster.denials; denial.principal != "ANONYMOUS"}
	count(callers) > 0
}

scanners(cluster) := {principal} if {
	every denial in cluster.denials {
		denial.principal == "ANONYMOUS"
	}
	principal := sprintf("User:%s", [data.cadastre.lib.declared.clusters[cluster.name].security.username])
}

# Kafka leaves out what the caller may not describe, without a word.
narrow_view contains result if {
	some cluster in clusters
	cluster.topics.state == "observed"
	not sees_all(cluster, "TOPIC", {"DESCRIBE", "READ", "WRITE", "DELETE", "ALTER", "ALL"})
	result := finding.unproven(
		cluster_id(cluster),
		"topics may be missing from its list: no ACL lets the scanning identity describe every topic",
		both(cluster.evidence, acl_records(cluster)),
	)
}

sees_all(cluster, _, _) if cluster.acls.state == "absent"

sees_all(cluster, resource_type, enough) if {
	callers := scanners(cluster)
	every caller in callers {
		sees(cluster, caller, resource_type, enough)
	}
}

sees(cluster, caller, resource_type, enough) if {
	some binding in grants(cluster)
	binding.principal in {caller, "User:*"}
	binding.host == "*"
	binding.resource_type == resource_type
	binding.operation in enough
	covers_all(binding)
	count(blindfolds(cluster, caller, resource_type)) == 0
}

# A declared super user whom nothing was refused is one, and sees everything.
sees(cluster, caller, _, _) if {
	caller in data.cadastre.lib.declared.clusters[cluster.name]["super-users"]
	tried := {denial.refused | some denial in cluster.denials; denial.principal == caller}
	tried == {{"state": "observed", "value": false}}
}

blindfolds(cluster, caller, resource_type) := {binding |
	some binding in denied[cluster.name]
	binding.principal in {caller, "User:*"}
	binding.resource_type == resource_type
	binding.operation in {"DESCRIBE", "DESCRIBE_TOKENS", "ALL"}
}
