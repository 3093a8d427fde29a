#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ddbwatch::pipeline::fuzz_pipeline(bytes));
