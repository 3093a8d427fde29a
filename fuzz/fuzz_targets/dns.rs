#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ddbwatch::app::dns::fuzz_dns(bytes));
