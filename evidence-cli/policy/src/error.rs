//! Why policies were refused.

/// What is wrong with a policy file, or with a set of them.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PolicyError {
    /// The file is not Rego.
    #[error("{file}:{line}: {message}")]
    Syntax {
        /// The file.
        file: String,
        /// Counted from 1.
        line: u64,
        /// What the parser said.
        message: String,
    },
    /// The annotation block is missing or not what a control needs.
    #[error("{file}:{line}: {message}")]
    Metadata {
        /// The file.
        file: String,
        /// Counted from 1.
        line: u64,
        /// What was expected.
        message: String,
    },
    /// Two files claim one id or one package.
    #[error("{file}:{line}: `{name}` is defined in `{other}` too")]
    Duplicate {
        /// The second file.
        file: String,
        /// Counted from 1.
        line: u64,
        /// The id or package.
        name: String,
        /// The first file.
        other: String,
    },
    /// The catalogue does not parse.
    #[error("the catalogue is malformed: {message}")]
    Catalogue {
        /// What the parser said.
        message: String,
    },
    /// A framework's file does not parse.
    #[error("the framework `{framework}` is malformed: {message}")]
    Framework {
        /// Its id.
        framework: String,
        /// What the parser said.
        message: String,
    },
    /// The engine refused the set as a whole.
    #[error("the policies do not fit together: {message}")]
    Engine {
        /// What the engine said.
        message: String,
    },
    /// The input could not be written as JSON.
    #[error("the policy input cannot be written as JSON: {message}")]
    Input {
        /// What the serialiser said.
        message: String,
    },
}

/// The longest message of the engine that is passed on, in characters: it may spell out whole documents.
const MAXIMUM_MESSAGE: usize = 240;

/// What regorus says, in one line: its messages draw the source below a `-->` line.
pub(crate) fn one_line(message: &str) -> String {
    let told = message.rsplit_once("error: ").map_or(message, |(_, told)| told);
    let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
    match told.char_indices().nth(MAXIMUM_MESSAGE) {
        Some((end, _)) => format!("{}…", told.get(..end).unwrap_or(&told)),
        None => told,
    }
}

/// The same with the place it points at, where it points at one.
pub(crate) fn with_place(message: &str) -> String {
    let told = one_line(message);
    match message.split_once("--> ").and_then(|(_, rest)| rest.lines().next()) {
        Some(place) => format!("{told} at {}", place.trim()),
        None => told,
    }
}

/// The line that a regorus message points at (`--> file:line:column`), or 1.
pub(crate) fn line_of(message: &str) -> u64 {
    message
        .split_once("--> ")
        .and_then(|(_, rest)| rest.lines().next())
        .and_then(|place| place.rsplit(':').nth(1))
        .and_then(|line| line.parse().ok())
        .unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engine_messages_are_cut_to_line_and_reason() {
        let told = "\n--> lib/x.rego:7:3\n  |\n7 | a b\n  |   ^\nerror: expecting\n `{`";
        assert_eq!(line_of(told), 7);
        assert_eq!(one_line(told), "expecting `{`");
        assert_eq!(line_of("nothing"), 1);
        assert_eq!(one_line("nothing"), "nothing");
        assert_eq!(with_place(told), "expecting `{` at lib/x.rego:7:3");
    }
}
