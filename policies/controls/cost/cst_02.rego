# METADATA
# scope: package
# title: Unit counts are measured and prices replaceable
# description: |
#   What a million records cost in requests and bytes was counted by the brokers of this deployment, and the prices are the customer's own, of a
#   stated day. An estimate from another machine, or the example prices that come with the program, prove nothing.
# custom:
#   id: CST-02
#   area: cost
#   pass: brokers counted their requests over enough records, and prices are the customer's own and less than 400 days old
#   red_flag: the bill is reckoned with prices more than 400 days old
#   requires:
#     - kafka:DescribeConfigs
#   fix: run the workload against brokers that count, scan them, and give your own prices by `--prices`
package cadastre.controls.cst_02

import rego.v1

import data.cadastre.lib.cost
import data.cadastre.lib.finding
import data.cadastre.lib.kafka

# Fewer say nothing of what a million cost.
fewest_records := 10000

oldest := 400 * 86400

day := time.parse_rfc3339_ns(sprintf("%sT00:00:00Z", [cost.prices.as_of])) / 1000000000

subjects contains result if {
	some cluster in kafka.clusters
	units := cost.measured[cluster.name]
	message := sprintf("%d records were counted, and prices are those of %s", [units.records, cost.prices.as_of])
	result := finding.shown(kafka.cluster_id(cluster), message, units.evidence)
}

findings contains result if some result in kafka.silent

findings contains result if {
	some cluster in kafka.clusters
	not cost.measured[cluster.name]
	message := "its brokers tell no counts of requests and bytes, so that what a million records cost is not measured"
	result := finding.unproven(kafka.cluster_id(cluster), message, cluster.evidence)
}

findings contains result if {
	some cluster in kafka.clusters
	units := cost.measured[cluster.name]
	units.records < fewest_records
	message := sprintf("its brokers counted %d records, and %d are the fewest that tell anything", [units.records, fewest_records])
	result := finding.unproven(kafka.cluster_id(cluster), message, units.evidence)
}

findings contains result if {
	some cluster in kafka.clusters
	cost.prices.is_example
	message := "it is priced by the example that comes with the program; `--prices` names your own"
	result := finding.unproven(kafka.cluster_id(cluster), message, cluster.evidence)
}

findings contains result if {
	some cluster in kafka.clusters
	not cost.prices.is_example
	input.as_of_seconds - day > oldest
	message := sprintf("it is priced as of %s, more than 400 days before the time judged for", [cost.prices.as_of])
	result := finding.red(kafka.cluster_id(cluster), message, cluster.evidence)
}

findings contains result if {
	some cluster in kafka.clusters
	day > input.as_of_seconds + 86400
	message := sprintf("it is priced as of %s, which is after the time judged for", [cost.prices.as_of])
	result := finding.unproven(kafka.cluster_id(cluster), message, cluster.evidence)
}
