# Keys of the data plane: how they are called, what the declaration says of them, and which of them were never
# read.
package cadastre.lib.keys

import rego.v1

import data.cadastre.lib.coverage
import data.cadastre.lib.edges
import data.cadastre.lib.finding
import data.cadastre.lib.plane

# What a key is called in messages: its first alias, or its ARN.
name(key) := sort(key.aliases)[0] if count(key.aliases) > 0

name(key) := key.arn if count(key.aliases) == 0

# Everything the declaration says of a key; it may be declared by its alias and by its ARN. Values of
# other libraries are named in full here, as in the library on Kafka, which says why.
entries(key) := {entry | some entry in data.cadastre.lib.plane.declared_key[key.arn]}

is_declared(key) if count(entries(key)) > 0

# The collected keys that a resource of an account and region means by an ARN, an alias or an id.
named(text, account, region) := {key |
	some key in input.inventory.keys
	means(text, account, region, key)
}

means(text, _, _, key) if text == key.arn

means(text, account, region, key) if {
	key.account == account
	key.region == region
	text in key.aliases
}

means(text, _, _, key) if {
	some alias in key.aliases
	text == sprintf("arn:aws:kms:%s:%s:%s", [key.region, key.account, alias])
}

means(text, account, region, key) if {
	key.account == account
	key.region == region
	sprintf("key/%s", [text]) == split(key.arn, ":")[5]
}

# What leaves open which keys there are to judge: each is a finding of every control that judges keys.
missing contains result if {
	some entry in input.declaration.keys
	count(plane.keys_named(entry.id)) == 0
	result := finding.unproven(
		entry.id,
		"is declared, and no key that was read goes by this name",
		coverage.records_of("kms:ListAliases"),
	)
}

missing contains result if {
	some use in uses
	count(named(use.key, use.account, use.region)) == 0
	result := finding.unproven(use.key, sprintf("protects %s and is in no list of keys that was read", [use.store]), use.evidence)
}

missing contains result if {
	some bucket in data.cadastre.lib.plane.data_buckets
	not bucket.encryption.state in {"observed", "absent"}
	result := finding.unproven(
		bucket.arn,
		sprintf("which key protects it is not known: %s", [object.get(bucket.encryption, "value", "nothing shows it")]),
		bucket.evidence,
	)
}

# Which store names which key.
uses contains result if {
	some bucket in data.cadastre.lib.plane.data_buckets
	bucket.encryption.state == "observed"
	is_string(bucket.encryption.value.key)
	result := {
		"store": bucket.arn,
		"key": bucket_key(bucket.encryption.value),
		"account": bucket.account,
		"region": object.get(bucket.region, "value", ""),
		"evidence": bucket.evidence,
	}
}

uses contains result if {
	some list in [data.cadastre.lib.plane.data_volumes, data.cadastre.lib.plane.data_snapshots]
	some store in list
	is_string(store.key_arn)
	result := {
		"store": store.id,
		"key": store.key_arn,
		"account": store.account,
		"region": store.region,
		"evidence": store.evidence,
	}
}

# The key's ARN where it is one of the collected ones, else the name as it is configured.
bucket_key(encryption) := encryption.key_arn if is_string(encryption.key_arn)

bucket_key(encryption) := encryption.key if not is_string(encryption.key_arn)

# Who may do what with a key --------------------------------------------------------------------------------

edges_of(key, capability) := {edge |
	some edge in edges.onto(plane.names_of("key", key))
	edge.capability == capability
}

# Up to three ways, told one after the other.
told(ways) := concat("; ", array.slice(sort({edges.told(edge) | some edge in ways}), 0, 3))

records(key, ways) := {record | some record in key.evidence} | {record |
	some edge in ways
	some record in edges.records(edge)
}

# Why not everybody who may use a key is known.
open_questions(key) := {reason |
	some question, reasons in data.cadastre.lib.plane.open_questions
	concerns(question, key)
	some reason in reasons
}

concerns(question, key) if question == key.arn

concerns(question, _) if {
	not question in asset_names
	not regex.match(`^(cluster|topic|group|listener|broker|User|arn:aws:logs|arn:aws:cloudtrail):`, question)
}

asset_names := {text |
	some asset in data.cadastre.lib.plane.assets
	some text in asset.names
}

# The root of a declared account: it may always do everything, and that is what declaring the account means.
is_root(principal) if {
	some account in data.cadastre.lib.declared.aws_accounts
	principal in {sprintf("account:%s", [account]), sprintf("arn:aws:iam::%s:root", [account])}
}

# Time ------------------------------------------------------------------------------------------------------

# Seconds since the epoch. Nanoseconds, in which the engines count, end in the years 1678 and 2262; what lies
# beyond is as good as never.
seconds(text) := floor(time.parse_rfc3339_ns(text) / 1000000000) if {
	year(text) > 1700
	year(text) < 2262
}

seconds(text) := 9223372036 if year(text) >= 2262

seconds(text) := -9223372036 if year(text) <= 1700

year(text) := to_number(regex.replace(substring(text, 0, 4), `^0{1,3}`, ""))
