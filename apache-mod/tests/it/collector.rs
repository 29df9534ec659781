//! The other end of the socket: keeps every datagram, in order of arrival.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ja4_event::HttpEvent;
use serde_json::Value as Json;

use crate::client::FORK;

/// One datagram, as the schema reads it and as it stands.
#[derive(Debug, Clone)]
pub struct Received {
    pub event: HttpEvent,
    pub json: Json,
    pub len: usize,
}

impl Received {
    pub fn count(&self, key: &str) -> u64 {
        self.json[key].as_u64().unwrap_or(0)
    }
}

/// Binds like a collector that is stopped: nothing reads.
pub fn bind(path: &Path) -> UnixDatagram {
    let _ = fs::remove_file(path);
    let socket = UnixDatagram::bind(path).expect("bind");
    fs::set_permissions(path, fs::Permissions::from_mode(0o666)).expect("our socket");
    socket
}

pub struct Collector {
    datagrams: Arc<Mutex<Vec<Vec<u8>>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Collector {
    pub fn start(path: &Path) -> Self {
        Self::read(bind(path))
    }

    /// Begins to read from a socket that is bound already.
    pub fn read(socket: UnixDatagram) -> Self {
        socket.set_read_timeout(Some(Duration::from_millis(20))).expect("a timeout");
        let (datagrams, stop) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let thread = std::thread::spawn({
            let (datagrams, stop) = (Arc::clone(&datagrams), Arc::clone(&stop));
            move || {
                let mut buffer = vec![0; 1 << 17];
                while !stop.load(Ordering::Relaxed) {
                    if let Ok(len) = socket.recv(&mut buffer) {
                        datagrams.lock().unwrap().push(buffer[..len].to_vec());
                    }
                }
            }
        });
        Self { datagrams, stop, thread: Some(thread) }
    }

    /// Waits for `count` datagrams in all; gives what has come after at most five seconds.
    pub fn wait_for(&self, count: usize) -> Vec<Received> {
        self.wait_until(|events| events.len() >= count)
    }

    /// The same for any condition.
    pub fn wait_until(&self, enough: impl Fn(&[Received]) -> bool) -> Vec<Received> {
        let deadline = Instant::now() + Duration::from_secs(5);
        loop {
            let events = self.all();
            if enough(&events) || Instant::now() > deadline {
                return events;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits until none has come for a while.
    pub fn settle(&self) -> Vec<Received> {
        let mut before = usize::MAX;
        loop {
            let now = self.datagrams.lock().unwrap().len();
            if now == before {
                return self.all();
            }
            before = now;
            std::thread::sleep(Duration::from_millis(150));
        }
    }

    fn all(&self) -> Vec<Received> {
        let read = |bytes: &Vec<u8>| Received {
            event: serde_json::from_slice(bytes).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(bytes))),
            json: serde_json::from_slice(bytes).expect("JSON"),
            len: bytes.len(),
        };
        self.datagrams.lock().unwrap().iter().map(read).collect()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        let _held = FORK.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
