//! Text for tables: cells that neither a terminal nor a spreadsheet takes for something else.

/// A cell for a terminal: control characters are shown, not sent.
#[must_use]
pub fn printable(text: &str) -> String {
    if text.chars().any(char::is_control) {
        text.chars()
            .flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] })
            .collect()
    } else {
        text.to_owned()
    }
}

/// A field of CSV (RFC 4180 §2), which a spreadsheet does not take for a formula: one that begins with `=`, `+`,
/// `-`, `@`, a tab or a carriage return gets an apostrophe in front (OWASP, "CSV Injection").
#[must_use]
pub fn csv_field(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let quoted = text.contains([',', '"', '\n', '\r']);
    match (formula, quoted) {
        (false, false) => text.to_owned(),
        (true, false) => format!("'{text}"),
        (formula, true) => {
            format!("\"{}{}\"", if formula { "'" } else { "" }, text.replace('"', "\"\""))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spreadsheet_sees_text_and_no_formula() {
        for (text, expected) in [
            ("10.0.0.1", "10.0.0.1"),
            ("=1+1", "'=1+1"),
            ("@x", "'@x"),
            ("a,b", "\"a,b\""),
            ("-a\"b,", "\"'-a\"\"b,\""),
        ] {
            assert_eq!(csv_field(text), expected);
        }
    }

    #[test]
    fn a_terminal_gets_no_control_characters() {
        assert_eq!(printable("a\u{1b}[2Jb"), "a\\u{1b}[2Jb");
    }
}
