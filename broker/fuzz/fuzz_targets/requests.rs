//! libFuzzer's entry to [`cadastre_fuzz::requests`].

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| cadastre_fuzz::requests::run(input));
