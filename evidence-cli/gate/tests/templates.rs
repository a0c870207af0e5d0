//! The templates under `docs/ci`, held against schemas that others publish; skipped, and said so, without them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn templates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/ci")
}

/// Runs `check-jsonschema` (`cargo xtask parts`).
#[expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test that cannot go on panics, and one that is skipped says so"
)]
fn validated(schema: &str, file: &Path) -> Option<Output> {
    let Some(python) = std::env::var_os("CADASTRE_PYTHON") else {
        eprintln!("skipped: CADASTRE_PYTHON is not set; `cargo xtask test` sets it");
        return None;
    };
    let mut command = Command::new(python);
    command.args(["-m", "check_jsonschema", "--builtin-schema", schema]);
    if schema == "vendor.gitlab-ci" {
        command.args(["--data-transform", "gitlab-ci"]);
    }
    Some(command.arg(file).output().unwrap())
}

#[track_caller]
fn check(schema: &str, file: &str) {
    let Some(output) = validated(schema, &templates().join(file)) else { return };
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_action_fits_githubs_schema() {
    check("vendor.github-actions", "github/action.yml");
}

#[test]
fn the_workflow_fits_githubs_schema() {
    check("vendor.github-workflows", "github/workflow.yml");
}

#[test]
fn the_pipeline_fits_gitlabs_schema() {
    check("vendor.gitlab-ci", "gitlab/cadastre.gitlab-ci.yml");
}

#[test]
fn a_broken_template_is_found() {
    let directory = std::env::temp_dir().join(format!("cadastre-template-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let file = directory.join("action.yml");
    let text = std::fs::read_to_string(templates().join("github/action.yml")).unwrap();
    std::fs::write(&file, text.replace("using: composite", "using: everything")).unwrap();
    if let Some(output) = validated("vendor.github-actions", &file) {
        assert!(!output.status.success());
    }
    std::fs::remove_dir_all(&directory).unwrap();
}
