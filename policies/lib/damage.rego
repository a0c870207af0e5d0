# Ways to destroy data and keys, to blind logs and to lock out, deletions or not.
package cadastre.lib.damage

import rego.v1

import data.cadastre.lib.edges

by_target[target] contains one if {
	some one in input.access.destruction
	target := trim_suffix(trim_suffix(one.target, ":*"), "/*")
}

# Those on an asset that goes by any of the given names.
onto(names) := {one | some name in names; some one in by_target[name]}

verb("destroy") := "destroy"

verb("blind") := "blind"

verb("lock-out") := "lock its owner out of"

# How one is told, after the name of whoever can.
told(one) := sprintf("can %s it %s, which is called no deletion", [verb(one.damage), edges.told(one)]) if one.disguised

told(one) := sprintf("can %s it %s", [verb(one.damage), edges.told(one)]) if not one.disguised
