//! `ssl.principal.mapping.rules`: from the distinguished name of a client certificate to a user name (KIP-371).
//!
//! A list of rules separated by commas, the first that matches the whole name wins:
//! `RULE:pattern/replacement/`, optionally followed by `L` or `U` for lower or upper case, or `DEFAULT` for the name as
//! it is. Slashes and backslashes inside a rule are escaped with a backslash. In the replacement, `$1` is the first
//! group; a number above the number of groups is plain text.

use std::sync::LazyLock;

use regex::{Captures, Regex, RegexBuilder};

/// One rule without its separator; Kafka's own grammar.
const RULE_GRAMMAR: &str = r"(DEFAULT)|RULE:((?:\\.|[^\\/])*)/((?:\\.|[^\\/])*)/([LU]?).*?|(.*?)";

/// How much memory a compiled pattern may take, in bytes.
const PATTERN_SIZE_LIMIT: usize = 1 << 20;

static RULE_SPLITTER: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(&format!(r"\s*({RULE_GRAMMAR})\s*(?:,\s*|$)")).ok());
static RULE_PARSER: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(&format!("^(?:{RULE_GRAMMAR})")).ok());

/// Why a value of `ssl.principal.mapping.rules` is refused, or a name finds no rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PrincipalMappingError {
    /// Neither `DEFAULT` nor a complete `RULE:`.
    #[error("`{0}` is not a principal mapping rule")]
    InvalidRule(String),
    /// The pattern does not compile; look-around and back references are not supported.
    #[error("pattern `{pattern}` of a principal mapping rule is not supported: {reason}")]
    InvalidPattern {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The replacement has a lone `$` or `\`, or a group where the pattern has none.
    #[error("replacement `{0}` of a principal mapping rule has a `$` or `\\` that stands for nothing")]
    InvalidReplacement(String),
    /// No rule matches, which in Kafka fails the connection.
    #[error("no principal mapping rule applies to `{0}`")]
    NoRuleApplies(String),
}

/// The rules in their order.
#[derive(Debug, Clone)]
pub struct PrincipalMapping {
    rules: Vec<Rule>,
}

impl Default for PrincipalMapping {
    /// `DEFAULT`: the distinguished name is the user name.
    fn default() -> Self {
        Self { rules: vec![Rule::Default] }
    }
}

impl PrincipalMapping {
    /// Reads the property; empty rules between commas are ignored.
    ///
    /// # Errors
    /// The first rule that is malformed.
    pub fn parse(property: &str) -> Result<Self, PrincipalMappingError> {
        let splitter =
            RULE_SPLITTER.as_ref().ok_or_else(|| PrincipalMappingError::InvalidRule(property.to_owned()))?;
        let texts = splitter.captures_iter(property.trim()).filter_map(|found| Some(found.get(1)?.as_str()));
        let rules = texts.filter(|text| !text.is_empty()).map(Rule::parse).collect::<Result<_, _>>()?;
        Ok(Self { rules })
    }

    /// The user name for a distinguished name in the form of RFC 2253.
    ///
    /// # Errors
    /// [`PrincipalMappingError::NoRuleApplies`], upon which the connection must be refused.
    pub fn apply(&self, distinguished_name: &str) -> Result<String, PrincipalMappingError> {
        self.rules
            .iter()
            .find_map(|rule| rule.apply(distinguished_name))
            .ok_or_else(|| PrincipalMappingError::NoRuleApplies(distinguished_name.to_owned()))
    }
}

#[derive(Debug, Clone)]
enum Rule {
    Default,
    Rewrite { whole: Regex, pattern: Regex, replacement: Vec<Piece>, letter_case: LetterCase },
}

#[derive(Debug, Clone, Copy)]
enum LetterCase {
    Kept,
    Lower,
    Upper,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Group(usize),
}

impl Rule {
    fn parse(text: &str) -> Result<Self, PrincipalMappingError> {
        let invalid = || PrincipalMappingError::InvalidRule(text.to_owned());
        let found = RULE_PARSER.as_ref().and_then(|parser| parser.captures(text)).ok_or_else(invalid)?;
        if found.get(0).map(|whole| whole.end()) != Some(text.len()) {
            return Err(invalid());
        }
        if found.get(1).is_some() {
            return Ok(Self::Default);
        }
        let part = |index| found.get(index).map(|part| part.as_str());
        let (pattern, replacement) = part(2).zip(part(3)).ok_or_else(invalid)?;
        let letter_case = match part(4) {
            Some("L") => LetterCase::Lower,
            Some("U") => LetterCase::Upper,
            _ => LetterCase::Kept,
        };
        let whole = compile(&format!(r"\A(?:{pattern})\z"), pattern)?;
        let compiled = compile(pattern, pattern)?;
        let replacement = parse_replacement(replacement, compiled.captures_len() - 1)
            .ok_or_else(|| PrincipalMappingError::InvalidReplacement(replacement.to_owned()))?;
        Ok(Self::Rewrite { whole, pattern: compiled, replacement, letter_case })
    }

    fn apply(&self, distinguished_name: &str) -> Option<String> {
        let Self::Rewrite { whole, pattern, replacement, letter_case } = self else {
            return Some(distinguished_name.to_owned());
        };
        if !whole.is_match(distinguished_name) {
            return None;
        }
        let name = replace_all(distinguished_name, pattern, replacement);
        Some(match letter_case {
            LetterCase::Kept => name,
            LetterCase::Lower => name.to_lowercase(),
            LetterCase::Upper => name.to_uppercase(),
        })
    }
}

fn compile(text: &str, pattern: &str) -> Result<Regex, PrincipalMappingError> {
    RegexBuilder::new(text).size_limit(PATTERN_SIZE_LIMIT).build().map_err(|error| {
        PrincipalMappingError::InvalidPattern {
            pattern: pattern.to_owned(),
            reason: error.to_string().lines().last().unwrap_or_default().trim().to_owned(),
        }
    })
}

/// Reads a replacement as Java's `Matcher.appendReplacement` does after Kafka has escaped references to groups that
/// the pattern does not have. `None` where Java would throw.
fn parse_replacement(text: &str, group_count: usize) -> Option<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut plain = String::new();
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '\\' => plain.push(rest.next()?),
            '$' => {
                let first = usize::try_from(rest.next()?.to_digit(10)?).ok()?;
                if first > group_count {
                    if group_count == 0 {
                        return None;
                    }
                    plain.push('$');
                    plain.push_str(&first.to_string());
                    continue;
                }
                let mut group = first;
                while let Some(digit) = rest.peek().and_then(|next| next.to_digit(10)) {
                    let longer = group * 10 + usize::try_from(digit).ok()?;
                    if longer > group_count {
                        break;
                    }
                    group = longer;
                    rest.next();
                }
                if !plain.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut plain)));
                }
                pieces.push(Piece::Group(group));
            }
            other => plain.push(other),
        }
    }
    if !plain.is_empty() {
        pieces.push(Piece::Text(plain));
    }
    Some(pieces)
}

/// Replaces every match as Java's `String.replaceAll` does, which unlike this crate's own `replace_all` also finds an
/// empty match directly after a longer one.
fn replace_all(text: &str, pattern: &Regex, replacement: &[Piece]) -> String {
    let mut result = String::new();
    let mut copied = 0;
    let mut search_from = 0;
    while let Some(found) =
        (search_from <= text.len()).then(|| pattern.captures_at(text, search_from)).flatten()
    {
        let Some(whole) = found.get(0) else { break };
        result.push_str(text.get(copied..whole.start()).unwrap_or_default());
        append_replacement(&mut result, &found, replacement);
        copied = whole.end();
        let step = text.get(copied..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8);
        search_from = if whole.is_empty() { copied + step } else { copied };
    }
    result.push_str(text.get(copied..).unwrap_or_default());
    result
}

fn append_replacement(result: &mut String, found: &Captures<'_>, replacement: &[Piece]) {
    for piece in replacement {
        match piece {
            Piece::Text(text) => result.push_str(text),
            Piece::Group(group) => result.push_str(found.get(*group).map_or("", |group| group.as_str())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(rules: &str, name: &str, expected: &str) {
        assert_eq!(PrincipalMapping::parse(rules).unwrap().apply(name).as_deref(), Ok(expected), "{rules}");
    }

    #[track_caller]
    fn check_refused(rules: &str) {
        assert!(PrincipalMapping::parse(rules).is_err(), "`{rules}` was accepted");
    }

    const MANY: &str = "RULE:^CN=(.*?),OU=ServiceUsers.*$/$1/L, \
        RULE:^CN=(.*?),OU=(.*?),O=(.*?),L=(.*?),ST=(.*?),C=(.*?)$/$1@$2/L, \
        RULE:^cn=(.*?),ou=(.*?),dc=(.*?),dc=(.*?)$/$1@$2/U, \
        RULE:^.*[Cc][Nn]=([a-zA-Z0-9.]*).*$/$1/U, DEFAULT";

    #[test]
    fn the_examples_of_kip_371_map_as_documented() {
        check(
            "DEFAULT",
            "CN=serviceuser,OU=ServiceUsers,O=Unknown",
            "CN=serviceuser,OU=ServiceUsers,O=Unknown",
        );
        check(
            "RULE:^CN=(.*?),OU=ServiceUsers.*$/$1/",
            "CN=serviceuser,OU=ServiceUsers,O=Unknown",
            "serviceuser",
        );
        check(
            "RULE:^CN=(.*?),OU=(.*?),O=(.*?),L=(.*?),ST=(.*?),C=(.*?)$/$1@$2/L",
            "CN=adminUser,OU=Admin,O=Unknown,L=Unknown,ST=Unknown,C=Unknown",
            "adminuser@admin",
        );
        check("RULE:^.*[Cc][Nn]=([a-zA-Z0-9.]*).*$/$1/L", "OU=x,cn=Duke.K,O=y", "duke.k");
        check(MANY, "CN=Duke,OU=ServiceUsers,O=Org,C=US", "duke");
        check(MANY, "CN=Duke,OU=SME,O=mycp,L=Fulton,ST=MD,C=US", "duke@sme");
        check(MANY, "cn=duke,ou=sme,dc=mycp,dc=com", "DUKE@SME");
        check(MANY, "cN=duke,OU=JavaSoft,O=Sun Microsystems", "DUKE");
        check(MANY, "OU=JavaSoft,O=Sun Microsystems,C=US", "OU=JavaSoft,O=Sun Microsystems,C=US");
    }

    #[test]
    fn separators_and_groups_behave_as_in_kafka() {
        check(
            r"RULE:^CN=((\\, *|\w)+)(,.*|$)/$1/,DEFAULT",
            r"CN=Tkac\, Adam,OU=ITZ,DC=geodis,DC=cz",
            r"Tkac\, Adam",
        );
        check(r"RULE:^CN=a\/b$/x\/y/", "CN=a/b", "x/y");
        check("RULE:^CN=(a)(b)$/$2-$1-$0-$7-$12/", "CN=ab", "b-a-CN=ab-$7-a2");
        check(r"RULE:^CN=(.*)$/\$1/", "CN=ab", "$1");
        check(" , ,RULE:^CN=(.*)$/$1/ ,, DEFAULT ,", "CN=x", "x");
        check("RULE:^CN=(x)?(.*)$/[$1]$2/", "CN=y", "[]y");
        check("RULE:CN=.*/anyone/", "CN=x", "anyone");
    }

    #[test]
    fn an_unanchored_pattern_replaces_the_empty_end_too_as_java_does() {
        check("RULE:.*/user/", "CN=x", "useruser");
        check("RULE:CN=(.*?)/$1/", "CN=x", "x");
        check("RULE:[A-Z]*/-/", "AB", "--");
    }

    #[test]
    fn malformed_rules_are_refused() {
        for rules in [
            "default",
            "DEFAUL",
            "DEFAULT/L",
            "DEFAULT/U",
            "RULE:CN=(.*?),OU=ServiceUsers.*/$1",
            "rule:^CN=(.*?),OU=ServiceUsers.*$/$1/",
            "RULE:^CN=(.*?),OU=ServiceUsers.*$/$1/L/U",
            "RULE:^CN=(.*?),OU=ServiceUsers.*$/L",
            "RULE:^CN=(.*?),OU=ServiceUsers.*$/LU",
            "RULE:^CN=(.*$/$1/",
            "RULE:^CN=(?=x).*$/$0/",
            "RULE:^CN=.*$/$1/",
            "RULE:^CN=(.*)$/cost $/",
        ] {
            check_refused(rules);
        }
    }

    #[test]
    fn a_name_without_a_rule_is_an_error() {
        let mapping = PrincipalMapping::parse("RULE:^CN=(.*),O=x$/$1/").unwrap();
        assert_eq!(
            mapping.apply("CN=a,O=y").unwrap_err().to_string(),
            "no principal mapping rule applies to `CN=a,O=y`"
        );
    }
}
