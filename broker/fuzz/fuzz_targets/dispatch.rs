//! libFuzzer's entry to [`cadastre_fuzz::dispatch`].

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| cadastre_fuzz::dispatch::run(input));
