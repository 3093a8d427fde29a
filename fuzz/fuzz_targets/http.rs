#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ddbwatch::app::http1::fuzz_http(bytes));
