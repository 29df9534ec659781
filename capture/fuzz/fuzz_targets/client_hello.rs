//! cargo-fuzz entry of the target `client_hello`; its body is `targets::client_hello`.
#![no_main]

#[allow(dead_code)]
#[path = "../targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::client_hello(data));
