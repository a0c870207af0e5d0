//! `cargo xtask differential network`: paths over sets of packets against a walk of single ones, on random networks.
//!
//! The result stands in `docs/reachability.md`, for Azure in `docs/reachability-azure.md`, below the rules that both sides
//! follow.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, bail};
use cadastre_network::azure::AzureTracer;
use cadastre_network::trace::{Answer, Fate, Outcome, Party, Question, QuestionError, Tracer};
use clap::{Args, ValueEnum};

use crate::bench::machine;
use crate::network_simulator::{End, Opening, Simulator};
use crate::network_topologies::Generator;
use crate::{azure_simulator, azure_topologies, process};

const QUESTIONS: u64 = 20;
const MARK: &str = "<!-- measured -->\n";

/// What to compare.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How many random networks
    #[arg(long, default_value_t = 20_000)]
    topologies: u64,
    /// How many packets in each
    #[arg(long, default_value_t = 200)]
    packets: u64,
    /// Where the generator starts
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Whose networks
    #[arg(long, value_enum, default_value_t = Cloud::Aws)]
    cloud: Cloud,
}

/// Whose rules decide about packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Cloud {
    Aws,
    Azure,
}

/// What came out.
#[derive(Debug, Default)]
struct Tally {
    packets: u64,
    questions: u64,
    /// By end, and for blocked ones by the kind of thing that stops them.
    ends: BTreeMap<String, u64>,
    differing: u64,
    examples: Vec<String>,
}

/// Compares, writes the table, and fails on any disagreement.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let tally = compare(options, std::thread::available_parallelism().map_or(1, usize::from));
    for example in &tally.examples {
        eprintln!("{example}");
    }
    publish(options, &tally)?;
    if tally.differing > 0 {
        bail!("{} packets of {} differ", tally.differing, tally.packets);
    }
    println!("{} packets, none differs", tally.packets);
    Ok(())
}

fn compare(options: &Options, threads: usize) -> Tally {
    let mut whole = Tally::default();
    std::thread::scope(|scope| {
        let parts: Vec<_> = (0..threads)
            .map(|part| {
                scope.spawn(move || {
                    let mut tally = Tally::default();
                    let own =
                        (0..options.topologies).filter(|topology| *topology % threads as u64 == part as u64);
                    for topology in own {
                        // Topologies start far from each other, whatever the seed.
                        let seed = options.seed.wrapping_mul(1 << 20).wrapping_add(topology) << 20;
                        match options.cloud {
                            Cloud::Aws => {
                                one(&mut tally, &mut Generator::new(seed), options.packets, topology);
                            }
                            Cloud::Azure => one_of_azure(&mut tally, seed, options.packets, topology),
                        }
                    }
                    tally
                })
            })
            .collect();
        for part in parts {
            match part.join() {
                Ok(tally) => whole.add(tally),
                Err(_) => whole.differ("a part stopped".to_owned()),
            }
        }
    });
    whole
}

fn one(tally: &mut Tally, generator: &mut Generator, packets: u64, topology: u64) {
    let inventory = generator.topology();
    let tracer = Tracer::new(&inventory);
    let simulator = Simulator(&inventory);
    follow(
        tally,
        (packets, topology),
        generator,
        |generator| generator.question(&inventory),
        |question| tracer.trace(question),
        |generator, question| generator.packet(&inventory, question),
        |from, to, packet| simulator.open(from, to, packet),
    );
}

fn one_of_azure(tally: &mut Tally, seed: u64, packets: u64, topology: u64) {
    let mut generator = azure_topologies::Generator::new(seed);
    let inventory = generator.topology();
    let tracer = AzureTracer::new(&inventory);
    let simulator = azure_simulator::Simulator(&inventory);
    follow(
        tally,
        (packets, topology),
        &mut generator,
        |generator| generator.question(&inventory),
        |question| tracer.trace(question),
        |generator, question| generator.packet(&inventory, question),
        |from, to, packet| simulator.open(from, to, packet),
    );
}

/// Asks questions of one network until enough packets were compared.
fn follow<G>(
    tally: &mut Tally,
    (packets, topology): (u64, u64),
    generator: &mut G,
    ask: impl Fn(&mut G) -> Question,
    trace: impl Fn(&Question) -> Result<Answer, QuestionError>,
    draw: impl Fn(&mut G, &Question) -> Option<Opening>,
    simulate: impl Fn(&Party, &Party, Opening) -> End,
) {
    let mut asked = 0;
    let mut fruitless = 0;
    while asked < packets && fruitless < 100 {
        let question = ask(generator);
        let answer = match trace(&question) {
            Ok(answer) => answer,
            Err(error) => return tally.differ(format!("network {topology}: {error}")),
        };
        tally.questions += 1;
        fruitless += 1;
        for _ in 0..packets.div_ceil(QUESTIONS) {
            let Some(packet) = draw(generator, &question) else { continue };
            fruitless = 0;
            asked += 1;
            let end = simulate(&question.from, &question.to, packet);
            tally.count(&end);
            if let Err(difference) = agree(&answer, packet, &end) {
                tally.differ(format!("network {topology}, {question:?}, {packet:?}: {difference}"));
            }
        }
    }
}

fn holds(outcome: &Outcome, packet: Opening) -> bool {
    let packets = &outcome.packets;
    packets.source.contains(&packet.source)
        && packets.destination.contains(&packet.destination)
        && packets.source_ports.contains(packet.source_port)
        && packets.ports.contains(packet.port)
        && packets.translated_ports.contains(packet.translated_port)
}

/// A packet is in one outcome, and that is what becomes of it.
fn agree(answer: &Answer, packet: Opening, end: &End) -> Result<(), String> {
    let found: Vec<&Outcome> = answer.outcomes.iter().filter(|outcome| holds(outcome, packet)).collect();
    let [outcome] = found.as_slice() else {
        return Err(format!("{end:?}, and {} outcomes hold it: {found:#?}", found.len()));
    };
    let ours = match &outcome.fate {
        Fate::Arrives(interface) => End::Arrives(interface.clone()),
        Fate::Leaves(by) => End::Leaves(by.clone()),
        Fate::Blocked(hop) => End::Blocked(hop.at.clone()),
        Fate::Unknown(_) => End::Unknown,
    };
    if ours == *end { Ok(()) } else { Err(format!("{end:?}, not {outcome:#?}")) }
}

impl Tally {
    fn count(&mut self, end: &End) {
        self.packets += 1;
        let kind = |id: &str| id.split('-').next().unwrap_or_default().to_owned();
        let name = match end {
            End::Arrives(_) => "arrives".to_owned(),
            End::Leaves(by) => format!("leaves by {}", kind(by)),
            End::Blocked(at) if at.is_empty() => "blocked".to_owned(),
            End::Blocked(at) => format!("blocked by {}", kind(at)),
            End::Unknown => "unknown".to_owned(),
        };
        *self.ends.entry(name).or_default() += 1;
    }

    fn differ(&mut self, example: String) {
        self.differing += 1;
        if self.examples.len() < 3 {
            self.examples.push(example);
        }
    }

    fn add(&mut self, other: Self) {
        self.packets += other.packets;
        self.questions += other.questions;
        self.differing += other.differing;
        for (name, count) in other.ends {
            *self.ends.entry(name).or_default() += count;
        }
        let room = 3_usize.saturating_sub(self.examples.len());
        self.examples.extend(other.examples.into_iter().take(room));
    }
}

fn publish(options: &Options, tally: &Tally) -> anyhow::Result<()> {
    let (file, cloud) = match options.cloud {
        Cloud::Aws => ("docs/reachability.md", ""),
        Cloud::Azure => ("docs/reachability-azure.md", " --cloud azure"),
    };
    let path = process::root().join(file);
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let Some((rules, _)) = text.split_once(MARK) else {
        bail!("{} has no `{}`", path.display(), MARK.trim())
    };
    let mut table = format!(
        "{rules}{MARK}\n`cargo xtask differential network{cloud} --topologies {} --packets {} --seed {}`: {} questions, {} packets, {} differing.\n{}\n\n| what becomes of a packet | packets |\n| --- | ---: |\n",
        options.topologies,
        options.packets,
        options.seed,
        tally.questions,
        tally.packets,
        tally.differing,
        machine(),
    );
    for (name, count) in &tally.ends {
        let _infallible = writeln!(table, "| {name} | {count} |");
    }
    fs::write(&path, table).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_packet_has_one_fate_and_it_is_the_simulated_one() {
        let tally = compare(&Options { topologies: 150, packets: 200, seed: 7, cloud: Cloud::Aws }, 1);
        assert_eq!(tally.differing, 0, "{}", tally.examples.join("\n"));
        assert!(tally.packets >= 30_000, "{}", tally.packets);
        for end in [
            "arrives",
            "leaves by igw",
            "leaves by pcx",
            "leaves by tgw",
            "leaves by vpce",
            "blocked by sg",
            "blocked by acl",
            "blocked by rtb",
            "unknown",
        ] {
            assert!(tally.ends.get(end).is_some_and(|count| *count > 20), "{end}: {:?}", tally.ends);
        }
    }

    #[test]
    fn every_packet_of_an_azure_network_has_one_fate_and_it_is_the_simulated_one() {
        let tally = compare(&Options { topologies: 150, packets: 200, seed: 7, cloud: Cloud::Azure }, 1);
        assert_eq!(tally.differing, 0, "{}", tally.examples.join("\n"));
        assert!(tally.packets >= 30_000, "{}", tally.packets);
        for end in [
            "arrives",
            "leaves by pip",
            "leaves by nat",
            "leaves by lb",
            "leaves by subnet",
            "leaves by peering",
            "blocked by nsg",
            "blocked by admin",
            "blocked by rt",
            "blocked by vnet",
            "blocked by pip",
            "blocked by pe",
            "unknown",
        ] {
            assert!(tally.ends.get(end).is_some_and(|count| *count > 20), "{end}: {:?}", tally.ends);
        }
    }
}
