//! The `cadastre` command.

fn main() {}
