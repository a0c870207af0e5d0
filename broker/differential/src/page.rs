//! The page: how much was compared, and every field that differs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::compare::Difference;
use crate::decisions::Decisions;
use crate::pair::{Case, Pair};

type Found<'a> = (&'a Case, &'a Difference, &'a BTreeSet<i16>);

/// The page, and how many differences nobody decided about.
pub(crate) fn write(pair: &Pair, decisions: &Decisions, machine: &str) -> (String, usize) {
    let mut decided: BTreeMap<usize, Vec<Found<'_>>> = BTreeMap::new();
    let mut open: Vec<Found<'_>> = Vec::new();
    for ((case, difference), versions) in &pair.found {
        match decisions.about(case, difference) {
            Some((place, _)) => decided.entry(place).or_default().push((case, difference, versions)),
            None => open.push((case, difference, versions)),
        }
    }
    let apis: BTreeSet<&str> = pair.cases.iter().map(|(api, _)| api.as_str()).collect();
    let mut text = format!(
        "# The same requests to Apache Kafka and to the broker\n\n\
         `cargo xtask differential protocol` starts Apache Kafka 4.1.1 and `cadastre-broker`, each alone in its cluster with the same \
         settings, sends\nboth the same requests in every version that both speak, and compares the answers field by field: codes, \
         defaults, order of elements.\n{machine}\n\n\
         Not compared: addresses, directories, throttle times. Compared by whether there is one: ids that a server makes up, sizes, \
         times\nof the server's clock, and the words of messages.\n\n\
         | | |\n| --- | ---: |\n| APIs | {} |\n| cases | {} |\n| requests to each | {} |\n| fields of Kafka's answers | {} |\n\
         | fields that differ, by case | {} |\n| of these without a decision | {} |\n\n",
        apis.len(),
        pair.cases.len(),
        pair.requests,
        pair.fields,
        pair.found.len(),
        open.len()
    );
    if !open.is_empty() {
        text.push_str("## Without a decision\n\n");
        table(&mut text, &open);
    }
    text.push_str("## Decided\n\n");
    for (place, decision) in decisions.all().iter().enumerate() {
        let Some(found) = decided.get(&place) else { continue };
        let _ = write!(text, "**{}** {}\n\n", decision.reason, decision.decision);
        table(&mut text, found);
    }
    (text, open.len())
}

fn table(text: &mut String, found: &[Found<'_>]) {
    text.push_str(
        "| API | versions | case | field | Kafka | Cadastre |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    for ((api, case), difference, versions) in found {
        let _ = writeln!(
            text,
            "| {api} | {} | {} | `{}` | {} | {} |",
            ranges(versions),
            cell(case),
            difference.path,
            cell(&difference.kafka),
            cell(&difference.own)
        );
    }
    text.push('\n');
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// `0, 3–5`.
fn ranges(versions: &BTreeSet<i16>) -> String {
    let mut ranges: Vec<(i16, i16)> = Vec::new();
    for version in versions {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == *version => *last = *version,
            _ => ranges.push((*version, *version)),
        }
    }
    let shown: Vec<_> = ranges
        .iter()
        .map(|(first, last)| if first == last { first.to_string() } else { format!("{first}–{last}") })
        .collect();
    shown.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_told_as_ranges() {
        assert_eq!(ranges(&BTreeSet::from([0, 3, 4, 5, 9])), "0, 3–5, 9");
    }
}
