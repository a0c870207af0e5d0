//! The values of `sasl.jaas.config` properties: a login module, a flag and options, ended by a semicolon.
//!
//! `org.apache.kafka.common.security.plain.PlainLoginModule required username="broker" password="…" user_alice="…";`
//! Text in quotes may hold escapes; `//` and `/* */` comments are skipped, as Java's tokenizer does.

use std::collections::BTreeMap;
use std::fmt;
use std::iter::Peekable;
use std::str::{Chars, FromStr};

use crate::sasl::PlainPassword;

/// The login module of PLAIN.
pub const PLAIN_LOGIN_MODULE: &str = "org.apache.kafka.common.security.plain.PlainLoginModule";

/// The login module of SCRAM.
pub const SCRAM_LOGIN_MODULE: &str = "org.apache.kafka.common.security.scram.ScramLoginModule";

/// What starts the option that gives a PLAIN user its password.
const PLAIN_USER_PREFIX: &str = "user_";

/// The longest value accepted, in bytes.
const MAXIMUM_BYTES: usize = 1 << 20;

/// Why a value is not understood. No message repeats an option's value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JaasError {
    /// Longer than a megabyte.
    #[error("JAAS configuration is longer than {MAXIMUM_BYTES} bytes")]
    TooLong,
    /// No login module at all.
    #[error("JAAS configuration has no login module")]
    Empty,
    /// The flag is missing or none of the four.
    #[error("login module `{0}` must be followed by required, requisite, sufficient or optional")]
    ControlFlag(String),
    /// An option without a value.
    #[error("JAAS option `{0}` must be followed by an equals sign and a value")]
    MissingValue(String),
    /// The entry does not end in a semicolon.
    #[error("JAAS configuration must end with a semicolon")]
    MissingSemicolon,
    /// A quote or a comment that never ends.
    #[error("JAAS configuration ends within a quote or a comment")]
    Unterminated,
    /// A character where an option's name was expected.
    #[error("`{0}` is not expected here in a JAAS configuration")]
    Unexpected(char),
    /// More than one login module, which Kafka refuses for a listener.
    #[error("JAAS configuration must hold exactly one login module")]
    SeveralModules,
}

/// One login module with its options.
#[derive(Clone, PartialEq, Eq)]
pub struct JaasEntry {
    login_module: String,
    options: BTreeMap<String, PlainPassword>,
}

impl JaasEntry {
    /// The Java class of the login module.
    pub fn login_module(&self) -> &str {
        &self.login_module
    }

    /// The value of an option; any of them may be secret.
    pub fn option(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(PlainPassword::reveal)
    }

    /// The name under which the broker itself connects, from `username`.
    pub fn username(&self) -> Option<&str> {
        self.option("username")
    }

    /// The password with which the broker itself connects, from `password`.
    pub fn password(&self) -> Option<&PlainPassword> {
        self.options.get("password")
    }

    /// The users that PLAIN accepts, from the options `user_NAME`, sorted by name.
    pub fn plain_users(&self) -> impl Iterator<Item = (&str, &PlainPassword)> {
        self.options
            .iter()
            .filter_map(|(name, password)| Some((name.strip_prefix(PLAIN_USER_PREFIX)?, password)))
    }
}

impl fmt::Debug for JaasEntry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("JaasEntry")
            .field("login_module", &self.login_module)
            .field("options", &self.options.keys().collect::<Vec<_>>())
            .finish()
    }
}

impl FromStr for JaasEntry {
    type Err = JaasError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > MAXIMUM_BYTES {
            return Err(JaasError::TooLong);
        }
        let mut tokens = Tokens { rest: text.chars().peekable() };
        let login_module = match tokens.next()? {
            Some(Token::Text(login_module)) => login_module,
            Some(Token::Symbol(symbol)) => return Err(JaasError::Unexpected(symbol)),
            None => return Err(JaasError::Empty),
        };
        match tokens.next()? {
            Some(Token::Text(flag)) if is_control_flag(&flag) => {}
            _ => return Err(JaasError::ControlFlag(login_module)),
        }
        let mut options = BTreeMap::new();
        loop {
            match tokens.next()? {
                Some(Token::Symbol(';')) => break,
                Some(Token::Symbol(symbol)) => return Err(JaasError::Unexpected(symbol)),
                Some(Token::Text(name)) => {
                    let (Some(Token::Symbol('=')), Some(Token::Text(value))) =
                        (tokens.next()?, tokens.next()?)
                    else {
                        return Err(JaasError::MissingValue(name));
                    };
                    options.insert(name, PlainPassword::new(value));
                }
                None => return Err(JaasError::MissingSemicolon),
            }
        }
        if tokens.next()?.is_some() {
            return Err(JaasError::SeveralModules);
        }
        Ok(Self { login_module, options })
    }
}

fn is_control_flag(text: &str) -> bool {
    ["required", "requisite", "sufficient", "optional"].iter().any(|flag| flag.eq_ignore_ascii_case(text))
}

enum Token {
    Text(String),
    Symbol(char),
}

struct Tokens<'a> {
    rest: Peekable<Chars<'a>>,
}

impl Tokens<'_> {
    fn next(&mut self) -> Result<Option<Token>, JaasError> {
        loop {
            let Some(character) = self.rest.next() else { return Ok(None) };
            match character {
                '/' => self.skip_comment()?,
                '"' | '\'' => return self.quoted(character).map(Some),
                '=' | ';' => return Ok(Some(Token::Symbol(character))),
                blank if blank.is_whitespace() => {}
                other => return Ok(Some(self.word(other))),
            }
        }
    }

    fn word(&mut self, first: char) -> Token {
        let mut word = String::from(first);
        let ends =
            |character: &char| character.is_whitespace() || matches!(character, '=' | ';' | '"' | '\'' | '/');
        while let Some(character) = self.rest.next_if(|character| !ends(character)) {
            word.push(character);
        }
        Token::Text(word)
    }

    fn quoted(&mut self, quote: char) -> Result<Token, JaasError> {
        let mut text = String::new();
        loop {
            match self.rest.next().ok_or(JaasError::Unterminated)? {
                end if end == quote => return Ok(Token::Text(text)),
                '\\' => text.push(self.escaped()?),
                '\n' => return Err(JaasError::Unterminated),
                other => text.push(other),
            }
        }
    }

    /// The character after a backslash: a control letter, up to three octal digits, or itself.
    fn escaped(&mut self) -> Result<char, JaasError> {
        let character = self.rest.next().ok_or(JaasError::Unterminated)?;
        Ok(match character {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'a' => '\u{7}',
            'v' => '\u{b}',
            '0'..='7' => {
                let mut code = character.to_digit(8).unwrap_or_default();
                let most = if character <= '3' { 2 } else { 1 };
                for _ in 0..most {
                    let Some(digit) = self.rest.next_if(|next| next.is_digit(8)) else { break };
                    code = code * 8 + digit.to_digit(8).unwrap_or_default();
                }
                char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            other => other,
        })
    }

    fn skip_comment(&mut self) -> Result<(), JaasError> {
        match self.rest.next() {
            Some('/') => {
                while self.rest.next_if(|character| *character != '\n').is_some() {}
                Ok(())
            }
            Some('*') => {
                let mut previous = ' ';
                loop {
                    let character = self.rest.next().ok_or(JaasError::Unterminated)?;
                    if previous == '*' && character == '/' {
                        return Ok(());
                    }
                    previous = character;
                }
            }
            _ => Err(JaasError::Unexpected('/')),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_users_and_the_brokers_own_credentials_are_found() {
        let entry: JaasEntry = format!(
            "{PLAIN_LOGIN_MODULE} required\n  // the broker\n username=\"broker\" password='s3;cr=t'\n  \
             /* clients */ user_alice=\"a\\\"b\\\\\" user_bob-2=plain ;"
        )
        .parse()
        .unwrap();
        assert_eq!(entry.login_module(), PLAIN_LOGIN_MODULE);
        assert_eq!(entry.username(), Some("broker"));
        assert_eq!(entry.password().map(PlainPassword::reveal), Some("s3;cr=t"));
        let users: Vec<_> = entry.plain_users().map(|(name, password)| (name, password.reveal())).collect();
        assert_eq!(users, [("alice", "a\"b\\"), ("bob-2", "plain")]);
        assert!(!format!("{entry:?}").contains("s3"));
    }

    #[test]
    fn a_module_without_options_is_enough() {
        let entry: JaasEntry = format!("{SCRAM_LOGIN_MODULE} Required;").parse().unwrap();
        assert_eq!((entry.username(), entry.plain_users().count()), (None, 0));
    }

    #[track_caller]
    fn check_refused(text: &str, expected: JaasError) {
        assert_eq!(text.parse::<JaasEntry>(), Err(expected), "{text}");
    }

    #[test]
    fn malformed_configurations_are_refused() {
        check_refused("", JaasError::Empty);
        check_refused(";", JaasError::Unexpected(';'));
        check_refused("Module", JaasError::ControlFlag("Module".into()));
        check_refused("Module always;", JaasError::ControlFlag("Module".into()));
        check_refused("Module required", JaasError::MissingSemicolon);
        check_refused("Module required a;", JaasError::MissingValue("a".into()));
        check_refused("Module required a=;", JaasError::MissingValue("a".into()));
        check_refused("Module required a=\"b;", JaasError::Unterminated);
        check_refused("Module required /* a=b;", JaasError::Unterminated);
        check_refused("Module required =b;", JaasError::Unexpected('='));
        check_refused("Module required; Other required;", JaasError::SeveralModules);
    }
}
