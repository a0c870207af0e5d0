//! The real parts that tests run against, fetched by the ordinary package clients into the target directory.
//!
//! What cannot be had is named in one line, and the tests that need it say that they are skipped.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::process;

/// Python packages: the AWS server and the foreign Kafka clients.
const PYTHON_PACKAGES: [&str; 3] = ["moto[server]==5.2.5", "kafka-python", "confluent-kafka"];

/// What is there.
#[derive(Debug)]
pub(crate) struct Parts {
    /// A Python that has moto, boto3, kafka-python and confluent-kafka.
    pub(crate) python: Option<PathBuf>,
    /// Apache Kafka's jars.
    pub(crate) kafka_libs: Option<PathBuf>,
    missing: Vec<String>,
}

impl Parts {
    /// Gets what is not there yet.
    pub(crate) fn prepare() -> anyhow::Result<Self> {
        let directory = process::target_directory().join("parts");
        fs::create_dir_all(&directory).with_context(|| format!("cannot create {}", directory.display()))?;
        let mut parts = Self { python: None, kafka_libs: None, missing: Vec::new() };
        match python(&directory) {
            Ok(path) => parts.python = Some(path),
            Err(error) => {
                parts.missing.push(format!("Python parts (moto, kafka-python, confluent-kafka): {error:#}"))
            }
        }
        match kafka(&directory) {
            Ok(path) => parts.kafka_libs = Some(path),
            Err(error) => parts.missing.push(format!("Apache Kafka: {error:#}")),
        }
        for missing in &parts.missing {
            eprintln!("missing: {missing}; tests that need it are skipped");
        }
        Ok(parts)
    }

    /// Sets the variables that tests look for.
    pub(crate) fn export(&self, command: &mut Command) {
        if let Some(python) = &self.python {
            command.env("CADASTRE_PYTHON", python);
        }
        if let Some(libs) = &self.kafka_libs {
            command.env("CADASTRE_KAFKA_LIBS", libs);
        }
    }

    /// How many kinds of part are missing.
    pub(crate) fn missing(&self) -> usize {
        self.missing.len()
    }

    /// Prints where the parts lie, as shell assignments.
    pub(crate) fn describe(&self) {
        for (name, path) in [("CADASTRE_PYTHON", &self.python), ("CADASTRE_KAFKA_LIBS", &self.kafka_libs)] {
            if let Some(path) = path {
                println!("export {name}={}", path.display());
            }
        }
    }
}

fn python(directory: &Path) -> anyhow::Result<PathBuf> {
    let venv = directory.join("python");
    let python = venv.join("bin/python");
    let stamp = venv.join("packages");
    let wanted = PYTHON_PACKAGES.join("\n");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) && python.exists() {
        return Ok(python);
    }
    if !process::exists("python3") {
        anyhow::bail!("no python3 on the PATH");
    }
    eprintln!("getting {}", PYTHON_PACKAGES.join(", "));
    process::run(Command::new("python3").arg("-m").arg("venv").arg(&venv))
        .context("`python3 -m venv` failed; on Debian install python3-venv")?;
    process::run(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(PYTHON_PACKAGES))?;
    fs::write(&stamp, wanted)?;
    Ok(python)
}

fn kafka(directory: &Path) -> anyhow::Result<PathBuf> {
    let pom = process::root().join("fixtures/kafka/pom.xml");
    let wanted = fs::read_to_string(&pom).with_context(|| format!("cannot read {}", pom.display()))?;
    let libs = directory.join("kafka");
    let stamp = libs.join("pom.xml");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(libs);
    }
    for program in ["java", "mvn"] {
        if !process::exists(program) {
            anyhow::bail!("no {program} on the PATH (Java 17 and Maven are needed)");
        }
    }
    eprintln!("getting Apache Kafka");
    if libs.exists() {
        fs::remove_dir_all(&libs)?;
    }
    process::run(
        Command::new("mvn")
            .args(["--quiet", "--batch-mode", "-Dstyle.color=never", "--file"])
            .arg(&pom)
            .arg("dependency:copy-dependencies")
            .arg(format!("-DoutputDirectory={}", libs.display())),
    )?;
    fs::write(&stamp, wanted)?;
    Ok(libs)
}
