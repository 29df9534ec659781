//! cargo-fuzz entry of the target `decode`; its body is `targets::decode_frame`.
#![no_main]

#[allow(dead_code)]
#[path = "../targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::decode_frame(data));
