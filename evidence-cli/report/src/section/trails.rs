//! What a finding has to do with the graph: the plaintext path it is about, what would close that path, and the
//! boxes of the diagram that it names.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_model::checklist::Finding;
use cadastre_model::graph::{BoundaryGraph, PlaintextPath};
use serde::Serialize;

use crate::citations::{Citations, Proof};
use crate::diagram::Boxes;

/// How many boxes one finding points at.
const BOXES: usize = 12;
/// Of a longer text only so many words are looked up.
const WORDS: usize = 400;

/// Finds the paths and boxes that findings speak of.
#[derive(Debug)]
pub(crate) struct Trails<'a> {
    boxes: &'a Boxes,
    /// Paths by principal and target.
    by_ends: BTreeMap<(&'a str, &'a str), (usize, &'a PlaintextPath)>,
    /// Paths that the page tells in full.
    told: &'a BTreeSet<usize>,
}

/// What a finding points at.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Trail {
    /// The path's number, where the page tells it.
    path: Option<usize>,
    /// What the diagram highlights, as its script reads it; empty where it shows nothing of it.
    show: String,
    /// Statements whose removal closes the path.
    cut: Vec<Proof>,
    cut_is_minimal: bool,
}

impl<'a> Trails<'a> {
    pub(crate) fn new(graph: &'a BoundaryGraph, boxes: &'a Boxes, told: &'a BTreeSet<usize>) -> Self {
        let mut by_ends = BTreeMap::new();
        for (number, path) in graph.paths.iter().enumerate() {
            by_ends.entry((path.principal.as_str(), path.target.as_str())).or_insert((number, path));
        }
        Self { boxes, by_ends, told }
    }

    /// What one finding points at.
    pub(crate) fn of(&self, finding: &Finding, citations: &mut Citations) -> Trail {
        if let Some((number, path)) = self.path(finding) {
            return Trail {
                path: self.told.contains(&number).then_some(number),
                show: self.boxes.hops(path),
                cut: citations.statements(&path.cut),
                cut_is_minimal: path.cut_is_minimal,
            };
        }
        let mut named: BTreeSet<usize> = BTreeSet::new();
        let texts = [&finding.subject, &finding.message].into_iter().chain(&finding.path);
        for word in texts.flat_map(|text| words(text)).take(WORDS) {
            named.extend(self.boxes.number(word));
        }
        let show: Vec<String> = named.iter().take(BOXES).map(usize::to_string).collect();
        Trail { show: show.join(" "), ..Trail::default() }
    }

    /// The path that a finding is about: its subject is one end, and its message names the other.
    fn path(&self, finding: &Finding) -> Option<(usize, &'a PlaintextPath)> {
        words(&finding.message).take(WORDS).find_map(|word| {
            let subject = finding.subject.as_str();
            self.by_ends.get(&(subject, word)).or_else(|| self.by_ends.get(&(word, subject))).copied()
        })
    }
}

/// The words of a text, and the text itself: names hold no spaces, and end before the punctuation of a sentence.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let punctuation = [',', ';', '.', ':', '(', ')', '`'];
    std::iter::once(text)
        .chain(text.split_whitespace().map(move |word| word.trim_matches(punctuation.as_slice())))
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn names_are_found_inside_sentences() {
        let found: Vec<&str> = words("reaches `topic:payments/a.b`, then (arn:aws:s3:::x).").collect();
        assert!(found.contains(&"topic:payments/a.b"));
        assert!(found.contains(&"arn:aws:s3:::x"));
    }
}
