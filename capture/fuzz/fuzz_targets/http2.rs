//! cargo-fuzz entry of the target `http2`; its body is `targets::http2`.
#![no_main]

#[allow(dead_code)]
#[path = "../targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::http2(data));
