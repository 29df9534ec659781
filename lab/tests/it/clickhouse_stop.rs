//! Stopping a statement that a ClickHouse server is working on: the wait ends at once, and the server is told by the end of its connection.
//!
//! What a server does then is its own: `cancel_http_readonly_queries_on_client_close` asks it to end the statement. The engine of the
//! tests cannot show that; nothing is killed by query id.
//!
//! Read next: `replay/src/store/interrupt.rs`, `replay/src/store/clickhouse/wire.rs`.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use ja4_replay::ReplayError;
use ja4_replay::store::{self, OpenOptions};

use crate::server::Server;

const MARK: &str = "never-answered";
const LONG: Duration = Duration::from_mins(2);

#[test]
fn an_interrupted_statement_ends_the_wait_and_the_request() {
    let Some(server) = Server::start() else { return };
    let (address, seen) = holding_proxy(server.host_port());
    let store = store::open(&address, &OpenOptions::default()).unwrap();
    let stopper = store.interrupter();
    let asking = std::thread::spawn(move || {
        let answer = store.query(&format!("SELECT '{MARK}'"));
        (store, answer)
    });
    let Seen::Held(request) = seen.recv_timeout(LONG).unwrap() else { panic!("the request is held first") };
    for setting in ["readonly=1", "cancel_http_readonly_queries_on_client_close=1"] {
        assert!(request.contains(setting), "{request}");
    }
    stopper.interrupt();
    let (store, answer) = asking.join().unwrap();
    assert!(matches!(answer, Err(ReplayError::Interrupted { .. })), "{answer:?}");
    assert!(matches!(seen.recv_timeout(LONG).unwrap(), Seen::Closed), "the server must hear of it");
    // The connection that was given up is not used again.
    assert_eq!(store.query("SELECT 1 AS one").unwrap().iter().map(|batch| batch.num_rows()).sum::<usize>(), 1);
}

enum Seen {
    /// A request that will have no answer, as it came.
    Held(String),
    /// Its connection was closed by who asked.
    Closed,
}

/// Hands everything on to `upstream`, but for a request that holds the mark: that one waits for ever.
fn holding_proxy(upstream: String) -> (PathBuf, Receiver<Seen>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = PathBuf::from(format!("clickhouse://default@{}", listener.local_addr().unwrap()));
    let (tell, seen) = channel();
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let (upstream, tell) = (TcpStream::connect(&upstream).unwrap(), tell.clone());
            let (mut back, mut to) = (upstream.try_clone().unwrap(), client.try_clone().unwrap());
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut back, &mut to);
                let _ = to.shutdown(Shutdown::Write);
            });
            std::thread::spawn(move || hand_on(client, upstream, &tell));
        }
    });
    (address, seen)
}

fn hand_on(mut client: TcpStream, mut upstream: TcpStream, tell: &Sender<Seen>) {
    let (mut piece, mut all) = ([0; 65536], Vec::new());
    let mut held = false;
    // A connection that ends in any way ends here.
    while let Some(bytes) = client.read(&mut piece).ok().filter(|n| *n > 0).map(|n| &piece[..n]) {
        all.extend_from_slice(bytes);
        let text = String::from_utf8_lossy(&all);
        if !held && text.contains(MARK) {
            held = true;
            let _ = tell.send(Seen::Held(text.into_owned()));
        }
        if !held && upstream.write_all(bytes).is_err() {
            break;
        }
    }
    if held {
        let _ = tell.send(Seen::Closed);
    }
    let _ = upstream.shutdown(Shutdown::Write);
}
