//! The query engine as a program: a request as JSON on standard input, the answer on standard output.

#![expect(clippy::print_stderr, reason = "why there is no answer is said on standard error")]

use std::process::ExitCode;

use cadastre_query::{answer, program};

fn main() -> ExitCode {
    match program::serve(answer) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
