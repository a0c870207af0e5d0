# The data plane: which hosts, stores, disks and keys records live on.
package cadastre.lib.plane

import rego.v1

import data.cadastre.lib.declared
import data.cadastre.lib.edges
import data.cadastre.lib.pattern

# Hosts ---------------------------------------------------------------------------------------------------

# A host whose role is not known may be a broker, and is examined like one.
broker_hosts contains host if {
	some host in input.inventory.instances
	host.state != "terminated"
	is_broker(host)
}

is_broker(host) if {
	host.role.state == "observed"
	declared.has_job(host.role.value, {"broker"})
}

is_broker(host) if host.role.state == "unknown"

is_broker(host) if {
	some cluster in input.inventory.clusters
	cluster.brokers.state == "observed"
	some broker in cluster.brokers.value
	broker.host in host_names(host)
}

# The clusters whose brokers a host is known to run.
clusters_on[host.id] contains name if {
	some host in broker_hosts
	some cluster in input.inventory.clusters
	cluster.brokers.state == "observed"
	some broker in cluster.brokers.value
	broker.host in host_names(host)
	name := cluster.name
}

# What a host is operated as: as its clusters are. The boundary speaks for a host that no cluster is known to run on.
operating_models_of(host) := {declared.operating_model(name) | some name in clusters_on[host.id]} if clusters_on[host.id]

operating_models_of(host) := {input.declaration["operating-model"]} if not clusters_on[host.id]

# Where records of a host's clusters rest; where it is not known whose host it is, any declared architecture may be its own.
architectures_of(host) := {declared.architecture(name) | some name in clusters_on[host.id]} if clusters_on[host.id]

architectures_of(host) := data.cadastre.lib.declared.architectures if not clusters_on[host.id]

# The architectures that a role of brokers serves.
architectures_served(role) := served if {
	served := {architecture |
		some host in broker_hosts
		host.role.state == "observed"
		host.role.value == role
		some architecture in architectures_of(host)
	}
	count(served) > 0
}

architectures_served(role) := data.cadastre.lib.declared.architectures if {
	count({host.id | some host in broker_hosts; host.role.state == "observed"; host.role.value == role}) == 0
}

host_by_id := {host.id: host | some host in broker_hosts}

host_ids := {host.id | some host in broker_hosts}

# Every name by which a broker may advertise its host: its addresses and the private name AWS derives
# from them ("EC2 instance hostnames", EC2 User Guide).
host_names(host) := ({address | some address in host.private_addresses} | {address |
	some address in host.public_addresses
}) | {name |
	some address in host.private_addresses
	stem := concat("-", ["ip", replace(address, ".", "-")])
	some name in [
		sprintf("%s.%s.compute.internal", [stem, host.region]),
		sprintf("%s.ec2.internal", [stem]),
	]
}

broker_roles := {host.role.value | some host in broker_hosts; host.role.state == "observed"} | {principal.arn |
	some principal in input.inventory.principals
	declared.has_job(principal.arn, {"broker"})
}

broker_networks := {host.vpc | some host in broker_hosts; is_string(host.vpc)}

# Stores --------------------------------------------------------------------------------------------------

declared_data_stores := {store.arn |
	some store in input.declaration.stores
	store.holds in {"records", "backups"}
}

declared_stores := {store.arn: store | some store in input.declaration.stores}

bucket_by_arn := {bucket.arn: bucket | some bucket in input.inventory.buckets}

bucket_by_name := {bucket.name: bucket | some bucket in input.inventory.buckets}

# Buckets that brokers write, whatever the declaration says, with the roles that do.
writers[bucket.arn] contains role if {
	some role in broker_roles
	some edge in data.cadastre.lib.edges.by_principal[role]
	edge.capability == "write-objects"
	bucket := bucket_by_arn[trim_suffix(edge.target, "/*")]
}

written_buckets := {arn | some arn, _ in writers}

# Buckets that hold logs do not count, also where brokers write them: logs are judged as logs.
data_buckets contains bucket if {
	some bucket in input.inventory.buckets
	bucket.arn in (declared_data_stores | (written_buckets - log_buckets))
}

log_buckets contains arn if {
	some arn, _ in data.cadastre.lib.declared.sinks
	startswith(arn, "arn:aws:s3:::")
}

log_buckets contains result if {
	some store in input.declaration.stores
	store.holds == "logs"
	result := store.arn
}

log_buckets contains result if {
	some trail in input.inventory.trails
	result := concat("", ["arn:aws:s3:::", trail.bucket])
}

data_volumes contains volume if {
	some volume in input.inventory.volumes
	some id in volume.instances
	id in host_ids
}

data_volumes contains volume if {
	some volume in input.inventory.volumes
	some host in broker_hosts
	volume.id in host.volumes
}

data_volume_ids := {volume.id | some volume in data_volumes}

data_snapshots contains snapshot if {
	some snapshot in input.inventory.snapshots
	snapshot.volume in data_volume_ids
}

# A snapshot of a volume that is gone still belongs to the data plane when a data key protects it.
data_snapshots contains snapshot if {
	some snapshot in input.inventory.snapshots
	snapshot.key_arn in declared_key_arns
}

# Keys ----------------------------------------------------------------------------------------------------

key_by_arn := {key.arn: key | some key in input.inventory.keys}

# The collected keys that a declared id names: an alias, an ARN.
keys_named(id) := {key |
	some key in input.inventory.keys
	key_goes_by(key, id)
}

key_goes_by(key, id) if key.arn == id

key_goes_by(key, id) if id in key.aliases

declared_key_arns := {key.arn | some entry in input.declaration.keys; some key in keys_named(entry.id)}

# The declared entry of a collected key.
declared_key[key.arn] contains entry if {
	some entry in input.declaration.keys
	some key in keys_named(entry.id)
}

# Keys that protect data, declared or not.
used_key_arns contains result if {
	some bucket in data_buckets
	bucket.encryption.state == "observed"
	is_string(bucket.encryption.value.key_arn)
	result := bucket.encryption.value.key_arn
}

used_key_arns contains result if {
	some volume in data_volumes
	is_string(volume.key_arn)
	result := volume.key_arn
}

used_key_arns contains result if {
	some snapshot in data_snapshots
	is_string(snapshot.key_arn)
	result := snapshot.key_arn
}

data_keys contains key if {
	some key in input.inventory.keys
	key.arn in (declared_key_arns | used_key_arns)
}

# Names ---------------------------------------------------------------------------------------------------

# Every name under which an edge may speak of an asset.
names_of("bucket", bucket) := {bucket.arn}

names_of("key", key) := {key.arn}

names_of("volume", volume) := {volume.id, sprintf("arn:aws:ec2:%s:%s:volume/%s", [volume.region, volume.account, volume.id])}

names_of("snapshot", snapshot) := {
	snapshot.id,
	sprintf("arn:aws:ec2:%s:%s:snapshot/%s", [snapshot.region, snapshot.account, snapshot.id]),
	sprintf("arn:aws:ec2:%s::snapshot/%s", [snapshot.region, snapshot.id]),
}

names_of("host", host) := {host.id, sprintf("arn:aws:ec2:%s:%s:instance/%s", [host.region, host.account, host.id])}

# Every asset that holds records or the keys to them: kind, id, evidence, names.
assets contains result if {
	some bucket in data_buckets
	result := {"kind": "bucket", "id": bucket.arn, "evidence": bucket.evidence, "names": names_of("bucket", bucket)}
}

assets contains result if {
	some volume in data_volumes
	result := {"kind": "volume", "id": volume.id, "evidence": volume.evidence, "names": names_of("volume", volume)}
}

assets contains result if {
	some snapshot in data_snapshots
	result := {"kind": "snapshot", "id": snapshot.id, "evidence": snapshot.evidence, "names": names_of("snapshot", snapshot)}
}

assets contains result if {
	some key in data_keys
	result := {"kind": "key", "id": key.arn, "evidence": key.evidence, "names": names_of("key", key)}
}

assets contains result if {
	some host in broker_hosts
	result := {"kind": "host", "id": host.id, "evidence": host.evidence, "names": names_of("host", host)}
}

asset_edges(asset) := edges.onto(asset.names)

# Every principal that holds a capability on the data plane, with the edges that give it.
holders[edge.principal] contains edge if {
	some asset in assets
	some edge in asset_edges(asset)
}

holders[edge.principal] contains edge if {
	some edge in input.access.edges
	edge.capability in {"read-records", "write-records"}
}

# Access questions that stay open and bear on the data plane: about one of its assets, a principal, or
# something that is no asset of another kind.
open_questions[name] contains reason if {
	some name, reasons in data.cadastre.lib.edges.undecided
	bears_on_data(name)
	some reason in reasons
}

other_assets := ({bucket.arn | some bucket in input.inventory.buckets} | {key.arn |
	some key in input.inventory.keys
}) - {asset.id | some asset in assets}

bears_on_data(name) if not trim_suffix(name, "/*") in other_assets

# Whether the declaration names a principal for anything at all.
declared_principal(id) if {
	some identity in input.declaration.identities
	pattern.matches(identity.principal, id)
}

declared_principal(id) if id in data.cadastre.lib.declared.vendor_roles

declared_principal(id) if {
	some key in input.declaration.keys
	pattern.any_matches({name | some list in [key.administrators, key.decrypt]; some name in list}, id)
}

declared_principal(id) if {
	some sink in input.declaration["log-sinks"]
	pattern.any_matches(sink.administrators, id)
}

declared_principal(id) if {
	some name, _ in data.cadastre.lib.declared.clusters
	id in declared.kafka_principals(name)
}

declared_principal(id) if id in data.cadastre.lib.declared.vendor_kafka_principals

# The account itself: its root user may always do everything, and that is what declaring it means.
declared_principal(id) if {
	some account in data.cadastre.lib.declared.aws_accounts
	id in {sprintf("account:%s", [account]), sprintf("arn:aws:iam::%s:root", [account])}
}
