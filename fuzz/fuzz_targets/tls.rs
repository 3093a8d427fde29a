#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| drop(ddbwatch::tls::fuzz_tls(bytes)));
