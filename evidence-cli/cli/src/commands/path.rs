//! `cadastre path`: what becomes of packets between two ends.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use anyhow::{Context, bail};
use cadastre_model::declaration::Declaration;
use cadastre_model::evidence::Evidence;
use cadastre_model::inventory::Inventory;
use cadastre_model::progress::Progress;
use cadastre_model::reach::Hop;
use cadastre_network::azure::AzureTracer;
use cadastre_network::trace::{
    Answer, Family, Fate, Outcome, Packets, Party, PortRange, Question, Tracer, Verdict,
};
use ipnet::IpNet;
use serde::Serialize;

use super::azure_path;
use crate::args::assess::TableFormat;
use crate::args::path::{Path, Protocol};
use crate::exit::Exit;
use crate::terminal::{self, Terminal, inert};

/// An answer, as JSON shows it.
#[derive(Debug, Serialize)]
struct Shown<'a> {
    question: &'a Question,
    verdict: Verdict,
    #[serde(flatten)]
    answer: &'a Answer,
}

/// Answers one question.
pub(super) fn run(arguments: &Path, terminal: &Terminal) -> anyhow::Result<Exit> {
    let declaration = Declaration::read(&arguments.boundary)?;
    terminal.step("reading and verifying the evidence");
    let evidence = Evidence::read(&arguments.evidence)?;
    let inventory = cadastre_assess::inventory(evidence.records(), &declaration);
    terminal.finish();
    let question = Question {
        from: party(&inventory, &arguments.from)?,
        to: party(&inventory, &arguments.to)?,
        protocol: match arguments.protocol {
            Protocol::Tcp => 6,
            Protocol::Udp => 17,
            Protocol::Icmp => 1,
        },
        ports: ports(&arguments.port)?,
    };
    let answer = if azure_path::is_azure(&question.from) || azure_path::is_azure(&question.to) {
        AzureTracer::new(&inventory.azure).trace(&question)?
    } else {
        Tracer::new(&inventory).trace(&question)?
    };
    let verdict = answer.verdict();
    terminal::print(&match arguments.format {
        TableFormat::Json => {
            let shown = Shown { question: &question, verdict, answer: &answer };
            serde_json::to_string_pretty(&shown)? + "\n"
        }
        TableFormat::Table => table(&answer, verdict),
    })?;
    Ok(if verdict == Verdict::Unknown { Exit::Incomplete } else { Exit::Clean })
}

fn party(inventory: &Inventory, text: &str) -> anyhow::Result<Party> {
    if let Some(party) = azure_path::party(&inventory.azure, text)? {
        return Ok(party);
    }
    let outside = |range: &str| range.parse().map(Party::Outside);
    match text {
        "internet" => Ok(Party::Internet(Family::Ipv4)),
        "internet6" => Ok(Party::Internet(Family::Ipv6)),
        _ if text.starts_with("eni-") => Ok(Party::Interface(text.to_owned())),
        _ if text.starts_with("i-") => {
            let mut interfaces =
                inventory.interfaces.iter().filter(|known| known.instance.as_deref() == Some(text));
            match (interfaces.next(), interfaces.next()) {
                (Some(only), None) => Ok(Party::Interface(only.id.clone())),
                (Some(_), Some(_)) => bail!("instance `{text}` has several interfaces: name one, `eni-…`"),
                (None, _) => bail!("no interface of instance `{text}` is in the evidence"),
            }
        }
        _ => match text.parse::<std::net::IpAddr>() {
            Ok(address) => Ok(Party::Outside(address.into())),
            Err(_not_an_address) => outside(text).with_context(|| {
                format!(
                    "`{text}` is no `eni-…`, `i-…`, `nic:…`, `vm:…`, id of Azure's, `internet`, `internet6`, address or range"
                )
            }),
        },
    }
}

fn ports(text: &str) -> anyhow::Result<PortRange> {
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    let port = |text: &str| text.parse::<u16>().with_context(|| format!("`{text}` is no port"));
    let range = PortRange { from: port(from)?, to: port(to)? };
    if range.from > range.to {
        bail!("ports `{text}` end before they begin");
    }
    Ok(range)
}

fn table(answer: &Answer, verdict: Verdict) -> String {
    let mut text = match verdict {
        Verdict::Open => "open\n",
        Verdict::Unknown => "unknown\n",
        Verdict::Blocked => "blocked\n",
    }
    .to_owned();
    // The same way, told once, with whatever takes it.
    let mut ways: BTreeMap<(Rank, String, &[Hop]), Vec<&Packets>> = BTreeMap::new();
    for Outcome { packets, fate, hops, .. } in &answer.outcomes {
        let (rank, words) = words(fate);
        ways.entry((rank, words, hops)).or_default().push(packets);
    }
    for ((_, words, hops), packets) in &ways {
        let _infallible = writeln!(text, "\n{}", inert(words));
        for line in folded(packets) {
            let _infallible = writeln!(text, "  {line}");
        }
        for hop in *hops {
            let _infallible = writeln!(text, "    {}", inert(&format!("{}: {}", hop.at, hop.what)));
        }
    }
    for open in &answer.open {
        let _infallible = writeln!(text, "\nleft open: {}", inert(open));
    }
    text
}

/// How many ranges of addresses stand on a line before the rest is counted.
const MOST_RANGES: usize = 3;

/// Packets that differ in the addresses of one end alone, on a line.
fn folded(packets: &[&Packets]) -> Vec<String> {
    let distinct = |address: fn(&Packets) -> IpNet| {
        packets.iter().map(|packets| address(packets)).collect::<BTreeSet<_>>().len()
    };
    let by_source = distinct(|packets| packets.source) >= distinct(|packets| packets.destination);
    let mut lines: BTreeMap<(IpNet, PortRange, PortRange), BTreeSet<IpNet>> = BTreeMap::new();
    for Packets { source, destination, source_ports, ports, .. } in packets {
        let (kept, folded) = if by_source { (destination, source) } else { (source, destination) };
        lines.entry((*kept, *source_ports, *ports)).or_default().insert(*folded);
    }
    let line = |((kept, source_ports, ports), folded): ((IpNet, PortRange, PortRange), BTreeSet<IpNet>)| {
        let (kept, folded) = (kept.to_string(), listed(&folded));
        let (source, destination) = if by_source { (folded, kept) } else { (kept, folded) };
        format!("{source} ports {} to {destination} ports {}", range(source_ports), range(ports))
    };
    lines.into_iter().map(line).collect()
}

/// The largest ranges, and how many more there are.
fn listed(ranges: &BTreeSet<IpNet>) -> String {
    let mut largest: Vec<&IpNet> = ranges.iter().collect();
    if largest.len() > MOST_RANGES {
        largest.sort_by_key(|range| range.prefix_len());
        largest.truncate(MOST_RANGES);
    }
    let mut words = largest.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match ranges.len().saturating_sub(largest.len()) {
        0 => {}
        1 => words.push_str(" and 1 more range"),
        more => {
            let _infallible = write!(words, " and {more} more ranges");
        }
    }
    words
}

/// What is told first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Open,
    Unknown,
    Blocked,
}

fn words(fate: &Fate) -> (Rank, String) {
    match fate {
        Fate::Arrives(interface) => (Rank::Open, format!("arrives at {interface}, and replies come back")),
        Fate::Leaves(by) => (Rank::Open, format!("leaves by {by}, and replies come back")),
        Fate::Unknown(missing) => (Rank::Unknown, format!("unknown: {missing}")),
        Fate::Blocked(hop) => (Rank::Blocked, format!("blocked by {}: {}", hop.at, hop.what)),
    }
}

fn range(ports: PortRange) -> String {
    match ports {
        PortRange::ALL => "all".to_owned(),
        PortRange { from, to } if from == to => from.to_string(),
        PortRange { from, to } => format!("{from}-{to}"),
    }
}
