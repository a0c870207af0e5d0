//! `cadastre packet page`: the report of a signed packet as one page that checks its own evidence.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use cadastre_model::progress::Progress as _;
use cadastre_packet::{
    FileSource, PublicKey, UncheckedPacket, VERIFY_SCRIPT, VerifiedPacket, VerifyOptions,
    embed_verification_data, verify, write_new,
};
use serde_json::Value;

use super::packet;
use crate::args::packet::Page;
use crate::exit::Exit;
use crate::terminal::Terminal;

/// The report in a packet.
const REPORT: &str = "reports/report.html";
/// How much evidence a page carries, in bytes of JSON; what is beyond is in the packet.
const EVIDENCE: usize = 3 << 20;
/// The script's one line that only modules may hold.
const EXPORT: &str = "export async function";

/// Verifies the packet and writes the page.
pub(super) fn run(arguments: &Page, terminal: &Terminal) -> anyhow::Result<Exit> {
    let source = packet::open(&arguments.packet)?;
    let (keys, options) = packet::trusted(&arguments.trust)?;
    terminal.step("verifying the packet");
    let verified = match UncheckedPacket::open(&source).and_then(|packet| verify(packet, &keys, &options)) {
        Ok(verified) => verified,
        Err(error) => return packet::failed(error.into(), terminal),
    };
    let told = write(&verified, &keys, &arguments.output)?;
    terminal.finish();
    terminal.say(&told);
    Ok(Exit::Clean)
}

/// Writes the page of a packet that was just made and signed: `packet.html` beside `packet.zip`.
pub(super) fn beside(packet: &Path, key: &PublicKey, terminal: &Terminal) -> anyhow::Result<()> {
    let source = FileSource::open(packet).with_context(|| format!("cannot read `{}`", packet.display()))?;
    let keys = [key.clone()];
    let verified = verify(UncheckedPacket::open(&source)?, &keys, &VerifyOptions::default())?;
    terminal.say(&write(&verified, &keys, &path_beside(packet))?);
    Ok(())
}

/// Where the page of a packet lies.
pub(super) fn path_beside(packet: &Path) -> PathBuf {
    packet.with_extension("html")
}

fn write(packet: &VerifiedPacket<'_>, keys: &[PublicKey], output: &Path) -> anyhow::Result<String> {
    let derived = format!("{}{REPORT}", VerifiedPacket::derived_prefix());
    let held = |path: &str| {
        packet.files().iter().chain(packet.derived_files()).any(|file| file.path.as_str() == path)
    };
    let path = [REPORT, derived.as_str()].into_iter().find(|path| held(path));
    let Some(path) = path else { bail!("the packet holds no `{REPORT}`") };
    let report = String::from_utf8(packet.read(path)?).with_context(|| format!("`{path}` is not UTF-8"))?;
    let signer = &packet.verification().signed_by.key_id;
    let key = keys.iter().find(|key| key.id() == signer.as_str()).context("the key is not at hand")?;
    let cited = cited(&report);
    let mut data = embed_verification_data(packet, key, Some(&cited))?;
    let carried = bound(&mut data);
    let page = cadastre_report::with_verification(
        &report,
        &VERIFY_SCRIPT.replacen(EXPORT, "async function", 1),
        &data,
    )?;
    write_new(output, |file| {
        file.write_all(page.as_bytes()).map_err(|source| cadastre_packet::PacketError::Io {
            action: "write",
            path: output.display().to_string(),
            source,
        })
    })?;
    Ok(format!(
        "wrote {}, which checks {carried} of the {} records it cites in the browser",
        output.display(),
        cited.len()
    ))
}

/// The ids of the records that a report has in its appendix.
fn cited(report: &str) -> BTreeSet<String> {
    report
        .split(" data-record=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .filter(|id| id.starts_with("sha256:"))
        .map(str::to_owned)
        .collect()
}

/// Leaves out the largest records until the rest fits into a page, and returns how many are left.
fn bound(data: &mut Value) -> usize {
    let Some(Value::Array(records)) = data.get_mut("records") else { return 0 };
    let size = |record: &Value| record.get("line").and_then(Value::as_str).map_or(0, str::len) + 1_200;
    let mut sizes: Vec<usize> = records.iter().map(size).collect();
    sizes.sort_unstable();
    let mut total = 0;
    let fitting = sizes
        .iter()
        .take_while(|size| {
            total += **size;
            total <= EVIDENCE
        })
        .count();
    let Some(limit) = sizes.get(fitting) else { return records.len() };
    // Those of the size that no longer fits go together, so that which ones stay does not depend on their order.
    records.retain(|record| size(record) < *limit);
    records.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_page_carries_the_smaller_records_when_not_all_fit() {
        let record = |size: usize| json!({"line": "x".repeat(size)});
        let mut data = json!({"records": [record(10), record(EVIDENCE), record(20)]});
        assert_eq!(bound(&mut data), 2);
        assert_eq!(data, json!({"records": [record(10), record(20)]}));
        assert_eq!(bound(&mut json!({"records": []})), 0);
    }

    #[test]
    fn records_of_the_appendix_are_cited() {
        let id = format!("sha256:{}", "a".repeat(64));
        let page = format!("<article class=\"cited\" data-record=\"{id}\"><p data-record=\"\">");
        assert_eq!(cited(&page), [id].into());
    }
}
