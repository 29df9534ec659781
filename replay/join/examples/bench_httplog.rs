//! Lines per second of the HTTP log readers, on synthetic lines in memory or on a file given as an argument.
//!
//! Run: `cargo run --release -p ja4-join --example bench_httplog [FILE [FORMAT]]`. One thread; each figure is the best of three, per second
//! of processor time (Linux) and of elapsed time, so that other work on the machine shows.
//!
//! Read next: `src/httplog/mod.rs`.

#![allow(clippy::print_stdout, clippy::disallowed_methods, clippy::unwrap_used, reason = "a measuring program")]

use std::io::Cursor;
use std::path::Path;
use std::time::Instant;

use ja4_join::httplog::{Format, HttpLog, HttpLogOptions};

const LINES: usize = 400_000;

fn main() {
    let mut args = std::env::args().skip(1);
    if let Some(path) = args.next() {
        let format: Format = args.next().unwrap_or_else(|| "auto".into()).parse().unwrap();
        let options = HttpLogOptions { format, ..HttpLogOptions::default() };
        return measure(&path, || HttpLog::open(Path::new(&path), &options).unwrap());
    }
    for (name, line) in
        [("combined", combined as fn(usize) -> String), ("module JSON", module_json), ("JSON LogFormat", template_json)]
    {
        let text: String = (0..LINES).map(|n| line(n) + "\n").collect();
        measure(name, || {
            HttpLog::from_reader(name, Box::new(Cursor::new(text.clone().into_bytes())), None, &HttpLogOptions::default())
                .unwrap()
        });
    }
}

fn measure(name: &str, open: impl Fn() -> HttpLog) {
    let (mut elapsed, mut on_cpu) = (f64::MAX, f64::MAX);
    let (mut events, mut bytes) = (0, 0);
    for _ in 0..3 {
        let mut log = open();
        let (begin, cpu_begin) = (Instant::now(), cpu_secs());
        events = log.by_ref().count();
        elapsed = elapsed.min(begin.elapsed().as_secs_f64());
        on_cpu = on_cpu.min(cpu_secs() - cpu_begin);
        bytes = log.position().byte_offset;
        assert_eq!(log.damage().count(), 0, "{:?}", log.damage().first());
    }
    let [per_cpu, per_elapsed] = [on_cpu, elapsed].map(|secs| events as f64 / secs);
    println!(
        "{name}: {events} events of {} bytes, {per_cpu:.0} lines/s of processor time, {per_elapsed:.0} lines/s elapsed",
        bytes / events as u64
    );
}

/// Seconds this thread has run; NaN where the system does not tell.
fn cpu_secs() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(f64::NAN) / 1e9
}

const AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Safari/537.36";

fn combined(n: usize) -> String {
    format!(
        r#"10.1.{}.{} - - [10/Oct/2025:13:{:02}:{:02} +0200] "GET /shop/item/{n}?ref=list&page=2 HTTP/1.1" 200 {n} "https://shop.example/list?page=2" "{AGENT}" {} 443 10.1.0.1"#,
        n % 250,
        n % 251,
        n / 60 % 60,
        n % 60,
        1_024 + n % 60_000
    )
}

fn module_json(n: usize) -> String {
    format!(
        r#"{{"v":1,"ts_ns":{},"src_ip":"10.1.{}.{}","src_port":{},"dst_ip":"10.0.0.1","dst_port":443,"client_ip":"10.1.0.1","server":"web1","conn_id":"{n}","request_no":{},"scheme":"https","method":"GET","host":"shop.example","path":"/shop/item/{n}","query":"ref=list&page=2","http_version":"HTTP/2.0","status":200,"request_bytes":812,"response_bytes":{n},"duration_us":{},"headers":[["Host","shop.example"],["User-Agent","{AGENT}"],["Accept","text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"],["Accept-Language","en-GB,en;q=0.5"],["Accept-Encoding","gzip, deflate, br, zstd"],["Referer","https://shop.example/list"],["Cookie","43"],["Sec-Fetch-Site","same-origin"],["Sec-Fetch-Mode","navigate"],["Sec-Fetch-Dest","document"]],"h2":"1:65536;2:0;4:6291456;6:262144|15663105|0|m,a,s,p"}}"#,
        1_760_000_000_000_000_000_i64 + n as i64 * 1_000_123,
        n % 250,
        n % 251,
        1_024 + n % 60_000,
        n % 7,
        n % 90_000
    )
}

fn template_json(n: usize) -> String {
    format!(
        r#"{{"v":1,"ts_us":{},"src_ip":"10.1.{}.{}","src_port":{},"dst_ip":"10.0.0.1","dst_port":443,"client_ip":"10.1.0.1","server":"web1","request_no":{},"scheme":"https","method":"GET","host":"shop.example","path":"/shop/item/{n}","query":"?ref=list&page=2","http_version":"HTTP/1.1","status":200,"request_bytes":812,"response_bytes":{n},"duration_us":{},"conn_status":"+","tls_protocol":"TLSv1.3","tls_cipher":"TLS_AES_256_GCM_SHA384","tls_sni":"shop.example","tls_resumed":"Initial","h2_stream":"-","has_cookie":"1","has_authorization":"-","h":{{"User-Agent":"{AGENT}","Accept":"text/html,*/*;q=0.8","Accept-Language":"en-GB,en;q=0.5","Accept-Encoding":"gzip, deflate, br, zstd","Referer":"https://shop.example/list","Origin":"-","Content-Type":"-","Sec-CH-UA":"\"Chromium\";v=\"139\", \"Not;A=Brand\";v=\"99\"","Sec-CH-UA-Mobile":"?0","Sec-CH-UA-Platform":"\"Linux\"","Sec-Fetch-Site":"same-origin","Sec-Fetch-Mode":"navigate","Sec-Fetch-Dest":"document","Sec-Fetch-User":"?1","Upgrade-Insecure-Requests":"1","Cache-Control":"-","Connection":"-","X-Requested-With":"-","Priority":"u=0, i","TE":"-","DNT":"-"}}}}"#,
        1_760_000_000_000_000_i64 + n as i64 * 1_000,
        n % 250,
        n % 251,
        1_024 + n % 60_000,
        n % 7,
        n % 90_000
    )
}
