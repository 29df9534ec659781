//! cargo-fuzz entry of the target `http1`; its body is `targets::http1`.
#![no_main]

#[allow(dead_code)]
#[path = "../targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::http1(data));
