//! User, groups, capabilities and `no_new_privs`.
//!
//! Promises: the order is the one that cannot be undone (bounding set while it may still be changed, groups before the user,
//! capabilities last), and the outcome is read back from the kernel, with an attempt to become root again.
//!
//! Read next: `sandbox.rs`.

use std::fmt::Display;

use caps::{CapSet, Capability};
use nix::sys::prctl;
use nix::unistd::{Gid, Group, Uid, User, getresgid, getresuid, setgroups, setresgid, setresuid};

use crate::error::CaptureError;
use crate::privilege::{DEFAULT_USERS, Target};

/// Becomes the target, keeps nothing. Gives name, user and group.
pub fn give_up(target: &Target) -> Result<(String, u32, u32), CaptureError> {
    let step = |operation| move |reason: &dyn Display| CaptureError::Privilege { operation, reason: reason.to_string() };
    let now = getresuid().map_err(|e| step("ask for this process's user")(&e))?;
    let is_root = now.effective.is_root() || now.real.is_root() || now.saved.is_root();
    let user = user(target, is_root, now.effective)?;
    let gid = group(target, user.gid)?;
    let may = |cap| caps::has_cap(None, CapSet::Effective, cap).unwrap_or(false);
    if may(Capability::CAP_SETPCAP) {
        caps::clear(None, CapSet::Bounding).map_err(|e| step("empty the bounding set of capabilities")(&e))?;
    }
    if is_root {
        setgroups(&[gid]).map_err(|e| step("leave the groups of root")(&e))?;
        setresgid(gid, gid, gid).map_err(|e| step("change the group")(&e))?;
        setresuid(user.uid, user.uid, user.uid).map_err(|e| step("change the user")(&e))?;
    }
    for set in [CapSet::Ambient, CapSet::Effective, CapSet::Permitted, CapSet::Inheritable] {
        caps::clear(None, set).map_err(|e| step("give up capabilities")(&e))?;
    }
    prctl::set_no_new_privs().map_err(|e| step("set no_new_privs")(&e))?;
    verify(user.uid, gid, is_root)?;
    Ok((user.name, user.uid.as_raw(), gid.as_raw()))
}

/// Reads back what the kernel thinks this process is.
fn verify(uid: Uid, gid: Gid, was_root: bool) -> Result<(), CaptureError> {
    let wrong = |what: &str| CaptureError::Privilege {
        operation: "give up the privileges of this process",
        reason: format!("afterwards {what}"),
    };
    let users = getresuid().map_err(|_| wrong("its user cannot be asked for"))?;
    if [users.real, users.effective, users.saved].iter().any(|id| *id != uid || id.is_root()) {
        return Err(wrong("it still has another user"));
    }
    let groups = getresgid().map_err(|_| wrong("its group cannot be asked for"))?;
    if was_root && [groups.real, groups.effective, groups.saved].iter().any(|id| *id != gid) {
        return Err(wrong("it still has another group"));
    }
    for set in [CapSet::Ambient, CapSet::Effective, CapSet::Permitted, CapSet::Inheritable] {
        if !caps::read(None, set).is_ok_and(|left| left.is_empty()) {
            return Err(wrong("it still has capabilities"));
        }
    }
    if was_root && !caps::read(None, CapSet::Bounding).is_ok_and(|left| left.is_empty()) {
        return Err(wrong("its bounding set is not empty"));
    }
    if !prctl::get_no_new_privs().unwrap_or(false) {
        return Err(wrong("no_new_privs is not set"));
    }
    let root = Uid::from_raw(0);
    if setresuid(root, root, root).is_ok() {
        return Err(wrong("it could become root again"));
    }
    Ok(())
}

fn user(target: &Target, is_root: bool, now: Uid) -> Result<User, CaptureError> {
    let operation = "change the user";
    let refuse = |reason: String| CaptureError::Privilege { operation, reason };
    let look_up = |name: &str| User::from_name(name).map_err(|e| refuse(format!("user {name} cannot be looked up: {e}")));
    let user = match &target.user {
        Some(name) => look_up(name)?.ok_or_else(|| refuse(format!("there is no user {name}")))?,
        None if is_root => {
            let mut found = None;
            for name in DEFAULT_USERS {
                found = found.or(look_up(name)?);
            }
            found.ok_or_else(|| refuse(format!("there is neither a user {}; name one", DEFAULT_USERS.join(" nor "))))?
        }
        None => return Ok(unnamed(now)),
    };
    if user.uid.is_root() {
        return Err(refuse(format!("user {} is root; name another", user.name)));
    }
    if !is_root && user.uid != now {
        return Err(refuse(format!("only root can become {}", user.name)));
    }
    Ok(user)
}

/// The user a process without root's rights stays, who may have no name.
fn unnamed(uid: Uid) -> User {
    let named = User::from_uid(uid).ok().flatten();
    named.unwrap_or_else(|| User {
        name: uid.to_string(),
        passwd: std::ffi::CString::default(),
        uid,
        gid: nix::unistd::getgid(),
        gecos: std::ffi::CString::default(),
        dir: std::path::PathBuf::new(),
        shell: std::path::PathBuf::new(),
    })
}

fn group(target: &Target, own: Gid) -> Result<Gid, CaptureError> {
    let Some(name) = &target.group else { return Ok(own) };
    let refuse = |reason: String| CaptureError::Privilege { operation: "change the group", reason };
    let group = Group::from_name(name).map_err(|e| refuse(format!("group {name} cannot be looked up: {e}")))?;
    let gid = group.ok_or_else(|| refuse(format!("there is no group {name}")))?.gid;
    if gid.as_raw() == 0 {
        return Err(refuse(format!("group {name} is root's; name another")));
    }
    Ok(gid)
}
