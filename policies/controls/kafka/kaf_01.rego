# METADATA
# scope: package
# title: Every client listener authenticates
# description: |
#   Each listener is tried without credentials, with TLS and without. One that serves anybody, or that carries
#   clients in plaintext, is open whatever its configuration says. Listeners between brokers count as well: a
#   client that finds one open needs no other.
# custom:
#   id: KAF-01
#   area: kafka
#   pass: nobody is served without credentials, and no client listener is plaintext
#   red_flag: an anonymous or plaintext client listener, proven by trying it
#   requires:
#     - kafka:Metadata
#     - kafka:DescribeConfigs
#     - probe:AnonymousConnection
#     - probe:PlaintextConnection
#   fix: give the listener SASL_SSL, or SSL with ssl.client.auth=required, in listener.security.protocol.map
package cadastre.controls.kaf_01

import rego.v1

import data.cadastre.lib.finding
import data.cadastre.lib.kafka

subjects contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	some listener in cluster.listeners
	result := finding.examined(kafka.listener_id(cluster, listener), listener.evidence)
}

findings contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	some listener in cluster.listeners
	listener.anonymous_access == {"state": "observed", "value": true}
	result := finding.red(
		kafka.listener_id(cluster, listener),
		sprintf("%s:%d serves clients that present no credentials", [listener.host, listener.port]),
		listener.evidence,
	)
}

findings contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	some listener in cluster.listeners
	for_clients(cluster, listener)
	listener.plaintext == {"state": "observed", "value": true}
	result := finding.red(
		kafka.listener_id(cluster, listener),
		sprintf("%s:%d carries clients without TLS", [listener.host, listener.port]),
		listener.evidence,
	)
}

findings contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	some listener in cluster.listeners
	listener.protocol == {"state": "observed", "value": "PLAINTEXT"}
	result := finding.red(
		kafka.listener_id(cluster, listener),
		sprintf("%s:%d is configured as PLAINTEXT, which authenticates nobody", [listener.host, listener.port]),
		listener.evidence,
	)
}

findings contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	some listener in cluster.listeners
	some property in [listener.anonymous_access, listener.plaintext]
	property.state != "observed"
	result := finding.unproven(
		kafka.listener_id(cluster, listener),
		sprintf("%s:%d was not settled by trying: %s", [
			listener.host,
			listener.port,
			object.get(property, "value", "no probe answered"),
		]),
		listener.evidence,
	)
}

findings contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	count(cluster.listeners) == 0
	result := finding.unproven(kafka.cluster_id(cluster), "no listener of it is known", cluster.evidence)
}

# A declared listener that nothing shows.
findings contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	some entry in data.cadastre.lib.declared.clusters[cluster.name].listeners
	name := upper(entry.name)
	not name in {upper(listener.name) | some listener in cluster.listeners}
	result := finding.unproven(
		sprintf("listener:%s/%s", [cluster.name, name]),
		"is declared and was not found",
		cluster.evidence,
	)
}

findings contains result if some result in data.cadastre.lib.kafka.silent

# A listener is for clients unless the declaration says otherwise. Kafka reads names without regard to case.
for_clients(cluster, listener) if {
	name := upper(listener.name)
	not name in {upper(entry.name) |
		some entry in data.cadastre.lib.declared.clusters[cluster.name].listeners
		entry.purpose in {"inter-broker", "controller"}
	}
}
