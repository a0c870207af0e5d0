//! Every input that the fuzzer kept is survived again.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test ends where it cannot go on, and says at which input"
)]

use std::path::Path;

fn replay(name: &str) {
    let (_, run) = cadastre_fuzz::TARGETS.iter().find(|(target, _)| *target == name).unwrap();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let mut inputs: Vec<_> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    inputs.sort();
    assert!(inputs.len() >= 10, "{} inputs are no corpus", inputs.len());
    for input in inputs {
        // On a failure, the last line tells the input.
        eprintln!("{}", input.display());
        run(&std::fs::read(input).unwrap());
    }
}

macro_rules! replay {
    ($($test:ident: $target:literal),* $(,)?) => {
        $(#[test] fn $test() { replay($target); })*

        #[test]
        fn every_target_is_replayed() {
            let replayed = [$($target),*];
            assert_eq!(cadastre_fuzz::TARGETS.iter().map(|(name, _)| *name).collect::<Vec<_>>(), replayed);
        }
    };
}

replay! {
    requests_that_were_found_are_decoded_or_refused: "requests",
    batches_that_were_found_are_read_or_refused: "record_batches",
    data_that_were_found_unpack_within_their_limit: "decompression",
    exchanges_that_were_found_prove_nothing: "sasl",
    handshakes_that_were_found_never_end_well: "tls",
    connections_that_were_found_are_told_nothing: "connection",
    requests_that_were_found_leave_the_broker_answering: "dispatch",
}
