//! Giving up privileges: after the handles are open and before a byte from outside is parsed.
//!
//! Promises: [`drop_privileges`] ends with a process that is not root, holds no capability in any set, can gain none
//! (`no_new_privs`), and, where the kernel has them, is confined by Landlock (no file but libpcap's read-only counters under `/sys`,
//! no TCP) and seccomp (a list of allowed calls: no new program, socket or tracing). Each step is read back; if one failed the caller gets an
//! error and must not go on. Must be called while the process has one thread: the later ones inherit.
//!
//! Read next: `identity.rs` (user, groups, capabilities), `sandbox.rs` (Landlock, seccomp), `docs/SENTINEL.md`.

mod identity;
mod sandbox;

use serde::Serialize;

use crate::error::CaptureError;

/// Users taken when none is named and the process is root, in this order.
pub const DEFAULT_USERS: [&str; 2] = ["ja4", "nobody"];

/// Whom to become.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Target {
    /// User name; without one, the first of [`DEFAULT_USERS`] that exists. Ignored names are an error, also for who is not root.
    pub user: Option<String>,
    /// Group name; without one, the user's own.
    pub group: Option<String>,
    /// Whether to confine the process beyond its identity.
    pub sandbox: Sandbox,
}

/// Landlock and seccomp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sandbox {
    /// An error where the kernel cannot.
    Required,
    /// As far as the kernel can.
    #[default]
    BestEffort,
    /// Not at all. Identity and capabilities are given up nevertheless.
    Off,
}

/// What the process is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// User name or number.
    pub user: String,
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Whether Landlock confines it; partly, on kernels that know only some of the rights.
    pub landlock: bool,
    /// Whether a seccomp filter is set.
    pub seccomp: bool,
}

/// Gives up everything that is not needed any more.
///
/// # Errors
/// [`CaptureError::Privilege`] with the step that failed. The process may then be in a mixed state: end it.
pub fn drop_privileges(target: &Target) -> Result<Report, CaptureError> {
    let threads = std::fs::read_dir("/proc/self/task").map_or(1, Iterator::count);
    if threads > 1 {
        let reason = format!("it has {threads} threads already, and capabilities belong to each of them");
        return Err(CaptureError::Privilege { operation: "give up the privileges of this process", reason });
    }
    let (user, uid, gid) = identity::give_up(target)?;
    let (landlock, seccomp) = match target.sandbox {
        Sandbox::Off => (false, false),
        wanted => {
            let (landlock, seccomp) = (sandbox::landlock(), sandbox::seccomp());
            if wanted == Sandbox::Required {
                landlock.as_ref().map_err(|reason| missing("confine this process with Landlock", reason))?;
                seccomp.as_ref().map_err(|reason| missing("confine this process with seccomp", reason))?;
            }
            (landlock.is_ok(), seccomp.is_ok())
        }
    };
    Ok(Report { user, uid, gid, landlock, seccomp })
}

fn missing(operation: &'static str, reason: &str) -> CaptureError {
    CaptureError::Privilege { operation, reason: format!("{reason}; `sandbox = \"best-effort\"` goes on without it") }
}
