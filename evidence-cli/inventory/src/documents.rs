//! Runbooks, ownership and plans, as `docs/formats/operating-documents.md` shapes their records.

use cadastre_model::Outcome;
use cadastre_model::asset::EvidenceIds;
use cadastre_model::asset::document::{BrokenDocument, Documents, FrontMatter, OperatingDocument, Section};

use crate::answers::{Answer, Series};
use crate::node::{Node, Read};
use crate::reader::Reader;

/// Reads every document, and names those that cannot be read.
pub(crate) fn read(reader: &mut Reader<'_>) -> Documents {
    let answers = reader.answers;
    let mut others = Vec::new();
    for page in answers.of("documents:ListDocuments").filter_map(Answer::latest).flat_map(pages) {
        others.extend(reader.accept(page.texts("Others")));
    }
    let mut documents = Documents { others, ..Documents::default() };
    for answer in answers.of("documents:ReadDocument") {
        let Some(series) = answer.latest() else { continue };
        let evidence: EvidenceIds = series.records.iter().map(|record| record.id().clone()).collect();
        let read = match pages(series).next() {
            Some(page) if series.outcome == Outcome::Observed => {
                document(&page, answer.subject, &evidence).map_err(|defect| reader.reject(defect))
            }
            _ => Err(series
                .records
                .last()
                .and_then(|record| record.problem.as_ref())
                .map_or_else(|| series.missing("documents:ReadDocument"), |problem| problem.message.clone())),
        };
        match read {
            Ok(document) => documents.read.push(document),
            Err(problem) => {
                documents.broken.push(BrokenDocument { id: answer.subject.to_owned(), problem, evidence });
            }
        }
    }
    documents
}

fn pages<'a>(series: &Series<'a>) -> impl Iterator<Item = Node<'a>> + use<'a> {
    let pages: Vec<Node<'a>> = series.pages.iter().map(|record| Node::response(record)).collect();
    pages.into_iter()
}

fn document(page: &Node<'_>, id: &str, evidence: &EvidenceIds) -> Read<OperatingDocument> {
    let front = page.object("FrontMatter")?;
    let front: FrontMatter =
        serde_json::from_value(front.value.clone()).map_err(|_shape| front.defect("front matter"))?;
    let sections = page.list("Sections")?;
    let sections: Vec<Section> = sections
        .iter()
        .map(|node| {
            serde_json::from_value(node.value.clone())
                .map_err(|_shape| node.defect("a heading and its place"))
        })
        .collect::<Read<_>>()?;
    Ok(OperatingDocument {
        id: id.to_owned(),
        front,
        sections,
        sha256: page.owned_text("Sha256")?,
        evidence: evidence.clone(),
    })
}
