//! cargo-fuzz entry of the target `readers`; its body is `targets::readers`.
#![no_main]

#[allow(dead_code)]
#[path = "../targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::readers(data));
