# Which side of the boundary a principal is on.
package cadastre.lib.sides

import rego.v1

import data.cadastre.lib.declared

view := {principal.id: principal | some principal in input.graph.principals}

# The graph knows every principal that holds a capability; the rest follows from the declaration.
side(id) := view[id].side

side(id) := assumed_side(id) if not view[id]

assumed_side(id) := "provider" if startswith(id, "service:")

assumed_side(id) := "vendor" if {
	not startswith(id, "service:")
	of_vendor(id)
}

assumed_side(id) := "customer" if {
	not startswith(id, "service:")
	not of_vendor(id)
	of_customer(id)
}

assumed_side(id) := "outside" if {
	not startswith(id, "service:")
	not of_vendor(id)
	not of_customer(id)
}

of_vendor(id) if id in data.cadastre.lib.declared.vendor_roles

of_vendor(id) if id in data.cadastre.lib.declared.vendor_kafka_principals

of_vendor(id) if declared.account_of(id) in data.cadastre.lib.declared.vendor_accounts

of_customer(id) if declared.account_of(id) in data.cadastre.lib.declared.aws_accounts

# Everybody with a role in a subscription is in the directory of its tenant.
of_customer(id) if startswith(id, "entra:")

of_customer(id) if {
	some name, _ in data.cadastre.lib.declared.clusters
	id in declared.kafka_principals(name)
}

# Beyond the boundary: a vendor, or anybody else but the cloud provider's own services.
foreign(id) if side(id) in {"vendor", "outside"}

# Beyond the boundary, or open to somebody who is.
in_foreign_hands(id) if foreign(id)

in_foreign_hands(id) if {
	some other in view[id].assumable_by
	foreign(other)
}

# `*` and its kin: anybody at all.
anybody(id) if id in {"*", "User:*", "account:*"}
