//! The Java programs of the run: what feeds, what counts, what checks.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use crate::parts::{self, Parts};
use crate::process;

/// How long nothing new may be counted while brokers come back: transactions of a killed application end after ten seconds, members
/// of a group after six, and a machine with other work is slow.
const PATIENCE: Duration = Duration::from_secs(180);

/// The programs, some of them running. They end with it.
#[derive(Debug)]
pub(super) struct Programs {
    folder: PathBuf,
    classes: String,
    lines: u32,
    feeding: Option<Child>,
    counting: Option<Child>,
    checking: Option<Child>,
}

impl Programs {
    /// Gets Kafka Streams and compiles the programs.
    pub(super) fn prepare(folder: &Path, bootstrap: &str, lines: u32) -> anyhow::Result<Self> {
        let parts = Parts::prepare()?;
        let kafka = parts.kafka_libraries().context("Apache Kafka's jars are missing")?.to_owned();
        let directory = process::target_directory().join("compat");
        fs::create_dir_all(&directory)?;
        let streams = parts::maven(&directory, "streams", "fixtures/compat/java/pom.xml")?;
        let compiled = folder.join("classes");
        let classes = format!("{}:{}/*:{}/*", compiled.display(), kafka.display(), streams.display());
        let source = process::root().join("fixtures/streams");
        let mut compile = Command::new("javac");
        compile.args(["-nowarn", "-cp", &classes, "-d"]).arg(&compiled);
        for program in ["CreateTopics", "Feed", "CountWords", "Check"] {
            compile.arg(source.join(format!("{program}.java")));
        }
        process::output(&mut compile)?;
        fs::write(
            folder.join("client.properties"),
            format!(
                "bootstrap.servers={bootstrap}\nreconnect.backoff.max.ms=500\nmetadata.max.age.ms=5000\n"
            ),
        )?;
        Ok(Self { folder: folder.to_owned(), classes, lines, feeding: None, counting: None, checking: None })
    }

    fn java(&self, program: &str) -> anyhow::Result<Command> {
        let mut command = Command::new("java");
        command.args([
            "-Xmx256m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-cp",
            &self.classes,
            program,
        ]);
        command.arg(self.folder.join("client.properties")).current_dir(&self.folder);
        let said = fs::OpenOptions::new().create(true).append(true).open(self.said(program))?;
        let warned = fs::File::options().create(true).append(true).open(self.warned(program))?;
        command.stdin(Stdio::null()).stdout(said).stderr(warned);
        Ok(command)
    }

    /// What a program printed.
    fn said(&self, program: &str) -> PathBuf {
        self.folder.join(format!("{program}.out"))
    }

    fn warned(&self, program: &str) -> PathBuf {
        self.folder.join(format!("{program}.err"))
    }

    /// The last line that a program printed.
    fn last_line(&self, program: &str) -> String {
        let said = fs::read_to_string(self.said(program)).unwrap_or_default();
        said.lines().last().unwrap_or_default().to_owned()
    }

    pub(super) fn create_topics(&self) -> anyhow::Result<()> {
        process::run(&mut self.java("CreateTopics")?)
    }

    pub(super) fn start_feeding(&mut self) -> anyhow::Result<()> {
        let mut command = self.java("Feed")?;
        command.arg(self.lines.to_string()).arg(self.folder.join("stop")).arg(self.folder.join("written"));
        self.feeding = Some(command.spawn()?);
        Ok(())
    }

    pub(super) fn start_counting(&mut self) -> anyhow::Result<()> {
        self.counting = Some(self.java("CountWords")?.arg(self.folder.join("state")).spawn()?);
        Ok(())
    }

    /// Ends the application by SIGKILL and starts it over what it left.
    pub(super) fn restart_counting(&mut self) -> anyhow::Result<()> {
        end(&mut self.counting);
        self.start_counting()
    }

    pub(super) fn start_checking(&mut self) -> anyhow::Result<()> {
        self.checking = Some(self.java("Check")?.arg(self.folder.join("written")).spawn()?);
        Ok(())
    }

    /// How many counts the reader has seen.
    fn seen(&self) -> u64 {
        let said = fs::read_to_string(self.said("Check")).unwrap_or_default();
        let last = said.lines().rev().find_map(|line| line.strip_prefix("seen "));
        last.and_then(|count| count.parse().ok()).unwrap_or(0)
    }

    /// Waits until the reader has seen more than it has now.
    ///
    /// # Errors
    /// A program has ended, or nothing came for too long.
    pub(super) fn until_more_is_seen(&mut self, what: &str) -> anyhow::Result<()> {
        let (before, started) = (self.seen(), Instant::now());
        while self.seen() <= before {
            for (name, program) in [
                ("Feed", &mut self.feeding),
                ("CountWords", &mut self.counting),
                ("Check", &mut self.checking),
            ] {
                let ended = program.as_mut().map(Child::try_wait).transpose()?.flatten();
                if let Some(status) = ended {
                    let warned = fs::read_to_string(self.folder.join(format!("{name}.err")))?;
                    bail!("{what}: `{name}` ended with {status}: {warned}");
                }
            }
            ensure!(started.elapsed() < PATIENCE, "{what}: not within {} s", PATIENCE.as_secs());
            super::rest(20);
        }
        Ok(())
    }

    /// Ends the producer after a whole transaction, and tells what it wrote.
    pub(super) fn stop_feeding(&mut self) -> anyhow::Result<Value> {
        fs::write(self.folder.join("stop"), "")?;
        let child = self.feeding.take();
        self.result("Feed", child)
    }

    /// Waits until the reader has compared everything, and tells what it read.
    pub(super) fn finish_checking(&mut self) -> anyhow::Result<Value> {
        super::until_exists("what was written is known", &self.folder.join("written"))?;
        let child = self.checking.take();
        self.result("Check", child)
    }

    fn result(&self, program: &str, child: Option<Child>) -> anyhow::Result<Value> {
        let status = child.with_context(|| format!("`{program}` does not run"))?.wait()?;
        let warned = fs::read_to_string(self.warned(program))?;
        ensure!(status.success(), "`{program}` ended with {status}: {warned}");
        let line = self.last_line(program);
        serde_json::from_str(&line).with_context(|| format!("`{program}` ended with `{line}`"))
    }

    /// How often a thread of the application gave up.
    pub(super) fn replaced_threads(&self) -> anyhow::Result<u64> {
        let said = fs::read_to_string(self.said("CountWords"))?;
        Ok(said.lines().filter(|line| line.starts_with("replaced a thread")).count() as u64)
    }
}

impl Drop for Programs {
    fn drop(&mut self) {
        for program in [&mut self.feeding, &mut self.counting, &mut self.checking] {
            end(program);
        }
    }
}

fn end(program: &mut Option<Child>) {
    if let Some(mut child) = program.take() {
        let _killed = child.kill();
        let _reaped = child.wait();
    }
}
