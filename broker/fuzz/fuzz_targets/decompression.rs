//! libFuzzer's entry to [`cadastre_fuzz::decompression`].

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| cadastre_fuzz::decompression::run(input));
