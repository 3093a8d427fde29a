#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ddbwatch::app::fuzz_http(bytes));
