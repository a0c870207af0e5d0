//! libFuzzer's entry to [`cadastre_fuzz::sasl`].

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| cadastre_fuzz::sasl::run(input));
