//! An assessment as a section of a review, in Markdown: what it could reach, by which steps, what limits it, what would
//! close it, and what was not examined.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use cadastre_model::access::{Capability, Damage, Decision, EscalationStep};
use cadastre_model::asset::StatementRef;

use super::{FlagVerdict, Reach, RoleAssessment};

/// Reasons of one control that are told in the table; the rest are in the JSON.
const TOLD_REASONS: usize = 6;

/// What a section of this kind cannot see, whatever was handed over.
const NEVER_SEEN: [&str; 3] = [
    "what the software that holds this role does with it: permissions are judged, not conduct",
    "networks: who can send packets to the host that holds the role, and where it can send them",
    "anything that the pack grants outside the documents listed below",
];

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
        self.write_basis(out)?;
        self.write_summary(out)?;
        self.write_flags(out)?;
        self.write_reaches(out)?;
        self.write_escalations(out)?;
        self.write_destruction(out)?;
        let trusts = self.trusts.iter().map(|trust| {
            let when = match &trust.decision {
                Decision::Conditional(when) => format!(", when {when}"),
                _ => String::new(),
            };
            format!("{} by {}{when}, as its trust policy says", trust.principal, trust.action)
        });
        list(out, "Who may become it", trusts)?;
        self.write_limits(out)?;
        list(out, "Guards that protect nothing", self.guards.iter().map(|guard| guard.told.clone()))?;
        self.write_closing(out)?;
        self.write_unexamined(out)?;
        list(out, "How the documents were read", self.notes.iter().cloned())?;
        let sources =
            self.sources.iter().map(|source| format!("`{}`, record {}", source.file, source.record));
        list(out, "Documents", sources)
    }

    fn write_basis(&self, out: &mut String) -> std::fmt::Result {
        let basis = if self.with_evidence {
            "Judged against the evidence of the boundary: what is called allowed holds as the account was recorded."
        } else {
            "Judged from the documents and the declared boundary alone. Nothing here is called allowed: **open** means that the role's own \
             documents allow it, and that only a policy nobody has shown (a bucket's, a key's, the organization's) could still refuse it. \
             Read it as allowed until such a policy is shown."
        };
        writeln!(out, "{basis}\n")
    }

    /// The gist, one line a kind of power; nothing that the tables below do not show.
    fn write_summary(&self, out: &mut String) -> std::fmt::Result {
        let mut lines: Vec<String> = Vec::new();
        let powers: [(Capability, &str); 8] = [
            (Capability::ReadRecords, "Reads records of"),
            (Capability::ReadObjects, "Reads what is stored in"),
            (Capability::WriteObjects, "Writes or deletes what is stored in"),
            (Capability::Decrypt, "Decrypts with"),
            (Capability::ManageKey, "Administers"),
            (Capability::OperateHost, "Runs commands on or replaces"),
            (Capability::Assume, "Runs code as"),
            (Capability::AlterLogs, "Alters logs in"),
        ];
        for (capability, told) in powers {
            let of_it = self.reaches.iter().filter(|reach| reach.edge.capability == capability);
            let mut targets: BTreeMap<&str, Decision> = BTreeMap::new();
            for reach in of_it {
                let decision = targets.entry(&reach.target).or_insert(Decision::Deny);
                *decision = std::mem::replace(decision, Decision::Deny).or(reach.edge.decision.clone());
            }
            if targets.is_empty() {
                continue;
            }
            let named: Vec<String> =
                targets.iter().map(|(target, decision)| format!("{target} ({})", word(decision))).collect();
            let follows = match capability {
                Capability::Assume => ", and so has whatever they have",
                _ => "",
            };
            lines.push(format!("{told} {}{follows}.", named.join("; ")));
        }
        let network: BTreeSet<&str> = self
            .flags
            .iter()
            .filter(|flag| flag.control.starts_with("NET-") && flag.verdict == FlagVerdict::RedFlag)
            .flat_map(|flag| &flag.reasons)
            .map(String::as_str)
            .collect();
        if !network.is_empty() {
            lines.push(format!("Changes networks: {}.", network.into_iter().collect::<Vec<_>>().join("; ")));
        }
        let disguised = self.destruction.iter().filter(|found| found.disguised).count();
        if disguised > 0 {
            lines.push(format!(
                "Destroys, blinds or locks out in {} ways, {disguised} of them without an action that is called a deletion.",
                self.destruction.len()
            ));
        }
        if lines.is_empty() {
            lines.push("None of its documents gives it a power over what the boundary declares.".to_owned());
        }
        writeln!(out, "### In short\n")?;
        for line in lines {
            writeln!(out, "- {line}")?;
        }
        writeln!(out)
    }

    fn write_flags(&self, out: &mut String) -> std::fmt::Result {
        let catalogue = cadastre_policy::Catalogue::builtin().map(|catalogue| catalogue.controls);
        let titles = catalogue.unwrap_or_default();
        let title = |id: &str| titles.get(id).map(|entry| format!(" {}", entry.title)).unwrap_or_default();
        writeln!(out, "### What each control would say\n\n| control | stands | why |\n| --- | --- | --- |")?;
        for flag in self.flags.iter().filter(|flag| flag.verdict != FlagVerdict::NothingFound) {
            let stands = match flag.verdict {
                FlagVerdict::RedFlag => "red flag",
                FlagVerdict::Unproven => "unproven",
                FlagVerdict::NothingFound => "nothing found",
            };
            let shown: Vec<&str> = flag.reasons.iter().take(TOLD_REASONS).map(String::as_str).collect();
            let more = flag.reasons.len().saturating_sub(shown.len());
            let more = if more > 0 { format!("; and {more} more") } else { String::new() };
            let (id, title) = (&flag.control, title(&flag.control));
            writeln!(out, "| {id}{title} | {stands} | {}{more} |", cell(&shown.join("; ")))?;
        }
        let quiet: Vec<&str> = self
            .flags
            .iter()
            .filter(|flag| flag.verdict == FlagVerdict::NothingFound)
            .map(|flag| flag.control.as_str())
            .collect();
        if !quiet.is_empty() {
            writeln!(
                out,
                "\nNothing found, which is no pass (only a scan of the deployed role can pass): {}.",
                quiet.join(", ")
            )?;
        }
        Ok(())
    }

    fn write_reaches(&self, out: &mut String) -> std::fmt::Result {
        writeln!(
            out,
            "\n### What it may do by itself\n\n| target | capability | by | stands | granted by |\n| --- | --- | --- | --- | --- |"
        )?;
        let mut rows: BTreeMap<(&str, Capability), Vec<&Reach>> = BTreeMap::new();
        for reach in &self.reaches {
            rows.entry((&reach.target, reach.edge.capability)).or_default().push(reach);
        }
        for ((target, capability), reaches) in rows {
            let actions: BTreeSet<&str> = reaches.iter().map(|reach| reach.edge.action.as_str()).collect();
            let decision =
                reaches.iter().map(|reach| reach.edge.decision.clone()).fold(Decision::Deny, Decision::or);
            let choices: BTreeSet<&str> =
                reaches.iter().flat_map(|reach| &reach.edge.choices).map(String::as_str).collect();
            let mut how = stands(&decision);
            if !choices.is_empty() {
                let chosen: Vec<&str> = choices.into_iter().collect();
                // Writing into a string cannot fail.
                let _ = write!(how, "; it settles itself: {}", chosen.join(", "));
            }
            let by: BTreeSet<String> =
                reaches.iter().flat_map(|reach| &reach.edge.statements).map(place).collect();
            writeln!(
                out,
                "| {} | {capability} | {} | {} | {} |",
                cell(target),
                actions.into_iter().collect::<Vec<_>>().join(", "),
                cell(&how),
                by.into_iter().collect::<Vec<_>>().join("; ")
            )?;
        }
        Ok(())
    }

    /// Escalations whose steps differ only in what they end at are told once.
    fn write_escalations(&self, out: &mut String) -> std::fmt::Result {
        if self.escalations.is_empty() {
            return Ok(());
        }
        writeln!(out, "\n### What it could gain, step by step\n")?;
        let mut alike: BTreeMap<(Vec<String>, Capability, String), Vec<&str>> = BTreeMap::new();
        let mut order: Vec<(Vec<String>, Capability, String)> = Vec::new();
        for escalation in &self.escalations {
            let steps = escalation.steps.iter().map(|step| told(step, &escalation.target)).collect();
            let key = (steps, escalation.capability, stands(&escalation.decision));
            let targets = alike.entry(key.clone()).or_default();
            if targets.is_empty() {
                order.push(key);
            }
            targets.push(&escalation.target);
        }
        for key in order {
            let targets = alike.get(&key).map(|targets| targets.join(", ")).unwrap_or_default();
            let (steps, capability, stands) = key;
            writeln!(out, "- **{capability}** over {targets} ({stands})")?;
            for (step, number) in steps.iter().zip(1..) {
                writeln!(out, "  {number}. {step}")?;
            }
        }
        Ok(())
    }

    fn write_destruction(&self, out: &mut String) -> std::fmt::Result {
        if self.destruction.is_empty() {
            return Ok(());
        }
        writeln!(
            out,
            "\n### What it could destroy, blind or lock out\n\n| target | damage | by | called a deletion | stands |\n| --- | --- | --- | --- | --- |"
        )?;
        let mut rows: BTreeMap<(&str, Damage, bool, String), BTreeSet<&str>> = BTreeMap::new();
        for found in &self.destruction {
            let row = (found.target.as_str(), found.damage, found.disguised, word(&found.decision));
            rows.entry(row).or_default().insert(&found.action);
        }
        for ((target, damage, disguised, stands), actions) in rows {
            writeln!(
                out,
                "| {} | {} | {} | {} | {stands} |",
                cell(target),
                damage_word(damage),
                actions.into_iter().collect::<Vec<_>>().join(", "),
                if disguised { "no" } else { "yes" },
            )?;
        }
        Ok(())
    }

    /// Every condition and deny that the documents carry, so that a reader sees how little or much there is.
    fn write_limits(&self, out: &mut String) -> std::fmt::Result {
        let boundary = match self.bounded {
            true => "A permissions boundary was handed over and is taken into account; it grants nothing.",
            false => "No permissions boundary was handed over.",
        };
        let conditions = self.statements.iter().filter(|statement| !statement.condition_keys.is_empty());
        let conditions = conditions.map(|statement| {
            format!("{} asks for {}", place(&statement.at), statement.condition_keys.join(", "))
        });
        let denies = self.statements.iter().filter(|statement| statement.effect == "Deny");
        let denies = denies
            .map(|statement| format!("{} denies {}", place(&statement.at), statement.actions.join(", ")));
        list(out, "What limits it", std::iter::once(boundary.to_owned()).chain(conditions).chain(denies))
    }

    /// Statement by statement, what would no longer rest on it: the work list of whoever narrows the pack.
    fn write_closing(&self, out: &mut String) -> std::fmt::Result {
        // Every set of statements that suffices for a power, by the power and what it is over.
        let mut sufficient: BTreeMap<(String, &str), Vec<BTreeSet<String>>> = BTreeMap::new();
        for reach in &self.reaches {
            let power = format!("{} ({})", reach.edge.action, reach.edge.capability);
            let places = reach.edge.statements.iter().map(place).collect();
            sufficient.entry((power, &reach.target)).or_default().push(places);
        }
        for found in &self.destruction {
            let power = format!("{} ({})", found.action, damage_word(found.damage));
            // An action that gives a power as well is allowed by each of its reasons, and damage names one of them.
            let same = |reach: &&Reach| reach.target == found.target && reach.edge.action == found.action;
            let mut sets: Vec<BTreeSet<String>> = self
                .reaches
                .iter()
                .filter(same)
                .map(|reach| reach.edge.statements.iter().map(place).collect())
                .collect();
            if sets.is_empty() {
                sets.push(found.statements.iter().map(place).collect());
            }
            sufficient.entry((power, &found.target)).or_default().extend(sets);
        }
        let mut alone: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        let mut together: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for ((power, _), sets) in &sufficient {
            for statement in sets.iter().flatten() {
                let closes = sets.iter().all(|set| set.contains(statement));
                let list = if closes { &mut alone } else { &mut together };
                list.entry(statement).or_default().insert(power);
            }
        }
        if sufficient.is_empty() {
            return Ok(());
        }
        writeln!(
            out,
            "\n### What would close it\n\nEach line is one statement, and what goes when it goes or is narrowed to resources outside the boundary.\n"
        )?;
        let statements: BTreeSet<&str> = alone.keys().chain(together.keys()).copied().collect();
        for statement in statements {
            let powers = |list: &BTreeMap<&str, BTreeSet<&str>>| {
                list.get(statement).map(|powers| powers.iter().copied().collect::<Vec<_>>().join(", "))
            };
            let by_itself = powers(&alone).unwrap_or_else(|| "nothing by itself".to_owned());
            let shared = powers(&together)
                .map(|powers| format!("; with other statements that allow the same on some target: {powers}"))
                .unwrap_or_default();
            writeln!(out, "- {statement}: {by_itself}{shared}")?;
        }
        let everywhere: BTreeSet<String> = self
            .statements
            .iter()
            .filter(|statement| statement.effect == "Allow" && statement.condition_keys.is_empty())
            .filter(|statement| statement.resources.iter().any(|resource| resource == "*"))
            .map(|statement| place(&statement.at))
            .collect();
        if !everywhere.is_empty() {
            writeln!(
                out,
                "\nOn every resource and without a condition, so that naming resources is the first thing to ask for: {}.",
                everywhere.into_iter().collect::<Vec<_>>().join("; ")
            )?;
        }
        Ok(())
    }

    fn write_unexamined(&self, out: &mut String) -> std::fmt::Result {
        let unseen = self.missing.iter().map(|missing| format!("missing evidence: {missing}"));
        list(out, "What was not examined", unseen.chain(NEVER_SEEN.map(str::to_owned)))
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

/// A step, with the end of the chain left out so that chains to several ends read alike.
fn told(step: &EscalationStep, end: &str) -> String {
    let target = if step.target == end { "it" } else { step.target.as_str() };
    let told = format!("{} {} {target} by {}", step.principal, verb(step.capability), step.action);
    match &step.decision {
        Decision::Allow | Decision::Deny => told,
        Decision::Conditional(when) => format!("{told}, when {when}"),
        Decision::Unknown(_) => format!("{told} (open)"),
    }
}

const fn verb(capability: Capability) -> &'static str {
    match capability {
        Capability::ReadRecords => "reads the records of",
        Capability::WriteRecords => "writes records to",
        Capability::ReadObjects => "reads what is stored in",
        Capability::WriteObjects => "writes or deletes what is stored in",
        Capability::Decrypt => "decrypts with",
        Capability::ManageKey => "administers",
        Capability::OperateHost => "runs commands on",
        Capability::ChangePolicy => "changes what is allowed on",
        Capability::Assume => "becomes",
        Capability::ReadLogs => "reads logs in",
        Capability::AlterLogs => "alters logs in",
        Capability::Reach => "sends packets to",
    }
}

/// A statement as the vendor's own files number it.
fn place(statement: &StatementRef) -> String {
    let pointer = statement.pointer.as_str();
    match pointer.rsplit_once("/Statement/") {
        Some((_, number)) => format!("`{}` statement {number}", statement.policy),
        None => format!("`{}`", statement.policy),
    }
}

const fn damage_word(damage: Damage) -> &'static str {
    match damage {
        Damage::Destroy => "destroy",
        Damage::Blind => "blind",
        Damage::LockOut => "lock out",
    }
}

fn word(decision: &Decision) -> String {
    match decision {
        Decision::Allow => "allowed".to_owned(),
        Decision::Conditional(when) => format!("when {when}"),
        Decision::Unknown(_) => "open".to_owned(),
        Decision::Deny => "denied".to_owned(),
    }
}

fn stands(decision: &Decision) -> String {
    match decision {
        Decision::Unknown(_) => "open: its own documents allow it".to_owned(),
        other => word(other),
    }
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
