//! Redaction rules, as people write them.

use ipnet::IpNet;
use regex::Regex;
use serde::Deserialize;

/// The format of rules.
const RULES_SCHEMA: &str = "cadastre/redaction-rules/v1";
/// The shortest text that is replaced.
pub(crate) const SHORTEST: usize = 3;

/// Rules that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// Not YAML of the right shape.
    #[error("the redaction rules do not read: {0}")]
    Malformed(String),
    /// Another format.
    #[error("the redaction rules have schema `{0}`, and this version reads `{RULES_SCHEMA}`")]
    Schema(String),
    /// A regular expression that does not compile, or matches nothing at all.
    #[error("`{pattern}` is not a pattern that can be used: {why}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// Why.
        why: String,
    },
    /// Neither an address nor a range.
    #[error("`{0}` is neither an address nor a range")]
    Address(String),
    /// Replacing it would destroy the files it is in.
    #[error("`{0}` cannot be replaced wherever it stands: it is shorter than {SHORTEST} characters")]
    Short(String),
    /// A word that the formats themselves use.
    #[error(
        "`{value}` cannot be replaced wherever it stands: it is part of `{word}`, which the formats themselves use"
    )]
    Reserved {
        /// The value.
        value: String,
        /// The word.
        word: String,
    },
    /// The rules name nothing.
    #[error("the redaction rules name nothing to redact")]
    Empty,
    /// No pseudonym is left for a value of this shape.
    #[error("no pseudonym is left for a value of {0} characters; name longer values")]
    Exhausted(usize),
}

/// Everything of a kind, or what a list names.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Written {
    All(All),
    List(Vec<String>),
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum All {
    All,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRules {
    schema: String,
    #[serde(default)]
    accounts: Option<Written>,
    #[serde(default)]
    addresses: Option<Written>,
    #[serde(default)]
    principals: Option<Written>,
    #[serde(default)]
    names: Vec<String>,
    #[serde(default)]
    patterns: Vec<String>,
    #[serde(default)]
    withhold: WrittenWithhold,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenWithhold {
    #[serde(default)]
    records: WrittenRecords,
    #[serde(default)]
    files: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRecords {
    #[serde(default)]
    ids: Vec<String>,
    #[serde(default)]
    operations: Vec<String>,
    #[serde(default)]
    subjects: Vec<String>,
}

/// Which values of a kind are replaced.
#[derive(Debug, Clone)]
pub(crate) enum Which<T> {
    None,
    All,
    These(Vec<T>),
}

/// What to redact.
#[derive(Debug, Clone)]
pub struct Rules {
    pub(crate) accounts: Which<String>,
    pub(crate) addresses: Which<IpNet>,
    pub(crate) principals: Which<Regex>,
    pub(crate) names: Vec<String>,
    pub(crate) patterns: Vec<Regex>,
    pub(crate) record_ids: Vec<String>,
    pub(crate) operations: Vec<Regex>,
    pub(crate) subjects: Vec<Regex>,
    pub(crate) files: Vec<Regex>,
}

impl Rules {
    /// Reads rules from YAML; `docs/formats/packet.md` shows them.
    ///
    /// # Errors
    /// [`RulesError`], naming what cannot be used.
    pub fn from_yaml(text: &str) -> Result<Self, RulesError> {
        let written: WrittenRules =
            serde_saphyr::from_str(text).map_err(|error| RulesError::Malformed(error.to_string()))?;
        if written.schema != RULES_SCHEMA {
            return Err(RulesError::Schema(written.schema));
        }
        let records = written.withhold.records;
        let rules = Self {
            accounts: which(written.accounts, |text| long_enough(&text).map(|()| text))?,
            addresses: which(written.addresses, |text| network(&text))?,
            principals: which(written.principals, |text| glob(&text))?,
            names: written.names,
            patterns: written.patterns.iter().map(|text| pattern(text)).collect::<Result<_, _>>()?,
            record_ids: records.ids,
            operations: globs(&records.operations)?,
            subjects: globs(&records.subjects)?,
            files: globs(&written.withhold.files)?,
        };
        rules.names.iter().try_for_each(|name| long_enough(name))?;
        if rules.is_empty() { Err(RulesError::Empty) } else { Ok(rules) }
    }

    fn is_empty(&self) -> bool {
        matches!(self.accounts, Which::None)
            && matches!(self.addresses, Which::None)
            && matches!(self.principals, Which::None)
            && self.names.is_empty()
            && self.patterns.is_empty()
            && self.record_ids.is_empty()
            && self.operations.is_empty()
            && self.subjects.is_empty()
            && self.files.is_empty()
    }
}

fn which<T>(
    written: Option<Written>,
    one: impl Fn(String) -> Result<T, RulesError>,
) -> Result<Which<T>, RulesError> {
    Ok(match written {
        None => Which::None,
        Some(Written::All(All::All)) => Which::All,
        Some(Written::List(list)) => Which::These(list.into_iter().map(one).collect::<Result<_, _>>()?),
    })
}

fn long_enough(text: &str) -> Result<(), RulesError> {
    if text.chars().count() < SHORTEST { Err(RulesError::Short(text.to_owned())) } else { Ok(()) }
}

fn network(text: &str) -> Result<IpNet, RulesError> {
    text.parse::<IpNet>()
        .or_else(|_not_a_range| text.parse::<std::net::IpAddr>().map(IpNet::from))
        .map_err(|_not_an_address| RulesError::Address(text.to_owned()))
}

fn pattern(text: &str) -> Result<Regex, RulesError> {
    let unusable = |why: &str| RulesError::Pattern { pattern: text.to_owned(), why: why.to_owned() };
    let regex = Regex::new(text).map_err(|error| unusable(&error.to_string().replace('\n', " ")))?;
    if regex.is_match("") { Err(unusable("it matches the empty text")) } else { Ok(regex) }
}

fn globs(texts: &[String]) -> Result<Vec<Regex>, RulesError> {
    texts.iter().map(|text| glob(text)).collect()
}

/// A pattern in which `*` stands for any text and `?` for one character.
fn glob(text: &str) -> Result<Regex, RulesError> {
    let expression = regex::escape(text).replace("\\*", ".*").replace("\\?", ".");
    Regex::new(&format!("(?s)^{expression}$"))
        .map_err(|error| RulesError::Pattern { pattern: text.to_owned(), why: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(yaml: &str, expected: &str) {
        let text = format!("schema: cadastre/redaction-rules/v1\n{yaml}");
        let error = Rules::from_yaml(&text).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn rules_that_cannot_be_used_are_refused_by_name() {
        refused("", "name nothing");
        refused("names: [ab]", "shorter than 3");
        refused("accounts: some", "do not read");
        refused("accouns: all", "do not read");
        refused("addresses: [300.1.1.1]", "neither an address");
        refused("patterns: ['x*']", "matches the empty text");
        refused("patterns: ['(']", "not a pattern");
        let newer = Rules::from_yaml("schema: cadastre/redaction-rules/v2\nnames: [alice]").unwrap_err();
        assert!(newer.to_string().contains("/v2"));
    }

    #[test]
    fn rules_read_as_documented() {
        let text = "schema: cadastre/redaction-rules/v1\naccounts: all\naddresses: [10.0.0.0/8, '2001:db8::1']\nprincipals: all\nnames: [acme]\npatterns: ['[a-z]+@acme']\nwithhold:\n  records: {operations: ['iam:*']}\n  files: ['reports/*.pdf']\n";
        let rules = Rules::from_yaml(text).unwrap();
        assert!(rules.files[0].is_match("reports/a.pdf") && !rules.files[0].is_match("reports/a.html"));
        assert!(rules.operations[0].is_match("iam:ListRoles"));
    }
}
