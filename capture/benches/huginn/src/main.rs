//! JA4 of every client in a capture, by huginn-net-tls in its sequential mode, a line each: the peer of `peers.py`.
//!
//! Promises: the peer's own reader and flow table with room for 100,000 connections, as many as ours; nothing but formatting added.
use std::io::{BufWriter, Write};
use std::sync::mpsc::channel;

fn main() {
    let path = std::env::args().nth(1).expect("usage: huginn-peer CAPTURE");
    let (sender, receiver) = channel::<huginn_net_tls::TlsClientOutput>();
    let mut analyzer = huginn_net_tls::HuginnNetTls::new(100_000);
    let writer = std::thread::spawn(move || {
        let mut out = BufWriter::new(std::io::stdout().lock());
        for found in receiver {
            writeln!(out, "{} {} {}", found.source.ip, found.source.port, found.sig.ja4.full).expect("written");
        }
    });
    analyzer.analyze_pcap(&path, sender, None).expect("a capture");
    drop(analyzer);
    writer.join().expect("the writer ends");
}
