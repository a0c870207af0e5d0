//! An assessment as a section of a review, in Markdown.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use cadastre_model::access::{Capability, Decision};

use super::{FlagVerdict, Reach, RoleAssessment};

impl RoleAssessment {
    /// A section that can be pasted into a review as it is.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut out = String::new();
        // Writing into a string cannot fail.
        let _ = self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "## What `{}` could reach in `{}`\n", self.role, self.boundary)?;
        if self.with_evidence {
            writeln!(out, "Judged against the evidence of the boundary.\n")?;
        } else {
            writeln!(
                out,
                "Judged from the documents and the declared boundary alone: whatever rests on policies that nobody has seen is open.\n"
            )?;
        }
        writeln!(out, "| control | stands | why |\n| --- | --- | --- |")?;
        for flag in self.flags.iter().filter(|flag| flag.verdict != FlagVerdict::NothingFound) {
            let stands = match flag.verdict {
                FlagVerdict::RedFlag => "red flag",
                FlagVerdict::Unproven => "unproven",
                FlagVerdict::NothingFound => "nothing found",
            };
            let shown: Vec<&str> = flag.reasons.iter().take(4).map(String::as_str).collect();
            let more = flag.reasons.len().saturating_sub(shown.len());
            let more = if more > 0 { format!("; and {more} more") } else { String::new() };
            writeln!(out, "| {} | {stands} | {}{more} |", flag.control, cell(&shown.join("; ")))?;
        }
        self.write_reaches(out)?;
        self.write_escalations(out)?;
        self.write_lists(out)
    }

    fn write_reaches(&self, out: &mut String) -> std::fmt::Result {
        writeln!(
            out,
            "\n### What it may do by itself\n\n| target | capability | by | stands |\n| --- | --- | --- | --- |"
        )?;
        let mut rows: BTreeMap<(&str, Capability), Vec<&Reach>> = BTreeMap::new();
        for reach in &self.reaches {
            rows.entry((&reach.target, reach.edge.capability)).or_default().push(reach);
        }
        for ((target, capability), reaches) in rows {
            let mut actions: Vec<&str> = reaches.iter().map(|reach| reach.edge.action.as_str()).collect();
            actions.sort_unstable();
            actions.dedup();
            let decision =
                reaches.iter().map(|reach| reach.edge.decision.clone()).fold(Decision::Deny, Decision::or);
            writeln!(
                out,
                "| {} | {capability} | {} | {} |",
                cell(target),
                actions.join(", "),
                cell(&stands(&decision))
            )?;
        }
        Ok(())
    }

    fn write_escalations(&self, out: &mut String) -> std::fmt::Result {
        if self.escalations.is_empty() {
            return Ok(());
        }
        writeln!(out, "\n### What it could gain, step by step\n")?;
        for escalation in &self.escalations {
            writeln!(
                out,
                "- **{} {}** ({})",
                escalation.capability,
                escalation.target,
                stands(&escalation.decision)
            )?;
            for (number, step) in escalation.steps.iter().enumerate() {
                writeln!(
                    out,
                    "  {}. {} {} {} by {}",
                    number + 1,
                    step.principal,
                    step.capability,
                    step.target,
                    step.action
                )?;
            }
        }
        Ok(())
    }

    fn write_lists(&self, out: &mut String) -> std::fmt::Result {
        let trusts = self
            .trusts
            .iter()
            .map(|trust| format!("{} by {} ({})", trust.principal, trust.action, stands(&trust.decision)));
        list(out, "Who may become it", trusts)?;
        let destruction = self.destruction.iter().map(|found| {
            let how = if found.disguised { ", without an action that is called a deletion" } else { "" };
            format!(
                "{} {} by {}{how} ({})",
                damage(found.damage),
                found.target,
                found.action,
                stands(&found.decision)
            )
        });
        list(out, "What it could destroy, blind or lock out", destruction)?;
        list(out, "Guards that protect nothing", self.guards.iter().map(|guard| guard.told.clone()))?;
        list(out, "What is missing", self.missing.iter().cloned())?;
        list(out, "How the documents were read", self.notes.iter().cloned())
    }
}

fn list(out: &mut String, title: &str, lines: impl Iterator<Item = String>) -> std::fmt::Result {
    let lines: Vec<String> = lines.collect();
    if lines.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n### {title}\n")?;
    for line in lines {
        writeln!(out, "- {line}")?;
    }
    Ok(())
}

const fn damage(damage: cadastre_model::access::Damage) -> &'static str {
    match damage {
        cadastre_model::access::Damage::Destroy => "destroys",
        cadastre_model::access::Damage::Blind => "blinds",
        cadastre_model::access::Damage::LockOut => "locks out of",
    }
}

fn stands(decision: &Decision) -> String {
    match decision {
        Decision::Allow => "allowed".to_owned(),
        Decision::Conditional(when) => format!("when {when}"),
        Decision::Unknown(_) => "allowed by its own policies; open what unseen ones say".to_owned(),
        Decision::Deny => "denied".to_owned(),
    }
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
