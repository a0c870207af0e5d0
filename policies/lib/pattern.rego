# Wildcard patterns of declarations and of IAM: `*` stands for any run of characters, `?` for one.
package cadastre.lib.pattern

import rego.v1

matches(pattern, text) if pattern == text

matches(pattern, text) if {
	regex.match(`[*?]`, pattern)
	regex.match(expression(pattern), text)
}

# Whether every text that matches the narrow pattern matches the wide one as well. A `?` of the wide pattern
# must not swallow a `*` of the narrow one, so that mixing the two is no cover.
covers(wide, narrow) if wide == narrow

covers(wide, narrow) if {
	not contains(narrow, "*")
	matches(wide, narrow)
}

covers(wide, narrow) if {
	contains(narrow, "*")
	not contains(wide, "?")
	matches(wide, narrow)
}

any_matches(patterns, text) if {
	some pattern in patterns
	matches(pattern, text)
}

any_covers(patterns, narrow) if {
	some pattern in patterns
	covers(pattern, narrow)
}

expression(pattern) := concat("", ["(?s)^", replace(replace(quoted(pattern), "*", ".*"), "?", "."), "$"])

quoted(text) := regex.replace(text, `[.+^$(){}|\[\]\\]`, `\${0}`)
