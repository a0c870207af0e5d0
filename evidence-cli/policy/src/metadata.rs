//! A control's annotations: the `# METADATA` block of its policy file, read strictly.
//!
//! The block is OPA's ("Annotations", OPA documentation): YAML behind `# `, up to the first line that is
//! no comment. Unknown members are refused, so that a misspelt `requires` cannot weaken a control.

use cadastre_model::control::Control;
use serde::Deserialize;

use crate::error::PolicyError;
use crate::operations;

const AREAS: [&str; 10] = [
    "boundary",
    "network",
    "identity",
    "key-authority",
    "kafka",
    "audit",
    "operations",
    "semantics",
    "exit",
    "cost",
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Annotations {
    scope: String,
    title: String,
    description: String,
    custom: Custom,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Custom {
    id: String,
    area: String,
    pass: String,
    red_flag: String,
    requires: Vec<String>,
    fix: String,
}

/// Reads the annotations of a control's file.
///
/// # Errors
/// When there is no block, it does not parse, it lacks or adds a member, or what it says cannot be.
pub(crate) fn parse(file: &str, text: &str) -> Result<Control, PolicyError> {
    let error = |line: u64, message: String| PolicyError::Metadata { file: file.to_owned(), line, message };
    let start = text
        .lines()
        .position(|line| line.trim_end() == "# METADATA")
        .ok_or_else(|| error(1, "there is no `# METADATA` block".to_owned()))?;
    let block: Vec<&str> = text.lines().skip(start + 1).take_while(|line| line.starts_with('#')).collect();
    let yaml: Vec<&str> = block
        .iter()
        .map(|line| line.strip_prefix("# ").or_else(|| line.strip_prefix('#')).unwrap_or(line))
        .collect();
    let first = u64::try_from(start).unwrap_or(0) + 1;
    let annotations: Annotations = serde_saphyr::from_str(&yaml.join("\n")).map_err(|problem| {
        let line = problem.location().map_or(1, |location| location.line());
        let told = problem.without_snippet().to_string();
        error(first + line, told.split(" at line ").next().unwrap_or(&told).to_owned())
    })?;
    if annotations.scope != "package" {
        return Err(error(first, format!("scope is `{}`, expected `package`", annotations.scope)));
    }
    let custom = annotations.custom;
    if !is_id(&custom.id) {
        return Err(error(
            first,
            format!("id `{}` is not three capital letters, `-` and two digits", custom.id),
        ));
    }
    if !AREAS.contains(&custom.area.as_str()) {
        return Err(error(first, format!("area `{}` is none of {}", custom.area, AREAS.join(", "))));
    }
    if custom.requires.is_empty() {
        return Err(error(
            first,
            "`requires` is empty: a control rests on at least one operation".to_owned(),
        ));
    }
    for operation in &custom.requires {
        if operations::asked(operation).is_none() {
            return Err(error(first, format!("no collector asks `{operation}`")));
        }
    }
    Ok(Control {
        id: custom.id,
        area: custom.area,
        title: annotations.title,
        description: annotations.description.split_whitespace().collect::<Vec<_>>().join(" "),
        pass: custom.pass.trim().to_owned(),
        red_flag: custom.red_flag.trim().to_owned(),
        requires: custom.requires,
        fix: custom.fix.trim().to_owned(),
    })
}

fn is_id(id: &str) -> bool {
    let bytes = id.as_bytes();
    id.len() == 6
        && bytes.iter().take(3).all(u8::is_ascii_uppercase)
        && bytes.get(3) == Some(&b'-')
        && bytes.iter().skip(4).all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "# METADATA\n# scope: package\n# title: T\n# description: |\n#   one\n#   two\n# custom:\n#   id: KEY-04\n#   area: key-authority\n#   pass: p\n#   red_flag: r\n#   requires: [\"kms:ListKeys\"]\n#   fix: f\npackage cadastre.controls.key_04\n";

    #[track_caller]
    fn refused(text: &str, line: u64, expected: &str) {
        match parse("x.rego", text).unwrap_err() {
            PolicyError::Metadata { line: found, message, .. } => {
                assert!(message.contains(expected), "{message}");
                assert_eq!(found, line, "{message}");
            }
            other => panic!("{other}"),
        }
    }

    #[test]
    fn annotations_become_a_control() {
        let control = parse("x.rego", GOOD).unwrap();
        assert_eq!((control.id.as_str(), control.description.as_str()), ("KEY-04", "one two"));
    }

    #[test]
    fn what_a_control_must_say_is_asked_for_by_line() {
        refused("package x\n", 1, "no `# METADATA` block");
        refused(&GOOD.replace("requires:", "require:"), 12, "require");
        refused(&GOOD.replace("KEY-04", "key4"), 1, "`key4`");
        refused(&GOOD.replace("key-authority", "keys"), 1, "`keys`");
        refused(&GOOD.replace("kms:ListKeys", "kms:ListKey"), 1, "`kms:ListKey`");
        refused(&GOOD.replace("\"kms:ListKeys\"", ""), 1, "`requires` is empty");
        refused(&GOOD.replace("scope: package", "scope: rule"), 1, "`rule`");
    }
}
