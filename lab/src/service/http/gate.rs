//! Who may connect and for how long: a bound on connections in all and for each client, and on silence.
//!
//! Promises: at most [`CONNECTIONS`] at a time, [`EACH`] of one client; one beyond its client's share is closed at once, one beyond
//! all shares waits in the kernel's queue; a connection that says nothing for [`SILENCE`], or is older than [`LIFE`], ends, so that
//! slow headers hold nothing for ever.
//!
//! Read next: `mod.rs`.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};

use super::rate::network;

/// Connections in all.
pub const CONNECTIONS: usize = 256;
/// Connections of one client.
pub const EACH: usize = 32;
/// The longest silence.
pub const SILENCE: Duration = Duration::from_secs(30);
/// The longest life.
pub const LIFE: Duration = Duration::from_secs(600);

/// The client of a connection.
#[derive(Debug, Clone, Copy)]
pub struct Client(pub SocketAddr);

impl Connected<IncomingStream<'_, Gate>> for Client {
    fn connect_info(stream: IncomingStream<'_, Gate>) -> Self {
        Self(*stream.remote_addr())
    }
}

/// A listener with the bounds of this file.
pub struct Gate {
    socket: TcpListener,
    room: Arc<Semaphore>,
    clients: Arc<Mutex<BTreeMap<IpAddr, usize>>>,
}

impl Gate {
    /// Nobody is in.
    pub fn new(socket: TcpListener) -> Self {
        Self { socket, room: Arc::new(Semaphore::new(CONNECTIONS)), clients: Arc::default() }
    }

    /// A place for one more connection of `client`, unless it has its share.
    fn place(&self, client: IpAddr) -> Option<Place> {
        let client = network(client);
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let count = clients.entry(client).or_default();
        if *count >= EACH {
            return None;
        }
        *count += 1;
        Some(Place { client, clients: Arc::clone(&self.clients) })
    }
}

impl Listener for Gate {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        loop {
            let Ok(room) = Arc::clone(&self.room).acquire_owned().await else { continue };
            match self.socket.accept().await {
                Ok((stream, address)) => {
                    // Answers are small and whole: there is nothing to wait for.
                    let _ = stream.set_nodelay(true);
                    if let Some(place) = self.place(address.ip()) {
                        let (silence, life) = (Box::pin(sleep(SILENCE)), Box::pin(sleep(LIFE)));
                        return (Connection { stream, silence, life, _room: room, _place: place }, address);
                    }
                }
                // Out of descriptors, or the client is gone already: others may still come.
                Err(_) => sleep(Duration::from_millis(50)).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }
}

/// A client's share of the connections, given back when dropped.
struct Place {
    client: IpAddr,
    clients: Arc<Mutex<BTreeMap<IpAddr, usize>>>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = clients.get_mut(&self.client) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                clients.remove(&self.client);
            }
        }
    }
}

/// A connection that ends when it is silent or old.
pub struct Connection {
    stream: TcpStream,
    silence: Pin<Box<Sleep>>,
    life: Pin<Box<Sleep>>,
    _room: OwnedSemaphorePermit,
    _place: Place,
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let Poll::Ready(result) = Pin::new(&mut self.stream).poll_read(context, buffer) {
            self.silence.set(sleep(SILENCE));
            return Poll::Ready(result);
        }
        if self.silence.as_mut().poll(context).is_ready() || self.life.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Poll::Pending
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.life.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
