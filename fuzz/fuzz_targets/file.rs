#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ddbwatch::capture::fuzz_file(bytes));
