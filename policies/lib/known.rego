# Three-valued properties of assets: observed, absent, unknown. A control that asks here cannot take an
# unknown for a no: `lacks` holds only for what a record shows to be absent.
package cadastre.lib.known

import rego.v1

observed(property) if property.state == "observed"

lacks(property) if property.state == "absent"

# The value, where a record shows one.
value_of(property) := property.value if property.state == "observed"

# What evidence is missing. Anything that is neither observed nor absent is missing.
missing(property) := property.value if property.state == "unknown"

missing(property) := "it is not in the evidence" if not property.state in {"observed", "absent", "unknown"}

# The value, or a stand-in for what is absent or unknown; only for what cannot make a control pass.
value_or(property, _) := property.value if property.state == "observed"

value_or(property, other) := other if not property.state == "observed"
