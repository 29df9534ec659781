//! cargo-fuzz entry of the target `reassembly`; its body is `targets::reassembly`.
#![no_main]

#[allow(dead_code)]
#[path = "../targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::reassembly(data));
