//! CloudTrail's events: read one by one from files, and what they say about who did what.
//!
//! [`read_events`] hands over every event of a directory and says by file and place what it could not use.
//! [`Activity`] answers what reviewers ask of a window: what vendors did, whether emergency access was used, who used which
//! key, and which policies changed. [`reconcile`] holds key uses against a broker's own key ledger.
//! Source: AWS CloudTrail user guide, "CloudTrail record contents".

mod activity;
mod azure;
mod event;
mod ledger;
mod read;
mod reconcile;

pub use activity::{Activity, ActivityCollector, ActivityRow};
pub use azure::{ActivityRecord, activity_files, read_activity_records};
pub use event::{Event, EventError, Identity};
pub use ledger::{KeyLedger, LedgerLine};
pub use read::{EventFiles, Refused, event_files, read_event_records, read_events};
pub use reconcile::{KeyUse, Reconciliation, ReconciliationOutcome, reconcile};

/// Whether a pattern with `*` and `?` matches a whole text.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut seen) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while seen < text.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, seen));
                at += 1;
            }
            Some(known) if *known == '?' || text.get(seen) == Some(known) => {
                at += 1;
                seen += 1;
            }
            _ => match star {
                Some((from, upto)) => {
                    (at, seen) = (from + 1, upto + 1);
                    star = Some((from, upto + 1));
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(at).all(|rest| *rest == '*')
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_match_whole_texts() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("kms:*", "kms:Decrypt", true),
            ("kms:?ecrypt", "kms:Decrypt", true),
            ("*role/a*b", "arn:aws:iam::111122223333:role/aXbYb", true),
            ("kms:Dec", "kms:Decrypt", false),
            ("a?", "a", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
