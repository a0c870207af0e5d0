//! What a person sees while a command works, and how tables and colours are written.
//!
//! Data goes to standard output, everything else to standard error. Progress is drawn only on a terminal,
//! colours only where `NO_COLOR` is not set.

use std::io::{IsTerminal, Write};

use cadastre_model::checklist::Verdict;
use cadastre_model::progress::Progress;
use indicatif::{ProgressBar, ProgressStyle};

/// Standard error as a place for progress, warnings, hints and errors.
#[derive(Debug)]
pub(crate) struct Terminal {
    spinner: Option<ProgressBar>,
    quiet: bool,
    color: bool,
}

impl Terminal {
    /// Looks at standard error and the environment once.
    #[must_use]
    pub(crate) fn new(quiet: bool) -> Self {
        let interactive = std::io::stderr().is_terminal();
        let spinner = (interactive && !quiet).then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
                bar.set_style(style);
            }
            bar
        });
        Self { spinner, quiet, color: interactive && colors_wanted() }
    }

    /// A milestone: printed as a line of its own unless `--quiet`.
    pub(crate) fn say(&self, message: &str) {
        if !self.quiet {
            self.line(message);
        }
    }

    /// Something went wrong that ends the command.
    pub(crate) fn error(&self, message: &str) {
        self.line(&format!("{}: {message}", paint(self.color, "1;31", "error")));
    }

    /// What the user can do about it.
    pub(crate) fn hint(&self, message: &str) {
        self.line(&format!("{}: {message}", paint(self.color, "1;36", "hint")));
    }

    /// Takes the spinner off the screen.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.spinner {
            bar.finish_and_clear();
        }
    }

    fn line(&self, message: &str) {
        let write = || {
            // A closed standard error leaves nobody to tell.
            drop(writeln!(std::io::stderr(), "{message}"));
        };
        match &self.spinner {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }
}

impl Progress for Terminal {
    fn step(&self, message: &str) {
        if let Some(bar) = &self.spinner {
            bar.set_message(message.to_owned());
            bar.tick();
        }
    }

    fn warn(&self, message: &str) {
        self.line(&format!("{}: {}", paint(self.color, "1;33", "warning"), inert(message)));
    }
}

/// Whether standard output may be coloured.
#[must_use]
pub(crate) fn stdout_color() -> bool {
    std::io::stdout().is_terminal() && colors_wanted()
}

fn colors_wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Wraps `text` in an SGR sequence where colours are wanted.
#[must_use]
pub(crate) fn paint(color: bool, code: &str, text: &str) -> String {
    if color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
}

/// A verdict in its colour, padded to a column.
#[must_use]
pub(crate) fn verdict(color: bool, verdict: Verdict) -> String {
    let code = match verdict {
        Verdict::Pass => "32",
        Verdict::RedFlag => "1;31",
        Verdict::Unproven => "33",
        Verdict::Waived => "36",
        Verdict::NotApplicable => "2",
    };
    paint(color, code, &format!("{:<14}", verdict.name()))
}

/// The text without control characters, so that names from a cloud cannot drive the terminal.
#[must_use]
pub(crate) fn inert(text: &str) -> String {
    text.chars()
        .map(|c| {
            let steers = c.is_control()
                || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            if steers && c != '\n' && c != '\t' { '\u{fffd}' } else { c }
        })
        .collect()
}

/// Writes `text` to standard output; a reader that went away (`| head`) ends the output quietly.
///
/// # Errors
/// Any other write error.
pub(crate) fn print(text: &str) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Lays rows out in columns, two spaces apart; the last column is not padded. Widths count characters.
#[must_use]
pub(crate) fn columns(rows: &[Vec<String>]) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..count)
        .map(|column| {
            rows.iter().filter_map(|row| row.get(column)).map(|cell| visible(cell)).max().unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    for row in rows {
        for (index, cell) in row.iter().enumerate() {
            text.push_str(cell);
            if index + 1 < row.len() {
                let width = widths.get(index).copied().unwrap_or(0);
                text.extend(std::iter::repeat_n(' ', width.saturating_sub(visible(cell)) + 2));
            }
        }
        while text.ends_with(' ') {
            text.pop();
        }
        text.push('\n');
    }
    text
}

fn visible(cell: &str) -> usize {
    let mut count = 0;
    let mut in_sequence = false;
    for c in cell.chars() {
        match c {
            '\u{1b}' => in_sequence = true,
            'm' if in_sequence => in_sequence = false,
            _ if in_sequence => {}
            _ => count += 1,
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_nothing_trails() {
        let rows = vec![vec!["a".to_owned(), "bb".to_owned()], vec!["ccc".to_owned(), "d".to_owned()]];
        assert_eq!(columns(&rows), "a    bb\nccc  d\n");
    }

    #[test]
    fn names_from_outside_cannot_drive_the_terminal() {
        assert_eq!(inert("a\u{1b}[2Jb\u{202e}c"), "a\u{fffd}[2Jb\u{fffd}c");
    }
}
