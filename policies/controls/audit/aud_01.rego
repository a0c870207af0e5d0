# METADATA
# scope: package
# title: API activity, key use, object access and flows are logged to the customer
# description: |
#   Every declared account and region has a trail that runs and records all management events with those of KMS;
#   every bucket with records has its object reads and writes recorded; every network of brokers has an active flow
#   log of all traffic. All of them end in buckets and log groups of declared accounts.
# custom:
#   id: AUD-01
#   area: audit
#   pass: it is logged to a sink of the customer
#   red_flag: a data event class not logged, or a sink in a vendor account
#   requires:
#     - cloudtrail:DescribeTrails
#     - cloudtrail:GetTrailStatus
#     - cloudtrail:GetEventSelectors
#     - ec2:DescribeFlowLogs
#     - ec2:DescribeInstances
#     - iam:ListInstanceProfiles
#     - iam:GetAccountAuthorizationDetails
#     - s3:ListBuckets
#     - logs:DescribeLogGroups
#   fix: start the trail, add the event class to its selectors, or point it at a sink of the customer
package cadastre.controls.aud_01

import rego.v1

import data.cadastre.lib.coverage
import data.cadastre.lib.finding

# Trails ----------------------------------------------------------------------------------------------------

sound(trail) if {
	trail.logging == {"state": "observed", "value": true}
	trail.delivery_error.state == "absent"
	trail.selectors.state == "observed"
	owned_bucket(trail.bucket)
}

owned_bucket(name) if data.cadastre.lib.plane.bucket_by_name[name].account in data.cadastre.lib.declared.aws_accounts

# A trail of which something is not known.
undecided(trail) if {
	some property in [trail.logging, trail.delivery_error, trail.selectors]
	property.state == "unknown"
}

serves(trail, account, _) if {
	trail.account == account
	trail.multi_region
}

serves(trail, account, region) if {
	trail.account == account
	trail.home_region == region
}

# A trail of another account may be the organization's.
foreign_trails(account) := [trail |
	some trail in input.inventory.trails
	trail.account != account
	trail.multi_region
]

places contains result if {
	some account in data.cadastre.lib.declared.aws_accounts
	some region in data.cadastre.lib.declared.regions
	result := {"id": sprintf("%s/%s", [account, region]), "account": account, "region": region}
}

trails_at(place) := [trail | some trail in input.inventory.trails; serves(trail, place.account, place.region)]

records_all(trail) if {
	trail.selectors.value.management_read_write
	trail.selectors.value.key_use
}

well_recorded(place) if {
	some trail in trails_at(place)
	sound(trail)
	records_all(trail)
}

subjects contains result if {
	some place in places
	well_recorded(place)
	evidence := {record | some trail in trails_at(place); some record in trail.evidence}
	result := finding.shown(place.id, "API activity and key use are recorded", evidence)
}

findings contains result if {
	some place in places
	count(trails_at(place)) == 0
	count(foreign_trails(place.account)) == 0
	not coverage.gap_in("cloudtrail:DescribeTrails", place.account, place.region)
	records := coverage.records_in("cloudtrail:DescribeTrails", place.account, place.region)
	result := finding.red(place.id, "no trail records API activity and key use", records)
}

findings contains result if {
	some place in places
	count(trails_at(place)) == 0
	some trail in foreign_trails(place.account)
	result := finding.unproven(place.id, sprintf("no trail of its own, and whether %s records it is not settled", [trail.arn]), trail.evidence)
}

# Each trail that keeps its place from being well recorded says why.
findings contains result if {
	some place in places
	not well_recorded(place)
	some trail in trails_at(place)
	some defect in defects(trail)
	result := finding.red(trail.arn, defect, trail.evidence)
}

defects(trail) := {defect | some defect in [stopped(trail), failing(trail), partial(trail), blind(trail), elsewhere(trail)]; defect != ""}

stopped(trail) := "does not record" if trail.logging.state == "absent"

stopped(trail) := "does not record" if trail.logging == {"state": "observed", "value": false}

stopped(trail) := "" if {
	trail.logging.state != "absent"
	trail.logging != {"state": "observed", "value": false}
}

failing(trail) := sprintf("cannot deliver: %s", [trail.delivery_error.value]) if trail.delivery_error.state == "observed"

failing(trail) := "" if trail.delivery_error.state != "observed"

partial(trail) := "does not record all management events" if {
	trail.selectors.state == "observed"
	not trail.selectors.value.management_read_write
}

partial(trail) := "has no event selectors" if trail.selectors.state == "absent"

partial(trail) := "" if trail.selectors.state == "unknown"

partial(trail) := "" if {
	trail.selectors.state == "observed"
	trail.selectors.value.management_read_write
}

blind(trail) := "does not record uses of keys" if {
	trail.selectors.state == "observed"
	not trail.selectors.value.key_use
}

blind(trail) := "" if trail.selectors.state != "observed"

blind(trail) := "" if {
	trail.selectors.state == "observed"
	trail.selectors.value.key_use
}

elsewhere(trail) := sprintf("writes to %s, which is no bucket of a declared account", [trail.bucket]) if {
	not owned_bucket(trail.bucket)
	not coverage.gap_anywhere("s3:ListBuckets")
}

elsewhere(trail) := "" if owned_bucket(trail.bucket)

elsewhere(trail) := "" if {
	not owned_bucket(trail.bucket)
	coverage.gap_anywhere("s3:ListBuckets")
}

findings contains result if {
	some place in places
	not well_recorded(place)
	some trail in trails_at(place)
	undecided(trail)
	result := finding.unproven(trail.arn, "whether it records, and what, is not known", trail.evidence)
}

findings contains result if {
	some place in places
	not well_recorded(place)
	some trail in trails_at(place)
	not owned_bucket(trail.bucket)
	coverage.gap_anywhere("s3:ListBuckets")
	result := finding.unproven(trail.arn, sprintf("whose bucket %s is cannot be told", [trail.bucket]), trail.evidence)
}

# A sink of a vendor is a red flag even beside a good trail.
findings contains result if {
	some trail in input.inventory.trails
	trail.account in data.cadastre.lib.declared.aws_accounts
	not owned_bucket(trail.bucket)
	not coverage.gap_anywhere("s3:ListBuckets")
	result := finding.red(trail.arn, sprintf("writes to %s, which is no bucket of a declared account", [trail.bucket]), trail.evidence)
}

# Objects ---------------------------------------------------------------------------------------------------

object_trails(bucket) := [trail |
	some trail in input.inventory.trails
	sound(trail)
	trail.account == bucket.account
	reaches_region(trail, bucket)
	some covered in trail.selectors.value.object_access
	covered in {bucket.arn, "arn:aws:s3"}
]

reaches_region(trail, _) if trail.multi_region

reaches_region(trail, bucket) if bucket.region == {"state": "observed", "value": trail.home_region}

subjects contains result if {
	some bucket in data.cadastre.lib.plane.data_buckets
	trails := object_trails(bucket)
	count(trails) > 0
	evidence := {record | some record in bucket.evidence} | {record | some trail in trails; some record in trail.evidence}
	result := finding.shown(bucket.arn, "reads and writes of its objects are recorded", evidence)
}

sound_trails := [trail | some trail in input.inventory.trails; sound(trail)]

findings contains result if {
	some bucket in data.cadastre.lib.plane.data_buckets
	count(object_trails(bucket)) == 0
	count(sound_trails) > 0
	count([trail | some trail in input.inventory.trails; undecided(trail)]) == 0
	not coverage.gap_anywhere("cloudtrail:DescribeTrails")
	evidence := {record | some record in bucket.evidence} | {record | some trail in sound_trails; some record in trail.evidence}
	result := finding.red(bucket.arn, "no trail records reads and writes of its objects", evidence)
}

findings contains result if {
	some bucket in data.cadastre.lib.plane.data_buckets
	count(object_trails(bucket)) == 0
	some trail in input.inventory.trails
	undecided(trail)
	result := finding.unproven(bucket.arn, sprintf("whether %s records its objects is not known", [trail.name]), trail.evidence)
}

# Flows -----------------------------------------------------------------------------------------------------

flow_logged(vpc) if {
	some log in input.inventory.flow_logs
	log.resource == vpc
	good_flow_log(log)
}

# Subnet by subnet covers the brokers as well.
flow_logged(vpc) if {
	subnets := {host.subnet | some host in data.cadastre.lib.plane.broker_hosts; host.vpc == vpc}
	count(subnets) > 0
	every subnet in subnets {
		subnet_logged(subnet)
	}
}

subnet_logged(subnet) if {
	some log in input.inventory.flow_logs
	log.resource == subnet
	good_flow_log(log)
}

good_flow_log(log) if {
	log.status == "ACTIVE"
	log.traffic == "ALL"
	owned_sink(log)
}

owned_sink(log) if {
	startswith(log.destination, "arn:aws:s3:::")
	owned_bucket(split(trim_prefix(log.destination, "arn:aws:s3:::"), "/")[0])
}

owned_sink(log) if {
	contains(log.destination, ":log-group:")
	some group in input.inventory.log_groups
	group.arn == trim_suffix(log.destination, ":*")
	group.account in data.cadastre.lib.declared.aws_accounts
}

flow_evidence(vpc) := {record | some log in input.inventory.flow_logs; some record in log.evidence} | {record |
	some host in data.cadastre.lib.plane.broker_hosts
	host.vpc == vpc
	some record in host.evidence
}

subjects contains result if {
	some vpc in data.cadastre.lib.plane.broker_networks
	flow_logged(vpc)
	result := finding.shown(vpc, "all its flows are logged", flow_evidence(vpc))
}

findings contains result if {
	some vpc in data.cadastre.lib.plane.broker_networks
	not flow_logged(vpc)
	not coverage.gap_anywhere("ec2:DescribeFlowLogs")
	not coverage.gap_anywhere("s3:ListBuckets")
	not coverage.gap_anywhere("logs:DescribeLogGroups")
	records := flow_evidence(vpc) | coverage.records_of("ec2:DescribeFlowLogs")
	result := finding.red(vpc, sprintf("no active flow log of all traffic covers the brokers%s", [flow_reason(vpc)]), records)
}

flow_reason(vpc) := sprintf(": %s", [concat("; ", reasons)]) if {
	reasons := flow_reasons(vpc)
	count(reasons) > 0
}

flow_reason(vpc) := "" if count(flow_reasons(vpc)) == 0

flow_reasons(vpc) := {reason |
	some log in input.inventory.flow_logs
	log.resource == vpc
	reason := sprintf("%s is %s, records %s and writes to %s", [log.id, log.status, log.traffic, log.destination])
}
