# METADATA
# scope: package
# title: SCRAM credentials are strong and delegation tokens bounded
# description: |
#   Every SCRAM credential uses SHA-256 or SHA-512 with at least the declared iterations (RFC 5802). Where delegation
#   tokens are on, each one ends within the declared lifetime however often it is renewed, and the brokers issue none
#   that lives longer.
# custom:
#   id: KAF-11
#   area: kafka
#   pass: credentials have at least the declared iterations, and tokens end within the declared lifetime
#   red_flag: a weaker mechanism, fewer iterations, or a token that lives longer than declared
#   requires:
#     - kafka:DescribeUserScramCredentials
#     - kafka:DescribeDelegationToken
#     - kafka:Metadata
#     - kafka:DescribeConfigs
#   fix: |
#     set the credential again with SCRAM-SHA-512 and the declared iterations; lower delegation.token.max.lifetime.ms and
#     expire the tokens that live longer
package cadastre.controls.kaf_11

import rego.v1

import data.cadastre.lib.coverage
import data.cadastre.lib.finding
import data.cadastre.lib.kafka

# Credentials -----------------------------------------------------------------------------------------------

strong := {"SCRAM-SHA-256", "SCRAM-SHA-512"}

credentials(cluster) := cluster.scram_credentials.value if cluster.scram_credentials.state == "observed"

credential_id(cluster, credential) := sprintf("credential:%s/%s %s", [cluster.name, credential.user, credential.mechanism])

scram_records(cluster) := coverage.records_in_cluster("kafka:DescribeUserScramCredentials", cluster.name)

subjects contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	kafka.is_declared(cluster)
	some credential in credentials(cluster)
	result := finding.examined(credential_id(cluster, credential), scram_records(cluster))
}

subjects contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	cluster.scram_credentials == {"state": "observed", "value": []}
	result := finding.shown(kafka.cluster_id(cluster), "has no SCRAM credentials", kafka.both(cluster.evidence, scram_records(cluster)))
}

findings contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	some credential in credentials(cluster)
	not credential.mechanism in strong
	credential.mechanism != "UNKNOWN"
	result := finding.red(
		credential_id(cluster, credential),
		"is neither SCRAM-SHA-256 nor SCRAM-SHA-512",
		kafka.both(cluster.evidence, scram_records(cluster)),
	)
}

findings contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	some credential in credentials(cluster)
	least := data.cadastre.lib.declared.clusters[cluster.name]["scram-iterations"]
	credential.iterations < least
	result := finding.red(
		credential_id(cluster, credential),
		sprintf("has %d iterations, and at least %d are declared", [credential.iterations, least]),
		kafka.both(cluster.evidence, scram_records(cluster)),
	)
}

findings contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	some credential in credentials(cluster)
	credential.mechanism == "UNKNOWN"
	result := finding.unproven(
		credential_id(cluster, credential),
		"is of a mechanism that this tool does not know",
		kafka.both(cluster.evidence, scram_records(cluster)),
	)
}

findings contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	result := kafka.unsettled(cluster, "SCRAM credentials", cluster.scram_credentials)
}

# Delegation tokens -----------------------------------------------------------------------------------------

tokens(cluster) := cluster.delegation_tokens.value if cluster.delegation_tokens.state == "observed"

token_id(cluster, token) := sprintf("delegation-token:%s/%s", [cluster.name, token.id])

token_records(cluster) := coverage.records_in_cluster("kafka:DescribeDelegationToken", cluster.name)

lifetime(cluster) := data.cadastre.lib.declared.clusters[cluster.name]["delegation-token-lifetime"]

subjects contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	kafka.is_declared(cluster)
	cluster.delegation_tokens.state == "absent"
	result := finding.examined(kafka.cluster_id(cluster), kafka.both(cluster.evidence, token_records(cluster)))
}

subjects contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	kafka.is_declared(cluster)
	some token in tokens(cluster)
	result := finding.examined(token_id(cluster, token), token_records(cluster))
}

# Where tokens are on, what the brokers let a token live counts as well.
subjects contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	kafka.is_declared(cluster)
	cluster.delegation_tokens.state == "observed"
	some broker in kafka.brokers(cluster)
	result := finding.examined(kafka.broker_id(cluster, broker), broker.evidence)
}

findings contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	some token in tokens(cluster)
	longest := lifetime(cluster)
	not ends_within(token, longest)
	result := finding.red(
		token_id(cluster, token),
		sprintf("may live until %s, more than the declared %d seconds after it was issued to %s", [token.maximum, longest, token.owner]),
		kafka.both(cluster.evidence, token_records(cluster)),
	)
}

# Times beyond those that can be counted in nanoseconds are beyond every lifetime.
ends_within(token, longest) if {
	token.issued > "1970"
	token.maximum < "2262"
	issued := time.parse_rfc3339_ns(token.issued)
	maximum := time.parse_rfc3339_ns(token.maximum)
	maximum - issued <= longest * 1000000000
}

maximum_setting := "delegation.token.max.lifetime.ms"

findings contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	cluster.delegation_tokens.state == "observed"
	some broker in kafka.brokers(cluster)
	longest := lifetime(cluster)
	milliseconds := kafka.number(broker, maximum_setting)
	is_beyond(milliseconds, longest)
	result := finding.red(
		kafka.broker_id(cluster, broker),
		sprintf("%s=%d, more than the declared %d seconds", [maximum_setting, milliseconds, longest]),
		broker.evidence,
	)
}

is_beyond(milliseconds, longest) if milliseconds > longest * 1000

is_beyond(milliseconds, _) if milliseconds < 0

findings contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	cluster.delegation_tokens.state == "observed"
	some broker in kafka.brokers(cluster)
	broker.configs.state == "observed"
	not kafka.shows_number(broker, maximum_setting)
	result := finding.unproven(
		kafka.broker_id(cluster, broker),
		kafka.not_shown(broker, maximum_setting),
		broker.evidence,
	)
}

findings contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	cluster.delegation_tokens.state == "observed"
	some result in kafka.unknown_brokers_of(cluster)
}

findings contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	cluster.delegation_tokens.state == "observed"
	not sees_tokens(cluster)
	result := finding.unproven(
		kafka.cluster_id(cluster),
		"delegation tokens may be missing from its list: no ACL lets the scanning identity describe every token",
		kafka.both(cluster.evidence, kafka.acl_records(cluster)),
	)
}

sees_tokens(cluster) if kafka.sees_all(cluster, "DELEGATION_TOKEN", {"DESCRIBE", "ALL"})

sees_tokens(cluster) if kafka.sees_all(cluster, "USER", {"DESCRIBE_TOKENS", "ALL"})

findings contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	cluster.delegation_tokens.state == "unknown"
	result := kafka.unsettled(cluster, "delegation tokens", cluster.delegation_tokens)
}

findings contains result if some result in data.cadastre.lib.kafka.silent
