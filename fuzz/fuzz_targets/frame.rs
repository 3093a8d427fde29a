#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ddbwatch::decode::fuzz_frame(bytes));
