# METADATA
# scope: package
# title: Every cost driver is visible and modelled
# description: |
#   What the evidence shows and is paid for has its place in the model of the bill: hosts, disks, objects and requests for them, keys, trails,
#   endpoints and gateways. What has none makes the bill another than the one that was decided on.
# custom:
#   id: CST-01
#   area: cost
#   pass: everything that is paid for and was observed is in the model
#   red_flag: the deployment has a driver that the model lacks
#   requires:
#     - ec2:DescribeInstances
#     - ec2:DescribeVolumes
#     - ec2:DescribeVpcEndpoints
#     - kafka:DescribeConfigs
#   fix: take what the model has nothing for out of the deployment, or reckon it by hand beside the model
package cadastre.controls.cst_01

import rego.v1

import data.cadastre.lib.cost
import data.cadastre.lib.finding

subjects contains result if {
	some item in cost.observed
	is_string(item.driver)
	result := finding.shown(item.subject, sprintf("%s: `%s` in the model", [item.what, item.driver]), item.evidence)
}

findings contains result if {
	some item in cost.observed
	not is_string(item.driver)
	result := finding.red(item.subject, sprintf("%s: the model has nothing for it", [item.what]), item.evidence)
}

findings contains result if {
	count(cost.observed) == 0
	result := finding.unproven(input.declaration.name, "nothing that is paid for is in the evidence", set())
}
