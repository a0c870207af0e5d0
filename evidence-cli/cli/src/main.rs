//! The `cadastre` command.

mod args;
mod commands;
mod exit;
mod terminal;

use std::process::ExitCode;

use clap::Parser;

use crate::args::Arguments;
use crate::exit::{Exit, USAGE};
use crate::terminal::Terminal;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are answers; everything else is a usage error.
            let code = if error.use_stderr() { USAGE } else { Exit::Clean.code() };
            drop(error.print());
            return ExitCode::from(code);
        }
    };
    let terminal = Terminal::new(arguments.quiet);
    let result = commands::run(arguments.command, &terminal);
    terminal.finish();
    match result {
        Ok(exit) => ExitCode::from(exit.code()),
        Err(error) => {
            terminal.error(&terminal::inert(&format!("{error:#}")));
            for hint in commands::hints(&error) {
                terminal.hint(&hint);
            }
            ExitCode::from(Exit::Failed.code())
        }
    }
}
