//! cargo-fuzz entry of the target `sensor`; its body is `targets::sensor`.
#![no_main]

#[allow(dead_code)]
#[path = "../targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::sensor(data));
