//! `cadastre packet`: everything in one file that others can verify.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use cadastre_model::progress::Progress;
use cadastre_model::{Clock, SystemClock, Timestamp};
use cadastre_packet::redact::{RedactOptions, Rules, redact};
use cadastre_packet::{
    Chain, Content, CreateOptions, Digest, Failure, FileSource, PackFile, PacketError, PacketPath, PublicKey,
    Role, SignOptions, Signed, Signer, SystemRandomness, TimestampAuthority, TimestampRule, TimestampState,
    UncheckedPacket, Verification, VerifyOptions, attach_timestamp, create, show, sign, verify, write_new,
};
use cadastre_policy::PolicySet;

use super::inputs::{self, Judged};
use super::{packet_document, packet_page};
use super::{report, signing};
use crate::args::assess::{Inputs, ReportFormat, TableFormat};
use crate::args::packet::{AttachTimestamp, Create, Packet, Redact, Show, Sign, Trust, Verify};
use crate::exit::Exit;
use crate::terminal::{self, Terminal, columns, inert};

/// The largest key, certificate or rules file that is read, in bytes.
const MAXIMUM_SMALL_FILE: u64 = 1 << 20;

/// Runs one of the verbs.
pub(super) fn run(arguments: &Packet, terminal: &Terminal) -> anyhow::Result<Exit> {
    match arguments {
        Packet::Create(arguments) => made(arguments, terminal),
        Packet::Sign(arguments) => signed(arguments, terminal),
        Packet::Timestamp(arguments) => timestamped(arguments, terminal),
        Packet::Verify(arguments) => verified(arguments, terminal),
        Packet::Redact(arguments) => redacted(arguments, terminal),
        Packet::Show(arguments) => shown(arguments),
        Packet::Page(arguments) => packet_page::run(arguments, terminal),
        Packet::Key(arguments) => signing::export(arguments),
    }
}

fn made(arguments: &Create, terminal: &Terminal) -> anyhow::Result<Exit> {
    let key = arguments.sign_key.as_deref().map(signing::open).transpose()?;
    let previous = match (&arguments.previous, &key) {
        (Some(path), Some(key)) => Some(statement_of(path, std::slice::from_ref(key.public_key()))?),
        _ => None,
    };
    let page = packet_page::path_beside(&arguments.output);
    // That the packet itself is there already is said when it is written.
    anyhow::ensure!(
        key.is_none() || !page.exists() || arguments.output.exists(),
        "`{}` is there already",
        page.display()
    );
    let judged = inputs::judge(&arguments.inputs, terminal)?;
    terminal.step("writing the reports");
    let mut files = files(&judged, &arguments.inputs)?;
    for path in &arguments.attach {
        let name = path.file_name().and_then(|name| name.to_str()).context("an attachment needs a name")?;
        files.push(PackFile {
            path: format!("attachments/{name}").parse()?,
            role: Role::Attachment,
            media_type: media_type(name).to_owned(),
            content: Content::File(path.clone()),
        });
    }
    let count = files.len();
    write_packet(&judged, files, &arguments.output, key.as_deref(), previous, terminal)?;
    terminal.finish();
    terminal.say(&format!("wrote {} with {count} files", arguments.output.display()));
    if let Some(key) = &key {
        packet_page::beside(&arguments.output, key.public_key(), terminal)?;
    } else {
        terminal.say("it is not signed: `cadastre packet sign` does that");
    }
    Ok(Exit::Clean)
}

/// Writes the packet, signed where there is a key. What is unsigned on the way lies beside the output and is removed.
pub(super) fn write_packet(
    judged: &Judged,
    files: Vec<PackFile>,
    output: &Path,
    key: Option<&dyn Signer>,
    previous: Option<Digest>,
    terminal: &Terminal,
) -> anyhow::Result<Option<Signed>> {
    let now = now();
    let options = CreateOptions {
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        created_at: now,
        as_of: judged.assessment.checklist.as_of,
        boundary: Some(judged.declaration.name.clone()),
        previous,
    };
    terminal.step("packing");
    let pack = |path: &Path, files| {
        write_new(path, |file| create(&judged.evidence, files, &options, &SystemRandomness::default(), file))
    };
    let Some(key) = key else {
        pack(output, files)?;
        return Ok(None);
    };
    let directory = output.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let between = tempfile::tempdir_in(directory)
        .with_context(|| format!("cannot write into `{}`", directory.display()))?;
    let unsigned = between.path().join("unsigned.zip");
    pack(&unsigned, files)?;
    terminal.step("signing");
    let source = open(&unsigned)?;
    let options = SignOptions { signed_at: now, timestamp: TimestampRule::None };
    Ok(Some(write_new(output, |file| sign(&source, key, &options, file))?))
}

/// Everything that goes into a packet beside the evidence.
pub(super) fn files(judged: &Judged, inputs: &Inputs) -> anyhow::Result<Vec<PackFile>> {
    let mut formats = vec![
        ReportFormat::Html,
        ReportFormat::Md,
        ReportFormat::Svg,
        ReportFormat::Xlsx,
        ReportFormat::Csv,
        ReportFormat::Oscal,
        ReportFormat::Ocsf,
        ReportFormat::Sarif,
        ReportFormat::Junit,
        ReportFormat::Cyclonedx,
    ];
    if cadastre_pdf::AVAILABLE {
        formats.push(ReportFormat::Pdf);
    }
    let mut files = Vec::new();
    for (name, content) in report::render(judged, &formats)? {
        files.push(file(&format!("reports/{name}"), Role::Report, content)?);
    }
    let assessment = &judged.assessment;
    files.push(file("graph.json", Role::Graph, serde_json::to_vec(&assessment.graph)?)?);
    files.push(file("checklist.json", Role::Checklist, serde_json::to_vec(&assessment.checklist)?)?);
    files.push(file("coverage.json", Role::Coverage, serde_json::to_vec(&assessment.coverage)?)?);
    let policies = match &inputs.policies {
        Some(directory) => inputs::policies(directory)?,
        None => PolicySet::builtin()?,
    };
    for policy in policies.modules() {
        let path = format!("policies/{}.rego", policy.package.replace('.', "/"));
        files.push(file(&path, Role::Policy, policy.text.clone().into_bytes())?);
    }
    let boundary =
        fs::read(&inputs.boundary).with_context(|| format!("cannot read `{}`", inputs.boundary.display()))?;
    files.push(file("attachments/boundary.yaml", Role::Attachment, boundary)?);
    let waivers = inputs::waivers(inputs)?;
    if !waivers.waivers.is_empty() {
        files.push(file("attachments/waivers.yaml", Role::Attachment, waivers.to_yaml().into_bytes())?);
    }
    Ok(files)
}

fn file(path: &str, role: Role, bytes: Vec<u8>) -> anyhow::Result<PackFile> {
    let media_type = media_type(path).to_owned();
    let path: PacketPath = path.parse()?;
    Ok(PackFile { path, role, media_type, content: Content::Bytes(bytes) })
}

/// The media type of a file by its extension (IANA media types registry).
fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "html" => "text/html",
        "md" => "text/markdown",
        "svg" => "image/svg+xml",
        "json" => "application/json",
        "sarif" => "application/sarif+json",
        "csv" => "text/csv",
        "xml" => "application/xml",
        "yaml" => "application/yaml",
        "pdf" => "application/pdf",
        "txt" | "rego" => "text/plain",
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        _ => "application/octet-stream",
    }
}

fn signed(arguments: &Sign, terminal: &Terminal) -> anyhow::Result<Exit> {
    let key = signing::open(&arguments.sign_key)?;
    let source = open(&arguments.packet)?;
    let timestamp = if arguments.timestamp { TimestampRule::Required } else { TimestampRule::None };
    terminal.step("checking and signing");
    let options = SignOptions { signed_at: now(), timestamp };
    let signed = write_new(&arguments.output, |file| sign(&source, &*key, &options, file))?;
    terminal.finish();
    let mut rows = vec![
        ["root".to_owned(), signed.root.to_string()].to_vec(),
        ["statement".to_owned(), signed.statement.to_string()].to_vec(),
        ["key".to_owned(), signed.key_id.clone()].to_vec(),
    ];
    if arguments.timestamp {
        rows.push(["imprint".to_owned(), signed.imprint.to_string()].to_vec());
    }
    terminal::print(&columns(&rows))?;
    Ok(Exit::Clean)
}

fn timestamped(arguments: &AttachTimestamp, terminal: &Terminal) -> anyhow::Result<Exit> {
    let authorities = authorities(&arguments.timestamp_authority)?;
    let response = small(&arguments.response)?;
    let source = open(&arguments.packet)?;
    let at = write_new(&arguments.output, |file| attach_timestamp(&source, &response, &authorities, file))?;
    terminal.say(&format!("the signature existed at {at}"));
    Ok(Exit::Clean)
}

fn verified(arguments: &Verify, terminal: &Terminal) -> anyhow::Result<Exit> {
    let source = open(&arguments.packet)?;
    terminal.step("verifying");
    let outcome = check(&source, &arguments.trust);
    terminal.finish();
    let verification = match outcome {
        Ok(verification) => verification,
        Err(error) => return failed(error, terminal),
    };
    terminal::print(&match arguments.format {
        TableFormat::Json => serde_json::to_string_pretty(&verification)? + "\n",
        TableFormat::Table => told(&verification),
    })?;
    Ok(Exit::Clean)
}

/// Tells a packet that is not what was signed from one that cannot be judged.
pub(super) fn failed(error: anyhow::Error, terminal: &Terminal) -> anyhow::Result<Exit> {
    match error.downcast_ref::<PacketError>().map(PacketError::failure) {
        Some(Failure::Verification) => {
            terminal.error(&format!("not verified: {error:#}"));
            if let Some(hint) = error.downcast_ref::<PacketError>().and_then(PacketError::hint) {
                terminal.hint(hint);
            }
            Ok(Exit::RedFlag)
        }
        _ => Err(error),
    }
}

fn check(source: &FileSource, trust: &Trust) -> anyhow::Result<Verification> {
    let (keys, options) = trusted(trust)?;
    Ok(verify(UncheckedPacket::open(source)?, &keys, &options)?.verification().clone())
}

pub(super) fn trusted(trust: &Trust) -> anyhow::Result<(Vec<PublicKey>, VerifyOptions)> {
    let keys = public_keys(&trust.public_key)?;
    let previous = trust.previous.as_deref().map(|path| statement_of(path, &keys)).transpose()?;
    let options = VerifyOptions {
        previous,
        redactor_keys: public_keys(&trust.redactor_key)?,
        timestamp_authorities: authorities(&trust.timestamp_authority)?,
        accept_unchecked_timestamp: trust.accept_unchecked_timestamp,
    };
    Ok((keys, options))
}

fn redacted(arguments: &Redact, terminal: &Terminal) -> anyhow::Result<Exit> {
    let rules_text = String::from_utf8(small(&arguments.rules)?)
        .with_context(|| format!("`{}` is not UTF-8", arguments.rules.display()))?;
    let rules = Rules::from_yaml(&rules_text)
        .with_context(|| format!("`{}` holds no redaction rules", arguments.rules.display()))?;
    let signer = arguments.sign_key.as_deref().map(signing::open).transpose()?;
    let (keys, trust) = trusted(&arguments.trust)?;
    let source = open(&arguments.packet)?;
    terminal.step("verifying the packet");
    let packet = match UncheckedPacket::open(&source).and_then(|packet| verify(packet, &keys, &trust)) {
        Ok(packet) => packet,
        Err(error) => return failed(error.into(), terminal),
    };
    terminal.step("setting the document again");
    let remake = packet_document::remake(&packet, terminal).unwrap_or_else(|error| {
        terminal
            .warn(&format!("the PDF cannot be set again and is withheld if anything is replaced: {error:#}"));
        None
    });
    terminal.step("redacting, and searching for what must not be there");
    let options = RedactOptions {
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        redacted_at: now(),
        companions: Vec::new(),
        remakes: remake.into_iter().collect(),
    };
    let signer = signer.as_deref();
    let result = write_new(&arguments.output, |file| {
        redact(&packet, &rules, &options, signer, &SystemRandomness::default(), file)
    })?;
    terminal.finish();
    let mut rows: Vec<Vec<String>> = [
        ("leaves as they were", result.original),
        ("leaves replaced", result.replaced),
        ("leaves withheld", result.withheld),
    ]
    .iter()
    .map(|(what, count)| vec![(*what).to_owned(), count.to_string()])
    .collect();
    rows.extend(result.values.iter().map(|(kind, count)| vec![format!("values: {kind}"), count.to_string()]));
    terminal::print(&columns(&rows))?;
    for (path, reason) in &result.withheld_files {
        terminal.say(&format!("withheld {}: {}", inert(path), inert(reason)));
    }
    if !result.qualified_only.is_empty() {
        terminal.warn(&format!(
            "common words, replaced in qualified form only; add them to `names` to replace them everywhere: {}",
            inert(&result.qualified_only.join(", "))
        ));
    }
    Ok(Exit::Clean)
}

fn shown(arguments: &Show) -> anyhow::Result<Exit> {
    let contents = show(&open(&arguments.packet)?)?;
    terminal::print(&match arguments.format {
        TableFormat::Json => serde_json::to_string_pretty(&contents)? + "\n",
        TableFormat::Table => contents.to_string(),
    })?;
    Ok(Exit::Clean)
}

/// The verification for people.
fn told(verification: &Verification) -> String {
    let signed_by = &verification.signed_by;
    let chain = match verification.chain {
        Chain::First => "the first: it names no packet before it".to_owned(),
        Chain::Continues { previous } => format!("continues {previous}"),
        Chain::NotCompared { previous } => format!("names {previous} before it; not compared"),
    };
    let timestamp = match &verification.timestamp {
        TimestampState::None => "none asked for".to_owned(),
        TimestampState::Verified { at, authority } => format!("{at} by {}", inert(authority)),
        TimestampState::NotChecked => "there, not checked".to_owned(),
    };
    let leaves = verification.leaves;
    let rows: Vec<Vec<String>> = [
        ("verified", verification.root.to_string()),
        ("signed by", format!("{} (key {})", inert(&signed_by.key_name), signed_by.key_id)),
        ("signed at", format!("{}, as the signer states", signed_by.signed_at)),
        ("timestamp", timestamp),
        ("judged as of", verification.as_of.to_string()),
        ("chain", chain),
        (
            "leaves",
            format!(
                "{}: {} original, {} replaced, {} withheld",
                leaves.all, leaves.original, leaves.replaced, leaves.withheld
            ),
        ),
        ("records, files", format!("{}, {}", verification.records, verification.files)),
    ]
    .into_iter()
    .map(|(what, value)| vec![what.to_owned(), value])
    .collect();
    let mut text = columns(&rows);
    if let Some(redaction) = &verification.redaction {
        let who = match &redaction.signed_by {
            Some(signed_by) => format!("vouched for by {}", inert(&signed_by.key_name)),
            None => "nobody vouches for what was put in place".to_owned(),
        };
        text.push_str(&format!("redacted      {}, {who}\n", redaction.redacted_at));
    }
    for line in &verification.missing {
        text.push_str(&format!("missing: {}\n", inert(line)));
    }
    text
}

/// The statement of a packet, once it verified.
fn statement_of(path: &Path, keys: &[PublicKey]) -> anyhow::Result<Digest> {
    let options = VerifyOptions { accept_unchecked_timestamp: true, ..VerifyOptions::default() };
    let source = open(path)?;
    let packet = UncheckedPacket::open(&source)
        .and_then(|packet| verify(packet, keys, &options))
        .with_context(|| format!("`{}` is not a packet to continue", path.display()))?;
    Ok(packet.verification().statement)
}

pub(super) fn open(path: &Path) -> anyhow::Result<FileSource> {
    FileSource::open(path).with_context(|| format!("cannot read `{}`", path.display()))
}

pub(super) fn public_keys(paths: &[PathBuf]) -> anyhow::Result<Vec<PublicKey>> {
    let mut keys = Vec::new();
    for path in paths {
        keys.extend(PublicKey::from_pem(&path.display().to_string(), &small(path)?)?);
    }
    Ok(keys)
}

fn authorities(paths: &[PathBuf]) -> anyhow::Result<Vec<TimestampAuthority>> {
    let read = |path: &PathBuf| -> anyhow::Result<TimestampAuthority> {
        Ok(TimestampAuthority::from_pem(&path.display().to_string(), &small(path)?)?)
    };
    paths.iter().map(read).collect()
}

/// A file that configures the work, up to a bound.
fn small(path: &Path) -> anyhow::Result<Vec<u8>> {
    use std::io::Read as _;
    let cannot = || format!("cannot read `{}`", path.display());
    let mut bytes = Vec::new();
    let file = fs::File::open(path).with_context(cannot)?;
    file.take(MAXIMUM_SMALL_FILE + 1).read_to_end(&mut bytes).with_context(cannot)?;
    anyhow::ensure!(
        bytes.len() as u64 <= MAXIMUM_SMALL_FILE,
        "`{}` is larger than {MAXIMUM_SMALL_FILE} bytes",
        path.display()
    );
    Ok(bytes)
}

fn now() -> Timestamp {
    SystemClock.now().truncated_to_seconds()
}
