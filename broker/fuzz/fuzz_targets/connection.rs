//! libFuzzer's entry to [`cadastre_fuzz::connection`].

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| cadastre_fuzz::connection::run(input));
