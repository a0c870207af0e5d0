# The shape of the bill, as the model tells it. Nothing where there is none.
package cadastre.lib.cost

import rego.v1

observed := object.get(object.get(input, "cost", {}), "observed", [])

prices := object.get(object.get(input, "cost", {}), "prices", null)

measured[units.cluster] := units if {
	some units in object.get(object.get(input, "cost", {}), "measured", [])
}
