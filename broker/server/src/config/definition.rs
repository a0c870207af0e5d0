//! Property definitions: what a value must look like, and Kafka's rules for reading it (`ConfigDef`).

use std::fmt;

use crate::listeners::certificates::is_of_stores;

/// The kinds of value Kafka's configuration knows (`ConfigDef.Type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PropertyType {
    /// `true` or `false`, in any case.
    Boolean,
    /// 16-bit integer.
    Short,
    /// 32-bit integer.
    Int,
    /// 64-bit integer.
    Long,
    /// Floating point.
    Double,
    /// Text.
    String,
    /// Comma-separated texts.
    List,
    /// A Java class name.
    Class,
    /// Text that is never shown.
    Password,
}

impl PropertyType {
    /// The type written as `text` in the tables.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        Some(match text {
            "boolean" => Self::Boolean,
            "short" => Self::Short,
            "int" => Self::Int,
            "long" => Self::Long,
            "double" => Self::Double,
            "string" => Self::String,
            "list" => Self::List,
            "class" => Self::Class,
            "password" => Self::Password,
            _ => return None,
        })
    }

    /// `DescribeConfigsResponse.ConfigType`, as its wire code (KIP-569).
    #[must_use]
    pub const fn wire_code(self) -> i8 {
        match self {
            Self::Boolean => 1,
            Self::String => 2,
            Self::Int => 3,
            Self::Short => 4,
            Self::Long => 5,
            Self::Double => 6,
            Self::List => 7,
            Self::Class => 8,
            Self::Password => 9,
        }
    }
}

impl fmt::Display for PropertyType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Boolean => "`true` or `false`",
            Self::Short => "a 16-bit integer",
            Self::Int => "a 32-bit integer",
            Self::Long => "a 64-bit integer",
            Self::Double => "a number",
            Self::String | Self::Password => "text",
            Self::List => "a comma-separated list",
            Self::Class => "a class name",
        })
    }
}

/// Which values of the right type are accepted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Constraint {
    /// Any.
    Any,
    /// Not the empty text.
    NonEmpty,
    /// Between two numbers, both included; no upper bound when infinite.
    Range(f64, f64),
    /// One of the names between `|`; a list may hold several. The flag: letter case does not matter.
    OneOf(&'static str, bool),
}

impl Constraint {
    /// The constraint written as `text` in the tables.
    #[must_use]
    pub fn of(text: &'static str) -> Self {
        if text == "-" {
            return Self::Any;
        }
        if text == "non-empty" {
            return Self::NonEmpty;
        }
        if let Some((low, high)) = text.split_once("..") {
            let bound = |text: &str, default: f64| text.parse().unwrap_or(default);
            return Self::Range(bound(low, f64::NEG_INFINITY), bound(high, f64::INFINITY));
        }
        match text.strip_prefix("i:") {
            Some(names) => Self::OneOf(names, true),
            None => Self::OneOf(text, false),
        }
    }

    fn admits(self, definition: &PropertyDefinition, value: &str) -> bool {
        let named = |names: &str, relaxed: bool, text: &str| {
            names.split('|').any(|name| name == text || relaxed && name.eq_ignore_ascii_case(text))
        };
        match self {
            Self::Any => true,
            Self::NonEmpty => !value.trim().is_empty(),
            Self::Range(low, high) => {
                value.trim().parse::<f64>().is_ok_and(|number| number >= low && number <= high)
            }
            Self::OneOf(names, relaxed) if definition.kind == PropertyType::List => {
                list(value).iter().all(|text| named(names, relaxed, text))
            }
            Self::OneOf(names, relaxed) => named(names, relaxed, value.trim()),
        }
    }
}

impl fmt::Display for Constraint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => formatter.write_str("any value"),
            Self::NonEmpty => formatter.write_str("a value"),
            Self::Range(low, high) if high.is_infinite() => write!(formatter, "{low} or more"),
            Self::Range(low, high) => write!(formatter, "{low} to {high}"),
            Self::OneOf(names, _) => write!(formatter, "one of {}", names.replace('|', ", ")),
        }
    }
}

/// When a property may change (`DynamicBrokerConfig`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpdateMode {
    /// Only by a restart.
    ReadOnly,
    /// Through the admin API, for one broker.
    PerBroker,
    /// Through the admin API, for one broker or all.
    ClusterWide,
}

/// Who is meant to know a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    /// Documented.
    Public,
    /// Known to Kafka, not documented, not listed.
    Internal,
    /// Set through the admin API only.
    Dynamic,
}

/// What Kafka knows about one property.
#[derive(Debug, Clone, PartialEq)]
pub struct PropertyDefinition {
    /// Kafka's name.
    pub name: &'static str,
    /// What values look like.
    pub kind: PropertyType,
    /// The value when nothing is set; `None` when there is none.
    pub default: Option<&'static str>,
    /// When it may change.
    pub update: UpdateMode,
    /// Whether it is listed.
    pub visibility: Visibility,
    /// Which values are accepted.
    pub constraint: Constraint,
    /// Whether this broker acts on it; otherwise it is accepted and has no effect here.
    pub honoured: bool,
}

/// A value that does not fit its property.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("property `{name}`: {given}expected {expected}")]
pub struct ValueError {
    /// The property.
    pub name: String,
    /// The value as given with a separator; empty for passwords.
    given: String,
    /// What would have been accepted.
    pub expected: String,
}

impl ValueError {
    /// An error about the property `name` with `value`, which is shown.
    #[must_use]
    pub fn new(name: &str, value: &str, expected: impl Into<String>) -> Self {
        Self { name: name.to_owned(), given: format!("`{value}` is refused, "), expected: expected.into() }
    }
}

impl ValueError {
    /// The same about the name under which the property was really given, prefixes included.
    #[must_use]
    pub fn for_property(self, name: &str) -> Self {
        Self { name: name.to_owned(), ..self }
    }
}

impl PropertyDefinition {
    /// Whether the property changes only by a restart. Kafka would let some of these change while it runs; what a
    /// listener demands of its clients is settled here when the broker starts, its key store and trust store are not.
    #[must_use]
    pub fn is_fixed(&self) -> bool {
        if is_of_stores(self.name) {
            return false;
        }
        let of_listeners = ["ssl.", "sasl.", "listener", "connections.max.reauth"];
        let is_listeners_own = of_listeners.iter().any(|prefix| self.name.starts_with(prefix));
        self.update == UpdateMode::ReadOnly || self.honoured && is_listeners_own
    }

    /// Whether values must never be shown.
    #[must_use]
    pub fn is_sensitive(&self) -> bool {
        self.kind == PropertyType::Password
    }

    /// Checks `value` and returns it in the form in which it is kept and described.
    ///
    /// # Errors
    ///
    /// [`ValueError`] when the value has the wrong type or is not among the accepted ones.
    pub fn check(&self, value: &str) -> Result<String, ValueError> {
        let trimmed = value.trim();
        let well_typed = match self.kind {
            PropertyType::Boolean => boolean(trimmed).is_some(),
            PropertyType::Short => trimmed.parse::<i16>().is_ok(),
            PropertyType::Int => trimmed.parse::<i32>().is_ok(),
            PropertyType::Long => trimmed.parse::<i64>().is_ok(),
            PropertyType::Double => trimmed.parse::<f64>().is_ok_and(f64::is_finite),
            PropertyType::String | PropertyType::List | PropertyType::Class | PropertyType::Password => true,
        };
        if !well_typed {
            return Err(self.refuse(trimmed, self.kind.to_string()));
        }
        if !self.constraint.admits(self, trimmed) {
            return Err(self.refuse(trimmed, self.constraint.to_string()));
        }
        Ok(match self.kind {
            PropertyType::Boolean => trimmed.to_ascii_lowercase(),
            _ => trimmed.to_owned(),
        })
    }

    fn refuse(&self, value: &str, expected: String) -> ValueError {
        let given = if self.is_sensitive() { String::new() } else { format!("`{value}` is refused, ") };
        ValueError { name: self.name.to_owned(), given, expected }
    }
}

/// Kafka's reading of a list: split at commas, white space around items dropped, nothing for an empty text.
#[must_use]
pub fn list(value: &str) -> Vec<String> {
    let trimmed = value.trim();
    if trimmed.is_empty() {
        return Vec::new();
    }
    trimmed.split(',').map(|item| item.trim().to_owned()).collect()
}

/// Kafka's reading of a boolean.
#[must_use]
pub fn boolean(value: &str) -> Option<bool> {
    match value.trim() {
        text if text.eq_ignore_ascii_case("true") => Some(true),
        text if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}
