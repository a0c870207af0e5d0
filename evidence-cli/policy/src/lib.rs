//! Controls in Rego, verdicts and waivers.
