//! A UNIX datagram socket that other programs send events to.
//!
//! Promises: the socket's mode is 0660 from its first moment; its folder must not be writable by everybody (who could put another socket
//! in its place); only a socket that nobody listens at is removed; each datagram comes with the kernel's word on who sent it, and others
//! than root, this user, the socket's group and the users named are counted and dropped; datagrams are read many at a time, and where the
//! kernel queues enough of them, a little later, so that many have come.
//! `unsafe` is not needed: nix wraps `recvmmsg(2)`.
//!
//! Read next: `queue.rs` (where datagrams go), docs/CORRELATOR.md ("Sockets").

use std::fs;
use std::io::{self, ErrorKind, IoSliceMut};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ja4_event::MAX_RECORD_BYTES;
use nix::errno::Errno;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, MultiHeaders, UnixAddr, recvmmsg, setsockopt, sockopt};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Group, User, geteuid};

use super::Stream;
use super::queue::{Sender, Weighed};
use super::status::SocketFigures;

/// Datagrams taken with one call.
const BATCH: usize = 64;
/// Room for one: the longest that is allowed, and a byte to see that it was longer.
const SLOT_BYTES: usize = MAX_RECORD_BYTES + 1;
/// Where the kernel queues at least this many datagrams, it is let gather some before they are read.
const LONG_KERNEL_QUEUE: u32 = 256;
/// For how long. 512 datagrams in the queue hold out ten times that at 100,000 a second.
const GATHER: Duration = Duration::from_micros(500);
/// Batches read after the end was asked for: more than any kernel queue that is not endlessly refilled.
const LAST_BATCHES: u32 = 1024;
/// Longest wait before the end is looked for.
const PATIENCE: Duration = Duration::from_millis(100);

/// What to listen at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketConfig {
    /// The path.
    pub path: PathBuf,
    /// Group that may write to it; without one, this process's own.
    pub group: Option<String>,
    /// Users whose datagrams are taken beside those of root, of this user and of the group.
    pub users: Vec<String>,
}

/// Why a socket cannot be listened at: one sentence.
#[derive(Debug, thiserror::Error)]
#[error("listen at {}: {reason}", path.display())]
pub struct SocketError {
    path: PathBuf,
    reason: String,
}

/// A bound socket; its file goes when it is dropped.
#[derive(Debug)]
pub struct Listening {
    socket: UnixDatagram,
    path: PathBuf,
    inode: (u64, u64),
    /// Without the users named in the settings.
    always: Allowed,
    users: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Allowed {
    uids: Vec<u32>,
    gid: u32,
}

/// Datagrams that came together.
#[derive(Debug)]
pub struct Datagrams {
    /// What they are.
    pub stream: Stream,
    bytes: Vec<u8>,
    /// Where each ends in `bytes`.
    ends: Vec<usize>,
}

impl Datagrams {
    /// An empty chunk.
    #[must_use]
    pub fn new(stream: Stream) -> Self {
        Self { stream, bytes: Vec::new(), ends: Vec::new() }
    }

    /// Adds one.
    pub fn push(&mut self, datagram: &[u8]) {
        self.bytes.extend_from_slice(datagram);
        self.ends.push(self.bytes.len());
    }

    /// Each datagram, in the order they came.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let begins = std::iter::once(0).chain(self.ends.iter().copied());
        begins.zip(&self.ends).map(|(begin, end)| self.bytes.get(begin..*end).unwrap_or_default())
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
}

impl Weighed for Datagrams {
    fn bytes(&self) -> usize {
        self.bytes.len().saturating_add(self.ends.len().saturating_mul(size_of::<usize>())).saturating_add(64)
    }
}

impl Listening {
    /// Binds. Call it while the process has one thread (the mode is set through the umask) and, for `group`, before privileges are given
    /// up; `owner` is who will then read.
    ///
    /// # Errors
    /// The folder is writable by everybody, something else has the name, the group or a user is unknown, or the system refuses.
    pub fn bind(config: &SocketConfig, owner: Option<u32>) -> Result<Self, SocketError> {
        let path = &config.path;
        let fail = |reason: String| SocketError { path: path.clone(), reason };
        check_folder(path).map_err(fail)?;
        remove_stale(path).map_err(fail)?;
        let before = umask(Mode::from_bits_truncate(0o117));
        let bound = UnixDatagram::bind(path);
        umask(before);
        let socket = bound.map_err(|error| fail(error.to_string()))?;
        let gid = config.group.as_deref().map(group_id).transpose().map_err(fail)?;
        if gid.is_some() || owner.is_some() {
            std::os::unix::fs::chown(path, owner, gid).map_err(|error| fail(format!("give it to its group: {error}")))?;
        }
        setsockopt(&socket, sockopt::PassCred, &true).map_err(|error| fail(format!("ask for credentials: {error}")))?;
        socket.set_read_timeout(Some(PATIENCE)).map_err(|error| fail(error.to_string()))?;
        let metadata = fs::symlink_metadata(path).map_err(|error| fail(error.to_string()))?;
        let mut uids = vec![0, geteuid().as_raw()];
        uids.extend(owner);
        uids.extend(members(metadata.gid()));
        let always = Allowed { uids, gid: metadata.gid() };
        always.with(&config.users).map_err(fail)?;
        let inode = (metadata.dev(), metadata.ino());
        Ok(Self { socket, path: path.clone(), inode, always, users: config.users.clone() })
    }

    /// Where it listens.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Receives until `stop`, then what the kernel still holds; returns when the queue's other end is gone or the socket fails.
    /// `other_users` gives a new list of users, when there is one; one that names somebody unknown changes nothing.
    ///
    /// # Errors
    /// The system's refusal to read.
    pub fn receive<T: Weighed + From<Datagrams>>(
        &self,
        stream: Stream,
        stop: &AtomicBool,
        other_users: &mut dyn FnMut() -> Option<Vec<String>>,
        figures: &SocketFigures,
        out: &Sender<T>,
    ) -> Result<(), SocketError> {
        let fail = |error: Errno| SocketError { path: self.path.clone(), reason: error.to_string() };
        let mut allowed = self.always.with(&self.users).map_err(|reason| SocketError { path: self.path.clone(), reason })?;
        let gathers = kernel_queue().is_some_and(|length| length >= LONG_KERNEL_QUEUE);
        let mut last_batches = LAST_BATCHES;
        let mut buffer = vec![0; BATCH * SLOT_BYTES];
        let mut headers = MultiHeaders::<UnixAddr>::preallocate(BATCH, Some(nix::cmsg_space!(nix::sys::socket::UnixCredentials)));
        loop {
            let stopping = stop.load(Ordering::Relaxed);
            if stopping {
                last_batches = last_batches.saturating_sub(1);
            } else if let Some(fresh) = other_users().and_then(|users| self.always.with(&users).ok()) {
                allowed = fresh;
            }
            if last_batches == 0 {
                return Ok(());
            }
            let flags = if stopping { MsgFlags::MSG_DONTWAIT } else { MsgFlags::MSG_WAITFORONE };
            let mut slots: Vec<[IoSliceMut<'_>; 1]> =
                buffer.chunks_exact_mut(SLOT_BYTES).map(|slot| [IoSliceMut::new(slot)]).collect();
            let mut chunk = Datagrams::new(stream);
            match recvmmsg(self.socket.as_raw_fd(), &mut headers, slots.iter_mut(), flags, None) {
                Ok(messages) => {
                    for message in messages {
                        figures.received.inc();
                        let sender = message.cmsgs().ok().and_then(|mut messages| {
                            messages.find_map(|message| match message {
                                ControlMessageOwned::ScmCredentials(who) => Some((who.uid(), who.gid())),
                                _ => None,
                            })
                        });
                        if !allowed.lets_in(sender) {
                            figures.refused.inc();
                        } else if message.bytes > MAX_RECORD_BYTES || message.flags.contains(MsgFlags::MSG_TRUNC) {
                            figures.too_long.inc();
                        } else {
                            // An empty datagram has no part; it is damage, and counted as such behind.
                            chunk.push(message.iovs().next().unwrap_or_default());
                        }
                    }
                }
                Err(Errno::EAGAIN | Errno::EINTR) if !stopping => {}
                Err(Errno::EAGAIN) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(error) => return Err(fail(error)),
            }
            let came = chunk.len();
            if came > 0 && out.send(chunk.into()).is_err() {
                return Ok(());
            }
            if gathers && !stopping && (1..BATCH / 2).contains(&came) {
                std::thread::sleep(GATHER);
            }
        }
    }
}

impl Allowed {
    /// The same, and these.
    fn with(&self, users: &[String]) -> Result<Self, String> {
        let named: Vec<u32> = users.iter().map(|user| user_id(user)).collect::<Result<_, _>>()?;
        Ok(Self { uids: self.uids.iter().copied().chain(named).collect(), gid: self.gid })
    }

    fn lets_in(&self, sender: Option<(u32, u32)>) -> bool {
        sender.is_some_and(|(uid, gid)| self.uids.contains(&uid) || gid == self.gid)
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let ours = |metadata: &fs::Metadata| (metadata.dev(), metadata.ino()) == self.inode;
        if fs::symlink_metadata(&self.path).is_ok_and(|metadata| ours(&metadata)) {
            // The folder may belong to root by now: then the next start removes it as stale.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn check_folder(path: &Path) -> Result<(), String> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let metadata = fs::metadata(folder).map_err(|error| format!("its folder {}: {error}; make it first", folder.display()))?;
    if !metadata.is_dir() {
        return Err(format!("{} is no folder", folder.display()));
    }
    if metadata.mode() & 0o002 != 0 {
        let mode = metadata.mode() & 0o7777;
        return Err(format!(
            "its folder {} is writable by everybody (mode {mode:o}), who could put another socket in its place; `chmod o-w` it",
            folder.display()
        ));
    }
    Ok(())
}

fn remove_stale(path: &Path) -> Result<(), String> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.to_string()),
    };
    if !metadata.file_type().is_socket() {
        return Err("something that is no socket has this name; it is left alone".to_owned());
    }
    let probe = UnixDatagram::unbound().and_then(|probe| probe.connect(path));
    match probe {
        Ok(()) => Err("another process listens there; end that one first".to_owned()),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(|error| format!("remove the socket that an earlier process left: {error}"))
        }
        Err(error) => Err(format!("it cannot be told whether a process listens there: {error}")),
    }
}

fn group_id(name: &str) -> Result<u32, String> {
    let group = Group::from_name(name).map_err(|error| format!("look up group {name}: {error}"))?;
    group.map(|group| group.gid.as_raw()).ok_or_else(|| format!("there is no group {name}"))
}

fn user_id(name: &str) -> Result<u32, String> {
    let user = User::from_name(name).map_err(|error| format!("look up user {name}: {error}"))?;
    user.map(|user| user.uid.as_raw()).ok_or_else(|| format!("there is no user {name}"))
}

/// Users whom the group's entry names: the kernel's word about a sender has its own group alone, and not those it is a member of.
fn members(gid: u32) -> Vec<u32> {
    let group = Group::from_gid(nix::unistd::Gid::from_raw(gid)).ok().flatten();
    group.map(|group| group.mem.iter().filter_map(|name| user_id(name).ok()).collect()).unwrap_or_default()
}

/// How many datagrams the kernel queues at a socket that is bound now; `None` where it cannot be told.
#[must_use]
pub fn kernel_queue() -> Option<u32> {
    let text: io::Result<String> = fs::read_to_string("/proc/sys/net/unix/max_dgram_qlen");
    text.ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::sync::Arc;

    use super::super::queue::{Taken, queue};
    use super::*;
    use crate::metrics::Registry;

    fn config(path: &Path) -> SocketConfig {
        SocketConfig { path: path.to_path_buf(), group: None, users: Vec::new() }
    }

    #[test]
    fn a_socket_is_0660_and_only_a_stale_one_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("http.socket");
        let bound = Listening::bind(&config(&path), None).unwrap();
        assert_eq!(fs::symlink_metadata(&path).unwrap().mode() & 0o777, 0o660);
        let error = Listening::bind(&config(&path), None).unwrap_err().to_string();
        assert!(error.contains("another process listens there"), "{error}");
        drop(bound);
        assert!(!path.exists());
        drop(UnixDatagram::bind(&path).unwrap());
        Listening::bind(&config(&path), None).unwrap();
        fs::write(&path, "a file").unwrap();
        let error = Listening::bind(&config(&path), None).unwrap_err().to_string();
        assert!(error.contains("no socket") && path.exists(), "{error}");
    }

    #[test]
    fn a_folder_that_everybody_may_write_to_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o1777)).unwrap();
        let error = Listening::bind(&config(&folder.path().join("s")), None).unwrap_err().to_string();
        assert!(error.contains("writable by everybody (mode 1777)"), "{error}");
    }

    #[test]
    fn datagrams_come_in_order_with_their_senders_checked_and_long_ones_counted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let listening = Arc::new(Listening::bind(&config(&path), None).unwrap());
        let registry = Registry::new();
        let figures = SocketFigures::new(&registry, Stream::Http);
        let (sender, receiver) = queue::<Datagrams>(1 << 20);
        let stop = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let (listening, stop, figures) = (Arc::clone(&listening), Arc::clone(&stop), figures.clone());
            move || listening.receive(Stream::Http, &stop, &mut || None, &figures, &sender).unwrap()
        });
        let client = UnixDatagram::unbound().unwrap();
        for n in 0..300_u32 {
            client.send_to(n.to_string().as_bytes(), &path).unwrap();
        }
        client.send_to(&vec![b'x'; MAX_RECORD_BYTES + 1], &path).unwrap();
        client.send_to(&vec![b'y'; MAX_RECORD_BYTES], &path).unwrap();
        stop.store(true, Ordering::Relaxed);
        thread.join().unwrap();
        let mut texts = Vec::new();
        while let Taken::Item(chunk) = receiver.take(Duration::ZERO) {
            texts.extend(chunk.iter().map(<[u8]>::len));
            assert!(chunk.len() <= BATCH);
        }
        let expected = (0..300).map(|n: u32| n.to_string().len()).chain([MAX_RECORD_BYTES]);
        assert_eq!(texts, expected.collect::<Vec<_>>());
        assert_eq!((figures.received.get(), figures.too_long.get(), figures.refused.get()), (302, 1, 0));
    }

    #[test]
    fn strangers_are_not_let_in() {
        let allowed = Allowed { uids: vec![0, 1000], gid: 33 };
        assert!(allowed.lets_in(Some((0, 0))) && allowed.lets_in(Some((1000, 5))) && allowed.lets_in(Some((5, 33))));
        assert!(!allowed.lets_in(Some((5, 5))) && !allowed.lets_in(None));
    }
}
