//! cargo-fuzz entry of the target `http3`; its body is `targets::http3`.
#![no_main]

#[allow(dead_code)]
#[path = "../targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::http3(data));
