#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ddbwatch::app::x509::fuzz_x509(bytes));
