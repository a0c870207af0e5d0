//! Open Security Controls Assessment Language (OSCAL) 1.2: component definition.
//!
//! What a system security plan can take over: the data plane as a component, and for each framework which requirements
//! its settings bear on, with what was found. Nothing here says that a requirement is met as a whole; the verdict stands
//! beside each as a property.

use std::collections::BTreeMap;

use cadastre_model::checklist::{Checklist, ControlResult};
use cadastre_model::framework::{FrameworkStanding, RequirementStanding};
use serde_json::{Map, Value, json};

use crate::identity::uuid_in;
use crate::input::ReportInput;
use crate::oscal::{VERSION, filled, line, property};
use crate::words;

/// The boundary as an OSCAL document of the model "Component Definition".
#[must_use]
pub fn component_definition(input: &ReportInput<'_>) -> Value {
    let document = Document {
        checklist: input.checklist,
        controls: input.checklist.controls.iter().map(|control| (control.id.as_str(), control)).collect(),
    };
    let checklist = input.checklist;
    let declaration = input.declaration;
    let mut component = json!({
        "uuid": document.uuid("component", &[]),
        "type": "service",
        "title": line(&checklist.boundary),
        "description": format!(
            "A Kafka data plane, {}. Records rest on {}.",
            words::operating_models(declaration),
            words::architectures(declaration)
        ),
        "props": [property("evidence-root", &checklist.evidence_root), property("as-of", &checklist.as_of.to_string())],
    });
    let frameworks: Vec<&FrameworkStanding> =
        input.frameworks.iter().filter(|framework| !framework.requirements.is_empty()).collect();
    let implementations: Vec<Value> =
        frameworks.iter().map(|framework| document.implementation(framework)).collect();
    let mut definition = json!({
        "uuid": document.uuid("component-definition", &[]),
        "metadata": {
            "title": line(&format!("Component definition of {}", checklist.boundary)),
            "last-modified": checklist.as_of,
            "version": checklist.tool_version,
            "oscal-version": VERSION,
            "props": [property("tool", "cadastre")],
        },
    });
    // OSCAL wants lists that are present to hold something.
    if let (Some(component), false) = (component.as_object_mut(), implementations.is_empty()) {
        component.insert("control-implementations".to_owned(), Value::Array(implementations));
    }
    if let Some(definition) = definition.as_object_mut() {
        definition.insert("components".to_owned(), json!([component]));
        let resources: Vec<Value> = frameworks.iter().map(|framework| document.resource(framework)).collect();
        if !resources.is_empty() {
            definition.insert("back-matter".to_owned(), json!({"resources": resources}));
        }
    }
    json!({"component-definition": definition})
}

struct Document<'a> {
    checklist: &'a Checklist,
    controls: BTreeMap<&'a str, &'a ControlResult>,
}

impl Document<'_> {
    fn uuid(&self, kind: &str, parts: &[&str]) -> String {
        uuid_in(self.checklist, kind, parts)
    }

    fn resource(&self, framework: &FrameworkStanding) -> Value {
        json!({
            "uuid": self.uuid("framework", &[&framework.id]),
            "title": line(&format!("{} {}", framework.name, framework.version)),
            "description": "Published by others; requirements are named here by their ids alone.",
        })
    }

    fn implementation(&self, framework: &FrameworkStanding) -> Value {
        let requirements: Vec<Value> = framework
            .requirements
            .iter()
            .map(|requirement| self.requirement(&framework.id, requirement))
            .collect();
        json!({
            "uuid": self.uuid("control-implementation", &[&framework.id]),
            "source": format!("#{}", self.uuid("framework", &[&framework.id])),
            "description": line(&format!(
                "How settings of the data plane bear on {} {}. Requirements on which they have no bearing are left out.",
                framework.name, framework.version
            )),
            "implemented-requirements": requirements,
        })
    }

    fn requirement(&self, framework: &str, requirement: &RequirementStanding) -> Value {
        let mut implemented = Map::new();
        let mut put = |name: &str, value: Value| drop(implemented.insert(name.to_owned(), value));
        put("uuid", self.uuid("requirement", &[framework, &requirement.id]).into());
        put("control-id", token(&requirement.id).into());
        put("description", filled(&self.described(requirement)).into());
        let mut properties =
            vec![property("requirement", &requirement.id), property("verdict", requirement.verdict.name())];
        properties.extend(requirement.controls.iter().map(|control| property("control", &control.id)));
        put("props", Value::Array(properties));
        Value::Object(implemented)
    }

    fn described(&self, requirement: &RequirementStanding) -> String {
        let mut text = format!("{}.\n", requirement.title);
        for standing in &requirement.controls {
            let verdict = standing.verdict.map_or("not examined", words::verdict);
            let title = self.controls.get(standing.id.as_str()).map_or("", |control| control.title.as_str());
            text.push_str(&format!("\n- {} {title}: {verdict}", standing.id));
        }
        text
    }
}

/// An id of a framework as an OSCAL token: letters, digits, `-`, `_` and `.`, with a letter or `_` first.
fn token(id: &str) -> String {
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    let mut token: String = id.chars().map(|c| if allowed(c) { c } else { '-' }).collect();
    if !token.starts_with(|c: char| c.is_alphabetic() || c == '_') {
        token.insert(0, '_');
    }
    token.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::token;

    #[track_caller]
    fn check(id: &str, expected: &str) {
        assert_eq!(token(id), expected);
    }

    #[test]
    fn ids_of_frameworks_become_tokens() {
        check("CC6.1", "cc6.1");
        check("A&A-02", "a-a-02");
        check("164.312(a)(1)", "_164.312-a--1-");
        check("", "_");
    }
}
