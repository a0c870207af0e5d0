//! Waivers: a red flag or unproven that a named approver accepted, until a date.
//!
//! A waiver is bound to the hash of exactly what was accepted. When the finding changes, the waiver no
//! longer holds and the finding says so.

use cadastre_model::Timestamp;
use cadastre_model::checklist::{Finding, Verdict};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// One accepted finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waiver {
    /// The control's id.
    pub control: String,
    /// The finding's subject.
    pub subject: String,
    /// Why it is accepted.
    pub reason: String,
    /// Who accepted it.
    pub approver: String,
    /// When the acceptance ends.
    pub expires: Timestamp,
    /// What was accepted: [`finding_hash`].
    pub accepts: String,
}

/// The hash of what a waiver accepts: `sha256:` and 64 hexadecimal digits over the RFC 8785 canonical JSON
/// of control, subject, verdict, message and path. Evidence ids are left out: a later scan that sees the
/// same thing has other records.
#[must_use]
pub fn finding_hash(control: &str, finding: &Finding) -> String {
    let content = serde_json::json!({
        "control": control,
        "subject": finding.subject,
        "verdict": finding.verdict.name(),
        "message": finding.message,
        "path": finding.path,
    });
    // Canonical JSON of strings and lists of strings cannot fail; plain JSON of the same is a safe stand-in.
    let bytes =
        serde_json_canonicalizer::to_vec(&content).unwrap_or_else(|_e| content.to_string().into_bytes());
    format!("sha256:{}", hex::encode(Sha256::digest(&bytes)))
}

/// Applies waivers to a control's findings.
pub(crate) fn apply(control: &str, findings: &mut [Finding], waivers: &[Waiver], as_of: Timestamp) {
    for finding in findings {
        if !matches!(finding.verdict, Verdict::RedFlag | Verdict::Unproven) {
            continue;
        }
        let hash = finding_hash(control, finding);
        let mut note = None;
        for waiver in waivers.iter().filter(|w| w.control == control && w.subject == finding.subject) {
            if waiver.accepts != hash {
                note.get_or_insert_with(|| {
                    format!("reopened: what {} accepted has changed", waiver.approver)
                });
            } else if waiver.expires <= as_of {
                note =
                    Some(format!("reopened: the waiver by {} ended at {}", waiver.approver, waiver.expires));
            } else {
                finding.verdict = Verdict::Waived;
                note = Some(format!(
                    "waived by {} until {}: {}",
                    waiver.approver, waiver.expires, waiver.reason
                ));
                break;
            }
        }
        if let Some(note) = note {
            finding.message = format!("{} ({note})", finding.message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding() -> Finding {
        Finding {
            subject: "s".into(),
            verdict: Verdict::RedFlag,
            message: "m".into(),
            path: vec![],
            evidence: vec![],
            fix: vec![],
        }
    }

    fn waiver(accepts: String, expires: &str) -> Waiver {
        Waiver {
            control: "KEY-04".into(),
            subject: "s".into(),
            reason: "migration".into(),
            approver: "CISO".into(),
            expires: expires.parse().unwrap(),
            accepts,
        }
    }

    #[track_caller]
    fn check(waiver: Waiver, verdict: Verdict, message: &str) {
        let mut findings = [finding()];
        apply("KEY-04", &mut findings, &[waiver], "2026-11-21T00:00:00Z".parse().unwrap());
        assert_eq!(findings[0].verdict, verdict);
        assert_eq!(findings[0].message, message);
    }

    #[test]
    fn a_waiver_holds_until_it_expires_or_the_finding_changes() {
        let hash = finding_hash("KEY-04", &finding());
        check(
            waiver(hash.clone(), "2026-12-01T00:00:00Z"),
            Verdict::Waived,
            "m (waived by CISO until 2026-12-01T00:00:00Z: migration)",
        );
        check(
            waiver(hash, "2026-11-21T00:00:00Z"),
            Verdict::RedFlag,
            "m (reopened: the waiver by CISO ended at 2026-11-21T00:00:00Z)",
        );
        check(
            waiver("sha256:0".into(), "2026-12-01T00:00:00Z"),
            Verdict::RedFlag,
            "m (reopened: what CISO accepted has changed)",
        );
    }

    #[test]
    fn the_hash_covers_what_is_accepted_and_not_the_records() {
        let base = finding_hash("KEY-04", &finding());
        let mut other = finding();
        other.path = vec!["x".into()];
        assert_ne!(base, finding_hash("KEY-04", &other));
        assert_ne!(base, finding_hash("KEY-03", &finding()));
        assert_eq!(base, finding_hash("KEY-04", &Finding { fix: vec!["f".into()], ..finding() }));
    }
}
