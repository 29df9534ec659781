//! cargo-fuzz entry of the target `quic_initial`; its body is `targets::quic_initial`.
#![no_main]

#[allow(dead_code)]
#[path = "../targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::quic_initial(data));
