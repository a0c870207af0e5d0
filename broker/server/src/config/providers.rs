//! Values that stand elsewhere: `${provider:path:key}` with Kafka's three own config providers (KIP-297, KIP-421).

use std::collections::BTreeMap;
use std::path::Path;

use super::definition::{ValueError, list};
use super::properties::Properties;

/// Where a value is looked up.
#[derive(Clone, Copy)]
enum Provider {
    /// `${env:NAME}`.
    Environment,
    /// `${file:/path/to.properties:key}`.
    File,
    /// `${directory:/path:file}`.
    Directory,
}

impl Provider {
    fn of(class: &str) -> Option<Self> {
        match class.strip_prefix("org.apache.kafka.common.config.provider.")? {
            "EnvVarConfigProvider" => Some(Self::Environment),
            "FileConfigProvider" => Some(Self::File),
            "DirectoryConfigProvider" => Some(Self::Directory),
            _ => None,
        }
    }

    fn look_up(self, reference: &str) -> Option<String> {
        let at = || reference.rsplit_once(':');
        match self {
            Self::Environment => std::env::var(reference).ok(),
            Self::File => {
                let (path, key) = at()?;
                let properties = Properties::parse(&std::fs::read_to_string(path).ok()?).ok()?;
                properties.get(key).map(str::to_owned)
            }
            Self::Directory => {
                let (path, file) = at()?;
                // A file in the directory, never one that a path in the name leads to.
                let is_plain = Path::new(file).file_name().is_some_and(|name| name == file);
                if is_plain { std::fs::read_to_string(Path::new(path).join(file)).ok() } else { None }
            }
        }
    }
}

/// Replaces every reference to a configured provider by what it stands for.
///
/// # Errors
///
/// [`ValueError`] for a provider that is not one of Kafka's own, or a reference that leads nowhere.
pub(super) fn resolve(properties: &mut Properties) -> Result<(), ValueError> {
    let mut providers = BTreeMap::new();
    for name in properties.get("config.providers").map(list).unwrap_or_default() {
        let property = format!("config.providers.{name}.class");
        let class = properties.get(&property).map(str::trim).unwrap_or_default();
        let expected = "Kafka's EnvVarConfigProvider, FileConfigProvider or DirectoryConfigProvider";
        let provider = Provider::of(class).ok_or_else(|| ValueError::new(&property, class, expected))?;
        providers.insert(name, provider);
    }
    if providers.is_empty() {
        return Ok(());
    }
    let referring = properties.iter().filter(|(_, value)| value.contains("${"));
    let referring: Vec<(String, String)> =
        referring.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    for (name, value) in referring {
        let resolved = replace(&name, &value, &providers)?;
        properties.set(name, resolved);
    }
    Ok(())
}

fn replace(name: &str, value: &str, providers: &BTreeMap<String, Provider>) -> Result<String, ValueError> {
    let mut resolved = String::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once("${") {
        let reference = after.split_once('}');
        let found = reference.and_then(|(reference, after)| {
            let (provider, reference) = reference.split_once(':')?;
            Some((*providers.get(provider)?, reference, after))
        });
        resolved.push_str(before);
        let Some((provider, reference, after)) = found else {
            resolved.push_str("${");
            rest = after;
            continue;
        };
        let missing = || ValueError::new(name, reference, "a reference to a value that is there");
        resolved.push_str(provider.look_up(reference).ok_or_else(missing)?.trim_end_matches('\n'));
        rest = after;
    }
    resolved.push_str(rest);
    Ok(resolved)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_replaced_and_everything_else_stays() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("secrets.properties"), "key=hunter2\n").unwrap();
        std::fs::write(directory.path().join("password"), "hunter3\n").unwrap();
        let path = directory.path().display();
        let class = "org.apache.kafka.common.config.provider";
        let mut properties = Properties::parse(&format!(
            "config.providers=file, dir\nconfig.providers.file.class={class}.FileConfigProvider\n\
             config.providers.dir.class={class}.DirectoryConfigProvider\n\
             a=<${{file:{path}/secrets.properties:key}}|${{dir:{path}:password}}>\nb=${{other:x}}\n"
        ))
        .unwrap();
        resolve(&mut properties).unwrap();
        assert_eq!(properties.get("a"), Some("<hunter2|hunter3>"));
        assert_eq!(properties.get("b"), Some("${other:x}"));
        properties.set("a", format!("${{dir:{path}:../password}}"));
        assert!(resolve(&mut properties).is_err());
        properties.set("config.providers.dir.class", "com.example.Vault");
        assert!(resolve(&mut properties).unwrap_err().to_string().contains("config.providers.dir.class"));
    }
}
