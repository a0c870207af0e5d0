# The shapes that controls answer with.
package cadastre.lib.finding

import rego.v1

# A subject that was examined; it passes unless a finding or its evidence speaks against it.
examined(subject, evidence) := {"subject": subject, "evidence": evidence}

# The same with a message of its own.
shown(subject, message, evidence) := {"subject": subject, "message": message, "evidence": evidence}

red(subject, message, evidence) := {
	"subject": subject,
	"verdict": "red-flag",
	"message": message,
	"evidence": evidence,
}

red_path(subject, message, path, evidence, fix) := {
	"subject": subject,
	"verdict": "red-flag",
	"message": message,
	"path": path,
	"evidence": evidence,
	"fix": fix,
}

unproven(subject, message, evidence) := {
	"subject": subject,
	"verdict": "unproven",
	"message": message,
	"evidence": evidence,
}
