//! cargo-fuzz entry of the target `key_log`; its body is `targets::key_log`.
#![no_main]

#[allow(dead_code)]
#[path = "../targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::key_log(data));
