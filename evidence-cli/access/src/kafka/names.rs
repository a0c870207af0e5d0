//! How certificates become Kafka principals: `ssl.principal.mapping.rules`, read and applied as brokers do.
//!
//! Source: KIP-371 and `org.apache.kafka.common.security.ssl.SslPrincipalMapper`. A rule whose pattern matches the whole
//! distinguished name replaces every occurrence of the pattern in it; the first rule that matches decides, and a name
//! that no rule matches is refused.

use regex::{Captures, Regex, RegexBuilder};

/// The setting.
pub(crate) const SETTING: &str = "ssl.principal.mapping.rules";
/// More rules than anybody writes.
const MAXIMUM_RULES: usize = 256;
/// Bytes that a compiled pattern may take.
const MAXIMUM_PATTERN: usize = 1 << 20;
/// Attributes of distinguished names that workloads' names are tried in, the way authorities commonly fill them.
const SUBJECTS: [&str; 5] = [
    "CN={}",
    "CN={},OU=Kafka",
    "CN={},OU=Kafka,O=Example",
    "CN={},OU=Kafka,O=Example,C=US",
    "CN={},OU=Kafka,O=Example,L=City,ST=State,C=US",
];

/// The rules of a listener, in order.
#[derive(Debug)]
pub(crate) struct MappingRules {
    rules: Vec<Rule>,
}

#[derive(Debug)]
enum Rule {
    /// The distinguished name as it is.
    Default,
    Replace {
        pattern: Regex,
        whole: Regex,
        replacement: String,
        case: Case,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Case {
    Kept,
    Lower,
    Upper,
}

/// What a distinguished name becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mapped {
    /// This name.
    Name(String),
    /// No rule matches, and the client is refused.
    Refused,
}

impl MappingRules {
    /// Reads the setting's value; empty stands for `DEFAULT`.
    ///
    /// # Errors
    /// In words, when a rule is malformed or uses what only Java's regular expressions have.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut rules = Vec::new();
        let mut rest = text.trim();
        while !rest.is_empty() {
            if rules.len() == MAXIMUM_RULES {
                return Err(format!("{SETTING} has more than {MAXIMUM_RULES} rules"));
            }
            let (rule, after) = Rule::parse(rest)?;
            rules.push(rule);
            rest = after.trim_start();
            rest = match rest.strip_prefix(',') {
                Some(more) => more.trim_start(),
                None if rest.is_empty() => rest,
                // Rules may stand on lines of their own as well, of which the white space is gone by now.
                None if rest.starts_with("RULE:") || rest.starts_with("DEFAULT") => rest,
                None => return Err(format!("{SETTING} cannot be read from `{rest}` on")),
            };
        }
        if rules.is_empty() {
            rules.push(Rule::Default);
        }
        Ok(Self { rules })
    }

    /// What a distinguished name (RFC 2253) becomes.
    pub(crate) fn apply(&self, distinguished_name: &str) -> Mapped {
        self.rules
            .iter()
            .find_map(|rule| rule.apply(distinguished_name))
            .map_or(Mapped::Refused, Mapped::Name)
    }

    /// A distinguished name that becomes this one, where one of the usual shapes does.
    pub(crate) fn subject_for(&self, name: &str) -> Option<String> {
        let shaped = SUBJECTS.iter().map(|shape| shape.replace("{}", name));
        std::iter::once(name.to_owned())
            .filter(|name| name.contains('='))
            .chain(shaped)
            .find(|candidate| self.apply(candidate) == Mapped::Name(name.to_owned()))
    }

    /// Whether the distinguished name is the principal's name, unchanged.
    pub(crate) fn is_plain(&self) -> bool {
        matches!(self.rules.first(), Some(Rule::Default))
    }
}

impl Rule {
    /// One rule, and what follows it.
    fn parse(text: &str) -> Result<(Self, &str), String> {
        if let Some(rest) = text.strip_prefix("DEFAULT") {
            return Ok((Self::Default, rest));
        }
        let malformed = || {
            format!("{SETTING} has a rule that is neither DEFAULT nor RULE:pattern/replacement/: `{text}`")
        };
        let rest = text.strip_prefix("RULE:").ok_or_else(malformed)?;
        let (pattern, rest) = up_to_slash(rest).ok_or_else(malformed)?;
        let (replacement, rest) = up_to_slash(rest).ok_or_else(malformed)?;
        let (case, rest) = match rest.chars().next() {
            Some('L') => (Case::Lower, rest.get(1..).unwrap_or_default()),
            Some('U') => (Case::Upper, rest.get(1..).unwrap_or_default()),
            _ => (Case::Kept, rest),
        };
        let compiled = |pattern: &str| {
            RegexBuilder::new(pattern).size_limit(MAXIMUM_PATTERN).build().map_err(|_error| {
                format!("{SETTING} has a pattern that cannot be evaluated here: `{pattern}`")
            })
        };
        let rule = Self::Replace {
            pattern: compiled(pattern)?,
            whole: compiled(&format!("^(?:{pattern})$"))?,
            replacement: replacement.to_owned(),
            case,
        };
        Ok((rule, rest))
    }

    fn apply(&self, name: &str) -> Option<String> {
        let Self::Replace { pattern, whole, replacement, case } = self else { return Some(name.to_owned()) };
        if !whole.is_match(name) {
            return None;
        }
        let replaced = replace_all(pattern, name, replacement);
        Some(match case {
            Case::Kept => replaced,
            Case::Lower => replaced.to_lowercase(),
            Case::Upper => replaced.to_uppercase(),
        })
    }
}

/// Up to the next slash that no backslash escapes, and what follows it.
fn up_to_slash(text: &str) -> Option<(&str, &str)> {
    let mut escaped = false;
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '/' => return Some((text.get(..at)?, text.get(at + 1..)?)),
            _ => {}
        }
    }
    None
}

/// Java's `String.replaceAll`, which also replaces the empty match that follows a match up to the end.
fn replace_all(pattern: &Regex, text: &str, replacement: &str) -> String {
    let mut replaced = String::new();
    let mut copied = 0;
    let mut from = 0;
    while let Some(captures) = (from <= text.len()).then(|| pattern.captures_at(text, from)).flatten() {
        let Some(found) = captures.get(0) else { break };
        replaced.push_str(text.get(copied..found.start()).unwrap_or_default());
        expand(replacement, &captures, &mut replaced);
        copied = found.end();
        from = if found.is_empty() {
            let next = text.get(found.end()..).and_then(|rest| rest.chars().next());
            found.end() + next.map_or(1, char::len_utf8)
        } else {
            found.end()
        };
    }
    replaced.push_str(text.get(copied..).unwrap_or_default());
    replaced
}

/// `$1` with as many digits as name a group; a backslash takes what follows as it is.
fn expand(replacement: &str, captures: &Captures<'_>, into: &mut String) {
    let mut characters = replacement.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\\' => into.extend(characters.next()),
            '$' => {
                let mut group: Option<usize> = None;
                while let Some(digit) = characters.peek().and_then(|next| next.to_digit(10)) {
                    let digit = usize::try_from(digit).unwrap_or_default();
                    let longer = group.unwrap_or_default().saturating_mul(10).saturating_add(digit);
                    if longer >= captures.len() {
                        break;
                    }
                    group = Some(longer);
                    characters.next();
                }
                match group {
                    Some(group) => into.push_str(captures.get(group).map_or("", |found| found.as_str())),
                    // What names no group stands for itself.
                    None => into.push('$'),
                }
            }
            other => into.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(rules: &str, name: &str, expected: Option<&str>) {
        let mapped = MappingRules::parse(rules).unwrap().apply(name);
        let expected = expected.map_or(Mapped::Refused, |name| Mapped::Name(name.to_owned()));
        assert_eq!(mapped, expected, "{rules} on {name}");
    }

    /// The examples of KIP-371 and of "Authorization and ACLs", Apache Kafka documentation.
    #[test]
    fn rules_map_as_the_documentation_says() {
        let documented = "RULE:^CN=(.*?),OU=ServiceUsers.*$/$1/, RULE:^CN=(.*?),OU=(.*?),O=(.*?),L=(.*?),ST=(.*?),C=(.*?)$/$1@$2/L, \
                          RULE:^.*[Cc][Nn]=([a-zA-Z0-9.]*).*$/$1/L, DEFAULT";
        check(
            documented,
            "CN=serviceuser,OU=ServiceUsers,O=Unknown,L=Unknown,ST=Unknown,C=Unknown",
            Some("serviceuser"),
        );
        check(
            documented,
            "CN=adminUser,OU=Admin,O=Unknown,L=Unknown,ST=Unknown,C=Unknown",
            Some("adminuser@admin"),
        );
        check(documented, "cn=kafkaTest,ou=x", Some("kafkatest"));
        check(documented, "OU=JavaUsers", Some("OU=JavaUsers"));
        check("RULE:^CN=(.*?),OU=ServiceUsers.*$/$1/", "OU=JavaUsers", None);
        check("", "CN=a,O=b", Some("CN=a,O=b"));
        check("DEFAULT", "CN=a,O=b", Some("CN=a,O=b"));
        check("RULE:^CN=(.*?),.*$/$1/U", "CN=ledger,O=b", Some("LEDGER"));
        check("RULE:^CN=(.*?),O=(.*?)$/$2-$1/", "CN=ledger,O=b", Some("b-ledger"));
    }

    #[test]
    fn escapes_and_back_references_stand_as_in_java() {
        check("RULE:^CN=(\\w+)\\/(\\w+)$/$1\\/$2/", "CN=a/b", Some("a/b"));
        check("RULE:^CN=(\\w+)$/$12/", "CN=a", Some("a2"));
        check("RULE:^CN=(\\w+)$/\\$1/", "CN=a", Some("$1"));
        // Unanchored, the empty match behind the first is replaced too.
        check("RULE:.*/x/", "CN=a", Some("xx"));
    }

    #[test]
    fn a_rule_that_cannot_be_evaluated_is_told() {
        assert!(
            MappingRules::parse("RULE:^CN=(?=x)(.*)$/$1/").unwrap_err().contains("cannot be evaluated here")
        );
        assert!(MappingRules::parse("RULE:^CN=(.*)$").unwrap_err().contains("neither DEFAULT nor RULE"));
        assert!(MappingRules::parse("LOWER").unwrap_err().contains("neither DEFAULT nor RULE"));
        assert!(MappingRules::parse("DEFAULT nonsense").unwrap_err().contains("from `nonsense` on"));
        assert!(MappingRules::parse(&"DEFAULT,".repeat(300)).unwrap_err().contains("more than 256"));
    }

    #[test]
    fn a_subject_is_found_for_the_names_that_rules_produce() {
        let by_name = MappingRules::parse("RULE:^CN=(.*?),.*$/$1/, DEFAULT").unwrap();
        assert_eq!(by_name.subject_for("ledger").as_deref(), Some("CN=ledger,OU=Kafka"));
        let lower = MappingRules::parse("RULE:^CN=(.*?),.*$/$1/L").unwrap();
        assert_eq!(lower.subject_for("Ledger"), None);
        let plain = MappingRules::parse("").unwrap();
        assert_eq!(plain.subject_for("ledger"), None);
        assert_eq!(plain.subject_for("CN=ledger").as_deref(), Some("CN=ledger"));
    }
}
