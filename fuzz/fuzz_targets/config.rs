#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ddbwatch::config::fuzz_config(bytes));
