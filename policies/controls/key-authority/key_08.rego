# METADATA
# scope: package
# title: Every listener keeps to the TLS plan
# description: |
#   Every listener of every broker is tried: it speaks TLS only, in declared versions and with suites that keep
#   forward secrecy and authenticate; its chain verifies against the authorities the scanner was given, names a
#   declared issuer where some are declared, and stays valid for the declared notice. The listeners between
#   brokers and to controllers are among those tried.
# custom:
#   id: KEY-08
#   area: key-authority
#   pass: it negotiates declared versions, and its chain is trusted and valid long enough
#   red_flag: plaintext listener, old version, undeclared issuer, near expiry
#   requires:
#     - kafka:Metadata
#     - kafka:DescribeConfigs
#     - kafka:DescribeQuorum
#     - probe:TlsHandshake
#     - probe:PlaintextConnection
#   fix: set the listener's protocol to SSL or SASL_SSL, its ssl.enabled.protocols as declared, and renew the certificate
package cadastre.controls.key_08

import rego.v1

import data.cadastre.lib.finding
import data.cadastre.lib.keys
import data.cadastre.lib.known

# Every listener with its cluster and the plan it has to keep to.
tried contains result if {
	some cluster in input.inventory.clusters
	some listener in cluster.listeners
	plan := data.cadastre.lib.declared.clusters[cluster.name].tls
	result := {"id": name(cluster, listener), "listener": listener, "plan": plan}
}

name(cluster, listener) := sprintf("listener:%s/%s", [cluster.name, listener.name])

subjects contains result if {
	some item in tried
	result := finding.examined(item.id, item.listener.evidence)
}

findings contains result if {
	some cluster in input.inventory.clusters
	some listener in cluster.listeners
	not data.cadastre.lib.declared.clusters[cluster.name]
	result := finding.unproven(name(cluster, listener), "its cluster is not declared, so that no TLS plan is set for it", listener.evidence)
}

# Plaintext -------------------------------------------------------------------------------------------------

findings contains result if {
	some item in tried
	item.listener.plaintext == {"state": "observed", "value": true}
	result := finding.red(item.id, sprintf("%s speaks Kafka without TLS", [place(item)]), item.listener.evidence)
}

findings contains result if {
	some item in tried
	item.listener.protocol.state == "observed"
	item.listener.protocol.value in {"PLAINTEXT", "SASL_PLAINTEXT"}
	result := finding.red(item.id, sprintf("%s is configured as %s", [place(item), item.listener.protocol.value]), item.listener.evidence)
}

findings contains result if {
	some item in tried
	item.listener.plaintext.state != "observed"
	missing := open_reason(item.listener.plaintext)
	result := finding.unproven(item.id, sprintf("whether %s takes plaintext was not settled: %s", [place(item), missing]), item.listener.evidence)
}

place(item) := sprintf("%s:%d", [item.listener.host, item.listener.port])

open_reason(property) := "no probe answered" if property.state == "absent"

open_reason(property) := known.missing(property) if property.state != "absent"

# Versions and suites ---------------------------------------------------------------------------------------

findings contains result if {
	some item in tried
	item.listener.tls_versions.state == "absent"
	result := finding.red(item.id, sprintf("%s does not speak TLS", [place(item)]), item.listener.evidence)
}

findings contains result if {
	some item in tried
	item.listener.tls_versions.state == "unknown"
	missing := known.missing(item.listener.tls_versions)
	result := finding.unproven(item.id, sprintf("the TLS versions of %s are not known: %s", [place(item), missing]), item.listener.evidence)
}

findings contains result if {
	some item in tried
	item.listener.tls_versions.state == "observed"
	count(item.listener.tls_versions.value) == 0
	result := finding.unproven(item.id, sprintf("no TLS version was settled on with %s", [place(item)]), item.listener.evidence)
}

findings contains result if {
	some item in tried
	item.listener.tls_versions.state == "observed"
	old := {version | some version in item.listener.tls_versions.value} - {version | some version in item.plan.versions}
	count(old) > 0
	result := finding.red(item.id, sprintf("%s negotiates %s, which the plan does not have", [place(item), concat(", ", old)]), item.listener.evidence)
}

# Suites without forward secrecy or without authenticated encryption (RFC 9325, section 4.1).
weak(suite) if regex.match(`_(CBC|RC4|3DES|DES|DES40|NULL|EXPORT|anon|MD5|IDEA|SEED)(_|$)`, suite)

weak(suite) if regex.match(`^TLS_(RSA|DH|ECDH|PSK|RSA_PSK|KRB5)_WITH_`, suite)

weak(suite) if regex.match(`^TLS_(DH|ECDH)_(RSA|DSS|ECDSA)_WITH_`, suite)

findings contains result if {
	some item in tried
	bad := {suite | some suite in item.listener.cipher_suites; weak(suite)}
	count(bad) > 0
	result := finding.red(item.id, sprintf("%s negotiates %s", [place(item), concat(", ", bad)]), item.listener.evidence)
}

findings contains result if {
	some item in tried
	item.listener.tls_versions.state == "observed"
	count(item.listener.cipher_suites) == 0
	result := finding.unproven(item.id, sprintf("the suites of %s are not known", [place(item)]), item.listener.evidence)
}

# Certificates ----------------------------------------------------------------------------------------------

findings contains result if {
	some item in tried
	item.listener.tls_versions.state == "observed"
	item.listener.certificates.state != "observed"
	missing := open_reason(item.listener.certificates)
	result := finding.unproven(item.id, sprintf("the certificates of %s are not known: %s", [place(item), missing]), item.listener.evidence)
}

findings contains result if {
	some item in tried
	item.listener.certificates.state == "observed"
	count(item.listener.certificates.value) == 0
	result := finding.unproven(item.id, sprintf("%s showed no certificate", [place(item)]), item.listener.evidence)
}

findings contains result if {
	some item in tried
	item.listener.certificates.state == "observed"
	some certificate in item.listener.certificates.value
	left := keys.seconds(certificate.not_after) - input.as_of_seconds
	left < item.plan["expiry-notice"]
	result := finding.red(item.id, sprintf("certificate %s of %s ends at %s", [certificate.subject, place(item), certificate.not_after]), item.listener.evidence)
}

findings contains result if {
	some item in tried
	item.listener.certificates.state == "observed"
	some certificate in item.listener.certificates.value
	keys.seconds(certificate.not_before) > input.as_of_seconds
	result := finding.red(item.id, sprintf("certificate %s of %s is not valid before %s", [certificate.subject, place(item), certificate.not_before]), item.listener.evidence)
}

# Whether the chain verified is the same for all of it; the leaf speaks for it.
findings contains result if {
	some item in tried
	item.listener.certificates.state == "observed"
	leaf := item.listener.certificates.value[0]
	leaf.trusted == {"state": "observed", "value": false}
	result := finding.red(item.id, sprintf("the chain of %s, issued by %s, does not verify against the given authorities", [place(item), leaf.issuer]), item.listener.evidence)
}

findings contains result if {
	some item in tried
	item.listener.certificates.state == "observed"
	leaf := item.listener.certificates.value[0]
	leaf.trusted.state != "observed"
	missing := open_reason(leaf.trusted)
	result := finding.unproven(item.id, sprintf("whether the chain of %s verifies is not known: %s", [place(item), missing]), item.listener.evidence)
}

findings contains result if {
	some item in tried
	item.listener.certificates.state == "observed"
	issuers := {issuer | some issuer in item.plan.issuers}
	count(issuers) > 0
	seen := chain_issuers(item.listener.certificates.value)
	count(seen) > 0
	count(seen & issuers) == 0
	result := finding.red(item.id, sprintf("%s is certified by %s, which is no declared issuer", [place(item), concat(" by ", seen)]), item.listener.evidence)
}

# The issuers on the way up from the leaf, each the subject of the next: what a server appends beside it issued
# nothing. That the signatures hold is what `trusted` says.
chain_issuers(chain) := {certificate.issuer |
	some index, certificate in chain
	every below in numbers.range(0, index) {
		linked(chain, below)
	}
}

linked(_, index) if index == 0

linked(chain, index) if {
	index > 0
	chain[index].subject == chain[index - 1].issuer
}

findings contains result if {
	some item in tried
	item.listener.certificates.state == "observed"
	leaf := item.listener.certificates.value[0]
	leaf.self_signed
	not leaf.issuer in item.plan.issuers
	result := finding.red(item.id, sprintf("%s shows a certificate that signs itself, %s", [place(item), leaf.subject]), item.listener.evidence)
}

# Coverage --------------------------------------------------------------------------------------------------

seen_names(cluster) := {upper(listener.name) | some listener in cluster.listeners}

# What the listeners of controllers are called: as declared, and as brokers are configured.
controller_names(cluster) := {upper(entry.name) |
	some entry in data.cadastre.lib.declared.clusters[cluster.name].listeners
	entry.purpose == "controller"
} | {upper(trim_space(part)) |
	cluster.brokers.state == "observed"
	some broker in cluster.brokers.value
	value := broker.configs.value["controller.listener.names"].value
	is_string(value)
	some part in split(value, ",")
	trim_space(part) != ""
}

# One controller that was tried says nothing of the others.
findings contains result if {
	some cluster in input.inventory.clusters
	cluster.quorum.state == "observed"
	some voter in cluster.quorum.value.voters
	names := controller_names(cluster)
	some wanted in names
	not tried_on(cluster, wanted, voter)
	result := finding.unproven(
		sprintf("listener:%s/%s", [cluster.name, wanted]),
		sprintf("on controller %d it was not found, and so not tried", [voter]),
		cluster.evidence,
	)
}

tried_on(cluster, wanted, voter) if {
	some listener in cluster.listeners
	listener.broker == voter
	upper(listener.name) == wanted
}

findings contains result if {
	some cluster in input.inventory.clusters
	cluster.quorum.state == "observed"
	count(controller_names(cluster)) == 0
	result := finding.unproven(sprintf("cluster:%s", [cluster.name]), "which listener its controllers have is not known", cluster.evidence)
}

findings contains result if {
	some cluster in input.inventory.clusters
	cluster.quorum.state == "unknown"
	result := finding.unproven(sprintf("cluster:%s", [cluster.name]), sprintf("which controllers it has is not known: %s", [known.missing(cluster.quorum)]), cluster.evidence)
}

# The listeners that brokers name for each other and for controllers.
inner_names(broker) := {upper(trim_space(part)) |
	some setting in ["inter.broker.listener.name", "controller.listener.names"]
	value := broker.configs.value[setting].value
	is_string(value)
	some part in split(value, ",")
	trim_space(part) != ""
}

findings contains result if {
	some cluster in input.inventory.clusters
	cluster.brokers.state == "observed"
	some broker in cluster.brokers.value
	broker.configs.state == "observed"
	some inner in inner_names(broker)
	not inner in seen_names(cluster)
	result := finding.unproven(sprintf("listener:%s/%s", [cluster.name, inner]), "carries traffic between brokers or to controllers and was not tried", broker.evidence)
}

findings contains result if {
	some cluster in input.inventory.clusters
	cluster.brokers.state == "observed"
	some broker in cluster.brokers.value
	broker.configs.state != "observed"
	missing := open_reason(broker.configs)
	result := finding.unproven(sprintf("broker:%s/%d", [cluster.name, broker.id]), sprintf("which listeners it has is not known: %s", [missing]), broker.evidence)
}

findings contains result if {
	some cluster in input.inventory.clusters
	some entry in data.cadastre.lib.declared.clusters[cluster.name].listeners
	not upper(entry.name) in seen_names(cluster)
	count({listener.port | some listener in cluster.listeners; contains(listener.name, ":")} & {entry.port}) == 0
	result := finding.unproven(sprintf("listener:%s/%s", [cluster.name, entry.name]), "is declared and was not found", cluster.evidence)
}

findings contains result if {
	some cluster in input.inventory.clusters
	count(cluster.listeners) == 0
	result := finding.unproven(sprintf("cluster:%s", [cluster.name]), "no listener of it is known", cluster.evidence)
}

findings contains result if {
	some declared_name, _ in data.cadastre.lib.declared.clusters
	not declared_name in {cluster.name | some cluster in input.inventory.clusters}
	result := finding.unproven(sprintf("cluster:%s", [declared_name]), "is declared and nothing of it was observed", set())
}
