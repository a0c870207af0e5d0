//! libFuzzer's entry to [`cadastre_fuzz::tls`].

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| cadastre_fuzz::tls::run(input));
