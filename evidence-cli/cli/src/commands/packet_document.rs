//! The typeset report of a packet, made again of what lies in the packet: redaction cannot rewrite a PDF.

use std::sync::Arc;

use anyhow::{Context, bail};
use cadastre_assess::Options;
use cadastre_assess::waivers::WaiverFile;
use cadastre_model::Timestamp;
use cadastre_model::declaration::Declaration;
use cadastre_packet::redact::{Remade, Remake};
use cadastre_packet::{PacketPath, Role, VerifiedPacket};
use cadastre_pdf::{Document, Typeset};
use cadastre_policy::PolicySet;

use super::{inputs, report};
use crate::terminal::Terminal;

/// The typeset report in a packet.
const REPORT: &str = "reports/report.pdf";
const BOUNDARY: &str = "attachments/boundary.yaml";
const WAIVERS: &str = "attachments/waivers.yaml";
const POLICIES: &str = "policies/";

/// What the document is made of: data, diagram and identity, in this order.
#[derive(Debug)]
struct Report {
    path: PacketPath,
    texts: [Vec<u8>; 3],
    date: Timestamp,
}

/// How the packet's typeset report is made again; `None` when it has none.
///
/// # Errors
/// When what lies in the packet does not lead to the report that lies in it: another version wrote it, or with other
/// templates.
pub(super) fn remake(
    packet: &VerifiedPacket<'_>,
    terminal: &Terminal,
) -> anyhow::Result<Option<Arc<dyn Remake>>> {
    let has = |path: &str| packet.files().iter().any(|file| file.path.as_str() == path);
    if !has(REPORT) {
        return Ok(None);
    }
    let text = |path: &str| -> anyhow::Result<String> {
        String::from_utf8(packet.read(path)?).with_context(|| format!("`{path}` is not UTF-8"))
    };
    let declaration = Declaration::parse(&text(BOUNDARY)?, BOUNDARY)?;
    let waivers =
        if has(WAIVERS) { WaiverFile::parse(&text(WAIVERS)?, WAIVERS)?.waivers } else { Vec::new() };
    let policies = packet.files().iter().filter(|file| file.role == Role::Policy).map(|file| {
        let path = file.path.as_str();
        Ok((path.strip_prefix(POLICIES).unwrap_or(path).to_owned(), text(path)?))
    });
    let policies = PolicySet::only(policies.collect::<anyhow::Result<_>>()?)?;
    let as_of = packet.verification().as_of;
    let options = Options { as_of: Some(as_of), policies: Some(policies), waivers, ..Options::default() };
    let judged = inputs::assessed(declaration, packet.evidence()?, &options, terminal)?;
    let frameworks = report::frameworks(&judged)?;
    let input = report::input(&judged, &frameworks);
    let texts = [
        serde_json::to_vec(&cadastre_report::document(&input)?)?,
        cadastre_report::diagram_svg(input.graph).into_bytes(),
        input.declaration.name.clone().into_bytes(),
    ];
    let report = Report { path: REPORT.parse()?, texts, date: as_of };
    if report.set(&report.texts)?.bytes != packet.read(REPORT)? {
        bail!("another version of cadastre, or another template, set `{REPORT}`");
    }
    Ok(Some(Arc::new(report)))
}

impl Report {
    fn set(&self, texts: &[Vec<u8>]) -> anyhow::Result<Typeset> {
        let [data, diagram, identity] = texts else { bail!("a document is made of three texts") };
        Ok(cadastre_pdf::typeset(&Document {
            template: cadastre_pdf::TEMPLATE,
            data: &serde_json::from_slice(data)?,
            diagram: std::str::from_utf8(diagram)?,
            date: self.date,
            identity: std::str::from_utf8(identity)?,
            creator: report::CREATOR,
        })?)
    }
}

impl Remake for Report {
    fn path(&self) -> &PacketPath {
        &self.path
    }

    fn texts(&self) -> &[Vec<u8>] {
        &self.texts
    }

    fn make(&self, texts: &[Vec<u8>]) -> Result<Remade, String> {
        let set = self.set(texts).map_err(|error| format!("{error:#}"))?;
        Ok(Remade { bytes: set.bytes, shown: set.text })
    }
}
