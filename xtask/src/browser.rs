//! `cargo xtask browser`: reports in Chromium, driven as a reader would; and how soon a large one can be used.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use serde_json::Value;

use crate::parts::Parts;
use crate::process;

/// Names under which Chromium is installed.
const PROGRAMS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];
/// Nodes and findings of the boundaries that are made up: one with hostile names, a small one, one as large as a picture
/// gets.
const HOSTILE: [&str; 2] = ["40", "24"];
const SMALL: [&str; 2] = ["30", "8"];
const LARGE: [&str; 2] = ["300", "120"];

/// What to do with the browser.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Write the screenshots of the documentation too, to docs/screenshots/
    #[arg(long)]
    screenshots: bool,
}

/// The browser and what drives it, or why there is none.
pub(crate) fn available(parts: &Parts) -> Result<(PathBuf, PathBuf), &'static str> {
    let Some(chromium) = PROGRAMS.iter().find_map(|program| on_path(program)) else {
        return Err("no Chromium on the PATH (on Debian install `chromium`)");
    };
    match &parts.browser {
        Some(folder) => Ok((chromium, folder.clone())),
        None => Err("puppeteer-core and axe-core are missing"),
    }
}

/// Makes the pages and runs the tests on them.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let parts = Parts::prepare()?;
    let (chromium, folder) = match available(&parts) {
        Ok(found) => found,
        Err(why) => {
            println!("skipped: {why}; the reports were not tested in a browser");
            return Ok(());
        }
    };
    let pages = process::target_directory().join("browser");
    if pages.exists() {
        fs::remove_dir_all(&pages)?;
    }
    fs::create_dir_all(&pages)?;
    make_pages(&pages)?;
    let mut command = Command::new("node");
    command.env("CADASTRE_CHROMIUM", &chromium).arg(script("report.mjs")).arg(&folder).arg(&pages);
    if options.screenshots {
        let directory = process::root().join("docs/screenshots");
        fs::create_dir_all(&directory)?;
        command.arg(directory);
    }
    let output = command.stderr(Stdio::inherit()).output().context("cannot run node")?;
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    print!("{told}");
    if !output.status.success() {
        bail!("the browser test ended with {}", output.status);
    }
    let page = page(&told, &chromium, &folder)?;
    fs::write(process::root().join("docs/browser.md"), page).context("cannot write `docs/browser.md`")
}

/// What held, as the page of the documentation.
fn page(told: &str, chromium: &Path, folder: &Path) -> anyhow::Result<String> {
    let package = fs::read_to_string(folder.join("node_modules/axe-core/package.json"))?;
    let package: Value = serde_json::from_str(&package).context("axe-core's package is not JSON")?;
    let axe = package.get("version").and_then(Value::as_str).unwrap_or_default();
    let version = process::output(Command::new(chromium).arg("--version"))?;
    let mut parts = String::new();
    let (mut held, mut all) = (Vec::new(), 0_usize);
    for line in told.lines() {
        if let Some(promise) = line.strip_prefix("ok ") {
            all += 1;
            held.push(format!("- {}\n", promise.trim().replace('<', "&lt;")));
        } else if let Some((part, _)) = line.trim().split_once(": ").filter(|_| line.starts_with(' ')) {
            let _infallible = write!(parts, "\n## {part}\n\n{}", held.concat());
            held.clear();
        }
    }
    Ok(format!(
        "# Reports in a browser\n\n`cargo xtask browser` drives Chromium through the pages of a debug build of `cadastre`: the reports of the planted and of the clean account,\n\
         signed packets of both under Ed25519 and P-256, the same tampered with, and made-up boundaries with hostile names, of 30 and of 300 nodes\n\
         (`fixtures/browser/report.mjs`). A run in which a promise is broken fails and writes nothing, so this page says that all {all} held.\n\n\
         {}, axe-core {axe}. {}\n{parts}",
        version.trim(),
        crate::bench::machine()
    ))
}

/// How soon a page can be used: what `speed.mjs` measured.
pub(crate) fn speed(parts: &Parts, page: &Path) -> anyhow::Result<Option<Value>> {
    let (chromium, folder) = match available(parts) {
        Ok(found) => found,
        Err(why) => {
            eprintln!("missing: {why}; the browser's part of the benchmark is left out");
            return Ok(None);
        }
    };
    let answer = process::output(
        Command::new("node")
            .env("CADASTRE_CHROMIUM", chromium)
            .arg(script("speed.mjs"))
            .arg(folder)
            .arg(page)
            .arg("5"),
    )?;
    Ok(Some(serde_json::from_str(&answer).context("the browser's answer is not JSON")?))
}

fn script(name: &str) -> PathBuf {
    process::root().join("fixtures/browser").join(name)
}

fn on_path(program: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
}

fn make_pages(pages: &Path) -> anyhow::Result<()> {
    process::run(process::cargo().args(["build", "--quiet", "--package", "cadastre"]))?;
    process::run(process::cargo().args([
        "build",
        "--quiet",
        "--package",
        "cadastre-pdf",
        "--features",
        "typeset",
        "--example",
        "made_up",
    ]))?;
    let programs = process::target_directory().join("debug");
    let (cadastre, made_up) = (programs.join("cadastre"), programs.join("examples/made_up"));
    let ed25519 = key(pages, "ed25519", &["-algorithm", "ed25519"])?;
    let p256 = key(pages, "p256", &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"])?;
    for (fixture, name, packets) in [
        ("planted", "report.html", vec![("good", &ed25519), ("p256", &p256)]),
        ("clean", "clean.html", vec![("clean", &ed25519)]),
    ] {
        let fixture = process::root().join("fixtures").join(fixture);
        let judge = |verb: &[&str]| {
            let mut command = Command::new(&cadastre);
            command.arg("--quiet").args(verb).arg(fixture.join("evidence")).arg("--boundary");
            command.arg(fixture.join("boundary.yaml"));
            command
        };
        let folder = pages.join(format!("report-{name}"));
        process::run(judge(&["report", "--format", "html"]).arg("--output").arg(&folder))?;
        fs::rename(folder.join("report.html"), pages.join(name))?;
        for (kind, key) in packets {
            // The page lies beside the packet, under the packet's name.
            let packet = pages.join(format!("packet-{kind}.zip"));
            process::run(
                judge(&["packet", "create"]).arg("--sign-key").arg(key).arg("--output").arg(&packet),
            )?;
        }
        if name == "report.html" {
            let page = process::output(&mut judge(&["graph", "--format", "html"]))?;
            fs::write(pages.join("diagram.html"), page)?;
        }
    }
    for (name, [nodes, findings], further) in
        [("hostile", HOSTILE, Some("--hostile")), ("small", SMALL, None), ("large", LARGE, None)]
    {
        let folder = pages.join(name);
        let made =
            process::output(Command::new(&made_up).args([nodes, findings]).arg(&folder).args(further))?;
        if made.is_empty() {
            bail!("nothing was made up");
        }
        fs::rename(folder.join("report.html"), pages.join(format!("{name}.html")))?;
    }
    Ok(())
}

/// A private key for a test, which only its owner can read.
fn key(pages: &Path, name: &str, kind: &[&str]) -> anyhow::Result<PathBuf> {
    let path = pages.join(format!("{name}.pem"));
    process::output(Command::new("openssl").arg("genpkey").args(kind).arg("-out").arg(&path))?;
    crate::packet::restrict(&path)?;
    Ok(path)
}
