//! The reference broker as a program of its own.

fn main() {}
