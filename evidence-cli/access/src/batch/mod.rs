//! Batch evaluation: one case a line in, one answer a line out.
//!
//! The contract is `docs/formats/access-cases.md`. A case carries a request and every policy that bears on it, so
//! that no inventory is needed, and outside oracles can be compared with.

mod answer;
mod case;
pub(crate) mod control;
mod grant;
mod judge;
mod policy;
mod principal;
#[cfg(test)]
mod properties;
mod request;
mod stream;
mod strict;
#[cfg(test)]
mod tests;

pub use answer::{Answer, Citation, Outcome, PolicyName};
pub use stream::{Summary, stream};

use case::Case;
use policy::Compiled;

/// Answers cases, and keeps the documents it compiled for the next ones.
#[derive(Debug, Default)]
pub struct Evaluator {
    compiled: Compiled,
}

/// A case that was read and compiled, to be decided any number of times.
#[derive(Debug)]
pub struct Prepared(Case);

impl Evaluator {
    /// Answers one line; lines count from 1 in errors.
    pub fn answer_line(&mut self, line: &str, number: u64) -> Answer {
        match case::read(line, &mut self.compiled) {
            Ok(case) => {
                let verdict = judge::judge(&case.request, &case.policies);
                Answer::of(case.id, verdict)
            }
            Err(unreadable) => Answer::refused(unreadable.id, number, &unreadable.error),
        }
    }

    /// Reads and compiles a case without deciding it.
    ///
    /// # Errors
    ///
    /// The answer that says why the line is no case.
    pub fn prepare(&mut self, line: &str, number: u64) -> Result<Prepared, Box<Answer>> {
        case::read(line, &mut self.compiled)
            .map(|case| Prepared(*Box::new(case)))
            .map_err(|unreadable| Box::new(Answer::refused(unreadable.id, number, &unreadable.error)))
    }
}

impl Prepared {
    /// Decides the case, statements included, without writing the answer down.
    #[must_use]
    pub fn decide(&self) -> Outcome {
        let verdict = judge::judge(&self.0.request, &self.0.policies);
        match verdict.expression.rank() {
            0 => Outcome::Allow,
            1 => Outcome::Conditional,
            2 => Outcome::Unknown,
            _ => Outcome::Deny,
        }
    }
}

/// Answers one line on its own.
#[must_use]
pub fn answer(line: &str) -> Answer {
    Evaluator::default().answer_line(line, 1)
}
