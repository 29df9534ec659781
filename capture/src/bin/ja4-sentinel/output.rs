//! Where events go: the reader's socket, standard output, or a file.
//!
//! Promises: a file is appended to and written in whole lines; a closed pipe ends the program as a success; a full disk is told with
//! the file's name. Opened before the privileges are given up; nothing is sent before.
//!
//! Read next: `queue.rs`.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use ja4_capture::event::{MAX_RECORD_BYTES, NetworkEvent};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};

use crate::config::{Config, OutputKind};
use crate::queue::{Full, Sent, SocketQueue};

/// An output that is open but was not written to.
#[derive(Debug)]
pub enum OpenOutput {
    /// A socket of our own; the reader's path comes with the settings.
    Socket(UnixDatagram),
    /// Standard output.
    Stdout,
    /// A file.
    File(File),
}

/// Takes events.
#[derive(Debug)]
pub enum Output {
    /// To the reader's socket.
    Socket(SocketQueue),
    /// To a stream.
    Lines(Lines),
}

/// A stream of lines.
pub struct Lines {
    writer: BufWriter<Box<dyn Write>>,
    name: PathBuf,
    figures: Sent,
    /// The first failure; nothing is written after it.
    failure: Option<std::io::Error>,
}

impl std::fmt::Debug for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lines").field("name", &self.name).finish_non_exhaustive()
    }
}

impl OpenOutput {
    /// Opens what the settings name. The error is one sentence.
    pub fn open(config: &Config) -> Result<Self, String> {
        match (config.output, &config.file) {
            (OutputKind::Socket, _) => {
                SocketQueue::socket().map(Self::Socket).map_err(|error| format!("cannot make a UNIX datagram socket: {error}"))
            }
            (OutputKind::File, Some(path)) => {
                let file =
                    open_to_append(path).map_err(|why| format!("cannot open {} to append to it: {why}", path.display()))?;
                Ok(Self::File(file))
            }
            _ => Ok(Self::Stdout),
        }
    }

    /// Makes it ready to take events. The error is one sentence.
    pub fn start(self, config: &Config) -> Result<Output, String> {
        let lines = |writer: Box<dyn Write>, name| {
            let writer = BufWriter::with_capacity(256 * 1024, writer);
            Output::Lines(Lines { writer, name, figures: Sent::default(), failure: None })
        };
        match self {
            Self::Socket(socket) => {
                let full = if config.read.is_empty() { Full::DropOldest } else { Full::Wait };
                let queue = SocketQueue::start(socket, config.socket.clone(), config.queue_bytes, full);
                queue.map(Output::Socket).map_err(|error| format!("cannot start the thread that sends events: {error}"))
            }
            Self::Stdout => Ok(lines(Box::new(std::io::stdout()), PathBuf::from("standard output"))),
            Self::File(file) => Ok(lines(Box::new(file), config.file.clone().unwrap_or_default())),
        }
    }
}

impl Output {
    /// Hands one event over.
    pub fn event(&mut self, event: &NetworkEvent) {
        let record = serde_json::to_vec(event).unwrap_or_default();
        match self {
            Self::Socket(queue) => queue.push(record),
            Self::Lines(lines) => lines.write(record),
        }
    }

    /// Writes out what is buffered. `Err` when nothing can be written any more: without a sentence for a closed pipe.
    pub fn flush(&mut self) -> Result<(), Option<String>> {
        match self {
            Self::Socket(_) => Ok(()),
            Self::Lines(lines) => lines.flush(),
        }
    }

    /// What became of the events so far.
    pub fn figures(&self) -> Sent {
        match self {
            Self::Socket(queue) => queue.figures(),
            Self::Lines(lines) => lines.figures,
        }
    }

    /// Sends or writes what waits and ends. Gives the final figures.
    pub fn finish(&mut self) -> (Sent, Result<(), Option<String>>) {
        match self {
            Self::Socket(queue) => (queue.finish(), Ok(())),
            Self::Lines(lines) => {
                let done = lines.flush();
                (lines.figures, done)
            }
        }
    }
}

impl Lines {
    fn write(&mut self, mut record: Vec<u8>) {
        if record.len() > MAX_RECORD_BYTES {
            self.figures.dropped_too_long = self.figures.dropped_too_long.saturating_add(1);
            return;
        }
        if self.failure.is_some() {
            return;
        }
        record.push(b'\n');
        match self.writer.write_all(&record) {
            Ok(()) => self.figures.sent = self.figures.sent.saturating_add(1),
            Err(error) => self.failure = Some(error),
        }
    }

    fn flush(&mut self) -> Result<(), Option<String>> {
        if self.failure.is_none() {
            self.failure = self.writer.flush().err();
        }
        match &self.failure {
            None => Ok(()),
            Some(error) if error.kind() == ErrorKind::BrokenPipe => Err(None),
            Some(error) => Err(Some(format!("cannot write to {}: {error}", self.name.display()))),
        }
    }
}
/// Opens a file that only its owner and group read, because it tells what visitors do here. A pipe that nobody reads is no file to wait for.
fn open_to_append(path: &Path) -> Result<File, String> {
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(0o640).custom_flags(OFlag::O_NONBLOCK.bits());
    let file = options.open(path).map_err(|error| match error.raw_os_error() {
        Some(number) if number == Errno::ENXIO as i32 => "it is a pipe, and nobody reads it; start its reader first".to_owned(),
        _ => error.to_string(),
    })?;
    // Writing waits again.
    fcntl(&file, FcntlArg::F_SETFL(OFlag::O_APPEND)).map_err(|error| error.to_string())?;
    Ok(file)
}
