//! A set of policies: controls by id, libraries, and tests.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_model::control::Control;
use regorus::Engine;

use crate::catalogue::Catalogue;
use crate::embedded;
use crate::error::{PolicyError, line_of, one_line};
use crate::metadata;

/// The package below which every control lives.
const CONTROLS: &str = "cadastre.controls.";

/// Built-in functions whose answer depends on more than their arguments. The same evidence has to give the
/// same verdicts, so that a policy that calls one is refused.
const IMPURE: [&str; 6] =
    ["http.send", "time.now_ns", "rand.intn", "opa.runtime", "uuid.rfc4122", "net.lookup_ip_addr"];

/// A policy file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyFile {
    /// Its path, for messages.
    pub name: String,
    /// Its text.
    pub text: String,
    /// Its package, `cadastre.controls.bnd_04`.
    pub package: String,
}

/// Policies that were parsed and fit together.
#[derive(Debug, Clone)]
pub struct PolicySet {
    /// Controls and libraries by package.
    modules: BTreeMap<String, PolicyFile>,
    /// Tests by package and name.
    tests: Vec<PolicyFile>,
    /// Controls by id, with the package that defines each.
    controls: BTreeMap<String, (Control, String)>,
    catalogue: Catalogue,
    /// All modules, parsed.
    engine: Engine,
}

impl PolicySet {
    /// The policies that the binary carries.
    ///
    /// # Errors
    /// When they are malformed, which the tests rule out.
    pub fn builtin() -> Result<Self, PolicyError> {
        Self::assemble(builtin_files(), Vec::new())
    }

    /// The built-in policies with a directory of the user's own: a file whose package is a built-in one
    /// takes its place, any other is added.
    ///
    /// # Errors
    /// When a file is not Rego, lacks its annotations, or claims an id or a package twice.
    pub fn from_files(files: Vec<(String, String)>) -> Result<Self, PolicyError> {
        Self::assemble(builtin_files(), files)
    }

    /// Only the given policies, without the built-in ones.
    ///
    /// # Errors
    /// As [`PolicySet::from_files`].
    pub fn only(files: Vec<(String, String)>) -> Result<Self, PolicyError> {
        Self::assemble(Vec::new(), files)
    }

    fn assemble(base: Vec<(String, String)>, own: Vec<(String, String)>) -> Result<Self, PolicyError> {
        let mut modules = BTreeMap::new();
        let mut tests = BTreeMap::new();
        for files in [base, own] {
            let mut layer: BTreeMap<String, PolicyFile> = BTreeMap::new();
            for (name, text) in files {
                let file = read(name, text)?;
                if is_test(&file.name) {
                    tests.insert((file.package.clone(), file.name.clone()), file);
                    continue;
                }
                if let Some(other) = layer.get(&file.package) {
                    return Err(PolicyError::Duplicate {
                        line: package_line(&file.text),
                        file: file.name,
                        name: file.package,
                        other: other.name.clone(),
                    });
                }
                layer.insert(file.package.clone(), file);
            }
            modules.append(&mut layer);
        }
        let controls = controls(&modules)?;
        let engine = engine(modules.values())?;
        let tests = tests.into_values().collect();
        Ok(Self { modules, tests, controls, catalogue: Catalogue::builtin()?, engine })
    }

    /// The controls, sorted by id.
    pub fn controls(&self) -> impl Iterator<Item = &Control> {
        self.controls.values().map(|(control, _)| control)
    }

    /// Controls and libraries, sorted by package.
    pub fn modules(&self) -> impl Iterator<Item = &PolicyFile> {
        self.modules.values()
    }

    /// One control with the file that defines it.
    #[must_use]
    pub fn control(&self, id: &str) -> Option<(&Control, &PolicyFile)> {
        let (control, package) = self.controls.get(id)?;
        Some((control, self.modules.get(package)?))
    }

    /// The catalogue: every control there is.
    #[must_use]
    pub const fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// Every operation that any control needs, sorted.
    #[must_use]
    pub fn required(&self) -> BTreeSet<&str> {
        self.controls().flat_map(|control| control.requires.iter().map(String::as_str)).collect()
    }

    /// Controls of the catalogue that no policy evaluates, sorted.
    #[must_use]
    pub fn not_examined(&self) -> Vec<String> {
        self.catalogue.controls.keys().filter(|id| !self.controls.contains_key(*id)).cloned().collect()
    }

    /// Controls with the packages that define them.
    pub(crate) fn packages(&self) -> impl Iterator<Item = (&Control, &str)> {
        self.controls.values().map(|(control, package)| (control, package.as_str()))
    }

    /// An engine that holds controls and libraries.
    pub(crate) fn engine(&self) -> Engine {
        self.engine.clone()
    }

    /// The test files, sorted by package and name.
    pub(crate) fn tests(&self) -> &[PolicyFile] {
        &self.tests
    }
}

fn builtin_files() -> Vec<(String, String)> {
    embedded::FILES.iter().map(|(name, text)| (format!("policies/{name}"), (*text).to_owned())).collect()
}

/// OPA's convention: `opa test` looks for rules in files like these.
fn is_test(name: &str) -> bool {
    name.ends_with("_test.rego")
}

/// Parses one file and finds its package.
fn read(name: String, text: String) -> Result<PolicyFile, PolicyError> {
    let mut engine = Engine::new();
    let package = engine.add_policy(name.clone(), text.clone()).map_err(|error| {
        let told = error.to_string();
        PolicyError::Syntax { file: name.clone(), line: line_of(&told), message: one_line(&told) }
    })?;
    for (number, line) in (1..).zip(text.lines()) {
        let code = line.split('#').next().unwrap_or(line);
        if let Some(function) = IMPURE.iter().find(|function| code.contains(**function)) {
            return Err(PolicyError::Syntax {
                file: name,
                line: number,
                message: format!("`{function}` is refused: verdicts depend on the evidence alone"),
            });
        }
    }
    if let Some(line) = unbound_element(&text) {
        return Err(PolicyError::Syntax {
            file: name,
            line,
            message: "bind what the set contains in the rule's body: `contains result if { …; result := … }`"
                .to_owned(),
        });
    }
    let package = package.strip_prefix("data.").unwrap_or(&package).to_owned();
    if let Some((line, full)) =
        aliased_rule(&text).filter(|_| !package.starts_with(CONTROLS) && !is_test(&name))
    {
        return Err(PolicyError::Syntax {
            file: name,
            line,
            message: format!("write `{full}` in full: a library's functions lose sight of what they import"),
        });
    }
    Ok(PolicyFile { name, text, package })
}

/// The line of a set rule whose head computes the element. Where such an expression is undefined for one
/// element, regorus 0.14 forgets the elements before it, and a forgotten finding would be a false pass.
/// Bound in the body, it is undefined for that element alone.
fn unbound_element(text: &str) -> Option<u64> {
    (1..).zip(text.lines()).find_map(|(number, line)| {
        let starts_a_rule = line.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
        let (_, element) = line.split_once(" contains ").filter(|_| starts_a_rule)?;
        let element = element.split(" if").next().unwrap_or(element).trim();
        let bound = element.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            || (element.starts_with('"') && element.ends_with('"'));
        (!bound).then_some(number)
    })
}

/// The line of a reference to another package's rule by an imported name, and how to write it in full.
///
/// Once a rule of a package was looked up through an import, regorus 0.14 takes the whole package for
/// evaluated, its imported names included, and to the package's functions those are then undefined. Calls of
/// functions are resolved in another way and stay right. Controls are not looked up through imports.
fn aliased_rule(text: &str) -> Option<(u64, String)> {
    let imports: Vec<(&str, &str)> = text
        .lines()
        .filter_map(|line| line.strip_prefix("import data."))
        .map(|path| path.split_once(" as ").unwrap_or((path, path.rsplit('.').next().unwrap_or(path))))
        .collect();
    (1..).zip(text.lines()).filter(|(_, line)| !line.starts_with("import ")).find_map(|(number, line)| {
        let code = line.split('#').next().unwrap_or(line);
        imports.iter().find_map(|(path, alias)| {
            let rule = rule_of(code, alias)?;
            Some((number, format!("data.{path}.{rule}")))
        })
    })
}

/// The first rule that a line refers to as `alias.rule`, function calls aside.
fn rule_of<'a>(code: &'a str, alias: &str) -> Option<&'a str> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    code.match_indices(alias).find_map(|(start, _)| {
        let before = code.get(..start)?.chars().next_back();
        if before.is_some_and(|c| word(c) || c == '.' || c == '"') {
            return None;
        }
        let rest = code.get(start + alias.len()..)?.strip_prefix('.')?;
        let end = rest.find(|c| !word(c)).unwrap_or(rest.len());
        let (rule, after) = rest.split_at_checked(end)?;
        (!rule.is_empty() && !after.starts_with('(')).then_some(rule)
    })
}

/// Reads the annotations of every control, and holds each to its package and a unique id.
fn controls(
    modules: &BTreeMap<String, PolicyFile>,
) -> Result<BTreeMap<String, (Control, String)>, PolicyError> {
    let mut controls: BTreeMap<String, (Control, String)> = BTreeMap::new();
    for file in modules.values().filter(|file| file.package.starts_with(CONTROLS)) {
        let control = metadata::parse(&file.name, &file.text)?;
        let line = package_line(&file.text);
        if let Some((_, package)) = controls.get(&control.id) {
            return Err(PolicyError::Duplicate {
                file: file.name.clone(),
                line,
                name: control.id,
                other: modules.get(package).map_or_else(|| package.clone(), |other| other.name.clone()),
            });
        }
        let expected = format!("{CONTROLS}{}", control.id.to_lowercase().replace('-', "_"));
        if file.package != expected {
            return Err(PolicyError::Metadata {
                file: file.name.clone(),
                line,
                message: format!(
                    "package is `{}`, and `{}` belongs in `{expected}`",
                    file.package, control.id
                ),
            });
        }
        controls.insert(control.id.clone(), (control, file.package.clone()));
    }
    Ok(controls)
}

fn package_line(text: &str) -> u64 {
    (1..)
        .zip(text.lines())
        .find_map(|(number, line)| line.starts_with("package ").then_some(number))
        .unwrap_or(1)
}

/// An engine with the given files; a built-in function that fails is an error, never a silent `undefined`.
pub(crate) fn engine<'a>(files: impl Iterator<Item = &'a PolicyFile>) -> Result<Engine, PolicyError> {
    let mut engine = Engine::new();
    engine.set_strict_builtin_errors(true);
    for file in files {
        engine.add_policy(file.name.clone(), file.text.clone()).map_err(|error| {
            let told = error.to_string();
            PolicyError::Syntax { file: file.name.clone(), line: line_of(&told), message: one_line(&told) }
        })?;
    }
    Ok(engine)
}

impl PolicySet {
    /// An engine with controls, libraries and tests.
    pub(crate) fn test_engine(&self) -> Result<Engine, PolicyError> {
        engine(self.modules.values().chain(&self.tests))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn control(id: &str, package: &str) -> String {
        format!(
            "# METADATA\n# scope: package\n# title: T\n# description: D\n# custom:\n#   id: {id}\n#   area: kafka\n#   pass: p\n#   red_flag: r\n#   requires: [\"kafka:DescribeAcls\"]\n#   fix: f\npackage {package}\n\nimport rego.v1\n"
        )
    }

    #[track_caller]
    fn refused(files: &[(&str, String)], expected: &str) {
        let files = files.iter().map(|(name, text)| ((*name).to_owned(), text.clone())).collect();
        let error = PolicySet::only(files).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn ids_and_packages_are_unique_and_agree() {
        let good = control("KAF-99", "cadastre.controls.kaf_99");
        refused(
            &[("a.rego", good.clone()), ("b.rego", good.clone())],
            "b.rego:12: `cadastre.controls.kaf_99`",
        );
        refused(
            &[("a.rego", control("KAF-99", "cadastre.controls.kaf_98"))],
            "belongs in `cadastre.controls.kaf_99`",
        );
    }

    #[test]
    fn syntax_errors_name_file_and_line() {
        refused(&[("a.rego", "package x\n\nrule if {{\n".into())], "a.rego:");
    }

    #[test]
    fn policies_that_look_beyond_the_evidence_are_refused() {
        refused(
            &[("a.rego", "package x\n\nimport rego.v1\n\nlate if time.now_ns() > 0\n".into())],
            "a.rego:5: `time.now_ns`",
        );
    }

    #[test]
    fn set_rules_bind_their_elements_in_the_body() {
        let head = "package x\n\nimport rego.v1\n\n";
        refused(
            &[("a.rego", format!("{head}r contains f(y) if some y in [1, 2]\n\nf(y) := 1 if y == 1\n"))],
            "a.rego:5: bind",
        );
        for good in [
            "r contains y if some y in [1, 2]\n",
            "r contains \"a\"\n",
            "r contains y if {\n\tsome y in [1]\n}\n",
        ] {
            PolicySet::only(vec![("a.rego".into(), format!("{head}{good}"))]).unwrap();
        }
    }

    #[test]
    fn libraries_name_rules_of_other_packages_in_full() {
        let library = |use_of: &str| {
            format!("package l\n\nimport rego.v1\n\nimport data.other\n\nf(x) if x == {use_of}\n")
        };
        refused(&[("l.rego", library("other.rule"))], "l.rego:7: write `data.other.rule` in full");
        for good in ["data.other.rule", "other.function(x)", "another.rule", "x.other.rule"] {
            assert_eq!(aliased_rule(&library(good)), None, "{good}");
        }
    }

    #[test]
    fn functions_of_libraries_see_what_they_import_after_a_rule_was_looked_up() {
        let files = vec![
            ("other.rego".to_owned(), "package other\n\nimport rego.v1\n\nrule := {\"a\"}\n".to_owned()),
            ("l.rego".to_owned(), "package l\n\nimport rego.v1\n\nrule := 1\n\nf(x) if x in data.other.rule\n".to_owned()),
            ("c_test.rego".to_owned(), "package c_test\n\nimport rego.v1\n\nimport data.l\n\ntest_a if {\n\tl.rule == 1\n\tl.f(\"a\")\n}\n".to_owned()),
        ];
        let outcomes = PolicySet::only(files).unwrap().test().unwrap();
        assert!(outcomes.iter().all(|test| test.outcome == crate::RegoTestOutcome::Passed), "{outcomes:?}");
    }

    #[test]
    fn a_users_file_takes_the_place_of_a_built_in_one() {
        let text = control("KAF-05", "cadastre.controls.kaf_05").replace("title: T", "title: Ours");
        let set = PolicySet::from_files(vec![("own/kaf_05.rego".into(), text)]).unwrap();
        let (control, file) = set.control("KAF-05").unwrap();
        assert_eq!((control.title.as_str(), file.name.as_str()), ("Ours", "own/kaf_05.rego"));
    }

    #[test]
    fn built_in_controls_are_catalogued_under_the_same_title_and_area() {
        let set = PolicySet::builtin().unwrap();
        for control in set.controls() {
            let entry = set.catalogue().controls.get(&control.id).expect(&control.id);
            assert_eq!((&entry.title, &entry.area), (&control.title, &control.area), "{}", control.id);
        }
    }
}
