//! `policy test`: the `test_*` rules of `_test.rego` files, as `opa test` runs them.

use std::collections::BTreeSet;

use regorus::Value;

use crate::error::{PolicyError, with_place};
use crate::policy_set::PolicySet;

/// One test rule and how it ended.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RegoTest {
    /// The file that holds it.
    pub file: String,
    /// Its package.
    pub package: String,
    /// Its name, `test_…`.
    pub name: String,
    /// How it ended.
    pub outcome: RegoTestOutcome,
}

/// How a test rule ended.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum RegoTestOutcome {
    /// It is true.
    Passed,
    /// It is false or undefined.
    Failed,
    /// It could not be evaluated; the text says why.
    Error(String),
}

impl PolicySet {
    /// Runs every test, in order of package and name.
    ///
    /// # Errors
    /// When policies and tests do not fit together.
    pub fn test(&self) -> Result<Vec<RegoTest>, PolicyError> {
        let mut engine = self.test_engine()?;
        let mut results = Vec::new();
        for file in self.tests() {
            for name in test_names(&file.text) {
                let rule = format!("data.{}.{name}", file.package);
                let outcome = match engine.eval_rule(rule) {
                    Ok(Value::Bool(true)) => RegoTestOutcome::Passed,
                    Ok(_) => RegoTestOutcome::Failed,
                    Err(error) => RegoTestOutcome::Error(with_place(&error.to_string())),
                };
                results.push(RegoTest {
                    file: file.name.clone(),
                    package: file.package.clone(),
                    name: name.to_owned(),
                    outcome,
                });
            }
        }
        Ok(results)
    }
}

/// Names of rules that begin with `test_`, at the start of a line.
fn test_names(text: &str) -> BTreeSet<&str> {
    text.lines()
        .filter(|line| line.starts_with("test_"))
        .filter_map(|line| line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_policy_test_passes() {
        let results = PolicySet::builtin().unwrap().test().unwrap();
        let failed: Vec<String> = results
            .iter()
            .filter(|test| test.outcome != RegoTestOutcome::Passed)
            .map(|test| format!("{}: {}: {:?}", test.file, test.name, test.outcome))
            .collect();
        assert!(failed.is_empty(), "{}", failed.join("\n"));
    }

    #[test]
    fn every_built_in_control_has_a_passing_a_red_and_an_unproven_test() {
        let set = PolicySet::builtin().unwrap();
        for control in set.controls() {
            let package = format!("cadastre.controls.{}_test", control.id.to_lowercase().replace('-', "_"));
            let file = set.tests().iter().find(|file| file.package == package);
            let names = file.map(|file| test_names(&file.text)).unwrap_or_default();
            for kind in ["test_pass", "test_red", "test_unproven"] {
                assert!(names.iter().any(|name| name.starts_with(kind)), "{} has no {kind}", control.id);
            }
        }
    }

    #[test]
    fn false_undefined_and_failing_tests_are_told_apart() {
        let text = "package p_test\n\nimport rego.v1\n\ntest_a if 1 == 1\n\ntest_b if 1 == 2\n\ntest_c if count(7) == 1\n";
        let set = PolicySet::only(vec![("p_test.rego".into(), text.into())]).unwrap();
        let outcomes: Vec<_> = set.test().unwrap().into_iter().map(|test| test.outcome).collect();
        assert_eq!(outcomes[..2], [RegoTestOutcome::Passed, RegoTestOutcome::Failed]);
        assert!(matches!(outcomes[2], RegoTestOutcome::Error(_)));
    }
}
