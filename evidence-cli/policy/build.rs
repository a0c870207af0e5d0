//! Embeds `policies/` into the library: every Rego file, the catalogue, and the frameworks.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?).join("../../policies").canonicalize()?;
    let mut files = Vec::new();
    collect(&root, "rego", &mut files)?;
    files.sort();
    let mut source =
        String::from("/// Every embedded Rego file: its path below `policies/`, and its text.\n");
    source.push_str("pub(crate) const FILES: &[(&str, &str)] = &[\n");
    for file in &files {
        let name = file.strip_prefix(&root)?.to_string_lossy().replace('\\', "/");
        writeln!(source, "    ({name:?}, include_str!({:?})),", file.display().to_string())?;
    }
    source.push_str("];\n\n/// The catalogue, `policies/catalogue.yaml`.\n");
    writeln!(
        source,
        "pub(crate) const CATALOGUE: &str = include_str!({:?});",
        root.join("catalogue.yaml").display().to_string()
    )?;
    let mut frameworks = Vec::new();
    collect(&root.join("frameworks"), "yaml", &mut frameworks)?;
    frameworks.sort();
    source.push_str(
        "\n/// Every framework: its id, and its file.\npub(crate) const FRAMEWORKS: &[(&str, &str)] = &[\n",
    );
    for file in &frameworks {
        let id = file.file_stem().unwrap_or_default().to_string_lossy();
        writeln!(source, "    ({id:?}, include_str!({:?})),", file.display().to_string())?;
    }
    source.push_str("];\n");
    fs::write(PathBuf::from(std::env::var("OUT_DIR")?).join("embedded.rs"), source)?;
    Ok(())
}

/// Adds the files of a kind below a directory, and has Cargo watch every directory for new ones.
fn collect(directory: &Path, extension: &str, files: &mut Vec<PathBuf>) -> io::Result<()> {
    println!("cargo:rerun-if-changed={}", directory.display());
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, extension, files)?;
        } else if path.extension().is_some_and(|found| found == extension) {
            files.push(path);
        }
    }
    Ok(())
}
