//! Landlock and seccomp: what is left when the identity is already given up.
//!
//! Promises: handles that are open keep working. Landlock forbids every file but read-only ones under `/sys` (where libpcap reads the
//! interface's drop counter), binding and connecting TCP, abstract sockets and signals to others. The seccomp filter is a list of what
//! is allowed; everything else fails with `EPERM`, which a library takes more calmly than a killed process.
//!
//! Read next: `identity.rs`.

use std::collections::BTreeMap;

use landlock::{
    ABI, Access, AccessFs, AccessNet, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus, Scope, path_beneath_rules,
};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
    apply_filter,
};

/// Rights that this rule set was written for and tested with.
const RIGHTS: ABI = ABI::V6;
/// Where libpcap reads `rx_missed_errors`; the first is a folder of links into the second.
const READABLE: [&str; 2] = ["/sys/class/net", "/sys/devices"];

/// Confines this thread and those it will start. The error is a part of a sentence.
pub fn landlock() -> Result<(), String> {
    let ruleset = Ruleset::default()
        .handle_access(AccessFs::from_all(RIGHTS))
        .and_then(|ruleset| ruleset.handle_access(AccessNet::from_all(RIGHTS)))
        .and_then(|ruleset| ruleset.scope(Scope::from_all(RIGHTS)))
        .and_then(Ruleset::create)
        .and_then(|created| created.add_rules(path_beneath_rules(READABLE, AccessFs::ReadFile)))
        .and_then(landlock::RulesetCreated::restrict_self);
    match ruleset {
        Ok(status) if status.ruleset != RulesetStatus::NotEnforced => Ok(()),
        Ok(_) => Err("this kernel does not have it".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Filters the system calls of this thread and those it will start. The error is a part of a sentence.
pub fn seccomp() -> Result<(), String> {
    let filter = filter().map_err(|error| error.to_string())?;
    apply_filter(&filter).map_err(|error| error.to_string())
}

fn filter() -> Result<BpfProgram, Box<dyn std::error::Error>> {
    let target = TargetArch::try_from(std::env::consts::ARCH)?;
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = ALLOWED.iter().chain(OLDER).map(|call| (*call, Vec::new())).collect();
    // Files may be opened to be read; Landlock says which.
    let writes = u64::try_from(libc::O_ACCMODE | libc::O_CREAT | libc::O_TRUNC)?;
    let reads_only = |place| SeccompCondition::new(place, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(writes), 0);
    rules.insert(libc::SYS_openat, vec![SeccompRule::new(vec![reads_only(2)?])?]);
    let denied = SeccompAction::Errno(u32::try_from(libc::EPERM)?);
    Ok(SeccompFilter::new(rules, denied, SeccompAction::Allow, target)?.try_into()?)
}

/// Calls that the readers, the sensor, the writer, libpcap, the allocator and threads make.
const ALLOWED: &[i64] = &[
    // Reading the ring and its counters, leaving promiscuous mode, waking a reader.
    libc::SYS_ppoll,
    libc::SYS_getsockopt,
    libc::SYS_setsockopt,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_ioctl,
    libc::SYS_fcntl,
    libc::SYS_eventfd2,
    // Writing to what is open; the one socket may be connected again.
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_pread64,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_connect,
    libc::SYS_close,
    libc::SYS_fstat,
    libc::SYS_lseek,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    // Memory.
    libc::SYS_brk,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    // Threads and time.
    libc::SYS_clone,
    libc::SYS_clone3,
    libc::SYS_futex,
    libc::SYS_rseq,
    libc::SYS_set_robust_list,
    libc::SYS_prctl,
    libc::SYS_uname,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettimeofday,
    libc::SYS_restart_syscall,
    libc::SYS_exit,
    libc::SYS_exit_group,
    // Signals.
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_tgkill,
    // Hash seeds.
    libc::SYS_getrandom,
];

/// Calls that only older architectures have.
#[cfg(target_arch = "x86_64")]
const OLDER: &[i64] = &[libc::SYS_poll, libc::SYS_time];
#[cfg(not(target_arch = "x86_64"))]
const OLDER: &[i64] = &[];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_compiles_and_leaves_out_what_an_intruder_wants() {
        assert!(!filter().expect("a filter").is_empty());
        for call in [libc::SYS_execve, libc::SYS_execveat, libc::SYS_socket, libc::SYS_ptrace, libc::SYS_bpf, libc::SYS_setuid] {
            assert!(!ALLOWED.contains(&call) && !OLDER.contains(&call), "system call {call}");
        }
    }
}
